//! `Text`: the bytes of an input as UTF-8. Which encoding they are in is judged by their content: by a mark or by the NUL
//! bytes that wide encodings have among the first [`HEAD`] bytes, or by as many bytes from the first one on that is not
//! ASCII. What has not enough of them to judge by is passed on as it is, and the next one judged.
//!
//! UTF-8 is passed on as it is, broken letters included: so it can be read again where it lies. In what is decoded, each
//! letter that is none becomes U+FFFD and is counted. Where an encoding of a language is found, lines that are UTF-8 are left
//! as they are: programs that write to one file need not agree, and a program may change its mind.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

use bstr::ByteSlice;
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, GBK, UTF_16BE, UTF_16LE};

use crate::aside::{Nature, is_binary};

/// Bytes that an encoding is judged by.
pub(crate) const HEAD: usize = 64 << 10;

/// Fewer bytes that are not ASCII are no reason to decode, unless there is no more than that.
const EVIDENCE: usize = 64;

/// Bytes of a line before its first one that is not ASCII that it is judged with.
const TAIL: usize = 64;

/// Lines that are no UTF-8 among some that are, to take them for those of another encoding; and one in twenty.
const OTHERS: usize = 3;

/// Bytes decoded at a time.
const DECODED: usize = 64 << 10;

/// What is known of a text so far, shared with who reads it.
#[derive(Debug, Default)]
pub(crate) struct About {
    /// From this byte of the text on it is not in the input as it is.
    pub(crate) decoded_from: Rc<Cell<u64>>,
    /// The encoding, if it is not UTF-8.
    pub(crate) encoding: Cell<Option<&'static str>>,
    /// Letters that were none.
    pub(crate) repaired: Cell<u64>,
    /// Lines beside those of that encoding that are UTF-8.
    pub(crate) utf_8_lines: Cell<u64>,
}

/// Decodes what it reads.
pub(crate) struct Text<R> {
    raw: R,
    state: State,
    /// Raw bytes that come before those of `raw`.
    stash: Vec<u8>,
    /// Text that comes next.
    out: Vec<u8>,
    /// How much of `out` is given.
    at: usize,
    /// Bytes of text made so far.
    made: u64,
    /// The last of them, as far as they are of the line that goes on: at most [`TAIL`], whatever came in one piece.
    tail: Vec<u8>,
    ended: bool,
    failure: Option<io::Error>,
    about: Rc<About>,
}

enum State {
    /// Nothing is read.
    Start,
    /// All was ASCII or did not say much.
    Ascii,
    /// The stash begins with a byte that is not ASCII.
    Judging,
    Decoding(Decoding),
    /// Is passed on as it is, to the end.
    Plain,
}

enum Decoding {
    Table(Box<Decoder>),
    /// By line, but for those that are UTF-8.
    Lines(&'static Encoding),
    Utf32 {
        little: bool,
    },
    Done,
}

impl<R: BufRead> Text<R> {
    pub(crate) fn new(raw: R, about: Rc<About>) -> Self {
        let (stash, out, tail) = Default::default();
        Self { raw, state: State::Start, stash, out, at: 0, made: 0, tail, ended: false, failure: None, about }
    }

    /// Makes more text; false at the end.
    fn refill(&mut self) -> io::Result<bool> {
        self.at = 0;
        self.out.clear();
        while self.out.is_empty() {
            match &mut self.state {
                State::Start => self.start(),
                State::Judging => self.judge(),
                State::Decoding(Decoding::Done) => return self.end(),
                State::Decoding(_) => self.decode(),
                State::Ascii if !self.stash.is_empty() => self.watch(),
                State::Plain if !self.stash.is_empty() => std::mem::swap(&mut self.out, &mut self.stash),
                State::Plain | State::Ascii => return self.end(),
            }
        }
        self.made += self.out.len() as u64;
        Ok(true)
    }

    fn end(&mut self) -> io::Result<bool> {
        self.failure.take().map_or(Ok(false), Err)
    }

    /// Reads raw bytes until the stash has enough to judge by, or there are no more.
    fn gather(&mut self) {
        while self.stash.len() < HEAD && !self.ended {
            match self.raw.fill_buf() {
                Ok([]) => self.ended = true,
                Ok(bytes) => {
                    let n = bytes.len().min(HEAD - self.stash.len());
                    self.stash.extend_from_slice(&bytes[..n]);
                    self.raw.consume(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => (self.ended, self.failure) = (true, Some(e)),
            }
        }
    }

    fn start(&mut self) {
        self.gather();
        if let Some((wide, mark)) = Wide::of(&self.stash) {
            self.stash.drain(..mark);
            self.decode_as(wide.name(), wide.decoding());
        } else if Nature::of(&self.stash).is_some() {
            self.state = State::Plain;
        } else {
            self.watch();
        }
    }

    /// Gives the stash up to the first byte that is not ASCII.
    fn watch(&mut self) {
        let ascii = Encoding::ascii_valid_up_to(&self.stash);
        self.state = if ascii == self.stash.len() { State::Ascii } else { State::Judging };
        keep_tail(&mut self.tail, &self.stash[..ascii]);
        self.out.extend(self.stash.drain(..ascii));
    }

    fn judge(&mut self) {
        self.gather();
        // How much there is beyond that depends on how the bytes arrive, the verdict must not.
        let window = self.stash.len().min(HEAD);
        match verdict(&self.tail, &self.stash[..window], self.ended && window == self.stash.len()) {
            Verdict::Utf8 => self.state = State::Plain,
            Verdict::Unknown => {
                self.state = State::Ascii;
                keep_tail(&mut self.tail, &self.stash[..window]);
                self.out.extend(self.stash.drain(..window));
            }
            // Has what GBK has, and four bytes for the rest of Unicode.
            Verdict::Legacy(encoding) => {
                let encoding = if encoding == GBK { GB18030 } else { encoding };
                self.decode_as(encoding.name(), Decoding::Lines(encoding));
            }
        }
    }

    fn decode_as(&mut self, name: &'static str, decoding: Decoding) {
        self.about.encoding.set(Some(name));
        self.about.decoded_from.set(self.about.decoded_from.get().min(self.made));
        self.state = State::Decoding(decoding);
    }

    fn decode(&mut self) {
        if self.stash.len() < 4 {
            self.gather();
        }
        let State::Decoding(decoding) = &mut self.state else { return };
        let read = decoding.step(&self.stash, &mut self.out, self.ended, &self.about);
        self.stash.drain(..read);
        if self.ended && self.stash.is_empty() {
            *decoding = Decoding::Done;
        } else if read == 0 {
            // Less than a letter is left of what was read.
            self.gather();
        }
    }

    /// Bytes as they are while they are ASCII.
    fn read_ascii(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.raw.read(buffer)?;
        let ascii = Encoding::ascii_valid_up_to(&buffer[..n]);
        if ascii < n {
            self.stash.extend_from_slice(&buffer[ascii..n]);
            self.state = State::Judging;
        }
        keep_tail(&mut self.tail, &buffer[..ascii]);
        self.made += ascii as u64;
        Ok(ascii)
    }
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.at == self.out.len() && self.stash.is_empty() && self.failure.is_none() && !self.ended {
            match self.state {
                State::Plain => return self.raw.read(buffer),
                State::Ascii => {
                    let n = self.read_ascii(buffer)?;
                    if n > 0 || self.stash.is_empty() {
                        return Ok(n);
                    }
                }
                _ => {}
            }
        }
        let ready = self.fill_buf()?;
        let n = ready.len().min(buffer.len());
        buffer[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Text<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.out.len() && !self.refill()? && !self.ended {
            if matches!(self.state, State::Plain) {
                return self.raw.fill_buf();
            }
            let mut more = std::mem::take(&mut self.out);
            more.resize(DECODED, 0);
            let n = self.read_ascii(&mut more)?;
            more.truncate(n);
            (self.out, self.at) = (more, 0);
            if n == 0 && !self.stash.is_empty() {
                self.refill()?;
            }
        }
        Ok(&self.out[self.at..])
    }

    fn consume(&mut self, n: usize) {
        match self.at < self.out.len() {
            true => self.at += n,
            false => self.raw.consume(n),
        }
    }
}

impl Decoding {
    /// Decodes to the end of `out`: bytes read.
    fn step(&mut self, raw: &[u8], out: &mut Vec<u8>, last: bool, about: &About) -> usize {
        let (read, repaired) = match self {
            Self::Table(decoder) => by_table(decoder, raw, out, last),
            Self::Lines(encoding) => return by_line(encoding, raw, out, last, about),
            Self::Utf32 { little } => utf_32(raw, out, *little, last),
            Self::Done => (0, 0),
        };
        about.repaired.set(about.repaired.get() + repaired);
        read
    }
}

/// Whole lines, or of a long one as much as ends behind a byte that is no part of a letter in any encoding.
fn by_line(encoding: &'static Encoding, raw: &[u8], out: &mut Vec<u8>, last: bool, about: &About) -> usize {
    let end = match memchr::memrchr(b'\n', raw) {
        _ if last => raw.len(),
        Some(feed) => feed + 1,
        None if raw.len() < HEAD => return 0,
        None => raw.iter().rposition(|b| *b < b'0').map_or(raw.len(), |at| at + 1),
    };
    for line in raw[..end].split_inclusive(|b| *b == b'\n') {
        if line.is_ascii() {
            out.extend_from_slice(line);
        } else if is_utf_8(line) || (encoding.is_single_byte() && std::str::from_utf8(line).is_ok()) {
            out.extend_from_slice(line);
            about.utf_8_lines.set(about.utf_8_lines.get() + 1);
        } else {
            let mut decoder = encoding.new_decoder_without_bom_handling();
            let (_, repaired) = by_table(&mut decoder, line, out, true);
            about.repaired.set(about.repaired.get() + repaired);
        }
    }
    end
}

/// Whether a line is surely UTF-8: one letter, or two, may be so by chance in another encoding.
fn is_utf_8(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| text.chars().filter(|c| !c.is_ascii()).nth(2).is_some())
}

fn by_table(decoder: &mut Decoder, raw: &[u8], out: &mut Vec<u8>, last: bool) -> (usize, u64) {
    let (mut read, mut repaired) = (0, 0);
    // Room for what the stash may become; never more than three bytes of text for one of the input, and a little.
    let mut room = vec![0; 3 * raw.len() + 16];
    loop {
        let (result, taken, written) = decoder.decode_to_utf8_without_replacement(&raw[read..], &mut room, last);
        read += taken;
        out.extend_from_slice(&room[..written]);
        match result {
            DecoderResult::InputEmpty => return (read, repaired),
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                repaired += 1;
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
}

fn utf_32(raw: &[u8], out: &mut Vec<u8>, little: bool, last: bool) -> (usize, u64) {
    let mut repaired = 0;
    let mut letter = |number: Option<u32>| {
        let letter = number.and_then(char::from_u32).unwrap_or_else(|| {
            repaired += 1;
            char::REPLACEMENT_CHARACTER
        });
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    };
    let (units, rest) = raw.as_chunks::<4>();
    units.iter().for_each(|u| letter(Some(if little { u32::from_le_bytes(*u) } else { u32::from_be_bytes(*u) })));
    if last && !rest.is_empty() {
        letter(None);
        return (raw.len(), repaired);
    }
    (4 * units.len(), repaired)
}

/// Encodings of two and four bytes a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wide {
    bytes: usize,
    little: bool,
}

impl Wide {
    const ALL: [Self; 4] = [
        Self { bytes: 4, little: true },
        Self { bytes: 4, little: false },
        Self { bytes: 2, little: true },
        Self { bytes: 2, little: false },
    ];

    /// By its mark, whose length is told, or by its units.
    fn of(head: &[u8]) -> Option<(Self, usize)> {
        // That of UTF-32 begins with that of UTF-16: longest first.
        let marked = Self::ALL.into_iter().find(|wide| wide.units(head).next() == Some(0xfeff));
        if let Some(wide) = marked {
            return Some((wide, wide.bytes));
        }
        let head = &head[..head.len().min(8 << 10)];
        let wide = head.len() >= 16 && head.contains(&0);
        Self::ALL.into_iter().find(|w| wide && w.reads(head)).map(|w| (w, 0))
    }

    /// Whether the bytes are text in this encoding, for the most part surely so: every unit is a letter, none a control,
    /// and one in twenty is ASCII: a blank, a digit, a line end.
    fn reads(self, head: &[u8]) -> bool {
        let ascii = self.units(head).filter(|u| (0x20..0x7f).contains(u) || matches!(u, 9 | 10 | 13)).count();
        let letter = |u: u32| match u {
            9 | 10 | 13 | 0x1b | 0x20..0x7f | 0xa0..0xd800 | 0xf900..0xfdd0 | 0xfdf0..0xfffe => true,
            // Pairs of surrogates, each in its place or not.
            0xd800..0xe000 => self.bytes == 2,
            0x1_0000..0x11_0000 => self.bytes == 4,
            _ => false,
        };
        ascii * 20 > head.len() / self.bytes && self.units(head).all(letter)
    }

    fn units(self, head: &[u8]) -> impl Iterator<Item = u32> {
        let of = move |unit: &[u8]| {
            let digits = unit.iter().enumerate();
            digits.fold(0, |sum, (at, b)| match self.little {
                true => sum | u32::from(*b) << (8 * at),
                false => sum << 8 | u32::from(*b),
            })
        };
        head.chunks_exact(self.bytes).map(of)
    }

    fn name(self) -> &'static str {
        match (self.bytes, self.little) {
            (4, true) => "UTF-32LE",
            (4, false) => "UTF-32BE",
            (_, true) => UTF_16LE.name(),
            (_, false) => UTF_16BE.name(),
        }
    }

    fn decoding(self) -> Decoding {
        let table = match self {
            Self { bytes: 4, little } => return Decoding::Utf32 { little },
            Self { little: true, .. } => UTF_16LE,
            Self { little: false, .. } => UTF_16BE,
        };
        Decoding::Table(Box::new(table.new_decoder_without_bom_handling()))
    }
}

enum Verdict {
    Utf8,
    Unknown,
    Legacy(&'static Encoding),
}

/// Puts what was passed on after the tail before it.
fn keep_tail(tail: &mut Vec<u8>, passed: &[u8]) {
    tail.extend_from_slice(&passed[passed.len().saturating_sub(TAIL)..]);
    let line = memchr::memrchr(b'\n', tail).map_or(0, |feed| feed + 1);
    tail.drain(..line.max(tail.len().saturating_sub(TAIL)));
}

/// Judges bytes of which the first is not ASCII, and `tail` before them in its line; `whole` tells that there are no more.
/// Only the lines that are not ASCII count, so that the order of lines says nothing.
fn verdict(tail: &[u8], bytes: &[u8], whole: bool) -> Verdict {
    let (mut good, mut bad) = (0, 0);
    for chunk in ByteSlice::utf8_chunks(bytes) {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        // At the very end a letter may go on.
        bad += usize::from(!chunk.invalid().is_empty() && (whole || !chunk.incomplete()));
    }
    let text = [tail, bytes].concat();
    let mut lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').filter(|line| !line.is_ascii()).collect();
    if !whole && lines.len() > 1 && lines.last().is_some_and(|line| !line.ends_with(b"\n")) {
        // It may end within a letter.
        lines.pop();
    }
    let others: Vec<&[u8]> = lines.iter().copied().filter(|line| is_other(line)).collect();
    let are_both =
        lines.iter().any(|line| is_utf_8(line)) && others.len() >= OTHERS && others.len() * 20 >= lines.len();
    // One in seven pairs of GBK happens to be a letter of UTF-8, and a log in UTF-8 may have cut some letters in two.
    if good > 0 && good >= bad && !are_both {
        return Verdict::Utf8;
    }
    if are_both {
        lines = others;
    }
    // What the detector makes of them depends on their order.
    lines.sort_unstable();
    let lines = lines.concat();
    let beyond_ascii = bytes.iter().filter(|b| !b.is_ascii()).count();
    if is_binary(&lines) || (beyond_ascii < EVIDENCE && !whole) {
        return Verdict::Unknown;
    }
    Verdict::Legacy(guess(&lines, whole))
}

/// Whether a line is surely none of UTF-8 with letters cut in two.
fn is_other(line: &[u8]) -> bool {
    let (mut good, mut bad) = (0, 0);
    for chunk in ByteSlice::utf8_chunks(line) {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    bad >= 2 && bad > good
}

fn guess(bytes: &[u8], whole: bool) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, whole);
    detector.guess(None, Utf8Detection::Deny)
}

/// A name in an archive, in whatever encoding, as a path that leads nowhere but down.
pub(crate) fn member_name(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(4096)];
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => guess(bytes, true).decode_without_bom_handling(bytes).0,
    };
    let clean = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let parts = text.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | ".."));
    let parts = parts.filter(|part| !(part.len() == 2 && part.ends_with(':')));
    let name: String = parts.collect::<Vec<_>>().join("/").chars().map(clean).collect();
    if name.is_empty() { "unnamed".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_members_lead_down_only() {
        for (name, shown) in [
            ("/etc/../../log/a.log", "etc/log/a.log"),
            ("..\\..\\C:\\logs\\b.log", "logs/b.log"),
            ("a\u{1b}[31m\n.log", "a\u{fffd}[31m\u{fffd}.log"),
            ("../..", "unnamed"),
        ] {
            assert_eq!(member_name(name.as_bytes()), shown);
        }
        assert_eq!(member_name(&encoding_rs::GBK.encode("系统日志/错误.log").0), "系统日志/错误.log");
    }
}
