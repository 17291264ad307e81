//! `Joiner`: whether a line goes on with the event before it. Goes through the lines in their order; what it remembers is of
//! the event that is open only.

use super::{grammar, has_time, is_blank, line_at};
use crate::{aside::Aside, format, record::Level};

/// Lines that are looked at ahead for what an exception or a panic is followed by.
const AHEAD: usize = 16;

/// Blanks in front of what .NET writes behind the head on its console.
const CONSOLE: &[u8] = b"      ";

/// Tells the lines that begin an event from those that go on with one.
#[derive(Debug)]
pub(crate) struct Joiner<'c> {
    /// Whether the lines of the input begin with times.
    timed: bool,
    /// The first line of the open event; empty if none is open.
    head: &'c [u8],
    /// What that says behind its header, until it was looked at.
    message: Option<&'c [u8]>,
    trace: Trace,
    /// Whether frames are to follow: an exception came last.
    awaits: bool,
    /// Whether blank lines came last.
    gap: bool,
    /// Whether a bracket was opened.
    bracket: bool,
}

/// What of a trace the open event has so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    None,
    /// Frames, or what announces them.
    Frames,
    /// A traceback of Python, before its exception.
    Python,
    /// After it.
    Ended,
    /// After the sentence that joins it to the next one.
    Chained,
    Go,
    /// A panic of Rust whose message is to follow.
    Panic,
    /// After it.
    Backtrace,
    /// The line of a script that Node shows.
    Source,
    /// The head that .NET writes on its console, and its message.
    Console,
}

impl<'c> Joiner<'c> {
    /// For the lines of an input that is timed, as [`super::is_timed`] says, or not.
    pub(crate) fn new(timed: bool) -> Self {
        let (head, message, trace) = (&[][..], None, Trace::None);
        Self { timed, head, message, trace, awaits: false, gap: false, bracket: false }
    }

    /// A line came that is set aside. Blank ones may stand in an event, others end it.
    pub(crate) fn set_aside(&mut self, aside: Aside) {
        self.gap = true;
        if aside != Aside::Blank {
            self.head = &[];
        }
    }

    /// The line begins an event; `message` is what it says behind its header.
    #[inline]
    pub(crate) fn begin(&mut self, line: &'c [u8], message: &[u8]) {
        // The message of a line of fields may be written elsewhere: that announces nothing.
        let start = (message.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
        let message = line.get(start..).and_then(|rest| rest.get(..message.len()));
        (self.head, self.message, self.trace) = (line, message, Trace::None);
        (self.awaits, self.gap, self.bracket) = (false, false, false);
    }

    /// Whether the line, which is not blank, is a frame of a trace, which goes on with what is open whatever that is.
    #[inline]
    pub(crate) fn is_frame(&mut self, line: &[u8]) -> bool {
        if !line.first().is_some_and(|b| is_blank(*b)) || self.head.is_empty() || self.gap && !self.timed {
            return false;
        }
        self.frame(line.trim_ascii_start())
    }

    /// Whether the line, which is neither blank nor a frame, goes on with the event that is open. `rest` is what follows
    /// it, `has_time` whether it has a time of its own.
    #[inline]
    pub(crate) fn continues(&mut self, line: &[u8], rest: &[u8], has_time: bool) -> bool {
        if has_time || self.head.is_empty() || line.is_empty() {
            return false;
        }
        if is_blank(line[0]) {
            return self.indented(line);
        }
        self.look_at_head();
        // Where times tell nothing, hardly a line goes on with one that is no part of a trace.
        let plain = self.trace == Trace::None && !self.awaits;
        if !self.timed && plain && line[0] != b'T' && !rest.first().is_some_and(|b| is_blank(*b)) {
            return false;
        }
        let goes_on = self.unindented(line, rest);
        self.gap &= !goes_on;
        goes_on
    }

    /// What the first line announces.
    #[inline]
    fn look_at_head(&mut self) {
        if let Some(message) = self.message.take().filter(|message| !message.is_empty()) {
            (self.trace, self.awaits) = announced(self.head, message);
            self.bracket = opens(message);
        }
    }

    fn indented(&mut self, line: &[u8]) -> bool {
        let text = line.trim_ascii_start();
        self.look_at_head();
        let goes_on = match self.trace {
            _ if self.timed => true,
            _ if self.gap => false,
            Trace::Console => line.starts_with(CONSOLE),
            Trace::None | Trace::Ended => self.awaits && grammar::exception(text).is_some(),
            _ => true,
        };
        if goes_on {
            self.gap = false;
            self.awaits |= grammar::exception(text).is_some();
            self.bracket |= opens(text);
        }
        goes_on
    }

    fn frame(&mut self, text: &[u8]) -> bool {
        if !grammar::is_frame(text) {
            return false;
        }
        self.look_at_head();
        (self.awaits, self.gap) = (false, false);
        self.trace = match (self.trace, text[0]) {
            (Trace::Backtrace | Trace::Panic, _) => Trace::Backtrace,
            (_, b'F') if grammar::is_python_frame(text) => Trace::Python,
            (_, b'a' | b'.' | b'f') => Trace::Frames,
            _ => Trace::Go,
        };
        true
    }

    fn unindented(&mut self, line: &[u8], rest: &[u8]) -> bool {
        if self.is_anothers(line) {
            return false;
        }
        if let Some(next) = self.asked_for(line, rest) {
            (self.trace, self.awaits) = next;
            return true;
        }
        if self.begins_trace(line, rest) {
            return true;
        }
        let drawn = self.timed && !self.gap && (grammar::is_row(line) || self.is_statement(line));
        let opened = self.timed && matches!(line, [b'{' | b'[' | b'(']);
        self.bracket |= opened;
        drawn || opened || (self.bracket || self.trace == Trace::Frames) && matches!(line[0], b'}' | b']' | b')')
    }

    /// Whether another trace begins here, of which that which is open says nothing: the messages of panics, and what Node shows
    /// of a script, may read in any way.
    fn is_anothers(&self, line: &[u8]) -> bool {
        match self.trace {
            Trace::Panic | Trace::Source | Trace::None | Trace::Chained => false,
            Trace::Frames => is_crash(line),
            _ => is_crash(line) || line.starts_with(grammar::TRACEBACK),
        }
    }

    /// What comes after a line that the trace asks for at this place.
    fn asked_for(&self, line: &[u8], rest: &[u8]) -> Option<(Trace, bool)> {
        let starts = |begins: &[&[u8]]| begins.iter().any(|begin| line.starts_with(begin));
        let cause = starts(&[b"Caused by:", b"Suppressed:", b"Wrapped by:", b"--- End of "]);
        let next = match self.trace {
            Trace::Python if !self.gap && grammar::is_named(line) => (Trace::Ended, false),
            Trace::Ended if grammar::is_chain(line) => (Trace::Chained, false),
            Trace::Ended if !self.gap && is_ahead(rest, grammar::is_chain) => (Trace::Ended, false),
            Trace::Ended if self.timed && !self.gap && matches!(line[0], b'a'..=b'z' | b'[' | b'(') => {
                (Trace::Ended, false)
            }
            Trace::Chained if line.starts_with(grammar::TRACEBACK) => (Trace::Python, false),
            Trace::Go if is_of_go(line) || grammar::is_go_place(line_at(rest, 0).trim_ascii()) => (Trace::Go, false),
            Trace::Panic if !self.gap => (Trace::Backtrace, false),
            Trace::Backtrace if is_note(line) => (Trace::Backtrace, false),
            Trace::Backtrace if !self.gap && is_ahead(rest, is_note) => (Trace::Backtrace, false),
            Trace::Source if !self.gap && (is_carets(line) || is_carets(line_at(rest, 0))) => (Trace::Source, false),
            Trace::Source if grammar::exception(line).is_some() || is_frame_ahead(rest, self.timed) => {
                (Trace::Frames, true)
            }
            Trace::Frames if starts(&[b"Node.js v", b"Next "]) || grammar::is_elision(line) => (Trace::Frames, false),
            _ if cause && (self.timed || self.awaits || self.trace != Trace::None) => (Trace::Frames, true),
            _ => return None,
        };
        Some(next)
    }

    /// Whether a trace begins here that belongs to what was said before: the exception that a message is about.
    fn begins_trace(&mut self, line: &[u8], rest: &[u8]) -> bool {
        if self.gap || !matches!(self.trace, Trace::None | Trace::Frames) || is_crash(line) {
            return false;
        }
        let stack = matches!(line, b"Stack trace:" | b"[stacktrace]" | b"PHP Stack trace:");
        let listed = stack || grammar::is_numbered_frame(line) || grammar::is_ruby_frame(line);
        if listed && (self.timed || self.awaits || self.trace == Trace::Frames) {
            (self.trace, self.awaits) = (Trace::Frames, false);
            return true;
        }
        if self.trace == Trace::Frames && !self.awaits {
            return false;
        }
        let logged = self.timed || self.awaits || is_error(self.head);
        if logged && line.starts_with(grammar::TRACEBACK) {
            self.trace = Trace::Python;
            return true;
        }
        let qualified = || grammar::exception(line).is_some_and(|(_, name)| name.contains(&b'.'));
        let begins = logged && (self.timed && qualified() || is_frame_ahead(rest, self.timed));
        self.awaits |= begins;
        begins
    }

    fn is_statement(&self, line: &[u8]) -> bool {
        grammar::is_clause(line) && grammar::has_statement(self.head)
    }
}

/// What the first line of an event announces: a trace, and whether frames are to follow.
fn announced(line: &[u8], message: &[u8]) -> (Trace, bool) {
    let trace = match message[0] {
        // What tells the level is taken for a header.
        _ if line.starts_with(b"panic: ") => Trace::Go,
        _ if grammar::is_dotnet_head(line) => Trace::Console,
        b't' if grammar::is_rust_panic(message) && message.ends_with(b":") => Trace::Panic,
        b't' if grammar::is_rust_panic(message) => Trace::Backtrace,
        b'p' if message.starts_with(b"panic: ") => Trace::Go,
        b'f' if message.starts_with(b"fatal error: ") => Trace::Go,
        b'g' if grammar::is_goroutine(message) => Trace::Go,
        b'h' if message.starts_with(b"http: panic serving ") => Trace::Go,
        b'F' if grammar::is_python_frame(message) => Trace::Python,
        b'+' if message.starts_with(b"+ Exception Group Traceback") => Trace::Frames,
        _ if message.ends_with(grammar::TRACEBACK) => Trace::Python,
        _ if grammar::is_node_source(message) => Trace::Source,
        _ => Trace::None,
    };
    let awaits = trace == Trace::None
        && (grammar::exception(message).is_some()
            || grammar::ends_with_exception(message)
            || matches!(message[0], b'P' | b'F') && memchr::memmem::find(message, b"rror:  Uncaught ").is_some());
    (trace, awaits)
}

/// Whether a line that has no time may be of the inside of an event wherever it stands, so that it says nothing about its
/// input.
pub(super) fn is_inner(line: &[u8]) -> bool {
    matches!(line[0], b'}' | b']' | b')' | b'{' | b'#')
        || line.starts_with(grammar::TRACEBACK)
        || grammar::exception(line).is_some()
        || grammar::is_chain(line)
        || grammar::is_row(line)
        || grammar::is_clause(line)
        || grammar::is_frame(line)
        || is_of_go(line)
        || is_note(line)
}

/// Whether a program that is about to end says so: that is about no line before it.
fn is_crash(line: &[u8]) -> bool {
    const CRASHES: [&[u8]; 6] =
        [b"Exception in thread ", b"Unhandled exception", b"Uncaught ", b"panic: ", b"fatal error: ", b"PHP Fatal "];
    CRASHES.iter().any(|begin| line.starts_with(begin))
        || grammar::is_rust_panic(line)
        || grammar::is_node_source(line)
        || grammar::is_ruby_crash(line)
}

fn is_of_go(line: &[u8]) -> bool {
    let starts = |begins: &[&[u8]]| begins.iter().any(|begin| line.starts_with(begin));
    grammar::is_goroutine(line)
        || grammar::is_go_call(line)
        || starts(&[b"[signal ", b"exit status ", b"runtime stack:", b"...additional frames elided"])
}

fn is_note(line: &[u8]) -> bool {
    [&b"note: "[..], b"stack backtrace:", b"Stack backtrace:"].iter().any(|begin| line.starts_with(begin))
}

fn is_carets(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    !text.is_empty() && text.iter().all(|b| matches!(b, b'^' | b'~'))
}

fn is_error(head: &[u8]) -> bool {
    format::read(head, super::SOME_DAY).level.is_some_and(|level| level >= Level::Error)
}

/// Whether the line ends with a bracket that is closed on a later one.
fn opens(text: &[u8]) -> bool {
    matches!(text.last(), Some(b'{' | b'[' | b'('))
}

/// Whether a frame follows before anything that begins an event.
fn is_frame_ahead(rest: &[u8], timed: bool) -> bool {
    for line in lines(rest).take(AHEAD) {
        let text = line.trim_ascii_start();
        if text.is_empty() {
            return false;
        }
        if is_blank(line[0]) && grammar::is_frame(text) {
            return true;
        }
        let other = || grammar::exception(line).is_some() || is_crash(line);
        if !is_blank(line[0]) && other() || (timed || !is_blank(line[0])) && has_time(line) {
            return false;
        }
    }
    false
}

/// Whether such a line comes soon.
fn is_ahead(rest: &[u8], is_one: impl Fn(&[u8]) -> bool) -> bool {
    let begins = |line: &[u8]| line.starts_with(grammar::TRACEBACK) || grammar::is_rust_panic(line) || has_time(line);
    lines(rest).take(AHEAD).take_while(|line| !begins(line)).any(is_one)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let line = text.get(at..).filter(|rest| !rest.is_empty()).map(|_| line_at(text, at))?;
        at = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |feed| at + feed + 1);
        Some(line)
    })
}
