//! The seat of a trial: whoever has it decides whether its backend comes back.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::verdict::{FEWEST, Suspect};

/// After that long somebody else may try beside who tries already, for the third after twice that, and so on. Also how long
/// somebody waits whose request has failed there.
const PAUSE: Duration = Duration::from_secs(1);

/// Its holders. A request that takes its time, as uploads and long polls do, holds nobody off for long, and one client has it
/// once at a time, so that nobody can keep a backend out by holding it.
#[derive(Debug, Default)]
pub struct Seat(Mutex<Holders>);

#[derive(Debug, Default)]
struct Holders {
    now: Vec<Suspect>,
    /// When the next one may come.
    next: Option<Instant>,
    /// Whose requests have failed, which may have been their own doing, and when.
    failed: Vec<(Suspect, Instant)>,
}

impl Seat {
    /// Whether this client may have it.
    pub(crate) fn is_free(&self, client: Suspect, now: Instant) -> bool {
        self.lock().is_free(client, now)
    }

    /// Takes it for a client, if it may.
    pub(crate) fn take(&self, client: Suspect, now: Instant) -> bool {
        let mut holders = self.lock();
        let is_free = holders.is_free(client, now);
        if is_free {
            let doublings = u32::try_from(holders.now.len()).unwrap_or(u32::MAX);
            holders.next = now.checked_add(PAUSE.saturating_mul(2_u32.saturating_pow(doublings)));
            holders.now.push(client);
        }
        is_free
    }

    /// That client has nothing to say.
    pub(crate) fn leave(&self, client: Suspect) {
        self.lock().now.retain(|other| *other != client);
    }

    /// That client's request has failed, perhaps by its own doing; says whether so many have that it is the backend.
    pub(crate) fn fails(&self, client: Suspect, now: Instant) -> bool {
        let mut holders = self.lock();
        holders.failed.retain(|(other, _)| *other != client);
        holders.failed.push((client, now));
        holders.failed.len() >= FEWEST as usize
    }

    fn lock(&self) -> MutexGuard<'_, Holders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    fn is_free(&self, client: Suspect, now: Instant) -> bool {
        let is_next = self.now.is_empty() || self.next.is_none_or(|next| now >= next);
        let has_failed =
            |(other, at): &(Suspect, Instant)| *other == client && now.saturating_duration_since(*at) < PAUSE;
        is_next && !self.now.contains(&client) && !self.failed.iter().any(has_failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Suspect {
        Suspect::of([10, 0, 0, last].into())
    }

    #[test]
    fn one_has_it_and_who_takes_long_is_joined_by_others_and_not_by_itself() {
        let (seat, begin) = (Seat::default(), Instant::now());
        let after = |milliseconds| begin + Duration::from_millis(milliseconds);
        assert!(seat.take(client(1), begin) && !seat.take(client(2), after(999)));
        assert!(!seat.take(client(1), after(60_000)));
        assert!(seat.is_free(client(2), after(1000)) && seat.take(client(2), after(1000)));
        assert!(!seat.take(client(3), after(2999)) && seat.take(client(3), after(3000)));
        seat.leave(client(1));
        assert!(!seat.take(client(1), after(6999)) && seat.take(client(1), after(7000)));
        [1, 2, 3].map(client).into_iter().for_each(|client| seat.leave(client));
        assert!(seat.take(client(4), after(7001)), "nobody has it");
    }

    #[test]
    fn the_failures_of_two_clients_are_the_backends_and_those_of_one_are_not() {
        let (seat, begin) = (Seat::default(), Instant::now());
        for round in 0..10 {
            let now = begin + PAUSE * round;
            assert!(seat.take(client(1), now) && !seat.fails(client(1), now));
            seat.leave(client(1));
            assert!(!seat.is_free(client(1), now), "not at once");
            assert!(seat.is_free(client(2), now));
        }
        assert!(seat.fails(client(2), begin));
    }
}
