//! What happens to heads on their way: checks of target and Host, hop-by-hop removal, forwarded headers. Pure.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    HeaderMap, Method, Uri, Version,
    header::{self, Entry, HeaderName, HeaderValue},
    http::{request, uri},
};

use crate::{
    http1::{
        fields::{self, Kind},
        framing,
        request::{BAD_UPGRADE, TRACE_BODY, UPGRADES},
    },
    proxy::{error::ProxyError, switch},
};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Turns a client's head into the one for the backend. `protocol` is the protocol it wants to switch to, if it may.
pub(crate) fn prepare(
    head: &mut request::Parts,
    client: IpAddr,
    server: SocketAddr,
    chunked: bool,
) -> Result<Option<HeaderValue>, ProxyError> {
    check_target(head, server)?;
    // We answer `100 Continue` ourselves, when a backend takes the body.
    if !fields::are_expectations(head.headers.get_all(header::EXPECT).iter().map(HeaderValue::as_bytes)) {
        return Err(ProxyError::ExpectationUnknown);
    }
    check_coding(&head.headers)?;
    fields::check_asked_once(head.headers.iter().map(|(name, _)| name.as_str().as_bytes()))?;
    framing::check_connection(head.headers.get_all(header::CONNECTION).iter().map(HeaderValue::as_bytes))?;
    let is_framed =
        [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].iter().any(|name| head.headers.contains_key(name));
    if is_framed && head.method == Method::TRACE {
        return Err(TRACE_BODY.into());
    }
    let mut upgrades = head.headers.get_all(header::UPGRADE).iter();
    match (upgrades.next(), upgrades.next()) {
        (Some(_), Some(_)) => return Err(UPGRADES.into()),
        (Some(protocol), None) if !fields::are_protocols(protocol.as_bytes()) => return Err(BAD_UPGRADE.into()),
        _ => {}
    }
    let protocol = wanted_protocol(head);
    strip_hop_by_hop(&mut head.headers);
    head.headers.remove(header::EXPECT);
    remove_claims(&mut head.headers)?;
    let client = client.to_canonical();
    let address = text_value(&client);
    if let Some(host) = head.headers.get(header::HOST).cloned() {
        head.headers.insert(header::FORWARDED, forwarded(client, &host));
        head.headers.insert(&X_FORWARDED_HOST, host);
    }
    head.headers.insert(&X_REAL_IP, address.clone());
    head.headers.insert(&X_FORWARDED_FOR, address);
    head.headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    if chunked {
        // Without it, hyper takes a GET for one without a body, and the body would be lost.
        head.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(protocol) = &protocol {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, protocol.clone());
    }
    let via = if head.version == Version::HTTP_10 { "1.0 logkin-balancer" } else { "1.1 logkin-balancer" };
    head.headers.append(header::VIA, HeaderValue::from_static(via));
    head.version = Version::HTTP_11;
    Ok(protocol)
}

/// Removes what a client says about where it comes from, which we do not vouch for; refuses what could be taken for another
/// field.
fn remove_claims(headers: &mut HeaderMap) -> Result<(), ProxyError> {
    for name in headers.keys().cloned().collect::<Vec<_>>() {
        if Kind::of(name.as_str().as_bytes())? == Kind::Claim {
            headers.remove(name);
        }
    }
    Ok(())
}

/// Removes what belongs to one connection only: the fields of RFC 9110, 7.6.1, and all that `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    while let Entry::Occupied(connection) = headers.entry(header::CONNECTION) {
        let (_, values) = connection.remove_entry_mult();
        let values: Vec<HeaderValue> = values.collect();
        let options = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        for option in options {
            let Ok(name) = HeaderName::from_bytes(option.trim().as_bytes()) else { continue };
            // These tell the message's framing and target; a client that names them gains nothing but confusion.
            if name != header::HOST && name != header::CONTENT_LENGTH {
                headers.remove(&name);
            }
        }
    }
    for name in [&KEEP_ALIVE, &PROXY_CONNECTION, &header::TE, &header::TRANSFER_ENCODING, &header::UPGRADE] {
        headers.remove(name);
    }
}

/// The same for an answer that asks for another protocol, which has to say which (RFC 9110, 15.5.22).
pub(crate) fn strip_but_upgrade(headers: &mut HeaderMap) {
    let protocols: Vec<HeaderValue> = headers.get_all(header::UPGRADE).iter().cloned().collect();
    strip_hop_by_hop(headers);
    if !protocols.is_empty() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    for protocol in protocols {
        headers.append(header::UPGRADE, protocol);
    }
}

/// Whether a head asks to switch protocols, and to which.
fn wanted_protocol(head: &request::Parts) -> Option<HeaderValue> {
    let protocol = the_upgrade(&head.headers)?;
    let bodiless =
        !head.headers.contains_key(header::CONTENT_LENGTH) && !head.headers.contains_key(header::TRANSFER_ENCODING);
    let may = bodiless && head.version == Version::HTTP_11 && switch::may_switch(protocol.as_bytes());
    may.then(|| protocol.clone())
}

/// The one `Upgrade` of a head, if its `Connection` names it.
pub(crate) fn the_upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    let connection = headers.get_all(header::CONNECTION).iter();
    let mut options = connection.flat_map(|value| fields::options(value.as_bytes()));
    let mut upgrades = headers.get_all(header::UPGRADE).iter();
    match (upgrades.next(), upgrades.next()) {
        (Some(protocol), None) if options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) => Some(protocol),
        _ => None,
    }
}

/// Leaves the target in origin form with exactly one, valid Host (RFC 9112, 3.2).
fn check_target(head: &mut request::Parts, server: SocketAddr) -> Result<(), ProxyError> {
    if head.method == Method::CONNECT {
        return Err(ProxyError::MethodRefused);
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(ProxyError::BadRequest("the request has more than one Host"));
    }
    match host {
        Some(host) if is_host(host.as_bytes()) => {}
        Some(_) => return Err(ProxyError::BadRequest("the Host of the request is not valid")),
        None if head.version == Version::HTTP_11 => return Err(ProxyError::BadRequest("the request has no Host")),
        // HTTP/1.0 may go without, the HTTP/1.1 that we speak to the backend may not.
        None => drop(head.headers.insert(header::HOST, text_value(&server))),
    }
    let Some(authority) = head.uri.authority().cloned() else {
        let path = head.uri.path();
        let star = path == "*" && head.method == Method::OPTIONS;
        return if path.starts_with('/') || star { Ok(()) } else { Err(BAD_TARGET) };
    };
    // Absolute form: the target's authority wins over Host (RFC 9112, 3.2.2), and the backend gets origin form.
    let scheme = head.uri.scheme();
    let web = scheme == Some(&uri::Scheme::HTTP) || scheme == Some(&uri::Scheme::HTTPS);
    if !web || !is_host(authority.as_str().as_bytes()) {
        return Err(BAD_TARGET);
    }
    let path = head.uri.path_and_query().cloned().unwrap_or_else(|| uri::PathAndQuery::from_static("/"));
    head.uri = Uri::from(path);
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| BAD_TARGET)?;
    head.headers.insert(header::HOST, host);
    Ok(())
}

const BAD_TARGET: ProxyError = ProxyError::BadRequest("the target of the request is not valid");

/// `uri-host [ ":" port ]` (RFC 9110, 7.2), as far as it is safe to pass on.
fn is_host(host: &[u8]) -> bool {
    let end = match host {
        [b'[', rest @ ..] => match rest.iter().position(|&byte| byte == b']') {
            Some(end) if rest[..end].iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte)) => end + 2,
            _ => return false,
        },
        _ => host.iter().position(|&byte| byte == b':').unwrap_or(host.len()),
    };
    let (name, port) = host.split_at(end);
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=[]:".contains(byte);
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => {
            let digits = std::str::from_utf8(digits).unwrap_or("-");
            digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.is_empty() || digits.parse::<u16>().is_ok())
        }
        _ => false,
    };
    !name.is_empty() && name.iter().all(allowed) && port_fits
}

/// What was coded otherwise would reach the backend as something else: codings are hop-by-hop (RFC 9112, 6.1).
fn check_coding(headers: &HeaderMap) -> Result<(), ProxyError> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(ProxyError::CodingUnknown),
    }
}

/// The element of RFC 7239.
fn forwarded(client: IpAddr, host: &HeaderValue) -> HeaderValue {
    let node = if client.is_ipv6() { format!("\"[{client}]\"") } else { client.to_string() };
    let host = host.to_str().unwrap_or_default();
    text_value(&format_args!("for={node};host=\"{host}\";proto=http"))
}

fn text_value(address: &impl ToString) -> HeaderValue {
    HeaderValue::from_str(&address.to_string()).expect("an address is plain text")
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const SERVER: SocketAddr = SocketAddr::new(CLIENT, 8001);

    fn head(target: &str, fields: &[(&str, &str)]) -> request::Parts {
        let request = Request::builder().uri(target);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_connection_names_is_gone_and_ours_is_there() {
        let fields = [
            ("host", "a"),
            ("connection", "close, X-Forwarded-For, X-Secret"),
            ("connection", "x-real-ip,host"),
            ("x-secret", "1"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("keep-alive", "5"),
            ("te", "trailers"),
        ];
        let mut head = head("/", &fields);
        prepare(&mut head, CLIENT, SERVER, false).unwrap();
        let mut left: Vec<_> =
            head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        left.sort_unstable();
        let expected = [
            ("forwarded", "for=127.0.0.1;host=\"a\";proto=http"),
            ("host", "a"),
            ("via", "1.1 logkin-balancer"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "a"),
            ("x-forwarded-proto", "http"),
            ("x-real-ip", "127.0.0.1"),
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn a_missing_double_or_odd_host_is_refused() {
        for hosts in [&[][..], &["a", "a"], &["a b"], &["a:99999"], &["a:b"], &[""], &["a/b"], &["u@a"], &["[::1"]] {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert!(
                matches!(prepare(&mut head("/", &fields), CLIENT, SERVER, false), Err(ProxyError::BadRequest(_))),
                "{hosts:?}"
            );
        }
        for host in ["a", "a.b:80", "[::1]:8001", "127.0.0.1:1", "a:"] {
            assert!(prepare(&mut head("/", &[("host", host)]), CLIENT, SERVER, false).is_ok(), "{host}");
        }
    }

    #[test]
    fn the_absolute_form_wins_over_host_and_goes_on_in_origin_form() {
        let mut head = head("http://inner:81/a?b", &[("host", "outer")]);
        prepare(&mut head, CLIENT, SERVER, false).unwrap();
        assert_eq!((head.uri.to_string().as_str(), head.headers[header::HOST].as_bytes()), ("/a?b", &b"inner:81"[..]));
    }

    #[test]
    fn other_schemes_users_and_tunnels_are_refused() {
        for target in ["ftp://a/", "http://user@a/", "a:80"] {
            assert!(prepare(&mut head(target, &[("host", "a")]), CLIENT, SERVER, false).is_err(), "{target}");
        }
        let mut connect = head("a:80", &[("host", "a")]);
        connect.method = Method::CONNECT;
        assert_eq!(prepare(&mut connect, CLIENT, SERVER, false), Err(ProxyError::MethodRefused));
    }

    #[test]
    fn an_upgrade_goes_on_only_when_asked_for_properly() {
        let asked = [("host", "a"), ("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        assert_eq!(prepare(&mut head("/", &asked), CLIENT, SERVER, false).unwrap().unwrap(), "websocket");
        for fields in [
            [("host", "a"), ("connection", "keep-alive"), ("upgrade", "websocket")],
            [("host", "a"), ("connection", "upgrade"), ("upgrade", "h2c")],
        ] {
            let mut head = head("/", &fields);
            assert_eq!(prepare(&mut head, CLIENT, SERVER, false).unwrap(), None);
            assert!(!head.headers.contains_key(header::UPGRADE) && !head.headers.contains_key(header::CONNECTION));
        }
    }

    #[test]
    fn the_framing_of_a_chunked_body_survives() {
        let mut head =
            head("/", &[("host", "a"), ("transfer-encoding", "chunked"), ("connection", "transfer-encoding")]);
        prepare(&mut head, CLIENT, SERVER, true).unwrap();
        assert_eq!(head.headers[header::TRANSFER_ENCODING], "chunked");
    }
}
