//! `Lines`: the lines of a chunk, each as it is written and as it is read.

use crate::{input::chunks::Chunk, tally::whole_letters};

/// A line of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'c> {
    /// Lines before it in the chunk.
    pub(super) at: u32,
    /// Bytes of the line end.
    pub(super) line_end: u8,
    /// Where as much of it as is in the chunk begins, and ends without the line end.
    pub(super) written: (usize, usize),
    /// Bytes without the line end.
    pub(super) length: u64,
    /// What is read of it.
    pub(super) text: &'c [u8],
    /// Where that ends in what is read of the chunk.
    pub(super) end: usize,
    /// Where the next line begins there.
    pub(super) next: usize,
}

impl Line<'_> {
    /// What follows it in the chunk with these bytes.
    pub(super) fn behind<'c>(&self, bytes: &'c [u8]) -> &'c [u8] {
        bytes.get(self.next..).unwrap_or_default()
    }

    /// Bytes of the text that are looked at: `most`, and no half letter.
    pub(super) fn looked_at(&self, most: usize) -> usize {
        let all = self.text.len();
        if (self.written.1 - self.written.0) as u64 == self.length {
            whole_letters(self.text, most)
        } else {
            whole_letters(self.text, most.min(all.saturating_sub(1)))
        }
    }
}

/// The lines of a chunk.
pub(super) struct Lines<'c> {
    chunk: &'c Chunk,
    feeds: memchr::Memchr<'c>,
    start: usize,
    at: u32,
    /// What is read of the lines, where that differs, and where the next begins there.
    said: Option<&'c [u8]>,
    next: usize,
}

impl<'c> Lines<'c> {
    pub(super) fn of(chunk: &'c Chunk) -> Self {
        let feeds = memchr::memchr_iter(b'\n', chunk.bytes());
        Self { chunk, feeds, start: chunk.mark, at: 0, said: chunk.bare.text(), next: 0 }
    }
}

impl<'c> Iterator for Lines<'c> {
    type Item = Line<'c>;

    #[inline]
    fn next(&mut self) -> Option<Line<'c>> {
        let bytes = self.chunk.bytes();
        let (start, at) = (self.start, self.at);
        let cut = self.chunk.cut;
        let (end, mut line_end) = match self.feeds.next() {
            Some(feed) => (feed, 1),
            None if start < bytes.len() => (bytes.len(), cut.line_end),
            None => return None,
        };
        self.start = end + 1;
        self.at += 1;
        let mut text = &bytes[start..end];
        // Where the line goes on past the chunk, its line end is not here.
        let passed = if end == bytes.len() { cut.bytes } else { 0 };
        if line_end == 1 && passed == 0 && text.last() == Some(&b'\r') {
            text = &text[..text.len() - 1];
            line_end = 2;
        }
        let (written, length) = ((start, start + text.len()), text.len() as u64 + passed);
        let Some(said) = self.said else {
            let end = written.1;
            return Some(Line { at, line_end, written, length, text, end, next: end + usize::from(line_end) });
        };
        let rest = &said[self.next..];
        let text = memchr::memchr(b'\n', rest).map_or(rest, |feed| &rest[..feed]);
        let end = self.next + text.len();
        self.next = (end + 1).min(said.len());
        Some(Line { at, line_end, written, length, text, end, next: self.next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, input::chunks::Chunks};

    fn lines(text: &[u8]) -> Vec<(u64, String, u64, u8)> {
        let settings = Settings::default();
        let mut chunks = Chunks::new(text, 0, &settings, false);
        let mut chunk = Chunk::default();
        let mut lines = Vec::new();
        while chunks.next(&mut chunk) {
            lines.extend(Lines::of(&chunk).map(|l| {
                (
                    chunk.first_line + u64::from(l.at),
                    String::from_utf8_lossy(&l.text[..l.text.len().min(20)]).into_owned(),
                    l.length,
                    l.line_end,
                )
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
