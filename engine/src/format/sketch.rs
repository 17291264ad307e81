//! `Sketch`: what the front of one line looks like, field by field, in a form that can be compared with those of other
//! lines. The vote over sketches is `layout`'s.

use super::{
    clock,
    columns::{COLUMN as COLUMN_BYTES, Column, closing, connection, is_source, quoted, unquoted},
    contained, header, level, object,
};

/// Fields that are told apart behind the time and level.
const STEPS: usize = 6;

/// Bytes of a line that are sketched.
const NEAR: usize = 400;

/// A time.
pub(super) const TIME: u8 = 1;
/// A level word.
pub(super) const LEVEL: u8 = 2;
/// A level of one letter or sign, or a number.
pub(super) const SHORT: u8 = 3;
/// A column.
pub(super) const COLUMN: u8 = 4;
/// The contents of brackets.
pub(super) const CONTENTS: u8 = 5;
/// Syslog's number.
pub(super) const PRIORITY: u8 = 6;

/// The front of a line: fields as the marks above, the signs between them as they are, runs of blanks as one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch<'a> {
    pub(super) line: &'a [u8],
    /// The manner in which its first time is written.
    pub(super) manner: Vec<u8>,
    pub(super) key: Vec<u8>,
    /// How much of the key it takes to the last of time and level; 0 when there is neither.
    pub(super) core: usize,
    /// What may follow as part of the header, piece by piece.
    pub(super) steps: Vec<Step>,
    /// Whether what follows the core was left out.
    pub(super) cut: bool,
    /// Whether the pieces express all that the line by itself says is header.
    pub(super) whole: bool,
}

/// One more field behind time and level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Where it ends in the key.
    pub(super) end: usize,
    /// Where it stands in the line, with its brackets.
    pub(super) written: (usize, usize),
    /// Where the next begins in the line, behind the signs.
    pub(super) next: usize,
    /// Whether the line by itself says that this is still header.
    pub(super) own: bool,
    /// Whether it is a number.
    pub(super) number: bool,
    /// Whether it is a word like those of sentences.
    pub(super) word: bool,
    /// Whether it ends with a colon.
    pub(super) tag: bool,
    /// Whether it ends with a dash or a bar.
    pub(super) set_off: bool,
    /// Whether it stands in brackets.
    pub(super) bracketed: bool,
    /// Whether it is a name of three parts or more, dots between them.
    pub(super) dotted: bool,
    /// Whether it stands in brackets and is a line of a source file.
    pub(super) source: bool,
    /// Whether lines that begin otherwise say the same as is said behind it.
    pub(super) recurs: bool,
}

impl<'a> Sketch<'a> {
    /// The front up to the last of time and level, as far as lines of one program have it alike.
    pub(super) fn kind(&self) -> (&[u8], &[u8]) {
        (&self.manner, &self.key[..self.core])
    }

    pub(super) fn has_level(&self) -> bool {
        self.key[..self.core].iter().any(|b| matches!(*b, LEVEL | SHORT | PRIORITY))
    }

    /// Where the fields before this one end in the key.
    pub(super) fn end(&self, step: usize) -> usize {
        step.checked_sub(1).map_or(self.core, |before| self.steps[before].end)
    }

    /// What stands in a field behind time and level, without brackets around it.
    pub(super) fn value(&self, step: usize) -> &'a [u8] {
        let (start, end) = self.steps[step].written;
        match &self.line[start..end] {
            [b'[' | b'(' | b'{' | b'<' | b'"', inner @ .., b']' | b')' | b'}' | b'>' | b'"'] => inner.trim_ascii(),
            value => value,
        }
    }

    /// What stands from a field on, or from where the last one ends.
    pub(super) fn from(&self, step: usize) -> &'a [u8] {
        let start = self.steps.get(step).map(|step| step.written.0).or(self.steps.last().map(|step| step.next));
        start.map_or(&[], |start| &self.line[start..])
    }

    /// What stands behind a field and its signs.
    pub(super) fn behind(&self, step: usize) -> &'a [u8] {
        &self.line[self.steps[step].next..]
    }

    /// The message behind a field, without the quotes of columns around it.
    pub(super) fn said(&self, step: usize) -> &'a [u8] {
        let sign = self.key[..self.steps[step].end].last().copied().unwrap_or(0);
        unquoted(self.behind(step).trim_ascii(), sign)
    }

    /// What the line by itself says is header behind time and level, if that ends with a colon and has neither a level nor the number
    /// of a process, with one sign for a run of digits; and the message behind it.
    pub(super) fn own_tag(&self) -> Option<(Vec<u8>, &'a [u8])> {
        let last = self.steps.iter().rposition(|step| step.own)?;
        let text = &self.line[self.steps[0].written.0..self.steps[last].written.1];
        let is_tag = self.steps[last].tag && !text.contains(&b'[') && level::beside(text).is_none();
        is_tag.then(|| (clock::without_digits(text), self.behind(last)))
    }

    /// Whether a field has the same sign before and behind it, or brackets around it.
    pub(super) fn set_off(&self, step: usize) -> bool {
        let from = self.end(step);
        let before = self.key[..from].trim_ascii_end().last();
        let behind = self.key[from..self.steps[step].end].trim_ascii_end().last();
        let (start, end) = self.steps[step].written;
        let tab = |at: usize| self.line.get(at) == Some(&b'\t');
        self.steps[step].bracketed
            || (tab(start.wrapping_sub(1)) && tab(end))
            || (before == behind && before.is_some_and(|sign| matches!(sign, b'|' | b',' | b';' | b'-' | b':')))
    }
}

/// Looks at the front of a line.
pub(super) fn sketch(line: &[u8], reference: i64) -> Sketch<'_> {
    let found = header::find(line, reference);
    let mut pen = Pen { line, at: 0, key: Vec::with_capacity(32), between: found.between, in_core: true };
    let manner = clock::manner(&line[found.time_at.clone()]).collect();
    let mut sketch = Sketch { line, manner, ..Sketch::default() };
    let last = found.time_at.end.max(found.times_end).max(found.level_at.end);
    // What a container runtime passes on has a header of its own, and no form says where a message ends.
    if last == 0 || found.is_enclosed || last > found.at || contained(line[found.at..].trim_ascii_start()).is_some() {
        return sketch;
    }
    let limit = line.len().min(NEAR);
    while pen.at < last {
        let at = pen.at;
        if found.time_at.start == at && !found.time_at.is_empty() {
            pen.field(TIME, found.time_at.end);
        } else if found.level_at.start == at && !found.level_at.is_empty() {
            let is_number = line[found.level_at.clone()].iter().any(u8::is_ascii_digit);
            let short = found.level_at.len() == 1 || is_number;
            pen.field(if short { SHORT } else { LEVEL }, found.level_at.end);
        } else {
            // A field ends where the next one that is known begins.
            let stop = [found.time_at.start, found.level_at.start, last].into_iter().filter(|stop| *stop > at).min();
            pen.unknown(stop.unwrap_or(last));
        }
        if pen.at == at || pen.at > limit {
            return sketch;
        }
    }
    // What is glued to it, and blanks and signs behind it, belong to it.
    while pen.peek() == b'[' && pen.at < limit {
        pen.unknown(limit);
    }
    pen.signs(limit);
    pen.in_core = false;
    sketch.core = pen.key.len();
    sketch.whole = pen.at >= found.at;
    while sketch.steps.len() < STEPS && pen.at < limit {
        let (start, begin) = (pen.at, pen.key.len());
        let bracketed = matches!(pen.peek(), b'[' | b'(') || embraced(&line[start..]).is_some();
        pen.unknown(limit);
        if pen.at == start {
            break;
        }
        let text = &line[start..pen.at];
        let ended = pen.at;
        let number = text.iter().all(u8::is_ascii_digit);
        pen.signs(limit);
        if pen.at >= line.len() {
            break;
        }
        let word = text.iter().all(u8::is_ascii_alphabetic);
        let own = found.at >= ended;
        sketch.whole |= own && found.at <= pen.at;
        let signs = &pen.key[begin..];
        let (tag, set_off) = (signs.ends_with(b": ") && !bracketed, signs.ends_with(b" - ") || signs.contains(&b'|'));
        let set_off = set_off
            || signs.last() == Some(&pen.between)
            || line.get(ended) == Some(&b'\t')
            || object(&line[pen.at..]).is_some();
        sketch.steps.push(Step {
            end: pen.key.len(),
            written: (start, ended),
            next: pen.at,
            own,
            number,
            word,
            tag,
            set_off,
            bracketed,
            dotted: is_dotted(text),
            source: bracketed && is_source(&text[1..text.len().max(2) - 1]),
            recurs: false,
        });
    }
    sketch.key = pen.key;
    sketch
}

/// Bytes of the one name in braces or angles at the front.
fn embraced(rest: &[u8]) -> Option<usize> {
    let close = match rest.first()? {
        b'{' => b'}',
        b'<' => b'>',
        _ => return None,
    };
    let name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'/');
    let length = 1 + rest[1..].iter().take(COLUMN_BYTES).take_while(name).count();
    (length > 1 && rest[length..].starts_with(&[close, b' '])).then_some(length + 1)
}

/// Whether it is written like the class of a logger: `org.example.Pool`.
fn is_dotted(text: &[u8]) -> bool {
    let is_name = |part: &[u8]| {
        part.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && part.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$'))
    };
    text.iter().filter(|b| **b == b'.').count() >= 2 && text.split(|b| *b == b'.').all(is_name)
}

struct Pen<'a> {
    line: &'a [u8],
    at: usize,
    key: Vec<u8>,
    /// The sign between fields, where there are no blanks; 0 is none.
    between: u8,
    /// Whether it is not yet past time and level.
    in_core: bool,
}

impl Pen<'_> {
    fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(0)
    }

    fn field(&mut self, mark: u8, end: usize) {
        self.key.push(mark);
        self.at = end;
    }

    /// A sign, a bracketed group or a column; it ends before `stop`.
    fn unknown(&mut self, stop: usize) {
        let rest = &self.line[self.at..stop.min(self.line.len())];
        match rest.first() {
            Some(b'[' | b'(' | b'{') if rest[0] != b'{' || self.in_core => match closing(rest) {
                Some(length) => {
                    self.key.extend([rest[0], CONTENTS, rest[length - 1]]);
                    self.at += length;
                }
                None => self.sign(),
            },
            Some(b'{' | b'<')
                if !self.in_core
                    && let Some(length) = embraced(rest) =>
            {
                self.key.extend([rest[0], CONTENTS, rest[length - 1]]);
                self.at += length;
            }
            Some(b'"') if let Some(length) = quoted(rest, self.between) => {
                self.key.extend([b'"', CONTENTS, b'"']);
                self.at += length;
            }
            Some(b'*')
                if !self.in_core
                    && let Some(length) = connection(rest) =>
            {
                self.key.extend([b'*', COLUMN]);
                self.at += length;
            }
            Some(b'<') if self.at == 0 && rest.iter().take(5).any(|b| *b == b'>') => {
                let end = rest.iter().position(|b| *b == b'>').unwrap_or(0);
                self.key.extend([b'<', PRIORITY, b'>']);
                self.at += end + 1;
            }
            Some(b'/') if self.key.ends_with(&[LEVEL]) => self.sign(),
            Some(b'-') if !self.key.is_empty() && matches!(rest.get(1), Some(b' ' | b'\t')) => self.sign(),
            Some(b' ' | b'\t' | b'|' | b',' | b'"' | b'<' | b'>' | b']' | b')' | b'{' | b'}' | b';') => self.sign(),
            Some(_) => {
                let column = Column::of(rest).text.split(|b| *b == self.between).next().unwrap_or_default();
                let opened = column.contains(&b'[');
                let angle = self.key.ends_with(b"<");
                let closes =
                    |b: &u8| matches!(b, b':' | b',' | b';' | b'|') || (*b == b']' && !opened) || (*b == b'>' && angle);
                let length = column.iter().rposition(|b| !closes(b)).map_or(0, |i| i + 1);
                if length == 0 {
                    return self.sign();
                }
                self.field(COLUMN, self.at + length);
            }
            None => {}
        }
    }

    /// One sign, or a run of blanks.
    fn sign(&mut self) {
        let b = self.peek();
        if !matches!(b, b' ' | b'\t') {
            self.key.push(b);
            self.at += 1;
            return;
        }
        while matches!(self.peek(), b' ' | b'\t') {
            self.at += 1;
        }
        // Inside brackets they are padding.
        if !matches!(self.key.last(), Some(b'[' | b'(')) && !matches!(self.peek(), b']' | b')') {
            self.key.push(b' ');
        }
    }

    /// Signs that close a field and blanks behind it.
    fn signs(&mut self, limit: usize) {
        while self.at < limit {
            let next = self.line.get(self.at + 1).copied().unwrap_or(b' ');
            match self.peek() {
                b' ' | b'\t' | b'|' => self.sign(),
                b'/' if self.key.ends_with(&[LEVEL]) => self.sign(),
                b if b == self.between && b != 0 => self.sign(),
                b']' | b')' | b'>' | b'"' | b':' | b',' | b';' if matches!(next, b' ' | b'\t' | b':' | b'[' | b'|') => {
                    self.sign();
                }
                b'"' if next == self.between => self.sign(),
                b'-' if matches!(next, b' ' | b'\t') && self.key.ends_with(b" ") => self.sign(),
                b'-' if self.line[self.at..].starts_with(b"-- ") && self.key.ends_with(b" ") => {
                    self.sign();
                    self.sign();
                }
                _ => break,
            }
        }
    }
}
