//! `Columns`: what a recording keeps of one chunk, made by the thread that folds it.

use std::fmt;

use super::varint;

/// Fast, and within a few percent of the best for columns of small numbers.
const LEVEL: i32 = 1;

/// The place of a line whose shape is not known yet.
pub(crate) const OPEN: u32 = u32::MAX;

/// The columns of one chunk, ready to be written.
#[derive(Default)]
pub(crate) struct Columns {
    /// One number per line: position in the dictionary.
    indices: Vec<u32>,
    lengths: Vec<u8>,
    /// Both columns, as they are compressed.
    both: Vec<u8>,
    /// Both columns, compressed.
    pub(super) packed: Vec<u8>,
    /// Where the first column ends.
    pub(super) split: usize,
    /// Bytes of both columns.
    pub(super) unpacked: usize,
    /// The text, compressed; empty if it can be read elsewhere.
    pub(super) text: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl Columns {
    pub(crate) fn clear(&mut self) {
        self.indices.clear();
        for part in [&mut self.lengths, &mut self.both, &mut self.packed, &mut self.text] {
            part.clear();
        }
    }

    /// Adds a line: position of its shape in the dictionary, [`OPEN`] as long as that is not known; bytes without and of
    /// its line end (0 to 2).
    #[inline]
    pub(crate) fn line(&mut self, index: u32, length: u64, line_end: u8) {
        self.indices.push(index);
        varint::put(&mut self.lengths, length << 2 | u64::from(line_end));
    }

    /// The last `lines` lines are of this shape where theirs was not known.
    #[inline]
    pub(crate) fn settle(&mut self, lines: usize, index: u32) {
        let from = self.indices.len().saturating_sub(lines);
        self.indices[from..].iter_mut().filter(|known| **known == OPEN).for_each(|open| *open = index);
    }

    /// Compresses what was added, and the text if it has to be kept.
    pub(crate) fn close(&mut self, text: Option<&[u8]>) {
        for index in &self.indices {
            varint::put(&mut self.both, u64::from(*index));
        }
        self.split = self.both.len();
        self.both.extend_from_slice(&self.lengths);
        self.unpacked = self.both.len();
        let compressor = self.compressor.get_or_insert_with(compressor);
        pack(compressor, &self.both, &mut self.packed);
        if let Some(text) = text {
            pack(compressor, text, &mut self.text);
        }
    }
}

fn compressor() -> zstd::bulk::Compressor<'static> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).expect("the level is one that zstd has");
    compressor.include_checksum(true).expect("a checksum can be asked for before the first use");
    compressor
}

fn pack(compressor: &mut zstd::bulk::Compressor<'static>, bytes: &[u8], packed: &mut Vec<u8>) {
    packed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
    compressor.compress_to_buffer(bytes, packed).expect("the worst case has room");
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns").field("packed", &self.packed.len()).finish_non_exhaustive()
    }
}
