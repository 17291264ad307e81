//! `Asked`: what the reading of one line asked of its digits; `Question`: one of these, to be asked of other lines.

use std::ops::Range;

use crate::format::time::{Bounds, Number, Stamp, Witness, is_day};

/// What was asked while a line was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    questions: Vec<Question>,
    /// Where digits stand as they are in what was made of the line.
    exact: Vec<(u16, u16)>,
    /// The times that were found.
    times: Vec<Told>,
}

/// A question about the digits of a line, with its answer. The lines that are read by their outline are short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Whether a number is within bounds.
    Within { at: u16, width: u8, bounds: Bounds, inside: bool },
    /// Whether there is such a month and day; a month that is written in letters has no digits.
    Day { month: u8, month_at: u16, month_width: u8, day_at: u16, day_width: u8, exists: bool },
    /// What is written between two places.
    Exact { start: u16, end: u16 },
}

/// A time of a line, and where reading it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    start: u16,
    stamp: Stamp,
}

/// Writes down what the reading of a time asks.
pub(super) struct Recorder<'a> {
    questions: &'a mut Vec<Question>,
    /// Where reading began.
    start: u16,
}

impl Recorder<'_> {
    fn ask(&mut self, question: Question) {
        if !self.questions.contains(&question) {
            self.questions.push(question);
        }
    }
}

impl Witness for Recorder<'_> {
    fn within(&mut self, number: Number, bounds: Bounds, inside: bool) {
        if number.width > 0 {
            self.ask(Question::Within { at: self.start + u16::from(number.at), width: number.width, bounds, inside });
        }
    }

    fn day(&mut self, month: Number, day: Number, exists: bool) {
        self.ask(Question::Day {
            month: month.base as u8,
            month_at: self.start + u16::from(month.at),
            month_width: month.width,
            day_at: self.start + u16::from(day.at),
            day_width: day.width,
            exists,
        });
    }
}

impl Asked {
    /// Back to nothing, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.questions.clear();
        self.exact.clear();
        self.times.clear();
    }

    /// The digits at this place are needed as they are.
    pub(super) fn exactly(&mut self, place: &Range<usize>) {
        self.exact.push((short(place.start), short(place.end)));
    }

    /// For a time that is read from here on.
    pub(super) fn from(&mut self, start: usize) -> Recorder<'_> {
        Recorder { questions: &mut self.questions, start: short(start) }
    }

    /// Remembers a time; gives it a number.
    pub(super) fn time(&mut self, start: usize, stamp: Stamp) -> usize {
        self.times.push(Told { start: short(start), stamp });
        self.times.len() - 1
    }

    /// The time with this number.
    pub(crate) fn told(&self, number: usize) -> Told {
        self.times[number]
    }

    /// All that has been asked of this line, to be asked of others; what is to be written exactly goes to `texts`.
    pub(crate) fn write(&mut self, line: &[u8], texts: &mut Vec<u8>) -> &[Question] {
        self.exact.sort_unstable();
        self.exact.dedup();
        for (start, end) in &self.exact {
            self.questions.push(Question::Exact { start: *start, end: *end });
            texts.extend_from_slice(&line[usize::from(*start)..usize::from(*end)]);
        }
        &self.questions
    }
}

/// Whether a line with the same outline gives the same answers; `texts` begins with what is written exactly.
#[inline]
pub(crate) fn hold(questions: &[Question], mut texts: &[u8], line: &[u8]) -> bool {
    questions.iter().all(|question| match *question {
        Question::Within { at, width, bounds, inside } => bounds.contain(number(line, at, width)) == inside,
        Question::Day { month, month_at, month_width, day_at, day_width, exists } => {
            let month = i64::from(month) + number(line, month_at, month_width);
            is_day(month, number(line, day_at, day_width)) == exists
        }
        Question::Exact { start, end } => {
            let text = &line[usize::from(start)..usize::from(end)];
            let (here, rest) = texts.split_at(text.len());
            texts = rest;
            text == here
        }
    })
}

impl Told {
    /// In a line with the same outline and answers, as [`Stamp::millis`].
    #[inline]
    pub(crate) fn millis(&self, line: &[u8], reference: i64) -> Option<i64> {
        self.stamp.millis(&line[usize::from(self.start)..], reference)
    }
}

#[inline]
fn number(line: &[u8], at: u16, width: u8) -> i64 {
    let digits = &line[usize::from(at)..][..usize::from(width)];
    digits.iter().fold(0, |value, b| value * 10 + i64::from(b - b'0'))
}

/// A place in a line that is read by its outline.
fn short(at: usize) -> u16 {
    u16::try_from(at).expect("lines read by their outline are bounded")
}
