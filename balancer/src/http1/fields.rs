//! Fields of heads and trailers (RFC 9110, 5; RFC 9112, 5): where they are, and which of them tell HTTP something.

use super::{Refusal, Span, grammar, lines::Lines};

/// What a field is to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whom the request is for.
    Host,
    /// How long the body is.
    ContentLength,
    /// How the body is framed.
    TransferEncoding,
    /// What belongs to this connection only.
    Connection,
    /// Other fields that belong to one connection: `Keep-Alive`, `Proxy-Connection`, `TE`.
    Hop,
    /// Another protocol, wanted or chosen.
    Upgrade,
    /// What the client waits for before it sends its body.
    Expect,
    /// Where a request comes from, as somebody before us says: `Forwarded`, `X-Forwarded-*`, `X-Real-IP`.
    Claim,
    /// What a request is known by: `X-Request-Id`.
    RequestId,
    /// The trace that a request is part of (W3C): `traceparent`.
    TraceParent,
    /// What goes with it: `tracestate`.
    TraceState,
    /// `Date`.
    Date,
    /// `Accept`.
    Accept,
    /// `Content-Type`.
    ContentType,
    /// `Referer`.
    Referer,
    /// `User-Agent`.
    UserAgent,
    /// A field that may not stand in trailers, though a proxy has nothing to do with it.
    Leading,
    /// Any other.
    Other,
}

impl Kind {
    /// That of the field with this name.
    ///
    /// # Errors
    ///
    /// It could be taken for one that frames or routes a message.
    pub(crate) fn of(name: &[u8]) -> Result<Self, Refusal> {
        let kind = Self::named(name);
        if kind != Self::Other || !name.contains(&b'_') {
            return Ok(kind);
        }
        // Programs that get fields as variables (CGI, WSGI) take `X_Real_IP` for `X-Real-IP`.
        let plain: Vec<u8> = name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte }).collect();
        match Self::named(&plain) {
            kind @ (Self::Claim | Self::RequestId) => Ok(kind),
            Self::Host | Self::ContentLength | Self::TransferEncoding | Self::Connection => {
                Err(Refusal::Bad("there is a field that could be taken for another one"))
            }
            _ => Ok(Self::Other),
        }
    }

    fn named(name: &[u8]) -> Self {
        let named: &[(&[u8], Self)] = match name.len() {
            2 => &[(b"te", Self::Hop)],
            4 => &[(b"host", Self::Host), (b"date", Self::Date)],
            6 => &[(b"accept", Self::Accept), (b"expect", Self::Expect), (b"cookie", Self::Leading)],
            7 => &[(b"referer", Self::Referer), (b"upgrade", Self::Upgrade)],
            9 => &[(b"forwarded", Self::Claim), (b"x-real-ip", Self::Claim)],
            10 => &[
                (b"connection", Self::Connection),
                (b"user-agent", Self::UserAgent),
                (b"keep-alive", Self::Hop),
                (b"set-cookie", Self::Leading),
                (b"tracestate", Self::TraceState),
            ],
            11 => &[(b"traceparent", Self::TraceParent)],
            12 => &[(b"content-type", Self::ContentType), (b"x-request-id", Self::RequestId)],
            13 => &[
                (b"authorization", Self::Leading),
                (b"cache-control", Self::Leading),
                (b"content-range", Self::Leading),
            ],
            14 => &[(b"content-length", Self::ContentLength)],
            16 => &[(b"proxy-connection", Self::Hop), (b"content-encoding", Self::Leading)],
            17 => &[(b"transfer-encoding", Self::TransferEncoding)],
            _ => &[],
        };
        match named.iter().find(|(known, _)| is_named(name, known)) {
            Some((_, kind)) => *kind,
            None if name.get(..12).is_some_and(|start| is_named(start, b"x-forwarded-")) => Self::Claim,
            None => Self::Other,
        }
    }

    /// Whether it may stand in trailers: what tells framing, routing or whom to trust comes first, and who sends it last
    /// means to deceive somebody.
    pub(crate) fn may_trail(self) -> bool {
        matches!(
            self,
            Self::Other
                | Self::Date
                | Self::Accept
                | Self::Referer
                | Self::UserAgent
                | Self::RequestId
                | Self::TraceParent
                | Self::TraceState
        )
    }
}

/// Whether it is the name that is known in lower case. Most others begin with another letter.
fn is_named(name: &[u8], known: &[u8]) -> bool {
    name.first().map(u8::to_ascii_lowercase) == known.first().copied() && name.eq_ignore_ascii_case(known)
}

/// Whether a name is another one, to programs that get fields as variables (CGI, WSGI) too: to them `X_User` is `X-User`.
pub(crate) fn is_taken_for(name: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.iter().map(plain).eq(other.iter().map(plain))
}

/// Whether others than the balancer may decide about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Free,
    /// It tells where a message ends, whom it is for or from, or what belongs to one connection.
    Bound,
    /// There is no such field: its name is no name.
    None,
}

/// Whether others than the balancer may decide about the field of this name.
#[must_use]
pub fn standing(name: &[u8]) -> Standing {
    match Kind::of(name) {
        _ if !is_token(name) => Standing::None,
        _ if name.eq_ignore_ascii_case(b"trailer") => Standing::Bound,
        Ok(
            Kind::Other
            | Kind::Leading
            | Kind::Date
            | Kind::Accept
            | Kind::ContentType
            | Kind::Referer
            | Kind::UserAgent,
        ) => Standing::Free,
        Ok(_) | Err(_) => Standing::Bound,
    }
}

/// Whether a text is a token (RFC 9110, 5.6.2): a method, the name of a field, an option.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    grammar::is_token(text)
}

/// Fields that no trailer may have (RFC 9110, 6.5.1) though they deceive nobody about where a message ends: they are for
/// whoever has not yet begun to handle it. In lower case.
const NEVER_LAST: [&[u8]; 30] = [
    b"accept",
    b"age",
    b"authentication-info",
    b"date",
    b"expires",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"location",
    b"max-forwards",
    b"origin",
    b"pragma",
    b"proxy-authenticate",
    b"proxy-authentication-info",
    b"proxy-authorization",
    b"range",
    b"referer",
    b"retry-after",
    b"strict-transport-security",
    b"traceparent",
    b"tracestate",
    b"trailer",
    b"user-agent",
    b"vary",
    b"via",
    b"warning",
    b"www-authenticate",
    b"x-request-id",
];

/// Fields that an answer has once at most (RFC 9110, 5.3) and that say what its body is or where its client goes; two of them
/// are two answers, of which everybody may take another one. Each with what is said of two. Others that the standard has
/// once, such as `Date`, `Server` or `Retry-After`, are written twice by many, and make no other answer of it.
pub(crate) const ONCE: &[(&str, &str)] = &[
    ("content-type", "there is more than one Content-Type"),
    ("location", "there is more than one Location"),
    ("etag", "there is more than one ETag"),
    ("last-modified", "there is more than one Last-Modified"),
    ("content-range", "there is more than one Content-Range"),
    ("content-location", "there is more than one Content-Location"),
];

/// The same of requests: what decides who asks, and for what.
pub(crate) const ASKED_ONCE: &[(&str, &str)] = &[
    ("authorization", "there is more than one Authorization"),
    ("content-type", "there is more than one Content-Type"),
    ("content-range", "there is more than one Content-Range"),
    ("range", "there is more than one Range"),
    ("if-range", "there is more than one If-Range"),
    ("if-modified-since", "there is more than one If-Modified-Since"),
    ("if-unmodified-since", "there is more than one If-Unmodified-Since"),
    ("origin", "there is more than one Origin"),
];

/// Which of those that it may have once a head has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Once {
    list: &'static [(&'static str, &'static str)],
    seen: u8,
}

impl Once {
    /// For a head that may have these once, eight at most.
    pub(super) fn of(list: &'static [(&'static str, &'static str)]) -> Self {
        Self { list, seen: 0 }
    }

    /// Takes note of one field.
    pub(super) fn note(&mut self, name: &[u8]) -> Result<(), Refusal> {
        let place = self.list.iter().position(|(known, _)| is_taken_for(name, known.as_bytes()));
        let Some(place) = place else { return Ok(()) };
        let before = self.seen;
        self.seen |= 1 << place;
        if before == self.seen { Err(Refusal::Bad(self.list[place].1)) } else { Ok(()) }
    }
}

/// Checks that a request with fields of these names has none twice that it may have once.
///
/// # Errors
///
/// It has.
pub(crate) fn check_asked_once<'a>(mut names: impl Iterator<Item = &'a [u8]>) -> Result<(), Refusal> {
    let mut once = Once::of(ASKED_ONCE);
    names.try_for_each(|name| once.note(name))
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// What it is to a proxy.
    pub kind: Kind,
    /// Its name as it was written.
    pub name: Span,
    /// Its value, without blanks around it.
    pub value: Span,
}

/// Reads one field line.
pub(super) fn parse(bytes: &[u8], line: Span) -> Result<Field, Refusal> {
    let text = line.of(bytes);
    let colon = text.iter().take_while(|&&byte| grammar::is_token_byte(byte)).count();
    if colon == 0 || text.get(colon) != Some(&b':') {
        return Err(match text.first() {
            Some(b' ' | b'\t') => Refusal::Bad("there is a line in the head that begins with a blank"),
            _ => Refusal::Bad("there is a field in the head whose name is not valid"),
        });
    }
    let value = &text[colon + 1..];
    if !grammar::is_text(value) {
        return Err(Refusal::Bad("there is a control character in the head"));
    }
    let name = Span { start: line.start, end: line.start + colon };
    let (before, length) = grammar::inner(value);
    let start = name.end + 1 + before;
    Ok(Field { kind: Kind::of(name.of(bytes))?, name, value: Span { start, end: start + length } })
}

/// The elements of a list of tokens (RFC 9110, 5.6.1). Empty elements are passed over, as a recipient has to.
pub fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(grammar::trimmed).filter(|option| !option.is_empty())
}

/// Whether a value is a list of protocols (RFC 9110, 7.8), each with a version or without.
pub(crate) fn are_protocols(value: &[u8]) -> bool {
    options(value).all(|protocol| {
        let mut parts = protocol.splitn(2, |&byte| byte == b'/');
        parts.all(grammar::is_token)
    })
}

/// Whether the values of `Expect` are none, or the one expectation that there is, once (RFC 9110, 10.1.1).
pub(crate) fn are_expectations<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> bool {
    let is_first_known = values.next().is_none_or(|value| value.eq_ignore_ascii_case(b"100-continue"));
    is_first_known && values.next().is_none()
}

/// What `Connection` names, as one list; empty when it names nothing.
#[must_use]
pub fn named(bytes: &[u8], fields: &[Field]) -> Vec<u8> {
    let mut named = Vec::new();
    for field in fields.iter().filter(|field| field.kind == Kind::Connection) {
        let plain =
            |option: &&[u8]| !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive");
        for option in options(field.value.of(bytes)).filter(plain) {
            named.extend_from_slice(option);
            named.push(b',');
        }
    }
    named
}

/// There is a field in the trailers that [may not](Kind::may_trail) be there.
pub(crate) const NO_TRAILER: Refusal = Refusal::Bad("there is a field in the trailers that may not be there");

/// Checks one line of trailers, with its end: whether it goes on. `named`: what `Connection` names.
pub(super) fn check_trailer(text: &[u8], named: &[u8]) -> Result<bool, Refusal> {
    let Some(line) = Lines::default().next(text)? else { return Err(Refusal::Bad("a trailer has no end")) };
    if line.is_empty() {
        return Ok(true);
    }
    let field = parse(text, line)?;
    let name = field.name.of(text);
    let plain: Vec<u8> = name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
    if !field.kind.may_trail() || !Kind::named(&plain).may_trail() {
        return Err(NO_TRAILER);
    }
    let is_one = |other: &[u8]| is_taken_for(name, other);
    Ok(!NEVER_LAST.into_iter().any(is_one) && !options(named).any(is_one))
}

/// The fields of a head that is written, with their values.
pub(crate) fn written(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = head.split(|byte| *byte == b'\n').skip(1).take_while(|line| *line != b"\r");
    let fields = lines.filter_map(|line| line.split_at_checked(memchr::memchr(b':', line)?));
    fields.map(|(name, value)| (name, value[1..].trim_ascii()))
}
