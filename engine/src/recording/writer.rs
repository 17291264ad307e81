//! `Writer`: the chunks of a run, in their order, to the two columns of a recording.
//!
//! The labels are [`LABELS`], then per chunk a dictionary and the packed columns, then the index: the number of blocks, the
//! blocks, the keys that joined shapes have. The last [`TRAILER`] bytes are where the index begins, its length, its hash and
//! [`END`]. The text is [`TEXT`] and the packed chunks that are kept. All fixed numbers have their lowest byte first.

use std::io;

use super::Recorder;
use super::{block::Block, dictionary, varint};
use crate::{
    fold::Fold,
    tally::{ByKey, Key},
};

pub(super) const LABELS: &[u8; 8] = b"LKLABEL1";
pub(super) const TEXT: &[u8; 8] = b"LKTEXT-1";
pub(super) const END: &[u8; 8] = b"LKINDEX1";
pub(super) const TRAILER: u64 = 32;

/// Writes a recording.
pub(crate) struct Writer<'a> {
    to: Recorder<'a>,
    labels_at: u64,
    text_at: u64,
    blocks: u64,
    index: Vec<u8>,
    dictionary: Vec<u8>,
    nodes: ByKey<u64>,
}

impl<'a> Writer<'a> {
    /// Begins both columns.
    pub(crate) fn begin(to: Recorder<'a>) -> io::Result<Self> {
        to.labels.write_all(LABELS)?;
        to.text.write_all(TEXT)?;
        let (labels_at, text_at) = (LABELS.len() as u64, TEXT.len() as u64);
        Ok(Self {
            to,
            labels_at,
            text_at,
            blocks: 0,
            index: Vec::new(),
            dictionary: Vec::new(),
            nodes: ByKey::default(),
        })
    }

    /// Writes a chunk.
    pub(crate) fn write(&mut self, fold: &Fold) -> io::Result<()> {
        let (chunk, columns) = (&fold.chunk, &fold.columns);
        if fold.lines == 0 {
            return Ok(());
        }
        self.dictionary.clear();
        dictionary::put(&mut self.dictionary, &mut self.nodes, fold.dictionary());
        let block = Block {
            input: chunk.input,
            first_line: chunk.first_line,
            lines: fold.lines,
            offset: chunk.offset + chunk.mark as u64,
            at: self.labels_at,
            dictionary_bytes: self.dictionary.len() as u64,
            dictionary_hash: Key::of(&self.dictionary).0,
            packed_bytes: columns.packed.len() as u64,
            unpacked_bytes: columns.unpacked as u64,
            split: columns.split as u64,
            text_at: self.text_at,
            text_packed_bytes: columns.text.len() as u64,
            text_bytes: if chunk.recorded { (chunk.bytes().len() - chunk.mark) as u64 } else { 0 },
        };
        self.to.labels.write_all(&self.dictionary)?;
        self.to.labels.write_all(&columns.packed)?;
        self.to.text.write_all(&columns.text)?;
        self.labels_at += block.dictionary_bytes + block.packed_bytes;
        self.text_at += block.text_packed_bytes;
        self.blocks += 1;
        block.put(&mut self.index);
        Ok(())
    }

    /// Writes the index; `joined` are the keys of joined shapes, ascending.
    pub(crate) fn finish(self, joined: &[Key]) -> io::Result<()> {
        let mut index = Vec::with_capacity(self.index.len() + 8 * joined.len() + 16);
        varint::put(&mut index, self.blocks);
        index.extend_from_slice(&self.index);
        varint::put(&mut index, joined.len() as u64);
        for key in joined {
            index.extend_from_slice(&key.0.to_le_bytes());
        }
        for number in [self.labels_at, index.len() as u64, Key::of(&index).0] {
            index.extend_from_slice(&number.to_le_bytes());
        }
        index.extend_from_slice(END);
        self.to.labels.write_all(&index)?;
        self.to.labels.flush()?;
        self.to.text.flush()
    }
}
