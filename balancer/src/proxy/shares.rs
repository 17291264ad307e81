//! Who has the places of one thread: an address gets no more of them while it has as many as are free. So one alone takes
//! half of them at most, the next one half of what is left, and who has none finds one for long. No I/O.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::IpAddr,
    rc::Rc,
};

use crate::limiter::Key;

/// The places, and who has them.
#[derive(Debug)]
pub(crate) struct Shares {
    free: Cell<usize>,
    held: RefCell<HashMap<Key, usize>>,
}

impl Shares {
    pub(crate) fn of(most: usize) -> Rc<Self> {
        Rc::new(Self { free: Cell::new(most), held: RefCell::default() })
    }

    /// A place for this address, unless it has enough of them.
    pub(crate) fn admit(self: &Rc<Self>, address: IpAddr) -> Option<Share> {
        let key = Key::of(address);
        let mut held = self.held.borrow_mut();
        let free = self.free.get();
        if held.get(&key).copied().unwrap_or_default() >= free {
            return None;
        }
        *held.entry(key).or_default() += 1;
        self.free.set(free - 1);
        Some(Share { key, shares: Rc::clone(self) })
    }
}

/// One place in use.
#[derive(Debug)]
pub(crate) struct Share {
    key: Key,
    shares: Rc<Shares>,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.free.set(self.shares.free.get() + 1);
        let mut held = self.shares.held.borrow_mut();
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn take_all(shares: &Rc<Shares>, address: &str) -> Vec<Share> {
        std::iter::from_fn(|| shares.admit(address.parse().unwrap())).collect()
    }

    #[test]
    fn one_address_gets_half_and_its_places_come_back() {
        let shares = Shares::of(8);
        let first = take_all(&shares, "2001:db8::1");
        assert_eq!(first.len(), 4);
        assert!(shares.admit("2001:db8::2".parse().unwrap()).is_none(), "it is of the same network");
        assert_eq!(take_all(&shares, "10.0.0.1").len(), 4 / 2);
        drop(first);
        assert_eq!((shares.free.get(), shares.held.borrow().len()), (8, 0));
        assert_eq!(take_all(&Shares::of(1), "10.0.0.1").len(), 1, "the last one is anybody's");
    }

    proptest! {
        #[test]
        fn whoever_has_none_gets_a_place_while_there_are_fewer_others_than_places(most in 1_usize..200, others in 0_u32..200) {
            let shares = Shares::of(most);
            let held: Vec<Share> = (0..others).flat_map(|number| take_all(&shares, &std::net::Ipv4Addr::from(number).to_string())).collect();
            prop_assert!(held.len() <= most);
            let newcomer = shares.admit("2001:db8::1".parse().unwrap());
            prop_assert_eq!(newcomer.is_some(), held.len() < most);
            prop_assert!(newcomer.is_some() || others as usize >= most.ilog2() as usize);
        }
    }
}
