//! A backend as one thread sees it: the connections the thread holds to it, and how new ones are made.

use std::{cell::RefCell, io, rc::Rc, sync::Arc, time::Duration};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::body::RequestBody;
use crate::backend::{Address, Backend};

/// One end of a connection to a backend.
pub(crate) type Sender = SendRequest<RequestBody>;

/// A backend and the idle connections to it.
pub(crate) struct Upstream {
    pub(crate) backend: Arc<Backend>,
    idle: RefCell<Vec<Idle>>,
    most_idle: usize,
}

struct Idle {
    sender: Sender,
    until: u32,
}

impl Upstream {
    pub(crate) fn new(backend: Arc<Backend>, most_idle: usize) -> Self {
        Self { backend, idle: RefCell::default(), most_idle }
    }

    /// The connection that was used last and is ready for a request: the one least likely to be closed by the backend.
    pub(crate) fn take_idle(&self, now: u32) -> Option<Sender> {
        let mut idle = self.idle.borrow_mut();
        let mut place = idle.len();
        while place > 0 {
            place -= 1;
            let candidate = &idle[place];
            if candidate.sender.is_closed() || candidate.until < now {
                idle.swap_remove(place);
            } else if candidate.sender.is_ready() {
                // `remove`, not `swap_remove`: the order is the age. Nearly always it is the last one.
                return Some(idle.remove(place).sender);
            }
        }
        None
    }

    /// Drops what is closed or too old.
    pub(crate) fn sweep(&self, now: u32) {
        self.idle.borrow_mut().retain(|idle| !idle.sender.is_closed() && idle.until >= now);
    }

    /// Makes a new connection; its task ends with it.
    pub(crate) async fn connect(&self, deadline: Duration, tasks: &TaskTracker) -> io::Result<Sender> {
        match &self.backend.address {
            Address::Tcp(address) => {
                let stream = within(deadline, TcpStream::connect(address)).await?;
                stream.set_nodelay(true)?;
                open(stream, tasks).await
            }
            Address::Unix(path) => open(within(deadline, UnixStream::connect(path)).await?, tasks).await,
        }
    }
}

async fn within<T>(deadline: Duration, connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(deadline, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn open<S>(stream: S, tasks: &TaskTracker) -> io::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Its errors reach the request that they hit; one on an idle connection only means that it is closed.
    tasks.spawn_local(async { drop(connection.with_upgrades().await) });
    Ok(sender)
}

/// Counts a request as in flight at its backend for as long as it lives.
pub(crate) struct InFlight(Rc<Upstream>);

impl InFlight {
    pub(crate) fn begin(upstream: &Rc<Upstream>) -> Self {
        upstream.backend.begin();
        Self(Rc::clone(upstream))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.backend.end();
    }
}

/// A connection in use by one request. Dropped without being given back it is closed, and with it what was asked.
pub(crate) struct Lease {
    pub(crate) sender: Sender,
    pub(crate) in_flight: InFlight,
    /// The tick until which it may be idle once it is given back.
    pub(crate) until: u32,
}

impl Lease {
    /// The answer is complete: the connection may be used again.
    pub(crate) fn give_back(self) {
        let upstream = &self.in_flight.0;
        let mut idle = upstream.idle.borrow_mut();
        if !self.sender.is_closed() && idle.len() < upstream.most_idle {
            idle.push(Idle { sender: self.sender, until: self.until });
        }
    }
}
