//! One request of HTTP/2 as a stream of HTTP/1.1: what is read from it is the body in the framing that the head tells, what
//! is written to it is an answer. The answer of a backend takes a shorter way, past the words of HTTP/1.1.

use std::{
    cell::RefCell,
    io::{self, ErrorKind, IoSlice},
    mem,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use http::HeaderMap;

use super::{answer, head, wire::Wire};
use crate::{
    http1::{
        Bounds, Refusal, Span,
        chunked::{self, Decoder},
        fields::Field,
        framing::Framing,
        response,
    },
    proxy::{client::Client, strict::rewrite::Onward},
    tls::Certificate,
};

/// Bounds of heads that we have written ourselves.
const BOUNDS: Bounds = Bounds { size: 1 << 20, fields: 1024, lenient_query: false };
/// Most bytes of an answer handed over at once.
const PIECE: usize = 64 * 1024;

/// One request and its answer.
pub(crate) struct Front {
    client: Rc<Client>,
    wire: Wire,
    body: RefCell<Body>,
    reply: RefCell<Reply>,
    certificate: Option<Arc<Certificate>>,
}

/// What the client sends.
struct Body {
    stream: Option<RecvStream>,
    /// What is still to come of one whose length is known; others are read in chunks.
    left: Option<u64>,
    /// The last of its data, as long as the stream has not ended as it should: what is against its length, or followed by what
    /// no trailers have, may not be passed on (RFC 9113, 8.1.1).
    last: Bytes,
    /// How many trailers it may have.
    most_trailers: usize,
    ended: bool,
    /// Why it may not be passed on.
    refusal: Option<Refusal>,
    /// What comes before the data: the mark of a chunk, or the end of all.
    mark: Vec<u8>,
    data: Bytes,
}

/// What the client gets.
struct Reply {
    respond: SendResponse<Bytes>,
    body: Option<SendStream<Bytes>>,
    /// Whether all of it has been said.
    ended: bool,
    /// Whether its body was handed over without asking whether the windows have room for it.
    unasked: bool,
    /// Bytes that were gone over the connection at the last look.
    gone: u64,
}

impl Front {
    /// `stream`: its body, with the length that is told of that, and how many trailers it may have.
    pub(super) fn new(
        client: &Rc<Client>,
        (stream, (length, most_trailers)): (Option<RecvStream>, (Option<u64>, usize)),
        wire: Wire,
        respond: SendResponse<Bytes>,
        certificate: Option<Arc<Certificate>>,
    ) -> Self {
        let (mark, data, last) = Default::default();
        let body = Body { stream, left: length, last, most_trailers, ended: false, refusal: None, mark, data };
        let reply = Reply { respond, body: None, ended: false, unasked: false, gone: wire.gone() };
        Self { client: Rc::clone(client), wire, body: RefCell::new(body), reply: RefCell::new(reply), certificate }
    }

    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    /// Whether there is something to read. There is no end but that of the framing; a client that has left is an error.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reply.borrow_mut().poll_left(cx).is_ready() {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        self.body.borrow_mut().poll_fill(cx, &self.wire)
    }

    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_readable(cx))?;
        Poll::Ready(Ok(self.body.borrow_mut().take(into)))
    }

    /// Whether the client has left.
    pub(crate) fn has_left(&self, cx: &mut Context<'_>) -> bool {
        self.reply.borrow_mut().poll_left(cx).is_ready()
    }

    /// Whether nothing more comes: the client has sent all.
    pub(crate) fn is_read(&self) -> bool {
        self.body.borrow().stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    /// Takes an interim answer, or one of ours with all of its body.
    pub(crate) fn poll_write(&self, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let whole = pieces.iter().map(|piece| &piece[..]).collect::<Vec<_>>().concat();
        Poll::Ready(self.reply.borrow_mut().write(&whole).map(|()| whole.len()).ok_or(ErrorKind::InvalidData.into()))
    }

    /// Begins the answer of a backend; `false` if the client has left.
    pub(crate) fn begin(
        &self,
        bytes: &[u8],
        head: &response::Response,
        fields: &[Field],
        onward: Onward<'_>,
        is_bare: bool,
    ) -> bool {
        let length = match onward.framing {
            Framing::Length(length) => Some(length),
            Framing::None => onward.length_told,
            Framing::Chunked | Framing::Close => None,
        };
        let head = answer::head(bytes, head, fields, length, onward);
        self.reply.borrow_mut().begin(head, is_bare).is_some()
    }

    /// Begins an answer whose head is written in the words of HTTP/1.1, and takes it; `false` if the client has left.
    pub(crate) fn begin_written(&self, head: &mut Vec<u8>, is_bare: bool) -> bool {
        let mut reader = response::Reader::default();
        let Ok(Some(read)) = reader.read(head, false, BOUNDS) else { return false };
        let length = match read.framing {
            Framing::Length(length) => Some(length),
            _ => read.length_told,
        };
        let onward = Onward { length_told: read.length_told, ..Onward::as_read(read.framing) };
        let written = answer::head(head, &read, reader.fields(), length, onward);
        head.clear();
        self.reply.borrow_mut().begin(written, is_bare).is_some()
    }

    /// Sends data, and after it the end with these trailers; ready once all of it has been taken, and once all has gone out with
    /// the end.
    pub(crate) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        data: &mut Span,
        bytes: &[u8],
        end: Option<&[u8]>,
    ) -> Poll<io::Result<()>> {
        ready!(self.reply.borrow_mut().poll_send(cx, data, bytes, end))?;
        self.poll_flush(cx)
    }

    /// Ready once the answer has gone out, if it has been said to its end. Until then what goes out over the connection, of whichever
    /// answer, is taken by the client: what `h2` holds of one has room in its windows, and waits for nothing else. Of answers of
    /// ours nobody has asked that.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut reply = self.reply.borrow_mut();
        if !reply.ended {
            return Poll::Ready(Ok(()));
        }
        let gone = self.wire.poll_gone(reply.respond.stream_id(), cx.waker());
        let before = std::mem::replace(&mut reply.gone, self.wire.gone());
        let taken = if reply.unasked { 0 } else { usize::try_from(reply.gone - before).unwrap_or(usize::MAX) };
        self.client.takes(taken, gone.is_pending());
        match gone {
            Poll::Pending if reply.poll_reset(cx).is_pending() => Poll::Pending,
            Poll::Ready(true) => Poll::Ready(Ok(())),
            Poll::Ready(false) | Poll::Pending => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
        }
    }

    /// The answer is broken off, and the client shall know. What `h2` holds of it, up to `SEND_BUFFER`, is lost.
    pub(crate) fn break_off(&self) {
        let mut reply = self.reply.borrow_mut();
        match &mut reply.body {
            Some(body) => body.send_reset(Reason::INTERNAL_ERROR),
            None => reply.respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }
}

impl Body {
    fn poll_fill(&mut self, cx: &mut Context<'_>, wire: &Wire) -> Poll<io::Result<()>> {
        if let Some(refusal) = self.refusal {
            return Poll::Ready(Err(io::Error::other(refusal)));
        }
        while self.mark.is_empty() && self.data.is_empty() {
            let Some(stream) = self.stream.as_mut().filter(|_| !self.ended) else { return Poll::Pending };
            match ready!(stream.poll_data(cx)) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => match &mut self.left {
                    None => {
                        self.mark.extend_from_slice(chunked::mark(data.len()).bytes());
                        self.data = data;
                    }
                    Some(left) => {
                        *left = left.saturating_sub(data.len() as u64);
                        *if *left == 0 { &mut self.last } else { &mut self.data } = data;
                    }
                },
                Some(Err(error)) => return Poll::Ready(Err(trouble(error))),
                None => {
                    let trailers = ready!(stream.poll_trailers(cx)).map_err(trouble)?.unwrap_or_default();
                    let checked = wire.check_trailers(stream.stream_id()).and_then(|()| self.end(&trailers));
                    (self.ended, self.refusal) = (true, checked.err());
                    checked.map_err(io::Error::other)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The stream has ended: what was held back may be taken.
    fn end(&mut self, trailers: &HeaderMap) -> Result<(), Refusal> {
        let mut end = b"0\r\n".to_vec();
        head::trailers(&mut end, trailers);
        end.extend_from_slice(b"\r\n");
        if self.left.is_none() {
            self.mark = end;
        } else {
            // They have no place behind a body whose length is told, but are read all the same.
            Decoder::leaving_out(Vec::new(), self.most_trailers).next(&end, &mut 0)?;
            self.data = mem::take(&mut self.last);
        }
        Ok(())
    }

    /// Takes of what there is, and lets the client send as much more.
    fn take(&mut self, into: &mut [u8]) -> usize {
        let marked = self.mark.len().min(into.len());
        into[..marked].copy_from_slice(&self.mark[..marked]);
        self.mark.drain(..marked);
        let length = self.data.len().min(into.len() - marked);
        if length == 0 {
            return marked;
        }
        self.data.copy_to_slice(&mut into[marked..marked + length]);
        if self.left.is_none() && self.data.is_empty() {
            self.mark.extend_from_slice(b"\r\n");
        }
        if let Some(stream) = &mut self.stream {
            // It fails when the stream is over.
            drop(stream.flow_control().release_capacity(length));
        }
        marked + length
    }
}

/// A reset of ours is for what is against the head of the message (RFC 9113, 8.1.1); others are the client's.
fn trouble(error: h2::Error) -> io::Error {
    if error.is_library() && error.is_reset() {
        return io::Error::other(Refusal::Bad("the body is not what its head tells"));
    }
    io::Error::other(error)
}

impl Reply {
    /// Whether the client has left before all of it was said.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ended { Poll::Pending } else { self.poll_reset(cx) }
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.body {
            Some(body) => body.poll_reset(cx).map(drop),
            None => self.respond.poll_reset(cx).map(drop),
        }
    }

    fn write(&mut self, whole: &[u8]) -> Option<()> {
        let mut reader = response::Reader::default();
        let read = reader.read(whole, false, BOUNDS).ok()??;
        let onward = Onward::as_read(read.framing);
        let head = answer::head(whole, &read, reader.fields(), read.length_told, onward);
        if read.status < 200 {
            return self.respond.send_informational(head?).ok();
        }
        let body = &whole[read.length..];
        self.begin(head, body.is_empty())?;
        match &mut self.body {
            Some(stream) if !body.is_empty() => {
                (self.ended, self.unasked) = (true, true);
                stream.send_data(Bytes::copy_from_slice(body), true).ok()
            }
            _ => Some(()),
        }
    }

    fn begin(&mut self, head: Option<http::Response<()>>, is_bare: bool) -> Option<()> {
        self.body = Some(self.respond.send_response(head?, is_bare).ok()?);
        self.ended = is_bare;
        Some(())
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Span,
        bytes: &[u8],
        end: Option<&[u8]>,
    ) -> Poll<io::Result<()>> {
        let Some(stream) = self.body.as_mut().filter(|_| !self.ended) else { return Poll::Ready(Ok(())) };
        let is_last = end.is_some_and(<[u8]>::is_empty);
        while !data.is_empty() {
            stream.reserve_capacity(data.len().min(PIECE));
            let room = stream.capacity();
            if room == 0 {
                match ready!(stream.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                    None => return Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                }
            }
            let piece = Span { start: data.start, end: data.start + data.len().min(room) };
            data.start = piece.end;
            self.ended = is_last && data.is_empty();
            let sent = stream.send_data(Bytes::copy_from_slice(piece.of(bytes)), self.ended);
            sent.map_err(io::Error::other)?;
        }
        if let (Some(trailers), false) = (end, self.ended) {
            self.ended = true;
            let ended = match answer::trailers(trailers) {
                Some(trailers) if !trailers.is_empty() => stream.send_trailers(trailers),
                _ => stream.send_data(Bytes::new(), true),
            };
            ended.map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Front").finish_non_exhaustive()
    }
}
