//! One client connection as its thread sees it: what it is doing, since when, and orders for it. No I/O.
//!
//! Deadlines cost nothing per request: a request notes a coarse time, and the thread looks through its clients once a
//! second. An overdue one has its bell rung, which polls its connection and with it the request inside.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{config::Limits, tls::Front};

/// Seconds for which a client that is being left may send nothing, and for which one that sends nothing more is waited
/// with.
const LAST_WORDS: u64 = 5;

/// What clients come in by.
pub(crate) struct Door {
    /// The address it is at.
    pub(crate) address: SocketAddr,
    /// For TLS, what that needs.
    pub(crate) tls: Option<Arc<Front>>,
    /// Whoever comes here is sent to TLS, at this port.
    pub(crate) redirect: Option<u16>,
}

/// What a client connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has connected; TLS is to be agreed on.
    Handshaking,
    /// It has requests under way, each of which is a client of its own (HTTP/2).
    Streaming,
    /// It could have, and has none.
    Resting,
    /// We wait for its next head.
    Waiting,
    /// A request is on its way to a backend.
    Forwarding,
    /// The answer is on its way to the client.
    Answering,
    /// The last answer has gone out; what the client still sends is thrown away, so that it gets to read it.
    Leaving,
    /// Bytes of another protocol go both ways.
    Tunnelling,
}

/// What the connection's task shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// Look again.
    #[default]
    Look,
    /// Close as soon as the answer under way has gone out.
    Close,
    /// End at once.
    Abort,
}

/// How fast the body of a request comes. Only the time counts in which nothing but the client is waited for.
#[derive(Debug, Default)]
struct Pace {
    waiting: Cell<bool>,
    /// Seconds.
    waited: Cell<u32>,
    received: Cell<u64>,
}

impl Pace {
    fn begin(&self) {
        self.waiting.set(false);
        self.waited.set(0);
        self.received.set(0);
    }

    fn second(&self) {
        self.waited.set(self.waited.get() + u32::from(self.waiting.get()));
    }

    fn is_too_slow(&self, limits: &Limits) -> bool {
        let waited = u64::from(self.waited.get());
        self.waiting.get()
            && waited >= limits.body_patience.as_secs()
            && self.received.get() < waited.saturating_mul(limits.body_rate)
    }
}

/// One client connection.
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// Its address in words.
    pub(crate) name: Rc<str>,
    /// The address it came to.
    pub(crate) server: SocketAddr,
    pub(crate) door: Rc<Door>,
    phase: Cell<Phase>,
    since: Cell<u32>,
    overdue: Cell<bool>,
    /// Seconds it may stand still, if its route goes where another bound holds.
    patience: Cell<Option<u64>>,
    /// It has closed its direction. It may have left, or wait for the answer to what it has sent.
    ended: Cell<bool>,
    pace: Pace,
    order: Cell<Order>,
    rung: Cell<bool>,
    /// Wakes the connection's task.
    bell: RefCell<Option<Waker>>,
    tick: Rc<Cell<u32>>,
}

impl Client {
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.overdue.set(false);
        self.pace.begin();
        self.progress();
    }

    /// Whether nobody on the way can read along.
    pub(crate) fn is_secure(&self) -> bool {
        self.door.tls.is_some()
    }

    /// What a secure answer tells about coming back (RFC 6797).
    pub(crate) fn hsts(&self) -> Option<&str> {
        self.door.tls.as_ref()?.hsts.as_deref()
    }

    /// Something moved: its deadline begins again.
    pub(crate) fn progress(&self) {
        self.since.set(self.tick.get());
    }

    /// So many bytes of a body have come.
    pub(crate) fn receive(&self, bytes: usize) {
        self.pace.received.set(self.pace.received.get() + bytes as u64);
        self.progress();
    }

    /// Whether it is the client who has to go on with its body.
    pub(crate) fn owes_body(&self, owes: bool) {
        self.pace.waiting.set(owes);
    }

    /// It has closed its direction: it gets what comes soon.
    pub(crate) fn end(&self) {
        self.ended.set(true);
        self.progress();
    }

    /// Whether it has closed its direction.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Its request goes where this is the longest standstill.
    pub(crate) fn is_patient(&self, deadline: Duration) {
        self.patience.set(Some(deadline.as_secs()));
    }

    /// Whether the request has stood still for too long.
    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.get()
    }

    /// The next order.
    pub(crate) fn poll_order(&self, cx: &mut Context<'_>) -> Poll<Order> {
        let mut bell = self.bell.borrow_mut();
        if !bell.as_ref().is_some_and(|bell| bell.will_wake(cx.waker())) {
            *bell = Some(cx.waker().clone());
        }
        if self.rung.take() { Poll::Ready(self.order.get()) } else { Poll::Pending }
    }

    /// Whether it shall close as soon as nothing is under way.
    pub(crate) fn is_let_go(&self) -> bool {
        self.order.get() != Order::Look
    }

    pub(crate) fn give(&self, order: Order) {
        self.order.set(order);
        self.ring();
    }

    fn ring(&self) {
        self.rung.set(true);
        if let Some(bell) = &*self.bell.borrow() {
            bell.wake_by_ref();
        }
    }

    fn check(&self, limits: &Limits) {
        self.pace.second();
        let patience = self.patience.get().unwrap_or(limits.stall_deadline.as_secs());
        let still = u64::from(self.tick.get().wrapping_sub(self.since.get()));
        match self.phase.get() {
            _ if self.ended.get() && still > LAST_WORDS => self.give(Order::Abort),
            Phase::Handshaking if still > limits.handshake_deadline.as_secs() => self.give(Order::Abort),
            // One that has been told to go, and may have sent something before it knew, has a moment for that.
            Phase::Resting if still > limits.head_deadline.as_secs() + LAST_WORDS => self.give(Order::Abort),
            Phase::Resting if still > limits.head_deadline.as_secs() => self.give(Order::Close),
            Phase::Waiting if still > limits.head_deadline.as_secs() => self.give(Order::Abort),
            Phase::Forwarding if still > patience || self.pace.is_too_slow(limits) => {
                self.overdue.set(true);
                self.ring();
            }
            Phase::Leaving if still > LAST_WORDS => self.give(Order::Abort),
            Phase::Answering if still > patience => self.give(Order::Abort),
            Phase::Tunnelling if still > limits.tunnel_deadline.as_secs() => self.give(Order::Abort),
            Phase::Streaming
            | Phase::Resting
            | Phase::Handshaking
            | Phase::Waiting
            | Phase::Forwarding
            | Phase::Answering
            | Phase::Leaving
            | Phase::Tunnelling => {}
        }
    }
}

/// The clients of one thread.
#[derive(Default)]
pub(crate) struct Clients {
    present: RefCell<HashMap<u64, Rc<Client>>>,
    next: Cell<u64>,
    left: Notify,
    tick: Rc<Cell<u32>>,
}

impl Clients {
    /// Seconds since the thread began, as coarse as they come.
    pub(crate) fn tick(&self) -> u32 {
        self.tick.get()
    }

    /// A second has passed: overdue clients are told.
    pub(crate) fn second(&self, limits: &Limits) {
        self.tick.set(self.tick.get().wrapping_add(1));
        for client in self.present.borrow().values() {
            client.check(limits);
        }
    }

    /// A new client; it is forgotten when the returned guest is dropped.
    pub(crate) fn welcome(self: &Rc<Self>, address: IpAddr, door: &Rc<Door>) -> Guest {
        self.add(address, address.to_canonical().to_string().into(), door)
    }

    /// A request of a client that has many at a time.
    pub(crate) fn welcome_again(self: &Rc<Self>, client: &Client) -> Guest {
        self.add(client.address, Rc::clone(&client.name), &client.door)
    }

    fn add(self: &Rc<Self>, address: IpAddr, name: Rc<str>, door: &Rc<Door>) -> Guest {
        let client = Rc::new(Client {
            address,
            name,
            server: door.address,
            door: Rc::clone(door),
            phase: Cell::new(Phase::Waiting),
            since: Cell::new(self.tick.get()),
            overdue: Cell::new(false),
            patience: Cell::new(None),
            ended: Cell::new(false),
            pace: Pace::default(),
            order: Cell::default(),
            rung: Cell::new(false),
            bell: RefCell::default(),
            tick: Rc::clone(&self.tick),
        });
        let key = self.next.replace(self.next.get() + 1);
        self.present.borrow_mut().insert(key, Rc::clone(&client));
        Guest { client, key, clients: Rc::clone(self) }
    }

    pub(crate) fn count(&self) -> usize {
        self.present.borrow().len()
    }

    /// Waits until there are fewer than `most`.
    pub(crate) async fn fewer_than(&self, most: usize) {
        while self.count() >= most {
            self.left.notified().await;
        }
    }

    /// Has all of them look around.
    pub(crate) fn ring(&self) {
        self.present.borrow().values().for_each(|client| client.ring());
    }

    /// Gives an order to all clients.
    pub(crate) fn order(&self, order: Order) {
        for client in self.present.borrow().values() {
            client.give(order);
        }
    }
}

/// A client for as long as its connection lives.
pub(crate) struct Guest {
    pub(crate) client: Rc<Client>,
    key: u64,
    clients: Rc<Clients>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.clients.present.borrow_mut().remove(&self.key);
        self.clients.left.notify_one();
    }
}
