//! Which clients may have a request now, over all threads: a table of bounded size with a time for each client. Its parts
//! have a lock each, held for a look at one client.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::rate::Rate;

/// Parts of the table.
const PARTS: usize = 64;
/// Clients in each.
const MOST_IN_PART: usize = 1024;
/// Clients that are remembered.
pub(crate) const MOST: usize = PARTS * MOST_IN_PART;

/// Whom bounds of clients count as one: an IPv4 address, or the first half of an IPv6 address, for whoever has one of
/// those has all that begin like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Four(u32),
    Six(u64),
}

impl Key {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Four(address.to_bits()),
            IpAddr::V6(address) => Self::Six(u64::try_from(address.to_bits() >> 64).unwrap_or_default()),
        }
    }
}

/// A rate and who has used it.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    begun: Instant,
    chance: RandomState,
    parts: Vec<Mutex<HashMap<Key, Duration>>>,
}

/// Two are the same if they say the same.
impl PartialEq for Limiter {
    fn eq(&self, other: &Self) -> bool {
        self.rate == other.rate
    }
}

impl Eq for Limiter {}

impl Limiter {
    /// A table of this rate, which nobody has used.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { rate, begun: Instant::now(), chance: RandomState::new(), parts }
    }

    /// The rate.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts a request of a client with this address, if `others` admit it too.
    ///
    /// # Errors
    ///
    /// It comes too early by so much, for this one or the others, and does not count.
    pub fn admit(&self, address: IpAddr, others: impl FnOnce() -> Result<(), Duration>) -> Result<(), Duration> {
        self.admit_at(Key::of(address), self.begun.elapsed(), others)
    }

    fn admit_at(&self, key: Key, now: Duration, others: impl FnOnce() -> Result<(), Duration>) -> Result<(), Duration> {
        let part = usize::try_from(self.chance.hash_one(key) % PARTS as u64).unwrap_or(0);
        let mut part = self.parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        let time = part.get(&key).copied().unwrap_or_default();
        let next = self.rate.admit(time, now)?;
        // With the lock held: nobody is admitted here meanwhile.
        others()?;
        if part.len() >= MOST_IN_PART && !part.contains_key(&key) {
            make_room(&mut part, now);
        }
        part.insert(key, next);
        Ok(())
    }
}

/// Forgets those who owe nothing; if all do, the one who owes least: it gains no more than that.
fn make_room(part: &mut HashMap<Key, Duration>, now: Duration) {
    part.retain(|_, time| *time > now);
    if part.len() >= MOST_IN_PART
        && let Some(least) = part.iter().min_by_key(|(_, time)| **time).map(|(key, _)| *key)
    {
        part.remove(&least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_apart_by_address_or_network() {
        let limiter = Limiter::new(Rate::new("1r/m".parse().unwrap(), 0));
        let admits = |address: &str| limiter.admit(address.parse().unwrap(), || Ok(())).is_ok();
        assert!(admits("10.0.0.1") && !admits("10.0.0.1") && admits("10.0.0.2") && !admits("::ffff:10.0.0.2"));
        assert!(admits("2001:db8::1") && !admits("2001:db8::2") && admits("2001:db8:0:1::1"));
    }

    #[test]
    fn what_one_of_two_refuses_counts_for_neither() {
        let limiter = |burst| Limiter::new(Rate::new("1r/m".parse().unwrap(), burst));
        let (route, all) = (limiter(1), limiter(0));
        let address = "10.0.0.1".parse().unwrap();
        let admits_all = || all.admit(address, || Ok(()));
        assert!(route.admit(address, admits_all).is_ok());
        for _ in 0..3 {
            assert!(route.admit(address, admits_all).is_err(), "there is no more for all requests");
        }
        assert!(route.admit(address, || Ok(())).is_ok(), "the route has one more");
        let all = limiter(0);
        assert!(route.admit(address, || all.admit(address, || Ok(()))).is_err(), "the route has no more");
        assert!(all.admit(address, || Ok(())).is_ok());
    }

    #[test]
    fn the_table_has_a_bound_and_who_owes_most_stays_in_it() {
        let limiter = Limiter::new(Rate::new("1r/m".parse().unwrap(), 1));
        let greedy = Key::of("10.255.255.255".parse().unwrap());
        let now = Duration::from_secs(1);
        let admits = |key| limiter.admit_at(key, now, || Ok(())).is_ok();
        assert!(admits(greedy) && admits(greedy));
        for number in 0..80_000 {
            assert!(admits(Key::Four(number)));
        }
        let held: usize = limiter.parts.iter().map(|part| part.lock().unwrap().len()).sum();
        assert!(held <= MOST, "{held}");
        assert!(!admits(greedy), "it is not forgotten for others");
    }
}
