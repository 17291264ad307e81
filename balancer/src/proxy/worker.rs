//! What the requests of one thread share: its branches of the pools, its counters, its log buffer. No locks:
//! nothing here leaves the thread.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio_util::task::TaskTracker;

use super::{
    Addresses, Entrance, Given, Thread,
    branch::{Branch, chance},
    client::{Client, Clients},
    clock::Clock,
    error::ProxyError,
    room::Room,
    shares::Shares,
    strict::shelf::Shelf,
    turns::Turns,
};
use crate::{
    access_log::{AccessLog, Asked, Line},
    compress::Compress,
    config::{Engine, Limits},
    http1::request::Request,
    identity::Identities,
    limiter::Limiter,
    metrics::{Counters, book::count_status},
    route::{Lost, Route, Table, To},
};

/// Most bytes of answers that a thread holds until their clients take them; beyond it answers are streamed.
pub(crate) const MOST_HELD: usize = 64 * 1024 * 1024;

/// Most bytes of bodies that a thread holds until they are complete; beyond it they are passed on as they come.
pub(crate) const MOST_GATHERED: usize = 64 * 1024 * 1024;

/// Most bytes of memory in which a thread compresses answers; beyond it they go as they are.
pub(crate) const MOST_ENCODING: usize = 128 * 1024 * 1024;

/// What the requests of one thread share.
pub(crate) struct Worker {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    /// For deadlines.
    pub(crate) clock: Clock,
    pub(crate) addresses: Arc<Addresses>,
    /// How many requests a client may have.
    limiter: Option<Arc<Limiter>>,
    /// What requests are given on their way.
    pub(crate) given: Given,
    pub(crate) identities: Identities,
    pub(crate) counters: Arc<Counters>,
    pub(crate) log: RefCell<AccessLog>,
    pub(crate) clients: Rc<Clients>,
    /// Requests of those that have many at a time.
    pub(crate) streams: Rc<Clients>,
    /// Their places.
    pub(crate) shares: Rc<Shares>,
    /// Client connections.
    pub(crate) connections: TaskTracker,
    /// Connections to backends, tunnels, rests of bodies: what nobody waits for.
    pub(crate) background: TaskTracker,
    /// For TLS handshakes: one takes as long as ten requests or more.
    pub(crate) handshakes: Turns,
    pub(crate) stopping: Cell<bool>,
    /// Whether it was told that all places are taken, and most still are.
    pub(crate) crowded: Cell<bool>,
    /// For answers.
    pub(crate) room: Rc<Room>,
    /// For the bodies of requests.
    pub(crate) bodies: Rc<Room>,
    /// Memory to be used again.
    pub(crate) shelf: Rc<Shelf>,
    /// For the field `Date`, as of this second.
    pub(crate) date: RefCell<String>,
    /// Which answers are compressed, where no route says something about it.
    compress: Option<Compress>,
    /// Memory for that.
    pub(crate) encoders: Rc<Room>,
    /// Files that answers have open.
    pub(crate) files: Rc<Room>,
    branches: Vec<Branch>,
    /// Which requests go where; without routes all go to the first branch.
    routes: Option<Arc<Table>>,
}

impl Worker {
    /// The worker of a thread, and what it listens on.
    pub(crate) fn new(thread: Thread) -> (Self, Vec<Entrance>) {
        let Thread {
            number,
            entrances,
            plans,
            routes,
            compress,
            engine,
            limits,
            addresses,
            limiter,
            files,
            given,
            counters,
            log,
        } = thread;
        // Requests have as many places as connections: each holds about as much.
        let shares = Shares::of(limits.connections);
        let head_size = limits.head_size;
        let background = TaskTracker::new();
        let worker = Self {
            engine,
            clock: Clock::new(plans.iter().map(|plan| &plan.limits).chain([&limits])),
            limits,
            addresses,
            limiter,
            given,
            identities: Identities::new(chance()),
            counters,
            log: RefCell::new(AccessLog::new(log)),
            clients: Rc::default(),
            streams: Rc::default(),
            shares,
            connections: TaskTracker::new(),
            handshakes: Turns::new(&background),
            background,
            stopping: Cell::new(false),
            crowded: Cell::new(false),
            room: Room::new(MOST_HELD),
            bodies: Room::new(MOST_GATHERED),
            shelf: Rc::new(Shelf::new(head_size)),
            date: RefCell::new(date(&jiff::Timestamp::now())),
            compress,
            encoders: Room::new(MOST_ENCODING),
            files: Room::new(files),
            branches: plans.into_iter().map(|plan| Branch::new(plan, number)).collect(),
            routes,
        };
        (worker, entrances)
    }

    /// The pool of requests without a route.
    pub(crate) fn branch(&self) -> &Branch {
        &self.branches[0]
    }

    /// Where a request goes, and by which route.
    pub(crate) fn find(&self, request: &Request, bytes: &[u8]) -> Result<(&Branch, Option<&Route>), ProxyError> {
        let Some(table) = &self.routes else { return Ok((self.branch(), None)) };
        let (host, target) = request.place(bytes);
        let route = table.find(host, target).map_err(|lost| match lost {
            Lost::Host => ProxyError::HostUnknown,
            Lost::Path => ProxyError::PathUnknown,
            Lost::Ambiguous => ProxyError::PathAmbiguous,
        })?;
        match route.to {
            To::Pool(number) => Ok((&self.branches[number], Some(route))),
            To::Files(_) => Ok((self.branch(), Some(route))),
        }
    }

    /// What is compressed of answers to requests of a route, or of none.
    pub(crate) fn compress<'a>(&'a self, route: Option<&'a Route>) -> Option<&'a Compress> {
        route.map_or(self.compress.as_ref(), |route| route.compress.as_ref())
    }

    /// Whether a client may have a request now, by the bound of its route and that of all requests. What one of them refuses
    /// counts for neither.
    pub(crate) fn admit(&self, client: &Client, route: Option<&Route>) -> Result<(), ProxyError> {
        let of_route = route.and_then(|route| route.limiter.as_ref());
        let of_all = || self.limiter.as_ref().map_or(Ok(()), |limiter| limiter.admit(client.address(), || Ok(())));
        // Always in this order: each holds its lock while it asks the next.
        let admitted = of_route.map_or_else(of_all, |limiter| limiter.admit(client.address(), of_all));
        admitted.map_err(|wait| {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            ProxyError::Throttled(u32::try_from(seconds).unwrap_or(u32::MAX))
        })
    }

    /// Looks through the clients, so long after the last time.
    pub(crate) fn look(&self, passed: Duration) {
        let passed = self.clock.look(passed);
        for clients in [&self.clients, &self.streams] {
            clients.look(&self.limits, self.clock.now(), passed);
        }
    }

    /// What is due once a second.
    pub(crate) fn second(&self) {
        self.crowded.set(self.crowded.get() && self.clients.count() * 2 > self.limits.connections);
        *self.date.borrow_mut() = date(&jiff::Timestamp::now());
        for branch in &self.branches {
            branch.second(self.clock.now());
        }
        self.write_log();
    }

    /// Adds a line to the access log.
    pub(crate) fn note(&self, line: &Line<'_>) {
        for _ in 0..self.log.borrow_mut().add(line) {
            self.counters.log_lines_lost.add_one();
        }
    }

    /// Notes a head that could not be read, why, and how long the answer was.
    pub(crate) fn note_unread(&self, client: &Client, asked: &Asked, error: ProxyError, bytes: u64, sent: &[String]) {
        let facts = error.facts();
        let status = facts.status.as_u16();
        self.counters.failures.add(facts.flag);
        count_status(&self.counters.answers, status);
        self.counters.bytes_out.add(bytes);
        self.note(&Line {
            client: &client.source().name,
            asked,
            status,
            bytes,
            upstream: None,
            took: Duration::ZERO,
            queued: Duration::ZERO,
            chosen: "",
            tries: &[],
            sent,
            retries: &[],
            budget_spent: false,
            flag: facts.flag,
            by: facts.side.name(),
            at: None,
            id: None,
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

    /// Closes the idle connections to all backends, to make room. Where one is needed it is made anew.
    pub(crate) fn close_idle(&self) {
        self.branches.iter().for_each(Branch::close_idle);
    }

    /// Closes the idle connections to all backends at the end, and forgets those.
    pub(crate) fn hang_up(&self) {
        self.branches.iter().for_each(Branch::hang_up);
    }
}

fn date(now: &jiff::Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
