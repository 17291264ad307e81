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
    /// Who has been at a backend already, and may not be asked to wait for the others again.
    beside: BTreeMap<u64, Arc<Notify>>,
}

impl Line {
    fn of(&mut self, stand: Stand) -> &mut BTreeMap<u64, Arc<Notify>> {
        match stand {
            Stand::InLine => &mut self.places,
            Stand::Beside => &mut self.beside,
        }
    }
}

/// Where one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// At the end of the line.
    InLine,
    /// Beside it: whoever is not served by every backend must not stop those who are.
    Beside,
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

    /// Waits there; `None` when there are too many.
    pub(crate) fn enter(self: &Arc<Self>, stand: Stand) -> Option<Waiting> {
        // Counted before the last look for room: whoever leaves after that look sees that somebody waits.
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= self.most {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        let mut line = self.line();
        let (number, bell) = (line.next, Arc::new(Notify::new()));
        line.next += 1;
        line.of(stand).insert(number, Arc::clone(&bell));
        drop(line);
        Some(Waiting { queue: Arc::clone(self), stand, number, bell })
    }

    /// There is room for one: the first in line, unless one of those beside it is faster.
    pub(crate) fn call(&self) {
        if self.is_empty() {
            return;
        }
        let line = self.line();
        for bell in line.places.values().take(1).chain(line.beside.values()) {
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
    stand: Stand,
    number: u64,
    bell: Arc<Notify>,
}

impl Waiting {
    /// Whether nobody stands before.
    pub(crate) fn is_first(&self) -> bool {
        self.stand == Stand::Beside
            || self.queue.line().places.first_key_value().is_some_and(|(number, _)| *number == self.number)
    }

    /// Waits for a call.
    pub(crate) async fn called(&self) {
        self.bell.notified().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.queue.line().of(self.stand).remove(&self.number);
        self.queue.waiting.fetch_sub(1, Ordering::SeqCst);
        if let Some((_, bell)) = self.queue.line().places.first_key_value() {
            bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_line_has_an_end() {
        let queue = Arc::new(Queue::new(2));
        let (first, second) = (queue.enter(Stand::InLine), queue.enter(Stand::InLine));
        assert!(first.is_some() && second.is_some() && queue.enter(Stand::InLine).is_none());
        drop(first);
        assert!(second.as_ref().is_some_and(Waiting::is_first) && queue.enter(Stand::InLine).is_some());
    }

    #[tokio::test]
    async fn who_waits_beside_the_line_is_called_and_stops_nobody() {
        let queue = Arc::new(Queue::new(3));
        let beside = queue.enter(Stand::Beside).unwrap();
        let (first, second) = (queue.enter(Stand::InLine).unwrap(), queue.enter(Stand::InLine).unwrap());
        assert!(beside.is_first() && first.is_first() && !second.is_first());
        assert!(queue.enter(Stand::Beside).is_none(), "they count alike");
        queue.call();
        beside.called().await;
        first.called().await;
        drop((beside, first));
        assert!(second.is_first());
        second.called().await;
    }

    proptest! {
        #[test]
        fn first_come_first_served_whoever_gives_up(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..60)) {
            let queue = Arc::new(Queue::new(20));
            let mut line: Vec<Waiting> = Vec::new();
            for (comes, who) in steps {
                if comes {
                    line.extend(queue.enter(Stand::InLine));
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
