//! `Columns`: what a recording keeps of one chunk, made by the thread that folds it.

use std::fmt;

use super::varint;

/// Fast, and within a few percent of the best for columns of small numbers.
const LEVEL: i32 = 1;

/// The columns of one chunk, ready to be written.
#[derive(Default)]
pub(crate) struct Columns {
    /// One number per line: position in the dictionary. At the end joined by the lengths.
    indices: Vec<u8>,
    lengths: Vec<u8>,
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
        for part in [&mut self.indices, &mut self.lengths, &mut self.packed, &mut self.text] {
            part.clear();
        }
    }

    /// Adds a line: position of its shape in the dictionary, bytes without and of its line end (0 to 2).
    #[inline]
    pub(crate) fn line(&mut self, index: u32, length: u64, line_end: u8) {
        varint::put(&mut self.indices, u64::from(index));
        varint::put(&mut self.lengths, length << 2 | u64::from(line_end));
    }

    /// Compresses what was added, and the text if it has to be kept.
    pub(crate) fn close(&mut self, text: Option<&[u8]>) {
        self.split = self.indices.len();
        self.indices.extend_from_slice(&self.lengths);
        self.unpacked = self.indices.len();
        let compressor = self.compressor.get_or_insert_with(compressor);
        pack(compressor, &self.indices, &mut self.packed);
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
