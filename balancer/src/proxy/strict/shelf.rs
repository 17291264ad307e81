//! Memory that requests use one after the other. A connection that waits for a request holds none of it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use super::parcel::Parcel;
use crate::http1::{request, response};

/// Bytes read at a time of an answer or a long body.
pub(crate) const BUFFER: usize = 128 * 1024;
/// Bytes of a buffer for answers that are longer, the smallest that fits is taken: a slow reader holds it for long.
pub(crate) const LARGE_BUFFERS: [usize; 3] = [256 * 1024, 512 * 1024, 1024 * 1024 + BUFFER];
/// Bytes read at a time when very many buffers are out.
pub(crate) const SMALL_BUFFER: usize = 16 * 1024;
/// How many buffers may be out at once before that.
pub(crate) const MOST_OUT: usize = 512;
/// Room behind a head for the beginning of a body.
pub(crate) const BEHIND_HEAD: usize = 4096;
/// How many of each are kept, and how many of each size of the large ones.
const KEPT: usize = 128;
/// Bytes that a desk begins with when more than those are out: most heads need no more, and who sends half of one and waits
/// shall not hold the room for the largest.
const SMALL_DESK: usize = 4096;
const KEPT_LARGE: usize = 4;
/// How many of the desks that are kept may have the room that a body had.
const KEPT_GROWN: usize = 32;

/// What one request needs beside the buffer of its answer.
pub(crate) struct Desk {
    /// What the client has sent, from the beginning of its request.
    pub(crate) buffer: Vec<u8>,
    pub(crate) filled: usize,
    /// Bytes of the buffer where no body has made it larger. It may begin with less.
    usual: usize,
    pub(crate) request: request::Reader,
    pub(crate) response: response::Reader,
    /// What goes to the backend.
    pub(crate) up: Parcel,
    /// What goes to the client.
    pub(crate) down: Parcel,
    _made: Rc<()>,
}

impl Desk {
    /// Notes that the client has sent this many bytes more of a head.
    pub(crate) fn receive(&mut self, read: usize) {
        self.filled += read;
        self.make_room();
    }

    /// There is always room behind what has come, up to the usual size.
    fn make_room(&mut self) {
        if self.filled == self.buffer.len() {
            self.widen(2 * self.filled);
        }
    }

    /// Makes the buffer this large, but not larger than usual.
    fn widen(&mut self, size: usize) {
        if self.buffer.len() < size.min(self.usual) {
            self.buffer.resize(size.min(self.usual), 0);
        }
    }

    /// Leaves what the client has sent from `at` on, as the beginning of another request.
    pub(crate) fn turn_over(&mut self, at: usize) {
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        if self.buffer.len() > self.usual && self.filled <= self.usual {
            self.buffer.truncate(self.usual);
            // Who waits with a beginning of the next request holds no more than that needs.
            if self.filled > 0 {
                self.buffer.shrink_to_fit();
            }
        }
        self.make_room();
        self.request.reset();
        self.response.reset();
        self.up.clear();
        self.down.clear();
    }
}

/// Desks and buffers that nobody uses.
pub(crate) struct Shelf {
    /// Bytes of a desk's buffer.
    usual: usize,
    #[expect(clippy::vec_box, reason = "a desk is handed on whole; moving it would copy it each time")]
    desks: RefCell<Vec<Box<Desk>>>,
    /// Held by each desk there is, on the shelf or in use.
    made: Rc<()>,
    buffers: RefCell<Vec<Vec<u8>>>,
    larges: [RefCell<Vec<Vec<u8>>>; LARGE_BUFFERS.len()],
    out: Cell<usize>,
}

impl Shelf {
    /// For heads up to this size.
    pub(crate) fn new(head_size: usize) -> Self {
        Self {
            usual: head_size + BEHIND_HEAD,
            desks: RefCell::default(),
            made: Rc::default(),
            buffers: RefCell::default(),
            larges: Default::default(),
            out: Cell::default(),
        }
    }

    /// An empty desk.
    pub(crate) fn desk(&self) -> Box<Desk> {
        let mut desks = self.desks.borrow_mut();
        let out = Rc::strong_count(&self.made) - 1 - desks.len();
        let size = if out < KEPT { self.usual } else { SMALL_DESK.min(self.usual) };
        if let Some(mut desk) = desks.pop() {
            desk.widen(size);
            return desk;
        }
        Box::new(Desk {
            buffer: vec![0; size],
            filled: 0,
            usual: self.usual,
            request: request::Reader::default(),
            response: response::Reader::default(),
            up: Parcel::default(),
            down: Parcel::default(),
            _made: Rc::clone(&self.made),
        })
    }

    pub(crate) fn put_desk(&self, mut desk: Box<Desk>) {
        let mut desks = self.desks.borrow_mut();
        let is_grown = |desk: &Desk| desk.buffer.capacity() > desk.usual;
        if desks.len() < KEPT {
            desk.filled = 0;
            desk.turn_over(0);
            if is_grown(&desk) && desks.iter().filter(|desk| is_grown(desk)).count() >= KEPT_GROWN {
                desk.buffer.shrink_to_fit();
            }
            desks.push(desk);
        }
    }

    /// A buffer with anything in it.
    pub(crate) fn buffer(self: &Rc<Self>) -> Buffer {
        self.out.set(self.out.get() + 1);
        let size = if self.out.get() > MOST_OUT { SMALL_BUFFER } else { BUFFER };
        let bytes = self.buffers.borrow_mut().pop().unwrap_or_else(|| vec![0; size]);
        Buffer { bytes, shelf: Rc::clone(self) }
    }

    fn put(&self, bytes: Vec<u8>) {
        let (list, most) = match LARGE_BUFFERS.iter().position(|size| *size == bytes.len()) {
            Some(size) => (&self.larges[size], KEPT_LARGE),
            None if bytes.len() == BUFFER => (&self.buffers, KEPT),
            None => return,
        };
        let mut list = list.borrow_mut();
        if list.len() < most {
            list.push(bytes);
        }
    }
}

/// A buffer in use.
pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
    shelf: Rc<Shelf>,
}

impl Buffer {
    /// Becomes a large one, by the number of its size, with its first `filled` bytes as they are.
    pub(crate) fn enlarge(&mut self, filled: usize, size: usize) {
        let large = self.shelf.larges[size].borrow_mut().pop();
        let mut large = large.unwrap_or_else(|| vec![0; LARGE_BUFFERS[size]]);
        large[..filled].copy_from_slice(&self.bytes[..filled]);
        self.shelf.put(std::mem::replace(&mut self.bytes, large));
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.shelf.out.set(self.shelf.out.get() - 1);
        self.shelf.put(std::mem::take(&mut self.bytes));
    }
}
