//! One pool as one thread sees it: its view of who may be asked, its turns, its budget of retries. No locks: nothing here
//! leaves the thread.

use std::{cell::RefCell, io, rc::Rc, sync::Arc};

use arc_swap::{ArcSwap, Cache};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    error::ProxyError,
    retry::Budget,
    upstream::{Unreached, Upstream},
};
use crate::{
    backend::BackendId,
    config::{Limits, balance::Balance, next_upstream::Case},
    metrics::{
        book::{Book, PoolCounts},
        histogram::Histogram,
    },
    pool::{Change, Pool, Snapshot},
    queue::{Queue, Waiting},
    select::{
        key::KeyOf,
        sticky::{self, Sticky, Token},
    },
    verdict::Failure,
};

pub(crate) use self::candidate::Candidate;
use self::{
    candidate::Place,
    view::{View, Way},
};

mod candidate;
mod view;

/// Where a request would go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish {
    /// What it is known by, if backends are chosen by that.
    key: Option<u64>,
    /// Where its client was before.
    token: Option<Token>,
}

/// Which backends a request has tried already, each in which turn.
#[derive(Default)]
pub(crate) struct Tried(Vec<(BackendId, u32)>);

impl Tried {
    pub(crate) fn add(&mut self, turn: (BackendId, u32)) {
        self.0.push(turn);
    }

    fn has(&self, place: &Place) -> bool {
        self.0.contains(&(place.upstream.backend.id, place.turn))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What all threads share of one pool.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) pool: Arc<Pool>,
    /// Who waits for a backend, on all threads.
    pub(crate) queue: Arc<Queue>,
    pub(crate) reports: mpsc::Sender<Change>,
    pub(crate) balance: Balance,
    pub(crate) sticky: Option<Sticky>,
    pub(crate) limits: Limits,
    pub(crate) book: Arc<Book>,
}

/// One pool as one thread sees it.
pub(crate) struct Branch {
    /// What the thread counts about it.
    pub(crate) counts: Arc<PoolCounts>,
    pub(crate) limits: Limits,
    pub(crate) budget: RefCell<Budget>,
    pool: Arc<Pool>,
    reports: mpsc::Sender<Change>,
    cache: RefCell<Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    view: RefCell<View>,
    way: Way,
    sticky: Option<Sticky>,
    queue: Arc<Queue>,
    book: Arc<Book>,
}

impl Branch {
    /// The branch of the thread with this number.
    pub(crate) fn new(plan: Plan, number: usize) -> Self {
        let Plan { pool, queue, reports, balance, sticky, limits, book } = plan;
        Self {
            counts: book.pool(number),
            book,
            limits,
            budget: RefCell::new(Budget::new()),
            cache: RefCell::new(Cache::new(pool.cell())),
            pool,
            reports,
            view: RefCell::default(),
            way: Way { balance, number, seed: chance() },
            sticky,
            queue,
        }
    }

    /// The next backend for a request, or the reason why there is none. When none is ready, or all are busy, it waits for
    /// one: at the end of the line, unless it has been somewhere already. After a time-out enough was waited.
    pub(crate) async fn choose(
        &self,
        tried: &Tried,
        wish: &Wish,
        last: Option<ProxyError>,
        begun: std::time::Instant,
    ) -> Result<Candidate, ProxyError> {
        let is_first_try = tried.count() == 0;
        if (!is_first_try || self.queue.is_empty())
            && let Some(candidate) = self.next(tried, wish)
        {
            return Ok(candidate);
        }
        if let Some(error) = last
            && (tried.count() >= self.limits.tries || error.facts().case == Some(Case::Timeout))
        {
            return Err(error);
        }
        let mut bell = self.pool.bell();
        let since = Instant::now();
        let deadline = Instant::from_std(begun) + self.limits.queue_deadline;
        let _wait = Wait { since, times: &self.counts.waits };
        let waiting = is_first_try.then(|| self.queue.enter().ok_or(ProxyError::QueueFull)).transpose()?;
        loop {
            if waiting.as_ref().is_none_or(Waiting::is_first)
                && let Some(mut candidate) = self.pick(tried, wish)
            {
                candidate.waited = since.elapsed();
                return Ok(candidate);
            }
            let called = async {
                match &waiting {
                    Some(waiting) => waiting.called().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = called => {}
                rung = bell.changed() => rung.map_err(|_| ProxyError::NoBackend)?,
                () = sleep_until(deadline) => {
                    let why = if self.view.borrow().serves { ProxyError::QueueLate } else { ProxyError::NoBackend };
                    return Err(last.unwrap_or(why));
                }
            }
        }
    }

    /// The next backend for a request, if one is ready and may still be tried.
    pub(crate) fn next(&self, tried: &Tried, wish: &Wish) -> Option<Candidate> {
        if tried.count() < self.limits.tries { self.pick(tried, wish) } else { None }
    }

    /// What a request wishes for: `key` finds what it is known by, `cookie` its cookie of a name.
    pub(crate) fn wish<'a>(
        &self,
        key: impl FnOnce(&KeyOf) -> Option<u64>,
        cookie: impl FnOnce(&str) -> Option<&'a [u8]>,
    ) -> Wish {
        let key = match &self.way.balance {
            Balance::Hash(of) => key(of),
            Balance::RoundRobin | Balance::LeastConn | Balance::Random => None,
        };
        let token = self.sticky.as_ref().and_then(|sticky| cookie(&sticky.cookie)).and_then(sticky::read);
        Wish { key, token }
    }

    /// The cookie for a client, over TLS or not, that has been answered by this backend, unless it has it, or one for another
    /// backend that still serves.
    pub(crate) fn cookie(&self, upstream: &Upstream, wish: &Wish, over_tls: bool) -> Option<String> {
        let (sticky, token) = (self.sticky.as_ref()?, upstream.token.as_ref()?);
        let stays = |wished: &Token| sticky::is_same(wished, token) || self.view.borrow().serves_token(wished);
        (!wish.token.as_ref().is_some_and(stays)).then(|| sticky.set(token, over_tls))
    }

    fn pick(&self, tried: &Tried, wish: &Wish) -> Option<Candidate> {
        self.look();
        let mut candidate = self.view.borrow_mut().pick(tried, wish, &self.reports)?;
        candidate.is_observed = self.way.balance == Balance::Random;
        Some(candidate)
    }

    /// Brings the thread's view up to date; one load when nothing has changed.
    fn look(&self) {
        let mut cache = self.cache.borrow_mut();
        let snapshot = cache.load();
        let view = &mut *self.view.borrow_mut();
        if snapshot.version == view.version {
            return;
        }
        view.renew(snapshot, &self.way, |view, number| {
            let backend = &snapshot.members[number].backend;
            let token = self.sticky.as_ref().map(|sticky| sticky.token(&backend.name));
            let counts = || self.book.backend(self.way.number, &backend.name);
            let new = || {
                Rc::new(Upstream::new(Arc::clone(backend), self.limits.idle_connections, &self.queue, token, counts()))
            };
            view.known(backend).unwrap_or_else(new)
        });
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

    /// The tick until which a connection that becomes idle at this one may be used.
    pub(crate) fn idle_until(&self, tick: u32) -> u32 {
        tick.saturating_add(u32::try_from(self.limits.idle_age.as_secs()).unwrap_or(u32::MAX))
    }

    /// What is due once a second.
    pub(crate) fn second(&self, tick: u32) {
        self.budget.borrow_mut().second();
        self.look();
        let mut view = self.view.borrow_mut();
        view.second(&self.way);
        for place in view.places() {
            place.upstream.sweep(tick);
        }
    }

    /// Closes the idle connections to all backends.
    pub(crate) fn hang_up(&self) {
        *self.view.borrow_mut() = View::default();
    }
}

/// A request that waits: how long it did is counted when it is over, however that is.
struct Wait<'a> {
    since: Instant,
    times: &'a Histogram,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.times.observe(self.since.elapsed());
    }
}

/// A number that nobody foresees; the standard library seeds its hash maps with it.
pub(super) fn chance() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
