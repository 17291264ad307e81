//! Why a message is not taken.

/// Why a message is not taken. Words are for the person at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not HTTP/1.1 as the standard writes it.
    #[error("{0}")]
    Bad(&'static str),
    /// Another version of HTTP.
    #[error("HTTP/1.1 and HTTP/1.0 are the only versions spoken here")]
    Version,
    /// A transfer coding other than `chunked`.
    #[error("chunked is the only transfer coding known here")]
    Coding,
    /// The first line does not end within the bound of a head.
    #[error("the target is longer than this server takes")]
    TargetTooLong,
    /// The head has too many bytes.
    #[error("the head is larger than this server takes")]
    HeadTooLarge,
    /// The head has too many fields.
    #[error("the head has more fields than this server takes")]
    TooManyFields,
    /// The trailers have too many bytes.
    #[error("the trailers are larger than this server takes")]
    TrailersTooLarge,
    /// There are too many trailers.
    #[error("there are more trailers than this server takes")]
    TooManyTrailers,
}
