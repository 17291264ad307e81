//! How much of something a thread holds, with a bound: bytes of bodies in memory, files that are open.

use std::{cell::Cell, rc::Rc};

/// What one thread holds, and its bound.
#[derive(Debug)]
pub(crate) struct Room {
    pub(super) held: Cell<usize>,
    most: usize,
}

impl Room {
    pub(crate) fn new(most: usize) -> Rc<Self> {
        Rc::new(Self { held: Cell::new(0), most })
    }

    /// Takes some, and gives it back when what is returned is dropped.
    pub(crate) fn take(self: &Rc<Self>, amount: usize) -> Taken {
        self.held.set(self.held.get() + amount);
        Taken { amount, room: Rc::clone(self) }
    }

    /// Takes one, if there is still some.
    pub(crate) fn admit(self: &Rc<Self>) -> Option<Taken> {
        self.is_left().then(|| self.take(1))
    }

    /// Whether there is still some.
    pub(crate) fn is_left(&self) -> bool {
        self.held.get() < self.most
    }
}

/// Room in use.
#[derive(Debug)]
pub(crate) struct Taken {
    amount: usize,
    room: Rc<Room>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.held.set(self.room.held.get() - self.amount);
    }
}
