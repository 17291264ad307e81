//! Active checks: each backend is asked again and again, whether it has requests or not. What they say is kept apart from
//! what requests say.

use std::sync::Arc;

use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{for_each, probe};
use crate::{
    backend::Backend,
    pool::{Change, Member, Pool},
    verdict::checks::{Checks, Tally},
};

/// Checks every member of the pool until it leaves. Ends with `stop`.
pub(crate) async fn check(pool: Arc<Pool>, changes: mpsc::Sender<Change>, checks: Checks, stop: CancellationToken) {
    let is_up = |member: &Member| !member.backend.terms.down;
    for_each(&pool, is_up, |backend| check_one(backend, changes.clone(), checks), stop).await;
}

async fn check_one(backend: Arc<Backend>, changes: mpsc::Sender<Change>, checks: Checks) {
    let mut tally = Tally::new();
    loop {
        let outcome = probe::probe(&backend, checks.deadline).await;
        if let Err(error) = &outcome {
            tracing::debug!(backend = %backend.name, %error, "{} has failed a check: {error}", backend.name);
        }
        if let Some(is_well) = tally.note(outcome.is_ok(), &checks) {
            // The pool ends last.
            drop(changes.send(Change::Checked(backend.id, is_well)).await);
        }
        sleep(checks.interval).await;
    }
}
