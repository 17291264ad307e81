//! Level words: how bad a line says it is.

use super::columns::Column;
use crate::{record::Level, tally::whole_letters};

/// The level that a word names, in any case; `None` for any other word.
pub(crate) fn named(word: &[u8]) -> Option<Level> {
    if !(2..=11).contains(&word.len()) || !begins_one(word[0]) {
        return None;
    }
    let mut lower = [0; 11];
    for (to, from) in lower.iter_mut().zip(word) {
        *to = from.to_ascii_lowercase();
    }
    Some(match &lower[..word.len()] {
        b"trace" | b"trac" | b"finest" | b"finer" | b"verbose" | b"vrb" => Level::Trace,
        b"debug" | b"debu" | b"fine" | b"dbg" => Level::Debug,
        b"info" | b"inf" | b"information" | b"log" => Level::Info,
        b"notice" => Level::Notice,
        b"warn" | b"warning" | b"wrn" => Level::Warn,
        b"error" | b"erro" | b"err" | b"severe" => Level::Error,
        b"fatal" | b"fata" | b"ftl" | b"crit" | b"critical" | b"alert" | b"emerg" | b"emergency" | b"panic"
        | b"pani" | b"failure" => Level::Fatal,
        _ => return None,
    })
}

/// The level in the name of something else, in capitals before or behind its only sign: `production.ERROR`, `INFO/worker-1`.
pub(super) fn beside(name: &[u8]) -> Option<Level> {
    let mut pieces = name.split(|b| matches!(b, b'.' | b'/' | b':'));
    let (Some(first), Some(last), None) = (pieces.next(), pieces.next(), pieces.next()) else { return None };
    let written = |word: &&[u8]| word.len() > 3 && word.iter().all(u8::is_ascii_uppercase);
    [first, last].into_iter().filter(written).find_map(named)
}

/// The level that .NET's console begins a message with, before its category and the number of the event: `fail: Shop.Orders[7]`. Its
/// short words mean nothing elsewhere.
pub(crate) fn of_console(text: &[u8]) -> Option<Level> {
    let (word, rest) = text.split_at_checked(4)?;
    let found = match word {
        b"trce" => Level::Trace,
        b"dbug" => Level::Debug,
        b"info" => Level::Info,
        b"warn" => Level::Warn,
        b"fail" => Level::Error,
        b"crit" => Level::Fatal,
        _ => return None,
    };
    let column = Column::of(rest.strip_prefix(b": ")?).text.strip_suffix(b"]")?;
    let (name, number) = column.split_at(column.iter().position(|b| *b == b'[')?);
    let is_name = name.first()?.is_ascii_alphabetic()
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'`'));
    (is_name && number.len() > 1 && number[1..].iter().all(u8::is_ascii_digit)).then_some(found)
}

/// Whether any level word begins so. Most words that are asked about are none, and this tells most of them.
fn begins_one(letter: u8) -> bool {
    matches!(letter | 0x20, b't' | b'f' | b'v' | b'd' | b'i' | b'l' | b'n' | b'w' | b'e' | b's' | b'c' | b'a' | b'p')
}

/// The level of one letter, as logcat and klog write it.
pub(super) fn lettered(letter: u8) -> Option<Level> {
    Some(match letter {
        b'V' => Level::Trace,
        b'D' => Level::Debug,
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' | b'A' => Level::Fatal,
        _ => return None,
    })
}

/// The level of a field that is one letter.
pub(super) fn of_letter(field: &[u8]) -> Option<Level> {
    <[u8; 1]>::try_from(field).ok().and_then(|[letter]| lettered(letter))
}

/// The level of a letter or sign that stands twice in parentheses, as X servers write it: `(EE)`; its signs say where a setting
/// comes from.
pub(super) fn doubled(letter: u8, other: u8) -> Option<Level> {
    match letter {
        _ if letter != other => None,
        b'-' | b'+' | b'*' | b'=' => Some(Level::Info),
        b'!' => Some(Level::Notice),
        letter => lettered(letter),
    }
}

/// Whether it is a word or a letter, in capitals, that names a level.
pub(crate) fn is_level_word(word: &[u8]) -> bool {
    let is_letter = || matches!(word, [letter] if lettered(*letter).is_some());
    word.iter().all(u8::is_ascii_uppercase) && (is_letter() || named(word).is_some())
}

/// The level of a syslog severity, 0 to 7 (RFC 5424, table 2).
pub(super) fn severity(number: u32) -> Level {
    match number {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 => Level::Notice,
        6 => Level::Info,
        _ => Level::Debug,
    }
}

/// The level in the number that syslog begins with, at most three digits.
pub(super) fn of_priority(digits: &[u8]) -> Level {
    severity(digits.iter().fold(0, |number, b| number * 10 + u32::from(b - b'0')) % 8)
}

/// The level of a number as loggers for Node (10 to 60) write it.
pub(super) fn numbered(number: u32) -> Option<Level> {
    Some(match number {
        10 => Level::Trace,
        20 => Level::Debug,
        30 => Level::Info,
        40 => Level::Warn,
        50 => Level::Error,
        60 => Level::Fatal,
        _ => return None,
    })
}

/// The level that macOS names in the column for it.
pub(super) fn unified(word: &[u8]) -> Option<Level> {
    Some(match word {
        b"Default" => Level::Notice,
        b"Info" => Level::Info,
        b"Debug" => Level::Debug,
        b"Error" => Level::Error,
        b"Fault" => Level::Fatal,
        _ => return None,
    })
}

/// Bytes of a verbosity at the front: a number of at most two digits, which may be negative, before a blank.
pub(super) fn verbosity(bytes: &[u8]) -> Option<usize> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let length = sign + bytes[sign..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
    ((1..=2).contains(&(length - sign)) && bytes.get(length) == Some(&b' ')).then_some(length)
}

/// The level of a verbosity, as Ceph writes it: what is negative is seen always, and what has two digits hardly ever.
pub(super) fn of_verbosity(number: &[u8]) -> Level {
    match number {
        [b'-', ..] => Level::Error,
        [b'0' | b'1'] => Level::Info,
        [_] => Level::Debug,
        _ => Level::Trace,
    }
}

/// The level of one sign, as Redis writes it.
pub(super) fn signed(sign: u8) -> Option<Level> {
    match sign {
        b'.' => Some(Level::Debug),
        b'-' => Some(Level::Info),
        b'*' => Some(Level::Notice),
        b'#' => Some(Level::Warn),
        _ => None,
    }
}

/// Bytes of the word at the front that may be a level: letters, in brackets those of other scripts too.
pub(super) fn length(bytes: &[u8], bracketed: bool) -> usize {
    let letter = |b: &&u8| b.is_ascii_alphabetic() || (bracketed && !b.is_ascii());
    // No half letters.
    let near = if bracketed { whole_letters(bytes, 32) } else { bytes.len().min(12) };
    bytes[..near].iter().take_while(letter).count()
}

/// The level that a word names where it stands alone in brackets: there it may be one that is common in sentences, or of
/// another language.
pub(super) fn bracketed(word: &[u8]) -> Option<Level> {
    if word.eq_ignore_ascii_case(b"note") || word.eq_ignore_ascii_case(b"system") {
        return Some(Level::Notice);
    }
    let (level, _) = OTHER_WORDS.iter().find(|(_, words)| words.iter().any(|known| known.as_bytes() == word))?;
    Some(*level)
}

/// See [`bracketed`].
const OTHER_WORDS: [(Level, &[&str]); 5] = [
    (Level::Debug, &["调试", "除錯", "偵錯", "デバッグ", "디버그"]),
    (Level::Info, &["信息", "資訊", "訊息", "情報", "정보", "Information", "Информация"]),
    (Level::Warn, &["警告", "경고", "Warnung", "Avertissement", "Advertencia", "Aviso", "Предупреждение"]),
    (Level::Error, &["错误", "錯誤", "エラー", "오류", "에러", "Fehler", "Erreur", "Erro", "Errore", "Ошибка"]),
    (Level::Fatal, &["致命", "严重", "嚴重", "致命的", "重大", "緊急", "치명적"]),
];

/// The level that a message begins with, a colon behind it.
pub(super) fn before_colon(message: &[u8]) -> Option<Level> {
    let colon = message.iter().take(12).position(|b| *b == b':')?;
    named(&message[..colon])
}

/// The level that a message tells by how it begins: a level word before a colon, or one that is bad as the first word.
pub(super) fn leading(message: &[u8]) -> Option<Level> {
    if !message.first().is_some_and(|first| begins_one(*first)) {
        return None;
    }
    let word = &message[..message.iter().take(12).take_while(|b| b.is_ascii_alphabetic()).count()];
    let found = named(word);
    match message.get(word.len()) {
        Some(b':') => found.or_else(|| of_console(message)),
        Some(b' ') => found.filter(|level| *level >= Level::Warn).or_else(|| before_colon(message)),
        _ => before_colon(message),
    }
}
