//! What the requests of one thread share: its view of the pool, its turns, its counters, its log buffer. No locks:
//! nothing here leaves the thread.

use std::{
    cell::{Cell, RefCell},
    io,
    net::TcpListener,
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
    Thread,
    client::{Client, Clients},
    error::ProxyError,
    retry::Budget,
    room::Room,
    strict::shelf::Shelf,
    upstream::{Unreached, Upstream},
};
use crate::{
    access_log::{AccessLog, Asked, Line},
    backend::BackendId,
    config::{Engine, Limits, next_upstream::Case},
    metrics::Counters,
    pool::{Change, Pool, Snapshot, Standing},
    select::{Algorithm, round_robin::RoundRobin},
    verdict::Failure,
};

pub(crate) use self::candidate::Candidate;
use self::candidate::Place;

mod candidate;

/// Most bytes of answers that a thread holds until their clients take them; beyond it answers are streamed.
const MOST_HELD: usize = 64 * 1024 * 1024;

/// Which backends a request has tried already, each in which turn.
#[derive(Default)]
pub(crate) struct Tried(Vec<(BackendId, u32)>);

impl Tried {
    pub(crate) fn add(&mut self, candidate: &Candidate) {
        self.0.push((candidate.upstream.backend.id, candidate.turn));
    }

    fn has(&self, place: &Place) -> bool {
        self.0.contains(&(place.upstream.backend.id, place.turn))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What the requests of one thread share.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counters>,
    pub(crate) log: RefCell<AccessLog>,
    pub(crate) clients: Rc<Clients>,
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

#[derive(Default)]
struct View {
    version: u64,
    /// Those that get requests, or one.
    ready: Vec<Place>,
    /// Those in trouble by what requests told: on trial or resting. Asked only when nobody serves.
    troubled: Vec<Place>,
    /// Whether anybody serves.
    serves: bool,
    /// Ejected and draining ones: nothing new for them, but their idle connections are kept.
    others: Vec<Place>,
}

impl Worker {
    /// The worker of a thread, and what it listens on.
    pub(crate) fn new(thread: Thread) -> (Self, Vec<TcpListener>) {
        let Thread { number, listeners, pool, reports, engine, limits, counters, log } = thread;
        let worker = Self {
            engine,
            limits,
            counters,
            log: RefCell::new(AccessLog::new(log)),
            clients: Rc::default(),
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
            view: RefCell::default(),
            algorithm: RefCell::new(Algorithm::RoundRobin(RoundRobin::starting_at(number))),
            queued: Cell::new(0),
        };
        (worker, listeners)
    }

    /// The next backend for a request, or the reason why there is none. When none is ready, it waits for one; not after
    /// a time-out, for then enough was waited.
    pub(crate) async fn choose(
        &self,
        tried: &Tried,
        last: Option<ProxyError>,
        begun: std::time::Instant,
    ) -> Result<Candidate, ProxyError> {
        if let Some(candidate) = self.next(tried) {
            return Ok(candidate);
        }
        if let Some(error) = last
            && (tried.count() >= self.limits.tries || error.facts().case == Some(Case::Timeout))
        {
            return Err(error);
        }
        if self.queued.get() >= self.limits.queue_length {
            return Err(ProxyError::QueueFull);
        }
        self.queued.set(self.queued.get() + 1);
        let _waiting = Waiting(&self.queued);
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

    /// The next backend for a request, if one is ready and may still be tried.
    pub(crate) fn next(&self, tried: &Tried) -> Option<Candidate> {
        if tried.count() < self.limits.tries { self.pick(tried) } else { None }
    }

    fn pick(&self, tried: &Tried) -> Option<Candidate> {
        self.look();
        let view = self.view.borrow();
        let mut algorithm = self.algorithm.borrow_mut();
        loop {
            let places = &view.ready;
            let Some(place) =
                algorithm.pick(places.len(), |place| tried.has(&places[place]) || places[place].is_taken())
            else {
                break;
            };
            // Another thread may have been faster.
            if let Some(candidate) = places[place].candidate(&self.reports) {
                return Some(candidate);
            }
        }
        if view.serves {
            return None;
        }
        let places = &view.troubled;
        let place = algorithm.pick(places.len(), |place| tried.has(&places[place]))?;
        Some(places[place].anyway(&self.reports))
    }

    /// Brings the thread's view up to date; one load when nothing has changed.
    fn look(&self) {
        let mut cache = self.cache.borrow_mut();
        let snapshot = cache.load();
        let view = &mut *self.view.borrow_mut();
        if snapshot.version == view.version {
            return;
        }
        let places = view.ready.drain(..).chain(view.troubled.drain(..)).chain(view.others.drain(..));
        let known: Vec<Rc<Upstream>> = places.map(|place| place.upstream).collect();
        for member in &snapshot.members {
            let upstream = known.iter().find(|upstream| upstream.backend.id == member.backend.id).cloned();
            let upstream = upstream
                .unwrap_or_else(|| Rc::new(Upstream::new(Arc::clone(&member.backend), self.limits.idle_connections)));
            let place = Place::new(upstream, member);
            match member.standing() {
                Standing::Serving => view.ready.push(place),
                Standing::OnTrial(..) => {
                    view.troubled.push(place.clone());
                    view.ready.push(place);
                }
                Standing::Resting(_) => view.troubled.push(place),
                Standing::Ejected | Standing::Draining => view.others.push(place),
            }
        }
        view.serves = snapshot.serving().next().is_some();
        view.version = snapshot.version;
    }

    /// No connection to a backend could be made: what that says about it, and about the request.
    pub(crate) fn unreached(&self, candidate: Candidate, error: &io::Error) -> ProxyError {
        match Unreached::of(error) {
            Unreached::Absent => {
                self.report(Change::Eject(candidate.upstream.backend.id));
                ProxyError::Unreachable
            }
            Unreached::Late => {
                candidate.failed(self, Failure { at: std::time::Instant::now(), suspect: None });
                ProxyError::ConnectLate
            }
            Unreached::Ours => ProxyError::Unreachable,
        }
    }

    /// Tells the pool. When the queue of reports is full, others have said the same.
    pub(crate) fn report(&self, change: Change) {
        drop(self.reports.try_send(change));
    }

    /// The tick until which a connection that becomes idle now may be used.
    pub(crate) fn idle_until(&self) -> u32 {
        self.clients.tick().saturating_add(u32::try_from(self.limits.idle_age.as_secs()).unwrap_or(u32::MAX))
    }

    /// What is due once a second.
    pub(crate) fn second(&self) {
        self.clients.second(&self.limits);
        self.budget.borrow_mut().second();
        *self.date.borrow_mut() = date(&jiff::Timestamp::now());
        self.look();
        let view = self.view.borrow();
        for place in view.ready.iter().chain(&view.troubled).chain(&view.others) {
            place.upstream.sweep(self.clients.tick());
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
        *self.view.borrow_mut() = View::default();
    }
}

fn date(now: &jiff::Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
