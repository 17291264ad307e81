//! What is wrong with a backend's answer, in the words of the log, and the bounds by which answers are read.

use std::fmt;

use crate::{
    config::units,
    http1::{Refusal, chunked::MOST_TRAILERS},
};

/// Most bytes of a backend's head.
pub(crate) const ANSWER_HEAD: usize = 64 * 1024;

/// Most fields of it, and most trailers behind it.
pub(crate) const ANSWER_FIELDS: usize = 256;

/// Most interim answers (100 to 199) before the final one.
pub(crate) const MOST_INTERIM: usize = 8;

/// Why an answer is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not HTTP as the standard writes it, or beyond a bound.
    Refused(Refusal),
    /// It does not come to the point.
    Interim,
    /// It switches protocols, and not as the client has asked.
    Switch,
    /// There was no room for its head.
    Memory,
    /// The library does not take it.
    Library(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal::Bad(why)) | Self::Library(why) => out.write_str(why),
            Self::Refused(Refusal::Version) => out.write_str("its version is neither HTTP/1.1 nor HTTP/1.0"),
            Self::Refused(Refusal::Coding) => out.write_str("it has a transfer coding other than chunked"),
            Self::Refused(Refusal::HeadTooLarge | Refusal::TargetTooLong) => {
                write!(out, "its head is larger than {}", units::written_size(ANSWER_HEAD))
            }
            Self::Refused(Refusal::TrailersTooLarge) => {
                write!(out, "its trailers are larger than {}", units::written_size(MOST_TRAILERS))
            }
            Self::Refused(Refusal::TooManyFields) => write!(out, "its head has more than {ANSWER_FIELDS} fields"),
            Self::Refused(Refusal::TooManyTrailers) => write!(out, "it has more than {ANSWER_FIELDS} trailers"),
            Self::Interim => write!(out, "there are more than {MOST_INTERIM} interim answers before it"),
            Self::Switch => out.write_str("it switches to a protocol that was not asked for"),
            Self::Memory => out.write_str("there is no memory left for its head"),
        }
    }
}
