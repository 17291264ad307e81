//! Waiting on conditions. The one place where the tests let time pass.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far beyond what a loaded two-core machine needs; a test that comes near it is broken, not slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// Looks until `condition` gives a value, for at most two minutes.
///
/// # Panics
///
/// When the deadline passes, naming `what` was waited for.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
