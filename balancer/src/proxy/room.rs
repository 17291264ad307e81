//! How much of bodies is held in memory: beyond a bound they are streamed.

use std::{cell::Cell, rc::Rc};

/// What one thread holds of the bodies of answers or requests, in bytes, and its bound.
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
    pub(crate) fn take(self: &Rc<Self>, bytes: usize) -> Taken {
        self.held.set(self.held.get() + bytes);
        Taken { bytes, room: Rc::clone(self) }
    }

    /// Whether there is still some.
    pub(crate) fn is_left(&self) -> bool {
        self.held.get() < self.most
    }
}

/// Room in use.
#[derive(Debug)]
pub(crate) struct Taken {
    bytes: usize,
    room: Rc<Room>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.held.set(self.room.held.get() - self.bytes);
    }
}
