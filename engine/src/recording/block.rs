//! `Block`: where one chunk is in the two columns of a recording, as it stands in the index at the end of the labels.

use super::varint;

/// Where one chunk is and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) input: u32,
    pub(super) first_line: u64,
    pub(super) lines: u64,
    /// Of the first line in the text of the input.
    pub(super) offset: u64,
    /// In the labels: the dictionary, then the packed columns.
    pub(super) at: u64,
    pub(super) dictionary_bytes: u64,
    pub(super) dictionary_hash: u64,
    pub(super) packed_bytes: u64,
    /// Bytes of the unpacked columns, and of the first of them.
    pub(super) unpacked_bytes: u64,
    pub(super) split: u64,
    /// In the text column, packed; no bytes if it was not recorded.
    pub(super) text_at: u64,
    pub(super) text_packed_bytes: u64,
    pub(super) text_bytes: u64,
}

impl Block {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for number in self.numbers() {
            varint::put(out, number);
        }
    }

    pub(super) fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut next = || varint::take(bytes);
        Some(Self {
            input: u32::try_from(next()?).ok()?,
            first_line: next()?,
            lines: next()?,
            offset: next()?,
            at: next()?,
            dictionary_bytes: next()?,
            dictionary_hash: next()?,
            packed_bytes: next()?,
            unpacked_bytes: next()?,
            split: next()?,
            text_at: next()?,
            text_packed_bytes: next()?,
            text_bytes: next()?,
        })
    }

    fn numbers(&self) -> [u64; 13] {
        [
            u64::from(self.input),
            self.first_line,
            self.lines,
            self.offset,
            self.at,
            self.dictionary_bytes,
            self.dictionary_hash,
            self.packed_bytes,
            self.unpacked_bytes,
            self.split,
            self.text_at,
            self.text_packed_bytes,
            self.text_bytes,
        ]
    }
}
