//! `Stamp`: a date and a time of day as written, and the step from there to milliseconds.

/// A date, a time of day, or both, as written: where their numbers stand. What they come down to is asked with the bytes that
/// were read, or with others that differ from them in digits only, if [nothing](Witness) the reading depended on differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamp {
    /// Bytes read.
    pub(crate) length: usize,
    pub(super) year: Option<Number>,
    pub(super) month_day: Option<(Number, Number)>,
    pub(super) of_day: Option<OfDay>,
    pub(super) zone: Option<Zone>,
    pub(super) epoch: Option<Epoch>,
    /// Whether it is a label of TAI64N.
    pub(super) is_label: bool,
}

/// Bytes of a label of TAI64N: a sign, sixteen hexadecimal digits of seconds, eight of nanoseconds.
pub(crate) const LABEL: usize = 1 + 16 + 8;

/// The label of the epoch, 1970 having been ten seconds behind.
const LABEL_OF_EPOCH: u64 = (1 << 62) + 10;

/// A number of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Number {
    /// What is added to the digits: all of it where it is written in letters.
    pub(in crate::format) base: u16,
    /// Where its digits stand in what was read.
    pub(in crate::format) at: u8,
    /// How many they are.
    pub(in crate::format) width: u8,
}

/// What the numbers of a time are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Bounds {
    Month,
    /// Up to the 24 that ends a day.
    Hour,
    Minute,
    /// Up to a leap second.
    Second,
    /// Hours from Greenwich.
    Offset,
    /// A year that is set off by signs.
    Year,
    /// One that runs together with its month.
    NearYear,
    /// One that stands behind the time of day.
    YearBehind,
    /// Seconds since the epoch, from 2001 on.
    Epoch,
}

impl Bounds {
    #[inline]
    pub(in crate::format) fn contain(self, value: i64) -> bool {
        let (low, high) = match self {
            Self::Month => (0, 12),
            Self::Hour => (0, 24),
            Self::Minute => (0, 59),
            Self::Second => (0, 60),
            Self::Offset => (0, 14),
            Self::Year => (1900, 2199),
            Self::NearYear => (1990, 2099),
            Self::YearBehind => (1970, 2099),
            Self::Epoch => (1_000_000_000, 2_999_999_999),
        };
        (low..=high).contains(&value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OfDay {
    pub(super) hour: Number,
    pub(super) minute: Number,
    pub(super) second: Number,
    /// At most three digits.
    pub(super) fraction: Number,
    pub(super) half: Option<Half>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Am,
    Pm,
}

/// How far from Greenwich.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// Minutes east.
    Named(i16),
    East(Number, Number),
    West(Number, Number),
}

/// Since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch {
    /// Ten digits of seconds, or thirteen of milliseconds.
    pub(super) whole: Number,
    /// Of seconds.
    pub(super) fraction: Number,
}

/// Is told what the reading of a time depends on beside the places of digits.
pub(crate) trait Witness {
    /// Whether a number is within bounds.
    fn within(&mut self, number: Number, bounds: Bounds, inside: bool);

    /// Whether there is such a month and day.
    fn day(&mut self, month: Number, day: Number, exists: bool);
}

/// Nobody.
impl Witness for () {
    #[inline]
    fn within(&mut self, _: Number, _: Bounds, _: bool) {}

    #[inline]
    fn day(&mut self, _: Number, _: Number, _: bool) {}
}

impl Number {
    pub(super) fn constant(base: u16) -> Self {
        Self { base, at: 0, width: 0 }
    }

    /// Of two digits.
    pub(in crate::format) fn of_two_digits(at: usize) -> Option<Self> {
        Some(Self { base: 0, at: u8::try_from(at).ok()?, width: 2 })
    }

    /// What it is in such bytes.
    #[inline]
    pub(crate) fn of(self, bytes: &[u8]) -> i64 {
        let digits = &bytes[usize::from(self.at)..][..usize::from(self.width)];
        i64::from(self.base) + digits.iter().fold(0, |value, b| value * 10 + i64::from(b - b'0'))
    }

    /// As digits behind a point, in thousandths.
    #[inline]
    fn thousandths(self, bytes: &[u8]) -> i64 {
        self.of(bytes) * [1000, 100, 10, 1][usize::from(self.width)]
    }
}

impl OfDay {
    /// Since midnight.
    #[inline]
    fn millis(&self, bytes: &[u8]) -> i64 {
        let hour = self.hour.of(bytes);
        let hour = match self.half {
            None => hour,
            Some(Half::Am) => hour % 12,
            Some(Half::Pm) => hour % 12 + 12,
        };
        ((hour * 60 + self.minute.of(bytes)) * 60 + self.second.of(bytes)) * 1000 + self.fraction.thousandths(bytes)
    }
}

impl Zone {
    /// Minutes east.
    #[inline]
    fn minutes(self, bytes: &[u8]) -> i64 {
        match self {
            Self::Named(minutes) => minutes.into(),
            Self::East(hours, minutes) => hours.of(bytes) * 60 + minutes.of(bytes),
            Self::West(hours, minutes) => -(hours.of(bytes) * 60 + minutes.of(bytes)),
        }
    }
}

impl Stamp {
    /// Of so many bytes that say nothing.
    pub(in crate::format) fn of_nothing(length: usize) -> Self {
        Self { length, ..Self::default() }
    }

    /// Of the label of TAI64N that the bytes begin with, which daemontools and their like put before lines:
    /// `@4000000065f1a2b30a1b2c3d`.
    pub(super) fn of_label(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.strip_prefix(b"@")?;
        let is_one = digits.iter().take(LABEL).take_while(|b| b.is_ascii_hexdigit()).count() == LABEL - 1;
        // What can be no time is what was logged.
        (is_one && label_millis(bytes).is_some()).then(|| Self { length: LABEL, is_label: true, ..Self::default() })
    }

    /// Whether it says which day it was.
    pub(crate) fn has_date(&self) -> bool {
        self.month_day.is_some() || self.epoch.is_some() || self.is_label
    }

    /// Whether it says in which half of the day it was.
    pub(super) fn has_half(&self) -> bool {
        self.of_day.is_some_and(|of_day| of_day.half.is_some())
    }

    /// Whether it says at what time of day it was.
    pub(crate) fn has_time(&self) -> bool {
        self.of_day.is_some() || self.epoch.is_some() || self.is_label
    }

    /// Milliseconds since the epoch, in the bytes that were read. Without a year it is the latest year that puts the time no
    /// more than a day after `reference` (seconds since the epoch); without a date there is none.
    #[inline]
    pub(crate) fn millis(&self, bytes: &[u8], reference: i64) -> Option<i64> {
        if self.is_label {
            return label_millis(bytes);
        }
        if let Some(Epoch { whole, fraction }) = self.epoch {
            let value = whole.of(bytes);
            return Some(if whole.width > 10 { value } else { value * 1000 + fraction.thousandths(bytes) });
        }
        self.on_its_day(bytes, reference, self.of_day.map_or(0, |of_day| of_day.millis(bytes)))
    }

    /// As [`Self::millis`], at another time of its day.
    #[inline]
    fn on_its_day(&self, bytes: &[u8], reference: i64, of_day: i64) -> Option<i64> {
        let (month, day) = self.month_day?;
        let (month, day) = (month.of(bytes), day.of(bytes));
        let of_day = of_day - self.zone.map_or(0, |zone| zone.minutes(bytes)) * 60_000;
        let in_year = |year: i64| days(year, month, day) * 86_400_000 + of_day;
        if let Some(year) = self.year {
            return Some(in_year(year.of(bytes)));
        }
        let latest = reference.saturating_add(86_400).saturating_mul(1000);
        // No reference is so far away that its milliseconds could not be counted.
        let near = 1970 + reference.div_euclid(31_556_952).clamp(-1_000_000, 1_000_000);
        let leap_day = (month, day) == (2, 29);
        (near - 9..=near + 1).rev().find(|year| (!leap_day || is_leap(*year)) && in_year(*year) <= latest).map(in_year)
    }

    /// Whether all times of its day are of the year that [`Self::millis`] takes.
    pub(in crate::format) fn is_of_one_year(&self, bytes: &[u8], reference: i64) -> bool {
        // `24:59:60.999`, the last there is.
        const LAST: i64 = ((24 * 60 + 59) * 60 + 60) * 1000 + 999;
        let at = |of_day| self.on_its_day(bytes, reference, of_day);
        self.year.is_some() || at(0).map(|begin| begin + LAST) == at(LAST)
    }
}

/// Of a label of TAI64N, as far as it is of the time in which there are logs. As those who write it, it knows no leap seconds.
fn label_millis(bytes: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(bytes.get(1..LABEL)?).ok()?;
    let (seconds, nanoseconds) = digits.split_at_checked(16)?;
    let seconds = u64::from_str_radix(seconds, 16).ok()?.checked_sub(LABEL_OF_EPOCH)?;
    let millis = i64::from_str_radix(nanoseconds, 16).ok()? / 1_000_000;
    i64::try_from(seconds)
        .ok()
        .filter(|seconds| Bounds::Epoch.contain(*seconds) && millis < 1000)
        .map(|s| s * 1000 + millis)
}

/// Whether there is such a day in some year.
#[inline]
pub(crate) fn is_day(month: i64, day: i64) -> bool {
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 29,
        _ => return false,
    };
    (1..=longest).contains(&day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days since the epoch (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
