//! Lines of `key=value` pairs: time, level and message by the names that loggers give them.

use super::json;
use crate::record::Record;

const TIMES: [&[u8]; 5] = [b"time", b"ts", b"timestamp", b"t", b"at"];
const LEVELS: [&[u8]; 4] = [b"level", b"lvl", b"severity", b"log_level"];
const MESSAGES: [&[u8]; 4] = [b"msg", b"message", b"event", b"err"];

/// Pairs that a line must begin with to be logfmt: two, one of them a time or a level.
const PAIRS: usize = 2;

/// Reads the pairs; `None` when the line does not begin like logfmt.
pub(super) fn read(line: &[u8], reference: i64) -> Option<Record<'_>> {
    let mut record = Record { time: None, level: None, message: line };
    let mut rank = MESSAGES.len();
    let mut at = 0;
    let mut pairs = 0;
    while at < line.len() {
        let Some((key, value, next)) = pair(line, at) else {
            if pairs < PAIRS {
                return None;
            }
            break;
        };
        pairs += 1;
        if record.time.is_none() && TIMES.contains(&key) {
            record.time = json::moment(value, reference);
        } else if record.level.is_none() && LEVELS.contains(&key) {
            record.level = json::graded(value);
        } else if let Some(found) = MESSAGES.iter().position(|name| *name == key)
            && found < rank
            && !value.is_empty()
        {
            rank = found;
            record.message = value;
        } else if pairs == PAIRS && record.time.is_none() && record.level.is_none() {
            return None;
        }
        at = next + line[next..].iter().take_while(|b| **b == b' ').count();
    }
    (record.time.is_some() || record.level.is_some()).then_some(record)
}

/// Key, value and where the pair ends.
fn pair(line: &[u8], at: usize) -> Option<(&[u8], &[u8], usize)> {
    let rest = &line[at..];
    let key = rest
        .iter()
        .take(64)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'@'))
        .count();
    if key == 0 || rest.get(key) != Some(&b'=') {
        return None;
    }
    let start = at + key + 1;
    if line.get(start) == Some(&b'"') {
        let mut end = start + 1;
        loop {
            end += memchr::memchr2(b'"', b'\\', line.get(end..)?)?;
            if line[end] == b'"' {
                return Some((&rest[..key], &line[start + 1..end], end + 1));
            }
            end += 2;
        }
    }
    let end = start + line[start..].iter().position(|b| *b == b' ').unwrap_or(line.len() - start);
    Some((&rest[..key], &line[start..end], end))
}
