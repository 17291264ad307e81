//! Header detection: a line in, a [`Record`] out. Pure: a line is read the same way wherever it stands, so a file may
//! change its format in the middle and shuffling its lines changes nothing. Byte loops over the line, no allocation.

pub(crate) mod time;
mod level;
mod columns;
mod header;
mod json;
mod logfmt;

use crate::record::Record;

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
    let record = found.unwrap_or_else(|| header::read(line, reference_time));
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
