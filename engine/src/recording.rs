//! Which line has which shape: a compact column in input order, written beside the report, to find the lines of a
//! cluster again. A second column keeps the text of inputs that cannot be read again where they lie.
//!
//! Per chunk of lines there is a dictionary of its shapes with their counts, so that chunks without a shape, or with no more
//! of its lines than are to be skipped, are passed over by reading the dictionary alone. What is damaged or cut off is an
//! error, never a wrong answer: everything that is read is checked against a hash.

pub(crate) mod columns;
mod varint;
mod block;
mod dictionary;
pub(crate) mod writer;

use std::{
    collections::HashSet,
    io::{self, Read, Seek, SeekFrom, Write},
};

use crate::{aside::Aside, tally::Key};
use block::Block;

/// Where to write what finds lines again.
pub struct Recorder<'a> {
    /// Shape per line, chunk by chunk.
    pub labels: &'a mut (dyn Write + Send),
    /// The text of inputs that cannot be read again in place (packed files, pipes), in compressed blocks.
    pub text: &'a mut (dyn Write + Send),
}

/// Where one line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineAt {
    /// Position of the input in the report.
    pub input: u32,
    /// Number of the line in its input, from 1.
    pub number: u64,
    /// First byte of the line in the input's text (unpacked).
    pub offset: u64,
    /// Bytes without the line end.
    pub length: u64,
}

/// Reads what a [`Recorder`] wrote.
#[derive(Debug)]
pub struct Recording<L, T> {
    labels: L,
    text: T,
    blocks: Vec<Block>,
    joined: HashSet<Key>,
    /// The text of the block read last: the lines of a page are often neighbours.
    recent: Option<(u64, Vec<u8>)>,
}

/// All lines of a recording in order, each with the key of its shape, see [`Recording::labels`].
#[derive(Debug)]
pub struct Labels<'r, L, T> {
    recording: &'r mut Recording<L, T>,
    block: usize,
    lines: std::vec::IntoIter<(LineAt, Option<u64>)>,
}

impl<L: Read + Seek, T: Read + Seek> Recording<L, T> {
    /// Opens the two columns. Holds about a hundred bytes per MiB of text recorded.
    pub fn open(mut labels: L, mut text: T) -> io::Result<Self> {
        let mut magic = [0; 8];
        for (file, expected, name) in
            [(&mut labels as &mut dyn ReadSeek, writer::LABELS, "labels"), (&mut text, writer::TEXT, "text")]
        {
            file.rewind()?;
            file.read_exact(&mut magic).map_err(|_| damaged(&format!("the {name} are empty or cut off")))?;
            if magic != *expected {
                return Err(damaged(&format!("the {name} begin with something else")));
            }
        }
        let (blocks, joined) = read_index(&mut labels)?;
        Ok(Self { labels, text, blocks, joined, recent: None })
    }

    /// The lines of the shapes given (as in [`crate::report::Cluster::shapes`] and [`crate::report::SetAside::shape`]), in
    /// input order: `limit` of them after the first `skip`. Chunks without such a shape are not read.
    pub fn lines(&mut self, shapes: &[u64], mut skip: u64, limit: usize) -> io::Result<Vec<LineAt>> {
        let wanted: HashSet<u64> = shapes.iter().copied().collect();
        let mut found = Vec::new();
        for at in 0..self.blocks.len() {
            if found.len() >= limit {
                break;
            }
            let block = self.blocks[at];
            let dictionary = self.dictionary(&block)?;
            let here: u64 = dictionary.iter().filter(|(key, _)| wanted.contains(key)).map(|(_, lines)| lines).sum();
            if here <= skip {
                skip -= here;
                continue;
            }
            let lines = self.block_lines(&block, dictionary.len())?.into_iter();
            let ours = lines.filter(|(_, index)| wanted.contains(&dictionary[*index].0)).map(|(line, _)| line);
            found.extend(ours.skip(skip as usize).take(limit - found.len()));
            skip = 0;
        }
        Ok(found)
    }

    /// All lines in order, each with the key of its shape, which is in exactly one cluster's
    /// [`shapes`](crate::report::Cluster::shapes), or `None` for a line set aside.
    pub fn labels(&mut self) -> Labels<'_, L, T> {
        Labels { recording: self, block: 0, lines: Vec::new().into_iter() }
    }

    /// The bytes of a line of an input that was packed or a pipe, from the recorded text; `None` for a plain file,
    /// which is read at [`LineAt::offset`] where it lies.
    ///
    /// The whole line, if it is not longer than a chunk: 2 MiB or [`max_line_bytes`](crate::Settings::max_line_bytes),
    /// whichever is more. Of a longer one that much, which [`LineAt::length`] tells.
    pub fn text(&mut self, line: LineAt) -> io::Result<Option<Vec<u8>>> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidInput, "the recording has no such line");
        let after = self.blocks.partition_point(|b| (b.input, b.first_line) <= (line.input, line.number));
        let block = *self.blocks[..after].last().filter(|b| b.input == line.input).ok_or_else(unknown)?;
        if block.text_packed_bytes == 0 {
            return Ok(None);
        }
        if self.recent.as_ref().is_none_or(|(at, _)| *at != block.text_at) {
            let packed = read_at(&mut self.text, block.text_at, block.text_packed_bytes)?;
            self.recent = Some((block.text_at, unpack(&packed, block.text_bytes)?));
        }
        let text = self.recent.as_ref().map_or(&[][..], |(_, text)| text);
        let start = line.offset.checked_sub(block.offset).ok_or_else(unknown)?;
        let end = start.saturating_add(line.length).min(text.len() as u64);
        let line = text.get(start as usize..end as usize).ok_or_else(unknown)?;
        Ok(Some(line.to_vec()))
    }

    /// Key and number of lines of each shape of a block.
    fn dictionary(&mut self, block: &Block) -> io::Result<Vec<(u64, u64)>> {
        let bytes = read_at(&mut self.labels, block.at, block.dictionary_bytes)?;
        if Key::of(&bytes).0 != block.dictionary_hash {
            return Err(damaged("a dictionary is not what was written"));
        }
        dictionary::read(&bytes, &self.joined).ok_or_else(|| damaged("a dictionary ends early"))
    }

    /// The lines of a block, each with its position in the dictionary.
    fn block_lines(&mut self, block: &Block, shapes: usize) -> io::Result<Vec<(LineAt, usize)>> {
        let packed = read_at(&mut self.labels, block.at + block.dictionary_bytes, block.packed_bytes)?;
        let columns = unpack(&packed, block.unpacked_bytes)?;
        let (mut indices, mut lengths) =
            columns.split_at_checked(block.split as usize).ok_or_else(|| damaged("a column is missing"))?;
        let mut offset = block.offset;
        let lines = (0..block.lines).map(|n| {
            let index = varint::take(&mut indices).map(|i| i as usize).filter(|i| *i < shapes)?;
            let both = varint::take(&mut lengths)?;
            let line = LineAt { input: block.input, number: block.first_line + n, offset, length: both >> 2 };
            offset = offset.checked_add(line.length + (both & 3))?;
            Some((line, index))
        });
        lines.collect::<Option<_>>().ok_or_else(|| damaged("a column ends early"))
    }

    fn labelled(&mut self, block: &Block) -> io::Result<Vec<(LineAt, Option<u64>)>> {
        let dictionary = self.dictionary(block)?;
        let key = |index: usize| (index >= Aside::ALL.len()).then(|| dictionary[index].0);
        Ok(self.block_lines(block, dictionary.len())?.into_iter().map(|(line, index)| (line, key(index))).collect())
    }
}

impl<L: Read + Seek, T: Read + Seek> Iterator for Labels<'_, L, T> {
    type Item = io::Result<(LineAt, Option<u64>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.lines.next() {
                return Some(Ok(line));
            }
            let block = *self.recording.blocks.get(self.block)?;
            self.block += 1;
            match self.recording.labelled(&block) {
                Ok(lines) => self.lines = lines.into_iter(),
                Err(error) => {
                    self.block = self.recording.blocks.len();
                    return Some(Err(error));
                }
            }
        }
    }
}

trait ReadSeek: Read + Seek {}
impl<F: Read + Seek> ReadSeek for F {}

fn read_index(labels: &mut (impl Read + Seek)) -> io::Result<(Vec<Block>, HashSet<Key>)> {
    let unfinished = || damaged("the labels were not written to their end");
    let length = labels.seek(SeekFrom::End(0))?;
    let trailer_at = length.checked_sub(writer::TRAILER).ok_or_else(unfinished)?;
    let trailer = read_at(labels, trailer_at, writer::TRAILER)?;
    let mut rest = trailer.strip_suffix(writer::END).ok_or_else(unfinished)?;
    let mut next = || take_u64(&mut rest).ok_or_else(unfinished);
    let (at, bytes, hash) = (next()?, next()?, next()?);
    if at.checked_add(bytes) != Some(trailer_at) {
        return Err(unfinished());
    }
    let index = read_at(labels, at, bytes)?;
    if Key::of(&index).0 != hash {
        return Err(damaged("the index is not what was written"));
    }
    parse_index(&index).ok_or_else(|| damaged("the index ends early"))
}

fn parse_index(mut index: &[u8]) -> Option<(Vec<Block>, HashSet<Key>)> {
    let blocks = varint::take(&mut index)?;
    let mut blocks = (0..blocks).map(|_| Block::take(&mut index)).collect::<Option<Vec<_>>>()?;
    // Members of archives are written where the archive is read, and come after all inputs that were given.
    blocks.sort_by_key(|block| (block.input, block.first_line));
    let joined = varint::take(&mut index)?;
    let joined = (0..joined).map(|_| take_u64(&mut index).map(Key)).collect::<Option<_>>()?;
    Some((blocks, joined))
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

/// Exactly so many bytes; memory grows with what is there, not with what is asked for.
fn read_at(file: &mut (impl Read + Seek), at: u64, bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut read = Vec::new();
    file.take(bytes).read_to_end(&mut read)?;
    if read.len() as u64 == bytes { Ok(read) } else { Err(damaged("it is cut off")) }
}

/// The bytes of one frame, checked by the checksum in it.
fn unpack(packed: &[u8], bytes: u64) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(packed)?.single_frame();
    let read = decoder.take(bytes + 1).read_to_end(&mut unpacked);
    match read {
        Ok(n) if n as u64 == bytes => Ok(unpacked),
        _ => Err(damaged("a block cannot be unpacked")),
    }
}

fn damaged(what: &str) -> io::Error {
    let message = format!("the recording is damaged: {what}; analyse the inputs again");
    io::Error::new(io::ErrorKind::InvalidData, message)
}
