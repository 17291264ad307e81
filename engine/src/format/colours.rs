//! Lines that were written for a screen: escape sequences (ECMA-48: colours and the like) taken out.

/// Begins an escape sequence.
pub(super) const ESCAPE: u8 = 0x1b;

/// Puts `line` without its escape sequences into `plain`.
pub(super) fn strip(line: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut rest = line;
    while let Some(at) = memchr::memchr(ESCAPE, rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let length = sequence(rest);
        if length == 0 {
            // Not one of ours: it is text, and stays.
            plain.push(ESCAPE);
        }
        rest = &rest[length.max(1)..];
    }
    plain.extend_from_slice(rest);
}

/// Bytes of the control sequence at the front: `ESC [`, parameters, one final byte; 0 when there is none.
fn sequence(bytes: &[u8]) -> usize {
    if bytes.get(1) != Some(&b'[') {
        return 0;
    }
    let parameters = bytes[2..].iter().take(64).take_while(|b| matches!(b, 0x20..=0x3f)).count();
    match bytes.get(2 + parameters) {
        Some(0x40..=0x7e) => 3 + parameters,
        _ => 0,
    }
}
