//! One pool with all that is done about it from outside the data plane: its writer, probes, checks, lookups of names.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Watched;
use crate::{
    backend::{Backend, Location},
    config::{self, Config, Server},
    health,
    metrics::book::Book,
    names::{self, Named},
    pool::{Change, Pool},
    proxy::Plan,
    queue::Queue,
    scrape::Metered,
    supervisor::Ids,
};

/// Changes that wait for the pool's writer.
const CHANGES: usize = 1024;

/// One pool and its settings.
pub(super) struct Yard {
    pub(super) changes: mpsc::Sender<Change>,
    pool: Arc<Pool>,
    queue: Arc<Queue>,
    book: Arc<Book>,
    settings: config::pools::Pool,
    expected: usize,
    instances: usize,
}

impl Yard {
    /// An empty one; its writer lives as long as somebody can tell it something.
    pub(super) fn open(config: &Config, number: usize, settings: config::pools::Pool, tasks: &TaskTracker) -> Self {
        let (changes, inbox) = mpsc::channel(CHANGES);
        let pool = Arc::new(Pool::named(settings.name.clone()));
        let (writing, outliers) = (Arc::clone(&pool), settings.limits.outliers);
        tasks.spawn(async move { writing.write(inbox, outliers).await });
        let queue = Arc::new(Queue::new(settings.limits.queue_length));
        let expected = config.expected(number, &settings);
        let instances = config.instances(number);
        let book = Book::new(settings.name.clone(), config.threads);
        Self { changes, pool, queue, book, settings, expected, instances }
    }

    /// What threads need of it.
    pub(super) fn plan(&self) -> Plan {
        Plan {
            pool: Arc::clone(&self.pool),
            queue: Arc::clone(&self.queue),
            reports: self.changes.clone(),
            balance: self.settings.balance.clone(),
            sticky: self.settings.sticky.clone(),
            limits: self.settings.limits.clone(),
            book: Arc::clone(&self.book),
            expected: self.expected,
            instances: self.instances,
        }
    }

    /// What the page of metrics needs of it.
    pub(super) fn metered(&self) -> Metered {
        Metered { pool: Arc::clone(&self.pool), queue: Arc::clone(&self.queue), book: Arc::clone(&self.book) }
    }

    /// Begins with probes and checks, and has the backends that somebody else runs join; all of it ends with `stop`.
    pub(super) async fn begin(&self, ids: &Arc<Ids>, tasks: &TaskTracker, stop: &CancellationToken) {
        tasks.spawn(health::restore_ejected(Arc::clone(&self.pool), self.changes.clone(), stop.clone()));
        if let Some(checks) = self.settings.checks {
            tasks.spawn(health::checks::check(Arc::clone(&self.pool), self.changes.clone(), checks, stop.clone()));
        }
        for Server { location, terms, health } in self.settings.servers.iter().cloned() {
            match location {
                Location::Fixed(address) => {
                    let backend = Backend::new(ids.next(), address.to_string(), address, health, terms);
                    drop(self.changes.send(Change::Join(Arc::new(backend))).await);
                }
                Location::Named(name) => {
                    let (named, resolver) = (Named { name, terms, health }, self.settings.resolver.clone());
                    let look_up = move |name| resolver.clone().look_up(name);
                    let holds = self.settings.resolve;
                    let following = names::follow(named, Arc::clone(ids), self.changes.clone(), holds, look_up);
                    tasks.spawn(stop.clone().run_until_cancelled_owned(following));
                }
            }
        }
    }

    /// What is left of yards when all that is to be done about them goes on: the pools, and how many backends there shall
    /// be in all of them.
    pub(super) fn watched(yards: Vec<Self>) -> (Vec<Watched>, usize) {
        let watched: Vec<Watched> = yards.into_iter().map(|yard| (yard.pool, yard.expected)).collect();
        let expected = watched.iter().map(|(_, expected)| expected).sum();
        (watched, expected)
    }
}
