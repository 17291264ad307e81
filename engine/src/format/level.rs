//! Level words: how bad a line says it is.

use crate::record::Level;

/// The level that a word names, in any case; `None` for any other word.
pub(super) fn named(word: &[u8]) -> Option<Level> {
    if !(2..=9).contains(&word.len()) || !begins_one(word[0]) {
        return None;
    }
    let mut lower = [0; 9];
    for (to, from) in lower.iter_mut().zip(word) {
        *to = from.to_ascii_lowercase();
    }
    Some(match &lower[..word.len()] {
        b"trace" | b"finest" | b"finer" | b"verbose" => Level::Trace,
        b"debug" | b"fine" | b"dbg" => Level::Debug,
        b"info" | b"inf" | b"log" => Level::Info,
        b"notice" => Level::Notice,
        b"warn" | b"warning" | b"wrn" => Level::Warn,
        b"error" | b"err" | b"severe" => Level::Error,
        b"fatal" | b"crit" | b"critical" | b"alert" | b"emerg" | b"emergency" | b"panic" | b"failure" => Level::Fatal,
        _ => return None,
    })
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
