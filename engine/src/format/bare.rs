//! `Bare`: the lines of a text as they are read, where that is not as they are written: without colours, those in the objects
//! of Docker's json-file as the lines that other container runtimes write, so that both are one family, and of progress that was
//! written over itself what it came to. Line for line: what is found in the one is told of the other by the number of its line.

use memchr::{memchr, memmem};

use super::{
    colours::{self, ESCAPE},
    fields,
};

/// Goes back to where the line begins.
const RETURN: u8 = b'\r';

/// How Docker's objects begin, behind the line before them.
const NEXT_OBJECT: &[u8] = b"\n{\"log\":\"";

/// The same without that.
const OBJECT: &[u8] = NEXT_OBJECT.split_at(1).1;

/// What stands behind the line in one, before `out` or `err`.
const STREAM: &[u8] = b",\"stream\":\"std";

/// What stands before the time, the last of its fields.
const TIME: &[u8] = b"\"time\":\"";

/// Reads a text, reusing its buffers.
#[derive(Debug, Default)]
pub(crate) struct Bare {
    text: Vec<u8>,
    /// Whether that is to be read rather than what was written.
    differs: bool,
    /// Whether no escape is in what is read, as far as that was looked at.
    is_plain: bool,
    line: Vec<u8>,
}

impl Bare {
    /// Looks at a text, of which only the last line may be without its end.
    pub(crate) fn look_at(&mut self, text: &[u8]) {
        self.text.clear();
        let objects = || text.starts_with(OBJECT) || memmem::find(text, NEXT_OBJECT).is_some();
        self.is_plain = memchr(ESCAPE, text).is_none();
        self.differs = !self.is_plain || objects() || has_returns(text);
        if !self.differs {
            return;
        }
        let mut rest = text;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest);
            let line = &rest[..end.unwrap_or(rest.len())];
            self.add(if end.is_some() { line.strip_suffix(b"\r").unwrap_or(line) } else { line });
            self.text.extend_from_slice(if end.is_some() { b"\n" } else { b"" });
            rest = end.map_or(&[], |end| &rest[end + 1..]);
        }
        self.is_plain = memchr(ESCAPE, &self.text).is_none();
    }

    /// What was written is what is read.
    pub(crate) fn forget(&mut self) {
        (self.differs, self.is_plain) = (false, false);
    }

    /// Whether escapes may be in what is read.
    pub(crate) fn may_have_escapes(&self) -> bool {
        !self.is_plain
    }

    /// What is read of the text that was looked at, if that differs.
    pub(crate) fn text(&self) -> Option<&[u8]> {
        self.differs.then_some(&self.text[..])
    }

    /// Where the line begins in `written`, the text that was looked at, that begins at `place` in what is read of it.
    pub(crate) fn place_in(&self, written: &[u8], place: usize) -> usize {
        if !self.differs {
            return place;
        }
        match memchr::memchr_iter(b'\n', &self.text[..place]).count() {
            0 => 0,
            lines => memchr::memchr_iter(b'\n', written).nth(lines - 1).map_or(written.len(), |feed| feed + 1),
        }
    }

    fn add(&mut self, line: &[u8]) {
        let Some(logged) = Logged::of(line) else {
            return strip(line, &mut self.line, &mut self.text);
        };
        // What was logged without a line end goes on in the next object.
        let ended = logged.line.strip_suffix(b"\\n");
        let content = ended.unwrap_or(logged.line);
        fields::unescape(content.strip_suffix(b"\\r").unwrap_or(content), &mut self.line);
        let tag = if ended.is_some() { b" F " } else { b" P " };
        let parts = [logged.time, b" std", logged.stream, tag, &self.line];
        parts.iter().for_each(|part| self.text.extend_from_slice(part));
    }
}

/// Adds a line without its colours to a text.
fn strip(line: &[u8], buffer: &mut Vec<u8>, text: &mut Vec<u8>) {
    if memchr(ESCAPE, line).is_none() {
        return add_last_written(line, text);
    }
    colours::strip(line, buffer);
    add_last_written(buffer, text);
}

/// Whether a carriage return is within a line.
fn has_returns(text: &[u8]) -> bool {
    memchr::memchr_iter(RETURN, text).any(|at| text.get(at + 1).is_some_and(|b| *b != b'\n'))
}

/// Adds a line, without what it says before a carriage return if that is written over by the same, the signs and digits of its
/// progress apart, or by more. Something else may have been written there to hide what was: then both are read.
fn add_last_written(line: &[u8], text: &mut Vec<u8>) {
    let mut pieces = line.split(|b| *b == RETURN).filter(|piece| !piece.trim_ascii().is_empty()).peekable();
    while let Some(piece) = pieces.next() {
        match pieces.peek() {
            Some(next) if goes_on(piece, next) => {}
            Some(_) => {
                text.extend_from_slice(piece);
                text.push(RETURN);
            }
            None => text.extend_from_slice(piece),
        }
    }
}

/// Whether the letters of a text are those that the next one begins with.
fn goes_on(text: &[u8], next: &[u8]) -> bool {
    let mut others = next.iter().filter(|b| b.is_ascii_alphabetic());
    text.iter().filter(|b| b.is_ascii_alphabetic()).all(|b| others.next() == Some(b))
}

/// What an object of Docker's says.
struct Logged<'l> {
    /// As written, escapes and all.
    line: &'l [u8],
    /// `out` or `err`.
    stream: &'l [u8],
    time: &'l [u8],
}

impl<'l> Logged<'l> {
    fn of(object: &'l [u8]) -> Option<Self> {
        let text = object.strip_prefix(OBJECT)?;
        let mut end = 0;
        loop {
            end += memchr::memchr2(b'"', b'\\', text.get(end..)?)?;
            if text[end] == b'"' {
                break;
            }
            end += 2;
        }
        let (stream, rest) = text[end + 1..].strip_prefix(STREAM)?.split_at_checked(3)?;
        let at = memmem::rfind(rest, TIME)? + TIME.len();
        let time = rest[at..].strip_suffix(b"\"}")?;
        let is_time = time.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'.' | b'+'));
        let is_one = matches!(stream, b"out" | b"err") && rest.starts_with(b"\",") && is_time;
        is_one.then_some(Self { line: &text[..end], stream, time })
    }
}
