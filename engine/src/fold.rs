//! Phase one, the part that runs in parallel: a chunk of lines to the tallies of its shapes. A pure function of the chunk;
//! what it needs of memory is bounded by the chunk and used again for the next one.

use std::{
    sync::{Arc, LazyLock},
    thread,
};

use crate::{
    Settings,
    aside::Aside,
    format::{Layout, Reader, colours::ESCAPE},
    input::chunks::Chunk,
    recording::columns::Columns,
    shape::Shaper,
    table::{EXACT, Keys, Table},
    tally::{ByKey, EXAMPLES, Key, Tally, whole_letters},
};

/// A place for one chunk and what is found in it.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    /// What to fold.
    pub(crate) chunk: Chunk,
    /// How the lines of its input begin.
    pub(crate) layout: Arc<Layout>,
    /// Lines in no cluster, by [`Aside::ALL`].
    pub(crate) aside: [u64; Aside::ALL.len()],
    /// Lines of which only the beginning was looked at.
    pub(crate) shortened: u64,
    /// Lines.
    pub(crate) lines: u64,
    /// What finds the lines again, if asked for.
    pub(crate) columns: Columns,
    /// Reads the headers, and counts what it finds.
    pub(crate) reader: Reader,
    shaper: Shaper,
    kinds: Kinds,
}

/// How the lines of an input begin, by its first chunk, or as the settings say.
pub(crate) fn layout_of(first: &Chunk, settings: &Settings) -> Arc<Layout> {
    if first.aside.is_some() {
        return Arc::new(Layout::plain());
    }
    voted(whole_lines(&first.bytes()[first.mark..]), settings)
}

/// How lines begin, by the lines of an input that are there first, or as the settings say.
pub(crate) fn voted<'a>(lines: impl Iterator<Item = &'a [u8]> + Clone, settings: &Settings) -> Arc<Layout> {
    let voted = || Arc::new(Layout::vote(lines, settings.reference_time));
    settings.line_format.layout().map_or_else(voted, Arc::clone)
}

/// The lines of a text, without their line ends.
pub(crate) fn whole_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|b| *b == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
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

/// The distinct shapes of a chunk, in order of appearance.
#[derive(Debug, Default)]
struct Kinds {
    places: ByKey<u32>,
    /// The first `used` are of this chunk; the others keep their memory.
    all: Vec<Kind>,
    used: usize,
    text: Vec<u8>,
}

#[derive(Debug)]
struct Kind {
    keys: Keys,
    /// Where the table counts it.
    depth: u8,
    /// Where its text is in [`Kinds::text`].
    shape: (usize, usize),
    tally: Tally,
    /// The first lines: number, start and length in the chunk.
    examples: [(u64, usize, usize); EXAMPLES],
}

/// A line of a chunk.
#[derive(Debug, Clone, Copy)]
struct Line<'c> {
    number: u64,
    start: usize,
    /// As much of it as is in the chunk, without the line end.
    text: &'c [u8],
    /// Bytes without the line end.
    length: u64,
    /// Bytes of the line end.
    line_end: u8,
}

impl Line<'_> {
    /// Bytes of the text that are looked at: `most`, and no half letter.
    fn looked_at(&self, most: usize) -> usize {
        let all = self.text.len();
        if all as u64 == self.length {
            whole_letters(self.text, most)
        } else {
            whole_letters(self.text, most.min(all.saturating_sub(1)))
        }
    }
}

impl Fold {
    /// Folds the chunk that was put in.
    pub(crate) fn run(&mut self, manner: Manner) {
        (self.aside, self.shortened, self.lines) = Default::default();
        self.kinds.clear();
        self.columns.clear();
        self.reader.begin(&self.layout, manner.reference_time);
        let bytes = self.chunk.bytes();
        let nul = memchr::memchr(0, bytes).is_some();
        self.reader.coloured = memchr::memchr(ESCAPE, bytes).is_some();
        for line in Lines::of(&self.chunk) {
            self.lines += 1;
            if manner.gives_way && self.lines.is_multiple_of(LINES_BETWEEN_WAYS) {
                thread::yield_now();
            }
            self.shortened += u64::from(line.length > manner.max_line_bytes as u64);
            let text = &line.text[..line.looked_at(manner.max_line_bytes)];
            let index = match self.chunk.aside.or_else(|| Aside::of_line(line.text, nul)) {
                Some(aside) => {
                    self.aside[aside as usize] += 1;
                    aside as u32
                }
                None => {
                    let record = self.reader.read(text);
                    let shape = self.shaper.shape(record.message);
                    let place = self.kinds.place(shape);
                    let kind = &mut self.kinds.all[place as usize];
                    if let Some(example) = kind.examples.get_mut(kind.tally.events as usize) {
                        *example = (line.number, line.start, line.text.len());
                    }
                    kind.tally.count(&record);
                    place + Aside::ALL.len() as u32
                }
            };
            if manner.record {
                self.columns.line(index, line.length, line.line_end);
            }
        }
        if manner.record {
            self.columns.close(self.chunk.recorded.then(|| &self.chunk.bytes()[self.chunk.mark..]));
        }
    }

    /// Adds what was found to the table of the run.
    pub(crate) fn add_to(&mut self, table: &mut Table) {
        let Kinds { all, used, text, .. } = &mut self.kinds;
        for kind in &mut all[..*used] {
            let shape = &text[kind.shape.0..][..kind.shape.1];
            kind.depth = table.add(&kind.keys, shape, &kind.tally, |kept| {
                let first = &kind.examples[..EXAMPLES.min(kind.tally.events as usize)];
                for (number, start, length) in first {
                    kept.offer(self.chunk.input, *number, || &self.chunk.bytes()[*start..][..*length]);
                }
            });
        }
    }

    /// What the numbers in the columns stand for: keys, the depth that the table counts it at, lines.
    pub(crate) fn dictionary(&self) -> impl Iterator<Item = (&Keys, u8, u64)> {
        static ASIDES: LazyLock<[Keys; Aside::ALL.len()]> = LazyLock::new(|| Aside::ALL.map(Aside::keys));
        let asides = ASIDES.iter().zip(self.aside).map(|(keys, lines)| (keys, EXACT, lines));
        asides.chain(self.kinds.used().iter().map(|kind| (&kind.keys, kind.depth, kind.tally.lines)))
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
    fn place(&mut self, shape: &[u8]) -> u32 {
        let key = Key::of(shape);
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
        let keys = Keys::of(shape, key);
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

/// The lines of a chunk.
struct Lines<'c> {
    chunk: &'c Chunk,
    feeds: memchr::Memchr<'c>,
    start: usize,
    number: u64,
}

impl<'c> Lines<'c> {
    fn of(chunk: &'c Chunk) -> Self {
        let feeds = memchr::memchr_iter(b'\n', chunk.bytes());
        Self { chunk, feeds, start: chunk.mark, number: chunk.first_line }
    }
}

impl<'c> Iterator for Lines<'c> {
    type Item = Line<'c>;

    #[inline]
    fn next(&mut self) -> Option<Line<'c>> {
        let bytes = self.chunk.bytes();
        let (start, number) = (self.start, self.number);
        let cut = self.chunk.cut;
        let (end, mut line_end) = match self.feeds.next() {
            Some(feed) => (feed, 1),
            None if start < bytes.len() => (bytes.len(), cut.line_end),
            None => return None,
        };
        self.start = end + 1;
        self.number += 1;
        let mut text = &bytes[start..end];
        // Where the line goes on past the chunk, its line end is not here.
        let passed = if end == bytes.len() { cut.bytes } else { 0 };
        if line_end == 1 && passed == 0 && text.last() == Some(&b'\r') {
            text = &text[..text.len() - 1];
            line_end = 2;
        }
        Some(Line { number, start, text, length: text.len() as u64 + passed, line_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::chunks::Chunks;

    fn lines(text: &[u8]) -> Vec<(u64, String, u64, u8)> {
        let mut chunks = Chunks::new(text, 0, 0, false);
        let mut chunk = Chunk::default();
        let mut lines = Vec::new();
        while chunks.next(&mut chunk) {
            lines.extend(Lines::of(&chunk).map(|l| {
                (l.number, String::from_utf8_lossy(&l.text[..l.text.len().min(20)]).into_owned(), l.length, l.line_end)
            }));
        }
        assert_eq!(chunks.end().lines, lines.len() as u64);
        lines
    }

    #[test]
    fn a_line_ends_with_lf_crlf_or_the_input() {
        let expected =
            [(1, "a".into(), 1, 1), (2, "b".into(), 1, 2), (3, String::new(), 0, 1), (4, "c\r".into(), 2, 0)];
        assert_eq!(lines(b"\xef\xbb\xbfa\nb\r\n\nc\r"), expected);
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"\xef\xbb\xbf"), []);
        assert_eq!(lines(b"\n"), [(1, String::new(), 0, 1)]);
    }

    #[test]
    fn a_line_longer_than_a_chunk_is_one_line_with_its_whole_length() {
        use crate::input::chunks::CHUNK_BYTES as MIB;
        for length in [MIB - 1, MIB, MIB + 1, 3 * MIB] {
            for end in ["", "\n", "\r\n"] {
                let text = format!("first\n{}{end}", "x".repeat(length));
                let after = if end.is_empty() { "" } else { "last" };
                let found = lines(format!("{text}{after}").as_bytes());
                assert_eq!(found[1].2, length as u64, "{length} {end:?}");
                assert_eq!(usize::from(found[1].3), end.len(), "{length} {end:?}");
                assert_eq!(found.len(), 2 + usize::from(!after.is_empty()));
            }
        }
    }
}
