//! Times that are all written alike: whether one is written in the same manner, which tells the lines of one program from those
//! of another; and read fast, as where the digits of the time of day stand is known, and the day is computed once for all lines
//! that write it with the same bytes.

use super::time::{self, Bounds, Number, Seen, Stamp, Witness};

/// How the times of a layout are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// As [`manner`] gives it; empty when any will do.
    manner: Box<[u8]>,
    /// The text with `0` for every digit and `a` for every letter; empty when it is not known.
    pattern: Box<[u8]>,
    /// Where the hour stands in it; seconds are to the right of it as `00:00:00`.
    of_day: usize,
    /// Digits of the fraction and the mark before them; 0 is none.
    fraction: usize,
}

/// Which times a clock reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Those in its own manner.
    Own,
    /// All.
    Any,
}

/// Days that are remembered: lines of several programs may come in turns.
const DAYS: usize = 8;

/// The days that were read last, by their bytes. Saves work, changes nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Days {
    days: [Day; DAYS],
    /// Of the line that is read; emptied before the next one.
    pub(super) seen: Seen,
}

/// A day as it is written.
#[derive(Debug, Clone, Default)]
struct Day {
    before: Vec<u8>,
    after: Vec<u8>,
    /// Milliseconds since the epoch at which it begins; `None` is a day that cannot be.
    begin: Option<i64>,
}

impl Days {
    /// The place of a day that is written like this before the time.
    #[inline]
    fn place(&mut self, before: &[u8]) -> &mut Day {
        let sum = before.iter().fold(0_usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(*b)));
        &mut self.days[sum % DAYS]
    }
}

const OF_DAY: &[u8] = b"00:00:00";

impl Clock {
    /// Of a pattern as [`pattern`] gives it.
    pub(super) fn of(pattern: &[u8]) -> Self {
        let manner = manner(pattern).collect();
        // Not the year before it: `2024:12:00:00`.
        let begins = |at: &usize| pattern[*at..].starts_with(OF_DAY) && pattern[at - 1] != b'0';
        let Some(of_day) = (1..pattern.len()).find(begins) else { return Self { manner, ..Self::default() } };
        let behind = &pattern[of_day + OF_DAY.len()..];
        let digits = match behind.first() {
            Some(b'.' | b',' | b':') => behind[1..].iter().take_while(|b| **b == b'0').count(),
            _ => 0,
        };
        let fraction = if digits > 0 { digits + 1 } else { 0 };
        let word = behind[fraction..].strip_prefix(b" ").unwrap_or(&behind[fraction..]);
        if time::ends_with_half(&pattern[..of_day]) || word.iter().take_while(|b| **b == b'a').count() == 2 {
            // `PM`: which hour of the day it is depends on more than the digits.
            return Self { manner, ..Self::default() };
        }
        Self { manner, pattern: pattern.into(), of_day, fraction }
    }

    /// The manner in which its times are written; empty when any will do.
    pub(super) fn manner(&self) -> &[u8] {
        &self.manner
    }

    /// Whether a text is a time in this manner, or need not be.
    fn takes(&self, text: &[u8], how: Manner) -> bool {
        how == Manner::Any || self.manner.is_empty() || manner(text).eq(self.manner.iter().copied())
    }

    /// Reads the time at the front: its bytes, and milliseconds since the epoch where it says which day it was.
    #[inline]
    pub(super) fn read(
        &self,
        bytes: &[u8],
        how: Manner,
        reference: i64,
        days: &mut Days,
    ) -> Option<(usize, Option<i64>)> {
        let length = self.pattern.len();
        if let Some(text) = bytes.get(..length).filter(|_| length > 0)
            && !bytes.get(length).is_some_and(u8::is_ascii_digit)
            && self.fits(text)
            && let Some(of_day) = millis_of_day(&text[self.of_day..])
        {
            let behind = self.of_day + OF_DAY.len();
            let (before, fraction, after) =
                (&text[..self.of_day], &text[behind..behind + self.fraction], &text[behind + self.fraction..]);
            if let Some(millis) = fraction_millis(fraction) {
                let day = days.place(before);
                if day.before == before && day.after == after {
                    return Some((length, day.begin.map(|begin| begin + of_day + millis)));
                }
                if let Some(stamp) = time::in_columns(text, &mut ()).filter(|stamp| stamp.length == length) {
                    let time = stamp.millis(text, reference);
                    if stamp.is_of_one_year(text, reference) {
                        day.before.clear();
                        day.before.extend_from_slice(before);
                        day.after.clear();
                        day.after.extend_from_slice(after);
                        day.begin = time.map(|time| time - of_day - millis);
                    }
                    return Some((length, time));
                }
            }
        }
        match days.seen.dated(bytes).filter(|stamp| self.takes(&bytes[..stamp.length], how)) {
            Some(stamp) => Some((stamp.length, stamp.millis(bytes, reference))),
            None => self.impossible(bytes).map(|stamp| (stamp.length, None)),
        }
    }

    /// As [`Self::read`], with a witness.
    pub(super) fn stamp(&self, bytes: &[u8], how: Manner, witness: &mut impl Witness) -> Option<Stamp> {
        let other = |witness| time::dated(bytes, true, witness).filter(|stamp| self.takes(&bytes[..stamp.length], how));
        self.written(bytes, witness).or_else(|| other(witness)).or_else(|| self.impossible(bytes))
    }

    /// What is written as the others are and is no time that can be, as in a month 13: it stands where they do, and tells nothing.
    fn impossible(&self, bytes: &[u8]) -> Option<Stamp> {
        let length = self.pattern.len();
        let text = bytes.get(..length).filter(|text| length > 0 && self.fits(text))?;
        let begins = text[0].is_ascii_digit() || time::begins_with_name(text);
        let ends = !bytes.get(length).is_some_and(u8::is_ascii_digit);
        (begins && ends).then(|| Stamp::of_nothing(length))
    }

    /// A time that is written as the others are.
    fn written(&self, bytes: &[u8], witness: &mut impl Witness) -> Option<Stamp> {
        let length = self.pattern.len();
        let text = bytes.get(..length).filter(|text| length > 0 && self.fits(text))?;
        if bytes.get(length).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        for (at, bounds) in [(0, Bounds::Hour), (3, Bounds::Minute), (6, Bounds::Second)] {
            let number = Number::of_two_digits(self.of_day + at)?;
            let inside = bounds.contain(number.of(text));
            witness.within(number, bounds, inside);
            inside.then_some(())?;
        }
        time::in_columns(text, witness).filter(|stamp| stamp.length == length)
    }

    fn fits(&self, text: &[u8]) -> bool {
        text.iter().zip(&self.pattern).all(|(b, class)| class_of(*b) == *class)
    }
}

/// What is common to all times that are written alike.
pub(super) fn pattern(text: &[u8]) -> Vec<u8> {
    written(text).iter().map(|b| class_of(*b)).collect()
}

/// What is common to all times of one program: [`pattern`] with one sign for a run of digits, of letters or of blanks.
pub(super) fn manner(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut before = None;
    written(text).iter().map(|b| class_of(*b)).filter(move |class| {
        let goes_on = matches!(class, b'0' | b'a' | b' ') && before == Some(*class);
        before = Some(*class);
        !goes_on
    })
}

/// As much of a text as tells how a time is written: of a label of TAI64N the sign, as its digits may be letters.
fn written(text: &[u8]) -> &[u8] {
    &text[..if text.first() == Some(&b'@') { 1 } else { text.len() }]
}

/// A text with one sign for a run of digits.
pub(crate) fn without_digits(text: &[u8]) -> Vec<u8> {
    let mut short: Vec<u8> = text.iter().map(|b| if b.is_ascii_digit() { b'0' } else { *b }).collect();
    short.dedup_by(|b, before| *b == b'0' && *before == b'0');
    short
}

fn class_of(b: u8) -> u8 {
    match b {
        b'0'..=b'9' => b'0',
        b'A'..=b'Z' | b'a'..=b'z' => b'a',
        _ => b,
    }
}

/// Of `hh:mm:ss`.
#[inline]
fn millis_of_day(text: &[u8]) -> Option<i64> {
    let text: &[u8; 8] = text.first_chunk()?;
    let two = |at: usize| {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
    };
    let (hours, minutes, seconds) = (two(0)?, two(3)?, two(6)?);
    let fits = text[2] == b':' && text[5] == b':' && hours <= 24 && minutes < 60 && seconds <= 60;
    fits.then_some(((hours * 60 + minutes) * 60 + seconds) * 1000)
}

/// Of a mark and digits, or of nothing.
#[inline]
fn fraction_millis(text: &[u8]) -> Option<i64> {
    let [mark, digits @ ..] = text else { return Some(0) };
    if !matches!(mark, b'.' | b',' | b':') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((0..3).fold(0, |millis, i| millis * 10 + digits.get(i).map_or(0, |digit| i64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_remembered_is_one_of_the_clock_s_own_manner() {
        let [dashes, slashes] =
            ["2026-11-20 10:00:00", "2026/11/20 10:00:00"].map(|t| Clock::of(&pattern(t.as_bytes())));
        let mut days = Days::default();
        for _ in 0..2 {
            let mut read = |clock: &Clock| {
                days.seen = Seen::default();
                clock.read(b"2026/11/20 10:36:12 up", Manner::Own, 0, &mut days)
            };
            assert_eq!(read(&slashes).map(|(length, time)| (length, time.is_some())), Some((19, true)));
            assert_eq!(read(&dashes), None);
        }
    }
}
