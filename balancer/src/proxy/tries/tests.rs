//! The loop against backends that fail in every way, with no socket between: what was executed is counted by id.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
};

use super::*;
use crate::{
    access_log::Asked,
    backend::{Address, Backend, BackendId, Terms},
    config::{Engine, Limits, balance::Balance},
    fault::Fault,
    metrics::{Counters, book::Book},
    pool::{Change, Pool},
    proxy::{Addresses, Door, Given, Plan, Thread, client::Guest, worker::Worker},
    queue::Queue,
    select::two_choices::TwoChoices,
    verdict::{Outliers, Patience},
};

/// Faults injected in one run.
const FAULTS: usize = 100_000;

/// What the backends have done, and will do next.
struct World {
    lots: RefCell<TwoChoices>,
    /// What comes instead of all lots.
    fixed: Option<usize>,
    /// How often each request was executed, and by whom it was seen.
    executed: RefCell<HashMap<usize, Vec<BackendId>>>,
    faults: RefCell<usize>,
    /// Who was asked in vain for the request under way, and how many of them do not count: over held
    /// connections, or because their queues were full.
    asked: RefCell<Vec<BackendId>>,
    stale: RefCell<usize>,
}

impl World {
    fn new(fixed: Option<usize>) -> Self {
        Self {
            lots: RefCell::new(TwoChoices::seeded(1)),
            fixed,
            executed: RefCell::default(),
            faults: RefCell::default(),
            asked: RefCell::default(),
            stale: RefCell::default(),
        }
    }

    /// A number below `bound`.
    fn lot(&self, bound: usize) -> usize {
        self.fixed.unwrap_or_else(|| self.lots.borrow_mut().below(bound).unwrap())
    }
}

/// One request. A connection says whether it was held.
struct Scripted<'a> {
    world: &'a World,
    id: usize,
    request: retry::Request,
    entry: Entry,
}

impl Exchange for Scripted<'_> {
    type Connection = bool;
    type Answer = u16;

    fn entry(&mut self) -> &mut Entry {
        &mut self.entry
    }

    fn request(&self) -> retry::Request {
        self.request
    }

    async fn held(&mut self, _: &Upstream) -> Option<bool> {
        (self.world.lot(3) == 0).then_some(true)
    }

    async fn dial(&mut self, upstream: &Upstream) -> io::Result<bool> {
        let error: io::Error = match self.world.lot(10) {
            0 => io::ErrorKind::TimedOut.into(),
            1 => rustix::io::Errno::AGAIN.into(),
            _ => return Ok(false),
        };
        *self.world.faults.borrow_mut() += 1;
        // Whose queue is full is no try, and is not asked again either.
        *self.world.stale.borrow_mut() += usize::from(error.kind() == io::ErrorKind::WouldBlock);
        self.world.asked.borrow_mut().push(upstream.backend.id);
        Err(error)
    }

    async fn send(&mut self, candidate: &mut Candidate, held: bool) -> Result<u16, ProxyError> {
        let world = self.world;
        let fault = world.lot(12);
        *world.faults.borrow_mut() += usize::from(fault < 9);
        if fault == 0 && held {
            return Err(ProxyError::NotSent);
        }
        world.asked.borrow_mut().push(candidate.upstream.backend.id);
        *world.stale.borrow_mut() += usize::from(held && fault < 3);
        // Nobody can tell whether a backend that ends without an answer has executed the request: some have.
        if fault != 1 {
            world.executed.borrow_mut().entry(self.id).or_default().push(candidate.upstream.backend.id);
        }
        match fault {
            0..=2 => Err(ProxyError::NoAnswer),
            3 => Err(ProxyError::AnswerCut),
            4 => Err(ProxyError::AnswerBroken(Fault::Library("it is no HTTP"))),
            5 => Err(ProxyError::AnswerLate),
            6 => Ok(500),
            7 | 8 => Ok(503),
            _ => {
                drop(candidate.take_in_flight());
                Ok(200)
            }
        }
    }

    fn owes_body(&self) -> bool {
        false
    }

    async fn left(&mut self) {
        std::future::pending::<()>().await;
    }

    fn asks_for(&self) -> String {
        "GET /".to_owned()
    }

    fn key(&self, _: &KeyOf) -> Option<u64> {
        None
    }

    fn cookie(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn status(answer: &u16) -> u16 {
        *answer
    }
}

fn worker(pool: &Arc<Pool>, reports: tokio::sync::mpsc::Sender<Change>) -> Rc<Worker> {
    let next_upstream = ["error", "timeout", "invalid_header", "http_500", "http_503"];
    let limits = Limits {
        next_upstream: next_upstream.iter().map(|name| name.parse().unwrap()).collect(),
        queue_deadline: std::time::Duration::ZERO,
        connect_deadline: std::time::Duration::ZERO,
        ..Limits::default()
    };
    let (worker, _) = Worker::new(Thread {
        given: Given { request_id: false, trace: false },
        number: 0,
        entrances: Vec::new(),
        plans: vec![Plan {
            pool: Arc::clone(pool),
            queue: Arc::new(Queue::new(10)),
            reports,
            balance: Balance::RoundRobin,
            sticky: None,
            limits: limits.clone(),
            book: Book::new("app".to_owned(), 1),
            expected: 3,
            instances: 0,
        }],
        routes: None,
        compress: None,
        engine: Engine::Strict,
        addresses: Addresses::new(limits.connections_per_address),
        limiter: None,
        files: 1,
        limits,
        counters: Arc::new(Counters::default()),
        log: None,
    });
    Rc::new(worker)
}

async fn fill(changes: &tokio::sync::mpsc::Sender<Change>, pool: &Pool, count: usize) {
    let patience = Patience { max_fails: 0, ..Patience::default() };
    for id in 0..u32::try_from(count).unwrap() {
        let address: Address = "127.0.0.1:1".parse().unwrap();
        let terms = Terms { patience, ..Terms::default() };
        let backend = Backend::new(BackendId(id), format!("b{id}"), address, None, terms);
        changes.send(Change::Join(Arc::new(backend))).await.unwrap();
    }
    let mut bell = pool.bell();
    while pool.snapshot().members.len() < count {
        bell.changed().await.unwrap();
    }
}

fn guest(worker: &Worker) -> Guest {
    let door = Rc::new(Door {
        address: ([127, 0, 0, 1], 1).into(),
        tls: None,
        redirect: None,
        introduced: false,
        trust: Arc::default(),
    });
    worker.clients.welcome(IpAddr::V4(Ipv4Addr::LOCALHOST), &door)
}

async fn inject(worker: &Rc<Worker>, guest: &Guest, world: &World) {
    let mut id = 0;
    while *world.faults.borrow() < FAULTS {
        id += 1;
        let idempotent = id % 2 == 0;
        let request = retry::Request { idempotent, whole: world.lot(10) > 0 };
        let entry = Entry::begin(worker, &guest.client, |_| Asked::unread(b"", None));
        let mut scripted = Scripted { world, id, request, entry };
        let faults = *world.faults.borrow();
        let outcome = answer(&mut scripted, worker.branch()).await;
        scripted.entry.finish();
        assert!(outcome.is_ok() || *world.faults.borrow() > faults, "an error without a fault: {outcome:?}");
        let seen = world.executed.borrow_mut().remove(&id).unwrap_or_default();
        if !idempotent || !request.whole {
            assert!(seen.len() <= 1, "executed {} times: {request:?}", seen.len());
        }
        // Again only when the first time was on a held connection that was closed, and nobody else was left.
        let asked = world.asked.take();
        let mut backends = asked.clone();
        backends.sort();
        backends.dedup();
        let again = asked.len() - backends.len();
        assert!(again == 0 || again == 1 && backends.len() == 5 && asked[4] == asked[5], "asked again: {asked:?}");
        assert!(asked.len() <= worker.limits.tries + world.stale.take(), "{asked:?}");
        worker.second();
    }
    assert!(id > 20_000);
}

#[test]
fn where_others_come_and_go_one_backend_is_asked_again_and_no_second_one() {
    let mut tried = Tried::default();
    tried.pass_over((BackendId(1), 0));
    assert!(tried.ask_again());
    tried.add((BackendId(1), 0), true);
    tried.pass_over((BackendId(2), 0));
    assert!(!tried.ask_again());
}

#[test]
fn of_a_hundred_thousand_faults_none_executes_a_post_twice_or_asks_a_backend_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = Arc::new(Pool::default());
        let (changes, inbox) = tokio::sync::mpsc::channel(1024);
        let worker = worker(&pool, changes.clone());
        let guest = guest(&worker);
        let world = World::new(None);
        let outliers = Outliers { run: 0, ..Outliers::default() };
        let injecting = async {
            fill(&changes, &pool, 5).await;
            inject(&worker, &guest, &world).await;
        };
        tokio::select! {
            () = pool.write(inbox, outliers) => {}
            () = injecting => {}
        }
    });
}

/// What a pool of so many backends is told of a request that nobody answers so that it could be used, when no retry is left.
/// `fault`: 5 is no answer in time, 7 a refusal.
fn told_without_a_retry(backends: usize, fault: usize) -> Vec<Change> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = Arc::new(Pool::default());
        let (changes, inbox) = tokio::sync::mpsc::channel(1024);
        let (reports, mut told) = tokio::sync::mpsc::channel(1024);
        let worker = worker(&pool, reports);
        let (guest, world) = (guest(&worker), World::new(Some(fault)));
        let asking = async {
            fill(&changes, &pool, backends).await;
            while worker.branch().budget.borrow_mut().take() {}
            let request = retry::Request { idempotent: true, whole: true };
            let entry = Entry::begin(&worker, &guest.client, |_| Asked::unread(b"", None));
            let mut scripted = Scripted { world: &world, id: 0, request, entry };
            let _ = answer(&mut scripted, worker.branch()).await;
            scripted.entry.finish();
        };
        tokio::select! {
            () = pool.write(inbox, Outliers::default()) => {}
            () = asking => {}
        }
        assert_eq!(world.asked.borrow().len(), 1);
        std::iter::from_fn(|| told.try_recv().ok()).collect()
    })
}

#[test]
fn who_was_asked_alone_for_want_of_retries_is_not_alone_to_blame_and_who_is_alone_is() {
    for fault in [5, 7] {
        let alone = told_without_a_retry(1, fault);
        assert!(matches!(alone[..], [Change::Failed(..)]), "{fault}: {alone:?}");
        let told = told_without_a_retry(2, fault);
        assert!(told.is_empty(), "{fault}: {told:?}");
    }
}
