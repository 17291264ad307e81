//! The count table as CSV (RFC 4180), with a header row.

use std::io::{self, Write};

use logkin_engine::Report;

use super::{level_name, moment};

pub(super) fn write(report: &Report, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = Rows::new(out);
    rows.write(["cluster", "lines", "events", "share", "level", "first_seen", "last_seen", "template"])?;
    for cluster in &report.clusters[..shown] {
        rows.write([
            cluster.id.0.as_str(),
            &cluster.lines.to_string(),
            &cluster.events.to_string(),
            &format!("{:.6}", cluster.share),
            level_name(cluster.level),
            &moment(cluster.first_seen_ms),
            &moment(cluster.last_seen_ms),
            &cluster.template,
        ])?;
    }
    rows.finish()
}

/// Rows of CSV on a writer.
pub(crate) struct Rows<'a>(::csv::Writer<&'a mut dyn Write>);

impl<'a> Rows<'a> {
    /// No row yet.
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self(::csv::Writer::from_writer(out))
    }

    /// One row. An error is the writer's own, so that a closed pipe is known for what it is; the conversion that the
    /// library offers hides its kind.
    pub(crate) fn write<const N: usize>(&mut self, cells: [&str; N]) -> io::Result<()> {
        self.0.write_record(cells).map_err(|error| match error.into_kind() {
            ::csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        })
    }

    /// All of it to the writer.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}
