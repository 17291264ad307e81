//! The coarse time of a thread, and how long something has stood still by it. Pure.
//!
//! Deadlines cost nothing per request: what moves leaves a mark, and only who looks now and then asks what time it is. A
//! mark counts from the look that finds it, so no deadline is ever over too early; and it is noticed within two looks.

use std::{cell::Cell, time::Duration};

use crate::config::Limits;

/// Longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(1);
/// The shortest: to look oftener would cost more than it is worth.
const SHORTEST: Duration = Duration::from_millis(50);
/// Looks in the shortest deadline, so that it is late by a tenth of it at most.
const PER_DEADLINE: u32 = 20;

/// The time since a thread began, as of its last look.
#[derive(Debug)]
pub(crate) struct Clock {
    pause: Duration,
    now: Cell<Duration>,
}

impl Clock {
    /// One that is looked at often enough for all deadlines of these.
    pub(crate) fn new<'a>(limits: impl Iterator<Item = &'a Limits>) -> Self {
        let shortest = limits.flat_map(deadlines).min().unwrap_or(LONGEST * PER_DEADLINE);
        Self { pause: (shortest / PER_DEADLINE).clamp(SHORTEST, LONGEST), now: Cell::default() }
    }

    /// How long to wait between two looks.
    pub(crate) fn pause(&self) -> Duration {
        self.pause
    }

    pub(crate) fn now(&self) -> Duration {
        self.now.get()
    }

    /// A look after so long a time. Returns how much of it counts: a thread that was held up has not yet seen what happened
    /// meanwhile, and nobody shall pay for that.
    pub(crate) fn look(&self, passed: Duration) -> Duration {
        let counted = passed.min(self.pause * 2);
        self.now.set(self.now.get() + counted);
        counted
    }
}

/// Those that are kept by this clock; others have timers of their own.
fn deadlines(limits: &Limits) -> [Duration; 7] {
    [
        limits.handshake_deadline,
        limits.head_deadline,
        limits.stall_deadline,
        limits.body_patience,
        limits.read_patience,
        limits.tunnel_deadline,
        limits.idle_age,
    ]
}

/// How long something has stood still.
#[derive(Debug)]
pub(super) struct Stillness {
    moved: Cell<bool>,
    since: Cell<Duration>,
}

impl Stillness {
    /// It moves now.
    pub(super) fn new() -> Self {
        Self { moved: Cell::new(true), since: Cell::default() }
    }

    pub(super) fn moves(&self) {
        self.moved.set(true);
    }

    /// Looks: for how long it has certainly been still.
    pub(super) fn look(&self, now: Duration) -> Duration {
        if self.moved.replace(false) {
            self.since.set(now);
        }
        now - self.since.get()
    }

    /// The same without leaving a trace.
    pub(super) fn so_far(&self, now: Duration) -> Duration {
        if self.moved.get() { Duration::ZERO } else { now - self.since.get() }
    }
}

/// How far one side is behind its lowest rate, in the time in which nothing but that side was waited for. Who is ahead gains
/// nothing: a part that comes at once buys no time for the rest.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waiting: Cell<bool>,
    /// Whether a look has found it waiting: the time before that does not count.
    found: Cell<bool>,
    behind: Cell<Duration>,
    /// Bytes since the last look.
    moved: Cell<u64>,
}

impl Pace {
    pub(super) fn begin(&self) {
        self.waiting.set(false);
        self.found.set(false);
        self.behind.set(Duration::ZERO);
        self.moved.set(0);
    }

    /// Whether that side is waited for from now on; returns whether it was.
    pub(super) fn waits(&self, waits: bool) -> bool {
        self.waiting.replace(waits)
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.get()
    }

    pub(super) fn moves(&self, bytes: usize) {
        self.moved.set(self.moved.get() + bytes as u64);
    }

    /// Looks, so long after the last look: how far it is behind so many bytes a second. Without a rate, nobody is.
    pub(super) fn look(&self, passed: Duration, rate: u64) -> Duration {
        let waited = if self.waiting.get() && self.found.replace(true) { passed } else { Duration::ZERO };
        let moved = u128::from(self.moved.replace(0)) * 1_000_000_000;
        let worth = moved
            .checked_div(u128::from(rate))
            .map_or(Duration::MAX, |nanoseconds| Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)));
        self.behind.set((self.behind.get() + waited).saturating_sub(worth));
        self.behind.get()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn with(read_timeout: Duration) -> Clock {
        Clock::new([Limits { stall_deadline: read_timeout, ..Limits::default() }].iter())
    }

    #[test]
    fn it_is_looked_at_as_often_as_the_shortest_deadline_needs() {
        let pauses = [1, 100, 900, 1000, 4000, 60_000].map(|shortest| with(MS(shortest)).pause());
        assert_eq!(pauses, [50, 50, 50, 50, 200, 500].map(MS));
        assert_eq!(Clock::new([].iter()).pause(), LONGEST);
    }

    #[test]
    fn a_thread_that_was_held_up_counts_little_of_it() {
        let clock = with(MS(1000));
        assert_eq!([60, 5000].map(|passed| clock.look(MS(passed))), [60, 100].map(MS));
        assert_eq!(clock.now(), MS(160));
    }

    /// When it is noticed that something which moves after `moves`, and then no more, has stood still for this long; the
    /// looks are as much later than they should be.
    fn noticed(clock: &Clock, moves: &[Duration], deadline: Duration, late: &[Duration]) -> Duration {
        let (still, mut real) = (Stillness::new(), Duration::ZERO);
        for late in late.iter().cycle() {
            let before = real;
            real += clock.pause() + *late;
            if moves.iter().any(|moved| (before..real).contains(moved)) {
                still.moves();
            }
            clock.look(real - before);
            if still.look(clock.now()) >= deadline && moves.iter().all(|moved| *moved < real) {
                return real;
            }
        }
        unreachable!("it stands still in the end")
    }

    proptest! {
        #[test]
        fn no_deadline_is_over_too_early_and_none_is_late_by_more_than_a_tenth_or_a_little(
            deadline in 1..20_000_u64,
            mut moves in prop::collection::vec(0..3000_u64, 1..8),
            late in prop::collection::vec(0..4_u64, 1..8),
        ) {
            moves.sort_unstable();
            let moves: Vec<_> = moves.into_iter().map(MS).collect();
            // Only what stands still after the last move: before that, pauses shorter than the deadline are none.
            let last = *moves.last().unwrap();
            let late: Vec<_> = late.into_iter().map(MS).collect();
            let deadline = MS(deadline);
            let clock = with(deadline);
            let took = noticed(&clock, &moves, deadline, &late) - last;
            prop_assert!(took >= deadline, "{took:?} for {deadline:?}");
            let most = deadline + (deadline / 10).max(MS(100)) + MS(8);
            prop_assert!(took <= most, "{took:?} for {deadline:?}");
        }

        #[test]
        fn nobody_is_too_slow_before_its_time_nor_at_its_rate_and_everybody_else_is_in_time(
            patience in 100..5000_u64,
            begins in 0..50_u64,
            rate in 1..10_000_u64,
            tenths in 0..20_u64,
            ahead in 0..1_000_000_usize,
        ) {
            let clock = Clock::new([Limits { read_patience: MS(patience), ..Limits::default() }].iter());
            let pause = clock.pause();
            let (pace, mut sent) = (Pace::default(), 0);
            // It is waited for from the middle of a pause on, moves a part at once, and then so many tenths of the rate.
            pace.moves(ahead);
            let mut waited = pause.saturating_sub(MS(begins));
            let slack = (MS(patience) / 10).max(MS(100));
            // The less it moves, the sooner it has fallen behind by all of it.
            let due = (tenths < 10).then(|| (MS(patience) + slack) * 10 / u32::try_from(10 - tenths).unwrap());
            while waited <= 11 * (MS(patience) + slack) {
                pace.waits(true);
                let all = (u64::try_from(waited.as_millis()).unwrap() * rate * tenths).div_ceil(10_000);
                pace.moves(usize::try_from(all - sent).unwrap());
                sent = all;
                let is_too_slow = pace.look(clock.look(pause), rate) >= MS(patience);
                prop_assert!(!is_too_slow || (waited >= MS(patience) && tenths < 10));
                // A rate of a byte in many looks says little.
                let is_late = due.is_some_and(|due| waited > due) && rate >= 100;
                prop_assert!(is_too_slow || !is_late, "{waited:?} of {due:?}");
                waited += pause;
            }
        }
    }
}
