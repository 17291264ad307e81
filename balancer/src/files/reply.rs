//! What a request gets of a file: its status, the fields that tell about it, and which bytes. Pure.

use std::{fmt::Write, ops::Range, time::SystemTime};

use super::{
    conditions::{Conditions, Outcome, Validators},
    ranges::{self, Parts},
};

/// What is known of a file.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Its length.
    pub length: u64,
    /// By what it is known as the same.
    pub validators: &'a Validators,
    /// Its type.
    pub kind: &'a str,
    /// The coding that it lies there in.
    pub coding: Option<&'static str>,
    /// Whether it may lie there in several.
    pub varies: bool,
    /// For how long it may be kept.
    pub cache_control: Option<&'a str>,
    /// Whether it can be had in parts.
    pub has_parts: bool,
}

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Text(Vec<u8>),
    /// These of the file.
    Part(Range<u64>),
}

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status, with its words.
    pub status: (u16, &'static str),
    /// Lines of the head, but for those about the connection and the end of the body.
    pub lines: String,
    /// How long the body is, which a HEAD tells without one; that of a 304 is not told.
    pub length: Option<u64>,
    /// The body.
    pub pieces: Vec<Piece>,
}

impl Reply {
    /// Without a body, and with these lines.
    #[must_use]
    pub fn bare(status: u16, words: &'static str, lines: String) -> Self {
        Self { status: (status, words), lines, length: Some(0), pieces: Vec::new() }
    }

    /// What a GET or HEAD gets of a file that is there. `now`: by which it is old or new; `boundary`: what stands between
    /// parts and in none of them.
    #[must_use]
    pub fn of(about: About<'_>, conditions: &Conditions<'_>, is_head: bool, now: SystemTime, boundary: &str) -> Self {
        match conditions.check(about.validators) {
            Outcome::Failed => return Self::bare(412, "Precondition Failed", String::new()),
            Outcome::NotModified => {
                return Self { length: None, ..Self::bare(304, "Not Modified", about.lines(true)) };
            }
            Outcome::Go => {}
        }
        // Parts are for GET only (RFC 9110, 14.2).
        let range = conditions.range(about.validators, now).filter(|_| about.has_parts && !is_head);
        match range.map_or(Parts::Whole, |range| ranges::read(range, about.length)) {
            Parts::Whole => about.whole(),
            Parts::None => {
                let lines = format!("Content-Range: bytes */{}\r\nAccept-Ranges: bytes\r\n", about.length);
                Self::bare(416, "Range Not Satisfiable", lines)
            }
            Parts::Some(parts) => match parts.as_slice() {
                [part] => about.part(part),
                parts => about.parts(parts, boundary),
            },
        }
    }
}

impl About<'_> {
    /// What holds of all of it and of each part; for who has it already, not what it is.
    fn lines(&self, is_known: bool) -> String {
        let mut lines = String::new();
        let modified = httpdate::fmt_http_date(self.validators.modified);
        let mut add = |name: &str, value: &str| lines.extend([name, ": ", value, "\r\n"]);
        add("Last-Modified", &modified);
        add("ETag", &self.validators.tag);
        if let Some(value) = self.cache_control {
            add("Cache-Control", value);
        }
        if self.varies {
            add("Vary", "Accept-Encoding");
        }
        if !is_known {
            add("Accept-Ranges", "bytes");
            if let Some(coding) = self.coding {
                add("Content-Encoding", coding);
            }
        }
        lines
    }

    fn whole(&self) -> Reply {
        let lines = format!("Content-Type: {}\r\n{}", self.kind, self.lines(false));
        let pieces = vec![Piece::Part(0..self.length)];
        Reply { status: (200, "OK"), lines, length: Some(self.length), pieces }
    }

    fn part(&self, part: &Range<u64>) -> Reply {
        let lines = format!("Content-Type: {}\r\n{}{}", self.kind, self.lines(false), self.place(part));
        let (length, pieces) = (Some(part.end - part.start), vec![Piece::Part(part.clone())]);
        Reply { status: (206, "Partial Content"), lines, length, pieces }
    }

    /// Several, each with a head of its own (RFC 9110, 14.6).
    fn parts(&self, parts: &[Range<u64>], boundary: &str) -> Reply {
        let (mut pieces, mut length) = (Vec::new(), 0);
        let mut text = String::new();
        for part in parts {
            // A String takes everything.
            let _ = write!(text, "--{boundary}\r\nContent-Type: {}\r\n{}\r\n", self.kind, self.place(part));
            length += text.len() as u64 + part.end - part.start;
            pieces.extend([Piece::Text(std::mem::take(&mut text).into_bytes()), Piece::Part(part.clone())]);
            text.push_str("\r\n");
        }
        let _ = write!(text, "--{boundary}--\r\n");
        length += text.len() as u64;
        pieces.push(Piece::Text(text.into_bytes()));
        let lines = format!("Content-Type: multipart/byteranges; boundary={boundary}\r\n{}", self.lines(false));
        Reply { status: (206, "Partial Content"), lines, length: Some(length), pieces }
    }

    fn place(&self, part: &Range<u64>) -> String {
        format!("Content-Range: bytes {}-{}/{}\r\n", part.start, part.end - 1, self.length)
    }
}
