//! Who wrote a line, by what stands before its message. Where each line of a trace has a header of its own, the lines of one
//! event have the same, with times that are nearly the same; what they say behind it is joined as if it were not there. Names of
//! writers that stand before a line are `names`'s.

use super::{
    BYTES, LINES, SOME_DAY, is_blank,
    names::{NAME, Names},
};
use crate::format::{self, Reader, time};

/// How far apart the lines of one event may be written, in milliseconds: a trace is written at once, and clocks without fractions
/// of seconds are a second apart where one begins between its lines.
const GAP: i64 = 1000;

const DAY: i64 = 86_400_000;

/// How some writers of logs put down a tab.
const TAB: &[u8] = b"#011";

/// What a line says behind a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'l> {
    /// Without indentation.
    pub(crate) text: &'l [u8],
    /// Whether it had some.
    pub(crate) indented: bool,
    /// With indentation, as far as that is blanks.
    pub(super) line: &'l [u8],
}

impl<'l> Content<'l> {
    /// Of a line without a header.
    pub(super) fn bare(line: &'l [u8]) -> Self {
        Self { text: line.trim_ascii_start(), indented: line.first().is_some_and(|b| is_blank(*b)), line }
    }

    /// Of a line whose message begins at `start`, if its header is one that `head` begins with too; and where that ends there.
    pub(crate) fn behind(head: &[u8], line: &'l [u8], start: usize) -> Option<(Self, usize)> {
        let header = line.get(..start)?.trim_ascii_end();
        let end = shared(header, head)?;
        // Tables of columns have more than one blank before each message; a group of exceptions is indented itself.
        let padding = head[end..].iter().take_while(|b| **b == b' ').count();
        let padding = if head[end + padding..].starts_with(b"+ ") { 1 } else { padding.max(1) };
        let behind = &line[header.len()..];
        let blanks = behind.iter().take_while(|b| is_blank(**b)).count();
        let text = &behind[blanks..];
        let line = &behind[blanks.min(padding)..];
        let mut content = Self { text, indented: blanks > padding, line };
        while let Some(text) = content.text.strip_prefix(TAB) {
            (content.text, content.indented) = (text, true);
        }
        Some((content, end))
    }

    /// The same of a line that is read by itself.
    pub(super) fn alone(head: &[u8], line: &'l [u8]) -> Option<Self> {
        let start = start(line, format::read(line, SOME_DAY).message)?;
        Self::behind(head, line, start).map(|(content, _)| content)
    }
}

/// Bytes of the name of a stream.
const STREAM: usize = 6;

/// A line of a container runtime, which cuts what is longer than its buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'l> {
    pub(super) stream: &'l [u8],
    /// Whether what was written ends with it.
    pub(super) is_last: bool,
    text: &'l [u8],
}

impl<'l> Piece<'l> {
    /// Of a line that begins with a time, the stream, and `P` or `F`.
    #[inline]
    pub(super) fn of(line: &'l [u8]) -> Option<Self> {
        if line.get(10) != Some(&b'T') || !line[0].is_ascii_digit() {
            return None;
        }
        let blank = memchr::memchr(b' ', &line[..line.len().min(NAME)])?;
        let (stream, rest) = line[blank + 1..].split_at_checked(STREAM)?;
        let (tag, text) = match rest {
            [b' ', tag] => (tag, &[][..]),
            [b' ', tag, b' ', text @ ..] => (tag, text),
            _ => return None,
        };
        let is_one = matches!(tag, b'F' | b'P') && matches!(stream, b"stdout" | b"stderr");
        is_one.then_some(Self { stream, is_last: *tag == b'F', text })
    }

    /// Whether a line is a piece, and not the last one.
    #[inline]
    pub(super) fn goes_on(line: &[u8]) -> bool {
        Piece::of(line).is_some_and(|piece| !piece.is_last)
    }
}

/// What the lines of an event say.
#[derive(Debug)]
pub(crate) struct Said<'c> {
    /// Where the header of the first line ends that others have too; 0 where they have none.
    pub(crate) header_end: usize,
    /// What the first line goes on with, where that is a piece of one.
    pub(crate) pieces: &'c [u8],
    /// The others, without their headers.
    pub(crate) lines: &'c [u8],
}

/// Takes off the headers of the lines of an event, reusing its buffer.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// What the lines of the input begin with.
    pub(crate) names: Names,
    text: Vec<u8>,
    pieces: Vec<u8>,
}

impl Contents {
    /// What the lines after the first, `head`, say behind its header; as they are, where they have none.
    pub(crate) fn of(&mut self, head: &[u8], more: &[u8], reader: &mut Reader) -> Said<'_> {
        self.text.clear();
        self.pieces.clear();
        let (mut header_end, mut in_pieces) = (0, Piece::goes_on(head));
        for line in more[..more.len().min(BYTES)].split(|b| *b == b'\n').take(LINES) {
            let line = self.names.split(line).1;
            if let Some(piece) = Piece::of(line).filter(|_| in_pieces) {
                self.pieces.extend_from_slice(piece.text);
                in_pieces = !piece.is_last;
                continue;
            }
            let content = start(line, reader.read(line).message).and_then(|start| Content::behind(head, line, start));
            match content {
                Some((Content { text, indented, .. }, end)) => {
                    header_end = end;
                    self.text.extend_from_slice(if indented { b" " } else { b"" });
                    self.text.extend_from_slice(text);
                }
                None => self.text.extend_from_slice(line),
            }
            self.text.push(b'\n');
        }
        Said { header_end, pieces: &self.pieces, lines: &self.text }
    }

    /// The lines of an object of JSON as one; `None` if they are too many.
    pub(crate) fn object(&mut self, lines: &[u8]) -> Option<&[u8]> {
        self.text.clear();
        for line in lines[..lines.len().min(BYTES)].split(|b| *b == b'\n') {
            let line = self.names.split(line).1;
            self.text.extend_from_slice(line.trim_ascii());
            self.text.push(b' ');
        }
        let object = self.text.trim_ascii();
        (lines.len() <= BYTES).then(|| object.strip_suffix(b",").unwrap_or(object))
    }
}

/// Where the message begins in a line; `None` if it is not written there, as that of a line of fields may be.
#[inline]
pub(crate) fn start(line: &[u8], message: &[u8]) -> Option<usize> {
    let start = (message.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
    (start <= line.len() && message.len() <= line.len() - start).then_some(start)
}

/// Where the columns of a header end in a line that begins with the same ones, but for times that are nearly the same.
fn shared(header: &[u8], line: &[u8]) -> Option<usize> {
    // By how much the times of day are apart, and by how many days the dates, where there are some.
    let (mut at, mut gap, mut days) = (0, 0_i64, None::<i64>);
    for column in header.split(|b| is_blank(*b)).filter(|column| !column.is_empty()) {
        at += line[at..].iter().take_while(|b| is_blank(**b)).count();
        let rest = &line[at..];
        let theirs = &rest[..rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len())];
        at += theirs.len();
        let is_same = theirs == column;
        if is_same && !is_date(column) && !time::is_name(column) {
            continue;
        }
        if !(is_same || is_clock(theirs) && is_clock(column)) {
            return None;
        }
        let apart = match (Instant::of(theirs), Instant::of(column)) {
            _ if is_same => Some(0),
            (Some(one), Some(other)) => {
                let this = one.millis - other.millis;
                gap = if this.abs() > gap.abs() { this } else { gap };
                one.days_from(&other)?
            }
            _ if is_date(theirs) => Some(days_between(theirs, column)?),
            _ => None,
        };
        days = days.filter(|days| *days != 0).or(apart).or(days);
    }
    let is_near = match days {
        Some(days) => (days * DAY + gap).abs() <= GAP,
        // Nothing says which day it was: midnight may be between them.
        None => gap.abs() <= GAP || (DAY - gap.abs()).abs() <= GAP,
    };
    (at > 0 && is_near).then_some(at)
}

/// How many days are between two dates; `None` where one cannot be read by itself.
fn days_between(one: &[u8], other: &[u8]) -> Option<i64> {
    let day = |text| time::stamp(text, &mut ())?.millis(text, SOME_DAY).map(|millis| millis.div_euclid(DAY));
    Some(if one == other { 0 } else { day(one)? - day(other)? })
}

/// What a column says of when a line was written.
struct Instant<'c> {
    /// What stands before the time of day.
    day: &'c [u8],
    /// Since midnight, or since 1970.
    millis: i64,
    /// Whether it is since 1970.
    is_whole: bool,
}

impl<'c> Instant<'c> {
    /// Days from another, what is told by `millis` apart: `Some(None)` where neither says which day it was, `None` where that is not
    /// known of one.
    fn days_from(&self, other: &Self) -> Option<Option<i64>> {
        if self.is_whole || other.is_whole {
            return Some(Some(0));
        }
        if self.day.is_empty() && other.day.is_empty() {
            return Some(None);
        }
        days_between(self.day, other.day).map(Some)
    }

    /// Of a column with a time of day, or with seconds or milliseconds since 1970.
    fn of(column: &'c [u8]) -> Option<Self> {
        let number = |digits: &[u8]| {
            let is_number = !digits.is_empty() && digits.len() < 16 && digits.iter().all(u8::is_ascii_digit);
            is_number.then(|| digits.iter().fold(0, |value, b| value * 10 + i64::from(b - b'0')))
        };
        // Milliseconds, of which some write fewer digits, and others more.
        let thousandths = |digits: &[u8]| {
            let digits = digits.iter().take_while(|b| b.is_ascii_digit()).chain(b"000").take(3);
            digits.fold(0, |value, b| value * 10 + i64::from(b - b'0'))
        };
        let is_of_day = |part: &[u8]| part[2] == b':' && part[5] == b':';
        if let Some(at) = column.windows(8).position(is_of_day) {
            let (day, time) = column.split_at(at);
            let seconds = (number(&time[..2])? * 60 + number(&time[3..5])?) * 60 + number(&time[6..8])?;
            let fraction = time.get(8).filter(|b| matches!(b, b'.' | b',')).map_or(0, |_| thousandths(&time[9..]));
            let day = day.strip_prefix(b"[").or(day.strip_prefix(b"(")).unwrap_or(day);
            return Some(Self { day, millis: seconds * 1000 + fraction, is_whole: false });
        }
        let column = column.strip_prefix(b"[").unwrap_or(column);
        let whole = column.iter().take_while(|b| b.is_ascii_digit()).count();
        let since = number(&column[..whole])?;
        let fraction = column.get(whole).filter(|b| **b == b'.').map_or(0, |_| thousandths(&column[whole + 1..]));
        match whole {
            10 => Some(Self { day: &[], millis: since * 1000 + fraction, is_whole: true }),
            13 => Some(Self { day: &[], millis: since, is_whole: true }),
            _ => None,
        }
    }
}

/// Whether a column is a date and nothing else.
fn is_date(column: &[u8]) -> bool {
    column.iter().filter(|b| b.is_ascii_digit()).count() <= 8 && column.iter().any(|b| matches!(b, b'-' | b'/'))
}

/// Whether a column may be a time, or a part of one: digits, and signs that stand between those of times.
fn is_clock(column: &[u8]) -> bool {
    let digits = column.iter().filter(|b| b.is_ascii_digit()).count();
    let signs = column.iter().filter(|b| matches!(b, b':' | b'-' | b'/')).count();
    let others = column.iter().filter(|b| !matches!(b, b'.' | b',' | b'T' | b'Z' | b'+' | b'[' | b']' | b'(' | b')'));
    digits + signs == others.count() && (digits >= 10 || digits > 0 && signs > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_one_header_are_of_one_source_only_if_they_are_written_at_once() {
        let pairs: [(&str, &str, bool); 27] = [
            ("2024-05-01 09:07:53 ERROR", "2024-05-01 09:07:53 ERROR", true),
            ("2024-05-01 09:07:53 ERROR", "2024-05-01 09:07:54 ERROR", true),
            ("2024-05-01 09:07:53 ERROR", "2024-05-01 09:07:55 ERROR", false),
            ("2024-05-01 09:07:53 ERROR", "2024-05-01 11:09:54 ERROR", false),
            ("2024-05-01 09:07:53 ERROR", "2024-05-02 09:07:53 ERROR", false),
            ("2024-05-01 23:59:59 ERROR", "2024-05-02 00:00:00 ERROR", true),
            ("2024-05-01 23:59:59 ERROR", "2024-05-02 00:00:02 ERROR", false),
            ("2024-05-01T09:07:53.999999Z stderr F", "2024-05-01T09:07:54.000001Z stderr F", true),
            ("2024-05-01T09:07:53.1Z stderr F", "2024-05-01T09:07:54.2Z stderr F", false),
            ("2024-05-01T09:07:53Z stderr F", "2024-05-02T09:07:53Z stderr F", false),
            ("2024-05-01T23:59:59.9Z stderr F", "2024-05-02T00:00:00.1Z stderr F", true),
            ("May  1 09:07:53 host7 shop[12]:", "May  1 09:07:54 host7 shop[12]:", true),
            ("May  1 09:07:53 host7 shop[12]:", "May  1 09:08:53 host7 shop[12]:", false),
            ("[09:07:53 ERR]", "[09:07:53 ERR]", true),
            ("23:59:59.900 ERROR", "00:00:00.100 ERROR", true),
            ("1714550000.900 ERROR", "1714550001.100 ERROR", true),
            ("1714550000.900 ERROR", "1714550002.100 ERROR", false),
            ("1714550000900 ERROR", "1714550001100 ERROR", true),
            ("1714550000900 ERROR", "1714553600900 ERROR", false),
            ("2024-05-01 23:59:59 ERROR", "2024-05-05 00:00:00 ERROR", false),
            ("2024-05-01 00:00:00 ERROR", "2024-05-01 23:59:59 ERROR", false),
            ("2024-04-30 23:59:59 ERROR", "2024-05-01 00:00:00 ERROR", true),
            ("2024-05-01T23:59:59.9Z stderr F", "2024-05-05T00:00:00.1Z stderr F", false),
            ("May  1 00:00:00 host7 shop[12]:", "May  1 23:59:59 host7 shop[12]:", false),
            ("[23:59:59 ERR]", "[00:00:00 ERR]", true),
            ("1714550000.900 ERROR", "1714636400.900 ERROR", false),
            ("1714550000900 ERROR", "1714636400900 ERROR", false),
        ];
        for (first, next, is_one) in pairs {
            assert_eq!(shared(next.as_bytes(), first.as_bytes()).is_some(), is_one, "{first} {next}");
            assert_eq!(shared(first.as_bytes(), next.as_bytes()).is_some(), is_one, "{next} {first}");
        }
    }
}
