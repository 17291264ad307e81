//! A client's connection under TLS, used through a shared reference like any other [`Stream`](super::stream::Stream).

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::tls::{Book, Certificate};

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Secure {
    inner: RefCell<TlsStream<TcpStream>>,
    /// What we have shown to the client.
    certificate: Option<Arc<Certificate>>,
    breaks_off: Cell<bool>,
}

impl Secure {
    pub(crate) fn new(stream: TlsStream<TcpStream>, book: &Book) -> Self {
        let certificate = book.choose(stream.get_ref().1.server_name());
        Self { inner: RefCell::new(stream), certificate, breaks_off: Cell::new(false) }
    }

    /// Whether both sides have agreed to speak this.
    pub(super) fn speaks(&self, protocol: &[u8]) -> bool {
        self.inner.borrow().get_ref().1.alpn_protocol() == Some(protocol)
    }

    /// For a protocol that drives the connection itself, with the certificate that the client has seen.
    pub(super) fn into_parts(self) -> (TlsStream<TcpStream>, Option<Arc<Certificate>>) {
        (self.inner.into_inner(), self.certificate)
    }

    /// The certificate that the client has seen.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let readable = Pin::new(&mut *self.inner.borrow_mut()).poll_fill_buf(cx).map_ok(|_| ());
        self.reply(cx, readable.is_pending());
        readable
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(into);
        let read = Pin::new(&mut *self.inner.borrow_mut()).poll_read(cx, &mut into);
        self.reply(cx, read.is_pending());
        ready!(read)?;
        Poll::Ready(Ok(into.filled().len()))
    }

    /// Sends what TLS itself has to say to what came, such as a refusal to negotiate again, where nothing of ours would take
    /// it along. A new key that was asked for goes with what is written next.
    fn reply(&self, cx: &mut Context<'_>, waits: bool) {
        let mut inner = self.inner.borrow_mut();
        if waits && inner.get_ref().1.wants_write() {
            drop(Pin::new(&mut *inner).poll_flush(cx));
        }
    }

    /// Takes some of it. What is taken has gone out once [`poll_flush`](Self::poll_flush) is ready.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner.borrow_mut()).poll_write_vectored(cx, pieces)
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner.borrow_mut()).poll_flush(cx)
    }

    /// Whether something of the client has come that nobody has read.
    pub(super) fn has_unread(&self) -> bool {
        !self.inner.borrow().get_ref().1.wants_read()
    }

    /// Says that nothing more comes, if the socket takes that now.
    pub(super) fn say_goodbye(&self) {
        if !self.breaks_off.get() {
            let mut inner = self.inner.borrow_mut();
            inner.get_mut().1.send_close_notify();
            drop(Pin::new(&mut *inner).poll_flush(&mut Context::from_waker(Waker::noop())));
        }
    }

    pub(super) fn breaks_off(&self, breaks_off: bool) {
        self.breaks_off.set(breaks_off);
    }

    pub(super) fn with_fd<T>(&self, look: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        look(self.inner.borrow().get_ref().0.as_fd())
    }
}
