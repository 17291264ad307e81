//! What of a message is written for a piece of it: taken apart where values stand inside it, longer where they hold
//! delimiters.

use std::ops::Range;

use super::Writer;
use crate::{
    format::digits::{Digits, How},
    mask,
    template::Kind,
    token::{AT, BLANK, CLASS, COLON, Class, DIGIT, DOT, HEX_LETTER, HIGH, LETTER, MARK, SLASH, STOP},
};

/// Writes the piece `text[start..end]`; says where reading goes on, which is later than `end` for what spans pieces.
pub(super) fn piece(writer: &mut Writer<'_>, text: &[u8], start: usize, end: usize, classes: Class) -> usize {
    let piece = &text[start..end];
    if classes == DIGIT {
        return number(writer, text, start, end);
    }
    if is_left(text, start, end, classes) {
        writer.literal(piece);
        return end;
    }
    if classes & (DIGIT | MARK | COLON) == 0 {
        if mask::is_bool(piece) {
            writer.slot(Kind::Bool);
        } else if mask::is_hex_word(piece, classes) {
            writer.slot(Kind::Hex);
        } else {
            return dated(writer, text, start, end);
        }
        return end;
    }
    if piece[0].is_ascii_digit()
        && let Some(length) = mask::dotted_address(piece)
    {
        writer.slot(Kind::Ip);
        address_tail(writer, &piece[length..]);
        return end;
    }
    if classes & SLASH != 0
        && let Some(end) = long(writer, text, start, end)
    {
        return end;
    }
    if piece[0].is_ascii_digit()
        && looks_like_time(piece)
        && let Some(time) = writer.digits.time(&text[start..], How::Any)
        && start + time.stamp.length >= end
        && ends_piece(text, start + time.stamp.length)
    {
        writer.slot(Kind::Time);
        return start + time.stamp.length;
    }
    let key = text.get(end) == Some(&b'=');
    trimmed(writer, piece, classes, key);
    end
}

/// Writes a number or a date. Of the status behind a request the class stays: what has failed is another kind of line.
fn number(writer: &mut Writer<'_>, text: &[u8], start: usize, end: usize) -> usize {
    if mask::is_date(&text[start..end]) {
        writer.slot(Kind::Time);
        return end;
    }
    if let Some(end) = end_of_grouped(text, start, end) {
        writer.slot(Kind::Number);
        return end;
    }
    let is_masked = end - start == 1 && text[end..].starts_with(b"<*>");
    let is_status = (end - start == 3 || is_masked) && is_behind_request(&text[..start]);
    if is_status {
        writer.literal(&text[start..=start]);
    }
    if !(is_status && is_masked) {
        writer.slot(Kind::Number);
    }
    end
}

/// Where the number ends whose thousands are set apart, as in `1,234,567.89`. Amid the items of a list it is none.
fn end_of_grouped(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let digits = |at: usize| text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut to = end;
    while text.get(to) == Some(&b',') && digits(to + 1) == 3 {
        to += 4;
    }
    if end - start > 3 || to == end || (start > 0 && text[start - 1] == b',') {
        return None;
    }
    if text.get(to) == Some(&b'.') && digits(to + 1) > 0 {
        to += 1 + digits(to + 1);
    }
    let goes_on = matches!(text[to..], [b',', next, ..] if next != b' ') || text[to..].starts_with(b"<*>");
    (!goes_on && ends_piece(text, to)).then_some(to)
}

/// Whether the text ends with that of `"GET /x HTTP/1.1" `, as access logs have it.
fn is_behind_request(text: &[u8]) -> bool {
    let Some(request) = text.strip_suffix(b"\" ") else { return false };
    [6, 8].iter().any(|version| request.len() > *version && request[request.len() - version..].starts_with(b"HTTP/"))
}

/// Whether the piece is what masking left of a longer one: a slot touches it. Alone it may read like a value (`true.` of
/// `true.00`), but masking was done with it. Digits without letters it leaves nowhere, so they are none; nor is a path behind
/// a slot, as an event of several lines is written down with its folders left out.
fn is_left(text: &[u8], start: usize, end: usize, classes: Class) -> bool {
    let is_path = matches!(text[start], b'/' | b'\\');
    let before = start > 0 && text[start - 1] == b'>' && text[..start].ends_with(b"<*>") && !is_path;
    let after = text.get(end) == Some(&b'<') && text[end..].starts_with(b"<*>");
    (before || after) && (classes & DIGIT == 0 || classes & (LETTER | HEX_LETTER) != 0)
}

/// What stands behind an address: a port, a colon, both and something else.
fn address_tail(writer: &mut Writer<'_>, tail: &[u8]) {
    let digits = tail.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
    match tail {
        [] => {}
        [_] => writer.literal(tail),
        _ if digits > 0 && (digits + 1 == tail.len() || tail[digits + 1] == b':') => {
            writer.sign(b':');
            writer.slot(Kind::Port);
            let rest = &tail[digits + 1..];
            trimmed(writer, rest, mask::classes(rest), false);
        }
        _ => trimmed(writer, tail, mask::classes(tail), false),
    }
}

/// A month or weekday, with the date it begins.
fn dated(writer: &mut Writer<'_>, text: &[u8], start: usize, end: usize) -> usize {
    match writer.digits.time(&text[start..], How::Any) {
        Some(time) if time.stamp.has_time() && ends_piece(text, start + time.stamp.length) => {
            writer.slot(Kind::Time);
            start + time.stamp.length
        }
        _ => {
            writer.literal(&text[start..end]);
            end
        }
    }
}

fn ends_piece(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|b| CLASS[usize::from(*b)] & (STOP | COLON) != 0 || *b == b'.')
}

/// Whether it is worth reading as a time: `12:30…`, `2005-06-…`, `17/06/…`, `31.12.2…`.
fn looks_like_time(piece: &[u8]) -> bool {
    let at = |i: usize| piece.get(i).copied().unwrap_or(0);
    match (at(1), at(2), at(4)) {
        (b':', ..) | (_, b':', _) => true,
        (_, _, b'-' | b'/' | b'.') => at(7) == at(4) || at(6) == at(4),
        (_, b'/' | b'-' | b'.', _) => at(5) == at(2) || at(2) == b'/',
        _ => false,
    }
}

/// Paths and addresses of the web, which may hold delimiters; all have a slash.
fn long(writer: &mut Writer<'_>, text: &[u8], start: usize, end: usize) -> Option<usize> {
    if writer.is_behind_slot() {
        // What continues a value (`1/b`) is no path.
        return None;
    }
    let piece = &text[start..end];
    let drive =
        piece.len() > 2 && piece[0].is_ascii_alphabetic() && piece[1] == b':' && matches!(piece[2], b'\\' | b'/');
    let scheme = piece[0].is_ascii_alphabetic()
        && !drive
        && piece
            .windows(3)
            .position(|three| three == b"://")
            .is_some_and(|i| piece[..i].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')));
    let share = piece.len() > 2 && piece.starts_with(b"\\\\");
    // `</name>` ends an element.
    let is_tag = start > 0 && text[start - 1] == b'<' && text.get(end) == Some(&b'>') && !piece[1..].contains(&b'/');
    let rooted = piece.len() > 1
        && piece[0] == b'/'
        && !is_tag
        && (piece[1].is_ascii_alphanumeric() || matches!(piece[1], b'.' | b'_' | b'%'));
    // What is asked for of a server is a path however short.
    let rooted = rooted || (piece == b"/" && is_asked_for(&text[end..]));
    let near = piece.len() > 2 && (piece.starts_with(b"./") || piece.starts_with(b"../") || piece.starts_with(b"~/"));
    if rooted && piece.len() > 1 && piece[1].is_ascii_digit() && is_slashed_address(&piece[1..]) {
        trimmed(writer, &piece[1..], mask::classes(&piece[1..]), false);
        return Some(end);
    }
    if !(scheme || drive || share || rooted || near) {
        return None;
    }
    let mut to = end;
    if scheme || text.get(end) == Some(&b'?') {
        while text.get(to).is_some_and(|b| CLASS[usize::from(*b)] & (BLANK | HIGH) == 0 && !b"\"'<>()[]{}`".contains(b))
        {
            to += 1;
        }
    }
    // What ends a sentence or introduces a reason is not part of the path.
    while to > start + 1 && matches!(text[to - 1], b'.' | b':' | b',' | b';' | b'!' | b'?') {
        to -= 1;
    }
    let port = text[start..to]
        .iter()
        .rposition(|b| *b == b':')
        .filter(|i| rooted && *i > 0 && text[start + i + 1..to].iter().all(u8::is_ascii_digit));
    writer.slot(if scheme { Kind::Url } else { Kind::Path });
    if let Some(colon) = port {
        writer.sign(b':');
        writer.slot(Kind::Number);
        debug_assert!(start + colon < to);
    }
    Some(to)
}

/// Whether the version of HTTP follows, as behind the target of a request.
fn is_asked_for(rest: &[u8]) -> bool {
    let blanks = rest.iter().take_while(|b| CLASS[usize::from(**b)] & BLANK != 0).count();
    blanks > 0 && rest[blanks..].starts_with(b"HTTP/")
}

/// `10.0.0.1:80`, the form in which some languages print an address after a slash.
fn is_slashed_address(piece: &[u8]) -> bool {
    let ip = piece.split(|b| *b == b':').next().unwrap_or(piece);
    let ip = ip.strip_suffix(b".").unwrap_or(ip);
    mask::classes(ip) & !(DIGIT | MARK) == 0 && ip.iter().filter(|b| **b == b'.').count() == 3 && !ip.contains(&b'/')
}

/// A piece without the punctuation at its ends, but for the sign of a number.
fn without_ends(piece: &[u8]) -> Range<usize> {
    let is_trim = |b: &u8| matches!(b, b'.' | b':' | b'*' | b'-' | b'+' | b'~' | b'@' | b'\\' | b'/' | b'$' | b'_');
    let mut from = piece.iter().position(|b| !is_trim(b)).unwrap_or(piece.len());
    let to = piece.iter().rposition(|b| !is_trim(b)).map_or(from, |i| i + 1);
    if from > 0 && matches!(piece[from - 1], b'-' | b'+') && piece.get(from).is_some_and(u8::is_ascii_digit) {
        from -= 1;
    }
    from..to
}

/// Writes a piece whose ends may be punctuation.
fn trimmed(writer: &mut Writer<'_>, piece: &[u8], classes: Class, key: bool) {
    if classes & COLON != 0
        && mask::may_be_colon_address(piece, classes)
        && (piece.starts_with(b"::") || piece.ends_with(b"::"))
    {
        // What ends a sentence or introduces a reason is not part of the address.
        let end = usize::from(matches!(piece, [.., b'.']) || matches!(piece, [.., b, b':'] if *b != b':'));
        let (address, end) = piece.split_at(piece.len() - end);
        if let Some(kind) = mask::colon_address(address) {
            writer.slot(kind);
            return writer.literal(end);
        }
    }
    let Range { start, end } = without_ends(piece);
    writer.literal(&piece[..start]);
    if start < end {
        core(writer, &piece[start..end], classes, key);
    }
    writer.literal(&piece[end..]);
}

/// Bytes of a piece that is taken apart; longer ones are data, whatever they are made of. Taking apart recurses, so that
/// without a bound a line of `a..a..a` could use up the stack.
const LONGEST_TAKEN_APART: usize = 1 << 10;

/// Writes a piece that has a digit or a mark, without punctuation at its ends.
fn core(writer: &mut Writer<'_>, piece: &[u8], classes: Class, key: bool) {
    if piece.len() > LONGEST_TAKEN_APART {
        return match piece {
            _ if piece.contains(&b'/') => writer.slot(Kind::Path),
            _ if piece.iter().any(u8::is_ascii_digit) => writer.slot(Kind::Id),
            _ => writer.literal(piece),
        };
    }
    if classes & COLON != 0 && piece.contains(&b':') {
        if mask::may_be_colon_address(piece, classes)
            && let Some(kind) = mask::colon_address(piece)
        {
            return writer.slot(kind);
        }
        if classes & SLASH != 0
            && let Some(at) = slash_beside_address(piece)
        {
            return halves(writer, piece, at, key);
        }
        let mut addressed = false;
        if is_host_and_port(piece) {
            writer.slot(Kind::Host);
            writer.sign(b':');
            return writer.slot(Kind::Port);
        }
        let last = if key { piece.iter().filter(|b| **b == b':').count() } else { 0 };
        for (i, part) in piece.split(|b| *b == b':').enumerate() {
            if i > 0 {
                writer.sign(b':');
            }
            if addressed && !part.is_empty() && part.iter().all(u8::is_ascii_digit) {
                writer.slot(Kind::Port);
                addressed = false;
            } else {
                let before = writer.out.len();
                trimmed(writer, part, mask::classes(part), key && i == last);
                let written = writer.out.get(before..).unwrap_or(b"");
                addressed =
                    matches!(written, [b] | [b' ', b] if matches!(Kind::of_byte(*b), Some(Kind::Ip | Kind::Host)));
            }
        }
        return;
    }
    if classes & MARK == 0 {
        return plain(writer, piece, classes & !COLON, key);
    }
    if classes & AT != 0
        && let Some(at) = piece.iter().position(|b| *b == b'@')
    {
        let (name, host) = (&piece[..at], &piece[at + 1..]);
        if mask::is_mail(name, host) {
            return writer.slot(Kind::Mail);
        }
        trimmed(writer, name, mask::classes(name), false);
        writer.sign(b'@');
        return trimmed(writer, host, mask::classes(host), key);
    }
    if classes & DOT != 0
        && let Some(at) = piece.windows(2).position(|two| two == b"..")
    {
        let (before, after) = piece.split_at(at);
        trimmed(writer, before, mask::classes(before), false);
        return trimmed(writer, after, mask::classes(after), key);
    }
    let slashes = if classes & SLASH == 0 { 0 } else { piece.iter().filter(|b| is_slash(b)).count() };
    match slashes {
        0 => plain(writer, piece, mask::classes(piece), key),
        1 => halves(writer, piece, piece.iter().position(is_slash).unwrap_or(0), key),
        _ if piece.contains(&b'/') || classes & DIGIT != 0 => writer.slot(Kind::Path),
        _ => writer.literal(piece),
    }
}

fn is_slash(b: &u8) -> bool {
    matches!(b, b'/' | b'\\')
}

/// Where the slash is behind or before an address: `2001:db8::/32`, and `eth0/fe80::1`. Masking would come to that address when
/// what is before it is masked, so it does at once.
fn slash_beside_address(piece: &[u8]) -> Option<usize> {
    let is_address = |part: &[u8]| mask::classes(part) & (LETTER | SLASH) == 0 && mask::colon_address(part).is_some();
    let mut start = 0;
    for part in piece.split(is_slash) {
        let end = start + part.len();
        if is_address(part) || end == piece.len() && is_address(&part[without_ends(part)]) {
            let at = if start == 0 { end } else { start - 1 };
            return (at < piece.len()).then_some(at);
        }
        start = end + 1;
    }
    None
}

/// A dotted name in small letters before a number: `example.asia:8080`. In code, names before a line number have a capital
/// letter or the ending of a file. Names without a dot (`job:80`) are no hosts, whatever the number is.
fn is_host_and_port(piece: &[u8]) -> bool {
    let Some(at) = piece.iter().position(|b| *b == b':') else { return false };
    let (host, port) = (&piece[..at], &piece[at + 1..]);
    (2..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit) && mask::may_be_host(host)
}

/// What stands before and behind the slash at this place; `HTTP/1.1` is one.
fn halves(writer: &mut Writer<'_>, piece: &[u8], at: usize, key: bool) {
    let (before, after) = (&piece[..at], &piece[at + 1..]);
    let protocol = before.iter().all(u8::is_ascii_uppercase) && after.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    if protocol {
        return writer.literal(piece);
    }
    trimmed(writer, before, mask::classes(before), false);
    writer.literal(&piece[at..=at]);
    trimmed(writer, after, mask::classes(after), key);
}

/// Writes a piece without separators but dots and dashes.
fn plain(writer: &mut Writer<'_>, piece: &[u8], classes: Class, key: bool) {
    if classes & DIGIT == 0 {
        if mask::is_bool(piece) {
            writer.slot(Kind::Bool);
        } else if mask::is_hex_word(piece, classes) {
            writer.slot(Kind::Hex);
        } else if classes & MARK != 0 && mask::is_host(piece) {
            writer.slot(Kind::Host);
        } else {
            writer.literal(piece);
        }
        return;
    }
    let letters = classes & !(DIGIT | MARK) != 0;
    if key && letters {
        // The digits of a key belong to it, but for a number that stuck to its front.
        let number = piece.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        if number == 0 {
            return writer.literal(piece);
        }
        writer.slot(Kind::Number);
        let name = &piece[number..];
        return trimmed(writer, name, mask::classes(name), key);
    }
    if classes & DOT != 0
        && let Some(dot) = piece.iter().rposition(|b| *b == b'.')
    {
        let (name, number) = (&piece[..dot], &piece[dot + 1..]);
        let is_name = !name.iter().any(u8::is_ascii_digit) && name.iter().any(u8::is_ascii_alphabetic);
        if is_name && !number.is_empty() && number.iter().all(u8::is_ascii_digit) {
            writer.literal(&piece[..=dot]);
            return writer.slot(Kind::Number);
        }
    }
    let is_offset = |at: &usize| is_offset(writer, &piece[at + 1..]) && is_kept(writer, &piece[..*at]);
    if let Some(plus) = piece.iter().position(|b| *b == b'+').filter(is_offset) {
        writer.literal(&piece[..=plus]);
        return writer.slot(Kind::Hex);
    }
    match mask::value(known(writer.digits, piece), classes) {
        Some(kind) => writer.slot(kind),
        None => writer.literal(piece),
    }
}

/// Whether a name would stay as it is where it stands alone: what masking would come to later, it has to come to at once.
fn is_kept(writer: &Writer<'_>, name: &[u8]) -> bool {
    let classes = mask::classes(name);
    if !name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') {
        return false;
    }
    match classes & DIGIT {
        0 => !mask::is_bool(name) && !mask::is_hex_word(name, classes) && !mask::is_host(name),
        _ => {
            let value = mask::value(known(writer.digits, name), classes);
            classes & DOT == 0 && matches!(value, None | Some(Kind::Id))
        }
    }
}

/// Whether it is what stands behind the name of a function and `+`: `0x1b6`.
fn is_offset(writer: &Writer<'_>, piece: &[u8]) -> bool {
    matches!(piece, [b'0'..=b'9', b'x', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit))
        && writer.digits.exactly(&piece[..1]) == b"0"
}

/// The piece with all digits that [`mask::value`] looks at.
fn known<'p, 'd: 'p>(digits: Digits<'d>, piece: &'p [u8]) -> &'p [u8] {
    if !digits.is_hidden() {
        return piece;
    }
    let prefixed = matches!(piece, [b'0', b'x' | b'X', ..]) && digits.exactly(&piece[..1]) == b"0";
    if !prefixed && mask::reads_digits(piece) { digits.exactly(piece) } else { piece }
}
