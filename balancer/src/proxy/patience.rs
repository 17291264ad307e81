//! How long the beginning of an answer is held back in the hope for all of it: a backend that dies in the middle of one
//! that nobody has seen costs nobody anything. Whoever pauses has said what it had to say for now, and its reader wants to
//! see that.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Of an answer without a length, which may have been begun before all of it was known: the longest pause in it, and the
/// longest time for all of it.
const UNCOUNTED: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Of one with a length, which is there as a rule, and comes as fast as it can.
const COUNTED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// The patience with one answer.
pub(super) struct Patience {
    pause: Duration,
    until: Instant,
    moved: Instant,
    /// None while all of it comes at once.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// With one whose head has come.
    pub(super) fn new(is_counted: bool) -> Self {
        let (pause, whole) = if is_counted { COUNTED } else { UNCOUNTED };
        let now = Instant::now();
        Self { pause, until: now + whole, moved: now, sleep: None }
    }

    /// More of it has come.
    pub(super) fn moves(&mut self) {
        self.moved = Instant::now();
    }

    /// When it ends, if nothing more comes.
    pub(super) fn due(&self) -> Instant {
        self.until.min(self.moved + self.pause)
    }

    /// Ready when it is over. One timer does for however many pieces.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.due();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long after its head one is waited for whose last piece came so many milliseconds after that.
    fn waits(is_counted: bool, moved: u64) -> u64 {
        let mut patience = Patience::new(is_counted);
        let begun = patience.moved;
        patience.moved += Duration::from_millis(moved);
        u64::try_from((patience.due() - begun).as_millis()).unwrap()
    }

    #[test]
    fn it_ends_with_a_pause_and_after_a_while() {
        assert_eq!([0, 50, 95, 500].map(|moved| waits(false, moved)), [10, 60, 100, 100]);
        assert_eq!([0, 500, 950].map(|moved| waits(true, moved)), [100, 600, 1000]);
    }
}
