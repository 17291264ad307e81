//! Active checks: each backend is asked again and again, whether it has requests or not. What they say is kept apart from
//! what requests say.

use std::sync::Arc;

use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    for_each,
    probe::{self, NotReady},
};
use crate::{
    backend::Backend,
    descriptors,
    pool::{Change, Member, Pool},
    verdict::checks::{Checks, Tally},
};

/// Checks every member of the pool until it leaves. Ends with `stop`.
pub(crate) async fn check(pool: Arc<Pool>, changes: mpsc::Sender<Change>, checks: Checks, stop: CancellationToken) {
    let is_up = |member: &Member| !member.backend.terms.down;
    for_each(&pool, is_up, |backend| check_one(backend, changes.clone(), checks), stop).await;
}

async fn check_one(backend: Arc<Backend>, changes: mpsc::Sender<Change>, checks: Checks) {
    // Whether it was told that no check can be made: what holds for each of them is told once.
    let (mut tally, mut is_told) = (Tally::new(), false);
    loop {
        let (outcome, name) = (probe::probe(&backend, checks.deadline).await, backend.name.as_str());
        match &outcome {
            Err(NotReady::Unreachable(error)) if descriptors::are_spent(error) => {
                if std::mem::replace(&mut is_told, true) {
                    tracing::debug!(backend = name, %error, "{name} could not be checked again: {error}");
                } else {
                    tracing::warn!(backend = name, %error, "{name} could not be checked: {error}; see worker_connections");
                }
            }
            _ => {
                is_told = false;
                let verdict = tally.note(outcome.is_ok(), &checks);
                match &outcome {
                    Err(error) if verdict.is_some() => {
                        tracing::info!(backend = name, %error, "{name} has failed a check once too often: {error}");
                    }
                    Err(error) => tracing::debug!(backend = name, %error, "{name} has failed a check: {error}"),
                    Ok(()) => {}
                }
                if let Some(is_well) = verdict {
                    // The pool ends last.
                    drop(changes.send(Change::Checked(backend.id, is_well)).await);
                }
            }
        }
        sleep(checks.interval).await;
    }
}
