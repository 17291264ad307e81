//! Phase one, the part that runs in parallel: a chunk of lines to the tallies of its shapes. A pure function of the chunk;
//! what it needs of memory is bounded by the chunk and used again for the next one.

mod lines;

use std::{sync::LazyLock, thread};

use self::lines::{Line, Lines};
use crate::{
    aside::Aside,
    event::{Contents, Joiner, skeleton::Skeleton},
    format::Reader,
    input::chunks::Chunk,
    memo::{BATCH, Known, Memo, Memos, Recalled},
    record::Level,
    recording::columns::{Columns, OPEN},
    rules::reading::{Corrections, set_aside_by},
    shape::Shaper,
    table::{EXACT, Keys, Table},
    tally::{ByKey, EXAMPLES, Key, Tally},
};

/// A place for one chunk and what is found in it.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    /// What to fold.
    pub(crate) chunk: Chunk,
    /// Lines in no cluster, by [`Aside::ALL`].
    pub(crate) aside: [u64; Aside::ALL.len()],
    /// Lines of which only the beginning was looked at.
    pub(crate) shortened: u64,
    /// Lines.
    pub(crate) lines: u64,
    /// Events whose message has bytes that are no UTF-8.
    pub(crate) broken: u64,
    /// What finds the lines again, if asked for.
    pub(crate) columns: Columns,
    /// Reads the headers, and counts what it finds.
    pub(crate) reader: Reader,
    events: Events,
    memos: Memos,
}

/// How to fold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// As in [`crate::Settings`].
    pub(crate) max_line_bytes: usize,
    /// As in [`crate::Settings`].
    pub(crate) reference_time: i64,
    /// Whether to make the columns of a recording.
    pub(crate) record: bool,
    /// As in [`crate::Settings`].
    pub(crate) gives_way: bool,
}

/// Lines folded before others get a chance: about a tenth of a millisecond.
const LINES_BETWEEN_WAYS: u64 = 256;

/// Counts the events of a chunk.
#[derive(Debug, Default)]
struct Events {
    shaper: Shaper,
    /// What rules do while lines are read, if they do anything then.
    corrections: Option<Corrections>,
    skeleton: Skeleton,
    contents: Contents,
    /// Reads the lines of events of several lines again.
    again: Reader,
    kinds: Kinds,
}

/// The distinct shapes of a chunk, in order of appearance.
#[derive(Debug, Default)]
struct Kinds {
    places: ByKey<u32>,
    /// The first `used` are of this chunk; the others keep their memory.
    all: Vec<Kind>,
    used: usize,
    text: Vec<u8>,
    /// Of shapes that came before, in this chunk or another: chunks of an input have most of theirs in common.
    keys: ByKey<Keys>,
}

/// Shapes of which the keys are kept.
const KEYS_KEPT: usize = 1 << 12;

#[derive(Debug)]
struct Kind {
    keys: Keys,
    /// Where the table counts it.
    depth: u8,
    /// Where its text is in [`Kinds::text`].
    shape: (usize, usize),
    tally: Tally,
    /// The first events: lines of the chunk before their first, start and length in the chunk, which is no longer than a line
    /// may be, or a chunk. There may be many kinds, so that every byte counts.
    examples: [(u32, u32, u32); EXAMPLES],
}

/// An event whose end was not seen yet. The shape of its first line is the one that was made last.
#[derive(Debug, Clone, Copy)]
struct Open<'c> {
    first: Line<'c>,
    /// As much of the first line as is looked at.
    text: &'c [u8],
    time: Option<i64>,
    level: Option<Level>,
    /// Where the lines after the first begin in the chunk, the first being the one that has the message.
    more: usize,
    /// Lines of it.
    lines: u64,
    /// Whether others than its first have headers.
    headed: bool,
    /// Lines set aside that came after its first, even if it did not go on behind them.
    aside: usize,
    /// Where its last line ends in what is read of the chunk, without the line end.
    end: usize,
    /// Where it ends in the chunk.
    written: usize,
    /// What is known of its first line's shape.
    known: Option<Known>,
}

impl Open<'_> {
    fn add(&mut self, line: Line<'_>) {
        self.lines += 1;
        (self.end, self.written) = (line.end, line.written.1);
    }
}

impl Fold {
    /// An empty place, for a run with these corrections and memos.
    pub(crate) fn with(corrections: Option<Corrections>, memos: Memos) -> Self {
        Self { events: Events { corrections, ..Events::default() }, memos, ..Self::default() }
    }

    /// Folds the chunk that was put in.
    pub(crate) fn run(&mut self, manner: Manner) {
        (self.aside, self.shortened, self.lines) = Default::default();
        self.events.kinds.clear();
        self.columns.clear();
        let chunk = std::mem::take(&mut self.chunk);
        let layout = &chunk.lead.layout;
        self.reader.begin(layout, manner.reference_time);
        self.events.again.begin(layout, manner.reference_time);
        // What corrections look for in a message, its outline does not tell.
        let mut memo = self.events.corrections.is_none().then(|| self.memos.take(layout, manner.reference_time));
        self.fold(&chunk, manner, memo.as_mut());
        memo.into_iter().for_each(|memo| self.memos.give(memo));
        if manner.record {
            self.columns.close(chunk.recorded.then(|| &chunk.bytes()[chunk.mark..]));
        }
        self.chunk = chunk;
        self.broken = std::mem::take(&mut self.events.shaper.broken);
    }

    fn fold(&mut self, chunk: &Chunk, manner: Manner, mut memo: Option<&mut Memo>) {
        let nul = memchr::memchr(0, chunk.bytes()).is_some();
        // What follows the last lines may tell whether they go on with an event.
        let (bytes, _) = chunk.said();
        self.reader.coloured = chunk.bare.may_have_escapes();
        let lead = &chunk.lead;
        let mut joiner = Joiner::new(lead.onset, lead.names);
        let mut writer: &[u8] = &[];
        self.events.contents.names = lead.names;
        let mut open: Option<Open<'_>> = None;
        let mut lines = Lines::of(chunk);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            batch.clear();
            batch.extend(lines.by_ref().take(BATCH).map(|line| {
                let (name, text) = lead.split(&line.text[..line.looked_at(manner.max_line_bytes)]);
                (line, name, text)
            }));
            if batch.is_empty() {
                break;
            }
            if manner.gives_way && self.lines.is_multiple_of(LINES_BETWEEN_WAYS) {
                thread::yield_now();
            }
            if let Some(memo) = memo.as_mut() {
                memo.look_at(batch.iter().map(|(_, _, text)| *text));
            }
            for (at, (line, name, text)) in batch.iter().enumerate() {
                self.lines += 1;
                self.shortened += u64::from(line.length > manner.max_line_bytes as u64);
                if !name.is_empty() && *name != writer {
                    joiner.end();
                    writer = name;
                }
                let said = if lead.names.are_some() { *text } else { line.text };
                let index = match chunk.aside.or_else(|| Aside::of_line(said, nul)) {
                    Some(aside) => {
                        self.aside[aside as usize] += 1;
                        joiner.set_aside(aside);
                        open.iter_mut().for_each(|open| open.aside += 1);
                        aside as u32
                    }
                    None => {
                        let memo = memo.as_deref_mut().map(|memo| (memo, at));
                        self.line(&mut open, &mut joiner, (*line, *text), bytes, memo);
                        OPEN
                    }
                };
                if manner.record {
                    self.columns.line(index, line.length, line.line_end);
                }
            }
        }
        self.events.close(open, bytes, &mut self.columns);
    }

    /// A line of an event: the next one of that which is open, or the first one of another.
    #[inline]
    fn line<'c>(
        &mut self,
        open: &mut Option<Open<'c>>,
        joiner: &mut Joiner<'c>,
        (line, text): (Line<'c>, &'c [u8]),
        bytes: &[u8],
        mut memo: Option<(&mut Memo, usize)>,
    ) {
        let Self { reader, events, columns, .. } = self;
        if let Some(open) = open
            && joiner.is_frame(text)
        {
            return open.add(line);
        }
        let recalled = memo.as_mut().and_then(|(memo, at)| memo.of(*at, text, reader));
        let known = recalled.map(|recalled| recalled.known);
        let read = match recalled {
            Some(recalled) => {
                reader.ways[recalled.way] += 1;
                recalled.record
            }
            None => reader.read(text),
        };
        let (time, level, onset) = (read.time, read.level, read.onset);
        if let Some(open) = open {
            let (rest, end) = (line.behind(bytes), line.end);
            if joiner.completes(text, read) {
                (open.text, open.level, open.more) = (text, level, end);
                return open.add(line);
            }
            let behind = joiner.continues_behind(text, read.message, rest);
            if behind || joiner.continues(text, rest, onset) {
                open.headed |= behind;
                return open.add(line);
            }
        }
        joiner.begin(text, read);
        let before = events.close(open.take(), bytes, columns);
        match recalled {
            Some(Recalled { known: Known { place: Some(_), .. }, .. }) => {}
            Some(recalled) => events.shaper.recall(recalled.shape),
            None => shape(&mut events.shaper, &mut events.corrections, read.message),
        }
        if let (Some((memo, _)), Some((known, place))) = (memo, before) {
            memo.place(known, place);
        }
        let (end, written) = (line.end, line.written.1);
        let (more, lines, headed, aside) = (end, 1, false, 0);
        *open = Some(Open { first: line, text, time, level, more, lines, headed, aside, end, written, known });
    }

    /// Adds the lines in which rules masked something to sums, by the rules' positions.
    pub(crate) fn add_masked(&mut self, sums: &mut [u64]) {
        let masked = self.events.corrections.iter_mut().flat_map(|corrections| &mut corrections.masked);
        sums.iter_mut().zip(masked).for_each(|(sum, lines)| *sum += std::mem::take(lines));
    }

    /// Adds what was found to the table of the run.
    pub(crate) fn add_to(&mut self, table: &mut Table) {
        let Kinds { all, used, text, .. } = &mut self.events.kinds;
        for kind in &mut all[..*used] {
            let shape = &text[kind.shape.0..][..kind.shape.1];
            kind.depth = table.add(&kind.keys, shape, &kind.tally, |kept, room| {
                let first = &kind.examples[..EXAMPLES.min(kind.tally.events as usize)];
                for (line, start, length) in first {
                    let text = || &self.chunk.bytes()[*start as usize..][..*length as usize];
                    kept.offer(room, self.chunk.input, self.chunk.first_line + u64::from(*line), text);
                }
            });
        }
    }

    /// What the numbers in the columns stand for: keys, the depth that the table counts it at, lines.
    pub(crate) fn dictionary(&self) -> impl Iterator<Item = (&Keys, u8, u64)> {
        static ASIDES: LazyLock<[Keys; Aside::ALL.len()]> = LazyLock::new(|| Aside::ALL.map(Aside::keys));
        let asides = ASIDES.iter().zip(self.aside).map(|(keys, lines)| (keys, EXACT, lines));
        asides.chain(self.events.kinds.used().iter().map(|kind| (&kind.keys, kind.depth, kind.tally.lines)))
    }
}

impl Events {
    /// Counts an event; tells where, if a memo is to know. In the columns the lines of it and those set aside among them are
    /// the last ones.
    #[inline]
    fn close(&mut self, open: Option<Open<'_>>, bytes: &[u8], columns: &mut Columns) -> Option<(Known, u32)> {
        let open = open?;
        let Open { first, mut time, mut level, lines, aside, written, mut known, .. } = open;
        if lines > 1 {
            known = None;
            (time, level) = self.shape_several(&open, bytes);
        }
        let corrected = self.corrections.as_mut().map(|corrections| corrections.settle(lines));
        let shape = corrected.unwrap_or(self.shaper.last());
        let place = match known {
            Some(Known { place: Some(place), .. }) => place,
            Some(Known { key, .. }) => self.kinds.place(key, shape),
            None => self.kinds.place(Key::of(shape), shape),
        };
        let kind = &mut self.kinds.all[place as usize];
        if let Some(example) = kind.examples.get_mut(kind.tally.events as usize) {
            let (start, _) = first.written;
            *example = (first.at, start as u32, (written - start) as u32);
        }
        kind.tally.count(time, level, lines);
        columns.settle(lines as usize + aside, place + Aside::ALL.len() as u32);
        known.filter(|known| known.place.is_none()).map(|known| (known, place))
    }

    /// Makes the shape of an event of several lines; tells its time and level.
    fn shape_several(&mut self, open: &Open<'_>, bytes: &[u8]) -> (Option<i64>, Option<Level>) {
        let Self { shaper, corrections, skeleton, contents, again, .. } = self;
        if open.text.trim_ascii() == b"{"
            && let Some(object) = contents.object(&bytes[open.first.end - open.first.text.len()..open.end])
            && let Some(said) = again.read_object(object)
        {
            shape(shaper, corrections, said.message);
            return (said.time, said.level);
        }
        let (mut text, mut more) = (open.text, &bytes[open.more..open.end]);
        let (mut header_end, whole) = (0, &mut Vec::new());
        if open.headed || contents.names.are_some() {
            let said = contents.of(text, more, again);
            (header_end, more) = (said.header_end, said.lines);
            if !said.pieces.is_empty() {
                *whole = [text, said.pieces].concat();
                text = whole;
            }
        }
        let said = again.read(text);
        let (time, level) = (open.time.or(said.time), open.level.or(said.level));
        let several = skeleton.of(text[header_end..].trim_ascii_start(), said.message, more);
        shape(shaper, corrections, several.text);
        (time, level.or(several.trace.then_some(Level::Error)))
    }
}

/// Makes the shape of a message, corrected if there are corrections.
#[inline]
fn shape(shaper: &mut Shaper, corrections: &mut Option<Corrections>, message: &[u8]) {
    match corrections {
        None => {
            shaper.shape(message);
        }
        Some(corrections) => corrections.make(shaper, message),
    }
}

impl Kinds {
    fn clear(&mut self) {
        self.places.clear();
        self.text.clear();
        self.used = 0;
    }

    fn used(&self) -> &[Kind] {
        &self.all[..self.used]
    }

    #[inline]
    fn shape(&self, kind: &Kind) -> &[u8] {
        &self.text[kind.shape.0..][..kind.shape.1]
    }

    /// The place of a shape, new or known.
    #[inline]
    fn place(&mut self, key: Key, shape: &[u8]) -> u32 {
        let Some(place) = self.places.get(&key) else { return self.add(key, shape) };
        if shape < self.shape(&self.all[*place as usize]) {
            // Two shapes of one key count as one, under the smaller text, see `Key`.
            self.all[*place as usize].shape = (self.text.len(), shape.len());
            self.text.extend_from_slice(shape);
        }
        *place
    }

    #[cold]
    fn add(&mut self, key: Key, shape: &[u8]) -> u32 {
        let place = self.used as u32;
        self.used += 1;
        let at = (self.text.len(), shape.len());
        self.text.extend_from_slice(shape);
        self.places.insert(key, place);
        let of = || if set_aside_by(shape).is_some() { Keys::alone(key) } else { Keys::of(shape, key) };
        let keys = match self.keys.get(&key) {
            Some(keys) => *keys,
            None => {
                if self.keys.len() >= KEYS_KEPT {
                    self.keys.clear();
                }
                *self.keys.entry(key).or_insert_with(of)
            }
        };
        match self.all.get_mut(place as usize) {
            Some(kind) => {
                (kind.keys, kind.shape) = (keys, at);
                kind.tally.clear();
            }
            None => self.all.push(Kind {
                keys,
                depth: EXACT,
                shape: at,
                tally: Tally::default(),
                examples: Default::default(),
            }),
        }
        place
    }
}
