//! Lines that are one JSON object each: time, level and message by the names that loggers give them, at the top or in
//! objects below it. A scan, not a parser: what is not JSON after all is read as text.

use super::{fields::Fields, level, time};
use crate::record::{Level, Onset, Record};

fn is_time(key: &[u8]) -> bool {
    matches!(
        key,
        b"time"
            | b"timestamp"
            | b"@timestamp"
            | b"ts"
            | b"t"
            | b"date"
            | b"datetime"
            | b"asctime"
            | b"@t"
            | b"Timestamp"
            | b"Time"
            | b"eventTime"
            | b"epochSecond"
            | b"__REALTIME_TIMESTAMP"
    )
}

fn is_level(key: &[u8]) -> bool {
    matches!(
        key,
        b"level"
            | b"severity"
            | b"lvl"
            | b"levelname"
            | b"level_name"
            | b"levelName"
            | b"loglevel"
            | b"log_level"
            | b"log.level"
            | b"logLevel"
            | b"LogLevel"
            | b"Level"
            | b"@level"
            | b"@l"
            | b"s"
            | b"severityText"
            | b"severity_text"
            | b"SeverityText"
            | b"PRIORITY"
    )
}

/// Names of messages, the best first: what happened before what it was made into, and that before what may hold anything.
const MESSAGES: [&[u8]; 17] = [
    b"msg",
    b"message",
    b"Message",
    b"MESSAGE",
    b"@message",
    b"textPayload",
    b"short_message",
    b"MessageTemplate",
    b"@mt",
    b"@m",
    b"RenderedMessage",
    b"log",
    b"event",
    b"body",
    b"Body",
    b"text",
    b"full_message",
];

/// Objects in each other that are looked into; what is deeper is a value.
const DEPTH: usize = 4;

/// What a line of fields says. Texts are as written, escapes and all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found<'a> {
    pub(super) time: Option<i64>,
    pub(super) level: Option<Level>,
    pub(super) message: Option<&'a [u8]>,
    /// How good the name of the message is: smaller is better.
    pub(super) rank: usize,
    /// How deep the level was.
    pub(super) level_depth: usize,
}

impl Found<'_> {
    /// What the line says, with this message.
    pub(super) fn record<'m>(&self, message: &'m [u8]) -> Record<'m> {
        let Self { time, level, .. } = *self;
        Record { time, level, onset: Onset::of(time, level), message }
    }

    /// Whether the message is a line that some container wrote down.
    pub(super) fn is_contained(&self) -> bool {
        self.message.is_some() && MESSAGES.get(self.rank) == Some(&&b"log"[..])
    }
}

/// Reads the object; `None` when the line is none, or is empty. `fields` is told every field.
#[inline]
pub(super) fn read<'a>(line: &'a [u8], reference: i64, fields: &mut impl Fields) -> Option<Found<'a>> {
    let mut found = Found { rank: usize::MAX, ..Found::default() };
    let mut scan = Scan { line, at: 0, reference, found: &mut found };
    let mut any = 0;
    scan.object(0, fields, &mut any)?;
    scan.blanks();
    let whole = scan.at == line.len();
    (any > 0 && whole).then_some(found)
}

struct Scan<'a, 'f> {
    line: &'a [u8],
    at: usize,
    reference: i64,
    found: &'f mut Found<'a>,
}

impl<'a> Scan<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The object that begins here.
    fn object(&mut self, depth: usize, fields: &mut impl Fields, any: &mut usize) -> Option<()> {
        self.at += 1;
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.blanks();
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            self.blanks();
            *any += 1;
            let mark = fields.enter(key);
            if self.peek()? == b'{' && depth < DEPTH {
                let time = self.found.time;
                self.object(depth + 1, fields, any)?;
                if time.is_none() && depth == 0 && !is_time(key) && !is_wrapper(key) {
                    // A time in an object is that of the event only if the object is about the event.
                    self.found.time = None;
                }
            } else {
                let quoted = self.peek()? == b'"';
                let value = self.value()?;
                if !self.takes(key, value, quoted, depth) {
                    fields.value(value, quoted);
                }
            }
            fields.leave(mark);
            self.blanks();
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' => self.blanks(),
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Whether the field is time, level or message.
    #[inline]
    fn takes(&mut self, key: &[u8], value: &'a [u8], quoted: bool, depth: usize) -> bool {
        if (is_time(key) || (key == b"$date" && depth > 0)) && self.found.time.is_none() {
            self.found.time = moment(value, self.reference);
            return self.found.time.is_some();
        }
        if is_level(key) && (self.found.level.is_none() || depth < self.found.level_depth) {
            // So short a name is that of a level only before a letter.
            let level = graded(value).filter(|_| key != b"s" || value[0].is_ascii_uppercase());
            if level.is_some() {
                (self.found.level, self.found.level_depth) = (level, depth);
            }
            return level.is_some();
        }
        let Some(rank) = MESSAGES.iter().position(|name| *name == key).filter(|_| quoted && !value.is_empty()) else {
            return false;
        };
        let rank = depth * MESSAGES.len() + rank;
        if rank < self.found.rank {
            (self.found.rank, self.found.message) = (rank, Some(value));
        }
        true
    }

    /// The text of the string here, as written.
    #[inline]
    fn string(&mut self) -> Option<&'a [u8]> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let mut end = start;
        loop {
            end += memchr::memchr2(b'"', b'\\', self.line.get(end..)?)?;
            if self.line[end] == b'"' {
                self.at = end + 1;
                return Some(&self.line[start..end]);
            }
            end += 2;
        }
    }

    /// The value here, strings without their quotes.
    #[inline]
    fn value(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        match self.peek()? {
            b'"' => return self.string(),
            b'{' | b'[' => {
                let mut depth = 0_usize;
                loop {
                    match self.peek()? {
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {
                let ends = |b: &u8| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace();
                self.at += self.line[start..].iter().position(ends)?;
            }
        }
        (self.at > start).then(|| &self.line[start..self.at])
    }
}

/// Objects that hold the event itself.
fn is_wrapper(key: &[u8]) -> bool {
    matches!(key, b"event" | b"instant" | b"log" | b"record" | b"data" | b"fields" | b"meta" | b"metadata")
}

/// A time as JSON and logfmt have it: text, or a number since the epoch.
pub(super) fn moment(value: &[u8], reference: i64) -> Option<i64> {
    time::epoch(value, &mut ()).or_else(|| time::stamp(value, &mut ())).and_then(|stamp| stamp.millis(value, reference))
}

/// A level as JSON and logfmt have it: a word, a letter, or a number.
pub(super) fn graded(value: &[u8]) -> Option<Level> {
    match value {
        [digit @ b'0'..=b'7'] => Some(level::severity(u32::from(digit - b'0'))),
        [letter] => level::lettered(*letter),
        [_, digit] if digit.is_ascii_digit() => level::numbered(std::str::from_utf8(value).ok()?.parse().ok()?),
        // Some write how far from the next name it is: `ERROR+2`.
        _ => level::named(value.split(|b| matches!(b, b'+' | b'-')).next()?),
    }
}
