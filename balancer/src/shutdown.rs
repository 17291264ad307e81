//! How it ends: a first signal asks to stop, a second one forces it.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Tells everybody to stop. Cloning it gives another handle to the same.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Stop accepting, finish what is under way, then end.
    pub asked: CancellationToken,
    /// End now. Implies `asked`.
    pub forced: CancellationToken,
}

impl Shutdown {
    /// Asks to stop.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// Ends waiting for what is under way.
    pub fn force(&self) {
        self.asked.cancel();
        self.forced.cancel();
    }

    /// Asks at the first SIGTERM or SIGINT, forces at the second.
    ///
    /// # Errors
    ///
    /// The handlers cannot be installed.
    pub(crate) async fn follow_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if self.asked.is_cancelled() {
                tracing::warn!("{name} again: ending at once");
                self.force();
            } else {
                tracing::info!("{name}: finishing requests, then ending; once more to end at once");
                self.ask();
            }
        }
    }
}
