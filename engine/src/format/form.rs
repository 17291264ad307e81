//! `Form`: one way in which the lines of an input begin, as text between fields in braces:
//! `{time} {level} [{thread}] {class} - {message}`. Owns the text form and the reading of a line by it; which forms an input
//! has is `layout`'s.

use std::{fmt, ops::Range};

use super::{
    clock::{Clock, Days, Manner},
    columns::{self, Column},
    digits::{Digits, Said},
    level,
};
use crate::record::{Level, Onset};

/// Bytes of a field at most.
const FIELD: usize = 256;

/// Parts of a form at most.
pub(super) const PARTS: usize = 64;

/// How a line begins. The message is what is behind the last part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    pub(super) parts: Vec<Part>,
}

/// A piece of a form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// These bytes; a blank stands for one or more blanks or tabs.
    Literal(Box<[u8]>),
    /// A time.
    Time(Clock),
    /// A level word, or a letter, sign or number where `short`.
    Level { short: bool },
    /// The number that syslog begins with, which has the level in it.
    Priority,
    /// Anything else.
    Field(Field),
}

/// A column of an input.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) end: End,
    pub(super) look: Look,
}

/// Where a field ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// Before a blank, or the signs of the literal behind it that stand before one.
    Blank,
    /// Before the bracket that closes the one it stands in.
    Close,
    /// Before the first place where the literal behind it stands.
    Literal,
}

/// What a field must look like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Look {
    /// The parts behind it tell.
    Any,
    /// Not like a word of a sentence, or padded with blanks to this width (0: to any).
    Column { width: usize },
    /// A name of several parts, or one of these words, which are in order.
    Name { words: Box<[Box<[u8]>]> },
}

/// A line-format that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Neither a form nor the name of a way.
    #[error(
        "there is no line format '{0}'; expected auto, plain, or fields in braces as in '{{time}} {{level}} {{message}}'"
    )]
    Unknown(String),
    /// No message.
    #[error(
        "the line format has no {{message}}; expected fields in braces that end with it, as in '{{time}} {{level}} {{message}}'"
    )]
    NoMessage,
    /// Something behind the message.
    #[error(
        "the line format goes on behind {{message}}; expected {{message}} at its end, as everything behind the header is the message"
    )]
    BehindMessage,
    /// A brace without its other.
    #[error(
        "the line format has a brace without its other at byte {0}; expected names in braces, as {{time}}; a brace itself is written twice"
    )]
    Brace(usize),
    /// A field without a name, or with one that cannot be.
    #[error("the line format has a field called '{0}'; expected letters, digits, '_' and '-'")]
    Name(String),
    /// Two fields side by side.
    #[error(
        "the line format has {{{0}}} and another field with nothing between them; put the text between them that tells where one ends"
    )]
    Adjacent(String),
    /// The same name twice.
    #[error("the line format has {{{0}}} twice; expected each field once")]
    Twice(String),
    /// Too long.
    #[error("the line format has more than {PARTS} fields and texts between them; expected fewer")]
    Long,
}

impl Form {
    /// Reads the line, if it begins like this; `seen` is told every field with its part and place.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        digits: Digits<'a>,
        manner: Manner,
        reference: i64,
        days: &mut Days,
        seen: impl FnMut(usize, Range<usize>),
    ) -> Option<Said<'a>> {
        let mut at = 0;
        let said = self.walk(digits, manner, reference, days, &mut at, seen)?;
        let message = columns::unquoted(digits.outline()[at..].trim_ascii(), self.last_sign());
        Some(Said { level: said.level.or_else(|| level::leading(message)), message, ..said })
    }

    /// Goes over the parts, `at` being where it stands in the line. What comes behind them is not looked at.
    #[inline]
    fn walk<'a>(
        &self,
        digits: Digits<'a>,
        manner: Manner,
        reference: i64,
        days: &mut Days,
        at: &mut usize,
        mut seen: impl FnMut(usize, Range<usize>),
    ) -> Option<Said<'a>> {
        let line = digits.outline();
        let (mut time, mut level, mut in_field, mut onset) = (None, None, None, Onset::Bare);
        for (i, part) in self.parts.iter().enumerate() {
            let rest = &line[*at..];
            *at += match part {
                Part::Literal(text) => literal(text, rest)?,
                Part::Time(clock) => {
                    let (length, moment) = digits.clocked(rest, (clock, manner), reference, days)?;
                    time = time.or(moment);
                    onset = Onset::Clock;
                    length
                }
                Part::Level { short } => {
                    let (found, length) = level_at(digits, rest, *short)?;
                    level = level.or(found);
                    // An unknown word in capitals may be anything.
                    onset = onset.max(found.map_or(Onset::Bare, |_| Onset::Level));
                    length
                }
                Part::Priority => {
                    let length = rest.iter().take(3).take_while(|b| b.is_ascii_digit()).count();
                    level = (length > 0).then(|| level::of_priority(digits.exactly(&rest[..length])));
                    onset = onset.max(Onset::Level);
                    level.map(|_| length)?
                }
                Part::Field(field) => {
                    let next = match self.parts.get(i + 1) {
                        Some(Part::Literal(text)) => text,
                        _ => &b""[..],
                    };
                    let length = field.length(rest, next)?;
                    in_field = in_field.or_else(|| level_in(&rest[..length]));
                    seen(i, *at..*at + length);
                    length
                }
            };
        }
        Some(Said { time, level: level.or(in_field), onset, message: &[] })
    }

    /// The sign before the message; 0 is none.
    fn last_sign(&self) -> u8 {
        match self.parts.last() {
            Some(Part::Literal(text)) => text.last().copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// As much of it as goes to the last time or level.
    pub(super) fn core(&self) -> Self {
        let is_core = |part: &Part| matches!(part, Part::Time(_) | Part::Level { .. } | Part::Priority);
        let end = self.parts.iter().rposition(is_core).map_or(0, |last| last + 1);
        Self { parts: self.parts[..end].to_vec() }
    }

    /// Whether lines of the one are lines of the other: they are written alike, and so are their times.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.to_string() == other.to_string() && self.manners().eq(other.manners())
    }

    fn manners(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Time(clock) => Some(clock.manner()),
            _ => None,
        })
    }

    /// Bytes that the header takes, blanks behind it included.
    pub(super) fn length(&self, line: &[u8], reference: i64) -> Option<usize> {
        let mut at = 0;
        self.walk(Digits::open(line), Manner::Any, reference, &mut Days::default(), &mut at, |_, _| {})?;
        Some(at)
    }

    /// Reads the text form.
    pub(super) fn parse(text: &str) -> Result<Self, FormError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        let mut at = 0;
        loop {
            let (before, name, next) = piece(text, at)?;
            if !before.is_empty() {
                parts.push(Part::Literal(single_blanks(&before)));
            }
            let Some(name) = name else { return Err(FormError::NoMessage) };
            let adjacent = matches!(parts.last(), Some(part) if !matches!(part, Part::Literal(_)));
            if adjacent {
                return Err(FormError::Adjacent(names.last().map_or_else(String::new, |name| (*name).to_owned())));
            }
            if name == "message" {
                return if next == text.len() {
                    Ok(Self { parts: ended(parts) })
                } else {
                    Err(FormError::BehindMessage)
                };
            }
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
                return Err(FormError::Name(name.to_owned()));
            }
            if names.contains(&name) {
                return Err(FormError::Twice(name.to_owned()));
            }
            names.push(name);
            parts.push(match name {
                "time" => Part::Time(Clock::default()),
                "level" => Part::Level { short: false },
                "priority" => Part::Priority,
                _ => Part::Field(Field { name: name.into(), end: End::Literal, look: Look::Any }),
            });
            if parts.len() > PARTS {
                return Err(FormError::Long);
            }
            at = next;
        }
    }
}

/// The text before the next field, the field, and where it ends.
fn piece(text: &str, from: usize) -> Result<(Vec<u8>, Option<&str>, usize), FormError> {
    let bytes = text.as_bytes();
    let mut before = Vec::new();
    let mut at = from;
    while let Some(b) = bytes.get(at) {
        match (b, bytes.get(at + 1)) {
            (b'{', Some(b'{')) | (b'}', Some(b'}')) => at += 1,
            (b'{', _) => {
                let end = text[at..].find('}').ok_or(FormError::Brace(at))?;
                return Ok((before, Some(&text[at + 1..at + end]), at + end + 1));
            }
            (b'}', _) => return Err(FormError::Brace(at)),
            _ => {}
        }
        before.push(*b);
        at += 1;
    }
    Ok((before, None, at))
}

/// Runs of blanks as one blank.
fn single_blanks(text: &[u8]) -> Box<[u8]> {
    let mut single: Vec<u8> = Vec::with_capacity(text.len());
    for b in text {
        let b = if *b == b'\t' { b' ' } else { *b };
        if b != b' ' || single.last() != Some(&b' ') {
            single.push(b);
        }
    }
    single.into()
}

/// With the ends of fields that stand in brackets or before blanks told apart, as far as the text tells.
fn ended(mut parts: Vec<Part>) -> Vec<Part> {
    for i in 1..parts.len() {
        let opened = matches!(&parts[i - 1], Part::Literal(text) if matches!(text.last(), Some(b'[' | b'(' | b'{')));
        let closed =
            matches!(parts.get(i + 1), Some(Part::Literal(text)) if matches!(text.first(), Some(b']' | b')' | b'}')));
        if let (true, true, Part::Field(field)) = (opened, closed, &mut parts[i]) {
            field.end = End::Close;
        }
    }
    parts
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    f.write_str(&String::from_utf8_lossy(text).replace('{', "{{").replace('}', "}}"))?;
                }
                Part::Time(_) => f.write_str("{time}")?,
                Part::Level { .. } => f.write_str("{level}")?,
                Part::Priority => f.write_str("{priority}")?,
                Part::Field(field) => write!(f, "{{{}}}", field.name)?,
            }
        }
        f.write_str("{message}")
    }
}

impl Field {
    /// Bytes of the field at the front, `next` being the literal behind it.
    #[inline]
    fn length(&self, rest: &[u8], next: &[u8]) -> Option<usize> {
        let near = &rest[..rest.len().min(FIELD)];
        match self.end {
            End::Close => {
                // The bracket before it opened; count the ones inside.
                let close = *next.first()?;
                let open = columns::opening(close);
                let mut depth = 0_usize;
                near.iter().position(|b| {
                    depth += usize::from(*b == open && open != close);
                    depth = if *b == close && depth > 0 { depth - 1 } else { return *b == close };
                    false
                })
            }
            End::Blank => {
                let signs = &next[..next.iter().position(|b| *b == b' ').unwrap_or(next.len())];
                let column = Column::of(near);
                let length = match signs {
                    [] => column.len(),
                    [b'|', ..] => column.len(),
                    _ if signs.len() < next.len() => column.text.strip_suffix(signs)?.len(),
                    _ => memchr::memmem::find(column.text, signs)?,
                };
                (length > 0 && self.look.allows(rest, length, signs.is_empty())).then_some(length)
            }
            End::Literal => (0..near.len()).find(|at| literal(next, &rest[*at..]).is_some()),
        }
    }
}

impl Look {
    fn allows(&self, rest: &[u8], length: usize, bare: bool) -> bool {
        let (column, behind) = rest.split_at(length);
        let blanks = behind.iter().take_while(|b| **b == b' ').count();
        let apart = !bare || behind.first() == Some(&b'\t') || blanks > 1;
        match self {
            Self::Any => true,
            Self::Column { width } => {
                apart || (*width > 0 && length + blanks == *width) || Column::of(column).is_column()
            }
            Self::Name { words } => {
                apart || columns::is_joined(column) || words.binary_search_by(|word| (**word).cmp(column)).is_ok()
            }
        }
    }
}

/// Bytes of the literal at the front.
#[inline]
fn literal(text: &[u8], rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (i, b) in text.iter().enumerate() {
        if *b == b' ' {
            let blanks = rest[at..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            // At the end of the line blanks may be missing.
            if blanks == 0 && (at < rest.len() || i + 1 < text.len()) {
                return None;
            }
            at += blanks;
        } else {
            if rest.get(at) != Some(b) {
                return None;
            }
            at += 1;
        }
    }
    Some(at)
}

/// The level where others have a component, or in it: `ERROR:`, `error:`; words such as `log` may name one.
fn level_in(field: &[u8]) -> Option<Level> {
    let is_upper = field.iter().all(u8::is_ascii_uppercase);
    level::named(field).filter(|level| is_upper || *level >= Level::Warn).or_else(|| level::beside(field))
}

/// The level at the front, blanks around it included where it stands in brackets.
#[inline]
fn level_at(digits: Digits<'_>, rest: &[u8], short: bool) -> Option<(Option<Level>, usize)> {
    if short {
        if let Some(length) = level::verbosity(rest) {
            return Some((Some(level::of_verbosity(digits.exactly(&rest[..length]))), length));
        }
        let sign = *rest.first()?;
        return level::lettered(sign).or_else(|| level::signed(sign)).map(|level| (Some(level), 1));
    }
    if let [letter, other, b')', ..] = rest
        && let Some(found) = level::doubled(*letter, *other)
    {
        return Some((Some(found), 2));
    }
    let before = rest.iter().take_while(|b| **b == b' ').count();
    let length = level::length(&rest[before..], true);
    let word = &rest[before..before + length];
    let found = level::named(word)
        .or_else(|| level::bracketed(word))
        .or_else(|| level::unified(word))
        .or_else(|| level::of_console(&rest[before..]));
    // A word that is not known counts if it is written like one.
    if length == 0 || (found.is_none() && !word.iter().all(|b| b.is_ascii_uppercase() || !b.is_ascii())) {
        return None;
    }
    let behind = rest[before + length..].iter().take_while(|b| **b == b' ').count();
    let closed = matches!(rest.get(before + length + behind), Some(b']' | b')' | b'>'));
    Some((found, before + length + if closed { behind } else { 0 }))
}
