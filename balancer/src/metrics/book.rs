//! What is counted about one pool and its backends. Each thread writes in counters of its own; the book knows all of them,
//! and is opened for the first request that a thread has for a backend, never for the others.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Counter, by_name::ByName, histogram::Histogram};

/// Answers by the class of their status, 1xx to 5xx.
pub type Classes = [Counter; 5];

/// Counts one answer.
pub(crate) fn count_status(classes: &Classes, status: u16) {
    let class = usize::from(status / 100).clamp(1, 5);
    classes[class - 1].add_one();
}

/// What one thread counts about a pool.
#[derive(Debug, Default)]
pub struct PoolCounts {
    /// Requests by how they were answered, by whomever.
    pub answers: Classes,
    /// Second and later tries, by their reason.
    pub retries: ByName,
    /// How long requests waited because no backend was ready or all were busy.
    pub waits: Histogram,
}

/// What one thread counts about a backend.
#[derive(Debug, Default)]
pub struct BackendCounts {
    /// Its answers.
    pub answers: Classes,
    /// What failed there, by kind.
    pub failures: ByName,
    /// Connections made to it.
    pub connections: Counter,
    /// Bytes of bodies that went to it.
    pub sent: Counter,
    /// Bytes of bodies that came from it and went to clients.
    pub received: Counter,
    /// From the moment it was asked to the head of its answer.
    pub first_byte: Histogram,
    /// From the head of a request to the last byte of its answer.
    pub whole: Histogram,
}

type Backends = BTreeMap<String, Vec<Arc<BackendCounts>>>;

/// The counters of one pool.
#[derive(Debug)]
pub struct Book {
    /// The pool's name.
    pub name: String,
    threads: Vec<Arc<PoolCounts>>,
    backends: Mutex<Backends>,
}

impl Book {
    /// The book of a pool for so many threads.
    #[must_use]
    pub fn new(name: String, threads: usize) -> Arc<Self> {
        let threads = (0..threads).map(|_| Arc::default()).collect();
        Arc::new(Self { name, threads, backends: Mutex::default() })
    }

    /// What a thread counts about the pool.
    #[must_use]
    pub fn pool(&self, thread: usize) -> Arc<PoolCounts> {
        Arc::clone(&self.threads[thread])
    }

    /// What a thread counts about a backend. One that comes again under its name goes on where it was.
    #[must_use]
    pub fn backend(&self, thread: usize, name: &str) -> Arc<BackendCounts> {
        let mut backends = self.backends();
        if !backends.contains_key(name) {
            let counts = self.threads.iter().map(|_| Arc::default()).collect();
            backends.insert(name.to_owned(), counts);
        }
        Arc::clone(&backends[name][thread])
    }

    /// Of all threads.
    #[must_use]
    pub fn threads(&self) -> &[Arc<PoolCounts>] {
        &self.threads
    }

    /// Of all backends and threads. Those that are not there any more, and that nobody writes about, are forgotten: a book
    /// has an end though backends come and go.
    #[must_use]
    pub fn sum_up(&self, is_there: impl Fn(&str) -> bool) -> Backends {
        let mut backends = self.backends();
        backends.retain(|name, counts| is_there(name) || counts.iter().any(|counts| Arc::strong_count(counts) > 1));
        backends.clone()
    }

    fn backends(&self) -> MutexGuard<'_, Backends> {
        // Nothing that is done under the lock can leave it half done.
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_is_gone_is_forgotten_once_nobody_writes_about_it() {
        let book = Book::new("app".to_owned(), 2);
        let (first, second) = (book.backend(0, "a"), book.backend(1, "a"));
        first.connections.add_one();
        drop((first, second));
        assert_eq!(book.backend(0, "a").connections.get(), 1, "it goes on where it was");
        let held = book.backend(1, "b");
        assert_eq!(book.sum_up(|name| name == "a").len(), 2);
        assert_eq!(book.sum_up(|_| false).keys().collect::<Vec<_>>(), ["b"]);
        drop(held);
        assert!(book.sum_up(|_| false).is_empty());
    }

    #[test]
    fn an_answer_is_of_the_class_of_its_status() {
        let classes = Classes::default();
        [101, 200, 299, 404, 499, 503, 999].iter().for_each(|status| count_status(&classes, *status));
        assert_eq!(classes.each_ref().map(Counter::get), [1, 2, 0, 2, 2]);
    }
}
