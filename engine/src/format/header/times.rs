//! Where the times of a header stand, and what may stand before and beside them.

use super::{BEFORE, Header};
use crate::format::{
    columns::{COLUMN, closing},
    digits::How,
    level,
};

impl Header<'_> {
    /// Finds the first time and reads past it; leaves everything as it was when there is none.
    pub(super) fn first_time(&mut self, reference: i64) -> bool {
        let start = self.at;
        let numbered = self.peek(0).is_ascii_digit();
        let (mut before_is_dash, mut words, mut threads) = (false, false, 0);
        for i in 0..=BEFORE {
            let alone = i == 0 || (i == threads && self.is_column_before_level());
            // Behind words only what can be nothing else: seconds since the epoch.
            if (!words || self.digits.time(self.rest(), How::Epoch).is_some()) && self.stamp(reference, alone) {
                return true;
            }
            if self.peek(0) == b'[' {
                threads += 1;
                // A thread or the like; whether it is part of a header is seen when a time follows.
                let Some(end) = closing(self.rest()) else { break };
                if !matches!(self.peek(end), b' ' | b'\t' | b'[') {
                    break;
                }
                self.at += end;
                self.blanks();
                continue;
            }
            let column = self.column();
            let named = match column.text {
                // A letter, and the time in brackets.
                [letter, b','] if self.rest()[2..].starts_with(b" [") => level::lettered(*letter),
                text if column.is_upper() => level::named(text),
                _ => None,
            };
            if named.is_some() {
                let length = column.text.iter().take_while(|b| **b != b',').count();
                (self.level, self.level_at) = (named, self.at..self.at + length);
            }
            let plain = column.is_lower();
            let fits = column.is_column() || named.is_some() || (plain && (numbered || before_is_dash));
            if column.is_empty() || column.len() > COLUMN || !fits || self.at + column.len() >= self.line.len() {
                break;
            }
            words |= plain && !before_is_dash;
            before_is_dash = column.is_dash();
            self.at += column.len();
            if self.peek(0) == b'|' {
                self.at += 1;
            }
            self.blanks();
        }
        self.at = start;
        self.level = self.level.filter(|_| start > 0);
        self.level_at = 0..0;
        false
    }

    /// Whether a level in capitals stands behind this column, as it does behind a time of day that has a thread before it.
    fn is_column_before_level(&self) -> bool {
        let behind = self.rest()[self.column().len()..].trim_ascii_start();
        let behind = behind.strip_prefix(b"[").unwrap_or(behind);
        let word = &behind[..level::length(behind, false)];
        word.len() > 3 && word.iter().all(u8::is_ascii_uppercase) && level::named(word).is_some()
    }

    /// A time at this place, perhaps in brackets or quotes. `anywhere`: a time of day alone will do.
    pub(super) fn stamp(&mut self, reference: i64, alone: bool) -> bool {
        let rest = self.rest();
        let closing = match rest.first() {
            Some(b'[') => Some(b']'),
            Some(b'(') => Some(b')'),
            Some(b'"') => Some(b'"'),
            Some(b'0'..=b'9' | b'A'..=b'Z' | b'@') => None,
            _ => return false,
        };
        let inner = &rest[usize::from(closing.is_some())..];
        let inner = inner.trim_ascii_start();
        let found = match alone {
            true => self.digits.dated(inner, &mut self.seen),
            false => self.digits.time(inner, How::Dated { alone }),
        };
        let Some(time) = found else { return false };
        let begin = rest.len() - inner.len();
        let mut end = begin + time.stamp.length;
        let written = self.at + begin..self.at + end;
        match closing {
            Some(closing) if rest.get(end) == Some(&closing) => end += 1,
            Some(closing) => {
                let Some(length) = self.inside(self.at + end, closing) else { return false };
                end += length;
            }
            None if rest.get(end).is_some_and(|b| !matches!(b, b' ' | b'\t' | b'|' | b',' | b':' | b';' | b'-')) => {
                return false;
            }
            None => {}
        }
        self.at += end;
        self.time = self.time.or(time.moment(reference));
        self.times_end = written.end;
        if self.time_at.is_empty() {
            self.time_at = written;
        }
        true
    }

    /// Bytes up to the end of the brackets in which a time has other columns behind it, a level among them or numbers alone: `[12:00:00 ERR]`, `[2024-05-01 12:00:00: INFO/worker-1]`, `[2024-05-01 12:00:00 #7]`.
    fn inside(&mut self, from: usize, closing: u8) -> Option<usize> {
        let near = &self.line[from..];
        let end = near.iter().take(2 * COLUMN).position(|b| *b == closing && closing != b'"')?;
        let sign = usize::from(matches!(near[0], b':' | b',' | b';'));
        let (mut found, mut columns) = (None, true);
        let mut at = sign;
        near.get(sign).filter(|b| **b == b' ')?;
        for field in near[sign..end].split(|b| *b == b' ') {
            let word = field.split(|b| *b == b'/').next().unwrap_or_default();
            let level = level::named(word).filter(|_| found.is_none() && word.iter().all(u8::is_ascii_uppercase));
            found = found.or(level.map(|level| (level, from + at..from + at + word.len())));
            let number = field.strip_prefix(b"#").unwrap_or(field);
            columns &= number.iter().all(u8::is_ascii_digit);
            at += field.len() + 1;
        }
        if let Some((level, written)) = found {
            (self.level, self.level_at) = (Some(level), written);
        } else if !columns {
            return None;
        }
        Some(end + 1)
    }
}
