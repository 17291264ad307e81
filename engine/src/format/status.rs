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
    match digits.exactly(&status[..usize::from(is_status && ends)]) {
        b"5" => Some(Level::Error),
        b"4" => Some(Level::Warn),
        _ => None,
    }
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
