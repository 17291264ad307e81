//! The body of a request on its way to a backend: read by its framing, passed on as it comes. While nobody reads it at
//! the other end, nothing is read here. Its beginning, up to a bound, is gathered before there is another end: what is all
//! there, or so long that it has to be passed on as it comes, goes to a backend; who sends slowly keeps none busy.

use std::{
    future::poll_fn,
    io::IoSlice,
    mem,
    rc::Rc,
    task::{Context, Poll, ready},
};

use super::{
    shelf::{BEHIND_HEAD, Buffer, Desk, Shelf},
    stream::Stream,
};
use crate::{
    config::Limits,
    http1::{
        Span,
        chunked::{Decoder, Part},
        fields,
        framing::Framing,
        request::Request,
    },
    proxy::{
        client::Client,
        error::ProxyError,
        room::{Room, Taken},
    },
    route::Route,
};

/// Room for the marks of chunks, beside their data.
const MARKS: usize = 4096;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Why a body does not arrive at the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The client's doing.
    Client(ProxyError),
    /// The backend takes nothing more.
    Backend,
}

/// Bytes of data given to backends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Carried {
    /// Again and again if they were sent again.
    pub(crate) all: u64,
    /// Each once.
    pub(crate) once: u64,
    this_time: u64,
}

impl Carried {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.all += bytes as u64;
        self.this_time += bytes as u64;
        self.once = self.once.max(self.this_time);
    }
}

/// Both ends of the way.
pub(crate) struct Way<'a> {
    pub(crate) client: &'a Client,
    pub(crate) from: &'a Stream,
    pub(crate) to: &'a Stream,
    pub(crate) shelf: &'a Rc<Shelf>,
}

/// The body of one request.
pub(crate) struct Upload {
    framing: Framing,
    decoder: Decoder,
    /// What is still to come of a counted one.
    left: u64,
    passed: u64,
    carried: Carried,
    limit: u64,
    /// Where the first byte behind the head is, and the first that was not looked at.
    start: usize,
    at: usize,
    /// All of it was on the desk before a backend was chosen.
    all_here: bool,
    /// The data of a chunked one that had come whole, and has its marks taken out.
    unwrapped: Option<Span>,
    /// Room for what is beyond a usual desk.
    taken: Option<Taken>,
    /// Whether more was read than what came with the head; that went into a larger buffer.
    beyond: bool,
    extra: Option<Buffer>,
    filled: usize,
    /// The client waits to be told that it may send.
    expects: bool,
    ended: bool,
    given_up: bool,
}

impl Upload {
    /// `route`: where it goes, if that changes fields.
    pub(crate) fn new(
        request: &Request,
        desk: &Desk,
        limits: &Limits,
        route: Option<&Route>,
    ) -> Result<Self, ProxyError> {
        let limit = limits.body.unwrap_or(u64::MAX);
        let left = match request.framing {
            Framing::Length(length) if length > limit => return Err(ProxyError::BodyTooLarge),
            Framing::Length(length) => length,
            Framing::None | Framing::Chunked | Framing::Close => 0,
        };
        let start = request.length;
        let named = || fields::named(&desk.buffer, desk.request.fields());
        let mut named = request.names.then(named).unwrap_or_default();
        if let Some(route) = route {
            route.request.claim(&mut named);
        }
        Ok(Self {
            framing: request.framing,
            decoder: Decoder::leaving_out(named, limits.head_fields),
            left,
            passed: 0,
            carried: Carried::default(),
            limit,
            start,
            at: start,
            all_here: false,
            unwrapped: None,
            taken: None,
            beyond: false,
            extra: None,
            filled: 0,
            // One that has begun to send does not wait.
            expects: request.expects && request.framing != Framing::None && desk.filled == start,
            ended: false,
            given_up: false,
        })
    }

    /// Whether it can be sent from the beginning.
    pub(crate) fn is_whole(&self) -> bool {
        let is_as_it_came = self.framing != Framing::Chunked || self.at == self.start;
        !self.beyond && (is_as_it_came || self.unwrapped.is_some())
    }

    /// Whether nothing of it is still to come from the client.
    pub(crate) fn is_all_here(&self) -> bool {
        self.framing == Framing::None || self.all_here
    }

    /// Whether nothing more is to be done: it has been read to its end and passed on.
    pub(crate) fn is_over(&self, desk: &Desk) -> bool {
        self.given_up || self.ended && desk.up.is_empty()
    }

    /// Whether the backend has all of it.
    pub(crate) fn is_through(&self, desk: &Desk) -> bool {
        !self.given_up && self.ended && desk.up.is_empty()
    }

    /// Bytes of it that went to backends.
    pub(crate) fn carried(&self) -> Carried {
        self.carried
    }

    /// Whether it was read to its end.
    pub(crate) fn is_read(&self) -> bool {
        self.ended
    }

    /// Whether it is the client who has to go on, and not the backend, which may not have taken what came.
    pub(crate) fn waits_for_client(&self, desk: &Desk) -> bool {
        !self.given_up && !self.ended && desk.up.is_empty()
    }

    /// Whether the client has not sent all of it. While what came waits for the backend, nobody can tell.
    pub(crate) fn is_owed(&self, desk: &Desk) -> bool {
        !self.ended && (self.given_up || desk.up.is_empty())
    }

    /// The backend takes nothing more of it.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// The client is not told any more that it may send: an answer goes to it, and nothing may come into that.
    pub(crate) fn keep_quiet(&mut self) {
        self.expects = false;
    }

    /// Adds what has come already to the head in the desk's parcel.
    pub(crate) fn begin(&mut self, desk: &mut Desk) -> Result<(), ProxyError> {
        if let Framing::Length(length) = self.framing {
            self.left = length;
        }
        self.given_up = false;
        self.carried.this_time = 0;
        if let Some(data) = self.unwrapped {
            self.carried.add(data.len());
            desk.up.chunk(data, Some(self.decoder.trailers()));
            return Ok(());
        }
        self.at = self.start;
        self.digest(desk)?;
        let is_unwrapped = self.framing == Framing::Chunked && self.ended;
        self.unwrapped = is_unwrapped.then_some(desk.up.data);
        Ok(())
    }

    /// Waits until all of it is on the desk, or `most` bytes of it, or there is no room for more.
    pub(crate) async fn gather(
        &mut self,
        desk: &mut Desk,
        (client, from): (&Client, &Stream),
        room: &Rc<Room>,
        most: usize,
    ) -> Result<(), ProxyError> {
        if most == 0 || self.framing == Framing::None {
            return Ok(());
        }
        let mut seen = Seen { decoder: self.decoder.clone(), at: self.start, data: 0, ended: false };
        poll_fn(|cx| {
            loop {
                if client.is_overdue() {
                    return Poll::Ready(Err(ProxyError::BodyStalled));
                }
                if self.has_gathered(desk, &mut seen, most)? || !self.has_room(desk, room, most) {
                    return Poll::Ready(Ok(()));
                }
                if self.expects {
                    ready!(self.poll_tell(cx, from))?;
                }
                let read = from.poll_read(cx, &mut desk.buffer[desk.filled..]);
                if client.owes_body(read.is_pending()) {
                    from.acknowledge();
                }
                match ready!(read) {
                    Ok(0) => return Poll::Ready(Err(ProxyError::ClientGone)),
                    Err(error) => return Poll::Ready(Err(ProxyError::of_body(error))),
                    Ok(read) => {
                        desk.filled += read;
                        client.receive(read);
                    }
                }
            }
        })
        .await
    }

    fn has_gathered(&mut self, desk: &Desk, seen: &mut Seen, most: usize) -> Result<bool, ProxyError> {
        if self.framing != Framing::Chunked {
            let here = (desk.filled - self.start) as u64;
            self.all_here = here >= self.left;
            return Ok(self.all_here || here >= most as u64);
        }
        while !seen.ended {
            match seen.decoder.next(&desk.buffer[..desk.filled], &mut seen.at)? {
                Part::Data(data) => seen.data += data.len(),
                Part::End => seen.ended = true,
                Part::More => break,
            }
        }
        if (seen.data as u64).saturating_add(seen.decoder.owed()) > self.limit {
            return Err(ProxyError::BodyTooLarge);
        }
        self.all_here = seen.ended;
        Ok(seen.ended || seen.data >= most)
    }

    /// Whether there is room for more of it on the desk; the desk grows when it has to.
    fn has_room(&mut self, desk: &mut Desk, room: &Rc<Room>, most: usize) -> bool {
        if desk.filled < desk.buffer.len() {
            return true;
        }
        if self.taken.is_some() || !room.is_left() {
            return false;
        }
        let length = match self.framing {
            Framing::Chunked => most + MARKS,
            // A byte behind it is what tells that the client is still there, or has gone.
            _ => usize::try_from(self.left).unwrap_or(usize::MAX).min(most) + BEHIND_HEAD,
        };
        if self.start + length <= desk.buffer.len() {
            return false;
        }
        self.taken = Some(room.take(length));
        desk.buffer.resize(self.start + length, 0);
        true
    }

    /// Passes it on.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, desk: &mut Desk, way: &Way<'_>) -> Poll<Result<(), Trouble>> {
        loop {
            if self.given_up {
                return Poll::Ready(Ok(()));
            }
            if !desk.up.is_empty() {
                let bytes = self.extra.as_ref().map_or(&desk.buffer, |extra| &extra.bytes);
                ready!(desk.up.poll_send(cx, way.to, bytes)).map_err(|_| Trouble::Backend)?;
                // Who has closed its direction waits no longer for being asked elsewhere.
                if !way.client.has_ended() {
                    way.client.progress();
                }
            }
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_more(cx, way)).map_err(Trouble::Client)?;
            self.digest(desk).map_err(Trouble::Client)?;
        }
    }

    /// Looks whether the client has left, and takes what it sends ahead, as far as there is room. One that has closed only
    /// its own direction has not left.
    pub(crate) fn poll_left(&mut self, cx: &mut Context<'_>, desk: &mut Desk, way: &Way<'_>) -> Poll<()> {
        let (buffer, filled) = match &mut self.extra {
            Some(extra) => (&mut extra.bytes, &mut self.filled),
            None => (&mut desk.buffer, &mut desk.filled),
        };
        while !way.client.has_ended() && *filled < buffer.len() {
            match ready!(way.from.poll_read(cx, &mut buffer[*filled..])) {
                Ok(0) => way.client.end(),
                Ok(read) => *filled += read,
                Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Leaves on the desk what the client has sent behind the body.
    pub(crate) fn clear_desk(mut self, desk: &mut Desk) {
        match &mut self.extra {
            // Into the desk's own buffer if it fits: that has room for a head, which the other one may not have.
            Some(extra) if self.filled - self.at <= desk.buffer.len() => {
                desk.filled = self.filled - self.at;
                desk.buffer[..desk.filled].copy_from_slice(&extra.bytes[self.at..self.filled]);
                self.at = 0;
            }
            Some(extra) => {
                mem::swap(&mut extra.bytes, &mut desk.buffer);
                desk.filled = self.filled;
            }
            _ if self.beyond => self.at = desk.filled,
            _ => {}
        }
        desk.turn_over(self.at);
    }

    fn poll_more(&mut self, cx: &mut Context<'_>, way: &Way<'_>) -> Poll<Result<(), ProxyError>> {
        if self.expects {
            ready!(self.poll_tell(cx, way.from))?;
        }
        if way.from.poll_readable(cx).is_pending() {
            // Whoever sends slowly shall not hold a large buffer meanwhile.
            self.extra = None;
            if way.client.owes_body(true) {
                way.from.acknowledge();
            }
            return Poll::Pending;
        }
        self.beyond = true;
        let extra = self.extra.get_or_insert_with(|| way.shelf.buffer());
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(extra.bytes.len());
        let room = if self.framing == Framing::Chunked { extra.bytes.len() } else { room };
        // All that was there has gone on.
        (self.at, self.filled) = (0, 0);
        let read = way.from.poll_read(cx, &mut extra.bytes[..room]);
        way.client.owes_body(read.is_pending());
        match ready!(read) {
            Ok(0) => Poll::Ready(Err(ProxyError::ClientGone)),
            Err(error) => Poll::Ready(Err(ProxyError::of_body(error))),
            Ok(read) => {
                (self.at, self.filled) = (0, read);
                way.client.receive(read);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Tells the client that it may send.
    fn poll_tell(&mut self, cx: &mut Context<'_>, from: &Stream) -> Poll<Result<(), ProxyError>> {
        let told = ready!(from.poll_write(cx, &[IoSlice::new(CONTINUE)]));
        if !told.is_ok_and(|written| written == CONTINUE.len()) {
            return Poll::Ready(Err(ProxyError::ClientGone));
        }
        self.expects = false;
        Poll::Ready(Ok(()))
    }

    /// Puts what has come into the parcel.
    fn digest(&mut self, desk: &mut Desk) -> Result<(), ProxyError> {
        let (buffer, filled) = match &mut self.extra {
            Some(extra) => (&mut extra.bytes, self.filled),
            None => (&mut desk.buffer, desk.filled),
        };
        match self.framing {
            Framing::None | Framing::Close => self.ended = true,
            Framing::Length(_) => {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(filled - self.at);
                desk.up.data = Span { start: self.at, end: self.at + length };
                self.at += length;
                self.left -= length as u64;
                self.carried.add(length);
                self.ended = self.left == 0;
            }
            Framing::Chunked => {
                let (data, at, ended) = self.decoder.unwrap(buffer, self.at, filled)?;
                self.at = at;
                self.ended = ended;
                self.passed += data.len() as u64;
                self.carried.add(data.len());
                if self.passed.saturating_add(self.decoder.owed()) > self.limit {
                    return Err(ProxyError::BodyTooLarge);
                }
                desk.up.chunk(data, ended.then(|| self.decoder.trailers()));
            }
        }
        Ok(())
    }
}

/// What was seen of the chunks of a body that is gathered.
struct Seen {
    decoder: Decoder,
    at: usize,
    data: usize,
    ended: bool,
}
