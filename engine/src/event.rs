//! Events of several lines: which lines belong together ([`Joiner`]), and the text that stands for all of them
//! ([`skeleton::Skeleton`]). Owns no counts; what is masked in the text is `shape`'s.
//!
//! A line goes on with the event before it
//! - if it is of a form that only the lines of a trace have (`at a.b.C.d(E.java:1)`), or is what a trace that has begun
//!   asks for next (the exception at the end of a traceback);
//! - in an input whose lines begin with times (see [`Lead`]): if it has none itself and is indented, or a row of a table,
//!   a clause of a statement, the end of a bracket; or if a frame follows before the next line with a time.
//!
//! Where a line has a header of its own, all this holds of what stands behind it, if the event's first line has the same header,
//! times apart ([`source`]); and then only what may be of the inside of a trace is looked at.
//!
//! Beside traces there are objects of JSON over several lines, the two lines of `java.util.logging`, and the pieces in which
//! container runtimes write long lines.
//!
//! All else begins an event. A join that is missed shows a line of its own; a wrong one hides a line, so in doubt there is
//! none. Traces of several threads that are written at the same time cannot be told apart: their lines are of the event
//! whose line came before them.
//!
//! The lines of an event are joined by [`BREAK`] in its text and its template, so that both are one line in any table.

mod grammar;
mod source;
mod joiner;
pub(crate) mod signature;
pub(crate) mod skeleton;

use crate::{aside::Aside, format, record::Record};
pub(crate) use joiner::Joiner;
pub(crate) use source::{Contents, split_name};

/// Stands between the lines of an event in its text, with a blank on both sides.
pub(crate) const BREAK: &str = "⏎";

/// Lines of an event that are looked at for its text. The others are counted as lines of it.
pub(crate) const LINES: usize = 1000;

/// Bytes of an event that are looked at for its text, the first line apart.
pub(crate) const BYTES: usize = 64 << 10;

/// Lines that the judgement on an input looks at, all over the text that is judged.
const JUDGED: usize = 512;

/// Lines with names that an input needs to be one of such.
const NAMED: usize = 3;

/// A time without a year needs a year; whether there is a time does not depend on it.
const SOME_DAY: i64 = 0;

/// How the lines of an input begin, by its first chunk, as far as events depend on it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lead {
    /// With times: three in four of those that may begin an event do.
    pub(crate) timed: bool,
    /// With names of those who wrote them ([`split_name`]), before anything else: nine in ten do, with the bar at one place.
    pub(crate) named: bool,
}

impl Lead {
    /// Of the lines of a text.
    pub(crate) fn of(text: &[u8]) -> Self {
        let named = are_named(judged(text));
        Self { timed: are_timed(judged(text).map(|line| if named { split_name(line).1 } else { line })), named }
    }

    /// What a line says, without its name.
    #[inline]
    pub(crate) fn split(self, line: &[u8]) -> (&[u8], &[u8]) {
        if self.named { split_name(line) } else { (&[], line) }
    }
}

/// The lines of a text that are judged by.
fn judged(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let step = text.len() / JUDGED + 1;
    let mut at = 0;
    std::iter::from_fn(move || {
        let line = line_at(text, Some(at).filter(|at| *at < text.len())?);
        let next = (at + step).max(at + line.len() + 1) - 1;
        at = text.get(next..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(text.len(), |feed| next + feed + 1);
        Some(line)
    })
}

fn are_named<'l>(lines: impl Iterator<Item = &'l [u8]>) -> bool {
    let mut bars = [0; source::NAME + 1];
    let mut all = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, _) = split_name(line);
        bars[name.len().min(source::NAME)] += usize::from(!name.is_empty());
        all += 1;
    }
    bars.into_iter().max().is_some_and(|most| most >= NAMED && most * 10 >= all * 9)
}

fn are_timed<'l>(lines: impl Iterator<Item = &'l [u8]>) -> bool {
    let (mut timed, mut all) = (0, 0);
    for line in lines.filter(|line| line.first().is_some_and(|b| !is_blank(*b))) {
        let has_time = has_time(line);
        let neutral = !has_time && joiner::is_inner(line);
        timed += usize::from(has_time);
        all += usize::from(!neutral);
    }
    timed > 0 && timed * 4 >= all * 3
}

/// Where the last event of a text of whole lines begins, as far as the last [`LINES`] lines or [`BYTES`] tell; `None` if no
/// event begins there, or only at their first line.
pub(crate) fn last_start(text: &[u8], lead: Lead) -> Option<usize> {
    let from = text.len().saturating_sub(BYTES);
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let mut first = body.len();
    let mut after = None;
    for _ in 0..LINES {
        if first <= from {
            break;
        }
        let Some(feed) = memchr::memrchr(b'\n', &body[from..first]) else { break };
        let start = from + feed + 1;
        if lead.timed {
            let line = |start| lead.split(line_at(text, start)).1;
            if let Some(after) = after.filter(|after| is_start(line(*after), line(start))) {
                return Some(last_joined(text, after, lead));
            }
            after = Some(start);
        }
        first = from + feed;
    }
    let first = if first < body.len() { first + 1 } else { return None };
    Some(last_joined(text, first, lead)).filter(|last| *last > first)
}

/// Whether a line of an input with times begins an event wherever it stands, as far as the one before it tells.
fn is_start(line: &[u8], before: &[u8]) -> bool {
    let (said, said_before) = (read(line), read(before));
    let timed = |line: &[u8], said: &Record<'_>| said.time.is_some() && !grammar::is_frame(line.trim_ascii_start());
    let mut joiner = Joiner::new(Lead { timed: true, named: false });
    joiner.begin(before, said_before);
    timed(line, &said) && timed(before, &said_before) && joiner.is_apart(line, said.message)
}

/// Where the last event begins, by joining from `first` on.
fn last_joined(text: &[u8], first: usize, lead: Lead) -> usize {
    let mut joiner = Joiner::new(lead);
    let (mut at, mut last) = (first, first);
    let mut before: &[u8] = &[];
    while at < text.len() {
        let (name, line) = lead.split(line_at(text, at));
        let next = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |feed| at + feed + 1);
        if !name.is_empty() && name != before {
            joiner.end();
            before = name;
        }
        if line.trim_ascii().is_empty() {
            joiner.set_aside(Aside::Blank);
        } else if !joiner.is_frame(line) {
            let (said, rest) = (read(line), &text[next..]);
            let goes_on = joiner.completes(line, said)
                || joiner.continues_behind(line, said.message, rest)
                || joiner.continues(line, rest, said.time.is_some());
            if !goes_on {
                joiner.begin(line, said);
                last = at;
            }
        }
        at = next;
    }
    last
}

/// The line that begins there, without its end.
fn line_at(text: &[u8], start: usize) -> &[u8] {
    let rest = &text[start..];
    let line = memchr::memchr(b'\n', rest).map_or(rest, |feed| &rest[..feed]);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What a line says, read by itself.
fn read(line: &[u8]) -> Record<'_> {
    let said = format::read(line, SOME_DAY);
    Record { level: said.level.or_else(|| format::leading_level(said.message)), ..said }
}

fn has_time(line: &[u8]) -> bool {
    format::read(line, SOME_DAY).time.is_some()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
