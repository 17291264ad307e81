//! One client connection as its thread sees it: what it is doing, since when, and orders for it. No I/O.
//!
//! Deadlines cost nothing per request: a request says that something moves, and the thread looks through its clients now
//! and then. An overdue one has its bell rung, which polls its connection and with it the request inside.

use std::{
    cell::{Cell, RefCell},
    cmp::Reverse,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::sync::Notify;

use super::clock::{Pace, Stillness};
use crate::{config::Limits, tls::Front, trust::Trust};

/// For how long a client that is being left may send nothing, and for how long one that sends nothing more is waited with.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Most clients that are let go at a time to make room.
const MOST_LET_GO: usize = 32;

/// What clients come in by.
pub(crate) struct Door {
    /// The address it is at.
    pub(crate) address: SocketAddr,
    /// For TLS, what that needs.
    pub(crate) tls: Option<Arc<Front>>,
    /// Whoever comes here is sent to TLS, at this port.
    pub(crate) redirect: Option<u16>,
    /// Whoever comes here says first whom it speaks for (PROXY protocol).
    pub(crate) introduced: bool,
    /// Who is believed about others.
    pub(crate) trust: Arc<Trust>,
}

/// Where requests come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) address: IpAddr,
    /// Its address in words.
    pub(crate) name: String,
    /// Whether what the connection tells of others is believed.
    pub(crate) trusted: bool,
    /// Who was between, the client first.
    pub(crate) hops: Vec<IpAddr>,
    /// Who is at the other end of the connection, in words, if that is somebody else.
    pub(crate) peer: Option<String>,
    /// Whether it is TLS that the client speaks, as somebody who is believed says.
    pub(crate) secure: Option<bool>,
}

impl Source {
    fn of(address: IpAddr, trust: &Trust) -> Rc<Self> {
        let (name, trusted) = (address.to_canonical().to_string(), trust.has(address));
        Rc::new(Self { address, name, trusted, hops: Vec::new(), peer: None, secure: None })
    }
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

/// One client connection.
pub(crate) struct Client {
    /// Who is at the other end.
    peer: RefCell<Rc<Source>>,
    /// Whom the request under way is from.
    source: RefCell<Rc<Source>>,
    /// The address it came to.
    pub(crate) server: SocketAddr,
    pub(crate) door: Rc<Door>,
    phase: Cell<Phase>,
    still: Stillness,
    overdue: Cell<bool>,
    /// Whether it was cut off because no more of its answer came.
    let_down: Cell<bool>,
    /// How long it may stand still, if its route goes where another bound holds.
    patience: Cell<Option<Duration>>,
    /// It has closed its direction. It may have left, or wait for the answer to what it has sent.
    ended: Cell<bool>,
    /// It has sent a part of its next head.
    in_head: Cell<bool>,
    /// How long that one is under way, beside requests.
    head: Stillness,
    /// How fast it sends the body of its request, and takes that of its answer.
    sending: Pace,
    taking: Pace,
    order: Cell<Order>,
    rung: Cell<bool>,
    /// Wakes the connection's task.
    bell: RefCell<Option<Waker>>,
}

impl Client {
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.overdue.set(false);
        self.let_down.set(false);
        self.sending.begin();
        self.taking.begin();
        // Who has closed its direction waits no longer for being asked elsewhere.
        if !self.ended.get() {
            self.progress();
        }
    }

    /// The address of whoever the request under way is from.
    pub(crate) fn address(&self) -> IpAddr {
        self.source.borrow().address
    }

    /// Whoever the request under way is from; between requests, the connection.
    pub(crate) fn source(&self) -> Rc<Source> {
        Rc::clone(&self.source.borrow())
    }

    /// It has been introduced as somebody else.
    pub(crate) fn introduce(&self, address: IpAddr) {
        self.peer.replace(Source::of(address, &self.door.trust));
        self.begin();
    }

    /// It has been introduced as nobody: what comes is a stranger's, whoever brings it.
    pub(crate) fn introduce_nobody(&self) {
        self.peer.replace(Source::of(self.address(), &Trust::default()));
        self.begin();
    }

    /// A new request begins, of which nothing is known.
    pub(crate) fn begin(&self) {
        self.source.replace(Rc::clone(&self.peer.borrow()));
    }

    /// Takes what is told about a request by whoever is believed: the values of the field with addresses, and the scheme.
    pub(crate) fn tell<'a>(&self, values: impl DoubleEndedIterator<Item = &'a [u8]>, scheme: Option<&[u8]>) {
        let source = self.source();
        let hops = self.door.trust.before(source.address, values);
        let address = hops.first().copied().unwrap_or(source.address);
        // In whatever case (RFC 9110, 4.2.3).
        let is = |name: &str| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(name.as_bytes()));
        let secure = if is("https") { Some(true) } else { is("http").then_some(false) };
        let (name, peer) = (address.to_canonical().to_string(), (!hops.is_empty()).then(|| source.name.clone()));
        self.source.replace(Rc::new(Source { address, name, trusted: true, hops, peer, secure }));
    }

    /// Whether the client speaks TLS, as far as is known.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.source.borrow().secure.unwrap_or(self.is_secure())
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
        self.still.moves();
    }

    /// So many bytes of a body have come.
    pub(crate) fn receive(&self, bytes: usize) {
        self.sending.moves(bytes);
        self.progress();
    }

    /// Whether it is the client who has to go on with its body. Returns whether that is new.
    pub(crate) fn owes_body(&self, owes: bool) -> bool {
        !self.sending.waits(owes) && owes
    }

    /// Whether something in its tunnel is not taken, by whichever side.
    pub(crate) fn is_stuck(&self, is_stuck: bool) {
        self.taking.waits(is_stuck);
    }

    /// It has taken so many bytes of the answer, or of what is in the kernel before it, and has to take more before
    /// anything else happens. That there is nothing to take is no movement: this is asked at every look, as when all are rung.
    pub(crate) fn takes(&self, bytes: usize, owes_more: bool) {
        // What the kernel took before anybody waited says nothing about the client.
        let was_waited_for = self.taking.waits(owes_more);
        if was_waited_for {
            self.taking.moves(bytes);
        }
        if bytes > 0 || was_waited_for && !owes_more {
            self.progress();
        }
    }

    /// It has closed its direction: it gets what comes soon.
    pub(crate) fn end(&self) {
        self.ended.set(true);
        self.progress();
    }

    /// Whether a part of its next head has come, and the rest has not. Returns whether that is new.
    pub(crate) fn is_in_head(&self, is_in_head: bool) -> bool {
        !self.in_head.replace(is_in_head) && is_in_head
    }

    /// Its time begins, for that head or the one that comes next.
    pub(crate) fn begins_head(&self) {
        self.head.moves();
    }

    /// Whether it has closed its direction.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Its request goes where this is the longest standstill.
    pub(crate) fn is_patient(&self, deadline: Duration) {
        self.patience.set(Some(deadline));
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

    /// Whether it was told to end at once, though it had not closed its direction.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.order.get() == Order::Abort && !self.ended.get()
    }

    /// Whether that was because no more of its answer came.
    pub(crate) fn is_let_down(&self) -> bool {
        self.let_down.get()
    }

    pub(crate) fn give(&self, order: Order) {
        if order == Order::Close && self.is_idle() && !self.is_let_go() {
            // It may have begun a request before it knows, and has a moment for the rest.
            self.progress();
        }
        self.order.set(order);
        self.ring();
    }

    fn ring(&self) {
        self.rung.set(true);
        if let Some(bell) = &*self.bell.borrow() {
            bell.wake_by_ref();
        }
    }

    fn overdue(&self) {
        self.overdue.set(true);
        self.ring();
    }

    /// Whether it is still to be agreed on how it speaks.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.phase.get() == Phase::Handshaking
    }

    /// Whether nothing is under way but, perhaps, its next head.
    fn is_idle(&self) -> bool {
        matches!(self.phase.get(), Phase::Waiting | Phase::Resting)
    }

    /// Looks at it, `passed` after the last look.
    fn check(&self, limits: &Limits, now: Duration, passed: Duration) {
        let sends_late = self.sending.look(passed, limits.body_rate) >= limits.body_patience;
        let takes_late = self.taking.look(passed, limits.read_rate) >= limits.read_patience;
        let patience = self.patience.get().unwrap_or(limits.stall_deadline);
        let still = self.still.look(now);
        let head = self.head.look(now);
        // The patience with a backend is none with the client.
        let stands = |pace: &Pace, with_client| still >= if pace.is_waited_for() { with_client } else { patience };
        match self.phase.get() {
            _ if self.ended.get() && still >= LAST_WORDS => self.give(Order::Abort),
            Phase::Handshaking if still >= limits.handshake_deadline => self.give(Order::Abort),
            // It is told that it may ask again, which it could not know from an end without a word.
            Phase::Waiting if still >= LAST_WORDS && self.is_let_go() && self.in_head.get() => self.overdue(),
            Phase::Resting | Phase::Waiting if still >= LAST_WORDS && self.is_let_go() => self.give(Order::Abort),
            Phase::Resting if still >= limits.head_deadline && self.in_head.get() => self.give(Order::Abort),
            Phase::Resting if still >= limits.head_deadline => self.give(Order::Close),
            Phase::Waiting if still >= limits.head_deadline && !self.in_head.get() => self.give(Order::Abort),
            Phase::Waiting if still >= limits.head_deadline => self.overdue(),
            Phase::Forwarding if stands(&self.sending, limits.body_patience) || sends_late => self.overdue(),
            Phase::Leaving if still >= LAST_WORDS => self.give(Order::Abort),
            Phase::Answering if stands(&self.taking, limits.read_patience) || takes_late => {
                self.let_down.set(!self.taking.is_waited_for());
                self.give(Order::Abort);
            }
            Phase::Tunnelling if still >= limits.tunnel_deadline => self.give(Order::Abort),
            // Behind what is not taken nobody is told that the other side has left: it is looked for.
            Phase::Tunnelling if self.taking.is_waited_for() => self.ring(),
            Phase::Streaming if head >= limits.head_deadline && self.in_head.get() => self.give(Order::Abort),
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
    /// When they were last looked through.
    looked: Cell<Duration>,
}

impl Clients {
    /// Looks through them, `passed` after the last time: overdue ones are told.
    pub(crate) fn look(&self, limits: &Limits, now: Duration, passed: Duration) {
        self.looked.set(now);
        for client in self.present.borrow().values() {
            client.check(limits, now, passed);
        }
        // Somebody may have become idle.
        self.left.notify_waiters();
    }

    /// A new client; it is forgotten when the returned guest is dropped.
    pub(crate) fn welcome(self: &Rc<Self>, address: IpAddr, door: &Rc<Door>) -> Guest {
        self.add(Source::of(address, &door.trust), door)
    }

    /// A request of a client that has many at a time.
    pub(crate) fn welcome_again(self: &Rc<Self>, client: &Client) -> Guest {
        self.add(Rc::clone(&client.peer.borrow()), &client.door)
    }

    fn add(self: &Rc<Self>, source: Rc<Source>, door: &Rc<Door>) -> Guest {
        let client = Rc::new(Client {
            peer: RefCell::new(Rc::clone(&source)),
            source: RefCell::new(source),
            server: door.address,
            door: Rc::clone(door),
            phase: Cell::new(Phase::Waiting),
            still: Stillness::new(),
            overdue: Cell::new(false),
            let_down: Cell::new(false),
            patience: Cell::new(None),
            ended: Cell::new(false),
            in_head: Cell::new(false),
            head: Stillness::new(),
            sending: Pace::default(),
            taking: Pace::default(),
            order: Cell::default(),
            rung: Cell::new(false),
            bell: RefCell::default(),
        });
        let key = self.next.replace(self.next.get() + 1);
        self.present.borrow_mut().insert(key, Rc::clone(&client));
        Guest { client, key, clients: Rc::clone(self) }
    }

    pub(crate) fn count(&self) -> usize {
        self.present.borrow().len()
    }

    /// Waits until one has left, or it is worth another look.
    pub(crate) async fn one_leaves(&self) {
        self.left.notified().await;
    }

    /// Lets a share of `most` go, those whose next heads have been waited for longest. Returns how many; none while the last
    /// ones are still there.
    pub(crate) fn make_room(&self, most: usize) -> usize {
        let present = self.present.borrow();
        if present.values().any(|client| client.order.get() == Order::Abort) {
            return 0;
        }
        let idle = present.iter().filter(|(_, client)| client.is_idle());
        let now = self.looked.get();
        let mut idle: Vec<_> = idle.map(|(key, client)| (Reverse(client.still.so_far(now)), *key)).collect();
        let go = (most / 8).clamp(1, MOST_LET_GO).min(idle.len());
        if go > 0 {
            idle.select_nth_unstable(go - 1);
        }
        for (_, key) in &idle[..go] {
            present[key].give(Order::Abort);
        }
        go
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A client whose request is on its way to a backend, looked at each second up to the fourth.
    fn forwarding(clients: &Rc<Clients>, has_ended: bool) -> Guest {
        let address = ([127, 0, 0, 1], 1).into();
        let door = Rc::new(Door { address, tls: None, redirect: None, introduced: false, trust: Arc::default() });
        let guest = clients.welcome(address.ip(), &door);
        guest.client.enter(Phase::Forwarding);
        if has_ended {
            guest.client.end();
        }
        (0..=4).for_each(|second| look(clients, second));
        guest
    }

    fn look(clients: &Clients, second: u64) {
        clients.look(&Limits::default(), Duration::from_secs(second), Duration::from_secs(1));
    }

    #[test]
    fn who_has_closed_its_direction_is_not_waited_with_anew_when_another_backend_is_asked() {
        let clients = Rc::default();
        let [ended, other] = [true, false].map(|has_ended| forwarding(&clients, has_ended));
        for guest in [&ended, &other] {
            guest.client.enter(Phase::Forwarding);
        }
        assert!(!ended.client.is_let_go());
        look(&clients, 5);
        assert!(ended.client.is_let_go() && !other.client.is_let_go());
    }

    #[test]
    fn an_answer_of_which_nothing_comes_stands_still_however_often_its_client_is_asked_to_take_it() {
        let clients = Rc::default();
        let guest = forwarding(&clients, false);
        guest.client.enter(Phase::Answering);
        let deadline = Limits::default().stall_deadline.as_secs();
        for second in 5..=5 + deadline {
            assert!(!guest.client.is_let_go());
            guest.client.takes(usize::from(second == 5), false);
            look(&clients, second);
        }
        assert!(guest.client.is_let_go() && guest.client.is_let_down());
    }

    #[test]
    fn who_has_closed_its_direction_is_waited_with_as_long_as_its_answer_moves() {
        let clients = Rc::default();
        let guest = forwarding(&clients, true);
        guest.client.enter(Phase::Answering);
        guest.client.takes(1, false);
        (5..=9).for_each(|second| look(&clients, second));
        assert!(!guest.client.is_let_go());
        look(&clients, 10);
        assert!(guest.client.is_let_go());
    }

    #[test]
    fn a_head_beside_requests_has_its_time_from_where_it_begins() {
        let clients = Rc::default();
        let guest = forwarding(&clients, false);
        let (client, deadline) = (&guest.client, Limits::default().head_deadline.as_secs());
        client.enter(Phase::Streaming);
        (5..200).for_each(|second| look(&clients, second));
        assert!(client.is_in_head(true) && !client.is_in_head(true));
        client.begins_head();
        for second in 200..=200 + deadline {
            assert!(!client.is_let_go());
            look(&clients, second);
        }
        assert!(client.is_let_go());
    }
}
