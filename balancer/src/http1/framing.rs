//! Where a body ends (RFC 9112, 6). The heart of it: whoever reads this otherwise than the next one can be deceived.

use super::{
    Refusal, Version,
    fields::{self, Field, Kind},
    grammar,
};

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// After so many bytes.
    Length(u64),
    /// With its last chunk.
    Chunked,
    /// With the connection; in answers only.
    Close,
}

/// Digits of the longest length that is taken, leading zeros counted. It stays below 2^63, where others begin to count
/// backwards.
const LONGEST: usize = 18;

/// What the fields of a head say about its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said {
    length: Option<u64>,
    chunked: bool,
    /// A coding other than `chunked`.
    coded: bool,
}

impl Said {
    /// Takes note of one field.
    ///
    /// Two lengths are refused even when they are the same. The standard allows either that or to take them for one; but
    /// no program writes two, and somebody on the way may look at the first only, or at the last.
    pub(super) fn note(&mut self, bytes: &[u8], field: &Field) -> Result<(), Refusal> {
        let value = field.value.of(bytes);
        match field.kind {
            Kind::ContentLength if self.length.is_some() => Err(Refusal::Bad("there is more than one Content-Length")),
            Kind::ContentLength => {
                self.length = Some(length(value)?);
                Ok(())
            }
            Kind::TransferEncoding => value.split(|&byte| byte == b',').try_for_each(|coding| self.code(coding)),
            _ => Ok(()),
        }
    }

    fn code(&mut self, coding: &[u8]) -> Result<(), Refusal> {
        const NOT_LAST: Refusal = Refusal::Bad("chunked has to be the last transfer coding, and once");
        let coding = grammar::trimmed(coding);
        if self.chunked {
            return Err(NOT_LAST);
        }
        if !grammar::is_token(coding) {
            return Err(Refusal::Bad("the Transfer-Encoding is not valid"));
        }
        self.chunked = coding.eq_ignore_ascii_case(b"chunked");
        self.coded |= !self.chunked;
        Ok(())
    }

    /// The framing, if what was said makes one.
    pub(super) fn framing(self, version: Version) -> Result<Option<Framing>, Refusal> {
        match (self.length, self.chunked, self.coded) {
            (_, true, _) | (_, _, true) if version == Version::Http10 => {
                Err(Refusal::Bad("HTTP/1.0 has no Transfer-Encoding"))
            }
            (Some(_), true, _) | (Some(_), _, true) => {
                Err(Refusal::Bad("there are both Content-Length and Transfer-Encoding"))
            }
            (None, true, true) => Err(Refusal::Coding),
            (None, true, false) => Ok(Some(Framing::Chunked)),
            (None, false, true) => Err(Refusal::Bad("the last transfer coding is not chunked")),
            (Some(length), false, false) => Ok(Some(Framing::Length(length))),
            (None, false, false) => Ok(None),
        }
    }
}

fn length(value: &[u8]) -> Result<u64, Refusal> {
    if value.is_empty() || value.len() > LONGEST || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Bad("the Content-Length is not valid"));
    }
    Ok(value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// Most options in `Connection`. Each is looked for in each field, so many of them would only keep us busy.
pub const MOST_OPTIONS: usize = 32;

/// Checks the values of `Connection`.
///
/// # Errors
///
/// They are no list of options, or too long a one.
pub(crate) fn check_connection<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<(), Refusal> {
    let mut connection = Connection::default();
    values.try_for_each(|value| connection.note(value))
}

/// What `Connection` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Connection {
    pub(super) close: bool,
    pub(super) upgrade: bool,
    /// It names fields that are not to be passed on.
    pub(super) names: bool,
    options: usize,
}

impl Connection {
    pub(super) fn note(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for option in fields::options(value) {
            if !fields::is_token(option) {
                return Err(Refusal::Bad("the Connection is not valid"));
            }
            self.options += 1;
            if self.options > MOST_OPTIONS {
                return Err(Refusal::Bad("the Connection has too many options"));
            }
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if !option.eq_ignore_ascii_case(b"keep-alive") {
                self.names = true;
            }
        }
        Ok(())
    }
}
