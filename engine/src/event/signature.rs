//! What two traces must have in common to be of one cluster, whatever else is alike in them: the names of their exceptions
//! and their frames.

use super::{BREAK, grammar};
use crate::template::Kind;

/// The exceptions and frames in a shape, one per line; `None` if it is not one of several lines.
pub(crate) fn signature(shape: &str) -> Option<String> {
    let mut parts = shape.split(BREAK).map(str::trim);
    let head = parts.next()?;
    let mut names = String::new();
    let mut put = |text: &[u8]| {
        names.push_str(&String::from_utf8_lossy(text));
        names.push('\n');
    };
    let mut several = false;
    for part in parts {
        let text = part.as_bytes();
        several = true;
        match grammar::exception(text) {
            Some((_, name)) => put(name),
            None if is_frame(text) => put(text),
            None if grammar::is_named_by_class(text) => put(&text[..memchr::memchr(b':', text).unwrap_or(text.len())]),
            None => {}
        }
    }
    if !several {
        return None;
    }
    for word in head.as_bytes().split(|b| *b == b' ') {
        if let Some((_, name)) = grammar::exception(word) {
            put(name);
        }
    }
    Some(names)
}

/// Whether a part of a shape is a frame, its variables masked.
fn is_frame(text: &[u8]) -> bool {
    let any = Kind::Any.byte();
    text.starts_with(b"at ")
        || text.starts_with(b"File \"")
        || memchr::memmem::find(text, b":in ").is_some()
        || text.ends_with(&[b'(', any, b')'])
        || text.starts_with(&[b'#', any])
        || text.starts_with(&[any, b':', b' '])
}
