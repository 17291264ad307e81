//! `Template`: a cluster's text, literals and typed slots; its text forms, parsing them back, its stable id, and where
//! its slots stand in a message. How a template comes about is `cluster`'s business.

mod matching;

use std::{fmt, ops::Range};

use serde::{Deserialize, Serialize};

/// A cluster's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    /// Literals and slots in order; no two literals and no two slots stand side by side.
    pub parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that every line of the cluster has, runs of blanks as one blank.
    Literal(String),
    /// A place where the lines differ. What stands there may be empty.
    Slot(Kind),
}

/// What stands in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    /// Anything: words, or values of several kinds.
    Any = Kind::FIRST_BYTE,
    /// `42`, `-0.5`, `1,024`, `97%`.
    Number,
    /// `0x1f`, `deadbeef`.
    Hex,
    /// `123e4567-e89b-12d3-a456-426614174000`.
    Uuid,
    /// An IP address, version 4 or 6.
    Ip,
    /// The number after an address or a host name.
    Port,
    /// `/var/log/messages`, `C:\Windows`.
    Path,
    /// `https://example.org/`.
    Url,
    /// `www.example.org`.
    Host,
    /// `someone@example.org`.
    Mail,
    /// A date, a time of day, or both.
    Time,
    /// `12ms`.
    Duration,
    /// `1.2KB`.
    Size,
    /// Text in quotes.
    Quoted,
    /// `true`, `false`.
    Bool,
    /// Letters and digits mixed: `job_4711`, `node-12`.
    Id,
    /// `00:1b:44:11:3a:b7`, and longer ones of that form.
    Mac,
    /// `6.1.7601.23505`.
    Version,
}

/// A cluster's stable id: 16 hexadecimal digits that depend on its template's plain text only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub String);

impl Kind {
    const FIRST_BYTE: u8 = 0x0e;

    /// All kinds.
    pub const ALL: [Self; 18] = [
        Self::Any,
        Self::Number,
        Self::Hex,
        Self::Uuid,
        Self::Ip,
        Self::Port,
        Self::Path,
        Self::Url,
        Self::Host,
        Self::Mail,
        Self::Time,
        Self::Duration,
        Self::Size,
        Self::Quoted,
        Self::Bool,
        Self::Id,
        Self::Mac,
        Self::Version,
    ];

    /// Its name in typed text, without the angle brackets; `*` for [`Kind::Any`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "*",
            Self::Number => "number",
            Self::Hex => "hex",
            Self::Uuid => "uuid",
            Self::Ip => "ip",
            Self::Port => "port",
            Self::Path => "path",
            Self::Url => "url",
            Self::Host => "host",
            Self::Mail => "mail",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Quoted => "quoted",
            Self::Bool => "bool",
            Self::Id => "id",
            Self::Mac => "mac",
            Self::Version => "version",
        }
    }

    /// The byte that stands for a slot of this kind in a shape: a control character, which no shape has otherwise.
    pub(crate) fn byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn of_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte.checked_sub(Self::FIRST_BYTE)?)).copied()
    }

    /// What both are: the kind itself when they are equal, a number when one of them is that and the other a port, else
    /// [`Kind::Any`].
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            (Self::Number, Self::Port) | (Self::Port, Self::Number) => Self::Number,
            _ => Self::Any,
        }
    }
}

impl Template {
    /// Joins neighbouring literals and neighbouring slots, drops empty literals.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut joined: Vec<Part> = Vec::new();
        for part in parts {
            match (joined.last_mut(), part) {
                (_, Part::Literal(text)) if text.is_empty() => {}
                (Some(Part::Literal(before)), Part::Literal(text)) => before.push_str(&text),
                (Some(Part::Slot(before)), Part::Slot(kind)) => *before = before.or(kind),
                (_, part) => joined.push(part),
            }
        }
        Self { parts: joined }
    }

    /// The template of a single shape.
    pub fn of_shape(shape: &[u8]) -> Self {
        let mut parts = Vec::new();
        let mut start = 0;
        for (i, byte) in shape.iter().enumerate() {
            if let Some(kind) = Kind::of_byte(*byte) {
                parts.push(Part::Literal(String::from_utf8_lossy(&shape[start..i]).into_owned()));
                parts.push(Part::Slot(kind));
                start = i + 1;
            }
        }
        parts.push(Part::Literal(String::from_utf8_lossy(&shape[start..]).into_owned()));
        Self::new(parts)
    }

    /// The text with every slot as `<*>`, the field's convention.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.as_str(),
                Part::Slot(_) => "<*>",
            })
            .collect()
    }

    /// Reads [`Template::text`] back, as far as it goes: every `<*>` is a slot for anything.
    pub fn of_text(text: &str) -> Self {
        let mut parts = Vec::new();
        for (i, literal) in text.split("<*>").enumerate() {
            if i > 0 {
                parts.push(Part::Slot(Kind::Any));
            }
            parts.push(Part::Literal(literal.to_owned()));
        }
        Self::new(parts)
    }

    /// The text with each slot named: `<ip>`, `<number>`, `<*>`. A literal that reads like a slot has a backslash
    /// before it, a literal backslash is doubled.
    pub fn typed(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Slot(kind) => {
                    text.push('<');
                    text.push_str(kind.name());
                    text.push('>');
                }
                Part::Literal(literal) => escape(literal, &mut text),
            }
        }
        text
    }

    /// Reads [`Template::typed`] back.
    pub fn of_typed(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((kind, length)) = slot_at(rest) {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
                parts.push(Part::Slot(kind));
                rest = &rest[length..];
                continue;
            }
            let escaped = rest[c.len_utf8()..].chars().next().filter(|next| c == '\\' && matches!(next, '\\' | '<'));
            let kept = escaped.unwrap_or(c);
            literal.push(kept);
            rest = &rest[c.len_utf8() + escaped.map_or(0, char::len_utf8)..];
        }
        parts.push(Part::Literal(literal));
        Self::new(parts)
    }

    /// The id of the cluster with this template: FNV-1a (64 bits) of [`Template::text`]. The plain text, since the
    /// kinds may widen when more lines come in.
    pub fn id(&self) -> ClusterId {
        let hash = self
            .text()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        ClusterId(format!("{hash:016x}"))
    }

    /// The kinds of the slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Kind> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot(kind) => Some(*kind),
            Part::Literal(_) => None,
        })
    }

    /// Makes the kinds of the slots wide enough for a shape; `false` when it does not match whatever the kinds.
    pub(crate) fn widen(&mut self, shape: &[u8]) -> bool {
        let Some(found) = matching::lay_over(&self.parts, shape) else { return false };
        let slots = self.parts.iter_mut().filter_map(|part| match part {
            Part::Slot(kind) => Some(kind),
            Part::Literal(_) => None,
        });
        for (kind, (range, _)) in slots.zip(found) {
            let there = match &shape[range] {
                [byte] => Kind::of_byte(*byte),
                _ => None,
            };
            *kind = kind.or(there.unwrap_or(Kind::Any));
        }
        true
    }

    /// Where the slots stand in a shape, in order, or `None` when it does not match.
    pub(crate) fn spans_of_shape(&self, shape: &[u8]) -> Option<Vec<(Range<usize>, Kind)>> {
        matching::lay_over(&self.parts, shape)
    }

    /// Where the slots stand in a message (bytes of it, in order), or `None` when it does not match. Blanks match as
    /// shapes have them: a run of any length, none at the ends. A slot may be empty.
    pub fn spans(&self, message: &[u8]) -> Option<Vec<(Range<usize>, Kind)>> {
        matching::spans(&self.parts, message)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn escape(literal: &str, text: &mut String) {
    for (i, c) in literal.char_indices() {
        if c == '\\' || (c == '<' && slot_at(&literal[i..]).is_some()) {
            text.push('\\');
        }
        text.push(c);
    }
}

/// The slot that a typed text starts with, and its length in bytes.
fn slot_at(text: &str) -> Option<(Kind, usize)> {
    let inner = text.strip_prefix('<')?;
    let end = inner.bytes().take(10).position(|b| b == b'>')?;
    let name = inner.get(..end)?;
    Some((Kind::ALL.into_iter().find(|kind| kind.name() == name)?, end + 2))
}
