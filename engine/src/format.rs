//! Header detection: a line in, a [`Record`] out. How the lines of an input begin is voted once, over its first lines
//! ([`Layout`]); after that a line is read the same way wherever it stands, so a file may change its format in the middle and
//! shuffling its lines changes nothing. Byte loops over the line, no allocation.

pub(crate) mod time;
mod level;
mod colours;
mod columns;
mod header;
mod json;
mod logfmt;
mod clock;
mod form;
mod sketch;
mod layout;

use std::sync::Arc;

use self::{clock::Day, colours::ESCAPE};
pub use self::{form::FormError, layout::Layout};
use crate::record::Record;

/// Reads lines by the layout of their input, reusing its buffers.
#[derive(Debug, Default)]
pub struct Reader {
    layout: Arc<Layout>,
    reference: i64,
    day: Day,
    /// The line without its colours.
    plain: Vec<u8>,
}

impl Reader {
    /// What follows is of an input with this layout; `reference_time` as in [`crate::Settings`].
    pub fn begin(&mut self, layout: &Arc<Layout>, reference_time: i64) {
        if self.reference != reference_time {
            // The year of a day without one depends on it.
            self.day = Day::default();
        }
        self.layout = Arc::clone(layout);
        self.reference = reference_time;
    }

    /// Reads the header of one line (without its line end).
    #[inline]
    pub fn read<'a>(&'a mut self, line: &'a [u8]) -> Record<'a> {
        let mut line = line;
        if self.layout.plain {
            return Record { time: None, level: None, message: line };
        }
        if memchr::memchr(ESCAPE, line).is_some() {
            colours::strip(line, &mut self.plain);
            line = &self.plain;
        }
        if line.first() != Some(&b'{')
            && let Some((_, record)) = self.layout.read(line, self.reference, &mut self.day)
        {
            return within(record, self.reference);
        }
        read(line, self.reference)
    }
}

/// Reads the header of one line (without its line end). `reference_time` as in [`crate::Settings`].
///
/// ```
/// let line = b"2024-05-01 10:00:00,250 WARN  [main] com.example.Pool - no connection left";
/// let record = logkin_engine::format::read(line, 1_800_000_000);
/// assert_eq!(record.message, b"no connection left");
/// assert_eq!(record.time, Some(1_714_557_600_250));
/// ```
pub fn read(line: &[u8], reference_time: i64) -> Record<'_> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let found = match line.first() {
        Some(b'{') => json::read(line, reference_time),
        Some(b'a'..=b'z' | b'@') => logfmt::read(line, reference_time),
        _ => None,
    };
    within(found.unwrap_or_else(|| header::read(line, reference_time)), reference_time)
}

/// The record, or that of the line which its message holds.
#[inline]
fn within(record: Record<'_>, reference_time: i64) -> Record<'_> {
    match contained(record.message) {
        Some(inner) => {
            let inner = read(inner, reference_time);
            Record { time: inner.time.or(record.time), level: inner.level.or(record.level), message: inner.message }
        }
        None => record,
    }
}

/// The line behind `stdout F `, which container runtimes put between their time and what the program wrote.
fn contained(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"stdout ").or(message.strip_prefix(b"stderr "))?;
    rest.strip_prefix(b"F ").or(rest.strip_prefix(b"P "))
}
