//! The leading fields of a line of text: a grammar of what headers are made of (times, levels, hosts, processes,
//! threads, components and the signs between them), not a list of products. Conservative: where there is neither time
//! nor level, the line is all message. It sees one line; what only the lines together tell is `layout`'s.

mod components;
mod families;
mod letters;
mod levels;
mod times;

use std::ops::Range;

use super::{
    columns::{self, Column},
    digits::{Digits, Moment, Said},
    level,
    time::Seen,
};
use crate::record::{Level, Onset};

/// Columns that may stand before the time.
const BEFORE: usize = 6;

/// Columns that may stand between time and level.
const BETWEEN: usize = 5;

/// Bytes of an element of structured data at most.
const ELEMENT: usize = 1 << 10;

/// Reads the header of a line of text; tells whether it is klog's.
pub(super) fn read(digits: Digits<'_>, reference: i64, seen: Seen) -> (Said<'_>, bool) {
    let header = found(Header { line: digits.outline(), digits, seen, ..Header::default() }, reference);
    let is_klog = header.is_klog;
    (header.said(), is_klog)
}

/// Finds the header of a line of text.
pub(super) fn find(line: &[u8], reference: i64) -> Header<'_> {
    found(Header { line, digits: Digits::open(line), ..Header::default() }, reference)
}

fn found(mut header: Header<'_>, reference: i64) -> Header<'_> {
    if header.angles(reference) {
        return header;
    }
    header.priority();
    if header.klog(reference) || header.logcat() || header.glued(reference) || header.colons(reference) {
        return header;
    }
    if header.versioned && header.rest().starts_with(b"- ") {
        header.at += 1;
        header.structured();
        return header;
    }
    if header.first_time(reference) {
        header.after_time(reference);
    } else {
        header.without_time();
    }
    header
}

/// What was found at the front of a line.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    line: &'a [u8],
    digits: Digits<'a>,
    /// Where the message starts, as far as known.
    pub(super) at: usize,
    time: Option<Moment>,
    level: Option<Level>,
    /// Where the first time is written, without its brackets; empty is nowhere.
    pub(super) time_at: Range<usize>,
    /// Where the last time ends.
    pub(super) times_end: usize,
    /// Where the level is written; empty is nowhere.
    pub(super) level_at: Range<usize>,
    /// Whether the component was read.
    component: bool,
    /// Whether the level was followed by a colon: what follows is the message.
    ended: bool,
    /// The sign between its fields, where there are no blanks; 0 is none.
    pub(super) between: u8,
    /// Whether it begins with the seconds since the start.
    is_uptime: bool,
    /// Whether it is written as klog writes it.
    is_klog: bool,
    /// Whether the message stands in brackets.
    pub(super) is_enclosed: bool,
    /// Whether the line says to follow RFC 5424.
    versioned: bool,
    /// The time that was looked for last.
    seen: Seen,
}

impl<'a> Header<'a> {
    /// What the line says.
    fn said(self) -> Said<'a> {
        let message = self.line[self.at..].trim_ascii();
        let message = message.strip_suffix(b">").filter(|_| self.is_enclosed).unwrap_or(message).trim_ascii_end();
        let message = columns::unquoted(message, self.between);
        let onset = match () {
            () if !self.time_at.is_empty() || self.is_uptime => Onset::Clock,
            () if self.level.is_some() && self.at > 0 => Onset::Level,
            () => Onset::Bare,
        };
        Said { time: self.time, level: self.level.or_else(|| level::before_colon(message)), onset, message }
    }

    fn rest(&self) -> &'a [u8] {
        &self.line[self.at..]
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.line.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn blanks(&mut self) -> usize {
        let before = self.at;
        while matches!(self.peek(0), b' ' | b'\t') {
            self.at += 1;
        }
        self.at - before
    }

    #[inline]
    fn column(&self) -> Column<'a> {
        Column::of(self.rest())
    }

    /// `<34>` at the front, and the version that RFC 5424 puts after it.
    fn priority(&mut self) {
        if self.peek(0) != b'<' {
            return;
        }
        let digits = self.line[1..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || self.line.get(1 + digits) != Some(&b'>') {
            return;
        }
        self.level = Some(level::of_priority(self.digits.exactly(&self.line[1..=digits])));
        self.at = digits + 2;
        if self.peek(0).is_ascii_digit() && self.peek(1) == b' ' && self.digits.exactly(&self.rest()[..1]) == b"1" {
            self.at += 2;
            self.versioned = true;
        }
    }

    /// Host, program, process, message id and structured data of RFC 5424.
    fn structured(&mut self) {
        self.blanks();
        for _ in 0..4 {
            self.at += self.column().len();
            self.blanks();
        }
        if self.peek(0) == b'-' {
            self.at += 1;
        }
        while self.peek(0) == b'[' {
            let Some(end) = element(self.rest()) else { return };
            self.at += end;
        }
    }

    /// What stands between the time and the message.
    fn after_time(&mut self, reference: i64) {
        if self.versioned {
            return self.structured();
        }
        if self.separated() || self.colons_behind_time() {
            return;
        }
        self.separator();
        if self.verbosity() {
            return;
        }
        if self.unified() {
            return self.component();
        }
        let mut host = false;
        // More times, a host between them.
        for _ in 0..3 {
            let before = self.at;
            if self.stamp(reference, false) {
                self.separator();
                continue;
            }
            let column = self.column();
            if host || !column.is_column() || column.text.first() == Some(&b'[') {
                break;
            }
            self.at += column.len();
            self.blanks();
            if !self.stamp(reference, false) {
                self.at = before;
                break;
            }
            host = true;
            self.separator();
        }
        // The level may stand beside the time.
        let beside = self.times_end < self.level_at.start;
        if self.bars() || beside || self.level_after_columns() {
            self.separator();
            if !self.component && !self.ended {
                self.component();
            }
        } else if !self.level_in_tag() && !self.tag() {
            self.program();
        }
    }

    /// Blanks and signs between fields.
    fn separator(&mut self) {
        self.blanks();
        for _ in 0..2 {
            match (self.peek(0), self.peek(1)) {
                (b'-' | b'|' | b',' | b';' | b':', b' ' | b'\t') | (b'|', _) => {
                    self.at += 1;
                    self.blanks();
                }
                (b'-', b'-') if self.peek(2) == b' ' => {
                    self.at += 2;
                    self.blanks();
                }
                _ => break,
            }
        }
    }

    /// `[   12.345678] `: seconds since the start, as the kernel prints them.
    fn uptime(&mut self) {
        if self.peek(0) != b'[' {
            return;
        }
        let Some(end) = self.rest().iter().take(20).position(|b| *b == b']') else { return };
        let inner = self.rest()[1..end].trim_ascii();
        let is_seconds =
            inner.iter().filter(|b| **b == b'.').count() == 1 && inner.iter().all(|b| b.is_ascii_digit() || *b == b'.');
        self.is_uptime = is_seconds && inner.len() >= 3;
        if self.is_uptime {
            self.at += end + 1;
            self.blanks();
        }
    }

    /// A level at the front of a line without a time.
    fn without_time(&mut self) {
        let start = self.at;
        self.uptime();
        if self.level_here(false, false) {
            self.logger();
            self.separator();
            if self.rest().is_empty() {
                self.at = start;
                self.level_at = 0..0;
            }
        } else if self.level_behind_thread() {
            self.separator();
            self.component();
        }
    }
}

/// Bytes of an element of structured data; in its values, which stand in quotes, may be what ends one.
fn element(rest: &[u8]) -> Option<usize> {
    let (mut quoted, mut at) = (false, 1);
    while at < ELEMENT {
        match *rest.get(at)? {
            b'\\' => at += 1,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}
