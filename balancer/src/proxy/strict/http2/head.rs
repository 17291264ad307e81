//! The head of a request of HTTP/2, which has passed the [`rules`](super::rules), in the words of HTTP/1.1, which are then read by
//! the letter like anybody's. Here is only which host it is for. Pure.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_LENGTH, COOKIE, HOST},
    request::Parts,
};

use crate::http1::Refusal;

/// Writes a head of at most this many bytes over what is in `out`, which grows where it has to, and says how long it is.
pub(super) fn write(out: &mut Vec<u8>, most: usize, parts: &Parts, has_body: bool) -> Result<usize, Refusal> {
    let host = host(parts)?;
    let mut page = Page { out, most, at: 0 };
    page.put(&[parts.method.as_str().as_bytes(), b" "])?;
    if parts.method == Method::CONNECT {
        page.put(&[host])?;
    } else {
        let path = parts.uri.path_and_query().ok_or(Refusal::Bad("the request has no path"))?;
        page.put(&[path.as_str().as_bytes()])?;
    }
    page.put(&[b" HTTP/1.1\r\nHost: ", host, b"\r\n"])?;
    for (name, value) in &parts.headers {
        if *name != HOST && *name != COOKIE {
            page.put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"])?;
        }
    }
    // Cookies may come in crumbs (RFC 9113, 8.2.3).
    let mut before: &[u8] = b"cookie: ";
    for crumb in parts.headers.get_all(COOKIE) {
        page.put(&[before, crumb.as_bytes()])?;
        before = b"; ";
    }
    if parts.headers.contains_key(COOKIE) {
        page.put(&[b"\r\n"])?;
    }
    if has_body && !parts.headers.contains_key(CONTENT_LENGTH) {
        page.put(&[b"Transfer-Encoding: chunked\r\n"])?;
    }
    page.put(&[b"\r\n"])?;
    Ok(page.at)
}

/// Writes what is known of a request whose head is refused, method and path, and says how long it is.
pub(super) fn line(out: &mut Vec<u8>, parts: &Parts, (method, path): (bool, bool)) -> usize {
    let method = if method { parts.method.as_str() } else { "-" };
    let path = parts.uri.path_and_query().filter(|_| path).map_or("-", |path| path.as_str());
    let line = [method, path].join(" ");
    if out.len() < line.len() {
        out.resize(line.len(), 0);
    }
    out[..line.len()].copy_from_slice(line.as_bytes());
    line.len()
}

/// Takes off a length of 0 where the stream has not ended: no body may follow, but until it has ended that is not known, and what
/// is against its length may not be passed on (RFC 9113, 8.1.1). `h2` resets it then.
pub(super) fn wait_for_nothing(fields: &mut HeaderMap) {
    let mut lengths = fields.get_all(CONTENT_LENGTH).iter();
    if let (Some(length), None) = (lengths.next(), lengths.next())
        && is_nothing(length)
    {
        fields.remove(CONTENT_LENGTH);
    }
}

/// Whether a length is 0, in as many digits as it is written.
fn is_nothing(length: &HeaderValue) -> bool {
    !length.is_empty() && length.as_bytes().iter().all(|digit| *digit == b'0')
}

/// Writes the lines of trailers.
pub(super) fn trailers(out: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

/// The one host that the request is for.
fn host(parts: &Parts) -> Result<&[u8], Refusal> {
    if parts.uri.scheme().is_some_and(|scheme| !scheme.as_str().eq_ignore_ascii_case("https")) {
        return Err(Refusal::Bad("the scheme of the request is not that of the connection"));
    }
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = parts.headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
    match (authority, hosts.next(), hosts.next()) {
        (_, _, Some(_)) => Err(Refusal::Bad("the request has more than one Host")),
        (None, None, None) => Err(Refusal::Bad("the request has no Host")),
        (Some(authority), Some(host), None) if !bare(authority).eq_ignore_ascii_case(bare(host)) => {
            Err(Refusal::Bad("the request is for two hosts"))
        }
        (Some(host), ..) | (None, Some(host), None) => Ok(host),
    }
}

/// Without the port that need not be told (RFC 9113, 8.3.1: they are compared as what they name).
fn bare(authority: &[u8]) -> &[u8] {
    authority.strip_suffix(b":443").unwrap_or(authority)
}

/// What is written to, and how far.
struct Page<'a> {
    out: &'a mut Vec<u8>,
    most: usize,
    at: usize,
}

impl Page<'_> {
    fn put(&mut self, parts: &[&[u8]]) -> Result<(), Refusal> {
        for part in parts {
            let end = self.at + part.len();
            if end > self.most {
                return Err(Refusal::HeadTooLarge);
            }
            if end > self.out.len() {
                self.out.resize(self.most.min(2 * end), 0);
            }
            self.out[self.at..end].copy_from_slice(part);
            self.at = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn written(uri: &str, fields: &[(&str, &str)], has_body: bool) -> Result<String, Refusal> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut out = vec![0; 10];
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let length = write(&mut out, 300, &parts, has_body)?;
        Ok(String::from_utf8(out[..length].to_vec()).unwrap())
    }

    #[test]
    fn a_head_is_one_of_the_other_version() {
        let fields = [("cookie", "a=b"), ("x", "y"), ("cookie", "c=d"), ("te", "trailers")];
        let expected = "GET /p?q HTTP/1.1\r\nHost: a:1\r\nx: y\r\nte: trailers\r\ncookie: a=b; c=d\r\n\r\n";
        assert_eq!(written("https://a:1/p?q", &fields, false).unwrap(), expected);
        let chunked = "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(written("https://a/", &[], true).unwrap(), chunked);
        let counted = "GET / HTTP/1.1\r\nHost: a\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(written("/", &[("host", "a"), ("content-length", "3")], true).unwrap(), counted);
        for (uri, host) in [("https://a/", "A:443"), ("https://a:443/", "a"), ("HTTPS://a/", "a")] {
            assert!(written(uri, &[("host", host)], false).is_ok(), "{uri} {host}");
        }
        assert!(written("https://a/", &[("host", "a:80")], false).is_err());
    }

    #[test]
    fn a_request_is_for_one_host_over_tls() {
        let odd: [&[(&str, &str)]; 2] = [&[("host", "b")], &[("host", "a"), ("host", "a")]];
        for fields in odd {
            assert!(matches!(written("https://a/", fields, false), Err(Refusal::Bad(_))), "{fields:?}");
        }
        assert!(matches!(written("http://a/", &[], false), Err(Refusal::Bad(_))));
        assert!(matches!(written("/", &[], false), Err(Refusal::Bad(_))));
        let long = "y".repeat(300);
        assert_eq!(written("https://a/", &[("x", &long)], false), Err(Refusal::HeadTooLarge));
    }
}
