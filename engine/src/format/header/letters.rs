//! Headers that begin with a level of one letter, or have their fields between colons.

use super::Header;
use crate::format::{
    columns::{COLUMN, closing},
    digits::How,
    level,
};

impl Header<'_> {
    /// `I0102 15:04:05.000000    1234 file.go:123] message`, or the year before the month.
    pub(super) fn klog(&mut self, reference: i64) -> bool {
        if !matches!(self.rest(), [b'I' | b'W' | b'E' | b'F', b'0'..=b'9', ..]) {
            return false;
        }
        let start = self.at;
        let behind = &self.rest()[1..];
        let dated = || self.digits.time(behind, How::Dated { alone: false });
        let Some(time) = self.digits.time(behind, How::MonthDay).or_else(dated) else { return false };
        self.at += 1 + time.stamp.length;
        if !self.located() {
            let Some(end) = self.rest().iter().take(2 * COLUMN).position(|b| *b == b']') else {
                self.at = start;
                return false;
            };
            self.at += end + 1;
        }
        self.is_klog = true;
        self.level = level::lettered(self.line[start]);
        self.time = time.moment(reference);
        (self.level_at, self.time_at) = (start..start + 1, start + 1..start + 1 + time.stamp.length);
        true
    }

    /// `12 1@server/node.go:30 ⋮ [n1,s2] 45  `: a thread, the line of a source file, tags, and a counter behind the mark.
    fn located(&mut self) -> bool {
        let start = self.at;
        self.blanks();
        self.at += if self.column().is_digits() { self.column().len() } else { 0 };
        self.blanks();
        let source = self.column().text;
        let number = source.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        if number == 0 || !source[..source.len() - number].ends_with(b":") || !source.contains(&b'.') {
            self.at = start;
            return false;
        }
        self.at += source.len();
        self.blanks();
        let mark = "⋮".as_bytes();
        let marked = self.rest().starts_with(mark);
        self.at += if marked { mark.len() } else { 0 };
        self.blanks();
        if self.peek(0) == b'['
            && let Some(tags) = closing(self.rest())
        {
            self.at += tags;
            self.blanks();
        }
        let counter = self.column();
        self.at += if marked && counter.is_digits() { counter.len() } else { 0 };
        true
    }

    /// `D/Tag( 1234): message`.
    pub(super) fn logcat(&mut self) -> bool {
        let Some(found) = level::lettered(self.peek(0)).filter(|_| self.peek(1) == b'/') else { return false };
        let near = &self.rest()[..self.rest().len().min(COLUMN + 2)];
        let Some(end) = memchr::memmem::find(near, b"): ") else { return false };
        self.level = Some(found);
        self.level_at = self.at..self.at + 1;
        self.at += end + 3;
        true
    }

    /// `[1234:5678:0501/150405.000000:ERROR:file.cc(12)] message`: in brackets, and at most two numbers before the time.
    pub(super) fn colons(&mut self, reference: i64) -> bool {
        if self.peek(0) != b'[' || !self.peek(1).is_ascii_digit() {
            return false;
        }
        let Some(end) = closing(self.rest()) else { return false };
        let inner = &self.rest()[1..end - 1];
        let mut at = 0;
        for _ in 0..3 {
            let field = inner[at..].split(|b| *b == b':').next().unwrap_or_default();
            if let Some(time) = self.digits.time(&inner[at..], How::MonthDay) {
                let behind = at + time.stamp.length;
                let Some(rest) = inner[behind..].strip_prefix(b":") else { return false };
                let word = &rest[..level::length(rest, false)];
                let Some(found) = level::named(word) else { return false };
                let from = self.at + 1;
                (self.level, self.time) = (Some(found), time.moment(reference));
                self.time_at = from + at..from + behind;
                self.level_at = from + behind + 1..from + behind + 1 + word.len();
                self.at += end;
                return true;
            }
            if field.is_empty() || !field.iter().all(u8::is_ascii_digit) || field.len() == inner[at..].len() {
                return false;
            }
            at += field.len() + 1;
        }
        false
    }
}
