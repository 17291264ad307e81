//! Lines of `key=value` pairs: time, level and message by the names that loggers give them.

use super::{
    fields::{Fields, happened},
    json,
    json::Found,
    level,
};

const TIMES: [&[u8]; 5] = [b"time", b"ts", b"timestamp", b"t", b"at"];
const LEVELS: [&[u8]; 4] = [b"level", b"lvl", b"severity", b"log_level"];
const MESSAGES: [&[u8]; 5] = [b"msg", b"message", b"event", b"err", b"desc"];

/// Pairs that a line must begin with to be logfmt: two, one of them a time or a level.
const PAIRS: usize = 2;

/// Pairs of a line that is nothing but pairs, and therefore logfmt, if one of them says what happened.
const ALL_PAIRS: usize = 3;

/// Whether the line begins with as many pairs as [`read`] asks for.
pub(super) fn may_begin(line: &[u8]) -> bool {
    let behind = |at: usize| pair(line, at).map(|(_, _, next)| next + blanks(&line[next..]));
    (0..PAIRS).try_fold(0, |at, _| behind(at)).is_some()
}

/// Reads the pairs; `None` when the line does not begin like logfmt. `fields` is told every pair.
pub(super) fn read<'a>(line: &'a [u8], reference: i64, fields: &mut impl Fields) -> Option<Found<'a>> {
    let mut found = Found { rank: usize::MAX, ..Found::default() };
    let mut rank = MESSAGES.len();
    let mut at = 0;
    let mut pairs = 0;
    let mut said = false;
    while at < line.len() {
        let Some((key, value, next)) = pair(line, at) else {
            if pairs < PAIRS || !(found.time.is_some() || found.level.is_some()) {
                return None;
            }
            // What is behind the pairs is all there is of a message, unless there is one.
            found.message = found.message.or(Some(line[at..].trim_ascii()));
            break;
        };
        pairs += 1;
        if found.time.is_none() && TIMES.contains(&key) {
            found.time = json::moment(value, reference);
            if found.time.is_none() {
                // `at=info`: that names no time but a level.
                found.level = found.level.or_else(|| level::named(value));
            }
        } else if found.level.is_none() && LEVELS.contains(&key) {
            found.level = json::graded(value);
        } else if let Some(name) = MESSAGES.iter().position(|name| *name == key)
            && name < rank
            && !value.is_empty()
        {
            (rank, said) = (name, true);
            found.message = Some(value);
        } else {
            said |= happened(key, value).is_some();
            let mark = fields.enter(key);
            fields.value(value, line.get(next.wrapping_sub(1)) == Some(&b'"'));
            fields.leave(mark);
        }
        at = next + blanks(&line[next..]);
    }
    let graded = pairs >= PAIRS && (found.time.is_some() || found.level.is_some());
    (graded || (pairs >= ALL_PAIRS && said)).then_some(found)
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| **b == b' ').count()
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
