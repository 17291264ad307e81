//! Which line has which shape: a compact column in input order, written beside the report, to find the lines of a
//! cluster again.

use std::io;

/// Where one line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineAt {
    /// Position of the input in the report.
    pub input: u32,
    /// Number of the line in its input, from 1.
    pub number: u64,
    /// First byte of the line in the input's text (unpacked).
    pub offset: u64,
    /// Bytes without the line end.
    pub length: u64,
}

/// Reads what a [`crate::Recorder`] wrote.
#[derive(Debug)]
pub struct Recording<L, T> {
    labels: L,
    text: T,
}

impl<L: io::Read + io::Seek, T: io::Read + io::Seek> Recording<L, T> {
    /// Opens the two columns.
    pub fn open(labels: L, text: T) -> io::Result<Self> {
        Ok(Self { labels, text })
    }

    /// The lines of the shapes given (as in [`crate::report::Cluster::shapes`]), in input order: `limit` of them after
    /// the first `skip`. Chunks without such a shape are not read.
    pub fn lines(&mut self, _shapes: &[u64], _skip: u64, _limit: usize) -> io::Result<Vec<LineAt>> {
        let _ = (&self.labels, &self.text);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The bytes of a line of an input that was packed or a pipe, from the recorded text; `None` for a plain file,
    /// which is read at [`LineAt::offset`] where it lies.
    pub fn text(&mut self, _line: LineAt) -> io::Result<Option<Vec<u8>>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
