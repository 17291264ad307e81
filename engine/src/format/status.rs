//! The level of a request that a server has answered: lines of access logs name none, but have the status behind the request.

use super::digits::Digits;
use crate::record::Level;

/// The level that the status of `"GET /x HTTP/1.1" 500 …` stands for: an error of the server, or of the client; `None` where
/// all went well, and in other messages. `message` is a part of `digits`.
pub(super) fn level(digits: Digits<'_>, message: &[u8]) -> Option<Level> {
    let version = memchr::memmem::find(message, b" HTTP/")?;
    let behind = message[version..].iter().take(12).position(|b| *b == b'"')?;
    let asked = &message[memchr::memrchr(b'"', &message[..version])? + 1..version];
    let method = asked.iter().take_while(|b| b.is_ascii_uppercase()).count();
    if method == 0 || asked.get(method) != Some(&b' ') {
        return None;
    }
    let status = message.get(version + behind + 1..)?.strip_prefix(b" ")?;
    let is_status = status.len() >= 3 && status[..3].iter().all(u8::is_ascii_digit);
    let ends = status.get(3).is_none_or(|b| *b == b' ');
    of_class(*digits.exactly(&status[..usize::from(is_status && ends)]).first()?)
}

/// The level that the first digit of a status stands for.
pub(super) fn of_class(class: u8) -> Option<Level> {
    match class {
        b'5' => Some(Level::Error),
        b'4' => Some(Level::Warn),
        _ => None,
    }
}

/// What the statuses with a first digit are called (RFC 9110), in one word.
pub(super) fn name(class: u8) -> &'static [u8] {
    match class {
        b'1' => b"informational",
        b'2' => b"successful",
        b'3' => b"redirection",
        b'4' => b"client_error",
        _ => b"server_error",
    }
}

/// The first digit of a status as fields have it.
pub(super) fn class(status: &[u8]) -> Option<u8> {
    matches!(status, [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9']).then(|| status[0])
}

/// The method of `GET /x HTTP/1.1`.
pub(super) fn method(request: &[u8]) -> Option<&[u8]> {
    let method = request.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let is_request = method > 0
        && request.get(method) == Some(&b' ')
        && memchr::memmem::find(&request[method..], b" HTTP/").is_some();
    is_request.then(|| &request[..method])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_bad_as_its_status() {
        for (message, expected) in [
            (r#"10.0.0.1 - - "GET /x HTTP/1.1" 500 17 "-""#, Some(Level::Error)),
            (r#""GET /x HTTP/2" 404"#, Some(Level::Warn)),
            (r#""GET /x HTTP/1.0" 200 5"#, None),
            (r#""GET /x HTTP/1.0" 5000 5"#, None),
            (r#"speaks HTTP/1.1 to "x" 500 times"#, None),
            (r#"client said "speaks HTTP/1.1" 500 times"#, None),
            (r#""GET / HTTP/1.1""#, None),
        ] {
            assert_eq!(level(Digits::open(message.as_bytes()), message.as_bytes()), expected, "{message}");
        }
    }
}
