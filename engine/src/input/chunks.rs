//! `Chunks`: cuts the text of an input into pieces that end at line ends. Where it cuts depends on the bytes alone, never on
//! how they arrive, on threads or on time: so a recording is the same from run to run.
//!
//! A chunk is the longest run of whole lines from where the last one ended that is within `window` bytes and [`MAX_LINES`]
//! lines, without the last event in it, whose other lines may be in the next chunk, and without the last lines that tell where
//! events begin before them. So no event is torn that has at most [`event::LINES`] lines and [`event::BYTES`] bytes; what is cut
//! of a longer one is an event of its own. A chunk also ends where lines begin to be written in another way ([`Watch`]), which they
//! then vote on. A line longer than the window is a chunk of its own, of which the first `window`
//! bytes are kept.

use std::{
    cell::Cell,
    io::{self, BufRead},
    rc::Rc,
    sync::Arc,
};

use crate::{
    Settings,
    aside::{Aside, Nature},
    event::{self, Lead},
    format::{Reader, bare::Bare},
};

use super::watch::{Look, Watch};

/// Bytes of a chunk, unless the settings want longer lines to be looked at.
pub(crate) const CHUNK_BYTES: usize = 2 << 20;

/// Lines of a chunk: bounds what is kept per line, which may be much more than the line when lines are short.
pub(crate) const MAX_LINES: u64 = 16 << 10;

/// Bytes asked for at a time, so that chunks of very short lines leave little behind to move.
const READ_BYTES: usize = 128 << 10;

/// Whether so many bytes and line feeds are enough for a chunk, whatever comes after them.
pub(crate) fn are_one(bytes: usize, feeds: u64, window: usize) -> bool {
    bytes > window.max(CHUNK_BYTES) || feeds >= MAX_LINES
}

/// A piece of an input.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Position of the input in the run.
    pub(crate) input: u32,
    /// Number of the first line in the input, from 1.
    pub(crate) first_line: u64,
    /// Where the bytes begin in the text of the input.
    pub(crate) offset: u64,
    /// Whether the text has to be recorded to be found again.
    pub(crate) recorded: bool,
    /// Why all lines are set aside, if the input is not text.
    pub(crate) aside: Option<Aside>,
    /// How the lines of the input begin.
    pub(crate) lead: Arc<Lead>,
    /// Bytes before the first line: a byte order mark.
    pub(crate) mark: usize,
    /// What is missing at the end of a line longer than the window.
    pub(crate) cut: Cut,
    /// What is read of the lines, behind the mark, where that differs.
    pub(crate) bare: Bare,
    buffer: Vec<u8>,
    filled: usize,
    /// Where the lines end in the buffer of which it is known that they follow.
    ahead: usize,
}

/// The end of a line that is not in its chunk.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Bytes passed over, without the line end.
    pub(crate) bytes: u64,
    /// Bytes of the line end: 0, 1 or 2.
    pub(crate) line_end: u8,
}

/// What is known of an input after its last chunk.
#[derive(Debug)]
pub(crate) struct End {
    /// Lines in the chunks.
    pub(crate) lines: u64,
    /// Bytes of text in the chunks, with those passed over.
    pub(crate) bytes: u64,
    /// What ended it early.
    pub(crate) failure: Option<io::Error>,
    /// What it is, if not text.
    pub(crate) nature: Option<Nature>,
}

/// How far an input is cut, and what its beginning has told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Lines in the chunks so far.
    pub(crate) lines: u64,
    /// Bytes of text in the chunks so far, with those passed over.
    pub(crate) bytes: u64,
    /// What the input is, if not text.
    pub(crate) nature: Option<Nature>,
    /// How its lines begin, as far as those told that were read.
    pub(crate) lead: Arc<Lead>,
    watch: Watch,
}

/// Cuts one input.
pub(crate) struct Chunks<'s, R> {
    text: R,
    input: u32,
    settings: &'s Settings,
    window: usize,
    /// The text from this byte on is recorded; known at the latest when that byte is read.
    recorded_from: Rc<Cell<u64>>,
    place: Place,
    /// Reads lines near the end of a chunk.
    reader: Reader,
    rest: Vec<u8>,
    failure: Option<io::Error>,
    ended: bool,
}

impl Chunk {
    /// The bytes, whole lines.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// The same, and behind it the first lines of what follows, as far as events depend on them.
    pub(crate) fn with_ahead(&self) -> &[u8] {
        &self.buffer[..self.ahead]
    }

    /// What is read of these, and where its first line begins there.
    pub(crate) fn said(&self) -> (&[u8], usize) {
        self.bare.text().map_or((self.with_ahead(), self.mark), |text| (text, 0))
    }

    /// The lines as they are read.
    fn lines_said(&self) -> &[u8] {
        let (said, first) = self.said();
        &said[first..]
    }

    /// Where a line begins in the chunk, by where it begins in what is read.
    fn place(&self, said: usize) -> usize {
        self.mark + self.bare.place_in(&self.buffer[self.mark..self.ahead], said)
    }
}

impl<'s, R: BufRead> Chunks<'s, R> {
    /// Reads `text` as the input at position `input`; as much of a line as settings want to be looked at is in its chunk.
    pub(crate) fn new(text: R, input: u32, settings: &'s Settings, recorded: bool) -> Self {
        let window = settings.max_line_bytes.max(CHUNK_BYTES);
        let recorded_from = Rc::new(Cell::new(if recorded { 0 } else { u64::MAX }));
        let (place, reader, rest, failure) = Default::default();
        Self { text, input, settings, window, recorded_from, place, reader, rest, failure, ended: false }
    }

    /// Goes on where another has come to, if `text` does too.
    pub(crate) fn from(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Where the next chunk begins.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Records chunks that go past this byte of the text.
    pub(crate) fn recorded_from(self, byte: Rc<Cell<u64>>) -> Self {
        Self { recorded_from: byte, ..self }
    }

    /// Closes the input.
    pub(crate) fn end(self) -> End {
        End { lines: self.place.lines, bytes: self.place.bytes, failure: self.failure, nature: self.place.nature }
    }

    /// Fills `chunk` with the next piece; false when there is none.
    pub(crate) fn next(&mut self, chunk: &mut Chunk) -> bool {
        chunk.buffer.resize(self.window, 0);
        chunk.buffer[..self.rest.len()].copy_from_slice(&self.rest);
        chunk.filled = self.rest.len();
        self.rest.clear();
        (chunk.cut, chunk.mark) = (Cut::default(), 0);
        let (end, mut lines) = self.fill(chunk);
        if chunk.filled == 0 {
            return false;
        }
        chunk.input = self.input;
        (chunk.first_line, chunk.offset) = (self.place.lines + 1, self.place.bytes);
        chunk.ahead = end.unwrap_or(chunk.filled);
        if self.place.bytes == 0 {
            chunk.mark = if chunk.bytes().starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            self.place.nature = Nature::of(&chunk.with_ahead()[chunk.mark..]);
        }
        chunk.bare.forget();
        if self.place.nature.is_none() && self.settings.line_format.given().is_none() {
            chunk.bare.look_at(&chunk.buffer[chunk.mark..chunk.ahead]);
        }
        if self.place.bytes == 0 {
            self.judge(chunk.lines_said());
        }
        let change = self.change(chunk);
        (chunk.aside, chunk.lead) = (self.place.nature.map(|n| n.aside), Arc::clone(&self.place.lead));
        match (change, end) {
            (Some(change), _) => lines -= self.give_back(chunk, change),
            (None, Some(end)) => {
                let end = self.before_event(chunk, end);
                lines -= self.give_back(chunk, end);
            }
            // Either the last line of the input, which has no line end, or one that is longer than the window.
            (None, None) if self.ended => lines += u64::from(chunk.mark < chunk.filled),
            (None, None) => {
                chunk.cut = self.pass_over(chunk.bytes().last() == Some(&b'\r'));
                lines += 1;
            }
        }
        self.place.lines += lines;
        chunk.recorded = self.place.bytes + chunk.filled as u64 > self.recorded_from.get();
        self.place.bytes += chunk.filled as u64 + chunk.cut.bytes + u64::from(chunk.cut.line_end);
        true
    }

    /// Reads until the chunk has its bytes or lines, or the input ends. Tells after which byte to cut (`None` is at what was
    /// read) and how many line feeds are before it.
    fn fill(&mut self, chunk: &mut Chunk) -> (Option<usize>, u64) {
        let (mut seen, mut feeds) = (0, 0);
        loop {
            let new = &chunk.buffer[seen..chunk.filled];
            let more = memchr::memchr_iter(b'\n', new).count() as u64;
            if feeds + more >= MAX_LINES {
                let last = (MAX_LINES - feeds - 1) as usize;
                let at = memchr::memchr_iter(b'\n', new).nth(last).expect("so many were counted");
                return (Some(seen + at + 1), MAX_LINES);
            }
            (seen, feeds) = (chunk.filled, feeds + more);
            if self.ended || seen == self.window {
                break;
            }
            let room = &mut chunk.buffer[seen..self.window.min(seen + READ_BYTES)];
            chunk.filled += self.read(room);
        }
        let end = memchr::memrchr(b'\n', chunk.bytes()).map(|at| at + 1);
        // At the end of the input the last line needs no line end; the chunk is all there is.
        let all = self.ended && end.is_none_or(|end| end < chunk.filled);
        match all {
            true => (None, feeds),
            false => (end, feeds),
        }
    }

    /// Judges the input by its first lines.
    fn judge(&mut self, text: &[u8]) {
        let Settings { line_format, reference_time, .. } = self.settings;
        let is_text = self.place.nature.is_none();
        let of_text = || Lead::of(text, line_format, *reference_time);
        self.place.lead = Arc::new(if is_text { of_text() } else { Lead::of_no_text() });
    }

    /// Where the lines of a chunk begin to be written otherwise than those before, so that it is to end there. Where it is so from
    /// its first line on, or only some are, its lines vote on how they begin.
    fn change(&mut self, chunk: &Chunk) -> Option<usize> {
        let text = chunk.lines_said();
        let is_first = self.place.bytes == 0;
        let is_all = is_first && self.ended && chunk.ahead == chunk.filled;
        if is_all || self.place.nature.is_some() || !text.contains(&b'\n') {
            return None;
        }
        let Settings { line_format, reference_time, .. } = self.settings;
        let Place { watch, lead, .. } = &mut self.place;
        match watch.look(text, lead, *reference_time) {
            Look::From(at) => return Some(chunk.place(at)),
            Look::Some if !is_first => {
                let voted = lead.behind(text, line_format, *reference_time);
                watch.voted(voted.layout.forms().count() > lead.layout.forms().count());
                *lead = Arc::new(voted);
            }
            _ => {}
        }
        None
    }

    /// Ends the chunk there, the rest being of the next one; tells how many of its lines were behind that.
    fn give_back(&mut self, chunk: &mut Chunk, end: usize) -> u64 {
        self.rest.extend_from_slice(&chunk.buffer[end..chunk.filled]);
        chunk.filled = end;
        memchr::memchr_iter(b'\n', &chunk.with_ahead()[end..]).count() as u64
    }

    /// Where the last event before `end` begins, so that it is not torn; `end` if that cannot be told.
    fn before_event(&mut self, chunk: &Chunk, end: usize) -> usize {
        let whole = self.ended && end == chunk.filled || self.place.nature.is_some();
        if whole {
            return end;
        }
        self.reader.begin(&self.place.lead.layout, self.settings.reference_time);
        let last = event::last_start(chunk.lines_said(), &self.place.lead, &mut self.reader);
        last.map_or(end, |start| chunk.place(start))
    }

    /// Bytes read; 0 marks the end, with the failure kept.
    fn read(&mut self, room: &mut [u8]) -> usize {
        loop {
            match self.text.read(room) {
                Ok(0) => self.ended = true,
                Ok(n) => return n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => (self.ended, self.failure) = (true, Some(e)),
            }
            return 0;
        }
    }

    /// Passes over the rest of a line in the memory that the reader has anyway.
    fn pass_over(&mut self, mut after_return: bool) -> Cut {
        let mut bytes = 0;
        loop {
            let (taken, found) = match self.text.fill_buf() {
                Ok([]) => break,
                Ok(buffer) => {
                    let feed = memchr::memchr(b'\n', buffer);
                    let before = &buffer[..feed.unwrap_or(buffer.len())];
                    after_return = before.last().map_or(after_return, |b| *b == b'\r');
                    (before.len(), feed.is_some())
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    self.failure = Some(e);
                    break;
                }
            };
            bytes += taken as u64;
            self.text.consume(taken + usize::from(found));
            if found {
                // A carriage return in the chunk's own bytes stays with them: the fold takes it off there.
                let of_cut = u64::from(after_return).min(bytes);
                return Cut { bytes: bytes - of_cut, line_end: 1 + of_cut as u8 };
            }
        }
        self.ended = true;
        Cut { bytes, line_end: 0 }
    }
}
