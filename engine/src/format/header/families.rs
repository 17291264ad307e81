//! Columns that only some programs have behind the time.

use super::Header;
use crate::format::{columns::COLUMN, digits::How, level};

/// Fields in angle brackets at most, and bytes of one.
const ANGLES: usize = 24;
const ANGLE: usize = 1 << 10;

impl Header<'_> {
    /// `7f1c2d3e4700 -1 `, as Ceph has them: a thread by its address, and how verbose one has to be to see the line.
    pub(super) fn verbosity(&mut self) -> bool {
        let thread = self.column();
        let is_digit = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let is_thread = (12..=16).contains(&thread.len())
            && thread.text.iter().all(is_digit)
            && thread.has_digit()
            && !thread.is_digits();
        if !is_thread {
            return false;
        }
        let behind = &self.rest()[thread.len()..];
        let number = behind.trim_ascii_start();
        let Some(length) = level::verbosity(number).filter(|_| number.len() < behind.len()) else { return false };
        let from = self.line.len() - number.len();
        self.level = Some(level::of_verbosity(self.digits.exactly(&number[..length])));
        self.level_at = from..from + length;
        self.at = from + length;
        self.blanks();
        true
    }

    /// `0x1a2b Default 0x0 123 0 `, as macOS shows its log: a thread, the level, an activity, a process, and how long the line is
    /// kept.
    pub(super) fn unified(&mut self) -> bool {
        let start = self.at;
        let found = self.unified_columns().is_some();
        self.at = if found { self.at } else { start };
        found
    }

    fn unified_columns(&mut self) -> Option<()> {
        self.hexadecimal()?;
        let word = self.column().text;
        let (level, level_at) = (level::unified(word)?, self.at..self.at + word.len());
        self.at = level_at.end;
        self.blanks();
        self.hexadecimal()?;
        for _ in 0..2 {
            let number = Some(self.column()).filter(|column| !column.is_empty() && column.is_digits())?;
            self.at += number.len();
            self.blanks();
        }
        (self.level, self.level_at) = (Some(level), level_at);
        Some(())
    }

    /// `####<Nov 20, 2026 10:00:00,123 AM UTC> <Notice> <Server> <host> <BEA-000365> <message>`, as WebLogic has them: all fields in
    /// angle brackets, a time and a level before the others, and the message last.
    pub(super) fn angles(&mut self, reference: i64) -> bool {
        let before = self.rest().iter().take_while(|b| **b == b'#').count();
        if self.peek(before) != b'<' {
            return false;
        }
        let from = self.at + before + 1;
        let inner = &self.line[from..];
        let Some(time) = self.digits.time(inner, How::Dated { alone: false }) else { return false };
        let behind = &inner[time.stamp.length..];
        // The name of a zone may stand behind it.
        let Some(mut at) = behind.iter().take(COLUMN).position(|b| *b == b'>') else { return false };
        at += from + time.stamp.length + 1;
        let Some(word) = self.line[at..].strip_prefix(b" <") else { return false };
        let word = &word[..level::length(word, false)];
        let Some(found) = level::named(word).filter(|_| self.line[at + 2 + word.len()..].starts_with(b"> <")) else {
            return false;
        };
        let level_at = at + 2..at + 2 + word.len();
        at = level_at.end + 2;
        for _ in 0..ANGLES {
            let next = angled(&self.line[at..]).filter(|length| self.line[at + length..].starts_with(b" <"));
            let Some(length) = next else { break };
            at += length + 1;
        }
        (self.level, self.level_at) = (Some(found), level_at);
        (self.time, self.time_at) = (time.moment(reference), from..from + time.stamp.length);
        (self.at, self.is_enclosed) = (at + 1, true);
        true
    }

    /// A column with `0x` before its digits.
    fn hexadecimal(&mut self) -> Option<()> {
        let column = self.column().text;
        let digits = column.get(2..).filter(|_| column[1] == b'x' && column[0].is_ascii_digit())?;
        self.at += column.len();
        (!digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) && self.blanks() > 0).then_some(())
    }
}

/// Bytes of the group in angle brackets at the front, those inside it included.
fn angled(rest: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let end = rest.iter().take(ANGLE).position(|b| {
        depth += usize::from(*b == b'<');
        depth -= usize::from(*b == b'>');
        depth == 0
    })?;
    Some(end + 1)
}
