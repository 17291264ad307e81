//! Requests that wait because all backends are busy or none is ready: a line over all threads, first come first served,
//! of bounded length. The lock is held for a look at the line only, and nobody comes here while there is room.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

/// The line.
#[derive(Debug)]
pub(crate) struct Queue {
    /// How many there are, those beside the line included.
    waiting: AtomicUsize,
    most: usize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    places: BTreeMap<u64, Arc<Notify>>,
}

impl Queue {
    /// An empty line for so many.
    pub(crate) fn new(most: usize) -> Self {
        Self { waiting: AtomicUsize::new(0), most, line: Mutex::default() }
    }

    /// How many wait.
    pub(crate) fn length(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether nobody waits. Who comes then need not either.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0
    }

    /// Stands at the end of the line; `None` when it is full.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Waiting> {
        // Counted before the last look for room: whoever leaves after that look sees that somebody waits.
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= self.most {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        let mut line = self.line();
        let (number, bell) = (line.next, Arc::new(Notify::new()));
        line.next += 1;
        line.places.insert(number, Arc::clone(&bell));
        drop(line);
        Some(Waiting { queue: Arc::clone(self), number, bell })
    }

    /// There is room for one.
    pub(crate) fn call(&self) {
        if !self.is_empty()
            && let Some((_, bell)) = self.line().places.first_key_value()
        {
            bell.notify_one();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // Nothing that is done under the lock can leave it half done.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line. When it is given up, for whatever reason, the next one looks whether there is room.
pub(crate) struct Waiting {
    queue: Arc<Queue>,
    number: u64,
    bell: Arc<Notify>,
}

impl Waiting {
    /// Whether nobody stands before.
    pub(crate) fn is_first(&self) -> bool {
        self.queue.line().places.first_key_value().is_some_and(|(number, _)| *number == self.number)
    }

    /// Waits for a call.
    pub(crate) async fn called(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.line().places.remove(&self.number);
        self.queue.waiting.fetch_sub(1, Ordering::SeqCst);
        self.queue.call();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_line_has_an_end() {
        let queue = Arc::new(Queue::new(2));
        let (first, second) = (queue.enter(), queue.enter());
        assert!(first.is_some() && second.is_some() && queue.enter().is_none());
        drop(first);
        assert!(second.as_ref().is_some_and(Waiting::is_first) && queue.enter().is_some());
    }

    proptest! {
        #[test]
        fn first_come_first_served_whoever_gives_up(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..60)) {
            let queue = Arc::new(Queue::new(20));
            let mut line: Vec<Waiting> = Vec::new();
            for (comes, who) in steps {
                if comes {
                    line.extend(queue.enter());
                } else if !line.is_empty() {
                    drop(line.remove(who.index(line.len())));
                }
                prop_assert!(line.len() <= 20);
                prop_assert_eq!(queue.is_empty(), line.is_empty());
                for (place, waiting) in line.iter().enumerate() {
                    prop_assert_eq!(waiting.is_first(), place == 0);
                }
            }
        }
    }
}
