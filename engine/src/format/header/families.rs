//! Columns that only some programs have behind the time.

use super::Header;
use crate::format::level;

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

    /// A column with `0x` before its digits.
    fn hexadecimal(&mut self) -> Option<()> {
        let column = self.column().text;
        let digits = column.get(2..).filter(|_| column[1] == b'x' && column[0].is_ascii_digit())?;
        self.at += column.len();
        (!digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit) && self.blanks() > 0).then_some(())
    }
}
