//! Clients that ask and ask.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use e2e::Api;

/// GETs `path` until `end`, counting what was answered; gives what was not answered with 200.
pub(crate) fn get_until(end: &AtomicBool, answered: &AtomicUsize, api: &Api, path: &str) -> Vec<String> {
    let mut failures = Vec::new();
    while !end.load(Ordering::Relaxed) && failures.len() < 20 {
        match api.try_get(path) {
            Ok(answer) if answer.status == 200 => _ = answered.fetch_add(1, Ordering::Relaxed),
            Ok(answer) => failures.push(format!("{}: {}", answer.status, answer.body)),
            Err(error) => failures.push(error),
        }
    }
    failures
}
