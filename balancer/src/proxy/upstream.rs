//! A backend as one thread sees it: the connections the thread holds to it, and how new ones are made.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::{hyper::body::RequestBody, strict::stream::Stream};
use crate::{
    backend::{Address, Backend},
    descriptors,
    metrics::book::BackendCounts,
    queue::Queue,
    select::{ewma::Ewma, sticky::Token},
};

/// One end of a connection to a backend.
pub(crate) type Sender = SendRequest<RequestBody>;

/// A connection that can be idle.
pub(crate) trait Held {
    /// Whether the backend has closed it, or has said what nobody asked for, as far as we know.
    fn is_spent(&self) -> bool;
    /// Whether it can take a request.
    fn is_ready(&self) -> bool;
}

impl Held for Sender {
    fn is_spent(&self) -> bool {
        self.is_closed()
    }

    fn is_ready(&self) -> bool {
        SendRequest::is_ready(self)
    }
}

/// Idle connections to one backend, the one used last at the end.
pub(crate) struct Idle<C>(RefCell<Vec<(C, Duration)>>);

impl<C: Held> Idle<C> {
    fn new() -> Self {
        Self(RefCell::default())
    }

    /// The connection that was used last and is ready for a request: the one least likely to be closed by the backend.
    pub(crate) fn take(&self, now: Duration) -> Option<C> {
        let mut idle = self.0.borrow_mut();
        let mut place = idle.len();
        while place > 0 {
            place -= 1;
            let (candidate, until) = &idle[place];
            if candidate.is_spent() || *until <= now {
                idle.swap_remove(place);
            } else if candidate.is_ready() {
                // `remove`, not `swap_remove`: the order is the age. Nearly always it is the last one.
                return Some(idle.remove(place).0);
            }
        }
        None
    }

    /// Keeps a connection until then, if there is room.
    pub(crate) fn keep(&self, connection: C, until: Duration, most: usize) {
        let mut idle = self.0.borrow_mut();
        if idle.len() < most && !connection.is_spent() {
            idle.push((connection, until));
        }
    }

    fn sweep(&self, now: Duration) {
        self.0.borrow_mut().retain(|(connection, until)| !connection.is_spent() && *until > now);
    }
}

/// A backend and the idle connections to it.
pub(crate) struct Upstream {
    pub(crate) backend: Arc<Backend>,
    /// Those of hyper.
    pub(crate) senders: Idle<Sender>,
    /// Our own.
    pub(crate) streams: Idle<Stream>,
    pub(crate) most_idle: usize,
    /// How long answers take lately.
    pub(crate) latency: Cell<Ewma>,
    /// Since when it serves: what it was like before says nothing.
    since: Cell<Option<Instant>>,
    /// What the cookie of its clients holds, if they have one.
    pub(crate) token: Option<Token>,
    /// What the thread counts about it.
    pub(crate) counts: Arc<BackendCounts>,
    /// Since when its queue of connections was found full each time, and the last time.
    full: Cell<Option<(Instant, Instant)>>,
    /// Who waits for one of its places, if they are counted.
    queue: Option<Arc<Queue>>,
}

impl Upstream {
    pub(crate) fn new(
        backend: Arc<Backend>,
        most_idle: usize,
        queue: &Arc<Queue>,
        token: Option<Token>,
        counts: Arc<BackendCounts>,
    ) -> Self {
        let queue = backend.terms.max_conns.is_some().then(|| Arc::clone(queue));
        let (senders, streams) = (Idle::new(), Idle::new());
        let (latency, since) = (Cell::default(), Cell::default());
        let full = Cell::default();
        Self { backend, senders, streams, most_idle, latency, since, token, counts, full, queue }
    }

    /// Its queue of connections is found full. Returns whether that has lasted for so long, and begins anew then.
    pub(crate) fn found_full(&self, longest: Duration) -> bool {
        let (since, lasts) = lasting(self.full.get(), Instant::now(), longest);
        self.full.set(Some((since, Instant::now())));
        lasts
    }

    /// It serves since then. A thread may see none of what came before, but this it does see.
    pub(crate) fn serves_since(&self, since: Instant) {
        if self.since.replace(Some(since)) != Some(since) {
            self.latency.set(Ewma::default());
        }
    }

    /// Whether it serves since then, for all the thread knows.
    pub(crate) fn is_since(&self, since: Instant) -> bool {
        self.since.get() == Some(since)
    }

    /// Drops what is closed or too old.
    pub(crate) fn sweep(&self, now: Duration) {
        self.senders.sweep(now);
        self.streams.sweep(now);
    }

    /// Makes a new connection.
    pub(crate) async fn dial(&self, deadline: Duration) -> io::Result<Stream> {
        let stream = match &self.backend.address {
            Address::Tcp(address) => {
                let stream = within(deadline, TcpStream::connect(address)).await?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            Address::Unix(path) => Stream::Unix(within(deadline, UnixStream::connect(path)).await?),
        };
        self.counts.connections.add_one();
        self.full.set(None);
        Ok(stream)
    }

    /// Makes a new connection for hyper; its task ends with it.
    pub(crate) async fn connect(&self, deadline: Duration, tasks: &TaskTracker) -> io::Result<Sender> {
        match self.dial(deadline).await? {
            Stream::Tcp(stream) => open(stream, tasks).await,
            Stream::Unix(stream) => open(stream, tasks).await,
            Stream::Tls(_) | Stream::Http2(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Since when something lasts that is found now, given since when and when it was found before, and whether it has lasted for so
/// long; it begins anew then, and after it was not found for so long. Pure.
fn lasting(before: Option<(Instant, Instant)>, now: Instant, longest: Duration) -> (Instant, bool) {
    let passed = |from: Instant| now.saturating_duration_since(from);
    match before {
        Some((since, last)) if passed(last) <= longest => {
            let lasts = passed(since) >= longest;
            (if lasts { now } else { since }, lasts)
        }
        _ => (now, false),
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

/// Why a connection could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// Nobody is there. No client can bring that about.
    Absent,
    /// Nobody came to the door in time; it may be busy.
    Late,
    /// Its queue of connections is full: it is busy.
    Busy,
    /// Every way to it is taken: no port of ours is free.
    Crowded,
    /// This machine or process has no more of what it takes. Clients could use that up to put all backends out.
    Ours,
}

impl Unreached {
    pub(crate) fn of(error: &io::Error) -> Self {
        use rustix::io::Errno;
        if error.kind() == io::ErrorKind::TimedOut {
            return Self::Late;
        }
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN) => Self::Busy,
            Some(Errno::ADDRNOTAVAIL) => Self::Crowded,
            _ if descriptors::are_spent(error) => Self::Ours,
            _ => Self::Absent,
        }
    }
}

/// Counts a request as in flight at its backend for as long as it lives.
pub(crate) struct InFlight(Rc<Upstream>);

impl InFlight {
    /// `None` when the backend has as many as it may have.
    pub(crate) fn begin(upstream: &Rc<Upstream>) -> Option<Self> {
        upstream.backend.begin().then(|| Self(Rc::clone(upstream)))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.backend.end();
        if let Some(queue) = &self.0.queue {
            queue.call();
        }
    }
}

/// A connection in use by one request. Dropped without being given back it is closed, and with it what was asked.
pub(crate) struct Lease {
    pub(crate) sender: Sender,
    pub(crate) in_flight: InFlight,
    /// Until when it may be idle once it is given back.
    pub(crate) until: Duration,
    /// Whether it may be used again.
    pub(crate) may_stay: bool,
}

impl Lease {
    /// The answer is complete: the connection may be used again.
    pub(crate) fn give_back(self) {
        let upstream = &self.in_flight.0;
        if self.may_stay {
            upstream.senders.keep(self.sender, self.until, upstream.most_idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_now_and_then_does_not_last() {
        let (begin, longest) = (Instant::now(), Duration::from_secs(2));
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let mut before = None;
        let mut found = |now| {
            let (since, lasts) = lasting(before, at(now), longest);
            before = Some((since, at(now)));
            lasts
        };
        assert!([0, 1000, 1999].into_iter().all(|now| !found(now)) && found(2000), "it has lasted");
        assert!(!found(2001) && !found(3999) && found(4000), "and again");
        assert!(!found(3_600_000) && !found(3_601_000) && found(3_602_000), "nobody knows what was meanwhile");
    }
}
