//! The count table as CSV (RFC 4180), with a header row.

use std::io::{self, Write};

use logkin_engine::Report;

use super::{level_name, moment};

pub(super) fn write(report: &Report, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = ::csv::Writer::from_writer(out);
    rows.write_record(["cluster", "lines", "events", "share", "level", "first_seen", "last_seen", "template"])?;
    for cluster in &report.clusters[..shown] {
        rows.write_record([
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
    rows.flush()
}
