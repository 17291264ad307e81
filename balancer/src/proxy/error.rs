//! What can go wrong with one request, and what follows from it: status, log flag, whether it may be tried again.

use std::io;

use hyper::StatusCode;

use crate::{config::next_upstream::Case, fault::Fault, http1::Refusal};

/// Seconds after which a client may try again when there is no backend or no room.
const RETRY_AFTER: u32 = 1;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyError {
    /// The request is not HTTP as we accept it, and why.
    BadRequest(&'static str),
    /// Another version of HTTP.
    VersionUnknown,
    /// The first line of the request is too long.
    TargetTooLong,
    /// The head of the request is too large.
    HeadTooLarge,
    /// It has too many fields, or trailers.
    TooManyFields,
    /// CONNECT: we are no forward proxy.
    MethodRefused,
    /// TRACE that asks for no more proxies behind us: we show nobody a request.
    TraceRefused,
    /// TLS is spoken where it has come.
    NotSecure,
    /// The host is another certificate's than the one that was shown.
    Misdirected,
    /// No route is for this host.
    HostUnknown,
    /// No route is for this path.
    PathUnknown,
    /// The path can be read in several ways, which might be of several routes.
    PathAmbiguous,
    /// The route has files only, which are read.
    ReadOnly,
    /// There is no such file.
    FileMissing,
    /// It is not for everybody.
    FileForbidden,
    /// The system does not let us read it.
    FileUnreadable,
    /// Too many answers have files open.
    FilesFull,
    /// An expectation other than `100-continue`.
    ExpectationUnknown,
    /// A transfer coding other than `chunked`.
    CodingUnknown,
    /// The client has more requests than it may; it has to wait for so many seconds.
    Throttled(u32),
    /// The body is larger than the bound.
    BodyTooLarge,
    /// The head of the request did not end in time.
    HeadLate,
    /// The client stopped sending its body.
    BodyStalled,
    /// The client went away, or broke its body.
    ClientGone,
    /// The client closed before it had its answer; nobody is there to be told.
    ClientLeft,
    /// No connection to the backend could be made.
    Unreachable,
    /// None was made in time.
    ConnectLate,
    /// A held connection turned out closed before anything of the request was taken.
    NotSent,
    /// The backend closed after (some of) the request may have reached it, before an answer.
    NoAnswer,
    /// The backend closed in the middle of an answer of which the client has seen nothing.
    AnswerCut,
    /// The backend's answer is not HTTP, and why.
    AnswerBroken(Fault),
    /// The backend owed an answer for too long.
    AnswerLate,
    /// The system has no connection left for one to a backend.
    Exhausted,
    /// No backend is ready, and none became so.
    NoBackend,
    /// No backend can take another request, and too many requests wait for one.
    QueueFull,
    /// No backend could take another request for too long.
    QueueLate,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Backend,
    Us,
}

impl Side {
    /// Its name in the access log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::Us => "us",
        }
    }
}

/// Whether another backend may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// The request never reached a backend.
    Always,
    /// It may have been executed: only if repeating it is harmless.
    IfRepeatable,
    Never,
}

/// What follows from an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) status: StatusCode,
    pub(crate) side: Side,
    pub(crate) retry: Retry,
    /// What `next_upstream` calls it.
    pub(crate) case: Option<Case>,
    /// In the access log: why we answered, or why it was tried again.
    pub(crate) flag: &'static str,
    /// For the person at the other end.
    pub(crate) words: &'static str,
}

impl From<Refusal> for ProxyError {
    /// What a client's message that is not taken is answered with.
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Bad(why) => Self::BadRequest(why),
            Refusal::Version => Self::VersionUnknown,
            Refusal::Coding => Self::CodingUnknown,
            Refusal::TargetTooLong => Self::TargetTooLong,
            Refusal::HeadTooLarge | Refusal::TrailersTooLarge => Self::HeadTooLarge,
            Refusal::TooManyFields | Refusal::TooManyTrailers => Self::TooManyFields,
        }
    }
}

impl ProxyError {
    /// What a body that cannot be read on comes to: it is refused, as HTTP/2 may say, or its client has gone.
    pub(crate) fn of_body(error: io::Error) -> Self {
        error.downcast::<Refusal>().map_or(Self::ClientGone, Self::from)
    }

    /// What a backend's answer that is not taken comes to.
    pub(crate) fn of_answer(refusal: Refusal) -> Self {
        Self::AnswerBroken(Fault::Refused(refusal))
    }

    /// The one place where consequences are decided.
    pub(crate) fn facts(self) -> Facts {
        use Retry::{Always, IfRepeatable, Never};
        use Side::{Backend, Client, Us};
        let (status, side, retry, flag) = match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, Client, Never, "bad_request"),
            Self::VersionUnknown => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, Client, Never, "bad_request"),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, Client, Never, "bad_request"),
            Self::HeadTooLarge | Self::TooManyFields => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Client, Never, "bad_request")
            }
            Self::MethodRefused | Self::TraceRefused => (StatusCode::METHOD_NOT_ALLOWED, Client, Never, "method"),
            Self::NotSecure => (StatusCode::BAD_REQUEST, Client, Never, "no_tls"),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, Client, Never, "misdirected"),
            Self::HostUnknown => (StatusCode::MISDIRECTED_REQUEST, Client, Never, "no_route"),
            Self::PathUnknown => (StatusCode::NOT_FOUND, Client, Never, "no_route"),
            Self::PathAmbiguous => (StatusCode::BAD_REQUEST, Client, Never, "ambiguous"),
            Self::ReadOnly => (StatusCode::METHOD_NOT_ALLOWED, Client, Never, "method"),
            Self::FileMissing => (StatusCode::NOT_FOUND, Client, Never, "no_file"),
            Self::FileForbidden => (StatusCode::FORBIDDEN, Client, Never, "no_file"),
            Self::FileUnreadable => (StatusCode::INTERNAL_SERVER_ERROR, Us, Never, "file_error"),
            Self::FilesFull => (StatusCode::SERVICE_UNAVAILABLE, Us, Never, "files_full"),
            Self::ExpectationUnknown => (StatusCode::EXPECTATION_FAILED, Client, Never, "expectation"),
            Self::CodingUnknown => (StatusCode::NOT_IMPLEMENTED, Client, Never, "coding"),
            Self::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, Client, Never, "limited"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Client, Never, "body_limit"),
            Self::HeadLate => (StatusCode::REQUEST_TIMEOUT, Client, Never, "head_late"),
            Self::BodyStalled => (StatusCode::REQUEST_TIMEOUT, Client, Never, "body_stalled"),
            Self::ClientGone => (StatusCode::BAD_REQUEST, Client, Never, "client_gone"),
            Self::ClientLeft => (StatusCode::BAD_REQUEST, Client, Never, "cut"),
            Self::Unreachable => (StatusCode::BAD_GATEWAY, Backend, Always, "connect"),
            Self::ConnectLate => (StatusCode::GATEWAY_TIMEOUT, Backend, Always, "connect_timeout"),
            Self::NotSent => (StatusCode::BAD_GATEWAY, Backend, Always, "stale"),
            Self::NoAnswer => (StatusCode::BAD_GATEWAY, Backend, IfRepeatable, "no_answer"),
            Self::AnswerCut => (StatusCode::BAD_GATEWAY, Backend, IfRepeatable, "cut"),
            Self::AnswerBroken(_) => (StatusCode::BAD_GATEWAY, Backend, IfRepeatable, "invalid"),
            Self::AnswerLate => (StatusCode::GATEWAY_TIMEOUT, Backend, IfRepeatable, "timeout"),
            Self::Exhausted => (StatusCode::SERVICE_UNAVAILABLE, Us, Never, "exhausted"),
            Self::NoBackend => (StatusCode::SERVICE_UNAVAILABLE, Us, Never, "no_backend"),
            Self::QueueFull => (StatusCode::SERVICE_UNAVAILABLE, Us, Never, "queue_full"),
            Self::QueueLate => (StatusCode::SERVICE_UNAVAILABLE, Us, Never, "queue_timeout"),
        };
        Facts { status, side, retry, case: self.case(), flag, words: self.words() }
    }

    /// Seconds after which another request is worth while, if that is known.
    pub(crate) fn retry_after(self) -> Option<u32> {
        match self {
            Self::Throttled(seconds) => Some(seconds),
            Self::FilesFull | Self::Exhausted | Self::NoBackend | Self::QueueFull | Self::QueueLate => {
                Some(RETRY_AFTER)
            }
            _ => None,
        }
    }

    /// The methods that are answered instead (RFC 9110, 15.5.6). What a backend makes of them is another matter.
    pub(crate) fn allow(self) -> Option<&'static str> {
        match self {
            Self::MethodRefused => Some("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE"),
            Self::TraceRefused => Some("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
            Self::ReadOnly => Some("GET, HEAD"),
            _ => None,
        }
    }

    /// For the person at the other end.
    fn words(self) -> &'static str {
        match self {
            Self::BadRequest(why) => why,
            Self::VersionUnknown => "HTTP/1.1 and HTTP/1.0 are the only versions spoken here",
            Self::TargetTooLong => "the target is longer than this server takes",
            Self::HeadTooLarge => "the head is larger than this server takes",
            Self::TooManyFields => "there are more fields than this server takes",
            Self::MethodRefused => "this server does not open tunnels",
            Self::TraceRefused => "this server does not show requests",
            Self::NotSecure => "this port speaks TLS: ask for https",
            Self::Misdirected => "this connection is for another host",
            Self::HostUnknown => "this server has no such host",
            Self::PathUnknown => "there is nothing at this path",
            Self::PathAmbiguous => "the path can be read in more than one way",
            Self::ReadOnly => "only GET and HEAD are answered here",
            Self::FileMissing => "there is nothing at this path",
            Self::FileForbidden => "what is at this path is not for everybody",
            Self::FileUnreadable => "what is at this path could not be read",
            Self::FilesFull => "too many files are on their way at the moment",
            Self::ExpectationUnknown => "only 100-continue can be expected here",
            Self::CodingUnknown => "chunked is the only transfer coding known here",
            Self::Throttled(_) => "too many requests come from this address",
            Self::BodyTooLarge => "the body is larger than this server takes",
            Self::HeadLate => "the head did not come in time",
            Self::BodyStalled => "the body stopped coming",
            Self::ClientGone => "the body ended too early",
            Self::ClientLeft => "the client has closed the connection",
            Self::Unreachable => "the application could not be reached",
            Self::ConnectLate => "the application could not be reached in time",
            Self::NotSent => "the application closed the connection",
            Self::NoAnswer => "the application ended before it answered",
            Self::AnswerCut => "the application ended while it answered",
            Self::AnswerBroken(_) => "the application's answer could not be understood",
            Self::AnswerLate => "the application took too long to answer",
            Self::Exhausted => "this server has no connection left for the application",
            Self::NoBackend => "the application is not running at the moment",
            Self::QueueFull => "too many requests wait for the application",
            Self::QueueLate => "the application was too busy for too long",
        }
    }

    /// What `next_upstream` calls it; nothing that is not the backend's.
    fn case(self) -> Option<Case> {
        match self {
            Self::Unreachable | Self::NotSent | Self::NoAnswer | Self::AnswerCut => Some(Case::Error),
            Self::ConnectLate | Self::AnswerLate => Some(Case::Timeout),
            Self::AnswerBroken(_) => Some(Case::InvalidHeader),
            Self::BadRequest(_)
            | Self::VersionUnknown
            | Self::TargetTooLong
            | Self::HeadTooLarge
            | Self::TooManyFields
            | Self::MethodRefused
            | Self::TraceRefused
            | Self::NotSecure
            | Self::Misdirected
            | Self::HostUnknown
            | Self::PathUnknown
            | Self::PathAmbiguous
            | Self::ReadOnly
            | Self::FileMissing
            | Self::FileForbidden
            | Self::FileUnreadable
            | Self::FilesFull
            | Self::ExpectationUnknown
            | Self::CodingUnknown
            | Self::Throttled(_)
            | Self::BodyTooLarge
            | Self::HeadLate
            | Self::BodyStalled
            | Self::ClientGone
            | Self::ClientLeft
            | Self::Exhausted
            | Self::NoBackend
            | Self::QueueFull
            | Self::QueueLate => None,
        }
    }
}
