//! Requests that a server has answered, as access logs have them: what was asked by another method, or answered by a status of
//! another class, is no variant of a line, whatever else is alike.

use crate::template::Kind;

/// Letters of a method at most.
const METHOD: usize = 12;

/// The method and class of a shape like `"GET <path> HTTP/1.1" 5<number> …`.
pub(super) fn answered(shape: &str) -> Option<String> {
    let version = shape.find(" HTTP/")?;
    let (request, behind) = shape.split_at(version);
    let request = &request[request.rfind('"')? + 1..];
    let method = request.split(' ').next().filter(|method| method.bytes().all(|b| b.is_ascii_uppercase()))?;
    let status = behind[behind.find('"')? + 1..].strip_prefix(' ')?.as_bytes();
    let is_class = matches!(status, [b'0'..=b'9', slot, ..] if Kind::of_byte(*slot).is_some());
    (is_class && (1..=METHOD).contains(&method.len())).then(|| format!("{method} {}", char::from(status[0])))
}
