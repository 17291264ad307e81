//! Where the level of a header stands, and the columns before it.

use super::{BEFORE, BETWEEN, Header};
use crate::{
    format::{
        columns::{COLUMN, Column, closing, quoted},
        level,
    },
    record::Level,
};

impl Header<'_> {
    /// Fields between bars: `counter|30012|message`, `I|worker|message`.
    pub(super) fn bars(&mut self) -> bool {
        let (mut name, mut number, mut any) = (false, false, false);
        if self.line[..self.at].last() != Some(&b'|') && !self.line[..self.at].ends_with(b"| ") {
            return false;
        }
        for _ in 0..BEFORE {
            self.blanks();
            let rest = self.rest();
            let Some(end) = rest.iter().take(COLUMN).position(|b| *b == b'|') else { break };
            let field = rest[..end].trim_ascii();
            let found = level::named(field).or_else(|| level::of_letter(field)).filter(|_| self.level.is_none());
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

    /// Fields between commas or semicolons from the time to a level, and two behind it at most that are no pairs and have no blank:
    /// `time;INFO;worker-1;message`, `"time","INFO","worker-1","message"`.
    pub(super) fn separated(&mut self) -> bool {
        let sign @ (b',' | b';') = self.peek(0) else { return false };
        let start = self.at;
        let (mut found, mut behind) = (false, 0);
        for _ in 0..=BETWEEN {
            let field = &self.rest()[1..];
            let plain = || field.iter().take(COLUMN).take_while(|b| **b != sign && **b != b' ').count();
            let in_quotes = quoted(field, sign);
            let length = in_quotes.unwrap_or_else(plain);
            let is_pair = field[..length].contains(&b'=');
            if field.get(length) != Some(&sign) || length == 0 || behind == 2 || is_pair {
                break;
            }
            behind += usize::from(found);
            let (at, quote) = (self.at + 1, usize::from(in_quotes.is_some()));
            if !found && let Some(level) = level::named(&field[quote..length - quote]) {
                (self.level, self.level_at) = (Some(level), at + quote..at + length - quote);
                found = true;
            }
            self.at = at + length;
        }
        if !found {
            self.at = start;
            return false;
        }
        self.at += 1;
        (self.between, self.ended) = (sign, true);
        true
    }

    /// `:INFO:shop.cart:message` or `:shop.cart:INFO:message` behind a time: a level in capitals and a logger, colons only.
    pub(super) fn colons_behind_time(&mut self) -> bool {
        let start = self.at;
        for _ in 0..2 {
            if self.peek(0) != b':' {
                break;
            }
            let word = &self.rest()[1..];
            let word = &word[..logger(word).unwrap_or(0)];
            if word.is_empty() {
                break;
            }
            let at = self.at + 1;
            self.at = at + word.len();
            if let Some(level) = level::named(word).filter(|_| word.iter().all(u8::is_ascii_uppercase)) {
                (self.level, self.level_at) = (Some(level), at..self.at);
                let is_first = at == start + 1;
                self.at += 1;
                (self.between, self.ended) = (b':', true);
                if is_first {
                    self.logger();
                }
                return true;
            }
        }
        self.at = start;
        false
    }

    /// The logger behind a level in capitals with nothing but colons between them, as in `INFO:shop.cart:message`.
    pub(super) fn logger(&mut self) {
        let level = &self.line[self.level_at.clone()];
        let glued = self.ended && self.level_at.end + 1 == self.at;
        if let Some(length) = logger(self.rest()).filter(|_| glued && level.iter().all(u8::is_ascii_uppercase)) {
            self.at += length + 1;
            self.between = b':';
        }
    }

    /// A level glued to brackets around a number or a time: `INFO[0001] message`.
    pub(super) fn glued(&mut self, reference: i64) -> bool {
        let start = self.at;
        let word = &self.rest()[..level::length(self.rest(), false)];
        let found = level::named(word).filter(|_| word.len() > 3 && word.iter().all(u8::is_ascii_uppercase));
        let behind = &self.rest()[word.len()..];
        let (Some(found), Some(b'[')) = (found, behind.first()) else { return false };
        let digits = behind[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += word.len();
        if digits > 0 && behind[1 + digits..].starts_with(b"] ") {
            self.at += digits + 2;
        } else if !self.stamp(reference, true) {
            self.at = start;
            return false;
        }
        (self.level, self.level_at) = (Some(found), start..start + word.len());
        self.blanks();
        true
    }

    /// A level in capitals behind milliseconds since the start, a thread in brackets or both, in a line without a time.
    pub(super) fn level_behind_thread(&mut self) -> bool {
        let start = self.at;
        if self.peek(0).is_ascii_digit() && self.column().is_digits() {
            self.at += self.column().len();
            self.blanks();
        }
        let thread = closing(self.rest()).filter(|length| self.peek(0) == b'[' && *length > 2);
        self.at += thread.unwrap_or(0);
        let blanks = self.blanks();
        let word = &self.rest()[..level::length(self.rest(), false)];
        let is_level = word.len() > 3 && word.iter().all(u8::is_ascii_uppercase);
        let set_off = is_level || self.peek(0) == b'[';
        if thread.is_some() && blanks > 0 && set_off && self.level_here(false, false) {
            return true;
        }
        self.at = start;
        false
    }

    /// A level, with columns before it (process, thread, host, component) where they look like columns.
    pub(super) fn level_after_columns(&mut self) -> bool {
        let start = self.at;
        let (mut component, mut numbers, mut class) = (false, true, false);
        for i in 0..=BETWEEN {
            if self.level_here(i == 0, numbers && i > 0) {
                self.component = component;
                return true;
            }
            if matches!(self.peek(0), b'[' | b'(' | b'{') {
                let Some(end) = closing(self.rest()) else { break };
                self.at += end;
            } else {
                let column = self.column();
                let dashed = self.rest()[column.len()..].starts_with(b" - ");
                let before_level = (class || i == 0) && self.is_before_level(column.text);
                let fits = column.is_column() || dashed || column.is_pair() || before_level;
                let tag = column.text.ends_with(b":") && !before_level;
                if column.is_empty() || column.len() > COLUMN || !fits || tag {
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

    /// Whether this column is a name before a level: that of a method behind its class, or of a component behind the time, as in
    /// `billing ERROR: ` and `queries: info: `.
    fn is_before_level(&self, name: &[u8]) -> bool {
        let behind = self.rest()[name.len()..].trim_ascii_start();
        let word = &behind[..level::length(behind, false)];
        let tagged = name.ends_with(b":") || word.iter().all(u8::is_ascii_uppercase);
        behind.get(word.len()) == Some(&b':') && tagged && level::named(word).is_some()
    }

    /// A level at this place. `first`: right behind the time; `letter`: one letter will do.
    pub(super) fn level_here(&mut self, first: bool, letter: bool) -> bool {
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
        if let [b'(', letter, other, b')', b' ', ..] = rest
            && let Some(found) = level::doubled(*letter, *other)
        {
            (self.level, self.level_at) = (Some(found), self.at + 1..self.at + 3);
            self.at += 4;
            return true;
        }
        // The signs of Redis.
        if first && let [sign @ (b'*' | b'#' | b'.'), b' ', ..] = rest {
            self.level = level::signed(*sign);
            self.level_at = self.at..self.at + 1;
            self.at += 1;
            self.ended = true;
            return true;
        }
        if first && rest.first().is_some_and(|b| !b.is_ascii()) {
            return self.word_of_other_language();
        }
        let other = || if bracket { level::bracketed(word) } else { level::of_console(rest) };
        let Some(found) = level::named(word).or_else(other) else { return false };
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
        let process = if upper { process(after) } else { 0 };
        let after = &after[process..];
        let colon = after.first() == Some(&b':');
        // What Go says of a panic, no column.
        if colon && word == b"panic" {
            self.level = Some(found).filter(|_| first).or(self.level);
            return false;
        }
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
        self.ended = colon && process == 0 && !after.starts_with(b": [");
        self.at += length + process + usize::from(colon);
        true
    }

    /// A level in a name before a colon, as Monolog writes it behind its channel: `production.ERROR: `. It is no field of its own.
    pub(super) fn level_in_tag(&mut self) -> bool {
        let column = self.column();
        let found = column.text.strip_suffix(b":").and_then(level::beside);
        let is_one = found.is_some() && self.peek(column.len()) == b' ';
        if is_one {
            self.level = found;
            self.at += column.len();
        }
        is_one
    }

    /// A level in another script, between blanks.
    fn word_of_other_language(&mut self) -> bool {
        let text = self.column().text;
        let word = text.strip_suffix(b":").unwrap_or(text);
        let Some(found) = level::bracketed(word) else { return false };
        (self.level, self.level_at) = (Some(found), self.at..self.at + word.len());
        self.at += text.len();
        true
    }
}

/// Bytes of what is glued to a level: a process or thread by its number in brackets, and what else is in brackets behind it, as in
/// `NOTICE[1234][C-00000001]:`.
fn process(rest: &[u8]) -> usize {
    let number = rest.get(1..).unwrap_or_default().iter().take(COLUMN).take_while(|b| b.is_ascii_digit()).count();
    if number == 0 || rest[0] != b'[' || rest.get(1 + number) != Some(&b']') {
        return 0;
    }
    let mut length = number + 2;
    while rest[length..].first() == Some(&b'[')
        && let Some(more) = closing(&rest[length..])
    {
        length += more;
    }
    length
}

/// Bytes of the name of a logger at the front, before a colon.
fn logger(rest: &[u8]) -> Option<usize> {
    let is_part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let length = rest.iter().take(COLUMN).take_while(is_part).count();
    let is_name = rest.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    (is_name && rest.get(length) == Some(&b':')).then_some(length)
}

/// Whether what follows a letter says that the letter is a level: a bar, or a component in capitals, set off.
fn is_lettered(after: &[u8]) -> bool {
    if after.starts_with(b" | ") {
        return true;
    }
    let column = Column::of(after.trim_ascii_start());
    let behind = &after[after.len() - after.trim_ascii_start().len() + column.len()..];
    (column.is_dash() || (column.len() > 1 && column.is_upper()))
        && (behind.starts_with(b"  ") || behind.starts_with(b" ["))
}
