//! HTTP/1.1 on the wire, read by the letter of RFC 9110 and 9112: bytes in, their meaning or a refusal out. No I/O, no
//! clocks, no opinion on what to do with a message.
//!
//! A proxy that reads a message in another way than the program behind it can be made to pass on a request that nobody
//! has checked, or to give one client's answer to another. So what the standard does not allow is refused and never
//! mended, and where it leaves a choice, the reading is taken that nobody can read otherwise.
//!
//! ```text
//! lines -> fields -> request, response     heads, read as their bytes arrive
//!                    framing               where the body ends
//!                    chunked               its chunks and trailers
//! ```

pub mod refusal;
mod grammar;
mod lines;
pub mod fields;
pub mod target;
pub mod framing;
pub mod request;
pub mod response;
pub mod chunked;

pub use refusal::Refusal;

/// A piece of the bytes that a message was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Span {
    /// The piece itself.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end]
    }

    /// How long it is.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Bounds of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes, from the first line to the empty one.
    pub size: usize,
    /// Most fields.
    pub fields: usize,
    /// Whether the query of a target may have the bytes that browsers leave as they are there, against RFC 3986.
    pub lenient_query: bool,
}

/// The versions there are. Others are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    /// That of all answers: the highest of this major version that is spoken here, to clients of 1.0 too (RFC 9110, 6.2).
    pub const ANSWERED: Self = Self::Http11;

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> &'static str {
        &self.name()["HTTP/".len()..]
    }

    fn parse(text: &[u8]) -> Result<Self, Refusal> {
        match text {
            b"HTTP/1.1" => Ok(Self::Http11),
            b"HTTP/1.0" => Ok(Self::Http10),
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                Err(Refusal::Version)
            }
            _ => Err(Refusal::Bad("the version is not one of HTTP")),
        }
    }
}

#[cfg(test)]
mod tests;
