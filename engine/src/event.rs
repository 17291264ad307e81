//! Events of several lines: which lines belong together ([`Joiner`]), and the text that stands for all of them
//! ([`skeleton::Skeleton`]). Owns no counts; what is masked in the text is `shape`'s.
//!
//! A line goes on with the event before it
//! - if it is of a form that only the lines of a trace have (`at a.b.C.d(E.java:1)`), or is what a trace that has begun
//!   asks for next (the exception at the end of a traceback);
//! - in an input whose lines begin with times (see [`is_timed`]): if it has none itself and is indented, or a row of a table,
//!   a clause of a statement, the end of a bracket; or if a frame follows before the next line with a time.
//!
//! All else begins an event. A join that is missed shows a line of its own; a wrong one hides a line, so in doubt there is
//! none. Traces of several threads that are written at the same time cannot be told apart: their lines are of the event
//! whose line came before them.
//!
//! The lines of an event are joined by [`BREAK`] in its text and its template, so that both are one line in any table.

mod grammar;
mod joiner;
pub(crate) mod signature;
pub(crate) mod skeleton;

use crate::{aside::Aside, format};
pub(crate) use joiner::Joiner;

/// Stands between the lines of an event in its text, with a blank on both sides.
pub(crate) const BREAK: &str = "⏎";

/// Lines of an event that are looked at for its text. The others are counted as lines of it.
pub(crate) const LINES: usize = 1000;

/// Bytes of an event that are looked at for its text, the first line apart.
pub(crate) const BYTES: usize = 64 << 10;

/// Lines that the judgement on an input looks at, all over the text that is judged.
const JUDGED: usize = 512;

/// A time without a year needs a year; whether there is a time does not depend on it.
const SOME_DAY: i64 = 0;

/// Whether the lines of a text begin with times: three in four of those that may begin an event do.
pub(crate) fn is_timed(text: &[u8]) -> bool {
    let step = text.len() / JUDGED + 1;
    let (mut timed, mut lines, mut at) = (0, 0, 0);
    while at < text.len() {
        let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |feed| at + feed);
        let line = &text[at..end];
        if line.first().is_some_and(|b| !is_blank(*b)) {
            let has_time = has_time(line);
            let neutral = !has_time && joiner::is_inner(line);
            timed += usize::from(has_time);
            lines += usize::from(!neutral);
        }
        let next = (at + step).max(end + 1) - 1;
        at = text.get(next..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(text.len(), |feed| next + feed + 1);
    }
    timed > 0 && timed * 4 >= lines * 3
}

/// Where the last event of a text of whole lines begins, as far as the last [`LINES`] lines or [`BYTES`] tell; `None` if no
/// event begins there, or only at their first line.
pub(crate) fn last_start(text: &[u8], timed: bool) -> Option<usize> {
    let from = text.len().saturating_sub(BYTES);
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let mut first = body.len();
    for _ in 0..LINES {
        if first <= from {
            break;
        }
        let Some(feed) = memchr::memrchr(b'\n', &body[from..first]) else { break };
        let start = from + feed + 1;
        if timed && is_start(line_at(text, start)) {
            return Some(start);
        }
        first = from + feed;
    }
    let first = if first < body.len() { first + 1 } else { return None };
    if timed { None } else { last_joined(text, first) }
}

/// Whether a line of an input with times begins an event wherever it stands.
fn is_start(line: &[u8]) -> bool {
    !grammar::is_frame(line.trim_ascii_start()) && has_time(line)
}

/// Where the last event begins, by joining from `first` on.
fn last_joined(text: &[u8], first: usize) -> Option<usize> {
    let mut joiner = Joiner::new(false);
    let (mut at, mut last) = (first, first);
    while at < text.len() {
        let line = line_at(text, at);
        let next = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |feed| at + feed + 1);
        if line.trim_ascii().is_empty() {
            joiner.set_aside(Aside::Blank);
        } else if !(joiner.is_frame(line) || joiner.continues(line, &text[next..], false) && !has_time(line)) {
            joiner.begin(line, line);
            last = at;
        }
        at = next;
    }
    (last > first).then_some(last)
}

/// The line that begins there, without its end.
fn line_at(text: &[u8], start: usize) -> &[u8] {
    let rest = &text[start..];
    let line = memchr::memchr(b'\n', rest).map_or(rest, |feed| &rest[..feed]);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn has_time(line: &[u8]) -> bool {
    format::read(line, SOME_DAY).time.is_some()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
