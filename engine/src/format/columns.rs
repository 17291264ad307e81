//! What single fields of a header look like.

/// Bytes of a column at most.
pub(super) const COLUMN: usize = 80;

const DIGIT: u8 = 1;
/// Stands in addresses and names, hardly ever in words.
const JOINT: u8 = 2;
/// Stands in no column.
const SIGN: u8 = 4;
const UPPER: u8 = 8;
const LOWER: u8 = 16;
const DASH: u8 = 32;
const OTHER: u8 = 64;
/// Ends a column.
const END: u8 = 128;

const CLASS: [u8; 256] = {
    let mut class = [OTHER; 256];
    let mut i = 0;
    while i < 256 {
        class[i] = match i as u8 {
            b'0'..=b'9' => DIGIT,
            b'.' | b'_' | b'@' | b'/' => JOINT,
            b'"' | b'\'' | b'=' | b'<' | b'>' | b'{' | b'}' => SIGN,
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'-' => DASH,
            b' ' | b'\t' | b'|' => END,
            _ => OTHER,
        };
        i += 1;
    }
    class
};

/// The bytes up to the next blank or bar, looked at once: what is asked of a column are questions about all of its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) text: &'a [u8],
    /// The classes of its bytes together.
    classes: u8,
}

impl<'a> Column<'a> {
    /// The column at the front.
    #[inline]
    pub(super) fn of(rest: &'a [u8]) -> Self {
        let mut classes = 0;
        for (i, b) in rest.iter().enumerate() {
            let class = CLASS[usize::from(*b)];
            if class == END {
                return Self { text: &rest[..i], classes };
            }
            classes |= class;
        }
        Self { text: rest, classes }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn is_dash(&self) -> bool {
        self.text == b"-"
    }

    /// Whether it is empty or all capitals.
    pub(super) fn is_upper(&self) -> bool {
        self.classes & !UPPER == 0
    }

    /// Whether it is empty or all small letters.
    pub(super) fn is_lower(&self) -> bool {
        self.classes & !LOWER == 0
    }

    /// Whether it is empty or all digits.
    pub(super) fn is_digits(&self) -> bool {
        self.classes & !DIGIT == 0
    }

    /// Whether it is empty or all digits and dashes.
    pub(super) fn is_numbers(&self) -> bool {
        self.classes & !(DIGIT | DASH) == 0
    }

    pub(super) fn has_digit(&self) -> bool {
        self.classes & DIGIT != 0
    }

    /// Whether it is `key=value`.
    pub(super) fn is_pair(&self) -> bool {
        let key = self.text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')).count();
        key > 0 && self.text.get(key) == Some(&b'=') && self.len() > key + 1
    }

    /// Whether the bytes look like a column rather than a word of a sentence: a number, an address, a name with digits,
    /// dots or underscores, capitals, a dash.
    pub(super) fn is_column(&self) -> bool {
        let Some(last) = self.text.last() else { return false };
        if self.is_dash() {
            return true;
        }
        if matches!(last, b',' | b'.' | b'!' | b'?' | b';') || self.classes & SIGN != 0 {
            return false;
        }
        self.classes & (DIGIT | JOINT) != 0 || (self.len() >= 2 && self.classes & !(UPPER | DASH) == 0)
    }
}

/// Whether a column is a name of several parts, with dots, dashes or capitals between them: `app.db`, `node-exporter`, `JobQueue`.
pub(super) fn is_joined(column: &[u8]) -> bool {
    let joins = |b: &u8| matches!(b, b'.' | b'-' | b'_');
    let is_part = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric);
    let camel = |two: &[u8]| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase();
    column.first().is_some_and(u8::is_ascii_alphabetic)
        && column.split(joins).all(is_part)
        && (column.iter().any(joins) || column.windows(2).any(camel))
}

/// Whether a column is the name of an exception, which is what was logged and not where.
pub(super) fn is_exception(column: &[u8]) -> bool {
    let name = column.strip_suffix(b":").unwrap_or(column);
    name.ends_with(b"Exception") || (name.len() > 5 && name.ends_with(b"Error"))
}

/// The bracket or quote that this one closes.
pub(super) fn opening(close: u8) -> u8 {
    match close {
        b')' => b'(',
        b'}' => b'{',
        b'>' => b'<',
        b'"' => b'"',
        _ => b'[',
    }
}

/// The bytes of the bracketed group at the front, brackets inside it included.
pub(super) fn closing(bytes: &[u8]) -> Option<usize> {
    let (open, close) = match bytes.first() {
        Some(b'(') => (b'(', b')'),
        Some(b'{') => (b'{', b'}'),
        _ => (b'[', b']'),
    };
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
    let inner = inner.trim_ascii();
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

/// Bytes of the number of a connection at the front, `*12`, with a blank behind it.
pub(super) fn connection(rest: &[u8]) -> Option<usize> {
    let digits = rest.strip_prefix(b"*")?.iter().take(COLUMN).take_while(|b| b.is_ascii_digit()).count();
    (digits > 0 && rest.get(1 + digits) == Some(&b' ')).then_some(1 + digits)
}

/// Whether a column is a process and a thread of it, as nginx has them: `12#12:`.
pub(super) fn is_process_and_thread(column: &[u8]) -> bool {
    let pair = column.strip_suffix(b":").unwrap_or(column);
    let mut numbers = pair.split(|b| *b == b'#');
    let is_number = |part: Option<&[u8]>| part.is_some_and(|n| !n.is_empty() && n.iter().all(u8::is_ascii_digit));
    is_number(numbers.next()) && is_number(numbers.next()) && numbers.next().is_none()
}

/// Bytes of the field in quotes at the front, with its quotes; it has no blank, and `sign` stands behind it.
pub(super) fn quoted(rest: &[u8], sign: u8) -> Option<usize> {
    let inner = rest.strip_prefix(b"\"")?;
    let length = inner.iter().take(COLUMN).position(|b| matches!(b, b'"' | b' '))?;
    (length > 0 && inner[length..].starts_with(&[b'"', sign])).then_some(length + 2)
}

/// The message without the quotes that writers of columns put around it, where `sign` is one that they put between: those inside are
/// doubled then, and stay so.
#[inline]
pub(super) fn unquoted(message: &[u8], sign: u8) -> &[u8] {
    match message {
        [b'"', inner @ .., b'"'] if matches!(sign, b',' | b';') && !inner.is_empty() => {
            let is_one = inner.split(|b| *b != b'"').all(|quotes| quotes.len().is_multiple_of(2));
            if is_one { inner.trim_ascii() } else { message }
        }
        _ => message,
    }
}

/// `main.py:12`: a file with an ending, and the number of a line.
pub(super) fn is_source(text: &[u8]) -> bool {
    let mut pieces = text.rsplitn(2, |b| *b == b':');
    let is_number = pieces.next().is_some_and(|line| !line.is_empty() && line.iter().all(u8::is_ascii_digit));
    let ending =
        pieces.next().and_then(|file| file.rsplitn(2, |b| *b == b'.').next().filter(|end| end.len() < file.len()));
    is_number
        && !text.contains(&b' ')
        && ending.is_some_and(|end| end.len() < 6 && end.iter().all(u8::is_ascii_alphabetic))
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
