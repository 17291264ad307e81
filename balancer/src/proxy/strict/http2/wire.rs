//! The connection below `h2`: what comes in goes through the [`watch`](super::watch), and what goes out is gathered until there is
//! nothing more to be said, so that the answers to many requests share a record of TLS and a system call.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use h2::{Reason, StreamId};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{going::Going, recode::Odd, watch::Watch};
use crate::{
    http1::Refusal,
    proxy::{client::Client, worker::Worker},
};

/// Bytes that are gathered before more are taken.
const GATHERED: usize = 64 * 1024;

/// The connection; all clones are the same.
#[derive(Clone)]
pub(super) struct Wire(Rc<RefCell<Inner>>);

struct Inner {
    stream: TlsStream<TcpStream>,
    worker: Rc<Worker>,
    out: Gathered,
    /// What has come and was not looked at, and what goes to the library, with how far it has gone there.
    input: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
    watch: Watch,
    going: Going,
    /// Whether what the client sends next is waited for: not while there is something that nobody has read.
    waits: bool,
    /// Why the connection has to end.
    end: Option<Reason>,
    /// Whether it knows of that.
    told: bool,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>, worker: &Rc<Worker>) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            stream,
            worker: Rc::clone(worker),
            out: Gathered::default(),
            input: Vec::new(),
            ready: Vec::new(),
            taken: 0,
            watch: Watch::new(worker.limits.head_size),
            going: Going::default(),
            waits: false,
            end: None,
            told: false,
        })))
    }

    /// Why the connection has to end by what the client has sent; says so once.
    pub(super) fn refusal(&self) -> Option<Reason> {
        let mut inner = self.0.borrow_mut();
        let end = inner.end?;
        (!std::mem::replace(&mut inner.told, true)).then_some(end)
    }

    /// A request has come; what is wrong with its head. To be asked once, in their order.
    pub(super) fn begin(&self, stream: StreamId) -> Option<Odd> {
        let inner = &mut *self.0.borrow_mut();
        inner.going.begin(stream.into());
        inner.watch.odd(stream.into())
    }

    /// What is wrong with its trailers, once they have come.
    pub(super) fn check_trailers(&self, stream: StreamId) -> Result<(), Refusal> {
        self.0.borrow().watch.refusal_of_trailers(stream.into()).map_or(Ok(()), Err)
    }

    /// The request has ended.
    pub(super) fn forget(&self, stream: StreamId) {
        let inner = &mut *self.0.borrow_mut();
        inner.watch.forget(stream.into());
        inner.going.forget(stream.into());
    }

    /// Ready once an answer has gone out, or the connection is over: whether it has.
    pub(super) fn poll_gone(&self, stream: StreamId, waker: &Waker) -> Poll<bool> {
        self.0.borrow_mut().going.poll(stream.into(), waker)
    }

    /// Bytes that are gone, of whichever answers.
    pub(super) fn gone(&self) -> u64 {
        self.0.borrow().going.gone()
    }

    /// Nothing goes out any more.
    pub(super) fn end(&self) {
        self.0.borrow_mut().going.end();
    }

    /// Whether another head or frame has begun since this was asked.
    pub(super) fn has_moved(&self) -> bool {
        self.0.borrow_mut().watch.has_moved()
    }

    /// Whether a part of a head has come, and the rest is waited for.
    pub(super) fn is_in_head(&self) -> bool {
        let inner = self.0.borrow();
        inner.waits && inner.watch.is_in_head()
    }

    /// Sends what was gathered.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_drain(cx)
    }

    /// Holds no memory while nothing is said.
    pub(super) fn rest(&self) {
        let inner = &mut *self.0.borrow_mut();
        inner.out.rest();
        inner.input.shrink_to_fit();
        if inner.ready.is_empty() {
            inner.ready = Vec::new();
        }
        inner.watch.rest();
    }

    /// Closes our direction, and reads what the client still sends, for a bounded time, until it has closed its own: unread, or come
    /// behind our end, it would be answered with a reset that takes our last words with it.
    pub(super) async fn leave(&self, client: &Client, longest: Duration) {
        let closed = poll_fn(|cx| self.0.borrow_mut().poll_close(cx)).await;
        self.end();
        if closed.is_err() {
            return;
        }
        let worker = Rc::clone(&self.0.borrow().worker);
        let until = worker.clock.now() + longest;
        poll_fn(|cx| {
            let inner = &mut *self.0.borrow_mut();
            let mut bytes = [0; 4096];
            loop {
                let mut into = ReadBuf::new(&mut bytes);
                match ready!(Pin::new(&mut inner.stream).poll_read(cx, &mut into)) {
                    Ok(()) if !into.filled().is_empty() && worker.clock.now() < until => client.progress(),
                    _ => return Poll::Ready(()),
                }
            }
        })
        .await;
    }
}

impl Inner {
    /// Gives the library what is ready for it; `false` if there is nothing.
    fn give(&mut self, into: &mut ReadBuf<'_>) -> bool {
        let length = into.remaining().min(self.ready.len() - self.taken);
        into.put_slice(&self.ready[self.taken..self.taken + length]);
        self.taken += length;
        if self.taken == self.ready.len() {
            self.ready.clear();
            self.taken = 0;
        }
        length > 0
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.left().is_empty() {
            let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, self.out.left()))?;
            self.out.go(taken);
            self.going.go(taken, self.worker.clock.now());
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.going.arrive();
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn gather(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        for piece in pieces {
            self.out.add(piece);
            self.going.write(piece);
        }
        pieces.iter().map(|piece| piece.len()).sum()
    }

    /// Reads what the client has sent.
    fn poll_take(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let taken = Pin::new(&mut self.stream).poll_read(cx, into);
        self.waits = taken.is_pending();
        taken
    }
}

/// What is gathered to go out. It holds that and at most [`GATHERED`] of what has gone, however long it does not come to an end.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    gone: usize,
}

impl Gathered {
    fn left(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    /// So much of it has gone.
    fn go(&mut self, length: usize) {
        self.gone += length;
        if self.gone == self.bytes.len() {
            self.bytes.clear();
            self.gone = 0;
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.gone > GATHERED {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Holds no memory if nothing is left.
    fn rest(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        loop {
            if inner.give(into) {
                return Poll::Ready(Ok(()));
            }
            if inner.end.is_some() {
                return Poll::Pending;
            }
            if inner.input.is_empty() {
                let before = into.filled().len();
                ready!(inner.poll_take(cx, into))?;
                let read = &into.filled()[before..];
                if inner.watch.is_plain(read.len()) {
                    inner.watch.passed(read.len());
                    return Poll::Ready(Ok(()));
                }
                if read.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                inner.input.extend_from_slice(read);
                into.set_filled(before);
            }
            let second = inner.worker.clock.now().as_secs();
            match inner.watch.pass(&inner.input, &mut inner.ready, second, inner.going.gone()) {
                Ok(passed) => drop(inner.input.drain(..passed)),
                Err(end) => inner.end = Some(end),
            }
            let going = &inner.going;
            inner.watch.forget_all_but(|stream| going.may_be_asked(stream));
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let inner = &mut *self.0.borrow_mut();
        if inner.out.left().len() >= GATHERED {
            ready!(inner.poll_drain(cx))?;
        }
        Poll::Ready(Ok(inner.gather(pieces)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing to be done yet: [`Wire::poll_drain`] does it for all.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_is_not_held_though_something_is_always_left() {
        let (mut out, mut all) = (Gathered::default(), 0_usize);
        for _ in 0..10_000 {
            let piece: Vec<u8> = (all..all + 1000).map(|byte| byte as u8).collect();
            out.add(&piece);
            all += piece.len();
            if out.left().len() > 30_000 {
                out.go(out.left().len() - 5);
                assert!(out.left().iter().rev().zip(piece.iter().rev()).all(|(left, added)| left == added));
            }
        }
        assert_eq!((out.left().len() <= 31_000, out.bytes.capacity() < 4 * GATHERED), (true, true));
        out.go(out.left().len());
        out.rest();
        assert_eq!(out.bytes.capacity(), 0);
    }
}
