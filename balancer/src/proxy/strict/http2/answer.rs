//! The head of an answer of HTTP/1.1 in the words of HTTP/2: without what belongs to one connection. Pure.

use http::{HeaderMap, HeaderName, HeaderValue, Response as Head, StatusCode, header};

use crate::{
    http1::{
        fields::{Field, Kind},
        response::Response,
    },
    proxy::strict::rewrite::{HSTS, Onward, is_hsts, is_named},
};

/// The head of an answer for the client. `length`: of its body, if that is known.
pub(super) fn head(
    bytes: &[u8],
    head: &Response,
    fields: &[Field],
    length: Option<u64>,
    onward: Onward<'_>,
) -> Option<Head<()>> {
    let mut answer = Head::new(());
    *answer.status_mut() = StatusCode::from_u16(head.status).ok()?;
    let map = answer.headers_mut();
    map.reserve(fields.len() + 2);
    for field in fields {
        let goes = match field.kind {
            Kind::ContentLength | Kind::TransferEncoding | Kind::Connection | Kind::Hop | Kind::Upgrade => false,
            Kind::RequestId if onward.id.is_some() => false,
            _ => !(head.names && is_named(bytes, fields, field) || onward.hsts.is_some() && is_hsts(bytes, field)),
        };
        if goes {
            map.append(HeaderName::from_bytes(field.name.of(bytes)).ok()?, value(field.value.of(bytes))?);
        }
    }
    if let Some(hsts) = onward.hsts {
        map.insert(HeaderName::from_bytes(HSTS).ok()?, value(hsts.as_bytes())?);
    }
    if let Some(id) = onward.id {
        map.insert(HeaderName::from_static("x-request-id"), value(id)?);
    }
    if let Some(cookie) = onward.cookie {
        map.append(header::SET_COOKIE, value(cookie.as_bytes())?);
    }
    if !head.dated && head.status >= 200 {
        map.insert(header::DATE, value(onward.date.as_bytes())?);
    }
    if let Some(length) = length {
        map.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Some(answer)
}

/// Trailers, of whole lines that were checked.
pub(super) fn trailers(lines: &[u8]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|&byte| byte == b':')?;
        map.append(HeaderName::from_bytes(&line[..colon]).ok()?, value(line[colon + 1..].trim_ascii())?);
    }
    Some(map)
}

fn value(bytes: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(bytes).ok()
}
