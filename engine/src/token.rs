//! What bytes a message is made of: the classes of bytes that masks go by, scripts without blanks, and the message made
//! printable. Which pieces are variables is `mask`'s.

use std::ops::Range;

/// What a byte is, or what the bytes of a piece are together: a set of the constants below.
pub(crate) type Class = u16;

/// A digit.
pub(crate) const DIGIT: Class = 1;
/// `a` to `f`, either case.
pub(crate) const HEX_LETTER: Class = 2;
/// Any other ASCII letter.
pub(crate) const LETTER: Class = 4;
/// What stands in paths, names of hosts and numbers.
pub(crate) const MARK: Class = DOT | SLASH | AT;
/// `.`.
pub(crate) const DOT: Class = 8;
/// `/` and `\`.
pub(crate) const SLASH: Class = 256;
/// `@`.
pub(crate) const AT: Class = 512;
/// `:`.
pub(crate) const COLON: Class = 16;
/// Ends a piece: brackets, quotes, `=`, `,` and their like.
pub(crate) const DELIMITER: Class = 32;
/// Blank or tab.
pub(crate) const BLANK: Class = 64;
/// Part of a character outside ASCII.
pub(crate) const HIGH: Class = 128;

/// Where a piece ends.
pub(crate) const STOP: Class = BLANK | DELIMITER | HIGH;

/// The class of each byte. What is left at 0 (`-`, `_`, `+`, `$`, …) joins letters and digits into a piece.
pub(crate) const CLASS: [Class; 256] = {
    let mut class = [0; 256];
    let mut i = 0;
    while i < 256 {
        class[i] = match i as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX_LETTER,
            b'g'..=b'z' | b'G'..=b'Z' => LETTER,
            b'.' => DOT,
            b'/' | b'\\' => SLASH,
            b'@' => AT,
            b':' => COLON,
            b'=' | b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'"' | b'\'' | b'`' | b'|'
            | b'#' | b'!' | b'?' | b'&' | b'^' => DELIMITER,
            b' ' | b'\t' => BLANK,
            0x80..=0xff => HIGH,
            _ => 0,
        };
        i += 1;
    }
    class
};

/// Stands between the lines of an event of several in its text, with a blank on both sides.
pub(crate) const BREAK: &str = "⏎";

/// Whether the character is of a script that is written without blanks between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x2e80..=0x2fdf | 0x3005..=0x3007 | 0x3040..=0x30ff
        | 0x3100..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xa000..=0xa4cf | 0xac00..=0xd7af | 0xf900..=0xfaff
        | 0xff66..=0xff9f | 0x20000..=0x3ffff)
}

/// Whether a message needs [`Clean`] before it can be masked.
pub(crate) fn is_clean(message: &[u8]) -> bool {
    if is_plain(message) {
        return true;
    }
    let control = message.iter().fold(false, |found, b| found | ((*b < b' ') & (*b != b'\t')) | (*b == 0x7f));
    !control && (message.is_ascii() || std::str::from_utf8(message).is_ok())
}

/// Whether all is printable ASCII: most messages are, and eight bytes at a time this costs a fifth of a closer look.
fn is_plain(message: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 0xff;
    // The highest bit of a byte is set for one that is not; a borrow or carry between bytes comes from such a byte only.
    let look = |seen: u64, eight: &[u8; 8]| {
        let eight = u64::from_le_bytes(*eight);
        seen | eight | eight.wrapping_sub(EACH * 0x20) | eight.wrapping_add(EACH)
    };
    let mut short = [b' '; 8];
    // The last eight overlap the ones before.
    let last = message.last_chunk().unwrap_or_else(|| {
        short[..message.len()].copy_from_slice(message);
        &short
    });
    let seen = message.as_chunks().0.iter().fold(look(0, last), look);
    seen & (EACH * 0x80) == 0
}

/// A message as text that can be shown: valid UTF-8, colour codes left out, other control characters and invalid bytes
/// as U+FFFD, runs of blanks as one blank, none at the ends. Knows where each of its bytes came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clean {
    pub(crate) text: Vec<u8>,
    from: Vec<usize>,
}

impl Clean {
    pub(crate) fn of(message: &[u8]) -> Self {
        let mut clean = Self::default();
        clean.fill(message);
        clean
    }

    /// Whether it has bytes that are no UTF-8.
    pub(crate) fn fill(&mut self, message: &[u8]) -> bool {
        let mut is_broken = false;
        self.text.clear();
        self.from.clear();
        let mut at = 0;
        for chunk in message.utf8_chunks() {
            let valid = chunk.valid();
            let mut skip = 0;
            for (i, c) in valid.char_indices() {
                if i < skip {
                    continue;
                }
                match c {
                    '\x1b' => skip = i + escape_length(&valid.as_bytes()[i..]),
                    '\t' | '\n' | '\r' | '\x0b' | '\x0c' | ' ' => self.blank(at + i),
                    c if c.is_ascii_control() => self.push("\u{fffd}", at + i),
                    c => self.push(c.encode_utf8(&mut [0; 4]), at + i),
                }
            }
            at += valid.len();
            if !chunk.invalid().is_empty() {
                is_broken = true;
                self.push("\u{fffd}", at);
                at += chunk.invalid().len();
            }
        }
        self.from.push(at);
        if self.text.last() == Some(&b' ') {
            self.text.pop();
            self.from.remove(self.text.len());
        }
        if let Some(end) = self.from.last_mut() {
            let trailing = message.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
            *end = (*end).min(message.len() - trailing);
        }
        is_broken
    }

    /// Where a range of the text stood in the message.
    pub(crate) fn range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.from[range.start];
        start..self.from[range.end].max(start)
    }

    fn push(&mut self, text: &str, from: usize) {
        self.text.extend_from_slice(text.as_bytes());
        self.from.extend(text.bytes().map(|_| from));
    }

    fn blank(&mut self, from: usize) {
        if self.text.last().is_some_and(|last| *last != b' ') {
            self.push(" ", from);
        }
    }
}

/// Bytes of the terminal's escape sequence (ECMA-48) at the front.
fn escape_length(bytes: &[u8]) -> usize {
    if bytes.get(1) != Some(&b'[') {
        return 1;
    }
    let inner = bytes[2..].iter().take(16).take_while(|b| (0x20..0x40).contains(*b)).count();
    if bytes.get(2 + inner).is_some_and(|b| (0x40..0x7f).contains(b)) { 3 + inner } else { 1 }
}
