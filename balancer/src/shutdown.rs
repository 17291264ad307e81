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

    /// Asks at the first SIGTERM, SIGINT or SIGHUP, forces at the next SIGTERM or SIGINT. SIGHUP never forces: a terminal
    /// that goes away sends several. Nor is it listened to where it was ignored from the start, as under `nohup`.
    ///
    /// # Errors
    ///
    /// The handlers cannot be installed.
    pub(crate) async fn follow_signals(&self) -> std::io::Result<()> {
        let hears_hangup = !is_ignored(SignalKind::hangup());
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = hears_hangup.then(|| signal(SignalKind::hangup())).transpose()?;
        let mut replace = signal(SignalKind::user_defined2())?;
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let (name, may_force) = tokio::select! {
                _ = terminate.recv() => ("SIGTERM", true),
                _ = interrupt.recv() => ("SIGINT", true),
                _ = hung_up => ("SIGHUP", false),
                _ = replace.recv() => {
                    tracing::warn!("SIGUSR2: the program is not replaced while it runs; nothing is done");
                    continue;
                }
            };
            if !self.asked.is_cancelled() {
                tracing::info!("{name}: finishing requests, then ending; SIGTERM or Ctrl-C to end at once");
                self.ask();
            } else if may_force {
                tracing::warn!("{name} again: ending at once");
                self.force();
            }
        }
    }
}

/// Whether whoever started this program had it ignore a signal. Where that cannot be told, it had not.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
