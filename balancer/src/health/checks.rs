//! Active checks: each backend is asked again and again, whether it has requests or not. What they say is kept apart from
//! what requests say.

use std::{collections::HashMap, sync::Arc};

use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::probe;
use crate::{
    backend::{Backend, BackendId},
    pool::{Change, Pool},
    verdict::checks::{Checks, Tally},
};

/// Checks every member of the pool until it leaves. Ends with `stop`.
pub(crate) async fn check(pool: Arc<Pool>, changes: mpsc::Sender<Change>, checks: Checks, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let mut checked: HashMap<BackendId, CancellationToken> = HashMap::new();
    let mut bell = pool.bell();
    loop {
        let snapshot = pool.snapshot();
        checked.retain(|id, end| {
            let stays = snapshot.member(*id).is_some();
            if !stays {
                end.cancel();
            }
            stays
        });
        for member in snapshot.members.iter().filter(|member| !member.backend.terms.down) {
            checked.entry(member.backend.id).or_insert_with(|| {
                let end = stop.child_token();
                let one = check_one(Arc::clone(&member.backend), changes.clone(), checks);
                tasks.spawn(end.clone().run_until_cancelled_owned(one));
                end
            });
        }
        tokio::select! {
            changed = bell.changed() => if changed.is_err() { break },
            () = stop.cancelled() => break,
        }
    }
    tasks.close();
    tasks.wait().await;
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
