//! What single fields of a header look like.

/// Bytes of a column at most.
pub(super) const COLUMN: usize = 80;

/// Whether the bytes look like a column rather than a word of a sentence: a number, an address, a name with digits,
/// dots or underscores, capitals, a dash.
pub(super) fn is_column(column: &[u8]) -> bool {
    let Some(last) = column.last() else { return false };
    if column == b"-" {
        return true;
    }
    if matches!(last, b',' | b'.' | b'!' | b'?' | b';')
        || column.iter().any(|b| matches!(b, b'"' | b'\'' | b'=' | b'<' | b'>' | b'{' | b'}'))
    {
        return false;
    }
    column.iter().any(|b| b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'@' | b'/'))
        || (column.len() >= 2 && column.iter().all(|b| b.is_ascii_uppercase() || *b == b'-'))
}

/// The bytes of the bracketed group at the front, brackets inside it included.
pub(super) fn closing(bytes: &[u8]) -> Option<usize> {
    let (open, close) = if bytes.first() == Some(&b'(') { (b'(', b')') } else { (b'[', b']') };
    let mut depth = 0;
    for (i, b) in bytes.iter().take(256).enumerate() {
        if *b == open {
            depth += 1;
        } else if *b == close {
            depth -= 1;
            if depth == 0 {
                return Some(i + 1);
            }
        }
    }
    None
}

/// Whether the text in brackets is a thread, a request or the like, and not part of the message.
pub(super) fn is_context(inner: &[u8], after: &[u8]) -> bool {
    if !inner.contains(&b' ') {
        return true;
    }
    if inner.starts_with(b"pid ") || inner.starts_with(b"tid ") {
        return true;
    }
    let ids = inner.split(|b| *b == b' ').all(|column| {
        column == b"-"
            || column.is_empty()
            || (column.len() >= 8 && column.iter().any(u8::is_ascii_digit) && !column.contains(&b'.'))
    });
    let next = after.trim_ascii_start();
    let next = &next[..next.iter().position(|b| *b == b' ').unwrap_or(next.len())];
    let named = next == b"-"
        || (next.ends_with(b":") && next.contains(&b'.'))
        || next.iter().filter(|b| **b == b'.').count() >= 2;
    ids || (named && !inner.windows(2).any(|two| two == b": "))
}

/// Where the colon of a syslog tag stands: after a name, perhaps with something in brackets.
pub(super) fn tag_end(bytes: &[u8]) -> Option<usize> {
    let name = bytes
        .iter()
        .take(COLUMN)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b'@' | b'+' | b'$'))
        .count();
    let mut at = name;
    while at > 0 && matches!(bytes.get(at), Some(b'[' | b'(')) {
        at += closing(&bytes[at..]).filter(|length| *length < 40)?;
    }
    (name > 0 && bytes.get(at) == Some(&b':') && matches!(bytes.get(at + 1), Some(b' ' | b'\t') | None)).then_some(at)
}
