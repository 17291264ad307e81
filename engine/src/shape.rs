//! A message with its variables masked: phase one's key. Owns how a message falls into pieces and how a shape is
//! written; what is written of one is `piece`'s, what it is `mask`'s.
//!
//! A shape is the message's text with each variable as one control byte that tells its kind. Control characters of the
//! message itself become U+FFFD, so none can be taken for a slot; the text `<*>` in a message is a slot already, and what
//! is masked is masked until nothing changes: of a word beside a slot less is left than of the whole.

use std::ops::Range;

use crate::{
    format::{digits::Digits, time},
    mask,
    tally::{Key, whole_letters},
    template::Kind,
    token::{self, BLANK, BREAK, CLASS, COLON, Class, Clean, DIGIT, MARK, STOP},
};

mod frame;
mod piece;

/// Bytes of a shape, at most. Of what is longer the beginning is kept, and a slot stands for the rest: nobody reads a template of
/// that size, and few shapes would fill the memory that many are to have.
const LONGEST: usize = 4 << 10;

/// Times that a message is masked at most. Two do for nearly all, of which the second finds nothing; each of the others leaves less
/// to mask, and the bound is only there so that no message can take long.
const PASSES: usize = 8;

/// Turns messages into shapes, reusing its buffers.
#[derive(Debug, Default)]
pub struct Shaper {
    shape: Vec<u8>,
    again: Again,
    clean: Clean,
    /// Messages that had bytes which are no UTF-8.
    pub(crate) broken: u64,
}

impl Shaper {
    /// The shape of a message: a pure function of its bytes. Valid UTF-8 whatever the message holds, free of line
    /// feeds; masking a shape's own text again changes nothing.
    pub fn shape(&mut self, message: &[u8]) -> &[u8] {
        if token::is_clean(message) {
            write_into(&mut self.shape, Digits::open(message), message);
        } else {
            self.broken += u64::from(self.clean.fill(message));
            write_into(&mut self.shape, Digits::open(&self.clean.text), &self.clean.text);
        }
        self.again.settle(&mut self.shape);
        &self.shape
    }

    /// The shape of a message that is clean, by its outline, which is a part of `digits`.
    pub(crate) fn shape_outline(&mut self, digits: Digits<'_>, message: &[u8]) -> &[u8] {
        write_into(&mut self.shape, digits, message);
        self.again.settle(&mut self.shape);
        &self.shape
    }

    /// Takes a shape for the last one made.
    pub(crate) fn recall(&mut self, shape: &[u8]) {
        self.shape.clear();
        self.shape.extend_from_slice(shape);
    }
}

impl Shaper {
    /// The shape of a text that is clean already, with variables in places that are known, in order.
    pub(crate) fn shape_around(&mut self, text: &[u8], known: impl Iterator<Item = (Range<usize>, Kind)>) -> &[u8] {
        let mut writer = Writer::new(std::mem::take(&mut self.shape), Digits::open(text));
        let mut at = 0;
        for (place, kind) in known {
            write(&mut writer, &text[at..place.start]);
            writer.slot(kind);
            at = place.end;
        }
        write(&mut writer, &text[at..]);
        self.shape = writer.out;
        shorten(&mut self.shape);
        self.again.settle(&mut self.shape);
        &self.shape
    }

    /// The shape that was made last.
    pub(crate) fn last(&self) -> &[u8] {
        &self.shape
    }
}

/// Places for shapes that are known to stay as they are.
const STEADY: usize = 1 << 12;

/// What a shape is masked again with.
#[derive(Debug, Default)]
struct Again {
    text: Vec<u8>,
    shape: Vec<u8>,
    /// Shapes that stayed as they are, each at the place that its key says: many messages have the same.
    steady: Vec<Option<Key>>,
}

impl Again {
    /// Masks the text of a shape until it stays as it is. Only where it does not, the kinds of its slots are forgotten.
    fn settle(&mut self, shape: &mut Vec<u8>) {
        let is_slot = |b: u8| Kind::of_byte(b).is_some();
        self.steady.resize(STEADY, None);
        for _ in 1..PASSES {
            let key = Key::of(shape);
            let place = key.0 as usize % STEADY;
            if self.steady[place] == Some(key) {
                return;
            }
            self.text.clear();
            for b in shape.iter() {
                if is_slot(*b) { self.text.extend_from_slice(b"<*>") } else { self.text.push(*b) }
            }
            write_into(&mut self.shape, Digits::open(&self.text), &self.text);
            let same = |(one, other): (&u8, &u8)| one == other || is_slot(*one) && is_slot(*other);
            if shape.len() == self.shape.len() && shape.iter().zip(&self.shape).all(same) {
                self.steady[place] = Some(key);
                return;
            }
            std::mem::swap(shape, &mut self.shape);
        }
    }
}

/// What a shape is written with: blanks are held back until something follows them.
struct Writer<'d> {
    out: Vec<u8>,
    blank: bool,
    /// What the text is a part of.
    digits: Digits<'d>,
}

impl<'d> Writer<'d> {
    fn new(mut out: Vec<u8>, digits: Digits<'d>) -> Self {
        out.clear();
        Self { out, blank: false, digits }
    }

    fn catch_up(&mut self) {
        if self.blank {
            self.blank = false;
            if !self.out.is_empty() {
                self.out.push(b' ');
            }
        }
    }

    fn is_behind_slot(&self) -> bool {
        !self.blank && self.out.last().is_some_and(|last| Kind::of_byte(*last).is_some())
    }

    /// Literal text that may end with a blank, which is held back.
    fn run(&mut self, text: &[u8]) {
        let (text, blank) = match text {
            [text @ .., b' '] => (text, true),
            text => (text, false),
        };
        if !text.is_empty() {
            self.literal(text);
        }
        self.blank |= blank;
    }

    /// A part of the text as it is.
    fn literal(&mut self, text: &[u8]) {
        self.catch_up();
        self.out.extend_from_slice(self.digits.exactly(text));
    }

    /// A part of the text as it is, but for slots in it.
    fn kept(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some(slot) = memchr::memmem::find(rest, b"<*>") {
            if slot > 0 {
                self.literal(&rest[..slot]);
            }
            self.slot(Kind::Any);
            rest = &rest[slot + 3..];
        }
        if !rest.is_empty() {
            self.literal(rest);
        }
    }

    fn sign(&mut self, sign: u8) {
        self.catch_up();
        self.out.push(sign);
    }

    fn slot(&mut self, kind: Kind) {
        self.catch_up();
        match self.out.last_mut() {
            Some(last) if Kind::of_byte(*last).is_some() => *last = Kind::Any.byte(),
            _ => self.out.push(kind.byte()),
        }
    }
}

fn write_into(shape: &mut Vec<u8>, digits: Digits<'_>, text: &[u8]) {
    let mut writer = Writer::new(std::mem::take(shape), digits);
    write(&mut writer, text);
    *shape = writer.out;
    shorten(shape);
}

/// Leaves [`LONGEST`] bytes, cut between two words if one ends near.
fn shorten(shape: &mut Vec<u8>) {
    if shape.len() <= LONGEST {
        return;
    }
    let whole = whole_letters(shape, LONGEST - 1);
    let word = shape[..whole].iter().rposition(|b| *b == b' ').filter(|at| *at > LONGEST / 2);
    shape.truncate(word.map_or(whole, |at| at + 1));
    match shape.last_mut() {
        Some(last) if Kind::of_byte(*last).is_some() => *last = Kind::Any.byte(),
        _ => shape.push(Kind::Any.byte()),
    }
}

/// Goes through the text; what is neither blank nor variable is written in runs as long as they come.
fn write(writer: &mut Writer<'_>, text: &[u8]) {
    let mut at = 0;
    let mut run = 0;
    while let Some(first) = text.get(at) {
        let class = CLASS[usize::from(*first)];
        if class & STOP == 0 {
            let start = at;
            let mut classes = 0;
            let rest = &text[start..];
            let length = rest.iter().position(|b| {
                let class = CLASS[usize::from(*b)];
                classes |= class;
                class & STOP != 0
            });
            classes &= !STOP;
            at = length.map_or(text.len(), |length| start + length);
            let word = &text[start..at];
            if classes & (DIGIT | MARK | COLON) != 0 || is_special(word, classes) {
                writer.run(&text[run..start]);
                at = piece::piece(writer, text, start, at, classes);
                run = at;
            }
        } else if class == BLANK {
            // A single blank within a run stays in it.
            if *first != b' ' || run == at || text[at - 1] == b' ' {
                writer.run(&text[run..at]);
                writer.blank = true;
                run = at + 1;
            }
            at += 1;
        } else if *first == b'<' && text[at..].starts_with(b"<*>") {
            writer.run(&text[run..at]);
            writer.slot(Kind::Any);
            at += 3;
            run = at;
        } else if *first == BREAK.as_bytes()[0]
            && let Some(name) = frame::name(&text[at..])
        {
            writer.run(&text[run..at + name.start]);
            writer.kept(&text[at..][name.clone()]);
            at += name.end;
            run = at;
        } else {
            at += 1;
        }
    }
    writer.run(&text[run..]);
}

/// Whether a word of letters may be something else: a boolean, a hexadecimal number, the beginning of a date.
fn is_special(word: &[u8], classes: Class) -> bool {
    let special = match word[0] {
        b'T' | b'F' | b't' | b'f' => mask::is_bool(word) || is_name(word),
        b'A'..=b'Z' => is_name(word),
        _ => false,
    };
    special || mask::is_hex_word(word, classes)
}

/// The name of a month or weekday, which the first letter or the length tells most words from.
fn is_name(word: &[u8]) -> bool {
    (3..=9).contains(&word.len()) && b"jfmasondtw".contains(&(word[0] | 0x20)) && time::is_name(word)
}
