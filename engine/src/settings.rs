//! What a run may be told. Nothing has to be: the default suits every input.

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
    /// Bytes of a line that are looked at; the rest is counted and skipped. Past 1 MiB it also is the size of the chunks that
    /// inputs are read in, of which there are two for every thread and two more.
    pub max_line_bytes: usize,
    /// Distinct shapes kept, where one of more than 256 bytes counts as several. Past it, shapes that begin alike are
    /// counted as one where there are too many of them, in the same way whatever the order, and the report says so.
    /// A shape takes about half a kilobyte, its histogram apart.
    pub max_shapes: usize,
    /// The day against which times without a year are read, as seconds since the epoch: the latest year that does
    /// not put the line after it. Passed in so that an analysis repeated later gives the same report.
    pub reference_time: i64,
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
        }
    }
}
