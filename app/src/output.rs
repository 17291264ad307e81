//! One report, several dresses. Every dress goes to any writer; only the table for people knows of terminals.

mod board;
mod comparison;
mod csv;
mod explain;
mod json;
mod markdown;
mod table;
mod visible;

use std::{
    fmt,
    io::{self, BufWriter, IsTerminal, Write},
};

use logkin_engine::Report;

use crate::cli::TableFormat;

pub use board::Board;
pub use comparison::write as write_comparison;
pub(crate) use csv::{Rows, truth};
pub use explain::explain;
use markdown::code;
pub use table::Terminal;
pub use visible::{Screen, visible};

/// Writes a report in the dress asked for; `top` clusters of it (0: all) in the dresses made for reading.
pub fn write(
    report: &Report,
    format: TableFormat,
    top: usize,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let shown = if top == 0 { report.clusters.len() } else { top.min(report.clusters.len()) };
    match format {
        TableFormat::Table => table::write(report, shown, terminal, out),
        TableFormat::Json => json::write(report, out),
        TableFormat::Ndjson => json::write_lines(report, shown, out),
        TableFormat::Csv => csv::write(report, shown, out),
        TableFormat::Markdown => markdown::write(report, shown, out),
    }
}

/// Standard output for what may hold log text: buffered, and made safe where it is a screen.
pub fn stdout() -> Box<dyn Write> {
    let out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    if io::stdout().is_terminal() { Box::new(Screen::new(out)) } else { Box::new(out) }
}

/// Says on standard output that a service is up. It goes on though nobody can be told there, and says that on standard error.
pub fn announce(ready: impl fmt::Display) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{ready}").and_then(|()| out.flush()) {
        tell(format_args!("{ready}; the standard output does not take that: {error}"));
    }
}

/// Tells a person something on standard error, in one piece, as others may write there at the same time. That nobody reads it
/// is no failure.
pub fn tell(what: impl fmt::Display) {
    let _ = io::stderr().write_all(format!("logkin: {what}\n").as_bytes());
}

/// A moment as RFC 3339 in UTC, to the millisecond; empty for none.
fn moment(milliseconds: Option<i64>) -> String {
    milliseconds
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(String::new, |time| format!("{time:.3}"))
}

/// The name of a level as lines have it.
fn level_name(level: Option<logkin_engine::record::Level>) -> &'static str {
    level.map_or("", logkin_engine::record::Level::name)
}
