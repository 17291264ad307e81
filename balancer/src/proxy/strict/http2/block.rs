//! The frames of one head: HEADERS and what continues it (RFC 9113, 4.3 and 6.2). What they say of fields is
//! [read](super::recode), and the head is passed on in frames of ours once it has ended. Pure.

use h2::Reason;

use super::{
    frame::{CONTINUATION, END_HEADERS, END_STREAM, HEADERS, Head, LONGEST, PADDED, PRIORITY},
    recode::{Odd, Recoder},
    rules::Of,
};

/// Bytes of a priority.
const PRIORITY_BYTES: usize = 5;

/// The head that comes.
#[derive(Debug)]
pub(super) struct Block {
    fields: Recoder,
    /// The frame that it began with, as long as it has not ended, and what it is of.
    open: Option<(Head, Of)>,
    /// Whether the length of the filling is still to come.
    padded: bool,
    /// The priority in front of its fields, as far as it has come, and how long that is.
    priority: Vec<u8>,
    priority_length: usize,
    /// Bytes behind them.
    filling: usize,
}

impl Block {
    /// Heads may be as large as this, without it.
    pub(super) fn new(most: usize) -> Self {
        let (open, priority) = (None, Vec::new());
        Self { fields: Recoder::new(most), open, padded: false, priority, priority_length: 0, filling: 0 }
    }

    /// One begins.
    pub(super) fn begin(&mut self, frame: Head, of: Of) {
        self.open = Some((frame, of));
        self.padded = frame.has(PADDED);
        self.priority.clear();
        self.priority_length = if frame.has(PRIORITY) { PRIORITY_BYTES } else { 0 };
        self.fields.begin(of);
    }

    /// The stream of one that has begun and not ended.
    pub(super) fn stream(&self) -> Option<u32> {
        self.open.map(|(frame, _)| frame.stream)
    }

    /// Reads what has come of a frame of it; `left`: how much of that frame is still to come.
    pub(super) fn read(&mut self, mut bytes: &[u8], left: usize) -> Result<(), Reason> {
        if self.padded
            && let Some((length, rest)) = bytes.split_first()
        {
            (self.padded, self.filling, bytes) = (false, usize::from(*length), rest);
            if self.filling + self.priority_length > left + bytes.len() {
                return Err(Reason::PROTOCOL_ERROR);
            }
        }
        let (priority, fields) = bytes.split_at(bytes.len().min(self.priority_length - self.priority.len()));
        self.priority.extend_from_slice(priority);
        let behind = self.filling.saturating_sub(left).min(fields.len());
        self.fields.read(&fields[..fields.len() - behind]).map_err(|_| Reason::COMPRESSION_ERROR)
    }

    /// That frame has ended. With the head it is passed on, and why that is refused comes back, if it is.
    pub(super) fn end(&mut self, frame: Head, out: &mut Vec<u8>) -> Result<Option<(Of, Odd)>, Reason> {
        self.filling = 0;
        if self.padded || self.priority.len() < self.priority_length {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        let Some((first, of)) = self.open.take_if(|_| frame.has(END_HEADERS)) else { return Ok(None) };
        let (mut fields, odd) = self.fields.end().map_err(|_| Reason::COMPRESSION_ERROR)?;
        let mut priority = &self.priority[..];
        let mut next = Head { flags: first.flags & (END_STREAM | PRIORITY), ..first };
        loop {
            let (piece, rest) = fields.split_at(fields.len().min(LONGEST - priority.len()));
            next.length = priority.len() + piece.len();
            next.flags |= if rest.is_empty() { END_HEADERS } else { 0 };
            out.extend_from_slice(&next.bytes());
            out.extend_from_slice(priority);
            out.extend_from_slice(piece);
            if rest.is_empty() {
                return Ok(odd.map(|odd| (of, odd)));
            }
            (fields, priority) = (rest, &[]);
            next = Head { kind: CONTINUATION, flags: 0, ..next };
        }
    }

    /// Holds no more memory than what has to be known for the next one.
    pub(super) fn rest(&mut self) {
        if self.open.is_none() {
            self.fields.rest();
        }
    }
}

/// Whether a frame is part of a head.
pub(super) fn is_of_head(frame: Head) -> bool {
    matches!(frame.kind, HEADERS | CONTINUATION)
}
