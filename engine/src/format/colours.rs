//! Lines that were written for a screen: escape sequences (ECMA-48: colours, titles, links and the like) taken out.

/// Begins an escape sequence.
pub(super) const ESCAPE: u8 = 0x1b;

/// Rings; some end a command with it.
const BELL: u8 = 0x07;

/// Bytes of a command at most, such as a link; a longer one is text.
const COMMAND: usize = 2 << 10;

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

/// Bytes of the sequence at the front; 0 when there is none.
fn sequence(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => control(bytes),
        Some(b']') => command(bytes),
        _ => 0,
    }
}

/// `ESC [`, parameters, one final byte.
fn control(bytes: &[u8]) -> usize {
    let parameters = bytes[2..].iter().take(64).take_while(|b| matches!(b, 0x20..=0x3f)).count();
    match bytes.get(2 + parameters) {
        Some(0x40..=0x7e) => 3 + parameters,
        _ => 0,
    }
}

/// `ESC ]`, a command for the screen such as its title or where a link leads, and its end: `ESC \` or a bell.
fn command(bytes: &[u8]) -> usize {
    let near = &bytes[2..bytes.len().min(COMMAND)];
    match memchr::memchr2(BELL, ESCAPE, near) {
        Some(end) if near[end] == BELL => end + 3,
        Some(end) if near.get(end + 1) == Some(&b'\\') => end + 4,
        _ => 0,
    }
}
