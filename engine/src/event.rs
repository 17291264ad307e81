//! Events of several lines: which lines belong together ([`Joiner`]), and the text that stands for all of them
//! ([`skeleton::Skeleton`]). Owns no counts; what is masked in the text is `shape`'s.
//!
//! A line goes on with the event before it
//! - if it is of a form that only the lines of a trace have (`at a.b.C.d(E.java:1)`), or is what a trace that has begun
//!   asks for next (the exception at the end of a traceback);
//! - in an input whose lines begin with times, or at least with levels (see [`Lead`]): if it does not and is indented, or a row
//!   of a table, a clause of a statement, the end of a bracket; or if a frame follows before the next line that does.
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
mod names;
mod source;
mod lead;
mod joiner;
mod cut;
pub(crate) mod signature;
pub(crate) mod skeleton;

pub(crate) use crate::token::BREAK;
use crate::{format, record::Onset};
pub(crate) use cut::last_start;
pub(crate) use joiner::Joiner;
pub(crate) use lead::Lead;
pub(crate) use names::Names;
pub(crate) use source::Contents;

/// Lines of an event that are looked at for its text. The others are counted as lines of it.
pub(crate) const LINES: usize = 1000;

/// Bytes of an event that are looked at for its text, the first line apart.
pub(crate) const BYTES: usize = 64 << 10;

/// A time without a year needs a year; whether there is a time does not depend on it.
const SOME_DAY: i64 = 0;

/// Whether an event has a stack trace: its first line begins one, as Python, Rust, Go, and those who write exceptions by their
/// class say it, or one behind it is an exception or a frame.
pub(crate) fn has_trace(event: &str) -> bool {
    let first = event.trim_start();
    let class = first.split([':', ' ', '\n']).next().unwrap_or_default();
    let is_class = class.contains('.') && ["Exception", "Error"].iter().any(|end| class.ends_with(end));
    let said = ["Traceback (most recent call last)", "Exception in thread ", "panic: ", "Unhandled exception"];
    let is_inner = |line: &[u8]| grammar::is_frame(line) || grammar::exception(line).is_some();
    is_class
        || said.iter().any(|start| first.starts_with(start))
        || (first.starts_with("thread ") && first.contains(" panicked at "))
        || lines(event.as_bytes()).skip(1).map(<[u8]>::trim_ascii_start).any(|line| !line.is_empty() && is_inner(line))
}

/// The line that begins there, without its end.
pub(crate) fn line_at(text: &[u8], start: usize) -> &[u8] {
    let rest = &text[start..];
    let line = memchr::memchr(b'\n', rest).map_or(rest, |feed| &rest[..feed]);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The lines of a text, without their ends.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut at = 0;
    std::iter::from_fn(move || {
        let line = text.get(at..).filter(|rest| !rest.is_empty()).map(|_| line_at(text, at))?;
        at = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |feed| at + feed + 1);
        Some(line)
    })
}

/// What a line begins with, by itself.
fn onset(line: &[u8]) -> Onset {
    format::read(line, SOME_DAY).onset
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}
