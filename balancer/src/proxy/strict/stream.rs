//! A connection as the engine uses it: to a client or a backend, over TCP or a unix socket, read and written through a
//! shared reference so that both directions can be under way in one task.
//!
//! What is read short has emptied the kernel's buffer, and what is written short has filled it. Saying so to the runtime
//! saves the system call that would only find that out.

use std::{
    io::{self, ErrorKind, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpStream, UnixStream},
};

use crate::proxy::upstream::Held;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The same call for both kinds.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            Stream::Unix($inner) => $call,
        }
    };
}

impl Stream {
    /// Whether there may be something to read, or an end.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read_ready(cx))
    }

    /// Reads; 0 is the end.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_readable(cx))?;
            match either!(self, stream => stream.try_read(into)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(read) => {
                    if read > 0 && read < into.len() {
                        self.no_longer(Interest::READABLE);
                    }
                    return Poll::Ready(Ok(read));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Writes some of it.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        loop {
            ready!(either!(self, stream => stream.poll_write_ready(cx)))?;
            let written = match pieces {
                [piece] => either!(self, stream => stream.try_write(piece)),
                pieces => either!(self, stream => stream.try_write_vectored(pieces)),
            };
            match written {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(written) => {
                    if written < length {
                        self.no_longer(Interest::WRITABLE);
                    }
                    return Poll::Ready(Ok(written));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Whether the other side has neither closed it nor said anything, as the kernel knows it now.
    pub(crate) fn is_silent(&self) -> bool {
        let fd = either!(self, stream => stream.as_fd());
        recv(fd, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) == Err(rustix::io::Errno::AGAIN)
    }

    /// Whether the kernel holds bytes of the other side.
    pub(crate) fn has_unread(&self) -> bool {
        let fd = either!(self, stream => stream.as_fd());
        matches!(recv(fd, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT), Ok((_, 1..)))
    }

    /// Closes our direction: the other side reads to the end and knows that it is one.
    pub(crate) fn finish(&self) {
        // It fails when the other side is gone already.
        drop(SockRef::from(self).shutdown(std::net::Shutdown::Write));
    }

    /// Whether closing it looks like an accident: to a reader for whom the end is the end of a body, before that is whole.
    pub(crate) fn breaks_off(&self, breaks_off: bool) {
        drop(SockRef::from(self).set_linger(breaks_off.then_some(std::time::Duration::ZERO)));
    }

    fn no_longer(&self, interest: Interest) {
        let nothing = || Err::<(), _>(io::Error::from(ErrorKind::WouldBlock));
        drop(either!(self, stream => stream.try_io(interest, nothing)));
    }
}

impl Held for Stream {
    fn is_spent(&self) -> bool {
        // No system call unless the runtime has seen something happen.
        let read = either!(self, stream => stream.try_read(&mut [0]));
        !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    fn is_ready(&self) -> bool {
        true
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, stream => stream.as_fd())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}
