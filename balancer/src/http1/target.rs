//! The target of a request in its four forms (RFC 9112, 3.2), and the host that it or `Host` names.

use std::net::Ipv6Addr;

use super::{Refusal, Span, grammar};

const BAD_TARGET: Refusal = Refusal::Bad("the target of the request is not valid");

/// A request's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A path, with a query if there is one.
    Origin(Span),
    /// A whole address of the web: its authority, and its path with the query, which may be empty.
    Absolute {
        /// Whether its scheme is `https`.
        over_tls: bool,
        /// Host and port.
        authority: Span,
        /// Path and query; empty, or beginning with `/` or `?`.
        path: Span,
    },
    /// Host and port, for CONNECT only.
    Authority(Span),
    /// `*`, for OPTIONS only.
    Asterisk,
}

impl Target {
    /// `lenient_query`: whether its query may have what browsers leave as it is.
    pub(super) fn parse(method: &[u8], bytes: &[u8], span: Span, lenient_query: bool) -> Result<Self, Refusal> {
        let text = span.of(bytes);
        match (method, text) {
            (b"CONNECT", _) => {
                let port = text.iter().rposition(|&byte| byte == b':').map_or(&b""[..], |colon| &text[colon + 1..]);
                if is_host(text) && !port.is_empty() { Ok(Self::Authority(span)) } else { Err(BAD_TARGET) }
            }
            (b"OPTIONS", b"*") => Ok(Self::Asterisk),
            (_, [b'/', ..]) if is_path_and_query(text, lenient_query) => Ok(Self::Origin(span)),
            (_, [b'/', ..]) => Err(BAD_TARGET),
            _ => absolute(bytes, span, lenient_query),
        }
    }
}

fn absolute(bytes: &[u8], span: Span, lenient_query: bool) -> Result<Target, Refusal> {
    let text = span.of(bytes);
    let scheme = [(&b"http://"[..], false), (b"https://", true)]
        .into_iter()
        .find(|(scheme, _)| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let (scheme, over_tls) = scheme.ok_or(BAD_TARGET)?;
    let start = span.start + scheme.len();
    let rest = &bytes[start..span.end];
    let end = start + rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
    let (authority, path) = (Span { start, end }, Span { start: end, end: span.end });
    if is_host(authority.of(bytes)) && is_path_and_query(path.of(bytes), lenient_query) {
        Ok(Target::Absolute { over_tls, authority, path })
    } else {
        Err(BAD_TARGET)
    }
}

fn is_path_and_query(text: &[u8], lenient_query: bool) -> bool {
    let is_query = if lenient_query { grammar::is_lenient_query } else { grammar::is_query };
    match memchr::memchr(b'?', text) {
        Some(mark) => grammar::is_path(&text[..mark]) && is_query(&text[mark + 1..]),
        None => grammar::is_path(text),
    }
}

/// `uri-host [ ":" port ]`: without a user, with a host that is not empty, and a port that exists.
#[must_use]
pub fn is_host(text: &[u8]) -> bool {
    let (host_is_good, port) = match text {
        [b'[', rest @ ..] => match rest.iter().position(|&byte| byte == b']') {
            Some(end) => (is_ip_literal(&rest[..end]), &rest[end + 1..]),
            None => return false,
        },
        _ => {
            let end = text.iter().position(|&byte| byte == b':').unwrap_or(text.len());
            (grammar::is_name(&text[..end]), &text[end..])
        }
    };
    host_is_good && is_port(port)
}

fn is_ip_literal(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn is_port(text: &[u8]) -> bool {
    match text {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit)
                && digits
                    .iter()
                    .try_fold(0_u16, |port, digit| port.checked_mul(10)?.checked_add(u16::from(digit - b'0')))
                    .is_some()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, target: &str) -> Result<Target, Refusal> {
        Target::parse(method.as_bytes(), target.as_bytes(), Span { start: 0, end: target.len() }, false)
    }

    #[test]
    fn where_it_is_asked_for_a_query_may_have_what_browsers_send() {
        let parse = |target: &str, lenient| {
            Target::parse(b"GET", target.as_bytes(), Span { start: 0, end: target.len() }, lenient)
        };
        for target in ["/?a[]={1|2}", "/?^`\\", "http://a/?[", "http://a?|"] {
            assert!(parse(target, true).is_ok() && parse(target, false).is_err(), "{target}");
        }
        for target in [
            "/[",
            "/|?a",
            "/?\"",
            "/?<",
            "/?>",
            "/?#",
            "/? ",
            "/?%",
            "/?%5",
            "/?\t",
            "/?\u{e4}",
            "/?\0",
            "/?\x7f",
            "http://a[/?",
        ] {
            assert!(parse(target, true).is_err(), "{target:?}");
        }
    }

    #[test]
    fn the_four_forms_are_told_apart() {
        assert_eq!(parse("GET", "/a/b?c=d/?"), Ok(Target::Origin(Span { start: 0, end: 10 })));
        let inner = Target::Absolute {
            over_tls: false,
            authority: Span { start: 7, end: 11 },
            path: Span { start: 11, end: 15 },
        };
        assert_eq!(parse("GET", "HTTP://a:80/b?c"), Ok(inner));
        assert_eq!(parse("OPTIONS", "*"), Ok(Target::Asterisk));
        assert_eq!(parse("CONNECT", "a:80"), Ok(Target::Authority(Span { start: 0, end: 4 })));
        for target in ["http://a", "https://a?b", "http://[::1]:1/", "//a", "/;a=b,c:@!$&'()*+~"] {
            assert!(parse("GET", target).is_ok(), "{target}");
        }
    }

    #[test]
    fn what_the_grammar_has_not_is_refused() {
        for target in [
            "",
            "*",
            "a",
            "a:80",
            "?a",
            "/a b",
            "/a#b",
            "/\"",
            "/<",
            "/>",
            "/\\",
            "/^",
            "/`",
            "/{",
            "/|",
            "/}",
            "/[",
            "/]",
            "/?[",
            "/?|",
            "/%",
            "/%zz",
            "/\u{e4}",
            "/\0",
            "ftp://a/",
            "http:/a",
            "http:a",
            "http://",
            "http:///a",
            "http://u@a/",
            "http://a:b/",
            "http://a:99999/",
            "http://[::1",
            "http://[::g]/",
            "http://a\\@b/",
            "http://a#b",
            "javascript:x",
            "http://a,b/",
        ] {
            assert!(parse("GET", target).is_err(), "{target:?}");
        }
        for target in ["/", "a", "http://a:80", "a:", ":80", "u@a:80", "*"] {
            assert!(parse("CONNECT", target).is_err(), "{target:?}");
        }
        assert!(parse("GET", "*").is_err());
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_that_exists() {
        for host in ["a", "a.b-c_d:80", "[::1]:8001", "[::ffff:1.2.3.4]", "127.0.0.1:1", "a:", "a:65535", "a:00080"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a b",
            "a:b",
            "a:-1",
            "a:65536",
            "a:99999",
            "a/b",
            "u@a",
            "[::1",
            "::1",
            "[::1]a",
            "[a]",
            "[]",
            "a,b",
            "a:80:80",
            "a%",
            "%61",
            "a%00b",
            "\u{e4}",
            "a\tb",
            "[::1%25eth0]",
            "a;b",
            "a?b",
            "a#b",
            "a\"",
        ] {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
    }
}
