//! Which pieces of a message are variables by their looks alone, and of which kind. Pure functions of a piece; how a
//! message falls into pieces is `shape`'s, variables that look like words are `cluster`'s.

use crate::{
    template::Kind,
    token::{CLASS, Class, DIGIT, HEX_LETTER, LETTER},
};

/// Words with several digits that are names of techniques, not of things.
const TERMS: [&[u8]; 22] = [
    b"amd64", b"arm64", b"x86_64", b"i386", b"i586", b"i686", b"win32", b"win64", b"int16", b"int32", b"int64",
    b"uint16", b"uint32", b"uint64", b"float32", b"float64", b"base64", b"sha256", b"sha512", b"utf16", b"crc32",
    b"aes256",
];

/// First labels of names that are written from the root down (`org.example.Thing`): no host is called so.
const ROOTS: [&[u8]; 9] = [b"com", b"org", b"net", b"java", b"javax", b"android", b"io", b"sun", b"system"];

/// Last labels of host names that have more than two letters.
const DOMAINS: [&[u8]; 15] = [
    b"com",
    b"net",
    b"org",
    b"edu",
    b"gov",
    b"mil",
    b"info",
    b"biz",
    b"local",
    b"localdomain",
    b"internal",
    b"lan",
    b"arpa",
    b"cloud",
    b"intranet",
];

/// Two-letter last labels that are countries, but in logs are file endings or English words far more often.
const ENDINGS: [&[u8]; 24] = [
    b"py", b"sh", b"pl", b"rs", b"md", b"ps", b"cc", b"so", b"js", b"ts", b"go", b"gz", b"is", b"in", b"it", b"to",
    b"at", b"id", b"no", b"my", b"me", b"do", b"pm", b"db",
];

/// The classes of all bytes of a piece together.
pub(crate) fn classes(piece: &[u8]) -> Class {
    piece.iter().fold(0, |all, b| all | CLASS[usize::from(*b)])
}

/// Bytes of the dotted IPv4 address at the front, when it ends a piece or a port follows.
pub(crate) fn dotted_address(piece: &[u8]) -> Option<usize> {
    let (mut dots, mut digits) = (0, 0);
    for (i, b) in piece.iter().enumerate() {
        match b {
            b'0'..=b'9' if digits < 3 => digits += 1,
            b'.' if digits > 0 && dots < 3 => (dots, digits) = (dots + 1, 0),
            b':' if digits > 0 && dots == 3 => return Some(i),
            _ => return None,
        }
    }
    (dots == 3 && digits > 0).then_some(piece.len())
}

/// `true` and `false`.
pub(crate) fn is_bool(word: &[u8]) -> bool {
    match word.len() {
        4 => word.eq_ignore_ascii_case(b"true"),
        5 => word.eq_ignore_ascii_case(b"false"),
        _ => false,
    }
}

/// A word of hexadecimal letters alone, too long to be one of English.
pub(crate) fn is_hex_word(word: &[u8], classes: Class) -> bool {
    word.len() >= 8 && classes == HEX_LETTER
}

/// Whether a piece with a colon may be an address: its letters are digits, but for those of a zone behind it.
pub(crate) fn may_be_colon_address(piece: &[u8], classes: Class) -> bool {
    classes & LETTER == 0 || piece.contains(&b'%')
}

/// Addresses with colons: `fe80::1`, `fe80::1%eth0`, `::ffff:10.0.0.3`, `00:1b:44:11:3a:b7`.
pub(crate) fn colon_address(piece: &[u8]) -> Option<Kind> {
    if let Some(at) = piece.iter().position(|b| *b == b'%') {
        let zone = &piece[at + 1..];
        let is_zone = !zone.is_empty() && zone.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
        return colon_address(&piece[..at]).filter(|kind| is_zone && *kind == Kind::Ip);
    }
    // What an IPv4 address is mapped to ends with it, in place of two groups.
    let mapped = piece.iter().rposition(|b| *b == b':').filter(|colon| dotted_address(&piece[colon + 1..]).is_some());
    let mut groups = mapped.map_or(0, |_| 2);
    let (mut pairs, mut gap) = (0, false);
    for (i, group) in piece[..mapped.unwrap_or(piece.len())].split(|b| *b == b':').enumerate() {
        if group.len() > 4 || !group.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        gap |= group.is_empty() && i > 0;
        groups += 1;
        pairs += usize::from(group.len() == 2);
    }
    // Without a digit it is a name, `ab::cd`, or what is left of one beside values; but not where it is six pairs.
    if classes(piece) & DIGIT == 0 && (groups, pairs) != (6, 6) {
        return None;
    }
    match groups {
        6.. if pairs == groups => Some(Kind::Mac),
        8 if !gap => Some(Kind::Ip),
        // One gap, and no more colons beside it, than an address has.
        3..=8 if gap && piece.len() > 2 && piece.windows(2).filter(|two| two == b"::").count() == 1 => Some(Kind::Ip),
        _ => None,
    }
}

/// `someone@example.org`.
pub(crate) fn is_mail(name: &[u8], host: &[u8]) -> bool {
    !name.is_empty() && is_host(host)
}

/// A dotted name with a last label that hosts have.
pub(crate) fn is_host(piece: &[u8]) -> bool {
    if piece == b"localhost" {
        return true;
    }
    // Most dotted names are none, which their end tells before all of their labels are looked at.
    let Some(last) = piece.iter().rposition(|b| *b == b'.').map(|dot| &piece[dot + 1..]) else { return false };
    match last.len() {
        2 => is_country(last) && labels(piece).is_some_and(|(first, _, labels)| labels >= 3 || first.contains(&b'-')),
        _ => DOMAINS.contains(&last) && labels(piece).is_some(),
    }
}

/// A dotted name that may be a host's, where the place speaks for one.
pub(crate) fn may_be_host(piece: &[u8]) -> bool {
    labels(piece).is_some_and(|(_, last, _)| {
        if last.len() == 2 { is_country(last) } else { last.len() >= 4 || DOMAINS.contains(&last) || last == b"xyz" }
    })
}

fn is_country(label: &[u8]) -> bool {
    label.iter().all(u8::is_ascii_lowercase) && !ENDINGS.contains(&label)
}

/// The first and last label of a dotted name in small letters, and how many there are.
fn labels(piece: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let mut count = 0;
    let mut first: &[u8] = b"";
    let mut last: &[u8] = b"";
    for label in piece.split(|b| *b == b'.') {
        if label.is_empty()
            || !label.iter().all(|b| b.is_ascii_alphanumeric() && !b.is_ascii_uppercase() || matches!(b, b'-' | b'_'))
        {
            return None;
        }
        if count == 0 {
            first = label;
        }
        count += 1;
        last = label;
    }
    (count >= 2 && !ROOTS.contains(&first)).then_some((first, last, count))
}

/// Whether what [`value`] says of a piece may depend on which digits it has.
pub(crate) fn reads_digits(piece: &[u8]) -> bool {
    let same = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (a.is_ascii_digit() && b.is_ascii_digit());
    let is_like = |term: &&[u8]| term.len() == piece.len() && term.iter().zip(piece).all(same);
    piece.get(1).is_some_and(|b| b | 0x20 == b'x') || is_short(piece) && TERMS.iter().any(is_like)
}

/// What a piece without colon, at sign and slash is as a whole, when it has a digit. `None` for a word.
pub(crate) fn value(piece: &[u8], classes: Class) -> Option<Kind> {
    if classes & (LETTER | HEX_LETTER) == 0 {
        return Some(numeric(piece));
    }
    if piece[0] == b'0' && piece.len() > 2 && piece[1] | 0x20 == b'x' {
        return piece[2..].iter().all(u8::is_ascii_hexdigit).then_some(Kind::Hex).or(Some(Kind::Id));
    }
    if piece[0].is_ascii_digit()
        && let Some(kind) = with_unit(piece)
    {
        return Some(kind);
    }
    if is_uuid(piece) {
        return Some(Kind::Uuid);
    }
    if is_scientific(piece) {
        return Some(Kind::Number);
    }
    if (piece.len() >= 6 || piece[0].is_ascii_digit()) && piece.iter().all(u8::is_ascii_hexdigit) {
        return Some(Kind::Hex);
    }
    if piece[0] | 0x20 == b'v'
        && piece[1].is_ascii_digit()
        && piece[1..].iter().all(|b| b.is_ascii_digit() || *b == b'.')
    {
        return Some(Kind::Version);
    }
    if is_host(piece) {
        return Some(Kind::Host);
    }
    (!is_word(piece)).then_some(Kind::Id)
}

/// Whether a piece with digits and letters is a word all the same: `ssh2`, `IPv6`, `log4j`, `amd64`.
fn is_word(piece: &[u8]) -> bool {
    let digits = piece.iter().filter(|b| b.is_ascii_digit()).count();
    (digits == 1 && !piece[0].is_ascii_digit())
        || is_short(piece) && TERMS.iter().any(|term| piece.eq_ignore_ascii_case(term))
}

/// Whether it is as long as [`TERMS`] are.
fn is_short(piece: &[u8]) -> bool {
    (4..=7).contains(&piece.len())
}

/// Digits with dots, dashes and signs.
fn numeric(piece: &[u8]) -> Kind {
    let body = piece.strip_prefix(b"-").or(piece.strip_prefix(b"+")).unwrap_or(piece);
    let body = body.strip_suffix(b"%").unwrap_or(body);
    let (mut dots, mut others) = (0, 0);
    for b in body {
        dots += usize::from(*b == b'.');
        others += usize::from(!b.is_ascii_digit() && *b != b'.');
    }
    match (dots, others) {
        (0 | 1, 0) => Kind::Number,
        (3, 0) if body.split(|b| *b == b'.').all(|part| part.len() <= 3 && !part.is_empty()) => Kind::Ip,
        (_, 0) => Kind::Version,
        _ => Kind::Id,
    }
}

/// `2024-03-05`: the order of ISO 8601, whatever the numbers say.
pub(crate) fn is_date(number: &[u8]) -> bool {
    number.len() == 10 && number.iter().enumerate().all(|(i, b)| (*b == b'-') == matches!(i, 4 | 7))
}

/// A number with a unit at its end, without a blank between, or several of them: `12ms`, `1h20m`.
fn with_unit(piece: &[u8]) -> Option<Kind> {
    let split = piece.iter().position(|b| !b.is_ascii_digit() && *b != b'.')?;
    unit(&piece[split..]).or_else(|| is_duration(piece).then_some(Kind::Duration))
}

/// Units of time from the longest to the shortest, each with its number: `1d2h`, `3m20s`.
fn is_duration(piece: &[u8]) -> bool {
    let mut units = [&b"d"[..], b"h", b"m", b"s", b"ms", b"us", b"ns"].into_iter();
    let mut rest = piece;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        let letters = rest[digits..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
        if digits == 0 || !units.any(|unit| unit == &rest[digits..digits + letters]) {
            return false;
        }
        rest = &rest[digits + letters..];
    }
    true
}

/// What a unit measures.
pub(crate) fn unit(word: &[u8]) -> Option<Kind> {
    match word {
        b"ns" | b"us" | b"ms" | b"s" | b"sec" | b"secs" | b"m" | b"min" | b"mins" | b"h" | b"hr" | b"hrs" | b"d"
        | b"\xc2\xb5s" | b"\xce\xbcs" => Some(Kind::Duration),
        b"B" | b"b" | b"k" | b"K" | b"KB" | b"kB" | b"KiB" | b"M" | b"MB" | b"MiB" | b"G" | b"GB" | b"GiB" | b"T"
        | b"TB" | b"TiB" | b"PB" | b"PiB" | b"kb" | b"mb" | b"gb" => Some(Kind::Size),
        b"%" | b"px" | b"dp" | b"Hz" | b"kHz" | b"MHz" | b"GHz" | b"V" | b"mV" | b"W" | b"kW" | b"C" | b"F" | b"x"
        | b"A" | b"mA" | b"mAh" | b"rpm" | b"dpi" | b"bps" | b"Kbps" | b"Mbps" | b"Gbps" => Some(Kind::Number),
        _ => None,
    }
}

/// `1.5e-07`.
fn is_scientific(piece: &[u8]) -> bool {
    let Some(at) = piece.iter().position(|b| matches!(b, b'e' | b'E')) else { return false };
    let exponent = &piece[at + 1..];
    let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
    let signed = exponent.len() + at + 1 < piece.len() || piece[..at].contains(&b'.');
    signed
        && (1..=3).contains(&exponent.len())
        && exponent.iter().all(u8::is_ascii_digit)
        && piece[..at].iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

fn is_uuid(piece: &[u8]) -> bool {
    piece.len() == 36
        && piece.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}
