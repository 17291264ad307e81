//! Whether backends answer: the wait for one that starts, the way back for one that could not be reached, and checks.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    backend::{Backend, BackendId},
    pool::{Change, Member, Pool},
};

pub(crate) mod checks;
mod probe;

/// Longest time for a probe that is no check.
const DEADLINE: Duration = Duration::from_secs(5);

/// The first and the longest pause between probes.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Probes a backend until it answers. Pauses are short in the beginning, when it matters.
pub(crate) async fn until_ready(backend: &Backend) {
    let mut pause = PAUSES.0;
    while let Err(error) = probe::probe(backend, DEADLINE).await {
        tracing::debug!(backend = %backend.name, %error, "{} is not ready: {error}", backend.name);
        sleep(pause).await;
        pause = (pause * 5 / 4).min(PAUSES.1);
    }
}

/// Probes every ejected member of the pool until it answers, then has it restored. Ends with `stop`.
pub(crate) async fn restore_ejected(pool: Arc<Pool>, changes: mpsc::Sender<Change>, stop: CancellationToken) {
    let restore = |backend: Arc<Backend>| {
        let changes = changes.clone();
        async move {
            until_ready(&backend).await;
            // The pool ends last.
            drop(changes.send(Change::Restore(backend.id)).await);
        }
    };
    for_each(&pool, Member::is_ejected, restore, stop).await;
}

/// Has a task for each member of the pool that is `wanted`, as long as it is. Ends with `stop`.
async fn for_each<F: Future<Output = ()> + Send + 'static>(
    pool: &Pool,
    wanted: fn(&Member) -> bool,
    task: impl Fn(Arc<Backend>) -> F,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let mut running: HashMap<BackendId, CancellationToken> = HashMap::new();
    let mut bell = pool.bell();
    loop {
        let snapshot = pool.snapshot();
        running.retain(|id, end| {
            let stays = snapshot.member(*id).is_some_and(wanted);
            if !stays {
                end.cancel();
            }
            stays
        });
        for member in snapshot.members.iter().filter(|member| wanted(member)) {
            running.entry(member.backend.id).or_insert_with(|| {
                let end = stop.child_token();
                tasks.spawn(end.clone().run_until_cancelled_owned(task(Arc::clone(&member.backend))));
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
