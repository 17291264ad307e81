//! What stops a run. Very little does: a bad line never, a bad input only itself.

use std::io;

/// A run that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller asked for the run to stop, through [`crate::Progress::cancel`].
    #[error("cancelled")]
    Cancelled,
    /// The recording (labels or text) could not be written.
    #[error("cannot write the recording: {0}")]
    Recording(#[source] io::Error),
    /// No thread pool could be made.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
}
