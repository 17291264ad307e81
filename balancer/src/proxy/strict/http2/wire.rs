//! The connection below `h2`: it counts the frames that come in, and gathers what goes out until there is nothing more to
//! be said, so that the answers to many requests share a record of TLS and a system call.

use std::{
    cell::RefCell,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use h2::{Reason, StreamId};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::watch::{Verdict, Watch};
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
    out: Vec<u8>,
    /// How much of it has gone.
    gone: usize,
    watch: Watch,
    /// Bytes that went out in this second.
    sent: u64,
    second: u64,
    verdict: Verdict,
    /// Whether the connection knows of a bad one.
    told: bool,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>, worker: &Rc<Worker>) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            stream,
            worker: Rc::clone(worker),
            out: Vec::new(),
            gone: 0,
            watch: Watch::default(),
            sent: 0,
            second: 0,
            verdict: Verdict::Good,
            told: false,
        })))
    }

    /// Why the connection has to end by what the client has sent; says so once.
    pub(super) fn refusal(&self) -> Option<Reason> {
        let mut inner = self.0.borrow_mut();
        let reason = match inner.verdict {
            Verdict::Good => return None,
            Verdict::Flood => Reason::ENHANCE_YOUR_CALM,
            Verdict::Unsettled => Reason::PROTOCOL_ERROR,
            Verdict::Misshapen => Reason::FRAME_SIZE_ERROR,
            Verdict::Garbled => Reason::COMPRESSION_ERROR,
        };
        (!std::mem::replace(&mut inner.told, true)).then_some(reason)
    }

    /// What is wrong with a request that the library lets pass: of its head, and of its trailers once they have come.
    pub(super) fn check(&self, stream: StreamId) -> Result<(), Refusal> {
        let oddity = self.0.borrow().watch.oddity(stream.into());
        oddity.map_or(Ok(()), |oddity| Err(Refusal::Bad(oddity.as_str())))
    }

    /// Whether a part of a head has come, and the rest has not.
    pub(super) fn is_in_head(&self) -> bool {
        self.0.borrow().watch.is_in_head()
    }

    /// Sends what was gathered.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_drain(cx)
    }

    /// Holds no memory while nothing is said.
    pub(super) fn rest(&self) {
        self.0.borrow_mut().out.shrink_to_fit();
    }

    /// Closes our direction, and reads what the client still sends, up to a bound: unread, it would end in a reset that
    /// takes our last words with it.
    pub(super) async fn leave(&self, client: &Client, most: usize) {
        if poll_fn(|cx| self.0.borrow_mut().poll_close(cx)).await.is_err() {
            return;
        }
        let mut left = most;
        poll_fn(|cx| {
            let inner = &mut *self.0.borrow_mut();
            let mut bytes = [0; 4096];
            loop {
                let mut into = ReadBuf::new(&mut bytes);
                let read = Pin::new(&mut inner.stream).poll_read(cx, &mut into).map_ok(|()| into.filled().len());
                match read {
                    Poll::Ready(Ok(1..)) if left > 0 => left = left.saturating_sub(into.filled().len()),
                    Poll::Pending if !client.is_let_go() => return Poll::Pending,
                    Poll::Ready(_) | Poll::Pending => return Poll::Ready(()),
                }
            }
        })
        .await;
    }
}

impl Inner {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.gone < self.out.len() {
            self.gone += ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out[self.gone..]))?;
        }
        self.out.clear();
        self.gone = 0;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn gather(&mut self, pieces: &[IoSlice<'_>]) -> usize {
        let before = self.out.len();
        pieces.iter().for_each(|piece| self.out.extend_from_slice(piece));
        let length = self.out.len() - before;
        self.look_at_clock();
        self.sent += length as u64;
        length
    }

    fn look_at_clock(&mut self) {
        let now = self.worker.clock.now().as_secs();
        if self.second != now {
            (self.second, self.sent) = (now, 0);
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.borrow_mut();
        if inner.verdict != Verdict::Good {
            return Poll::Pending;
        }
        let before = into.filled().len();
        ready!(Pin::new(&mut inner.stream).poll_read(cx, into))?;
        inner.look_at_clock();
        inner.verdict = inner.watch.see(&into.filled()[before..], inner.second, inner.sent);
        if matches!(inner.verdict, Verdict::Unsettled | Verdict::Misshapen | Verdict::Garbled) {
            // The library might take it, or call it something else.
            into.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
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
        if inner.out.len() - inner.gone >= GATHERED {
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
