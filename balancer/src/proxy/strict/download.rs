//! The answer of a backend as it comes: its bytes, and by its framing the data in them and its end.

use std::{
    io,
    rc::Rc,
    task::{Context, Poll, ready},
};

use super::{
    shelf::{Buffer, LARGE_BUFFERS, Shelf},
    stream::Stream,
};
use crate::{
    fault::ANSWER_FIELDS,
    http1::{
        Refusal, Span,
        chunked::Decoder,
        framing::Framing,
        response::{CONTENT_OF_205, Response},
    },
    proxy::{
        error::ProxyError,
        room::{Room, Taken},
    },
};

/// The answer to one request.
pub(crate) struct Download {
    buffer: Option<Buffer>,
    filled: usize,
    /// Whether the backend may wait for a word that what was read has come.
    is_unconfirmed: bool,
    /// Room for what is beyond a usual buffer.
    taken: Option<Taken>,
    framing: Framing,
    /// No content may come.
    is_empty: bool,
    decoder: Decoder,
    /// What is still to come of a counted body.
    left: u64,
    /// Data of the body that has not gone on.
    pub(crate) data: Span,
    /// Whether the body has come to its end.
    pub(crate) ended: bool,
    /// Whether something came behind it. Nothing that comes after that can be trusted.
    pub(crate) surplus: bool,
}

impl Download {
    pub(crate) fn new() -> Self {
        Self {
            buffer: None,
            filled: 0,
            is_unconfirmed: false,
            taken: None,
            framing: Framing::None,
            is_empty: false,
            decoder: Decoder::default(),
            left: 0,
            data: Span::default(),
            ended: false,
            surplus: false,
        }
    }

    /// Everything that is held.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| &buffer.bytes[..self.filled])
    }

    /// The trailers, once the body has ended.
    pub(crate) fn trailers(&self) -> &[u8] {
        self.decoder.trailers()
    }

    /// Passes over an interim answer.
    pub(crate) fn skip(&mut self, length: usize) {
        if let Some(buffer) = &mut self.buffer {
            buffer.bytes.copy_within(length..self.filled, 0);
            self.filled -= length;
        }
    }

    /// The head has been read, and its body follows. `named`: what `Connection` names.
    pub(crate) fn begin(&mut self, head: &Response, named: Vec<u8>) -> Result<(), Refusal> {
        self.framing = head.framing;
        self.is_empty = head.status == 205;
        self.decoder = Decoder::leaving_out(named, ANSWER_FIELDS);
        if let Framing::Length(length) = head.framing {
            self.left = length;
        }
        self.data = Span { start: head.length, end: head.length };
        self.digest(head.length)
    }

    /// The data has gone on.
    pub(crate) fn release(&mut self) {
        self.data = Span::default();
        self.filled = 0;
    }

    /// All of it has gone on: it holds no memory any more.
    pub(crate) fn let_go(&mut self) {
        self.release();
        (self.buffer, self.taken) = (None, None);
    }

    /// Reads more; 0 is the end of the connection. Without room for more, nothing is read and that is an error.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: &Stream,
        shelf: &Rc<Shelf>,
    ) -> Poll<io::Result<usize>> {
        let readable = from.poll_readable(cx);
        if readable.is_pending() {
            if std::mem::take(&mut self.is_unconfirmed) {
                from.acknowledge();
            }
            if self.filled == 0 {
                // Nothing to hold while nothing comes.
                (self.buffer, self.taken) = (None, None);
            }
        }
        ready!(readable)?;
        let buffer = self.buffer.get_or_insert_with(|| shelf.buffer());
        if self.filled == buffer.bytes.len() {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        let read = ready!(from.poll_read(cx, &mut buffer.bytes[self.filled..]))?;
        self.filled += read;
        self.is_unconfirmed = true;
        Poll::Ready(Ok(read))
    }

    /// Reads more of the body, and finds the data in it.
    pub(crate) fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        from: &Stream,
        shelf: &Rc<Shelf>,
    ) -> Poll<Result<(), ProxyError>> {
        let before = self.filled;
        match (ready!(self.poll_read(cx, from, shelf)), self.framing) {
            (Ok(0), Framing::Close) => {
                self.ended = true;
                Poll::Ready(Ok(()))
            }
            (Ok(0) | Err(_), _) => Poll::Ready(Err(ProxyError::AnswerCut)),
            (Ok(_), _) => {
                if before == 0 {
                    self.data = Span::default();
                }
                Poll::Ready(self.digest(before).map_err(ProxyError::of_answer))
            }
        }
    }

    /// Reads ahead of a client that takes it more slowly, as far as there is room: the backend shall not wait for that.
    pub(crate) fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        from: &Stream,
        shelf: &Rc<Shelf>,
        room: &Rc<Room>,
    ) -> Poll<Result<(), ProxyError>> {
        if self.is_full() && !self.grow_on(room) {
            return Poll::Pending;
        }
        self.poll_more(cx, from, shelf)
    }

    /// Makes room for a body of this length, all in one place; there may be none left.
    pub(crate) fn grow(&mut self, body: usize, room: &Rc<Room>) -> bool {
        let Some(buffer) = &mut self.buffer else { return true };
        let needed = self.data.start + body;
        if needed <= buffer.bytes.len() {
            return true;
        }
        let Some(size) = LARGE_BUFFERS.iter().position(|size| *size >= needed).filter(|_| room.is_left()) else {
            return false;
        };
        self.taken = Some(room.take(LARGE_BUFFERS[size]));
        buffer.enlarge(self.filled, size);
        true
    }

    /// Makes room for more of a body of which nobody knows the length; there may be none left.
    pub(crate) fn grow_on(&mut self, room: &Rc<Room>) -> bool {
        self.grow(self.filled - self.data.start + 1, room)
    }

    /// Whether nothing more fits into the buffer.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.as_ref().is_some_and(|buffer| buffer.bytes.len() == self.filled)
    }

    /// Looks at what has come behind `from`.
    fn digest(&mut self, from: usize) -> Result<(), Refusal> {
        match self.framing {
            Framing::None => {
                self.ended = true;
                self.surplus = self.filled > from;
            }
            Framing::Length(_) => {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.filled - from);
                self.left -= length as u64;
                self.data.end = from + length;
                self.ended = self.left == 0;
                self.surplus = self.filled > self.data.end;
            }
            Framing::Close => self.data.end = self.filled,
            Framing::Chunked => {
                let Some(buffer) = &mut self.buffer else { return Ok(()) };
                let (piece, at, ended) = self.decoder.unwrap(&mut buffer.bytes, from, self.filled)?;
                if self.data.is_empty() {
                    self.data = piece;
                } else {
                    buffer.bytes.copy_within(piece.start..piece.end, self.data.end);
                    self.data.end += piece.len();
                }
                self.ended = ended;
                self.surplus = at < self.filled;
                // Marks of chunks need not be kept.
                self.filled = self.data.end;
            }
        }
        // Chunks, or the end of the connection, tell that only now (RFC 9110, 15.3.6).
        if self.is_empty && !self.data.is_empty() { Err(CONTENT_OF_205) } else { Ok(()) }
    }
}
