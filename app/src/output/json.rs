//! The report as JSON.

use std::io::{self, Write};

use logkin_engine::Report;

/// One document: the whole report.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, report)?;
    writeln!(out)
}

/// One document per cluster.
pub(super) fn write_lines(report: &Report, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    for cluster in &report.clusters[..shown] {
        serde_json::to_writer(&mut *out, cluster)?;
        writeln!(out)?;
    }
    Ok(())
}
