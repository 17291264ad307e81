//! `Clock`: where the time comes from. Owns no time itself; everything that decides by time asks one of these, so that
//! tests can turn the hands.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// The time of day, shared by cloning.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

/// The hands of a clock made by [`Clock::by_hand`].
#[derive(Debug, Clone)]
pub struct Hands(Arc<AtomicI64>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        }))
    }

    /// A clock that stands at `now_ms` until its hands are moved.
    pub fn by_hand(now_ms: i64) -> (Self, Hands) {
        let hands = Hands(Arc::new(AtomicI64::new(now_ms)));
        let read = hands.clone();
        (Self(Arc::new(move || read.0.load(Relaxed))), hands)
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now_ms()).finish()
    }
}

impl Hands {
    /// Moves the clock on.
    pub fn advance_ms(&self, by: i64) {
        self.0.fetch_add(by, Relaxed);
    }
}
