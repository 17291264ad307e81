//! Lines that are one JSON object each: time, level and message by the names that loggers give them. A scan of the
//! top level, not a parser: what is not JSON after all is read as text.

use super::{level, time};
use crate::record::{Level, Record};

const TIMES: [&[u8]; 8] = [b"time", b"timestamp", b"@timestamp", b"ts", b"t", b"date", b"datetime", b"asctime"];
const LEVELS: [&[u8]; 7] = [b"level", b"severity", b"lvl", b"levelname", b"loglevel", b"log.level", b"@l"];
const MESSAGES: [&[u8]; 8] = [b"msg", b"message", b"log", b"event", b"body", b"text", b"@m", b"short_message"];

/// Reads the object; `None` when the line is none, or has nothing that is looked for.
pub(super) fn read(line: &[u8], reference: i64) -> Option<Record<'_>> {
    let mut record = Record { time: None, level: None, message: line };
    let mut rank = MESSAGES.len();
    let mut at = blanks(line, 1);
    if line.get(at) == Some(&b'}') {
        return None;
    }
    loop {
        let (key, next) = string(line, at)?;
        at = blanks(line, next);
        if line.get(at) != Some(&b':') {
            return None;
        }
        at = blanks(line, at + 1);
        let (value, next) = value(line, at)?;
        if record.time.is_none() && TIMES.contains(&key) {
            record.time = moment(value, reference);
        } else if record.level.is_none() && LEVELS.contains(&key) {
            record.level = graded(value);
        } else if let Some(found) = MESSAGES.iter().position(|name| *name == key)
            && found < rank
            && line.get(at) == Some(&b'"')
            && !value.is_empty()
        {
            rank = found;
            record.message = value;
        }
        at = blanks(line, next);
        match line.get(at)? {
            b',' => at = blanks(line, at + 1),
            b'}' => break,
            _ => return None,
        }
    }
    Some(record)
}

/// A time as JSON and logfmt have it: text, or a number since the epoch.
pub(super) fn moment(value: &[u8], reference: i64) -> Option<i64> {
    time::epoch(value).or_else(|| time::stamp(value)).and_then(|stamp| stamp.millis(reference))
}

/// A level as JSON and logfmt have it: a word, or a number.
pub(super) fn graded(value: &[u8]) -> Option<Level> {
    level::named(value).or_else(|| level::numbered(std::str::from_utf8(value).ok()?.parse().ok()?))
}

fn blanks(line: &[u8], from: usize) -> usize {
    from + line.get(from..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_whitespace()).count())
}

/// The text of the string at `at`, as written, and where it ends.
fn string(line: &[u8], at: usize) -> Option<(&[u8], usize)> {
    if line.get(at) != Some(&b'"') {
        return None;
    }
    let mut end = at + 1;
    loop {
        end += memchr::memchr2(b'"', b'\\', line.get(end..)?)?;
        if line[end] == b'"' {
            return Some((&line[at + 1..end], end + 1));
        }
        end += 2;
    }
}

/// The value at `at`, strings without their quotes, and where it ends.
fn value(line: &[u8], at: usize) -> Option<(&[u8], usize)> {
    match line.get(at)? {
        b'"' => string(line, at),
        b'{' | b'[' => {
            let mut depth = 0_usize;
            let mut end = at;
            loop {
                match line.get(end)? {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    b'"' => {
                        end = string(line, end)?.1;
                        continue;
                    }
                    _ => {}
                }
                end += 1;
                if depth == 0 {
                    return Some((&line[at..end], end));
                }
            }
        }
        _ => {
            let end =
                at + line[at..].iter().position(|b| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace())?;
            (end > at).then(|| (&line[at..end], end))
        }
    }
}
