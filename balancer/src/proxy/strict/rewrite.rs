//! Heads as they go on: written anew from what was read, with what belongs to one connection left out. Pure.

use std::{net::SocketAddr, ops::Range};

use crate::{
    http1::{
        Version,
        fields::{self, Field, Kind},
        framing::Framing,
        request::Request,
        response::Response,
        target::{self, Target},
    },
    identity::Trace,
    proxy::client::Source,
};

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) source: &'a Source,
    pub(crate) server: SocketAddr,
    /// Whether it came over TLS.
    pub(crate) secure: bool,
    /// The version of HTTP in which it came.
    pub(crate) via: &'static str,
    /// What it is known by.
    pub(crate) id: Option<&'a [u8]>,
    pub(crate) trace: Trace,
}

/// Writes the head of a request for a backend. `upgrade`: it may switch protocols.
pub(crate) fn request(
    out: &mut Vec<u8>,
    bytes: &[u8],
    head: &Request,
    fields: &[Field],
    origin: Origin<'_>,
    upgrade: bool,
) {
    out.extend_from_slice(head.method.of(bytes));
    out.push(b' ');
    path(out, bytes, head);
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    let host = out.len();
    match (head.target, head.host) {
        // The target's wins over Host (RFC 9112, 3.2.2).
        (Target::Absolute { authority, .. }, _) => out.extend_from_slice(authority.of(bytes)),
        (_, Some(host)) => out.extend_from_slice(host.of(bytes)),
        // HTTP/1.0 may go without, the HTTP/1.1 that we speak to the backend may not.
        (_, None) => out.extend_from_slice(origin.server.to_string().as_bytes()),
    }
    let host = host..out.len();
    out.extend_from_slice(b"\r\n");
    let (with_parent, with_state) = match origin.trace {
        Trace::Ignored => (true, true),
        Trace::Passed { state } => (true, state),
        Trace::Begun(_) => (false, false),
    };
    let hops = hops_left(bytes, head, fields).ok().flatten();
    copy(out, bytes, fields, |field| match field.kind {
        _ if hops.is_some() && is_max_forwards(bytes, field) => false,
        Kind::Host
        | Kind::ContentLength
        | Kind::TransferEncoding
        | Kind::Connection
        | Kind::Hop
        | Kind::Upgrade
        | Kind::Expect
        | Kind::Claim => false,
        Kind::RequestId if origin.id.is_some() => false,
        Kind::TraceParent if !with_parent => false,
        Kind::TraceState if !with_state => false,
        Kind::Other
        | Kind::Leading
        | Kind::Accept
        | Kind::ContentType
        | Kind::Referer
        | Kind::UserAgent
        | Kind::RequestId
        | Kind::TraceParent
        | Kind::TraceState
        | Kind::Date => !(head.names && is_named(bytes, fields, field)),
    });
    let told = said(bytes, fields, origin.source, b"X-Forwarded-Host").filter(|host| target::is_host(host));
    forwarded(out, &told.map_or(Host::Ours(host), Host::Told), origin);
    if let Some(hops) = hops {
        add(out, MAX_FORWARDS, itoa::Buffer::new().format(hops.saturating_sub(1)).as_bytes());
    }
    for part in [&b"Via: "[..], origin.via.as_bytes(), b" logkin-balancer\r\n"] {
        out.extend_from_slice(part);
    }
    identity(out, origin);
    match head.framing {
        Framing::Length(length) => content_length(out, length),
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::None | Framing::Close => {}
    }
    if let Some(protocol) = head.upgrade.filter(|_| upgrade) {
        out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: ");
        out.extend_from_slice(protocol.of(bytes));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

const MAX_FORWARDS: &[u8] = b"Max-Forwards";

fn is_max_forwards(bytes: &[u8], field: &Field) -> bool {
    field.name.of(bytes).eq_ignore_ascii_case(MAX_FORWARDS)
}

/// How many more times a request may be passed on, which only TRACE and OPTIONS tell (RFC 9110, 7.6.2).
///
/// # Errors
///
/// It is told, but there is no knowing it.
pub(crate) fn hops_left(bytes: &[u8], head: &Request, fields: &[Field]) -> Result<Option<u32>, ()> {
    if !matches!(head.method.of(bytes), b"TRACE" | b"OPTIONS") {
        return Ok(None);
    }
    let mut told = fields.iter().filter(|field| is_max_forwards(bytes, field)).map(|field| field.value.of(bytes));
    match (told.next(), told.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
            // So many that it does not fit are enough for any way there is.
            Ok(Some(std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(u32::MAX)))
        }
        _ => Err(()),
    }
}

/// Over TLS only; an answer has it once.
pub(crate) const HSTS: &[u8] = b"Strict-Transport-Security";

/// Whether a field is that.
pub(crate) fn is_hsts(bytes: &[u8], field: &Field) -> bool {
    field.name.of(bytes).eq_ignore_ascii_case(HSTS)
}

/// The status of an answer that asks for another protocol, and has to say which.
const UPGRADE_REQUIRED: u16 = 426;

/// How an answer goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Onward<'a> {
    /// Where its body will end.
    pub(crate) framing: Framing,
    /// The length told of a body that does not follow.
    pub(crate) length_told: Option<u64>,
    /// Whether the client's connection stays.
    pub(crate) stays: bool,
    /// For a final answer that tells no date (RFC 9110, 6.6.1).
    pub(crate) date: &'a str,
    /// What we tell of TLS instead of the backend (RFC 6797).
    pub(crate) hsts: Option<&'a str>,
    /// What the request was known by.
    pub(crate) id: Option<&'a [u8]>,
    /// A cookie of ours.
    pub(crate) cookie: Option<&'a str>,
}

impl Onward<'_> {
    /// With nothing added, on a connection that stays.
    pub(crate) fn as_read(framing: Framing) -> Self {
        Self { framing, length_told: None, stays: true, date: "", hsts: None, id: None, cookie: None }
    }
}

/// Writes the head of an answer for the client.
pub(crate) fn response(out: &mut Vec<u8>, bytes: &[u8], head: &Response, fields: &[Field], onward: Onward<'_>) {
    out.extend_from_slice(Version::ANSWERED.name().as_bytes());
    let status = head.status;
    out.extend_from_slice(&[b' ', digit(status / 100), digit(status / 10 % 10), digit(status % 10), b' ']);
    out.extend_from_slice(head.reason.of(bytes));
    out.extend_from_slice(b"\r\n");
    copy(out, bytes, fields, |field| match field.kind {
        // Said by the backend, whether `Connection` names it or not, and of use to nobody but the client (RFC 9110, 15.5.22).
        Kind::Upgrade => status == UPGRADE_REQUIRED,
        Kind::ContentLength | Kind::TransferEncoding | Kind::Connection | Kind::Hop => false,
        Kind::RequestId if onward.id.is_some() => false,
        _ => !(head.names && is_named(bytes, fields, field) || onward.hsts.is_some() && is_hsts(bytes, field)),
    });
    if let Some(hsts) = onward.hsts {
        for part in [HSTS, b": ", hsts.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    for (name, value) in [(REQUEST_ID, onward.id), (SET_COOKIE, onward.cookie.map(str::as_bytes))] {
        if let Some(value) = value {
            add(out, name, value);
        }
    }
    if !head.dated && status >= 200 {
        out.extend_from_slice(b"Date: ");
        out.extend_from_slice(onward.date.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    match (onward.framing, onward.length_told) {
        (Framing::Length(length), _) | (Framing::None, Some(length)) => content_length(out, length),
        (Framing::Chunked, _) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        (Framing::None, None) | (Framing::Close, _) => {}
    }
    let asks = status == UPGRADE_REQUIRED && fields.iter().any(|field| field.kind == Kind::Upgrade);
    match head.upgrade {
        _ if asks => {
            let close: &[u8] = if onward.stays { b"" } else { b", close" };
            add(out, b"Connection", &[b"upgrade", close].concat());
        }
        Some(protocol) if status == 101 => {
            out.extend_from_slice(b"Connection: upgrade\r\nUpgrade: ");
            out.extend_from_slice(protocol.of(bytes));
            out.extend_from_slice(b"\r\n");
        }
        _ if onward.stays => {}
        _ => out.extend_from_slice(b"Connection: close\r\n"),
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a cookie of ours into a head that is written already.
pub(crate) fn add_cookie(head: &mut Vec<u8>, cookie: &str) {
    head.truncate(head.len() - b"\r\n".len());
    add(head, SET_COOKIE, cookie.as_bytes());
    head.extend_from_slice(b"\r\n");
}

/// Origin form, whatever it came in (RFC 9112, 3.2.1 and 3.2.4).
fn path(out: &mut Vec<u8>, bytes: &[u8], head: &Request) {
    match head.target {
        Target::Origin(path) | Target::Authority(path) => out.extend_from_slice(path.of(bytes)),
        Target::Asterisk => out.push(b'*'),
        Target::Absolute { path, .. } if path.is_empty() && head.method.of(bytes) == b"OPTIONS" => out.push(b'*'),
        Target::Absolute { path, .. } => {
            if !path.of(bytes).starts_with(b"/") {
                out.push(b'/');
            }
            out.extend_from_slice(path.of(bytes));
        }
    }
}

/// The field with what a request is known by.
const REQUEST_ID: &[u8] = b"X-Request-Id";

const SET_COOKIE: &[u8] = b"Set-Cookie";

/// What the one field with this name says, if whoever has written it is believed.
pub(crate) fn said<'a>(bytes: &'a [u8], fields: &[Field], source: &Source, name: &[u8]) -> Option<&'a [u8]> {
    let mut named = fields.iter().filter(|field| source.trusted && field.name.of(bytes).eq_ignore_ascii_case(name));
    let only = named.next().filter(|_| named.next().is_none())?;
    Some(only.value.of(bytes))
}

/// The host that a request was for.
enum Host<'a> {
    /// Where it stands in what is written.
    Ours(Range<usize>),
    /// As somebody says who is believed.
    Told(&'a [u8]),
}

impl Host<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ours(place) => out.extend_from_within(place.clone()),
            Self::Told(host) => out.extend_from_slice(host),
        }
    }
}

fn forwarded(out: &mut Vec<u8>, host: &Host<'_>, origin: Origin<'_>) {
    let source = origin.source;
    let last = source.peer.as_deref().unwrap_or(&source.name);
    let hops: Vec<String> = source.hops.iter().map(ToString::to_string).collect();
    let all = || hops.iter().map(String::as_str).chain([last]);
    out.extend_from_slice(b"X-Forwarded-For: ");
    for (number, hop) in all().enumerate() {
        out.extend_from_slice(if number > 0 { b", " } else { b"" });
        out.extend_from_slice(hop.as_bytes());
    }
    out.extend_from_slice(b"\r\nX-Real-IP: ");
    out.extend_from_slice(source.name.as_bytes());
    let proto: &[u8] = if origin.secure { b"https" } else { b"http" };
    out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
    out.extend_from_slice(proto);
    out.extend_from_slice(b"\r\nX-Forwarded-Host: ");
    host.write(out);
    out.extend_from_slice(b"\r\nForwarded: ");
    for (number, hop) in all().enumerate() {
        let (start, end) = if hop.contains(':') { (&b"for=\"["[..], &b"]\""[..]) } else { (&b"for="[..], &b""[..]) };
        for part in [if number > 0 { &b", "[..] } else { b"" }, start, hop.as_bytes(), end] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b";host=\"");
    host.write(out);
    out.extend_from_slice(b"\";proto=");
    out.extend_from_slice(proto);
    out.extend_from_slice(b"\r\n");
}

fn identity(out: &mut Vec<u8>, origin: Origin<'_>) {
    if let Some(id) = origin.id {
        add(out, REQUEST_ID, id);
    }
    if let Trace::Begun(parent) = origin.trace {
        add(out, b"traceparent", &parent);
    }
}

fn add(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Copies the lines of the fields that go on; those that stand together as we would write them, in one piece.
fn copy(out: &mut Vec<u8>, bytes: &[u8], fields: &[Field], goes: impl Fn(&Field) -> bool) {
    let mut piece = 0..0;
    for field in fields.iter().filter(|field| goes(field)) {
        let (name, value) = (field.name, field.value);
        if bytes[name.end + 1..value.start] == *b" " && bytes[value.end] == b'\r' {
            if piece.end != name.start {
                out.extend_from_slice(&bytes[std::mem::replace(&mut piece, name.start..name.start)]);
            }
            piece.end = value.end + 2;
        } else {
            out.extend_from_slice(&bytes[std::mem::replace(&mut piece, 0..0)]);
            for part in [name.of(bytes), b": ", value.of(bytes), b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    }
    out.extend_from_slice(&bytes[piece]);
}

fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Whether `Connection` names it.
pub(crate) fn is_named(bytes: &[u8], all: &[Field], field: &Field) -> bool {
    let connection = all.iter().filter(|field| field.kind == Kind::Connection);
    let mut options = connection.flat_map(|field| fields::options(field.value.of(bytes)));
    options.any(|option| option.eq_ignore_ascii_case(field.name.of(bytes)))
}

fn digit(digit: u16) -> u8 {
    b'0' + u8::try_from(digit).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{Bounds, request::Reader as Requests, response::Reader as Responses};
    use crate::proxy::switch;

    const BOUNDS: Bounds = Bounds { size: 4096, fields: 50, lenient_query: false };

    fn source(address: &str) -> Source {
        let (address, name) = (address.parse().unwrap(), address.to_owned());
        Source { address, name, trusted: false, hops: Vec::new(), peer: None, secure: None }
    }

    fn going_on(text: &str) -> String {
        let mut reader = Requests::default();
        let head = reader.read(text.as_bytes(), BOUNDS).unwrap().unwrap();
        let mut out = Vec::new();
        let source = source(if text.contains("from-six") { "2001:db8::1" } else { "127.0.0.1" });
        let server = ([127, 0, 0, 1], 8001).into();
        let origin = Origin { source: &source, server, secure: false, via: "1.1", id: None, trace: Trace::Ignored };
        let upgrade = head.upgrade.is_some_and(|upgrade| switch::may_switch(upgrade.of(text.as_bytes())));
        request(&mut out, text.as_bytes(), &head, reader.fields(), origin, upgrade);
        String::from_utf8(out).unwrap()
    }

    const OURS: &str = "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\
                        Forwarded: for=127.0.0.1;host=\"a\";proto=http\r\nVia: 1.1 logkin-balancer\r\n";

    #[test]
    fn whoever_traces_its_way_is_counted_down() {
        let hops = |method: &str, value: &str| {
            let seen = going_on(&format!("{method} / HTTP/1.1\r\nHost: a\r\nmax-forwards: {value}\r\n\r\n"));
            let mut lines = seen.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(name, _)| name.eq_ignore_ascii_case("max-forwards")).map(|(_, value)| value.to_owned())
        };
        assert_eq!(hops("OPTIONS", "10").as_deref(), Some("9"));
        assert_eq!(hops("TRACE", "1").as_deref(), Some("0"));
        assert_eq!(hops("TRACE", "99999999999").as_deref(), Some("4294967294"));
        assert_eq!(hops("GET", "3").as_deref(), Some("3"), "for others it means nothing");
    }

    #[test]
    fn what_connection_names_is_gone_and_ours_is_there() {
        let text = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close, X-Forwarded-For, X-Secret\r\nX-Secret: 1\r\nA:  b \r\n\
                    Connection: x-real-ip,host,content-length\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
                    Forwarded: for=6.6.6.6\r\nKeep-Alive: 5\r\nTE: trailers\r\nX_Forwarded_For: 6.6.6.6\r\nContent-Length: 3\r\n\
                    X-Forwarded-Whatever: 6\r\nExpect: 100-continue\r\nProxy-Connection: x\r\n\r\n";
        assert_eq!(going_on(text), format!("GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n{OURS}Content-Length: 3\r\n\r\n"));
    }

    #[test]
    fn a_target_goes_on_in_origin_form_with_its_own_host() {
        for (target, line, host) in [
            ("http://inner:81/a?b", "GET /a?b", "inner:81"),
            ("http://inner?b", "GET /?b", "inner"),
            ("http://inner", "GET /", "inner"),
            ("/a%2f..;b", "GET /a%2f..;b", "outer"),
        ] {
            let seen = going_on(&format!("GET {target} HTTP/1.1\r\nHost: outer\r\n\r\n"));
            assert!(seen.starts_with(&format!("{line} HTTP/1.1\r\nHost: {host}\r\n")), "{seen}");
            assert!(seen.contains(&format!("X-Forwarded-Host: {host}\r\n")), "{seen}");
        }
        assert!(going_on("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("OPTIONS * HTTP/1.1\r\n"));
        assert!(going_on("GET / HTTP/1.0\r\n\r\n").starts_with("GET / HTTP/1.1\r\nHost: 127.0.0.1:8001\r\n"));
    }

    #[test]
    fn an_address_of_the_new_kind_is_quoted_where_it_has_to_be() {
        let seen = going_on("GET /from-six HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
        assert!(seen.contains("Forwarded: for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=http\r\n"), "{seen}");
    }

    #[test]
    fn an_upgrade_goes_on_unless_it_is_to_another_http() {
        let asking =
            |to: &str| going_on(&format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {to}\r\n\r\n"));
        assert!(asking("websocket").ends_with("Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"));
        for to in ["h2c", "websocket, H2C", "HTTP/2.0", "TLS/1.0", ""] {
            assert!(!asking(to).to_lowercase().contains("upgrade"), "{to}");
        }
    }

    #[test]
    fn an_answer_goes_on_without_what_belongs_to_its_connection() {
        let text = "HTTP/1.0 200 Fine\r\nConnection: X-Inner\r\nX-Inner: 1\r\nKeep-Alive: 5\r\nUpgrade: h2\r\nContent-Length: 5\r\nStrict-Transport-Security: b\r\nSet-Cookie: a\r\n\r\n";
        let mut reader = Responses::default();
        let head = reader.read(text.as_bytes(), false, BOUNDS).unwrap().unwrap();
        let mut out = Vec::new();
        let onward = Onward {
            framing: head.framing,
            length_told: head.length_told,
            stays: false,
            date: "today",
            hsts: Some("max-age=1"),
            id: None,
            cookie: Some("c=d"),
        };
        response(&mut out, text.as_bytes(), &head, reader.fields(), onward);
        let expected = "HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nStrict-Transport-Security: max-age=1\r\nSet-Cookie: c=d\r\nDate: today\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
