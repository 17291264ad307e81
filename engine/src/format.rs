//! Header detection: a line in, a [`Record`] out. How the lines of an input begin is voted once, over its first lines
//! ([`Layout`]); after that a line is read the same way wherever it stands, so a file may change its format in the middle and
//! shuffling its lines changes nothing. Byte loops over the line, no allocation.

pub(crate) mod time;
pub(crate) mod level;
mod colours;
mod columns;
mod header;
mod fields;
pub(crate) mod bare;
mod json;
mod logfmt;
pub(crate) mod clock;
pub(crate) mod digits;
mod status;
mod w3c;
mod form;
mod sketch;
mod crossing;
mod named;
mod learn;
mod vote;
mod layout;
pub(crate) mod values;

use std::sync::Arc;

use self::{
    clock::Days,
    colours::ESCAPE,
    digits::{Digits, Said},
    fields::Written,
    json::Found,
    time::Seen,
    values::Values,
    vote::FORMS,
};
pub use self::{
    form::FormError,
    layout::{Layout, LineFormat},
};
pub(crate) use self::{level::is_level_word, vote::front};
use crate::record::{Onset, Record};

/// What a line may turn out to be: of one of the forms of its layout, or one of the ways behind them.
pub(crate) const WAYS: usize = FORMS + 7;
const JSON: usize = FORMS;
const LOGFMT: usize = FORMS + 1;
const KLOG: usize = FORMS + 2;
const CONTAINED: usize = FORMS + 3;
const OTHER: usize = FORMS + 4;
const PLAIN: usize = FORMS + 5;
const W3C: usize = FORMS + 6;

/// What the ways behind the forms are called.
pub(crate) const WAYS_BEHIND_FORMS: [&str; WAYS - FORMS] = ["json", "logfmt", "klog", "cri", "other", "plain", "w3c"];

/// Reads lines by the layout of their input, reusing its buffers. Counts what it reads.
#[derive(Debug, Default)]
pub struct Reader {
    layout: Arc<Layout>,
    reference: i64,
    days: Days,
    /// Whether lines may have escape sequences.
    pub(crate) coloured: bool,
    /// The line without its colours.
    plain: Vec<u8>,
    written: Written,
    /// The message without escapes.
    text: Vec<u8>,
    /// Lines that were read by each way.
    pub(crate) ways: [u64; WAYS],
    /// What the fields of lines hold.
    pub(crate) values: Values,
}

impl Reader {
    /// What follows is of an input with this layout, and is counted from the beginning; `reference_time` as in
    /// [`crate::Settings`].
    pub fn begin(&mut self, layout: &Arc<Layout>, reference_time: i64) {
        if self.reference != reference_time {
            // The year of a day without one depends on it.
            self.days = Days::default();
        }
        self.layout = Arc::clone(layout);
        self.reference = reference_time;
        self.coloured = true;
        self.ways = [0; WAYS];
        self.values.clear();
    }

    /// Reads the header of one line (without its line end).
    #[inline]
    pub fn read<'a>(&'a mut self, line: &'a [u8]) -> Record<'a> {
        let Self { layout, reference, days, coloured, plain, written, text, ways, values } = self;
        let mut line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if layout.plain {
            ways[PLAIN] += 1;
            return Record { time: None, level: None, onset: Onset::Bare, message: line };
        }
        if *coloured && memchr::memchr(ESCAPE, line).is_some() {
            colours::strip(line, plain);
            line = plain;
        }
        if let Some(row) = layout.tables.iter().find_map(|table| table.row(line)) {
            ways[W3C] += 1;
            let record = row.read(*reference, written, text);
            written.each(|name, value| values.count(name, value));
            return record;
        }
        let found = match line.first() {
            _ if layout.given => None,
            Some(b'{') => {
                written.clear();
                json::read(line, *reference, written).map(|found| (JSON, found))
            }
            Some(b'a'..=b'z' | b'@') => {
                written.clear();
                logfmt::read(line, *reference, written).map(|found| (LOGFMT, found))
            }
            _ => None,
        };
        if let Some((way, found)) = found {
            ways[way] += 1;
            written.each(|name, value| values.count(name, value));
            return of_fields(line, &found, *reference, written, text);
        }
        days.seen = Seen::default();
        let digits = Digits::open(line);
        let record = match layout.read(digits, *reference, days) {
            Some((form, said)) => {
                ways[form] += 1;
                with_status(said, digits).record()
            }
            None => {
                let (record, is_klog) = headed(line, *reference, days.seen);
                ways[way(record.time.is_some() || record.level.is_some(), is_klog, record.message)] += 1;
                record
            }
        };
        // What a container wrote may be made of fields too.
        let inner = contained(record.message).unwrap_or(record.message);
        let found = match inner.first() {
            _ if layout.given || inner.len() == line.len() => None,
            Some(b'{' | b'@') => object(inner).and_then(|object| {
                written.clear();
                json::read(object, *reference, written).map(|found| (object, found))
            }),
            Some(b'a'..=b'z') => {
                written.clear();
                let found = logfmt::read(inner, *reference, written);
                found.filter(|found| found.level.is_some() || found.message.is_some()).map(|found| (inner, found))
            }
            _ => None,
        };
        if let Some((fields, found)) = found {
            written.each(|name, value| values.count(name, value));
            return of_fields(fields, &found, *reference, written, text).within(&record);
        }
        within(record, *reference)
    }

    /// Reads an object of JSON that stands on several lines in its input and on one here; `None` if it is none.
    pub(crate) fn read_object<'a>(&'a mut self, object: &'a [u8]) -> Option<Record<'a>> {
        let Self { layout, reference, written, text, .. } = self;
        if layout.given {
            return None;
        }
        written.clear();
        let found = json::read(object, *reference, written)?;
        Some(of_fields(object, &found, *reference, written, text))
    }

    /// Whether a line is read the same way as all others with its outline, given the same answers: a line of text, whose
    /// fields are not counted and whose message is a part of it.
    pub(crate) fn takes_outline(&self, line: &[u8]) -> bool {
        let fields = match line.first() {
            Some(b'{' | 0xef) | None => true,
            // Labels of TAI64N are alike in hardly a digit.
            Some(b'@') => true,
            _ => has_pairs(line),
        };
        !fields && !self.layout.given && self.layout.tables.is_empty()
    }

    /// Reads a line that [takes it](Self::takes_outline) by its outline: what it says and which way it was read, uncounted.
    /// `None` where its message is a line of its own.
    pub(crate) fn read_outline<'a>(&mut self, digits: Digits<'a>) -> Option<(usize, Said<'a>)> {
        let Self { layout, reference, days, .. } = self;
        days.seen = Seen::default();
        let (way, mut said) = layout.read(digits, *reference, days).unwrap_or_else(|| {
            let (said, is_klog) = header::read(digits, *reference, days.seen);
            (way(said.time.is_some() || said.level.is_some(), is_klog, said.message), said)
        });
        said = with_status(said, digits);
        let is_text = |message| contained(message).is_none() && object(message).is_none() && !has_pairs(message);
        is_text(said.message).then_some((way, said))
    }
}

/// The way in which a line was read that no form fits.
fn way(has_header: bool, is_klog: bool, message: &[u8]) -> usize {
    match has_header {
        false => PLAIN,
        true if contained(message).is_some() => CONTAINED,
        true if is_klog => KLOG,
        true => OTHER,
    }
}

/// What a line of fields says: its message, or its names where it has none (`written`).
fn of_fields<'a>(
    line: &'a [u8],
    found: &Found<'a>,
    reference: i64,
    written: &'a mut Written,
    text: &'a mut Vec<u8>,
) -> Record<'a> {
    let level = found.level.or_else(|| found.message.is_none().then(|| written.level()).flatten());
    let message = match found.message {
        Some(message) if message.contains(&b'\\') => {
            fields::unescape(message, text);
            text.trim_ascii()
        }
        Some(message) => message,
        None => Some(written.names()).filter(|names| !names.is_empty()).unwrap_or(line),
    };
    let record = Found { level, ..*found }.record(message);
    if !found.is_contained() {
        return record;
    }
    read(message, reference).within(&record)
}

/// Reads the header of one line (without its line end) by itself, as is done where nothing is known of the lines around it.
/// `reference_time` as in [`crate::Settings`].
///
/// ```
/// let line = b"2024-05-01 10:00:00,250 WARN  [main] com.example.Pool - no connection left";
/// let record = logkin_engine::format::read(line, 1_800_000_000);
/// assert_eq!(record.message, b"no connection left");
/// assert_eq!(record.time, Some(1_714_557_600_250));
/// ```
pub fn read(line: &[u8], reference_time: i64) -> Record<'_> {
    within(headed(line, reference_time, Seen::default()).0, reference_time)
}

/// The same, whatever its message holds, with the time in the line that was looked for last; and whether it is klog's.
fn headed(line: &[u8], reference_time: i64, seen: Seen) -> (Record<'_>, bool) {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let found = match line.first() {
        Some(b'{') => json::read(line, reference_time, &mut ()),
        Some(b'a'..=b'z' | b'@') => logfmt::read(line, reference_time, &mut ()),
        _ => None,
    };
    match found {
        Some(found) => (found.record(found.message.unwrap_or(line)), false),
        None => {
            let digits = Digits::open(line);
            let (said, is_klog) = header::read(digits, reference_time, seen);
            (with_status(said, digits).record(), is_klog)
        }
    }
}

/// The same, with the level of a request where the line names none, and without the mark that RFC 5424 puts before UTF-8.
fn with_status<'a>(said: Said<'a>, digits: Digits<'a>) -> Said<'a> {
    let message = said.message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(said.message);
    Said { level: said.level.or_else(|| status::level(digits, message)), message, ..said }
}

/// The record, or that of the line which its message holds.
#[inline]
fn within(record: Record<'_>, reference_time: i64) -> Record<'_> {
    match contained(record.message) {
        Some(inner) => read(inner, reference_time).within(&record),
        None => record,
    }
}

/// Whether a message may be made of pairs.
#[inline]
fn has_pairs(message: &[u8]) -> bool {
    message.first().is_some_and(u8::is_ascii_lowercase) && logfmt::may_begin(message)
}

/// The object of JSON that a message looks like, behind the mark that some put before it.
#[inline]
fn object(message: &[u8]) -> Option<&[u8]> {
    let object = match message.first()? {
        b'{' => message,
        b'@' => message.strip_prefix(b"@cee:")?.trim_ascii(),
        _ => return None,
    };
    (object.starts_with(b"{\"") && object.ends_with(b"}")).then_some(object)
}

/// The line behind `stdout F `, which container runtimes put between their time and what the program wrote.
fn contained(message: &[u8]) -> Option<&[u8]> {
    let rest = message.strip_prefix(b"stdout ").or(message.strip_prefix(b"stderr "))?;
    match rest {
        [b'F' | b'P', b' ', rest @ ..] => Some(rest),
        // Of what a program wrote nothing may be left but the end of the line.
        [b'F' | b'P'] => Some(&rest[1..]),
        _ => None,
    }
}
