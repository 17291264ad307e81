//! The version of answers: the library gives an old client its own, a server gives the highest that it speaks (RFC 9110, 6.2).

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::http1::Version;

/// What is written in place of the library's version.
const ANSWERED: &[u8] = Version::ANSWERED.name().as_bytes();

/// What requests above the library and the connection below it tell each other. They are of one task; that it could go from
/// thread to thread is what the library wants of tunnels.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Whether something was written that the library may have more of.
    is_busy: AtomicBool,
    /// Whether somebody waits for the end of that.
    waits: AtomicBool,
    /// Bytes of the version that are still to be written in place of the library's.
    left: AtomicUsize,
}

impl Line {
    /// Once all before it has gone out: what comes next is an answer that the library begins with the client's version.
    pub(super) async fn begins_old(&self) {
        poll_fn(|_| {
            if self.is_busy.load(Relaxed) {
                self.waits.store(true, Relaxed);
                return Poll::Pending;
            }
            self.left.store(ANSWERED.len(), Relaxed);
            Poll::Ready(())
        })
        .await;
    }
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Spoken {
    stream: TcpStream,
    line: Arc<Line>,
}

impl Spoken {
    pub(super) fn new(stream: TcpStream, line: &Arc<Line>) -> Self {
        Self { stream, line: Arc::clone(line) }
    }
}

impl AsyncRead for Spoken {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Spoken {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, line } = self.get_mut();
        line.is_busy.store(true, Relaxed);
        let left = line.left.load(Relaxed);
        let first = pieces.iter().find(|piece| !piece.is_empty()).filter(|_| left > 0);
        let Some(first) = first else { return Pin::new(stream).poll_write_vectored(cx, pieces) };
        let length = left.min(first.len());
        let start = ANSWERED.len() - left;
        let pieces = [IoSlice::new(&ANSWERED[start..start + length]), IoSlice::new(&first[length..])];
        Pin::new(stream).poll_write_vectored(cx, &pieces).map_ok(|written| {
            line.left.store(left - written.min(length), Relaxed);
            written
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The library does so once it has written all there is.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, line } = self.get_mut();
        line.is_busy.store(false, Relaxed);
        if line.waits.swap(false, Relaxed) {
            cx.waker().wake_by_ref();
        }
        Pin::new(stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
