//! The janitor: removes what nobody owns any more, left by instances that died at the wrong moment. Several may sweep
//! the same folder at once.

use std::{sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};

use crate::{blobs::Blobs, shutdown::Shutdown, store::Store};

/// From one round to the next.
const ROUND: Duration = Duration::from_secs(60);

/// A draft this young may not have taken its lock yet.
const DRAFT_AGE: Duration = Duration::from_secs(10);

/// Blobs this young may still be waiting for their row: an upload of many files writes it last.
const BLOB_AGE: Duration = Duration::from_secs(24 * 3600);

/// Sweeps now and every minute until the shutdown.
pub async fn run(blobs: Blobs, store: Arc<dyn Store>, shutdown: Shutdown) {
    while !shutdown.has_begun() {
        if let Err(error) = sweep(&blobs, &*store, DRAFT_AGE, BLOB_AGE).await {
            tracing::warn!(%error, "cannot sweep the data directory: {error}");
        }
        tokio::select! {
            () = sleep(ROUND) => {}
            () = shutdown.begun() => {}
        }
    }
}

/// One round; how many drafts and reports without a row were removed.
pub async fn sweep(
    blobs: &Blobs,
    store: &dyn Store,
    draft_age: Duration,
    blob_age: Duration,
) -> anyhow::Result<(usize, usize)> {
    let here = blobs.clone();
    let (drafts, kept) =
        spawn_blocking(move || Ok::<_, std::io::Error>((here.sweep_drafts(draft_age)?, here.reports(blob_age)?)))
            .await??;
    let mut reports = 0;
    for id in kept {
        if store.report(&id).await?.is_none() {
            blobs.remove(&id)?;
            reports += 1;
        }
    }
    if drafts + reports > 0 {
        tracing::info!(drafts, reports, "removed {drafts} unfinished uploads and {reports} reports without an owner");
    }
    Ok((drafts, reports))
}
