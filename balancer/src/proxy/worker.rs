//! What the requests of one thread share: its view of the pool, its turns, its counters, its log buffer. No locks:
//! nothing here leaves the thread.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use arc_swap::{ArcSwap, Cache};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_util::task::TaskTracker;

use super::{
    Addresses, Entrance, Thread,
    client::{Client, Clients},
    error::ProxyError,
    retry::Budget,
    room::Room,
    strict::shelf::Shelf,
    upstream::Upstream,
};
use crate::{
    access_log::{AccessLog, Asked, Line},
    backend::BackendId,
    config::{Engine, Limits},
    metrics::Counters,
    pool::{Change, Pool, Snapshot},
    select::{Algorithm, round_robin::RoundRobin},
};

/// Most bytes of answers that a thread holds until their clients take them; beyond it answers are streamed.
const MOST_HELD: usize = 64 * 1024 * 1024;

/// A backend that may be asked, in its present turn.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) upstream: Rc<Upstream>,
    turn: u32,
}

/// Which backends a request has tried already, each in which turn.
#[derive(Default)]
pub(crate) struct Tried(Vec<(BackendId, u32)>);

impl Tried {
    pub(crate) fn add(&mut self, candidate: &Candidate) {
        self.0.push((candidate.upstream.backend.id, candidate.turn));
    }

    fn has(&self, candidate: &Candidate) -> bool {
        self.0.contains(&(candidate.upstream.backend.id, candidate.turn))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What the requests of one thread share.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) log: RefCell<AccessLog>,
    pub(crate) clients: Rc<Clients>,
    /// Requests of those that have many at a time.
    pub(crate) streams: Rc<Clients>,
    /// Client connections.
    pub(crate) connections: TaskTracker,
    /// Connections to backends, tunnels, rests of bodies: what nobody waits for.
    pub(crate) background: TaskTracker,
    pub(crate) stopping: Cell<bool>,
    pub(crate) budget: RefCell<Budget>,
    pub(crate) room: Rc<Room>,
    /// Memory to be used again.
    pub(crate) shelf: Rc<Shelf>,
    /// For the field `Date`, as of this second.
    pub(crate) date: RefCell<String>,
    pool: Arc<Pool>,
    reports: mpsc::Sender<Change>,
    cache: RefCell<Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    view: RefCell<View>,
    algorithm: RefCell<Algorithm>,
    queued: Cell<usize>,
}

struct View {
    version: u64,
    candidates: Vec<Candidate>,
    /// Ejected and draining ones: nothing new for them, but their idle connections are kept.
    others: Vec<Candidate>,
}

impl Worker {
    /// The worker of a thread, and what it listens on.
    pub(crate) fn new(thread: Thread) -> (Self, Vec<Entrance>) {
        let Thread { number, entrances, pool, reports, engine, limits, addresses, counters, log } = thread;
        let worker = Self {
            engine,
            limits,
            addresses,
            counters,
            log: RefCell::new(AccessLog::new(log)),
            clients: Rc::default(),
            streams: Rc::default(),
            connections: TaskTracker::new(),
            background: TaskTracker::new(),
            stopping: Cell::new(false),
            budget: RefCell::new(Budget::new()),
            room: Room::new(MOST_HELD),
            shelf: Rc::default(),
            date: RefCell::new(date(&jiff::Timestamp::now())),
            cache: RefCell::new(Cache::new(pool.cell())),
            pool,
            reports,
            view: RefCell::new(View { version: 0, candidates: Vec::new(), others: Vec::new() }),
            algorithm: RefCell::new(Algorithm::RoundRobin(RoundRobin::starting_at(number))),
            queued: Cell::new(0),
        };
        (worker, entrances)
    }

    /// The next backend for a request, or the reason why there is none. When none is ready, it waits for one.
    pub(crate) async fn choose(
        &self,
        tried: &Tried,
        last: Option<ProxyError>,
        begun: std::time::Instant,
    ) -> Result<Candidate, ProxyError> {
        if tried.count() >= self.limits.tries
            && let Some(error) = last
        {
            return Err(error);
        }
        if let Some(candidate) = self.pick(tried) {
            return Ok(candidate);
        }
        if self.queued.get() >= self.limits.queue_length {
            return Err(ProxyError::QueueFull);
        }
        self.queued.set(self.queued.get() + 1);
        let _place = Place(&self.queued);
        let mut bell = self.pool.bell();
        let deadline = Instant::from_std(begun) + self.limits.queue_deadline;
        loop {
            if let Some(candidate) = self.pick(tried) {
                return Ok(candidate);
            }
            if !matches!(timeout_at(deadline, bell.changed()).await, Ok(Ok(()))) {
                return Err(last.unwrap_or(ProxyError::NoBackend));
            }
        }
    }

    fn pick(&self, tried: &Tried) -> Option<Candidate> {
        self.look();
        let candidates = &self.view.borrow().candidates;
        let place = self.algorithm.borrow_mut().pick(candidates.len(), |place| tried.has(&candidates[place]))?;
        Some(candidates[place].clone())
    }

    /// Brings the thread's view up to date; one load when nothing has changed.
    fn look(&self) {
        let mut cache = self.cache.borrow_mut();
        let snapshot = cache.load();
        let view = &mut *self.view.borrow_mut();
        if snapshot.version == view.version {
            return;
        }
        let known: Vec<Rc<Upstream>> =
            view.candidates.drain(..).chain(view.others.drain(..)).map(|candidate| candidate.upstream).collect();
        for member in &snapshot.members {
            let upstream = known.iter().find(|upstream| upstream.backend.id == member.backend.id).cloned();
            let upstream = upstream
                .unwrap_or_else(|| Rc::new(Upstream::new(Arc::clone(&member.backend), self.limits.idle_connections)));
            let candidate = Candidate { upstream, turn: member.turn };
            let list = if member.is_serving() { &mut view.candidates } else { &mut view.others };
            list.push(candidate);
        }
        view.version = snapshot.version;
    }

    /// A backend could not be reached: it shall get nothing until it answers a probe, if that says something about it.
    /// When the queue of reports is full, others have said the same.
    pub(crate) fn report_unreachable(&self, upstream: &Upstream, error: &io::Error) {
        use rustix::io::Errno;
        // A full queue of connections is a busy backend, not an absent one; what this machine or process has no more of
        // is no backend's fault, and clients could use it up to put them all out.
        const OURS: [Errno; 6] =
            [Errno::AGAIN, Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
        if !OURS.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) {
            drop(self.reports.try_send(Change::Eject(upstream.backend.id)));
        }
    }

    /// The tick until which a connection that becomes idle now may be used.
    pub(crate) fn idle_until(&self) -> u32 {
        self.clients.tick().saturating_add(u32::try_from(self.limits.idle_age.as_secs()).unwrap_or(u32::MAX))
    }

    /// What is due once a second.
    pub(crate) fn second(&self) {
        self.clients.second(&self.limits);
        self.streams.second(&self.limits);
        self.budget.borrow_mut().second();
        *self.date.borrow_mut() = date(&jiff::Timestamp::now());
        self.look();
        let view = self.view.borrow();
        for candidate in view.candidates.iter().chain(&view.others) {
            candidate.upstream.sweep(self.clients.tick());
        }
        self.write_log();
    }

    /// Adds a line to the access log.
    pub(crate) fn note(&self, line: &Line<'_>) {
        for _ in 0..self.log.borrow_mut().add(line) {
            self.counters.log_lines_lost.add_one();
        }
    }

    /// Notes a head that could not be read, and how it was answered.
    pub(crate) fn note_unread(&self, client: &Client, status: u16, bytes: u64) {
        self.note(&Line {
            client: &client.name,
            asked: &Asked::unread(),
            status,
            bytes,
            upstream: None,
            took: Duration::ZERO,
            retries: &[],
            flag: "bad_request",
            by: "client",
        });
    }

    pub(crate) fn write_log(&self) {
        let mut log = self.log.borrow_mut();
        if log.is_on() {
            for _ in 0..log.flush() {
                self.counters.log_lines_lost.add_one();
            }
            log.set_time(&jiff::Zoned::now());
        }
    }

    /// Closes the idle connections to all backends.
    pub(crate) fn hang_up(&self) {
        let mut view = self.view.borrow_mut();
        view.candidates.clear();
        view.others.clear();
    }
}

fn date(now: &jiff::Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

struct Place<'a>(&'a Cell<usize>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
