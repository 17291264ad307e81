//! The one place that joins the steps.

use std::io::Write;

use crate::{Error, Input, Progress, Report, Settings};

/// Where to write what finds lines again.
pub struct Recorder<'a> {
    /// Shape per line, chunk by chunk.
    pub labels: &'a mut (dyn Write + Send),
    /// The text of inputs that cannot be read again in place (packed files, pipes), in compressed blocks.
    pub text: &'a mut (dyn Write + Send),
}

/// Reads all inputs and reports what they hold. An input that cannot be read is a problem in the report, not a
/// failure of the run.
pub fn analyze(
    _inputs: Vec<Input>,
    _settings: &Settings,
    _progress: &Progress,
    _recorder: Option<Recorder<'_>>,
) -> Result<Report, Error> {
    Err(Error::Cancelled)
}
