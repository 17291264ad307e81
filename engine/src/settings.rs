//! What a run may be told. Nothing has to be: the default suits every input.

use std::sync::Arc;

use crate::{format::LineFormat, rules::Rules};

/// Settings of one run. Same bytes and same settings give the same report.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Threads of phase one, at most [`Settings::MAX_THREADS`]; `None` takes one per usable core. Changes the speed, never
    /// the report.
    pub threads: Option<usize>,
    /// Whether the threads give way every few hundred lines to whoever else waits for the processor: for an analysis
    /// beside work that people wait for. Without it those wait for the rest of a time slice, some milliseconds, however low
    /// the priority of the analysis. Changes the speed, never the report.
    pub gives_way: bool,
    /// From 0 (everything is one cluster) to 1 (only equal shapes are): how alike the shapes of a cluster are.
    pub similarity: f64,
    /// Bytes of a line that are looked at; the rest is counted and skipped. Past 2 MiB it also is the size of the chunks that
    /// inputs are read in, of which there are two for every thread and one more.
    pub max_line_bytes: usize,
    /// Places for distinct shapes: each takes one, and one more for every 64 bytes of its text, of which there are 4 KiB at most.
    /// Past it, shapes that begin or are built alike are counted as one where there are too many of them, in the same way
    /// whatever the order, and the report says so. A place takes about half a kilobyte, its histogram apart. The examples of a
    /// shape are three of up to 1 KiB; of 256 bytes where there are more than 6,250 shapes; one of 128 past 25,000.
    pub max_shapes: usize,
    /// The day against which times without a year are read, as seconds since the epoch: the latest year that does
    /// not put the line after it. Passed in so that an analysis repeated later gives the same report.
    pub reference_time: i64,
    /// How the lines begin, where someone knows better than the vote over each input.
    pub line_format: LineFormat,
    /// How far packed inputs are unpacked.
    pub unpacking: Unpacking,
    /// Corrections by a person.
    pub rules: Option<Arc<Rules>>,
}

/// Bounds of reading and unpacking, for each input as it was given: an archive with all that is in it counts as one. What is met at a
/// bound is told as a problem of the input; what came before it is counted. Nothing is ever written to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacking {
    /// Packings and archives in each other. What is packed once more is left out.
    pub max_depth: usize,
    /// Members of archives that are read, those in inner archives included. The members after them are left out.
    pub max_members: usize,
    /// Bytes unpacked for each byte read, once more than [`Unpacking::FREE_BYTES`] are unpacked: text of log files rarely
    /// gives more than a hundred, a bomb of zeros a thousand from gzip and millions from others. Reading stops there.
    pub max_ratio: u64,
    /// Bytes read, packed or not, and bytes unpacked in all, those of inner packings included. Reading stops there.
    pub max_bytes: u64,
    /// Bytes of window (zstd) or dictionary (xz) that a packing may ask for, which are held in memory for each packing
    /// around the text; the others need a few megabytes at most. Data that ask for more are not unpacked. zstd takes it as
    /// the next lower power of two.
    pub max_window: u64,
}

impl Unpacking {
    /// So much may come out of an input of any size, in bytes: it is read in a few seconds.
    pub const FREE_BYTES: u64 = 1 << 30;
}

impl Default for Unpacking {
    fn default() -> Self {
        Self { max_depth: 6, max_members: 10_000, max_ratio: 500, max_bytes: 1 << 40, max_window: 128 << 20 }
    }
}

impl Settings {
    /// More threads than this are not started: each holds some megabytes, and no input keeps them all busy.
    pub const MAX_THREADS: usize = 256;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threads: None,
            gives_way: false,
            similarity: 0.5,
            max_line_bytes: 64 << 10,
            max_shapes: 100_000,
            reference_time: 4_102_444_800,
            line_format: LineFormat::AUTO,
            unpacking: Unpacking::default(),
            rules: None,
        }
    }
}
