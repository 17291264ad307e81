//! Timestamps in the forms logs have them, read by hand: no regular expression, no allocation. Owns the grammar of
//! dates and times of day; where in a line a time may stand is `header`'s.

mod names;
mod stamp;

use self::{
    names::{Unit, ZONES, half, month, weekday},
    stamp::{Epoch, Half, OfDay, Zone},
};
pub(crate) use self::{
    names::{ends_with_half, is_name},
    stamp::{Bounds, LABEL, Number, Stamp, Witness, is_day},
};
use super::columns;

/// Blanks between the columns of a date and a time of day at most.
const BETWEEN: usize = 8;

/// Reads the date, the time of day, or both, that the bytes start with; the longest there is.
#[inline]
pub(crate) fn stamp(bytes: &[u8], witness: &mut impl Witness) -> Option<Stamp> {
    if may_begin(bytes) { whole(bytes, false, witness) } else { None }
}

/// As [`stamp`], where date and time of day may be two columns, with more than a blank between them.
#[inline]
pub(super) fn in_columns(bytes: &[u8], witness: &mut impl Witness) -> Option<Stamp> {
    if may_begin(bytes) { whole(bytes, true, witness) } else { None }
}

/// Whether digits and what stands behind them may begin a date or a time of day. Most numbers do not, which this tells before
/// anything is read.
#[inline]
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let digits = digits_at_front(bytes, 9);
    match (digits, bytes.get(digits)) {
        (0, first) => first.is_some_and(u8::is_ascii_alphabetic),
        (1 | 2, Some(b'/' | b'-' | b'.' | b' ' | b':')) | (4, Some(b'-' | b'/' | b'.' | 0x80..)) | (6, _) => true,
        (8, Some(b'-' | b' ' | b'T' | b'_' | b'\t' | b'|' | b',' | b';')) => true,
        _ => false,
    }
}

fn whole(bytes: &[u8], columns: bool, witness: &mut impl Witness) -> Option<Stamp> {
    let mut reader = Reader { bytes, at: 0, columns, witness };
    let mut stamp = Stamp::default();
    match bytes.first()? {
        b'0'..=b'9' => {
            if reader.numeric(&mut stamp).is_none() {
                (reader.at, stamp) = (0, Stamp::default());
                reader.of_day(&mut stamp)?;
            }
        }
        b'A'..=b'Z' | b'a'..=b'z' => reader.named(&mut stamp)?,
        _ => return None,
    }
    stamp.length = reader.at;
    Some(stamp)
}

/// A time that may stand in a header; `alone`: a time of day without a date will do.
pub(super) fn dated(bytes: &[u8], alone: bool, witness: &mut impl Witness) -> Option<Stamp> {
    in_columns(bytes, witness)
        .filter(|stamp| stamp.has_date() || (alone && (stamp.length >= 7 || stamp.has_half())))
        .or_else(|| epoch(bytes, witness))
        .or_else(|| Stamp::of_label(bytes))
}

/// The time that was looked for last in a line. Several forms, and the reading of the line by itself, look at the same place.
/// Saves work, changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen(Option<(usize, Option<Stamp>)>);

impl Seen {
    /// As [`dated`] with a time of day alone, for bytes that go to the end of the line.
    pub(super) fn dated(&mut self, bytes: &[u8]) -> Option<Stamp> {
        match self.0 {
            Some((behind, found)) if behind == bytes.len() => found,
            _ => {
                let found = dated(bytes, true, &mut ());
                self.0 = Some((bytes.len(), found));
                found
            }
        }
    }
}

/// Whether there are as many digits as [`epoch`] takes.
#[inline]
pub(super) fn may_be_epoch(bytes: &[u8]) -> bool {
    matches!(digits_at_front(bytes, 20), 10 | 13 | 16 | 19)
}

/// Digits at the front, as far as there are no more than `most`. Eight bytes at a time: how many digits come is what a
/// processor guesses wrong.
#[inline]
fn digits_at_front(bytes: &[u8], most: usize) -> usize {
    const EACH: u64 = u64::MAX / 0xff;
    let mut at = 0;
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        // What is 0 to 9 now was a digit; the highest bit of a byte is set for all else.
        let values = u64::from_le_bytes(*eight) ^ (EACH * 0x30);
        let others = (((values & (EACH * 0x7f)) + EACH * 0x76) | values) & (EACH * 0x80);
        if others != 0 {
            return most.min(at + others.trailing_zeros() as usize / 8);
        }
        at += 8;
        if at >= most {
            return most;
        }
    }
    most.min(at + bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count())
}

/// Seconds, milliseconds, microseconds or nanoseconds since the epoch, between 2001 and 2065.
pub(crate) fn epoch(bytes: &[u8], witness: &mut impl Witness) -> Option<Stamp> {
    let digits = digits_at_front(bytes, 20);
    if !matches!(digits, 10 | 13 | 16 | 19) {
        return None;
    }
    let mut reader = Reader { bytes, at: digits, columns: false, witness };
    let first = |width| Number { width, ..Number::default() };
    if !reader.within(first(10), Bounds::Epoch) {
        return None;
    }
    let mut epoch = Epoch { whole: first(digits.min(13) as u8), fraction: Number::default() };
    if digits == 10 && reader.byte(b'.').is_some() {
        epoch.fraction = reader.fraction()?;
    }
    Some(Stamp { length: reader.at, epoch: Some(epoch), ..Stamp::default() })
}

/// Month, day, hour, minute, second and fraction as `0102 15:04:05.000000` (klog, after its level letter) or
/// `0102/150405.000000`.
pub(crate) fn compact_month_day(bytes: &[u8], witness: &mut impl Witness) -> Option<Stamp> {
    let mut reader = Reader { bytes, at: 0, columns: false, witness };
    let (month, day) = (reader.digits(2, 2)?, reader.digits(2, 2)?);
    let mut stamp = Stamp { month_day: Some(reader.day(month, day)?), ..Stamp::default() };
    reader.one_of(b" /")?;
    reader.of_day(&mut stamp)?;
    stamp.length = reader.at;
    Some(stamp)
}

/// Whether the first word is such a name: what [`stamp`] reads in words begins with one.
pub(super) fn begins_with_name(bytes: &[u8]) -> bool {
    is_name(Reader { bytes, at: 0, columns: false, witness: &mut () }.word())
}

/// Reads from the front; every method either reads what it is named after or leaves `at` undefined and says `None`.
struct Reader<'a, 'w, W> {
    bytes: &'a [u8],
    at: usize,
    /// Whether date and time of day may be two columns.
    columns: bool,
    witness: &'w mut W,
}

impl<'a, W: Witness> Reader<'a, '_, W> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn one_of(&mut self, set: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|b| set.contains(b))?;
        self.at += 1;
        Some(byte)
    }

    fn count_digits(&self) -> usize {
        digits_at_front(&self.bytes[self.at..], 20)
    }

    /// A run of at least `least` and at most `most` digits, all of the run.
    #[inline(always)]
    fn digits(&mut self, least: usize, most: usize) -> Option<Number> {
        let start = self.at;
        while self.at - start < most && self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        let width = self.at - start;
        (width >= least).then_some(())?;
        Some(Number { base: 0, at: u8::try_from(start).ok()?, width: width as u8 })
    }

    /// Digits of a fraction, to milliseconds.
    fn fraction(&mut self) -> Option<Number> {
        let count = self.count_digits();
        let at = u8::try_from(self.at).ok()?;
        self.at += count;
        (count > 0).then_some(Number { base: 0, at, width: count.min(3) as u8 })
    }

    #[inline]
    fn within(&mut self, number: Number, bounds: Bounds) -> bool {
        let inside = bounds.contain(number.of(self.bytes));
        self.witness.within(number, bounds, inside);
        inside
    }

    /// A month and a day, if they exist.
    fn day(&mut self, month: Number, day: Number) -> Option<(Number, Number)> {
        let exists = is_day(month.of(self.bytes), day.of(self.bytes));
        self.witness.day(month, day, exists);
        exists.then_some((month, day))
    }

    /// A whole word of letters.
    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphabetic()) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    /// `attempt`, or nothing read.
    fn perhaps<T>(&mut self, attempt: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.at;
        let found = attempt(self);
        if found.is_none() {
            self.at = before;
        }
        found
    }

    /// A date that starts with a digit, with the time of day after it.
    fn numeric(&mut self, stamp: &mut Stamp) -> Option<()> {
        let run = self.count_digits();
        let mark = *self.bytes.get(self.at + run)?;
        let needs_time = match (run, mark) {
            (4, b'-' | b'/' | b'.') => self.year_first(stamp)?,
            (4, 0x80..) => self.spelled(stamp)?,
            (8, b'-' | b' ' | b'T' | b'_' | b'\t' | b'|' | b',' | b';') => self.run_together(stamp, 4)?,
            (6, b' ') => self.run_together(stamp, 2)?,
            (1 | 2, b'/' | b'-' | b'.' | b' ') => self.day_first(stamp)?,
            _ => return None,
        };
        let read = self.perhaps(|reader| {
            // In other scripts nothing need stand between them.
            let sep = reader.one_of(b" T-_:");
            if sep.or((!mark.is_ascii()).then_some(0))? == b' ' {
                reader.byte(b' ').unwrap_or_default();
            }
            reader.of_day(stamp)
        });
        let read = read.or_else(|| self.perhaps(|reader| reader.of_day_in_next_column(stamp)));
        (read.is_some() || !(needs_time || self.columns && self.is_before_of_day())).then_some(())
    }

    /// Whether what is written like a time of day follows, that can be none: the day before it says when nothing was.
    fn is_before_of_day(&self) -> bool {
        let text = self.bytes.get(self.at + 1..self.at + 9).unwrap_or_default();
        !text.is_empty() && text.iter().zip(b"00:00:00").all(|(b, is)| b == is || (*is == b'0' && b.is_ascii_digit()))
    }

    /// A time of day in the column behind that of the date: a tab, a sign, blanks or the ends of brackets between them.
    fn of_day_in_next_column(&mut self, stamp: &mut Stamp) -> Option<()> {
        self.columns.then_some(())?;
        let close = self.one_of(b"])\"");
        let blanks = self.blanks_and_tabs();
        let sign = self.one_of(b",;|-");
        let blanks = blanks + self.blanks_and_tabs();
        match close {
            Some(close) => self.byte(columns::opening(close))?,
            None => (sign.is_some() || blanks > 0).then_some(())?,
        }
        // Numbers of other kinds stand beside dates as well.
        let hour = self.count_digits();
        ((1..=2).contains(&hour) && self.bytes.get(self.at + hour) == Some(&b':')).then_some(())?;
        self.of_day(stamp)
    }

    fn blanks_and_tabs(&mut self) -> usize {
        let blanks = self.bytes[self.at..].iter().take(BETWEEN).take_while(|b| matches!(b, b' ' | b'\t')).count();
        self.at += blanks;
        blanks
    }

    /// `2005-06-03`, `2005/6/3`, `2005.06.03`. Says whether a time of day must follow.
    fn year_first(&mut self, stamp: &mut Stamp) -> Option<bool> {
        let year = self.digits(4, 4)?;
        let sep = self.one_of(b"-/.")?;
        let month = self.digits(1, 2)?;
        self.byte(sep)?;
        let day = self.digits(1, 2)?;
        stamp.year = Some(year).filter(|year| self.within(*year, Bounds::Year));
        stamp.year?;
        stamp.month_day = Some(self.day(month, day)?);
        Some(false)
    }

    /// `2024年5月1日`, `2024년 5월 1일`.
    fn spelled(&mut self, stamp: &mut Stamp) -> Option<bool> {
        let year = self.digits(4, 4)?;
        self.unit(Unit::Year)?;
        let (month, day) = (self.counted(Unit::Month)?, self.counted(Unit::Day)?);
        stamp.year = Some(year).filter(|year| self.within(*year, Bounds::Year));
        stamp.year?;
        stamp.month_day = Some(self.day(month, day)?);
        Some(false)
    }

    /// A number, perhaps behind a blank, and what it counts.
    fn counted(&mut self, unit: Unit) -> Option<Number> {
        self.byte(b' ').unwrap_or_default();
        let number = self.digits(1, 2)?;
        self.unit(unit)?;
        Some(number)
    }

    fn unit(&mut self, unit: Unit) -> Option<()> {
        let rest = &self.bytes[self.at..];
        self.at += unit.words().iter().find(|word| rest.starts_with(word.as_bytes()))?.len();
        Some(())
    }

    /// `12时30分05秒` behind the hour; only a date before it tells a time of day from a duration.
    fn spelled_of_day(&mut self, stamp: &mut Stamp, hour: Number, half: Option<Half>) -> Option<()> {
        stamp.month_day?;
        self.unit(Unit::Hour)?;
        let minute = self.counted(Unit::Minute)?;
        let second = self.perhaps(|reader| reader.counted(Unit::Second)).unwrap_or_default();
        let fits = (half.is_some() || self.within(hour, Bounds::Hour))
            && self.within(minute, Bounds::Minute)
            && self.within(second, Bounds::Second);
        fits.then_some(())?;
        stamp.of_day = Some(OfDay { hour, minute, second, fraction: Number::default(), half });
        Some(())
    }

    /// The half of the day, where it stands before the hour.
    fn half_before(&mut self) -> Option<Half> {
        self.peek().filter(|b| !b.is_ascii())?;
        let (half, length) = half(&self.bytes[self.at..])?;
        self.at += length;
        self.byte(b' ').unwrap_or_default();
        Some(half)
    }

    /// `20171223` or `081109`.
    fn run_together(&mut self, stamp: &mut Stamp, year_digits: usize) -> Option<bool> {
        let mut year = self.digits(year_digits, year_digits)?;
        let (month, day) = (self.digits(2, 2)?, self.digits(2, 2)?);
        year.base = if year_digits == 2 { 2000 } else { 0 };
        stamp.year = Some(year);
        stamp.month_day = Some(self.day(month, day)?);
        (year_digits == 2 || self.within(year, Bounds::NearYear)).then_some(true)
    }

    /// `10/Oct/2000`, `17/06/09`, `31.12.2024`, `10.30`, `12-10`, `04 Dec 2005`.
    fn day_first(&mut self, stamp: &mut Stamp) -> Option<bool> {
        let first = self.digits(1, 2)?;
        let sep = self.one_of(b"/-. ")?;
        if self.peek()?.is_ascii_alphabetic() {
            let month = month(self.word())?;
            stamp.month_day = Some(self.day(month, first)?);
            stamp.year = self.perhaps(|reader| {
                reader.byte(sep)?;
                reader.digits(4, 4).filter(|_| reader.peek() != Some(b':') || sep != b' ')
            });
            return Some(stamp.year.is_none());
        }
        if sep == b' ' {
            return None;
        }
        let second = self.digits(1, 2)?;
        let third = self.perhaps(|reader| {
            reader.byte(sep)?;
            let width = reader.count_digits();
            Some((reader.digits(2, 4)?, width))
        });
        match third {
            Some((year, 4)) => {
                stamp.year = Some(year);
                let month_first = sep == b'/' && self.within(first, Bounds::Month);
                let (month, day) = if month_first { (first, second) } else { (second, first) };
                stamp.month_day = Some(self.day(month, day)?);
                self.within(year, Bounds::Year).then_some(false)
            }
            Some((day, 2)) => {
                stamp.year = Some(Number { base: 2000, ..first });
                stamp.month_day = Some(self.day(second, day)?);
                Some(true)
            }
            Some(_) => None,
            None => {
                stamp.month_day = Some(self.day(first, second)?);
                (sep != b'/').then_some(true)
            }
        }
    }

    /// `Dec 10 06:55:46`, `Sun Dec 04 04:47:44 2005`, `Fri, 01 Jul 2005 08:16:53 PDT`.
    fn named(&mut self, stamp: &mut Stamp) -> Option<()> {
        let start = self.at;
        if weekday(self.word()).is_some() {
            self.byte(b',').unwrap_or_default();
            self.blanks()?;
            if self.peek()?.is_ascii_digit() {
                return self.numeric(stamp);
            }
        } else {
            self.at = start;
        }
        let month = month(self.word())?;
        self.blanks()?;
        let day = self.digits(1, 2)?;
        stamp.month_day = Some(self.day(month, day)?);
        self.byte(b',').unwrap_or_default();
        self.blanks()?;
        stamp.year = self.perhaps(|reader| {
            let year = reader.digits(4, 4)?;
            reader.byte(b',').unwrap_or_default();
            reader.blanks()?;
            Some(year)
        });
        self.of_day(stamp)?;
        if stamp.year.is_none() {
            stamp.year = self.perhaps(|reader| {
                reader.byte(b' ')?;
                reader.digits(4, 4).filter(|year| !reader.in_word() && reader.within(*year, Bounds::YearBehind))
            });
        }
        Some(())
    }

    fn blanks(&mut self) -> Option<()> {
        self.byte(b' ')?;
        self.byte(b' ').unwrap_or_default();
        Some(())
    }

    fn in_word(&self) -> bool {
        self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b':')
    }

    /// `16:13:38.811`, `6:55`, `08.32.27.814949`, `203615`, with a zone after it.
    fn of_day(&mut self, stamp: &mut Stamp) -> Option<()> {
        let before = self.perhaps(Self::half_before);
        let together = self.bytes.get(self.at + 2).is_some_and(u8::is_ascii_digit) && self.count_digits() == 6;
        let hour = self.digits(1, 2)?;
        if self.peek().is_some_and(|b| !b.is_ascii()) {
            return self.spelled_of_day(stamp, hour, before);
        }
        let sep = if together { 0 } else { self.one_of(b":.")? };
        // `22:5:3:61`, unpadded, stands behind whole dates only.
        let minute = self.digits(if stamp.year.is_some() && sep == b':' { 1 } else { 2 }, 2)?;
        let second = self.perhaps(|reader| {
            if !together {
                reader.byte(sep)?;
            }
            reader.digits(1, 2)
        });
        if sep != b':' && (second.is_none() || stamp.month_day.is_none()) {
            return None;
        }
        let fraction = self.perhaps(|reader| {
            second?;
            let mark = reader.one_of(b".,:")?;
            (mark == b'.' || reader.count_digits() >= if mark == b',' { 3 } else { 1 }).then_some(())?;
            reader.fraction()
        });
        let half = before.or_else(|| {
            self.perhaps(|reader| {
                reader.byte(b' ').unwrap_or_default();
                let half = if reader.one_of(b"AaPp")?.eq_ignore_ascii_case(&b'p') { Half::Pm } else { Half::Am };
                reader.one_of(b"Mm")?;
                (!reader.in_word()).then_some(half)
            })
        });
        let second = second.unwrap_or_default();
        let fits = !self.peek().is_some_and(|b| b.is_ascii_digit())
            && (half.is_some() || self.within(hour, Bounds::Hour))
            && self.within(minute, Bounds::Minute)
            && self.within(second, Bounds::Second);
        fits.then_some(())?;
        stamp.of_day = Some(OfDay { hour, minute, second, fraction: fraction.unwrap_or_default(), half });
        stamp.zone = self.perhaps(Self::zone);
        Some(())
    }

    /// `Z`, `+0100`, ` -07:00`, ` PDT`.
    fn zone(&mut self) -> Option<Zone> {
        if self.byte(b'Z').is_some() {
            return (!self.in_word()).then_some(Zone::Named(0));
        }
        self.byte(b' ').unwrap_or_default();
        if self.peek()?.is_ascii_alphabetic() {
            let word = self.word();
            return ZONES.iter().find(|(zone, _)| *zone == word).map(|(_, minutes)| Zone::Named(*minutes));
        }
        let zone = if self.one_of(b"+-")? == b'-' { Zone::West } else { Zone::East };
        let hours = self.digits(2, 2)?;
        self.byte(b':').unwrap_or_default();
        let minutes = self.digits(2, 2)?;
        let fits = !self.in_word() && self.within(hours, Bounds::Offset) && self.within(minutes, Bounds::Minute);
        fits.then_some(zone(hours, minutes))
    }
}
