//! Lines of `key=value` pairs: time, level and message by the names that loggers give them.

use super::{
    fields::{Fields, happened},
    json,
    json::Found,
    level, time,
};

const TIMES: [&[u8]; 5] = [b"time", b"ts", b"timestamp", b"t", b"at"];
const LEVELS: [&[u8]; 4] = [b"level", b"lvl", b"severity", b"log_level"];
const MESSAGES: [&[u8]; 5] = [b"msg", b"message", b"event", b"err", b"desc"];

/// The name of what kind of record a line is.
const KIND: &[u8] = b"type";

/// Separates groups of pairs.
const SEPARATOR: u8 = 0x1d;

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
    let mut kind: Option<&[u8]> = None;
    let mut is_record = false;
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
        let quoted = matches!(line.get(next.wrapping_sub(1)), Some(b'"' | b'\''));
        if found.time.is_none()
            && key == MESSAGES[0]
            && let Some(time) = record_time(value, reference)
        {
            (found.time, is_record) = (Some(time), true);
            kind.into_iter().for_each(|kind| fields.happened(kind));
        } else if is_record && key == MESSAGES[0] && pair(value, 0).is_some() {
            keep_all(value, fields);
        } else if found.time.is_none() && TIMES.contains(&key) {
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
            kind = kind.or((key == KIND).then_some(value));
            keep(key, value, quoted, fields);
        }
        at = next + blanks(&line[next..]);
    }
    let graded = pairs >= PAIRS && (found.time.is_some() || found.level.is_some());
    (graded || (pairs >= ALL_PAIRS && said)).then_some(found)
}

/// Tells one pair.
fn keep(key: &[u8], value: &[u8], quoted: bool, fields: &mut impl Fields) {
    let mark = fields.enter(key);
    fields.value(value, quoted);
    fields.leave(mark);
}

/// Tells the pairs of a text, as far as it is made of them.
fn keep_all(text: &[u8], fields: &mut impl Fields) {
    let mut at = 0;
    while let Some((key, value, next)) = pair(text, at) {
        keep(key, value, text.get(next - 1) == Some(&b'"'), fields);
        at = next + blanks(&text[next..]);
    }
}

/// The time in what Linux's audit puts where others have a message: `audit(1714550000.123:456):`, seconds since 1970 and the
/// number of the record.
fn record_time(value: &[u8], reference: i64) -> Option<i64> {
    let inner = value.strip_suffix(b":").unwrap_or(value).strip_suffix(b")")?;
    let inner = &inner[inner.iter().position(|b| *b == b'(').filter(|at| *at > 0)? + 1..];
    let (time, number) = inner.split_at(inner.iter().position(|b| *b == b':')?);
    let is_number = number.len() > 1 && number[1..].iter().all(u8::is_ascii_digit);
    let stamp = time::epoch(time, &mut ()).filter(|stamp| is_number && stamp.length == time.len())?;
    stamp.millis(time, reference)
}

/// Blanks, and what stands between what audit writes and what it adds to that for people.
fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| matches!(**b, b' ' | SEPARATOR)).count()
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
    if line.get(start) == Some(&b'\'')
        && let Some(length) = line[start + 1..].iter().position(|b| *b == b'\'')
        && matches!(line.get(start + length + 2), None | Some(&(b' ' | SEPARATOR)))
    {
        return Some((&rest[..key], &line[start + 1..][..length], start + length + 2));
    }
    let ends = |b: &u8| matches!(*b, b' ' | SEPARATOR);
    let end = start + line[start..].iter().position(ends).unwrap_or(line.len() - start);
    Some((&rest[..key], &line[start..end], end))
}
