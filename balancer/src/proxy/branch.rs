//! One pool as one thread sees it: its view of who may be asked, its turns, its budget of retries. No locks: nothing here
//! leaves the thread.

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
    pool::{Change, Member, Pool, Snapshot, Standing},
    queue::{Queue, Stand},
    select::{
        key::KeyOf,
        sticky::{self, Sticky, Token},
    },
    verdict::{Failure, Suspect},
};

use self::view::{View, Way};
pub(crate) use self::{candidate::Candidate, refused::asks_for};

mod candidate;
mod refused;
mod view;

/// How long it takes at most until it is known that a backend is gone.
const NEWS: Duration = Duration::from_millis(100);

/// Where a request would go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// Whose it is.
    client: Suspect,
    /// What it is known by, if backends are chosen by that.
    key: Option<u64>,
    /// Where its client was before.
    token: Option<Token>,
}

/// Which backends a request has tried already, each in which turn.
#[derive(Default)]
pub(crate) struct Tried {
    turns: Vec<(BackendId, u32)>,
    /// How many of them do not count: they were asked over held connections that had ended.
    stale: usize,
    /// And how many more: their queues were full.
    skipped: usize,
    /// Whether one of them may have seen something of it.
    reached: bool,
    /// Whether one was asked again.
    again: bool,
}

impl Tried {
    pub(crate) fn add(&mut self, turn: (BackendId, u32), reached: bool) {
        if self.has(turn) {
            // It was asked over a new connection after all.
            self.stale -= 1;
        } else {
            self.turns.push(turn);
        }
        self.reached |= reached;
    }

    /// One whose queue is full is left for others, which is no try.
    pub(crate) fn skip(&mut self, turn: (BackendId, u32)) {
        self.turns.push(turn);
        self.skipped += 1;
    }

    /// There are no others.
    pub(crate) fn take_back(&mut self) {
        self.turns.pop();
        self.skipped -= 1;
    }

    /// One may have seen the request over a held connection that has ended: others are asked first. As with nginx that is no
    /// try, or where there shall be only one, each connection that was idle for too long would cost a request.
    pub(crate) fn pass_over(&mut self, turn: (BackendId, u32)) {
        self.turns.push(turn);
        self.stale += 1;
        self.reached = true;
    }

    /// Whether the one that was passed over last may be asked again, where nobody else is free: that is for one of them.
    pub(crate) fn ask_again(&mut self) -> bool {
        !std::mem::replace(&mut self.again, true)
    }

    /// Whether one that was passed over is well for all that is known, and still to be asked.
    fn may_ask_again(&self) -> bool {
        self.stale > 0 && !self.again
    }

    fn has(&self, turn: (BackendId, u32)) -> bool {
        self.turns.contains(&turn)
    }

    pub(crate) fn count(&self) -> usize {
        self.turns.len() - self.stale - self.skipped
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
    /// How many backends there shall be.
    pub(crate) expected: usize,
    /// How many of them are started again when they end.
    pub(crate) instances: usize,
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
    expected: usize,
    instances: usize,
}

impl Branch {
    /// The branch of the thread with this number.
    pub(crate) fn new(plan: Plan, number: usize) -> Self {
        let Plan { pool, queue, reports, balance, sticky, limits, book, expected, instances } = plan;
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
            expected,
            instances,
        }
    }

    /// The next backend for a request, or the reason why there is none. When none is ready, or all are busy, it waits for
    /// one that may come: at the end of the line, unless it has been somewhere already. After a time-out enough was waited.
    /// How long it did is in `waited` when this is over, however it ends.
    pub(crate) async fn choose(
        &self,
        tried: &Tried,
        wish: &Wish,
        last: Option<ProxyError>,
        begun: std::time::Instant,
        waited: &Cell<Duration>,
    ) -> Result<Candidate, ProxyError> {
        let is_first_try = tried.count() == 0;
        if (!is_first_try || self.queue.is_empty())
            && let Some(candidate) = self.next(tried, wish)
        {
            return Ok(candidate);
        }
        let grace = match last {
            Some(error) if tried.count() >= self.limits.tries => return Err(error),
            Some(error) => self.grace(tried, error).ok_or(error)?,
            None if self.expected == 0 => return Err(ProxyError::NoBackend),
            None => self.limits.queue_deadline,
        };
        let mut bell = self.pool.bell();
        let since = Instant::now();
        let latest = Instant::from_std(begun) + self.limits.queue_deadline;
        let _wait = Wait { since, times: &self.counts.waits, waited };
        let stand = if is_first_try { Stand::InLine } else { Stand::Beside };
        let waiting = self.queue.enter(stand).ok_or(last.unwrap_or(ProxyError::QueueFull))?;
        loop {
            if waiting.is_first()
                && let Some(candidate) = self.pick(tried, wish)
            {
                return Ok(candidate);
            }
            let deadline = if last.is_none() || self.may_go_on(tried) { latest } else { latest.min(since + grace) };
            tokio::select! {
                () = waiting.called() => {}
                rung = bell.changed() => rung.map_err(|_| ProxyError::NoBackend)?,
                () = sleep_until(deadline) => {
                    let why = if self.view.borrow().serves { ProxyError::QueueLate } else { ProxyError::NoBackend };
                    return Err(last.unwrap_or(why));
                }
            }
        }
    }

    /// Whether a request that has failed somewhere may wait for somebody: for one that is busy, or that we start again. Who
    /// has reached nobody may be in the middle of somebody's restart. All others can have their answer at once.
    pub(crate) fn may_go_on(&self, tried: &Tried) -> bool {
        let snapshot = self.pool.snapshot();
        let there = snapshot.members.iter().filter(|member| !matches!(member.standing(), Standing::Down));
        let restarts = self.instances > 0 && there.clone().count() < self.expected;
        restarts || there.clone().any(|member| self.is_worth_waiting(member, tried))
    }

    fn is_worth_waiting(&self, member: &Member, tried: &Tried) -> bool {
        match member.standing() {
            Standing::Serving | Standing::OnTrial(..) | Standing::Resting(_) => {
                member.backend.is_full() && !tried.has((member.backend.id, member.turn))
            }
            Standing::Ejected => self.instances > 0 || !tried.reached,
            Standing::Unwell | Standing::Draining | Standing::Down => false,
        }
    }

    /// How long a request that ended like this waits, `None` if it does not: where somebody may be gone, for the news of
    /// that.
    fn grace(&self, tried: &Tried, error: ProxyError) -> Option<Duration> {
        let facts = error.facts();
        let may_be_gone = (self.instances > 0 || !tried.reached) && facts.case == Some(Case::Error);
        let is_worth_it = facts.case != Some(Case::Timeout) && (may_be_gone || self.may_go_on(tried));
        is_worth_it.then_some(if may_be_gone { NEWS } else { Duration::ZERO })
    }

    /// The next backend for a request, if one is ready and may still be tried.
    pub(crate) fn next(&self, tried: &Tried, wish: &Wish) -> Option<Candidate> {
        if tried.count() < self.limits.tries { self.pick(tried, wish) } else { None }
    }

    /// Whether there is somebody else whom it could be sent to. Nobody's turn is over by the question.
    pub(crate) fn has_another(&self, tried: &Tried, wish: &Wish) -> bool {
        self.look();
        tried.count() < self.limits.tries && self.view.borrow().has_another(tried, wish)
    }

    /// What a request of a client wishes for: `key` finds what it is known by, `cookie` its cookie of a name.
    pub(crate) fn wish<'a>(
        &self,
        client: Suspect,
        key: impl FnOnce(&KeyOf) -> Option<u64>,
        cookie: impl FnOnce(&str) -> Option<&'a [u8]>,
    ) -> Wish {
        let key = match &self.way.balance {
            Balance::Hash(of) => key(of),
            Balance::RoundRobin | Balance::LeastConn | Balance::Random => None,
        };
        let token = self.sticky.as_ref().and_then(|sticky| cookie(&sticky.cookie)).and_then(sticky::read);
        Wish { client, key, token }
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
        let candidate = self.view.borrow_mut().pick(tried, wish, &self.reports)?;
        Some(if self.way.balance == Balance::Random { candidate.observed() } else { candidate })
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

    /// The queue of a backend is full, and somebody else is asked: it is as late as others once that has lasted.
    pub(crate) fn skipped(&self, candidate: Candidate) {
        if candidate.upstream.found_full(self.limits.connect_deadline) {
            candidate.failed(self, Failure { at: std::time::Instant::now(), suspect: None });
        }
    }

    /// No connection to a backend could be made: what that says about it, and about the request.
    pub(crate) fn unreached(&self, candidate: Candidate, error: &io::Error) -> ProxyError {
        match Unreached::of(error) {
            Unreached::Absent => {
                self.report(Change::Eject(candidate.upstream.backend.id));
                ProxyError::Unreachable
            }
            // Who is busy was waited for as long as who is late.
            Unreached::Late | Unreached::Busy => {
                candidate.failed(self, Failure { at: std::time::Instant::now(), suspect: None });
                ProxyError::ConnectLate
            }
            Unreached::Crowded => ProxyError::Unreachable,
            Unreached::Ours => {
                tracing::warn!(%error, "no connection to a backend can be made: {error}; see worker_connections");
                ProxyError::Exhausted
            }
        }
    }

    /// Tells the pool. When the queue of reports is full, others have said the same.
    pub(crate) fn report(&self, change: Change) {
        drop(self.reports.try_send(change));
    }

    /// Until when a connection that becomes idle now may be used.
    pub(crate) fn idle_until(&self, now: Duration) -> Duration {
        now.saturating_add(self.limits.idle_age)
    }

    /// What is due once a second.
    pub(crate) fn second(&self, now: Duration) {
        self.budget.borrow_mut().second();
        self.look();
        let mut view = self.view.borrow_mut();
        view.second(&self.way);
        for place in view.places() {
            place.upstream.sweep(now);
            self.tell_refused(&place.upstream.backend);
        }
    }

    /// Closes the idle connections to all backends, to make room.
    pub(crate) fn close_idle(&self) {
        let view = self.view.borrow();
        view.places().for_each(|place| place.upstream.sweep(Duration::MAX));
    }

    /// Closes the idle connections to all backends at the end, and forgets those.
    pub(crate) fn hang_up(&self) {
        *self.view.borrow_mut() = View::default();
    }
}

/// A request that waits: how long it did is counted when it is over, however that is.
struct Wait<'a> {
    since: Instant,
    times: &'a Histogram,
    waited: &'a Cell<Duration>,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        self.times.observe(waited);
        self.waited.set(waited);
    }
}

/// A number that nobody foresees; the standard library seeds its hash maps with it.
pub(super) fn chance() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
