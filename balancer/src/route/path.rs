//! Paths as routes compare them: what is encoded without need is decoded, parameters of segments (`;x=1`) are left out.
//! A path that could be read in two ways has no such form. Pure.

use std::borrow::Cow;

/// The plain form of the path of a target, whose grammar has been checked; `None` if it has segments that are empty or
/// nothing but dots, or an encoded slash, backslash or NUL: programs differ in what they take those for.
#[must_use]
pub fn plain(target: &[u8]) -> Option<Cow<'_, [u8]>> {
    let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
    if path.is_empty() || path == b"*" {
        return Some(Cow::Borrowed(b"/"));
    }
    // Segments that begin with a dot are looked at, though most are harmless.
    let is_odd = |pair: &[u8]| matches!(pair, [b'/', b'/' | b'.'] | [b'%' | b';', _] | [_, b'%' | b';']);
    if !path.windows(2).any(is_odd) {
        return Some(Cow::Borrowed(path));
    }
    let mut plain = Vec::with_capacity(path.len());
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let decoded = decode(segment)?;
        let name = decoded.split(|&byte| byte == b';').next().unwrap_or_default();
        let is_last = segments.peek().is_none();
        // The empty segment at the end is the slash there.
        if matches!(name, b"." | b"..") || name.is_empty() && !(is_last && decoded.is_empty()) {
            return None;
        }
        plain.push(b'/');
        plain.extend_from_slice(name);
    }
    Some(Cow::Owned(plain))
}

/// One segment with every `%XX` decoded, once.
pub(super) fn decode(segment: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let [first, tail @ ..] = rest {
        rest = tail;
        decoded.push(match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                rest = tail;
                let byte = digit(*high)? << 4 | digit(*low)?;
                if matches!(byte, b'/' | b'\\' | 0) {
                    return None;
                }
                byte
            }
            (b'%', _) => return None,
            _ => *first,
        });
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Whether a plain path is a location or below it: it begins like it, and goes on with another segment.
#[must_use]
pub fn is_below(path: &[u8], location: &[u8]) -> bool {
    match path.strip_prefix(location) {
        Some([] | [b'/', ..]) => true,
        Some(_) => location.ends_with(b"/"),
        None => false,
    }
}
