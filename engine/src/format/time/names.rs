//! Names of months, weekdays, zones, halves of the day and what numbers of times count.

use super::stamp::{Half, Number};

/// What the numbers of a time count, where it is written behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl Unit {
    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Year => &["年", "년"],
            Self::Month => &["月", "월"],
            Self::Day => &["日", "일"],
            Self::Hour => &["时", "時", "시"],
            Self::Minute => &["分", "분"],
            Self::Second => &["秒", "초"],
        }
    }
}

/// The half of the day that a text begins with, and its bytes, in the languages that write it before the hour.
pub(super) fn half(text: &[u8]) -> Option<(Half, usize)> {
    const WORDS: [(&str, Half); 6] = [
        ("上午", Half::Am),
        ("午前", Half::Am),
        ("오전", Half::Am),
        ("下午", Half::Pm),
        ("午後", Half::Pm),
        ("오후", Half::Pm),
    ];
    let (word, half) = WORDS.iter().find(|(word, _)| text.starts_with(word.as_bytes()))?;
    Some((*half, word.len()))
}

/// Whether the bytes are the English name of a month or weekday, short or whole.
pub(crate) fn is_name(word: &[u8]) -> bool {
    month(word).is_some() || weekday(word).is_some()
}

const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];
const WEEKDAYS: [&[u8]; 7] = [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];

/// Zones by their usual letters, minutes east.
pub(super) const ZONES: [(&[u8], i16); 16] = [
    (b"UTC", 0),
    (b"GMT", 0),
    (b"PST", -480),
    (b"PDT", -420),
    (b"MST", -420),
    (b"MDT", -360),
    (b"CST", -360),
    (b"CDT", -300),
    (b"EST", -300),
    (b"EDT", -240),
    (b"BST", 60),
    (b"CET", 60),
    (b"CEST", 120),
    (b"MSK", 180),
    (b"IST", 330),
    (b"JST", 540),
];

/// The position of a name, short or whole, counted from 1. `short` finds it by its first three letters, small: going through
/// all names took a tenth of the time that a line needs.
fn name(word: &[u8], names: &[&[u8]], short: impl Fn(&[u8; 3]) -> u16) -> Option<u16> {
    let beginning = word.first_chunk().filter(|first: &&[u8; 3]| first[0].is_ascii_uppercase())?;
    let at = short(&beginning.map(|b| b.to_ascii_lowercase()));
    let name = names.get(usize::from(at).checked_sub(1)?)?;
    let long = match word.len() {
        3 => true,
        4 if at == 9 => name[..4].eq_ignore_ascii_case(word),
        length => length == name.len() && name.eq_ignore_ascii_case(word),
    };
    long.then_some(at)
}

/// Whether a text ends with what [`half`] reads, and a blank.
pub(crate) fn ends_with_half(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    text.last_chunk::<6>().is_some_and(|word| half(word).is_some())
}

pub(super) fn month(word: &[u8]) -> Option<Number> {
    let at = name(word, &MONTHS, |short| match short {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => 0,
    })?;
    Some(Number::constant(at))
}

pub(super) fn weekday(word: &[u8]) -> Option<u16> {
    name(word, &WEEKDAYS, |short| match short {
        b"mon" => 1,
        b"tue" => 2,
        b"wed" => 3,
        b"thu" => 4,
        b"fri" => 5,
        b"sat" => 6,
        b"sun" => 7,
        _ => 0,
    })
}
