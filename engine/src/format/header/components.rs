//! What stands behind the level: threads, loggers, spans; hosts and programs as syslog has them.

use super::Header;
use crate::format::columns::{
    COLUMN, closing, connection, is_context, is_exception, is_process_and_thread, is_source, tag_end,
};

impl Header<'_> {
    /// Thread, logger and the like behind the level.
    pub(super) fn component(&mut self) {
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
                b'<' if self.process() => {}
                _ if self.span() => {}
                _ if self.component => return,
                _ => {
                    let column = self.column();
                    if is_exception(column.text) {
                        return;
                    }
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
                    let source = is_source(column.text) && after.starts_with(b" ");
                    let fits = tail || dotted || tagged || number || source;
                    if column.len() > COLUMN || after.trim_ascii().is_empty() || !fits {
                        return self.tight_component(column.text);
                    }
                    self.component = !number && (!source || tail);
                    self.at += column.len();
                    if number {
                        self.at += 4;
                    }
                    self.separator();
                    if is_process_and_thread(column.text)
                        && let Some(length) = connection(self.rest())
                    {
                        self.at += length;
                        self.blanks();
                    }
                }
            }
        }
    }

    /// `<0.1784.0>`, as Erlang names its processes.
    fn process(&mut self) -> bool {
        let rest = self.rest();
        let inner = rest[1..].iter().take(COLUMN).take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        let is_one = inner > 0 && rest[1 + inner..].starts_with(b"> ");
        if is_one {
            self.at += inner + 2;
            self.blanks();
        }
        is_one
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
    pub(super) fn tag(&mut self) -> bool {
        // Only where a month is named does syslog's order hold: host, process, message.
        let is_label = self.line.first() == Some(&b'@');
        let named_month = !is_label && self.line.iter().take(self.at).any(u8::is_ascii_alphabetic);
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
            let name = &self.rest()[..colon];
            let process = name.contains(&b'[');
            let has_name = name.iter().any(u8::is_ascii_alphabetic);
            if self.rest()[colon..].trim_ascii().len() < 2 || !has_name || !(named_month || process) {
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
    pub(super) fn program(&mut self) {
        let rest = self.rest();
        let near = &rest[..rest.len().min(42)];
        let Some(dash) = memchr::memmem::find(near, b" - ") else { return };
        let words = rest[..dash].split(|b| *b == b' ').count();
        if dash > 0 && words <= 2 && rest[..dash].iter().all(|b| !matches!(b, b':' | b',' | b'=')) {
            self.at += dash + 3;
        }
    }
}
