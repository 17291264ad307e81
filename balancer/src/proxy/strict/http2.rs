//! HTTP/2 in front: the `h2` crate reads and writes frames behind a [`watch`] that has read their heads, each request becomes one
//! of HTTP/1.1 and takes the same way as any other, from the same check of its head to the same choice of a backend.
//!
//! ```text
//! wire (watch: counts frames, reads and judges heads; gathers output) -> h2 -> head -> turn -> front -> h2 -> wire
//! ```

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    os::fd::AsFd,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Reason, RecvStream,
    server::{Builder, Connection, SendResponse},
};
use http::{Request, header::CONTENT_LENGTH};

pub(super) use self::front::Front;
pub(crate) use self::watch::MOST_IN_A_SECOND;
use self::wire::Wire;
use super::{
    Next,
    secure::Secure,
    stream::{Stream, show_progress},
};
use crate::{
    hpack,
    proxy::{
        client::{Client, Guest, Phase},
        worker::Worker,
    },
    tls::Certificate,
};

mod answer;
mod block;
mod frame;
mod front;
mod going;
mod head;
mod recode;
mod rules;
mod watch;
mod wire;

/// Most requests of a connection at a time.
pub(crate) const MOST_STREAMS: u32 = 128;
/// Most bytes of bodies that a connection holds until backends take them, and those of one request.
const WINDOW: u32 = 1024 * 1024;
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;
/// Most bytes of an answer that `h2` holds until they go out.
pub(crate) const SEND_BUFFER: usize = 64 * 1024;
/// What a connection holds at most while a head comes: what its client has kept, with what each of that takes besides; the
/// field under way, and the head as it is written anew, here and for `h2`; and what was read together.
pub(crate) fn memory_of_heads(head_size: usize) -> usize {
    2 * hpack::TABLE + 4 * head_size + 2 * PIECE
}

/// Most streams that are remembered after they were reset, from either side, and for how long: what the client has sent for them
/// meanwhile is no mistake of its.
const MOST_RESET: usize = 2 * MOST_STREAMS as usize;
const REMEMBERED: Duration = Duration::from_secs(5);
/// Most streams that we have to reset for what the client does to them, over all of a connection.
const MOST_PROVOKED: usize = 100;

/// How long a client that speaks is waited for until it has closed its direction. It may still take our last words.
const LINGERING: Duration = Duration::from_secs(10);

/// About what is read at once, and what is ready for `h2` before there is more.
const PIECE: usize = 16 * 1024;

/// Serves one connection until the client or we have had enough.
pub(super) async fn serve(worker: &Rc<Worker>, client: &Rc<Client>, stream: Secure) {
    let (stream, certificate) = stream.into_parts();
    show_progress(stream.get_ref().0.as_fd());
    let wire = Wire::new(stream, worker);
    let mut handshake = pin!(builder(worker).handshake(wire.clone()));
    let connection = poll_fn(|cx| {
        let connection = handshake.as_mut().poll(cx);
        drop(wire.poll_drain(cx));
        if connection.is_pending() && client.is_let_go() { Poll::Ready(None) } else { connection.map(Result::ok) }
    });
    let Some(connection) = connection.await else { return };
    let _over = Over(&wire);
    client.enter(Phase::Resting);
    let mut serving = Serving {
        worker,
        client,
        certificate,
        wire: &wire,
        connection,
        busy: Rc::default(),
        told: false,
        refused: false,
    };
    poll_fn(|cx| serving.poll(cx)).await;
    drop(serving);
    client.enter(Phase::Leaving);
    wire.leave(client, LINGERING).await;
}

fn builder(worker: &Worker) -> Builder {
    let head = u32::try_from(worker.limits.head_size).unwrap_or(u32::MAX);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(head)
        .initial_connection_window_size(WINDOW)
        .initial_window_size(STREAM_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(MOST_RESET)
        .reset_stream_duration(REMEMBERED)
        .max_pending_accept_reset_streams(MOST_STREAMS as usize)
        .max_local_error_reset_streams(Some(MOST_PROVOKED));
    builder
}

/// A connection after its handshake.
struct Serving<'a> {
    worker: &'a Rc<Worker>,
    client: &'a Rc<Client>,
    certificate: Option<Arc<Certificate>>,
    wire: &'a Wire,
    connection: Connection<Wire, Bytes>,
    /// Requests under way.
    busy: Rc<Cell<usize>>,
    /// Whether the client knows that it shall send no more of them.
    told: bool,
    /// Whether it ends for what the client has sent.
    refused: bool,
}

impl Serving<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.told && (self.client.is_let_go() || self.worker.stopping.get()) {
            self.told = true;
            self.connection.graceful_shutdown();
        }
        loop {
            let accepted = self.connection.poll_accept(cx);
            let refusal = self.wire.refusal();
            if let Some(reason) = refusal {
                self.refused = true;
                self.worker.counters.floods.add(u64::from(reason == Reason::ENHANCE_YOUR_CALM));
                self.connection.abrupt_shutdown(reason);
            }
            match accepted {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                Poll::Ready(Some(Err(error))) => {
                    // By the bounds of the library.
                    let is_flood = error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
                    self.worker.counters.floods.add(u64::from(is_flood && !self.refused));
                    let name = &self.client.source().name;
                    tracing::debug!(client = %name, %error, "HTTP/2 with {name} ends: {error}");
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                // It has to say so.
                Poll::Pending if refusal.is_some() => {}
                Poll::Pending => break,
            }
        }
        let (is_new, has_moved) = (self.client.is_in_head(self.wire.is_in_head()), self.wire.has_moved());
        if is_new || has_moved {
            self.client.begins_head();
        }
        // Whatever has been said to whichever request goes out together.
        match self.wire.poll_drain(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(())) if self.busy.get() == 0 => {
                self.wire.rest();
                Poll::Pending
            }
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    fn begin(&self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let worker = Rc::clone(self.worker);
        let Some(share) = worker.shares.admit(self.client.address()) else {
            worker.counters.streams_refused.add_one();
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        };
        let guest = worker.streams.welcome_again(self.client);
        let busy = Busy::begin(self.client, &self.busy);
        let (wire, certificate) = (self.wire.clone(), self.certificate.clone());
        self.worker.connections.spawn_local(async move {
            let _held = (busy, share);
            answer(worker, guest, wire, certificate, request, respond).await;
        });
    }
}

/// Answers one request.
async fn answer(
    worker: Rc<Worker>,
    guest: Guest,
    wire: Wire,
    certificate: Option<Arc<Certificate>>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let client = &guest.client;
    let (mut parts, body) = request.into_parts();
    let body = (!body.is_end_stream()).then_some(body);
    if body.is_some() {
        head::wait_for_nothing(&mut parts.headers);
    }
    let mut desk = worker.shelf.desk();
    let (id, odd) = (respond.stream_id(), wire.begin(respond.stream_id()));
    let written = match odd {
        Some(odd) => Err(odd.refusal),
        None => head::write(&mut desk.buffer, worker.limits.head_size, &parts, body.is_some()),
    };
    // One that is none is refused with the head.
    let length =
        parts.headers.get(CONTENT_LENGTH).map(|length| length.to_str().ok().and_then(|length| length.parse().ok()));
    let length = length.map(Option::unwrap_or_default);
    let bounds = (length, worker.limits.head_fields);
    let stream = Stream::Http2(Box::new(Front::new(client, (body, bounds), wire.clone(), respond, certificate)));
    let turn = pin!(async {
        let next = match written {
            Ok(length) => {
                desk.receive(length);
                // Boxed: it is large, and what is large would be moved about until it has its place.
                Box::pin(super::turn(&worker, client, &stream, &mut desk)).await
            }
            Err(refusal) => {
                let (method, path) = odd.map_or((true, true), |odd| (odd.has_method, odd.has_path));
                let length = head::line(&mut desk.buffer, &parts, (method, path));
                desk.receive(length);
                super::refuse(&worker, client, &stream, &mut desk, refusal.into()).await;
                Next::Leave
            }
        };
        worker.shelf.put_desk(desk);
        // Without this the answer would go out with a reset behind it: clients that still send, such as curl, would see that
        // first, and some say that a body has ended in a frame behind it.
        let is_to_end = stream.front().is_some_and(|front| !front.is_read());
        if matches!(next, Next::Leave) || matches!(next, Next::Request) && is_to_end {
            super::leave(&worker, client, &stream).await;
        }
    });
    super::until_aborted(client, turn).await;
    wire.forget(id);
}

/// Lets those who wait for their answers to go out know that they do not, in whatever way the connection is given up.
struct Over<'a>(&'a Wire);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A request that its connection is busy with. An idle connection has a deadline, a busy one has those of its requests.
struct Busy {
    client: Rc<Client>,
    count: Rc<Cell<usize>>,
}

impl Busy {
    fn begin(client: &Rc<Client>, count: &Rc<Cell<usize>>) -> Self {
        client.enter(Phase::Streaming);
        count.set(count.get() + 1);
        Self { client: Rc::clone(client), count: Rc::clone(count) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
        if self.count.get() == 0 {
            self.client.enter(Phase::Resting);
        }
    }
}
