//! The leading fields of a line of text: a grammar of what headers are made of (times, levels, hosts, processes,
//! threads, components and the signs between them), not a list of products. Conservative: where there is neither time
//! nor level, the line is all message. It sees one line; what only the lines together tell is `layout`'s.

use std::ops::Range;

use super::{
    columns::{COLUMN, Column, closing, is_context, tag_end},
    digits::{Digits, How, Moment, Said},
    level,
    time::Seen,
};
use crate::record::Level;

/// Columns that may stand before the time.
const BEFORE: usize = 6;

/// Columns that may stand between time and level.
const BETWEEN: usize = 5;

/// Reads the header of a line of text.
pub(super) fn read(digits: Digits<'_>, reference: i64, seen: Seen) -> Said<'_> {
    found(Header { line: digits.outline(), digits, seen, ..Header::default() }, reference).said()
}

/// Finds the header of a line of text.
pub(super) fn find(line: &[u8], reference: i64) -> Header<'_> {
    found(Header { line, digits: Digits::open(line), ..Header::default() }, reference)
}

fn found(mut header: Header<'_>, reference: i64) -> Header<'_> {
    header.priority();
    if header.klog(reference) || header.logcat() {
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
    /// Whether the line says to follow RFC 5424.
    versioned: bool,
    /// The time that was looked for last.
    seen: Seen,
}

impl<'a> Header<'a> {
    /// What the line says.
    fn said(self) -> Said<'a> {
        let message = self.line[self.at..].trim_ascii();
        Said { time: self.time, level: self.level.or_else(|| level::before_colon(message)), message }
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
        for _ in 0..4 {
            self.at += self.column().len();
            self.blanks();
        }
        if self.peek(0) == b'-' {
            self.at += 1;
        }
        while self.peek(0) == b'[' {
            let Some(end) = closing(self.rest()) else { return };
            self.at += end;
        }
    }

    /// `I0102 15:04:05.000000    1234 file.go:123] message`.
    fn klog(&mut self, reference: i64) -> bool {
        if !matches!(self.peek(0), b'I' | b'W' | b'E' | b'F') || !self.peek(1).is_ascii_digit() {
            return false;
        }
        let Some(time) = self.digits.time(&self.rest()[1..], How::MonthDay) else { return false };
        let Some(end) = self.rest().iter().take(160).position(|b| *b == b']') else { return false };
        self.level = level::lettered(self.peek(0));
        self.time = time.moment(reference);
        (self.level_at, self.time_at) = (self.at..self.at + 1, self.at + 1..self.at + 1 + time.stamp.length);
        self.at += end + 1;
        true
    }

    /// `D/Tag( 1234): message`.
    fn logcat(&mut self) -> bool {
        let Some(found) = level::lettered(self.peek(0)).filter(|_| self.peek(1) == b'/') else { return false };
        let near = &self.rest()[..self.rest().len().min(COLUMN + 2)];
        let Some(end) = memchr::memmem::find(near, b"): ") else { return false };
        self.level = Some(found);
        self.level_at = self.at..self.at + 1;
        self.at += end + 3;
        true
    }

    /// Finds the first time and reads past it; leaves everything as it was when there is none.
    fn first_time(&mut self, reference: i64) -> bool {
        let start = self.at;
        let numbered = self.peek(0).is_ascii_digit();
        let (mut before_is_dash, mut words) = (false, false);
        for i in 0..=BEFORE {
            // Behind words only what can be nothing else: seconds since the epoch.
            if (!words || self.digits.time(self.rest(), How::Epoch).is_some()) && self.stamp(reference, i == 0) {
                return true;
            }
            if self.peek(0) == b'[' {
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

    /// A time at this place, perhaps in brackets or quotes. `anywhere`: a time of day alone will do.
    fn stamp(&mut self, reference: i64, alone: bool) -> bool {
        let rest = self.rest();
        let closing = match rest.first() {
            Some(b'[') => Some(b']'),
            Some(b'(') => Some(b')'),
            Some(b'"') => Some(b'"'),
            Some(b'0'..=b'9' | b'A'..=b'Z') => None,
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

    /// Bytes up to the end of the brackets in which a time has other columns behind it: `[12:00:00 ERR]`, `[2024-05-01 12:00:00 #7]`.
    fn inside(&mut self, from: usize, closing: u8) -> Option<usize> {
        let mut at = from;
        for _ in 0..BETWEEN {
            let blanks = self.line[at..].iter().take_while(|b| **b == b' ').count();
            let rest = &self.line[at + blanks..];
            let length = rest.iter().take(COLUMN).position(|b| matches!(*b, b' ' | b'[') || *b == closing)?;
            if blanks == 0 || length == 0 {
                return None;
            }
            let found = level::named(&rest[..length]).filter(|_| self.level_at.is_empty());
            if found.is_some() {
                (self.level, self.level_at) = (found, at + blanks..at + blanks + length);
            } else if !Column::of(&rest[..length]).is_column() && rest[0] != b'#' {
                return None;
            }
            at += blanks + length;
            if rest[length] == closing {
                return Some(at + 1 - from);
            }
        }
        None
    }

    /// What stands between the time and the message.
    fn after_time(&mut self, reference: i64) {
        self.separator();
        if self.versioned {
            return self.structured();
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
        if self.bars() || self.level_after_columns() || beside {
            self.separator();
            if !self.component && !self.ended {
                self.component();
            }
        } else if !self.tag() {
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

    /// Fields between bars: `counter|30012|message`.
    fn bars(&mut self) -> bool {
        let (mut name, mut number, mut any) = (false, false, false);
        if self.line[..self.at].last() != Some(&b'|') && !self.line[..self.at].ends_with(b"| ") {
            return false;
        }
        for _ in 0..BEFORE {
            self.blanks();
            let rest = self.rest();
            let Some(end) = rest.iter().take(COLUMN).position(|b| *b == b'|') else { break };
            let field = rest[..end].trim_ascii();
            let found = level::named(field).filter(|_| self.level.is_none());
            if field.contains(&b' ') || (name && number && found.is_none()) {
                break;
            }
            if found.is_some() {
                let before = end - rest[..end].trim_ascii_start().len();
                (self.level, self.level_at) = (found, self.at + before..self.at + before + field.len());
            }
            let digits = field.iter().all(u8::is_ascii_digit);
            number |= digits;
            name |= !digits && found.is_none();
            any = true;
            self.at += end + 1;
        }
        self.component |= any;
        any
    }

    /// A level, with columns before it (process, thread, host, component) where they look like columns.
    fn level_after_columns(&mut self) -> bool {
        let start = self.at;
        let (mut component, mut numbers, mut class) = (false, true, false);
        for i in 0..=BETWEEN {
            if self.level_here(i == 0, numbers && i > 0) {
                self.component = component;
                return true;
            }
            if self.peek(0) == b'[' || self.peek(0) == b'(' {
                let Some(end) = closing(self.rest()) else { break };
                self.at += end;
            } else {
                let column = self.column();
                let dashed = self.rest()[column.len()..].starts_with(b" - ");
                if column.is_empty()
                    || column.len() > COLUMN
                    || !(column.is_column() || dashed || (class && self.is_method(column.text)))
                    || column.text.ends_with(b":")
                {
                    break;
                }
                numbers &= column.is_numbers();
                class = !column.has_digit() && column.text.contains(&b'.');
                // A host has digits; a component is a name.
                component |= !column.has_digit() && !column.is_dash();
                self.at += column.len();
            }
            self.separator();
        }
        self.at = start;
        false
    }

    /// Whether this column is the name of a method: between its class and a level.
    fn is_method(&self, name: &[u8]) -> bool {
        let behind = self.rest()[name.len()..].trim_ascii_start();
        let word = &behind[..level::length(behind, false)];
        behind.get(word.len()) == Some(&b':') && word.iter().all(u8::is_ascii_uppercase) && level::named(word).is_some()
    }

    /// A level at this place. `first`: right behind the time; `letter`: one letter will do.
    fn level_here(&mut self, first: bool, letter: bool) -> bool {
        let rest = self.rest();
        let bracket = matches!(rest.first(), Some(b'[' | b'(' | b'<'));
        let mut word = &rest[usize::from(bracket)..];
        // `[core:error]`: the module before the level.
        let module = word.iter().take(24).take_while(|b| bracket && (b.is_ascii_alphanumeric() || **b == b'_')).count();
        if module > 0 && word.get(module) == Some(&b':') {
            word = &word[module + 1..];
        }
        let padded = word.iter().take_while(|b| bracket && **b == b' ').count();
        let word = &word[padded..];
        let (word, after) = word.split_at(level::length(word, bracket));
        let length = word.len();
        let written = self.at + rest.len() - after.len() - length..self.at + rest.len() - after.len();
        if length == 1 && !bracket && after.first() == Some(&b' ') && (letter || (first && is_lettered(after))) {
            let found = level::lettered(word[0]);
            if found.is_some() {
                (self.level, self.level_at) = (found, written);
                self.at += 1;
            }
            return found.is_some();
        }
        // The signs of Redis.
        if first && let [sign @ (b'*' | b'#' | b'.'), b' ', ..] = rest {
            self.level = level::signed(*sign);
            self.level_at = self.at..self.at + 1;
            self.at += 1;
            self.ended = true;
            return true;
        }
        let Some(found) = level::named(word).or_else(|| level::bracketed(word).filter(|_| bracket)) else {
            return false;
        };
        if bracket {
            let gap = after.iter().take_while(|b| **b == b' ').count();
            let Some(b']' | b')' | b'>') = after.get(gap) else {
                return false;
            };
            (self.level, self.level_at) = (Some(found), written);
            self.at += rest.len() - after.len() + gap + 1;
            return true;
        }
        let upper = word.iter().all(u8::is_ascii_uppercase);
        let colon = after.first() == Some(&b':');
        let column = matches!(after, [b' ', b' ' | b'-' | b'[', ..] | [b'\t' | b'|' | b',', ..]);
        let statement = found == Level::Info && word.eq_ignore_ascii_case(b"log");
        if !(matches!(after.first(), Some(b' ' | b'\t' | b':' | b'|' | b',')) || after.is_empty())
            || (statement && !colon)
        {
            return false;
        }
        if !(upper || colon || column) {
            // `error opening file`: it says how bad, but it is part of the sentence.
            if first {
                self.level = Some(found);
            }
            let mild =
                first && matches!(found, Level::Trace | Level::Debug | Level::Info | Level::Notice) || word == b"warn";
            if mild && first {
                self.level_at = written;
                self.at += length;
            }
            return mild && first;
        }
        (self.level, self.level_at) = (Some(found), written);
        self.ended = colon && !after.starts_with(b": [");
        self.at += length + usize::from(colon);
        true
    }

    /// Thread, logger and the like behind the level.
    fn component(&mut self) {
        for _ in 0..3 {
            match self.peek(0) {
                b'[' | b'(' => {
                    let Some(end) = closing(self.rest()) else { return };
                    let inner = &self.rest()[1..end - 1];
                    let after = &self.rest()[end..];
                    if !is_context(inner, after) {
                        return;
                    }
                    self.at += end;
                    if self.peek(0) == b':' {
                        self.at += 1;
                    }
                    self.component |= after.starts_with(b" - ") || after.starts_with(b": ");
                    self.separator();
                }
                _ if self.span() => {}
                _ if self.component => return,
                _ => {
                    let column = self.column();
                    let after = &self.rest()[column.len()..];
                    let tail = after.starts_with(b"  ")
                        || after.starts_with(b"\t")
                        || after.starts_with(b" - ")
                        || after.starts_with(b" | ")
                        || after.starts_with(b" : ");
                    let dotted = column.text.contains(&b'.') && after.starts_with(b" [");
                    let tagged = column.len() > 1
                        && column.text.ends_with(b":")
                        && after.starts_with(b" ")
                        && !column.text.contains(&b'=');
                    let number = column.is_digits() && after.starts_with(b" ---");
                    if column.len() > COLUMN || after.trim_ascii().is_empty() || !(tail || dotted || tagged || number) {
                        return self.tight_component(column.text);
                    }
                    self.component = !number;
                    self.at += column.len();
                    if number {
                        self.at += 4;
                    }
                    self.separator();
                }
            }
        }
    }

    /// `request{id=1 method=GET}:` and `outer{a=1}:inner:`, the spans that an event stands in.
    fn span(&mut self) -> bool {
        let rest = self.rest();
        let name =
            rest.iter().take(COLUMN).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
        if name == 0 || rest.get(name) != Some(&b'{') {
            return false;
        }
        let Some(end) = rest.iter().take(4 * COLUMN).position(|b| *b == b'}') else { return false };
        if rest.get(end + 1) != Some(&b':') || rest.get(end + 2).is_none() {
            return false;
        }
        self.at += end + 2;
        self.blanks();
        true
    }

    /// A component whose colon is followed by the message without a blank: `net.peer.Handler:Got …`.
    fn tight_component(&mut self, column: &[u8]) {
        let Some(colon) = column.iter().position(|b| *b == b':') else { return };
        let name = &column[..colon];
        let dotted = name.iter().filter(|b| **b == b'.').count() >= 2 && name.iter().any(u8::is_ascii_uppercase);
        if dotted && colon + 1 < column.len() && !column[colon + 1].is_ascii_digit() {
            self.at += colon + 1;
        }
    }

    /// `host process[12]: `, `host kernel: `, `process: ` as syslog has it.
    fn tag(&mut self) -> bool {
        // Only where a month is named does syslog's order hold: host, process, message.
        let named_month = self.line.iter().take(self.at).any(u8::is_ascii_alphabetic);
        let start = self.at;
        for i in 0..2 {
            let column = self.column();
            if column.is_empty() || column.len() > COLUMN {
                break;
            }
            let Some(colon) = tag_end(self.rest()) else {
                if i > 0 || column.text.contains(&b'=') || column.text.first() == Some(&b'[') {
                    break;
                }
                self.at += column.len();
                self.blanks();
                continue;
            };
            let process = self.rest()[..colon].contains(&b'[');
            if self.rest()[colon..].trim_ascii().len() < 2 || !(named_month || process) {
                break;
            }
            self.at += colon + 1;
            return true;
        }
        self.at = start;
        let host = self.column();
        if named_month
            && !host.text.contains(&b'=')
            && host.text.iter().any(|b| matches!(b, b'-' | b'.'))
            && host.is_column()
            && host.len() + 1 < self.rest().len()
        {
            self.at += host.len();
        }
        false
    }

    /// `program.exe - message`.
    fn program(&mut self) {
        let rest = self.rest();
        let near = &rest[..rest.len().min(42)];
        let Some(dash) = memchr::memmem::find(near, b" - ") else { return };
        let words = rest[..dash].split(|b| *b == b' ').count();
        if dash > 0 && words <= 2 && rest[..dash].iter().all(|b| !matches!(b, b':' | b',' | b'=')) {
            self.at += dash + 3;
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
        if is_seconds && inner.len() >= 3 {
            self.at += end + 1;
            self.blanks();
        }
    }

    /// A level at the front of a line without a time.
    fn without_time(&mut self) {
        let start = self.at;
        self.uptime();
        if self.level_here(false, false) {
            let python = self.peek(0) != b' ' && self.ended;
            if python
                && let Some(colon) = self
                    .rest()
                    .iter()
                    .take(COLUMN)
                    .position(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'.' | b'_'))
                && self.peek(colon) == b':'
            {
                self.at += colon + 1;
            }
            self.separator();
            if self.rest().is_empty() {
                self.at = start;
                self.level_at = 0..0;
            }
        }
    }
}

/// Whether what follows a letter says that the letter is a level: a component in capitals, set off.
fn is_lettered(after: &[u8]) -> bool {
    let column = Column::of(after.trim_ascii_start());
    let behind = &after[after.len() - after.trim_ascii_start().len() + column.len()..];
    (column.is_dash() || (column.len() > 1 && column.is_upper()))
        && (behind.starts_with(b"  ") || behind.starts_with(b" ["))
}
