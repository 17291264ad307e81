//! `Skeleton`: the text that stands for an event of several lines: its first line, its exceptions, and the top frames of
//! each; what is left out is a slot. So it is masked and compared like the text of a single line, and the text of the whole
//! event, its lines joined by [`BREAK`](super::BREAK), matches the template that comes of it.
//!
//! Of frames the name is kept; what differs from run to run or with each change of the source is a slot: line numbers,
//! addresses, values, folders, the numbers of lambdas, proxies and threads.

use super::{BREAK, BYTES, LINES, grammar, is_blank};

/// Frames kept of the first exception.
const FRAMES: usize = 2;

/// Frames kept of each of the others.
const FRAMES_OF_CAUSE: usize = 1;

/// Exceptions kept, with their frames: the first and what caused it.
const LINKS: usize = 4;

/// Lines kept of a statement of SQL.
const CLAUSES: usize = 16;

/// Lines among which the exception is looked for that frames follow.
const NEAR: usize = 16;

/// A variable in a text, which `shape` takes as it is.
const SLOT: &[u8] = b"<*>";

/// Makes the text, reusing its buffer.
#[derive(Debug, Default)]
pub(crate) struct Skeleton {
    text: Vec<u8>,
    /// Whether something was left out since what was kept last.
    left_out: bool,
    /// Whether it has a trace.
    trace: bool,
    /// Exceptions that were kept.
    links: usize,
    /// Frames that may be kept.
    frames: usize,
    /// Whether it is a panic of Rust, whose frames have their names on one line and their places on the next.
    rust: bool,
}

/// What is said of an event of several lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Several<'s> {
    /// The text that stands for it.
    pub(crate) text: &'s [u8],
    /// Whether it has a trace: an exception or frames.
    pub(crate) trace: bool,
}

impl Skeleton {
    /// The text of an event: `message` is what `line`, its first one, says behind its header, `more` are the lines after it.
    pub(crate) fn of(&mut self, line: &[u8], message: &[u8], more: &[u8]) -> Several<'_> {
        self.text.clear();
        (self.left_out, self.links, self.frames) = (false, 0, FRAMES);
        self.rust = grammar::is_rust_panic(message);
        self.trace = self.rust;
        head(&mut self.text, message);
        if !self.statement(message, more) {
            // What a first line leaves to the next one.
            let said_next = message.is_empty() || grammar::is_dotnet_head(line) || self.rust && message.ends_with(b":");
            self.lines(more, said_next || is_place(message) && is_said(more) || is_unnamed(more));
        }
        if self.left_out {
            line_break(&mut self.text);
            self.text.extend_from_slice(SLOT);
        }
        Several { text: &self.text, trace: self.trace }
    }

    /// The lines of a statement of SQL, if that is what the event is about.
    fn statement(&mut self, message: &[u8], more: &[u8]) -> bool {
        let near = || lines(more).take(CLAUSES).map(|(text, _)| text);
        let begun = grammar::has_statement(message) || near().next().is_some_and(grammar::is_statement);
        let is_one = begun && near().any(grammar::is_clause) && !near().any(grammar::is_frame);
        for (at, (text, _)) in lines(more).enumerate().take_while(|_| is_one) {
            if at == CLAUSES {
                self.left_out = true;
                break;
            }
            self.part().extend_from_slice(text);
        }
        is_one
    }

    /// The lines after the first; the next one in any case if so told.
    fn lines(&mut self, more: &[u8], keeps_next: bool) {
        let mut python: Vec<(&[u8], bool)> = Vec::with_capacity(FRAMES + 1);
        let mut before = false;
        for (at, (text, indented)) in lines(more).enumerate() {
            if grammar::is_python_frame(text) {
                if python.len() == FRAMES {
                    python.remove(0);
                    python[0].1 = true;
                }
                python.push((text, std::mem::take(&mut before)));
            } else if !python.is_empty() {
                if indented || !grammar::is_named(text) {
                    before = true;
                } else if self.links < LINKS {
                    self.traceback(&python, before, text);
                    python.clear();
                    before = false;
                }
            } else if at == 0 && keeps_next {
                self.part().extend_from_slice(text);
            } else {
                self.line(text);
            }
        }
        self.left_out |= !python.is_empty();
    }

    /// The last frames of a traceback of Python and its exception; `after` tells that lines were left out between.
    fn traceback(&mut self, frames: &[(&[u8], bool)], after: bool, exception: &[u8]) {
        let passed = frames.len().saturating_sub(self.most_frames());
        self.left_out |= passed > 0;
        self.trace = true;
        self.links += 1;
        for (text, before) in &frames[passed..] {
            self.left_out |= before;
            python_frame(self.part(), text);
        }
        self.left_out |= after;
        self.part().extend_from_slice(exception);
    }

    fn line(&mut self, text: &[u8]) {
        if grammar::exception(text).is_some() {
            self.trace = true;
            if self.links < LINKS {
                self.frames = self.most_frames();
                self.links += 1;
                self.part().extend_from_slice(text);
                return;
            }
            self.frames = 0;
        } else if let Some(frame) = Frame::of(text) {
            self.trace = true;
            if self.frames > 0 && !frame.is_machinery() && !(self.rust && matches!(frame, Frame::At(_))) {
                self.frames -= 1;
                frame.write(self.part());
                return;
            }
        }
        self.left_out = true;
    }

    /// How many frames are kept of the exception that comes next.
    fn most_frames(&self) -> usize {
        if self.links == 0 && self.frames == FRAMES { FRAMES } else { FRAMES_OF_CAUSE }
    }

    /// Where the next part of the text is written.
    fn part(&mut self) -> &mut Vec<u8> {
        if std::mem::take(&mut self.left_out) {
            line_break(&mut self.text);
            self.text.extend_from_slice(SLOT);
        }
        line_break(&mut self.text);
        &mut self.text
    }
}

fn line_break(text: &mut Vec<u8>) {
    if !text.is_empty() {
        text.extend_from_slice(b" ");
        text.extend_from_slice(BREAK.as_bytes());
        text.extend_from_slice(b" ");
    }
}

/// The lines that are looked at, none of them blank, without indentation; whether they had some.
fn lines(more: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let lines = more[..more.len().min(BYTES)].split(|b| *b == b'\n').take(LINES);
    lines
        .map(|line| (line.trim_ascii(), line.first().is_some_and(|b| is_blank(*b))))
        .filter(|(text, _)| !text.is_empty())
}

/// Whether a message is nothing but a qualified name or a place, which says where it was written: `a.b.C:`, `../a/b.c:12(f)`.
fn is_place(message: &[u8]) -> bool {
    let is_ended = message.last().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b')' | b']'));
    is_ended && message.contains(&b'.') && !message.iter().any(|b| is_blank(*b))
}

/// Whether the first line is indented and no part of a trace.
fn is_said(more: &[u8]) -> bool {
    let is_one = |text| grammar::exception(text).is_none() && !grammar::is_frame(text) && Frame::of(text).is_none();
    lines(more).next().is_some_and(|(text, indented)| indented && is_one(text))
}

/// Whether the first line is what frames are about, though it has not the name of an exception.
fn is_unnamed(more: &[u8]) -> bool {
    for (at, (text, _)) in lines(more).take(NEAR).enumerate() {
        let is_announced = grammar::is_goroutine(text) || grammar::is_numbered_frame(text);
        if is_announced || grammar::exception(text).is_some() || grammar::is_python_frame(text) {
            return false;
        }
        if grammar::is_frame(text) {
            return at > 0 && lines(more).next().is_none_or(|(text, _)| Frame::of(text).is_none());
        }
    }
    false
}

/// What the first line says, without the names of threads and the folder of what panicked.
fn head(out: &mut Vec<u8>, message: &[u8]) {
    let quoted = |begin: &[u8], quote: u8| {
        let rest = message.strip_prefix(begin)?;
        memchr::memchr(quote, rest).map(|end| &rest[end..])
    };
    if let Some(rest) = quoted(b"Exception in thread \"", b'"') {
        out.extend_from_slice(b"Exception in thread \"<*>");
        out.extend_from_slice(rest);
    } else if let Some(rest) = quoted(b"thread '", b'\'').filter(|_| grammar::is_rust_panic(message)) {
        out.extend_from_slice(b"thread '<*>");
        let place = memchr::memmem::find(rest, b" panicked at ").map_or(0, |at| at + 13);
        out.extend_from_slice(&rest[..place]);
        file(out, &rest[place..]);
    } else if grammar::is_node_source(message) {
        file(out, message);
    } else {
        out.extend_from_slice(message);
    }
}

/// A place in a file, its folder a slot.
fn file(out: &mut Vec<u8>, place: &[u8]) {
    let end = place.iter().position(|b| *b == b' ').unwrap_or(place.len());
    path(out, &place[..end]);
    out.extend_from_slice(&place[end..]);
}

/// The path of a file, its folder a slot; that may have blanks in its name.
fn path(out: &mut Vec<u8>, path: &[u8]) {
    match path.iter().rposition(|b| matches!(b, b'/' | b'\\')) {
        Some(slash) => {
            out.extend_from_slice(SLOT);
            out.extend_from_slice(&path[slash..]);
        }
        None => out.extend_from_slice(path),
    }
}

/// `File "<*>/b.py", line <*>, in f`.
fn python_frame(out: &mut Vec<u8>, text: &[u8]) {
    let rest = text.strip_prefix(b"File \"").unwrap_or(text);
    let end = memchr::memmem::find(rest, b"\", line ").unwrap_or(rest.len());
    out.extend_from_slice(b"File \"");
    path(out, &rest[..end]);
    out.extend_from_slice(&rest[end..]);
}

/// A frame, by how it is written.
#[derive(Debug, Clone, Copy)]
enum Frame<'t> {
    /// `at a.b.C.d(E.java:1)` and its like, without `at `.
    At(&'t [u8]),
    /// `from a.rb:1:in 'f'`, with or without `from`.
    Ruby(&'t [u8]),
    /// `#0 /a/b.php(1): f()`.
    Numbered(&'t [u8]),
    /// `main.(*T).f(0x1)`: its name.
    Go(&'t [u8]),
    /// `12: a::b`: its name.
    Rust(&'t [u8]),
}

impl<'t> Frame<'t> {
    fn of(text: &'t [u8]) -> Option<Self> {
        let of_rust = || {
            let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
            let name = text[digits..].strip_prefix(b": ").filter(|_| digits > 0)?;
            (!name.contains(&b' ') || name.starts_with(b"<")).then_some(Self::Rust(name))
        };
        match text[0] {
            b'a' if grammar::is_frame(text) => Some(Self::At(&text[3..])),
            b'#' if grammar::is_numbered_frame(text) => Some(Self::Numbered(text)),
            b'0'..=b'9' => of_rust(),
            _ if grammar::is_ruby_frame(text.strip_prefix(b"from ").unwrap_or(text)) => Some(Self::Ruby(text)),
            _ if grammar::is_go_place(text) || text.starts_with(b"created by ") => None,
            _ if grammar::is_go_call(text) => grammar::go_name(text).map(Self::Go),
            _ => None,
        }
    }

    /// Whether it is of how a panic is made, not of where.
    fn is_machinery(self) -> bool {
        const RUST: [&[u8]; 10] = [
            b"std::",
            b"core::",
            b"alloc::",
            b"<core::",
            b"<alloc::",
            b"<std::",
            b"rust_",
            b"__",
            b"_start",
            b"<unknown",
        ];
        const GO: [&[u8]; 5] = [b"panic", b"runtime.", b"runtime/", b"testing.", b"net/http.(*conn).serve"];
        let starts = |begins: &[&[u8]], name: &[u8]| begins.iter().any(|begin| name.starts_with(begin));
        match self {
            Self::Rust(name) => starts(&RUST, name),
            Self::Go(name) => starts(&GO, name),
            Self::At(_) | Self::Ruby(_) | Self::Numbered(_) => false,
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::At(call) => {
                out.extend_from_slice(b"at ");
                at(out, call);
            }
            Self::Ruby(text) => {
                let place = text.strip_prefix(b"from ").unwrap_or(text);
                out.extend_from_slice(&text[..text.len() - place.len()]);
                file(out, place);
            }
            Self::Numbered(text) => match memchr::memmem::find(text, b"): ") {
                Some(end) => {
                    let call = &text[end + 3..];
                    let name = memchr::memchr(b'(', call).map_or(call.len(), |open| open + 1);
                    out.extend_from_slice(b"#<*>): ");
                    out.extend_from_slice(&call[..name]);
                    out.extend_from_slice(if name < call.len() { SLOT } else { b"" });
                    out.extend_from_slice(if name < call.len() && call.ends_with(b")") { b")" } else { b"" });
                }
                None => out.extend_from_slice(text),
            },
            Self::Go(called) => {
                name(out, called);
                out.extend_from_slice(b"(<*>)");
            }
            Self::Rust(called) => {
                out.extend_from_slice(b"<*>: ");
                match called.len().checked_sub(19).filter(|at| called[*at..].starts_with(b"::h")) {
                    Some(hash) => {
                        out.extend_from_slice(&called[..hash]);
                        out.extend_from_slice(SLOT);
                    }
                    None => out.extend_from_slice(called),
                }
            }
        }
    }
}

/// What stands behind `at `.
fn at(out: &mut Vec<u8>, call: &[u8]) {
    let Some(open) = memchr::memchr(b'(', call) else {
        // What no function encloses has the name of its script only.
        let place = call.strip_suffix(b" {").unwrap_or(call);
        let numbers = place.iter().rev().take_while(|b| b.is_ascii_digit() || **b == b':').count();
        path(out, &place[..place.len() - numbers]);
        out.push(b':');
        out.extend_from_slice(SLOT);
        return;
    };
    let close = memchr::memrchr(b')', call).filter(|close| *close > open).unwrap_or(call.len());
    let inner = &call[open + 1..close];
    name(out, &call[..open]);
    out.push(b'(');
    let digits = inner.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let colon = inner.len() - digits;
    if call[..open].ends_with(b" ") || inner.contains(&b'/') {
        out.extend_from_slice(SLOT);
    } else if digits > 0 && colon > 0 && inner[colon - 1] == b':' {
        name(out, &inner[..colon]);
        out.extend_from_slice(SLOT);
    } else {
        out.extend_from_slice(inner);
    }
    out.push(b')');
    if close + 1 < call.len() {
        out.extend_from_slice(SLOT);
    }
}

/// A name, with slots for the numbers that a compiler or a run gave to parts of it, and for the loader before `//`.
fn name(out: &mut Vec<u8>, name: &[u8]) {
    let mut at = match memchr::memmem::rfind(name, b"//") {
        Some(slashes) => {
            out.extend_from_slice(SLOT);
            slashes
        }
        None => 0,
    };
    while at < name.len() {
        let rest = &name[at..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let hex = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let before = at.checked_sub(1).map_or(b' ', |before| name[before]);
        let ends = |length: usize| rest.get(length).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
        let hashed =
            matches!(before, b'$' | b'/') && hex >= 4 && ends(hex) && rest[..hex].iter().any(u8::is_ascii_digit);
        let addressed = rest.starts_with(b"0x") && before == b'/';
        let numbered = digits > 0 && ends(digits) && (digits > 1 || matches!(before, b'$' | b'_'));
        let length = match () {
            () if addressed => 2 + rest[2..].iter().take_while(|b| b.is_ascii_hexdigit()).count(),
            () if hashed => hex,
            () if numbered && !before.is_ascii_digit() => digits,
            () => 0,
        };
        if length > 0 {
            out.extend_from_slice(SLOT);
            at += length;
        } else {
            out.push(name[at]);
            at += 1;
        }
    }
}
