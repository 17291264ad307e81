//! `Digits`: a line, and what reading it asked of its digits.
//!
//! The lines of a log differ in little but digits. With `0` for every digit they come down to a few thousand *outlines*, and
//! hardly anything of what a line says depends on more than its outline: where its header ends, which level it names, which
//! pieces are variables. So whoever reads a line here sees its outline only, and whatever does depend on a digit is asked of
//! `Digits`, which writes the question down. What was read of one line then holds for every line with the same outline that
//! gives the same answers; `memo` makes use of that.

use std::{cell::RefCell, ops::Range};

use super::{
    clock::{self, Clock, Days},
    time::{self, Seen, Stamp},
};
use crate::{
    record::{Level, Record},
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

/// What was asked while a line was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Where digits stand as they are in what was made of the line.
    exact: Vec<Place>,
    /// Which times stand where.
    times: Vec<(Question, Clock)>,
}

/// Where a part of a line stands: the lines that are read by their outline are short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    start: u16,
    end: u16,
}

/// Which time stands at a place, and what of the answer the reading may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question {
    /// What was to be read, from the place on.
    place: Place,
    how: How,
    answer: Option<Answer>,
    /// Which of the [`Clocks`] reads it.
    clock: u8,
}

/// How times are written, each once. The first one reads any.
#[derive(Debug)]
pub(crate) struct Clocks(Vec<Clock>);

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

/// What is known of a time without its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    length: u16,
    has_date: bool,
    /// Told only where it decides something.
    has_time: bool,
}

/// A time of a line as it was read, and which question told it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(crate) stamp: Stamp,
    pub(crate) question: usize,
}

impl Timed {
    pub(crate) fn moment(&self, reference: i64) -> Option<Moment> {
        self.stamp.millis(reference).map(|millis| Moment { millis, question: self.question })
    }
}

/// A time of a line: milliseconds since the epoch, and which question told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) millis: i64,
    pub(crate) question: usize,
}

/// What a line says: a record whose message is a part of the outline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) time: Option<Moment>,
    pub(crate) level: Option<Level>,
    pub(crate) message: &'a [u8],
}

impl<'a> Said<'a> {
    /// Of a line that was read by itself.
    pub(super) fn record(self) -> Record<'a> {
        Record { time: self.time.map(|moment| moment.millis), level: self.level, message: self.message }
    }
}

/// Writes the outline of a line: `0` for every digit, and for every small letter of a piece that is all a number with `0x`
/// before it, and no key.
#[inline]
pub(crate) fn outline(line: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(line);
    // Without a branch, so that many are done at once.
    out.iter_mut().for_each(|b| *b = if b.is_ascii_digit() { b'0' } else { *b });
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
                asked.borrow_mut().exact.push(Place::of(&place));
                &self.line[place]
            }
            _ => part,
        }
    }

    /// The time that a part of the outline begins with.
    #[inline]
    pub(crate) fn time(&self, part: &[u8], how: How) -> Option<Timed> {
        self.timed(part, how, |bytes| how.read(bytes))
    }

    /// The time that a part of the outline begins with, a time of day alone too, as far as it was not read before.
    #[inline]
    pub(super) fn dated(&self, part: &[u8], seen: &mut Seen) -> Option<Timed> {
        self.timed(part, How::Dated { alone: true }, |bytes| seen.dated(bytes))
    }

    #[inline]
    fn timed(&self, part: &[u8], how: How, read: impl FnOnce(&[u8]) -> Option<Stamp>) -> Option<Timed> {
        let Some(asked) = self.asked else { return read(part).map(|stamp| Timed { stamp, question: 0 }) };
        if !how.may_begin(part) {
            return None;
        }
        let place = self.place(part);
        let found = read(&self.line[place.clone()]);
        let question = asked.borrow_mut().ask(place, how, found.map(|stamp| how.answer(&stamp)), Clock::default());
        found.map(|stamp| Timed { stamp, question })
    }

    /// As [`Self::dated`], by the clock of a form.
    #[inline]
    pub(super) fn clocked(
        &self,
        part: &[u8],
        clock: &Clock,
        reference: i64,
        days: &mut Days,
    ) -> Option<(usize, Option<Moment>)> {
        let moment = |millis: Option<i64>, question| millis.map(|millis| Moment { millis, question });
        let Some(asked) = self.asked else {
            return clock.read(part, reference, days).map(|(length, millis)| (length, moment(millis, 0)));
        };
        let how = How::Dated { alone: true };
        if !how.may_begin(part) {
            return None;
        }
        let place = self.place(part);
        let found = clock.read(&self.line[place.clone()], reference, days);
        let question = asked.borrow_mut().ask(place, how, found.map(Answer::of_clock), clock.clone());
        found.map(|(length, millis)| (length, moment(millis, question)))
    }
}

impl Asked {
    /// Back to nothing, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.exact.clear();
        self.times.clear();
    }

    fn ask(&mut self, place: Range<usize>, how: How, answer: Option<Answer>, clock: Clock) -> usize {
        let question = Question { place: Place::of(&place), how, answer, clock: 0 };
        let asked = (question, clock);
        self.times.iter().position(|known| *known == asked).unwrap_or_else(|| {
            self.times.push(asked);
            self.times.len() - 1
        })
    }

    /// All that has been asked of this line, to be asked of others.
    pub(crate) fn of(&mut self, line: &[u8], clocks: &mut Clocks) -> Answers {
        self.exact.sort_unstable();
        self.exact.dedup();
        let texts = self.exact.iter().flat_map(|place| place.of_line(line)).copied().collect();
        let times = self.times.iter().map(|(question, clock)| {
            let clock = if clock.is_known() { clock.clone() } else { question.clock_for(line) };
            // Where there is no time, looking for any is all it takes.
            let clock = if question.answer.is_some() { clocks.number(clock) } else { 0 };
            Question { clock, ..*question }
        });
        Answers { times: times.collect(), exact: self.exact.as_slice().into(), texts }
    }
}

/// What was asked of the digits of one line, with its answers.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    times: Box<[Question]>,
    /// Where digits are as they are in `texts`, one after the other.
    exact: Box<[Place]>,
    texts: Box<[u8]>,
}

impl Answers {
    /// Bytes that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.times) + size_of_val(&*self.exact) + self.texts.len()
    }

    /// Whether a line with the same outline gives the same answers; then with the time that the question `told` is about.
    #[inline]
    pub(crate) fn hold(
        &self,
        line: &[u8],
        told: Option<u8>,
        reference: i64,
        (clocks, days): (&Clocks, &mut Days),
    ) -> Option<Option<i64>> {
        let mut texts = &self.texts[..];
        for place in &self.exact {
            let text = place.of_line(line);
            let (here, rest) = texts.split_at(text.len());
            if text != here {
                return None;
            }
            texts = rest;
        }
        days.seen = Seen::default();
        let mut time = None;
        for (i, question) in self.times.iter().enumerate() {
            let clock = &clocks.0[usize::from(question.clock)];
            let moment = question.ask_again(line, clock, reference, days)?;
            if told.is_some_and(|told| usize::from(told) == i) {
                time = moment.millis(reference);
            }
        }
        Some(time)
    }
}

impl Question {
    /// The time in another line, if the answer is the same.
    #[inline]
    fn ask_again(&self, line: &[u8], clock: &Clock, reference: i64, days: &mut Days) -> Option<Found> {
        let bytes = self.place.of_line(line);
        let (answer, found) = if self.clock == 0 {
            let found = self.how.read(bytes);
            (found.map(|stamp| self.how.answer(&stamp)), Found::Stamp(found))
        } else {
            let found = clock.read(bytes, reference, days);
            (found.map(Answer::of_clock), Found::Millis(found.and_then(|(_, millis)| millis)))
        };
        (answer == self.answer).then_some(found)
    }

    /// A clock is faster; it tells all there is of a time that no digits stand close behind.
    fn clock_for(&self, line: &[u8]) -> Clock {
        let Some(answer) = self.answer.filter(|answer| answer.has_date && matches!(self.how, How::Dated { .. })) else {
            return Clock::default();
        };
        let (written, behind) = self.place.of_line(line).split_at(usize::from(answer.length));
        let behind = behind.strip_prefix(b" ").unwrap_or(behind);
        let goes_on = match behind {
            [b'0'..=b'9', ..] => true,
            [b'+' | b'-' | b'.' | b',' | b':', digit, ..] => digit.is_ascii_digit(),
            _ => false,
        };
        if goes_on { Clock::default() } else { Clock::of(&clock::pattern(written)) }
    }
}

/// A time that may not be asked for any more.
enum Found {
    Stamp(Option<Stamp>),
    Millis(Option<i64>),
}

impl Found {
    fn millis(self, reference: i64) -> Option<i64> {
        match self {
            Self::Stamp(stamp) => stamp.and_then(|stamp| stamp.millis(reference)),
            Self::Millis(millis) => millis,
        }
    }
}

impl Place {
    /// Of a line that is read by its outline.
    fn of(range: &Range<usize>) -> Self {
        let within = |at: usize| u16::try_from(at).expect("lines read by their outline are bounded");
        Self { start: within(range.start), end: within(range.end) }
    }

    #[inline]
    fn of_line(self, line: &[u8]) -> &[u8] {
        &line[usize::from(self.start)..usize::from(self.end)]
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Self(vec![Clock::default()])
    }
}

impl Clocks {
    /// The number of a clock; that of the one which reads any when there are too many.
    fn number(&mut self, clock: Clock) -> u8 {
        let at = self.0.iter().position(|known| *known == clock).unwrap_or_else(|| {
            self.0.push(clock);
            self.0.len() - 1
        });
        self.0.truncate(usize::from(u8::MAX));
        if at < self.0.len() { at as u8 } else { 0 }
    }
}

impl How {
    fn read(self, bytes: &[u8]) -> Option<Stamp> {
        match self {
            Self::Any => time::stamp(bytes),
            Self::Dated { alone } => time::dated(bytes, alone),
            Self::Epoch => time::epoch(bytes),
            Self::MonthDay => time::compact_month_day(bytes),
        }
    }

    /// Whether a text with this outline may begin with such a time; hardly any number may.
    #[inline]
    fn may_begin(self, outline: &[u8]) -> bool {
        let stamp = || time::may_begin(outline) && (outline[0].is_ascii_digit() || time::begins_with_name(outline));
        match self {
            Self::Any => stamp(),
            Self::Dated { .. } => stamp() || time::may_be_epoch(outline),
            Self::Epoch => time::may_be_epoch(outline),
            Self::MonthDay => true,
        }
    }

    fn answer(self, stamp: &Stamp) -> Answer {
        // Whether there is a time of day decides nothing where a date is looked for.
        let has_time = self == Self::Any && stamp.has_time();
        Answer { length: short(stamp.length), has_date: stamp.has_date(), has_time }
    }
}

impl Answer {
    fn of_clock((length, millis): (usize, Option<i64>)) -> Self {
        Self { length: short(length), has_date: millis.is_some(), has_time: false }
    }
}

/// Bytes of a time; one that is longer than there is room for is none of ours.
fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
