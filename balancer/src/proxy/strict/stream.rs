//! A connection as the engine uses it: to a client or a backend, over TCP, TLS, HTTP/2 or a unix socket, read and written through
//! a shared reference so that both directions can be under way in one task.
//!
//! What is read short has emptied the kernel's buffer, and what is written short has filled it. Saying so to the runtime
//! saves the system call that would only find that out.

use std::{
    io::{self, ErrorKind, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    task::{Context, Poll, ready},
};

use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use tokio::{
    io::Interest,
    net::{TcpStream, UnixStream},
};

use super::{http2::Front, secure::Secure};
use crate::{proxy::upstream::Held, tls::Certificate};

/// Most bytes that the kernel has for a reader and has not sent. It tells of room once half of them are left: at least as
/// often as a reader at the lowest rate has to show that it goes on. Without this it may take megabytes, and tells once a
/// third of all has gone.
const UNSENT: u32 = 64 * 1024;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Secure>),
    /// One request of a connection that has many.
    Http2(Box<Front>),
}

/// The same call for both kinds of socket, others for TLS and HTTP/2.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr, $secure:ident => $other:expr, $front:ident => $third:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            Stream::Unix($inner) => $call,
            Stream::Tls($secure) => $other,
            Stream::Http2($front) => $third,
        }
    };
}

/// Looks whether something has come over a connection that was just accepted. The runtime takes it for granted, and who
/// waits for a client that says nothing would hold what a request needs.
pub(super) fn settle(stream: &TcpStream) {
    drop(stream.try_io(Interest::READABLE, || Ok(peek(stream.as_fd())?)));
}

/// Has the kernel show how a long answer is taken. What is on its way is not bounded by this, so no link is slower for it.
pub(super) fn show_progress(fd: BorrowedFd<'_>) {
    drop(SockRef::from(&fd).set_tcp_notsent_lowat(UNSENT));
}

/// Whether a client begins with a letter, as HTTP does, and TLS does not.
pub(super) fn begins_in_letters(stream: &TcpStream) -> bool {
    let mut first = [0];
    recv(stream, &mut first, RecvFlags::PEEK | RecvFlags::DONTWAIT).is_ok() && first[0].is_ascii_alphabetic()
}

/// How much the kernel has, of one byte; 0 is the end.
fn peek(fd: BorrowedFd<'_>) -> rustix::io::Result<usize> {
    recv(fd, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT).map(|(_, length)| length)
}

impl Stream {
    /// Whether there may be something to read, or an end.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read_ready(cx), secure => secure.poll_readable(cx), front => front.poll_readable(cx))
    }

    /// Reads; 0 is the end.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let read = either!(self, stream => {
                ready!(stream.poll_read_ready(cx))?;
                stream.try_read(into)
            }, secure => return secure.poll_read(cx, into), front => return front.poll_read(cx, into));
            match read {
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

    /// Writes some of it. Under TLS it has gone out only once [`poll_flush`](Self::poll_flush) is ready.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        loop {
            let written = either!(self, stream => {
                ready!(stream.poll_write_ready(cx))?;
                match pieces {
                    [piece] => stream.try_write(piece),
                    pieces => stream.try_write_vectored(pieces),
                }
            }, secure => return secure.poll_write(cx, pieces), front => return front.poll_write(pieces));
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

    /// Whether everything that was written has been given to the kernel.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, _stream => Poll::Ready(Ok(())), secure => secure.poll_flush(cx), front => front.poll_flush(cx))
    }

    /// Whether the other side has neither closed it nor said anything, as the kernel knows it now.
    pub(crate) fn is_silent(&self) -> bool {
        self.peek() == Err(rustix::io::Errno::AGAIN)
    }

    /// Whether the other side has broken it off, whatever it had said before.
    pub(crate) fn is_broken(&self, cx: &mut Context<'_>) -> bool {
        match self.front() {
            Some(front) => front.has_left(cx),
            // Not by reading: what came before stands in the way.
            None => {
                self.with_fd(|fd| SockRef::from(&fd).take_error()).is_some_and(|error| matches!(error, Ok(Some(_))))
            }
        }
    }

    /// Whether there are bytes of the other side that nobody has read.
    pub(crate) fn has_unread(&self) -> bool {
        matches!(self.peek(), Ok(1..))
            || either!(self, _stream => false, secure => secure.has_unread(), _front => false)
    }

    /// Closes our direction: the other side reads to the end and knows that it is one.
    pub(crate) fn finish(&self) {
        self.say_goodbye();
        // It fails when the other side is gone already.
        self.with_fd(|fd| drop(SockRef::from(&fd).shutdown(std::net::Shutdown::Write)));
    }

    /// Says in the words of TLS that nothing more comes, before the connection is closed.
    pub(crate) fn say_goodbye(&self) {
        either!(self, _stream => {}, secure => secure.say_goodbye(), _front => {});
    }

    /// Has the kernel acknowledge what was read, in the middle of a message. It would wait for up to 40 ms for something of ours
    /// to go with it, and a sender that holds small pieces back until then (Nagle's algorithm, RFC 896) would hold the rest.
    pub(crate) fn acknowledge(&self) {
        if !matches!(self, Self::Unix(_)) {
            self.with_fd(|fd| {
                let socket = SockRef::from(&fd);
                // Off again, or the next would not go with what we say either.
                drop(socket.set_tcp_quickack(true).and_then(|()| socket.set_tcp_quickack(false)));
            });
        }
    }

    /// A long answer goes out: how it is taken shall be seen.
    pub(crate) fn shows_progress(&self) {
        self.with_fd(show_progress);
    }

    /// Whether closing it looks like an accident: to a reader for whom the end is the end of a body, before that is whole.
    pub(crate) fn breaks_off(&self, breaks_off: bool) {
        either!(self, _stream => {}, secure => secure.breaks_off(breaks_off), _front => {});
        let linger = breaks_off.then_some(std::time::Duration::ZERO);
        self.with_fd(|fd| drop(SockRef::from(&fd).set_linger(linger)));
    }

    /// For HTTP/2, what stands for the request there.
    pub(crate) fn front(&self) -> Option<&Front> {
        match self {
            Self::Http2(front) => Some(front),
            Self::Tcp(_) | Self::Unix(_) | Self::Tls(_) => None,
        }
    }

    /// The certificate that the client has seen.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        either!(self, _stream => None, secure => secure.certificate(), front => front.certificate())
    }

    fn peek(&self) -> rustix::io::Result<usize> {
        self.with_fd(peek).unwrap_or(Err(rustix::io::Errno::AGAIN))
    }

    /// Of a connection of its own.
    fn with_fd<T>(&self, look: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
        either!(self, stream => Some(look(stream.as_fd())), secure => Some(secure.with_fd(look)), _front => None)
    }

    fn no_longer(&self, interest: Interest) {
        let nothing = || Err::<(), _>(io::Error::from(ErrorKind::WouldBlock));
        either!(self, stream => drop(stream.try_io(interest, nothing)), _secure => {}, _front => {});
    }
}

impl Held for Stream {
    fn is_spent(&self) -> bool {
        // No system call unless the runtime has seen something happen.
        let read = either!(self, stream => stream.try_read(&mut [0]), _secure => Ok(0), _front => Ok(0));
        !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    fn is_ready(&self) -> bool {
        true
    }
}
