//! `Aside`: the reasons for which a line is counted but belongs to no cluster. Decided on bytes alone; what a *message*
//! looks like is no business of this file.

use std::borrow::Cow;

use crate::{table::Keys, tally::Key};

/// NUL bytes in a row that are a hole. A few are what some programs end their texts with.
pub(crate) const HOLE: usize = 16;

/// Bytes of an input that its nature is judged by.
const HEAD: usize = 8 << 10;

/// Bytes of a line that its nature is judged by: a log line that quotes the bytes some client sent begins with text, and
/// is none the less a log line.
const LINE_HEAD: usize = 32;

/// Why a line is in no cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aside {
    /// Nothing but white space.
    Blank,
    /// Not text.
    Binary,
    /// An archive or a compression that is not unpacked.
    Packed,
}

/// What the beginning of an input says about the whole of it, when that is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nature {
    /// Why all of its lines are set aside.
    pub(crate) aside: Aside,
    /// What it is and what to do, for a person.
    pub(crate) problem: &'static str,
}

impl Aside {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 3] = [Self::Blank, Self::Binary, Self::Packed];

    /// For a person.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Binary => "binary data",
            Self::Packed => "packed data",
        }
    }

    /// Stands in the recording where a line's shape would. No shape has it: shapes are free of line feeds.
    pub(crate) fn keys(self) -> Keys {
        let text = match self {
            Self::Blank => "\nblank",
            Self::Binary => "\nbinary",
            Self::Packed => "\npacked",
        };
        Keys::alone(Key::of(text.as_bytes()))
    }

    /// Whether a line with nothing to say is one of these. `nul` tells that its surroundings hold a NUL byte, which
    /// spares the search in the usual case; what the line is, it tells alone.
    #[inline]
    pub(crate) fn of_line(line: &[u8], nul: bool) -> Option<Self> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Some(Self::Blank);
        }
        let is_binary = || is_binary(&line[..line.len().min(LINE_HEAD)]) || odd(line) * 2 > line.len();
        (nul && memchr::memchr(0, line).is_some() && is_binary()).then_some(Self::Binary)
    }
}

impl Nature {
    /// Judges an input by its first bytes; `None` is text. A run of NUL bytes at the front is passed over: a log that
    /// was truncated while its writer kept the old position begins with one.
    pub(crate) fn of(input: &[u8]) -> Option<Self> {
        let start = input.iter().position(|b| *b != 0).unwrap_or(input.len());
        let head = &input[start..input.len().min(start + HEAD)];
        let packings: [(&[u8], &'static str); 3] = [
            (b"7z\xbc\xaf\x27\x1c", "is a 7z archive, which is not unpacked; unpack it first"),
            (b"Rar!\x1a\x07", "is a rar archive, which is not unpacked; unpack it first"),
            (b"\x02\x21\x4c\x18", "is lz4 data of the legacy kind, which is not unpacked; unpack it first"),
        ];
        if let Some((_, problem)) = packings.iter().find(|(magic, _)| input.starts_with(magic)) {
            return Some(Self { aside: Aside::Packed, problem });
        }
        let problem = "is binary data; lines of text were expected";
        is_binary(&without_holes(head)).then_some(Self { aside: Aside::Binary, problem })
    }
}

/// Without the runs of NUL bytes that are holes: they are told by themselves.
fn without_holes(head: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(head, &[0; HOLE]).is_none() {
        return head.into();
    }
    let runs = head.chunk_by(|a, b| (*a == 0) == (*b == 0));
    runs.filter(|run| run[0] != 0 || run.len() < HOLE).flatten().copied().collect()
}

/// Whether more than a twentieth of the bytes are controls that no text holds. One in eleven bytes of compressed or
/// random data is one; programs and tables are full of NULs; no text encoding but UTF-16 and UTF-32 uses them.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    odd(bytes) * 20 > bytes.len()
}

/// How many of the bytes are controls that no text holds.
fn odd(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b < 0x20 && !matches!(b, 0x08..=0x0d | 0x1b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_any_eight_bit_encoding_is_text() {
        for text in [
            "plain\tASCII\r\n".as_bytes(),
            "中文日志".as_bytes(),
            b"\xb4\xed\xce\xf3 \xbd\xf8\xb3\xcc",
            b"\x1b[31mred\x1b[0m",
        ] {
            assert_eq!(Nature::of(text), None);
        }
    }

    #[test]
    fn a_truncated_log_with_nuls_in_front_is_text() {
        let log = [vec![0; 5000], b"2024-05-01 started\n".repeat(500)].concat();
        assert_eq!(Nature::of(&log), None);
        assert_eq!(Nature::of(&[0; 4096]), None, "its one line is set aside by itself");
        assert_eq!(Aside::of_line(&[0; 4096], true), Some(Aside::Binary));
    }

    #[test]
    fn a_line_that_quotes_bytes_is_a_line_and_one_of_bytes_is_not() {
        let quoting =
            [b"[info] 7#7: *1 client sent an invalid request: \"".as_slice(), &[0, 1, 2, 3, 0x80].repeat(8)].concat();
        assert_eq!(Aside::of_line(&quoting, true), None);
        assert_eq!(Aside::of_line(&[b"ok ".as_slice(), &quoting[48..]].concat(), true), Some(Aside::Binary));
        assert_eq!(Aside::of_line(&[&[b'x'; 40][..], &[0; 60]].concat(), true), Some(Aside::Binary));
    }

    #[test]
    fn what_is_not_text_is_known_by_its_beginning() {
        let nature = |bytes: &[u8]| Nature::of(bytes).map(|n| n.aside);
        assert_eq!(nature(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"), Some(Aside::Binary));
        assert_eq!(nature(b"7z\xbc\xaf\x27\x1crest"), Some(Aside::Packed));
    }
}
