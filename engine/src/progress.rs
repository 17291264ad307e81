//! How far a run is, readable from another thread, and the way to stop it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Shared by the run, which writes it, and whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes read of the inputs as they lie on the disk (compressed, where they are).
    pub bytes_read: AtomicU64,
    /// Bytes there are to read; 0 when not known (a pipe).
    pub bytes_total: AtomicU64,
    /// Lines folded so far.
    pub lines: AtomicU64,
    cancelled: AtomicBool,
}

impl Progress {
    /// Ends the run at the next chunk with [`crate::Error::Cancelled`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Whether [`Progress::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }
}
