//! `Joiner`: whether a line goes on with the event before it. Goes through the lines in their order; what it remembers is of
//! the event that is open only.

use std::cell::Cell;

use super::{
    BYTES, grammar, is_blank, lines,
    names::Names,
    onset,
    source::{self, Content, Piece},
};
use crate::{
    aside::Aside,
    record::{Level, Onset, Record},
};

/// Lines that are looked at ahead for what an exception or a panic is followed by, in no more than [`BYTES`].
pub(super) const AHEAD: usize = 16;

/// Blanks in front of what .NET writes behind the head on its console.
const CONSOLE: &[u8] = b"      ";

/// Bytes that a header has more at least where it has a second time.
const SECOND_TIME: usize = 16;

/// Tells the lines that begin an event from those that go on with one.
#[derive(Debug)]
pub(crate) struct Joiner<'c> {
    /// What the lines of the input begin with that begin an event; nothing, where that does not tell them.
    onset: Onset,
    /// The names before them, which those that are looked at come without, but not those that follow.
    names: Names,
    /// The first line of the open event; empty if none is open.
    head: &'c [u8],
    /// What that says behind its header, until it was looked at.
    message: Option<&'c [u8]>,
    /// Where that begins.
    start: usize,
    /// Where the header ends that the lines of its source have, if there was one.
    header_end: usize,
    /// Whether it is an error.
    is_error: bool,
    /// Whether it has a time and no level, which may stand on the next line.
    is_half: bool,
    /// Whether what it says was cut, and its end has not come.
    is_piece: bool,
    /// Whether it has a second time, behind the header that the lines of its source have, if that was looked at.
    is_timed_within: Option<bool>,
    /// Whether the line that is looked at has a header too, which is not to be seen.
    behind: bool,
    trace: Trace,
    /// Whether frames are to follow: an exception came last.
    awaits: bool,
    /// Whether blank lines came last.
    gap: bool,
    /// Whether that was one, behind the first line of the event.
    is_gap_behind_head: bool,
    /// Whether a bracket was opened.
    bracket: bool,
    /// From where on an indented line was looked for, and where the first one begins, both in bytes before the end of all that
    /// follows; 0 if there is none.
    indented: Cell<(usize, usize)>,
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
    /// An object of JSON that is not closed.
    Object,
}

impl<'c> Joiner<'c> {
    /// For the lines of an input, see [`Lead`](super::Lead).
    pub(crate) fn new(onset: Onset, names: Names) -> Self {
        Self {
            onset,
            names,
            head: &[],
            message: None,
            start: 0,
            header_end: 0,
            is_error: false,
            is_half: false,
            is_piece: false,
            is_timed_within: None,
            behind: false,
            trace: Trace::None,
            awaits: false,
            gap: false,
            is_gap_behind_head: false,
            bracket: false,
            // Looked for nowhere yet.
            indented: Cell::new((0, usize::MAX)),
        }
    }

    /// A line came that is set aside. Blank ones may stand in an event, others end it.
    pub(crate) fn set_aside(&mut self, aside: Aside) {
        self.is_gap_behind_head = !self.gap && self.message.is_some();
        self.gap = true;
        if aside != Aside::Blank {
            self.end();
        }
    }

    /// What comes next goes on with nothing.
    pub(crate) fn end(&mut self) {
        self.head = &[];
    }

    /// The line begins an event; `said` is what it says.
    #[inline]
    pub(crate) fn begin(&mut self, line: &'c [u8], said: Record<'_>) {
        let Record { time, level, message, .. } = said;
        // The message of a line of fields may be written elsewhere: that announces nothing.
        let start = source::start(line, message);
        (self.start, self.header_end) = (start.unwrap_or(0), 0);
        (self.head, self.trace) = (line, Trace::None);
        self.message = start.map(|start| &line[start..start + message.len()]);
        self.is_error = level.is_some_and(|level| level >= Level::Error);
        self.is_half = time.is_some() && level.is_none();
        self.is_piece = Piece::goes_on(line);
        (self.is_timed_within, self.awaits, self.gap, self.bracket) = (None, false, false, false);
        if message == b"{" && line.trim_ascii() == b"{" {
            (self.trace, self.message) = (Trace::Object, None);
        }
    }

    /// Whether the line, the second one of the event, has the level and the message of it, as `java.util.logging` writes them:
    /// the first one has the time, a class and its method. It is looked at as the first one from now on.
    #[inline]
    pub(crate) fn completes(&mut self, line: &'c [u8], said: Record<'_>) -> bool {
        let may = self.is_half && said.level.is_some() && said.time.is_none();
        may && self.has_half_in(line, said)
    }

    #[cold]
    fn has_half_in(&mut self, line: &'c [u8], said: Record<'_>) -> bool {
        let Some(start) = source::start(line, said.message) else { return false };
        let header = line[..start].trim_ascii_end();
        let is_level = header.strip_suffix(b":").is_some_and(|word| !word.iter().any(|b| is_blank(*b)));
        let is_half = is_level && !self.gap && self.message.is_some() && !self.head.is_empty();
        let completes = is_half && grammar::class_at_end(self.head).is_some_and(|class| class <= self.start);
        if completes {
            self.begin(line, said);
            // It writes exceptions behind messages of any level; of what is less than a warning they are rarely.
            self.is_error = said.level.is_some_and(|level| level >= Level::Warn);
        }
        completes
    }

    /// Whether the line, which is not blank, is a frame of a trace, which goes on with what is open whatever that is.
    #[inline]
    pub(crate) fn is_frame(&mut self, line: &[u8]) -> bool {
        if !line.first().is_some_and(|b| is_blank(*b)) || self.head.is_empty() || self.gap && !self.is_led() {
            return false;
        }
        self.frame(line.trim_ascii_start())
    }

    /// Whether the line, which has a header and says `message` behind it, goes on with the event that is open all the same: the
    /// first line of that has the header too, and what is said is of the inside of a trace.
    #[inline]
    pub(crate) fn continues_behind(&mut self, line: &[u8], message: &[u8], rest: &[u8]) -> bool {
        let start = source::start(line, message).unwrap_or(0);
        if self.head.is_empty() {
            return false;
        }
        if self.is_piece {
            return self.piece_goes_on(line);
        }
        start > 0 && self.may_go_on(message, start) && self.goes_on_behind(line, start, rest)
    }

    /// Whether the line is the next piece of what the first one is a piece of.
    #[cold]
    fn piece_goes_on(&mut self, line: &[u8]) -> bool {
        let (Some(first), Some(piece)) = (Piece::of(self.head), Piece::of(line)) else { return false };
        let goes_on = first.stream == piece.stream;
        self.is_piece = !(goes_on && piece.is_last);
        goes_on
    }

    /// Whether a line may begin an event, by what it begins with.
    pub(super) fn may_begin(&self, line: &[u8], onset: Onset) -> bool {
        !self.is_led() || self.is_headed(line, onset)
    }

    /// Whether the lines of the input that begin an event are told by what they begin with.
    #[inline]
    fn is_led(&self) -> bool {
        self.onset > Onset::Bare
    }

    /// Whether a line begins as one that begins an event.
    #[inline]
    fn is_headed(&self, line: &[u8], onset: Onset) -> bool {
        let least = if self.is_led() { self.onset } else { Onset::Clock };
        onset >= least && (onset > Onset::Level || !self.is_level_of_trace(line))
    }

    /// Whether what reads like a level at the front of a line is of the inside of a trace.
    #[cold]
    fn is_level_of_trace(&self, line: &[u8]) -> bool {
        // Names of exceptions may be in small letters.
        let is_asked_for = || self.trace == Trace::Python && grammar::is_named(line) && !line[0].is_ascii_uppercase();
        onset_outside_traces(line, Onset::Level) == Onset::Bare || is_asked_for()
    }

    /// Whether the line begins an event behind one that has begun, and that one is none which may be of the inside of another.
    pub(super) fn is_apart(&self, line: &[u8], message: &[u8]) -> bool {
        let start = source::start(line, message).unwrap_or(0);
        let is_indented = || Content::behind(self.head, line, start).is_some_and(|(content, _)| content.indented);
        let is_outer = |message: &[u8]| !grammar::may_be_inner(message) && !is_inner(message);
        let are_outer = is_outer(message) && self.message.is_some_and(is_outer) && !is_indented();
        !self.is_piece && are_outer && !self.may_go_on(message, start)
    }

    /// Whether a message may be of the inside of the open event, as far as is seen at a glance.
    #[inline]
    fn may_go_on(&self, message: &[u8], start: usize) -> bool {
        self.trace != Trace::None
            || self.awaits
            || start + SECOND_TIME <= self.start
            || grammar::may_be_inner(message)
            || self.message.is_some_and(grammar::asks_for_anything)
            || self.is_error && grammar::exception(message).is_some()
    }

    /// Whether what a line says behind its header goes on with what the first line says behind the same header.
    #[cold]
    fn goes_on_behind(&mut self, line: &[u8], start: usize, rest: &[u8]) -> bool {
        let Some((content, end)) = Content::behind(self.head, line, start) else { return false };
        let has_time = |text: &[u8]| onset(text) == Onset::Time;
        let is_timed = *self.is_timed_within.get_or_insert_with(|| has_time(self.head[end..].trim_ascii_start()));
        self.header_end = end;
        if is_timed && has_time(content.text) {
            return false;
        }
        let within = if is_timed { Onset::Time } else { Onset::Bare };
        let onset = std::mem::replace(&mut self.onset, within);
        self.behind = true;
        let goes_on = self.content_goes_on(content, rest);
        (self.onset, self.behind) = (onset, false);
        goes_on
    }

    fn content_goes_on(&mut self, content: Content<'_>, rest: &[u8]) -> bool {
        let Content { text, indented, .. } = content;
        let Some(first) = text.first() else {
            self.look_at_head();
            self.gap = self.trace != Trace::None || self.awaits && grammar::is_ruby_frame(self.next(rest));
            return self.gap;
        };
        let is_framed = indented || matches!(first, b'a' | b'.' | b'F' | b'f' | b'#');
        if is_framed && (self.is_led() || !self.gap) && self.frame(text) {
            return true;
        }
        if indented {
            return self.indented(content);
        }
        self.look_at_head();
        let is_plain = self.trace == Trace::None && !self.awaits;
        if !self.is_led() && is_plain && *first != b'T' && !self.is_indented_next(rest) {
            return false;
        }
        let goes_on = self.unindented(text, rest);
        self.gap &= !goes_on;
        goes_on
    }

    /// The lines that follow; where the header of the one that is looked at is not to be seen, as far as they have it too.
    fn ahead<'r>(&self, rest: &'r [u8]) -> impl Iterator<Item = Content<'r>> + use<'r, 'c> {
        let (head, behind, names) = (self.head, self.behind, self.names);
        let lines = lines(&rest[..rest.len().min(BYTES)]).map(move |line| names.split(line).1);
        lines.map_while(move |line| if behind { Content::alone(head, line) } else { Some(Content::bare(line)) })
    }

    /// Whether the line, which is neither blank nor a frame, goes on with the event that is open. `rest` is what follows
    /// it, `onset` what it begins with.
    #[inline]
    pub(crate) fn continues(&mut self, line: &[u8], rest: &[u8], onset: Onset) -> bool {
        if self.trace == Trace::Object {
            return self.object_goes_on(line);
        }
        if self.is_headed(line, onset) || self.head.is_empty() || line.is_empty() {
            return false;
        }
        if is_blank(line[0]) {
            return self.indented(Content::bare(line));
        }
        self.look_at_head();
        // Where headers tell nothing, hardly a line goes on with one that is no part of a trace.
        let plain = self.trace == Trace::None && !self.awaits;
        if !self.is_led() && plain && line[0] != b'T' && !self.is_indented_next(rest) {
            return false;
        }
        let goes_on = self.unindented(line, rest);
        self.gap &= !goes_on;
        goes_on
    }

    /// Whether the line is of an object of JSON, whose first line is nothing but its bracket.
    fn object_goes_on(&mut self, line: &[u8]) -> bool {
        let text = line.trim_ascii_start();
        let depth = line.len() - text.len();
        let closes = depth == self.start && matches!(text.trim_ascii_end(), b"}" | b"},");
        let goes_on = !self.gap && !self.head.is_empty() && (depth > self.start || closes);
        if closes || !goes_on {
            self.end();
            self.trace = Trace::None;
        }
        goes_on
    }

    /// What the first line announces.
    #[inline]
    fn look_at_head(&mut self) {
        if let Some(message) = self.message.take().filter(|message| !message.is_empty()) {
            let line = self.head[self.header_end..].trim_ascii_start();
            (self.trace, self.awaits) = announced(line, &self.head[..self.start], message);
            self.bracket = opens(message);
        }
    }

    fn indented(&mut self, Content { text, line, .. }: Content<'_>) -> bool {
        self.look_at_head();
        let goes_on = match self.trace {
            // A level that is set to the right has blanks before it.
            Trace::None | Trace::Ended if self.is_led() && self.onset < Onset::Time => {
                !self.is_headed(text, onset(text))
            }
            _ if self.is_led() => true,
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
            (_, b'a' | b'.' | b'f' | b'#') => Trace::Frames,
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
        let drawn = self.is_led() && !self.gap && (grammar::is_row(line) || self.is_statement(line));
        let opened = self.is_led() && matches!(line, [b'{' | b'[' | b'(']);
        self.bracket |= opened;
        let closes = self.is_led() && self.bracket || self.trace == Trace::Frames;
        drawn || opened || closes && grammar::is_close(line)
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
            Trace::Ended if !self.gap && self.is_ahead(rest, grammar::is_chain) => (Trace::Ended, false),
            Trace::Ended if self.is_led() && !self.gap && matches!(line[0], b'a'..=b'z' | b'[' | b'(') => {
                (Trace::Ended, false)
            }
            Trace::Chained if line.starts_with(grammar::TRACEBACK) => (Trace::Python, false),
            Trace::Go if is_of_go(line) || grammar::is_go_place(self.next(rest).trim_ascii()) => (Trace::Go, false),
            Trace::Panic if !self.gap => (Trace::Backtrace, false),
            Trace::Backtrace if grammar::is_note(line) => (Trace::Backtrace, false),
            Trace::Backtrace if !self.gap && self.is_ahead(rest, grammar::is_note) => (Trace::Backtrace, false),
            Trace::Source if !self.gap && (grammar::is_carets(line) || grammar::is_carets(self.next(rest))) => {
                (Trace::Source, false)
            }
            Trace::Source if grammar::exception(line).is_some() || self.is_frame_ahead(rest) => (Trace::Frames, true),
            Trace::Frames
                if starts(&[b"Node.js v", b"Next "]) || grammar::is_elision(line) || grammar::is_php_chain(line) =>
            {
                (Trace::Frames, false)
            }
            _ if cause && (self.is_led() || self.awaits || self.trace != Trace::None) => (Trace::Frames, true),
            _ => return None,
        };
        Some(next)
    }

    /// Whether a trace begins here that belongs to what was said before: the exception that a message is about.
    fn begins_trace(&mut self, line: &[u8], rest: &[u8]) -> bool {
        // Rails leaves a line blank between an exception and its frames.
        let is_placed = self.awaits && grammar::is_ruby_frame(line);
        // Spring and Tomcat leave one blank between a message and the exception that it is about.
        let is_set_off = || self.is_gap_behind_head && self.is_led() && grammar::exception(line).is_some();
        let is_apart = self.gap && !is_placed && !(is_set_off() && self.is_frame_ahead(rest));
        if is_apart || !matches!(self.trace, Trace::None | Trace::Frames) || is_crash(line) {
            return false;
        }
        let listed = grammar::is_php_stack(line) || grammar::is_numbered_frame(line) || grammar::is_ruby_frame(line);
        if listed && (self.is_led() || self.awaits || self.trace == Trace::Frames) {
            (self.trace, self.awaits) = (Trace::Frames, false);
            return true;
        }
        if self.trace == Trace::Frames && !self.awaits {
            return false;
        }
        let logged = self.is_led() || self.awaits || self.is_error;
        if logged && line.starts_with(grammar::TRACEBACK) {
            self.trace = Trace::Python;
            return true;
        }
        let qualified = || grammar::exception(line).is_some_and(|(_, name)| name.contains(&b'.'));
        // Beside lines with levels alone others may write what they like.
        let is_clocked = self.onset > Onset::Level;
        let begins = logged && (is_clocked && qualified() || self.is_frame_ahead(rest));
        self.awaits |= begins;
        begins
    }

    fn is_statement(&self, line: &[u8]) -> bool {
        grammar::is_clause(line) && grammar::has_statement(self.head)
    }

    #[inline]
    fn is_indented_next(&self, rest: &[u8]) -> bool {
        if self.names.are_some() || self.behind {
            self.ahead(rest).next().is_some_and(|next| next.indented)
        } else {
            rest.first().is_some_and(|b| is_blank(*b))
        }
    }

    /// What the next line says.
    fn next<'r>(&self, rest: &'r [u8]) -> &'r [u8] {
        self.ahead(rest).next().map_or(&[], |next| next.text)
    }

    /// Whether a frame follows before anything that begins an event. Asked of many lines, of which hardly any has one: frames,
    /// which are told at a glance, are looked for first.
    fn is_frame_ahead(&self, rest: &[u8]) -> bool {
        if !self.behind && !self.names.are_some() && !self.is_indented_ahead(rest) {
            return false;
        }
        let mut said = self.ahead(rest).take(AHEAD).take_while(|next| !next.text.is_empty());
        let Some(before) = said.position(|next| next.indented && grammar::is_frame(next.text)) else { return false };
        let begins = |Content { text, indented, .. }: Content<'_>| {
            let other = || grammar::exception(text).is_some() || is_crash(text);
            !indented && other() || (self.is_led() || !indented) && self.is_headed(text, onset(text))
        };
        !self.ahead(rest).take(before).any(begins)
    }

    /// Whether an indented line follows within [`BYTES`]. Each line is looked at once, however often this is asked.
    fn is_indented_ahead(&self, rest: &[u8]) -> bool {
        let left = rest.len();
        let (from, mut at) = self.indented.get();
        if !(at..=from).contains(&left) {
            let is_indented = |start: &usize| rest.get(*start).is_some_and(|b| is_blank(*b));
            let mut starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', rest).map(|feed| feed + 1));
            at = starts.find(is_indented).map_or(0, |start| left - start);
            self.indented.set((left, at));
        }
        at > 0 && left - at < BYTES
    }

    /// Whether such a line comes soon.
    fn is_ahead(&self, rest: &[u8], is_one: impl Fn(&[u8]) -> bool) -> bool {
        let mut ahead = self.ahead(rest).take(AHEAD);
        let Some(before) = ahead.position(|next| !next.indented && is_one(next.text)) else { return false };
        let begins = |text: &[u8]| text.starts_with(grammar::TRACEBACK) || grammar::is_rust_panic(text);
        let ends =
            |next: Content<'_>| !next.indented && begins(next.text) || self.is_headed(next.line, onset(next.line));
        !self.ahead(rest).take(before + 1).any(ends)
    }
}

/// What the first line of an event announces, with what stands before its message: a trace, and whether frames are to follow.
fn announced(line: &[u8], before: &[u8], message: &[u8]) -> (Trace, bool) {
    let trace = match message[0] {
        // What tells the level is taken for a header.
        _ if before.trim_ascii_end().ends_with(b"panic:") => Trace::Go,
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

/// What a line begins with; the name of an exception may read like a level, and so may a note (`Error: why`, `note: how`).
pub(super) fn onset_outside_traces(line: &[u8], onset: Onset) -> Onset {
    let text = line.trim_ascii_start();
    let is_of_trace = onset == Onset::Level && (grammar::exception(text).is_some() || grammar::is_note(text));
    if is_of_trace { Onset::Bare } else { onset }
}

/// Whether a line that has no time may be of the inside of an event wherever it stands, so that it says nothing about its
/// input.
pub(super) fn is_inner(line: &[u8]) -> bool {
    matches!(line[0], b'{' | b'#')
        || grammar::is_close(line)
        || grammar::is_php_stack(line)
        || grammar::is_php_chain(line)
        || line.starts_with(grammar::TRACEBACK)
        || grammar::exception(line).is_some()
        || grammar::is_chain(line)
        || grammar::is_row(line)
        || grammar::is_clause(line)
        || grammar::is_frame(line)
        || is_of_go(line)
        || grammar::is_go_place(line)
        || grammar::is_note(line)
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

/// Whether the line ends with a bracket that is closed on a later one.
fn opens(text: &[u8]) -> bool {
    matches!(text.last(), Some(b'{' | b'[' | b'('))
}
