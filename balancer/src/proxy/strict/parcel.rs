//! What goes out in one system call, if the other side takes it: something before, a piece of a buffer, something behind.

use std::{
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};

use super::stream::Stream;
use crate::{
    http1::{Span, chunked, framing::Framing},
    proxy::entry::Entry,
};

/// What is to go out next.
#[derive(Debug, Default)]
pub(crate) struct Parcel {
    pub(crate) front: Vec<u8>,
    /// Of the buffer that it is sent with.
    pub(crate) data: Span,
    pub(crate) back: Vec<u8>,
    sent: usize,
}

impl Parcel {
    /// Leaves nothing in it.
    pub(crate) fn clear(&mut self) {
        self.front.clear();
        self.data = Span::default();
        self.back.clear();
        self.sent = 0;
    }

    /// Whether everything has gone out.
    pub(crate) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.data.is_empty() && self.back.is_empty()
    }

    /// Whether nothing of it has gone out.
    pub(crate) fn is_whole(&self) -> bool {
        self.sent == 0
    }

    /// Bytes of the data that have not gone out.
    pub(crate) fn data_left(&self) -> usize {
        self.data.len() - self.sent.saturating_sub(self.front.len()).min(self.data.len())
    }

    /// Adds data as a chunk, and the end of the body with these trailers.
    pub(crate) fn chunk(&mut self, data: Span, end: Option<&[u8]>) {
        self.data = data;
        if !data.is_empty() {
            self.front.extend_from_slice(chunked::mark(data.len()).bytes());
            self.back.extend_from_slice(b"\r\n");
        }
        if let Some(trailers) = end {
            self.back.extend_from_slice(b"0\r\n");
            self.back.extend_from_slice(trailers);
            self.back.extend_from_slice(b"\r\n");
        }
    }

    /// Adds data of a body whose framing is told to the client, and its end with these trailers if that has come.
    pub(crate) fn body(&mut self, to: &Stream, framing: Framing, data: Span, end: Option<&[u8]>) {
        if framing == Framing::Chunked && to.front().is_none() {
            self.chunk(data, end);
        } else {
            self.data = data;
        }
    }

    /// Sends what [`body`](Self::body) has added, and what was there before. What goes out is noted at once: a client may
    /// leave in the middle, or take it too slowly.
    pub(crate) fn poll_send_body(
        &mut self,
        cx: &mut Context<'_>,
        to: &Stream,
        bytes: &[u8],
        end: Option<&[u8]>,
        entry: &mut Entry,
    ) -> Poll<io::Result<()>> {
        let left = self.data_left();
        let sent = match to.front() {
            Some(front) => front.poll_send(cx, &mut self.data, bytes, end),
            None => self.poll_send(cx, to, bytes),
        };
        entry.goes_out(left - self.data_left(), sent.is_pending());
        sent
    }

    /// Sends all of it; it is empty then.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, to: &Stream, bytes: &[u8]) -> Poll<io::Result<()>> {
        if self.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let all = [self.front.as_slice(), self.data.of(bytes), self.back.as_slice()];
        let length: usize = all.iter().map(|piece| piece.len()).sum();
        while self.sent < length {
            let (mut pieces, mut count, mut passed) = ([IoSlice::new(&[]); 3], 0, self.sent);
            for piece in all {
                let skipped = passed.min(piece.len());
                passed -= skipped;
                if skipped < piece.len() {
                    pieces[count] = IoSlice::new(&piece[skipped..]);
                    count += 1;
                }
            }
            match ready!(to.poll_write(cx, &pieces[..count]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        ready!(to.poll_flush(cx))?;
        self.clear();
        Poll::Ready(Ok(()))
    }
}
