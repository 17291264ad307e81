//! Fields of lines that are made of them (JSON, logfmt): what becomes of those that are neither time, level nor message.

use super::{
    colours::{self, ESCAPE},
    status,
};
use crate::record::Level;

/// Is told the fields of a line, in the order in which they are written.
pub(super) trait Fields {
    /// A field or an object with this name begins; the answer is given back when it ends.
    fn enter(&mut self, key: &[u8]) -> usize;
    /// The value of the field entered last: text without its quotes, or anything else as written.
    fn value(&mut self, value: &[u8], quoted: bool);
    /// The end of what was entered.
    fn leave(&mut self, mark: usize);
    /// What happened is this, whatever the names of fields say.
    fn happened(&mut self, what: &[u8]);
}

/// Nobody wants them.
impl Fields for () {
    fn enter(&mut self, _: &[u8]) -> usize {
        0
    }

    fn value(&mut self, _: &[u8], _: bool) {}

    fn leave(&mut self, _: usize) {}

    fn happened(&mut self, _: &[u8]) {}
}

/// Bytes of a path of names that are kept.
const PATH: usize = 120;

/// Fields of a line that are kept.
const FIELDS: usize = 256;

/// Bytes of a line written as its fields, at most.
const LINE: usize = 4 << 10;

/// The fields of the last line.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Names of the objects that a field is in, and its own, with dots between them.
    path: Vec<u8>,
    /// The line as `key=value key=value`, texts as slots: how lines without a message read.
    line: Vec<u8>,
    /// What happened, and how good the name of the field is that says it.
    happened: Option<(usize, Vec<u8>)>,
    /// The first digit of the status of a request.
    class: Option<u8>,
    /// Where the paths and values of the fields are.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many of them are of this line; the others keep their memory.
    used: usize,
}

impl Written {
    /// Forgets the last line.
    pub(super) fn clear(&mut self) {
        self.path.clear();
        self.line.clear();
        self.happened = None;
        self.class = None;
        self.used = 0;
    }

    /// The level of a line without a message that names none: that of its status.
    pub(super) fn level(&self) -> Option<Level> {
        status::of_class(self.class?)
    }

    /// The line without a message: what happened, how it ended (`GET server_error`), and all its fields.
    pub(super) fn names(&mut self) -> &[u8] {
        if let Some(class) = self.class.take() {
            self.line.splice(0..0, status::name(class).iter().copied().chain(*b" "));
        }
        if let Some((_, happened)) = self.happened.take() {
            self.line.splice(0..0, happened.into_iter().chain(*b" "));
        }
        &self.line
    }

    /// Names and values.
    pub(super) fn each(&self, mut seen: impl FnMut(&[u8], &[u8])) {
        self.fields[..self.used].iter().for_each(|(name, value)| seen(name, value));
    }
}

impl Fields for Written {
    #[inline]
    fn enter(&mut self, key: &[u8]) -> usize {
        let mark = self.path.len();
        if mark > 0 {
            self.path.push(b'.');
        }
        self.path.extend_from_slice(&key[..key.len().min(PATH.saturating_sub(mark))]);
        mark
    }

    #[inline]
    fn value(&mut self, value: &[u8], quoted: bool) {
        if self.used < FIELDS {
            if self.fields.len() == self.used {
                self.fields.push(Default::default());
            }
            let (path, kept) = &mut self.fields[self.used];
            self.used += 1;
            path.clear();
            path.extend_from_slice(&self.path);
            kept.clear();
            kept.extend_from_slice(&value[..value.len().min(PATH)]);
        }
        if self.line.len() < LINE {
            if !self.line.is_empty() {
                self.line.push(b' ');
            }
            self.line.extend_from_slice(&self.path);
            self.line.push(b'=');
            let is_number = value.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
            let plain = !quoted && (is_number || matches!(value, b"true" | b"false"));
            self.line.extend_from_slice(if plain { value } else { b"<*>" });
        }
        let name = self.path.rsplit(|b| *b == b'.').next().unwrap_or_default();
        if let Some((rank, word)) = happened(name, value)
            && self.happened.as_ref().is_none_or(|(known, _)| rank < *known)
        {
            self.happened = Some((rank, word.to_vec()));
        }
        if STATUS.contains(&name) {
            self.class = self.class.or(status::class(value));
        }
    }

    #[inline]
    fn leave(&mut self, mark: usize) {
        self.path.truncate(mark);
    }

    fn happened(&mut self, what: &[u8]) {
        // No rank is better.
        self.happened = Some((0, what.to_vec()));
    }
}

/// Names of fields that say what happened where no message does, the best first.
const HAPPENED: [&[u8]; 15] = [
    b"action",
    b"event_name",
    b"eventName",
    b"event_type",
    b"eventType",
    b"operation",
    b"op",
    b"activity",
    b"method",
    b"verb",
    b"type",
    b"kind",
    b"outcome",
    b"result",
    b"status",
];

/// Names of fields that have the status of a request.
const STATUS: [&[u8]; 3] = [b"status", b"status_code", b"statusCode"];

/// How good a field's name is, if it says what happened in one word, and the word. Whether such words are many, and a value after
/// all, shows when all lines are seen.
pub(super) fn happened<'a>(name: &[u8], value: &'a [u8]) -> Option<(usize, &'a [u8])> {
    // A whole request is as good as its method.
    if name == b"request" {
        return Some((HAPPENED.iter().position(|known| known == b"method")?, status::method(value)?));
    }
    let is_word = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.' | b':');
    let rank = HAPPENED.iter().position(|known| *known == name)?;
    ((1..=40).contains(&value.len()) && value.iter().all(is_word)).then_some((rank, value))
}

/// Puts the text of a JSON string as written into `plain`, escapes resolved; line ends become blanks, and colours nothing.
pub(super) fn unescape(text: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        let escape = rest.get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'n' | b't' | b'r' | b'b' | b'f' => plain.push(b' '),
            b'u' => rest = unicode(rest, plain),
            other => plain.push(other),
        }
    }
    plain.extend_from_slice(rest);
    if memchr::memchr(ESCAPE, plain).is_some() {
        let coloured = std::mem::take(plain);
        colours::strip(&coloured, plain);
        plain.iter_mut().filter(|b| **b == ESCAPE).for_each(|b| *b = b' ');
    }
}

/// The letter of the four digits at the front, or of two times four; gives what is behind it.
fn unicode<'a>(text: &'a [u8], plain: &mut Vec<u8>) -> &'a [u8] {
    let unit = |text: &[u8]| {
        let digits = std::str::from_utf8(text.get(..4)?).ok().filter(|digits| !digits.starts_with('+'))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(text) else {
        plain.extend_from_slice(b"\\u");
        return text;
    };
    let second = text[4..].strip_prefix(b"\\u").and_then(unit);
    let (letter, length) = match char::decode_utf16([first]).next() {
        Some(Ok(letter)) => (letter, 4),
        _ => match char::decode_utf16([Some(first), second].into_iter().flatten()).next() {
            Some(Ok(letter)) => (letter, 10),
            _ => (char::REPLACEMENT_CHARACTER, 4),
        },
    };
    let letter = if letter.is_control() && letter != char::from(ESCAPE) { ' ' } else { letter };
    plain.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    &text[length..]
}
