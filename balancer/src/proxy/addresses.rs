//! How many connections each address has, over all threads: no one client takes all places.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::limiter::Key;

/// The connections of each address, and their bound. The lock is taken once when a connection begins and once when it
/// ends, for as long as it takes to count.
#[derive(Debug)]
pub(crate) struct Addresses {
    most: usize,
    present: Mutex<HashMap<Key, usize>>,
}

impl Addresses {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, present: Mutex::default() })
    }

    /// A place for one more connection of this address, if it has not got all it may have.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let key = Key::of(address);
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let count = present.entry(key).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { key, addresses: Arc::clone(self) })
    }
}

/// The place of one connection.
#[derive(Debug)]
pub(crate) struct Place {
    key: Key,
    addresses: Arc<Addresses>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.addresses.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = present.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let addresses = Addresses::new(2);
        let admit = |address: &str| addresses.admit(address.parse().unwrap());
        let (first, _second) = (admit("10.0.0.1"), admit("::ffff:10.0.0.1"));
        assert!(first.is_some() && admit("10.0.0.1").is_none());
        assert!(admit("10.0.0.2").is_some(), "others are not bothered");
        drop(first);
        assert!(admit("10.0.0.1").is_some());
    }

    #[test]
    fn a_network_of_addresses_counts_as_one() {
        let addresses = Addresses::new(1);
        let _held = addresses.admit("2001:db8::1".parse().unwrap());
        assert!(addresses.admit("2001:db8::2".parse().unwrap()).is_none());
        assert!(addresses.admit("2001:db8:0:1::1".parse().unwrap()).is_some());
    }
}
