//! `Digits`: a line, and what reading it asked of its digits.
//!
//! The lines of a log differ in little but digits. With `0` for every digit they come down to a few thousand *outlines*, and
//! hardly anything of what a line says depends on more than its outline: where its header ends, which level it names, which
//! pieces are variables. So whoever reads a line here sees its outline only, and whatever does depend on a digit is asked of
//! `Digits`, which writes the question down. What was read of one line then holds for every line with the same outline that
//! gives the same answers; `memo` makes use of that.

mod asked;

use std::{cell::RefCell, ops::Range};

use self::asked::Recorder;
pub(crate) use self::asked::{Asked, Question, Told, hold};
use super::{
    clock::{Clock, Days, Manner},
    time::{self, Seen, Stamp, Witness},
};
use crate::{
    record::{Level, Onset, Record},
    token::{CLASS, STOP},
};

/// A line as it is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Digits<'a> {
    /// What is seen: the outline where questions are written down, else the line itself.
    outline: &'a [u8],
    line: &'a [u8],
    asked: Option<&'a RefCell<Asked>>,
}

/// Which kinds of times are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// [`time::stamp`].
    Any,
    /// [`time::dated`], with a time of day alone.
    Dated { alone: bool },
    /// [`time::epoch`].
    Epoch,
    /// [`time::compact_month_day`].
    MonthDay,
}

/// A time of a line as it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed<'a> {
    pub(crate) stamp: Stamp,
    /// What was read.
    text: &'a [u8],
    /// Its number among those that were asked for.
    number: usize,
}

impl Timed<'_> {
    pub(crate) fn moment(&self, reference: i64) -> Option<Moment> {
        self.stamp.millis(self.text, reference).map(|millis| Moment { millis, number: self.number })
    }
}

/// A time of a line: milliseconds since the epoch, and its number among those that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) millis: i64,
    pub(crate) number: usize,
}

/// What a line says: a record whose message is a part of the outline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) time: Option<Moment>,
    pub(crate) level: Option<Level>,
    pub(crate) onset: Onset,
    pub(crate) message: &'a [u8],
}

impl<'a> Said<'a> {
    /// Of a line that was read by itself.
    pub(super) fn record(self) -> Record<'a> {
        let Self { time, level, onset, message } = self;
        let time = time.map(|moment| moment.millis);
        Record { time, level, onset: onset.or_time(time), message }
    }
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Adds the outline of a line to others: `0` for every digit, and for every small letter of a piece that is all a number with
/// `0x` before it, and no key.
#[inline]
pub(crate) fn outline(line: &[u8], outlines: &mut Vec<u8>) {
    let start = outlines.len();
    outlines.extend_from_slice(line);
    // Whole blocks, without a branch, so that many are done at once.
    outlines.resize(start + line.len().next_multiple_of(BLOCK), 0);
    for block in outlines[start..].as_chunks_mut::<BLOCK>().0 {
        block.iter_mut().for_each(|b| *b = if b.is_ascii_digit() { b'0' } else { *b });
    }
    outlines.truncate(start + line.len());
    let out = &mut outlines[start..];
    let mut from = 1;
    while let Some(x) = out.get(from..).and_then(|rest| memchr::memchr(b'x', rest)).map(|at| from + at) {
        from = x + 1;
        let stops = |at: usize| line.get(at).is_none_or(|b| CLASS[usize::from(*b)] & STOP != 0 && *b != b'=');
        if line[x - 1] == b'0' && (x < 2 || CLASS[usize::from(line[x - 2])] & STOP != 0) {
            let end = from + line[from..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
            if stops(end) {
                // Whether there are capitals may say what a column is.
                out[from..end].iter_mut().for_each(|b| *b = if b.is_ascii_lowercase() { b'0' } else { *b });
            }
            from = end;
        }
    }
}

impl<'a> Digits<'a> {
    /// A line that is read by itself.
    pub(crate) fn open(line: &'a [u8]) -> Self {
        Self { outline: line, line, asked: None }
    }

    /// A line that is read by its outline.
    pub(crate) fn hidden(outline: &'a [u8], line: &'a [u8], asked: &'a RefCell<Asked>) -> Self {
        debug_assert_eq!(outline.len(), line.len());
        Self { outline, line, asked: Some(asked) }
    }

    /// What is to be looked at.
    pub(crate) fn outline(&self) -> &'a [u8] {
        self.outline
    }

    /// Whether digits are seen only when asked for.
    pub(crate) fn is_hidden(&self) -> bool {
        self.asked.is_some()
    }

    /// Where a part of the outline stands.
    pub(crate) fn place(&self, part: &[u8]) -> Range<usize> {
        let start = (part.as_ptr() as usize).wrapping_sub(self.outline.as_ptr() as usize);
        debug_assert!(start + part.len() <= self.outline.len(), "a part of the outline");
        start..start + part.len()
    }

    /// A part of the outline as it stands in the line.
    #[inline]
    pub(crate) fn exactly<'p>(&self, part: &'p [u8]) -> &'p [u8]
    where
        'a: 'p,
    {
        match self.asked {
            Some(asked) if part.iter().any(u8::is_ascii_digit) => {
                let place = self.place(part);
                asked.borrow_mut().exactly(&place);
                &self.line[place]
            }
            _ => part,
        }
    }

    /// The time that a part of the outline begins with.
    #[inline]
    pub(crate) fn time(&self, part: &'a [u8], how: How) -> Option<Timed<'a>> {
        match self.asked {
            None => how.read(part, &mut ()).map(|stamp| Timed { stamp, text: part, number: 0 }),
            Some(asked) => self.asked(asked, part, how, |text, witness| how.read(text, witness)),
        }
    }

    /// The time that a part of the outline begins with, a time of day alone too, as far as it was not read before.
    #[inline]
    pub(super) fn dated(&self, part: &'a [u8], seen: &mut Seen) -> Option<Timed<'a>> {
        match self.asked {
            None => seen.dated(part).map(|stamp| Timed { stamp, text: part, number: 0 }),
            Some(_) => self.time(part, How::Dated { alone: true }),
        }
    }

    /// As [`Self::dated`], by the clock of a form.
    #[inline]
    pub(super) fn clocked(
        &self,
        part: &'a [u8],
        (clock, manner): (&Clock, Manner),
        reference: i64,
        days: &mut Days,
    ) -> Option<(usize, Option<Moment>)> {
        match self.asked {
            None => {
                let (length, millis) = clock.read(part, manner, reference, days)?;
                Some((length, millis.map(|millis| Moment { millis, number: 0 })))
            }
            Some(asked) => {
                let how = How::Dated { alone: true };
                let timed = self.asked(asked, part, how, |text, witness| clock.stamp(text, manner, witness))?;
                Some((timed.stamp.length, timed.moment(reference)))
            }
        }
    }

    /// The time that a part of the outline begins with, all that its reading depended on written down.
    fn asked(
        &self,
        asked: &RefCell<Asked>,
        part: &[u8],
        how: How,
        read: impl FnOnce(&[u8], &mut Recorder<'_>) -> Option<Stamp>,
    ) -> Option<Timed<'a>> {
        if !how.may_begin(part) {
            return None;
        }
        let place = self.place(part);
        let text = &self.line[place.clone()];
        let mut asked = asked.borrow_mut();
        if text.first() == Some(&b'@') {
            // Whether it is a label depends on all of its digits.
            asked.exactly(&(place.start..place.end.min(place.start + time::LABEL)));
        }
        let stamp = read(text, &mut asked.from(place.start))?;
        Some(Timed { stamp, text, number: asked.time(place.start, stamp) })
    }
}

impl How {
    fn read(self, bytes: &[u8], witness: &mut impl Witness) -> Option<Stamp> {
        match self {
            Self::Any => time::stamp(bytes, witness),
            Self::Dated { alone } => time::dated(bytes, alone, witness),
            Self::Epoch => time::epoch(bytes, witness),
            Self::MonthDay => time::compact_month_day(bytes, witness),
        }
    }

    /// Whether a text with this outline may begin with such a time; hardly any number may.
    #[inline]
    fn may_begin(self, outline: &[u8]) -> bool {
        let stamp = || time::may_begin(outline) && (outline[0].is_ascii_digit() || time::begins_with_name(outline));
        match self {
            Self::Any => stamp(),
            Self::Dated { .. } => stamp() || time::may_be_epoch(outline) || outline.first() == Some(&b'@'),
            Self::Epoch => time::may_be_epoch(outline),
            Self::MonthDay => true,
        }
    }
}
