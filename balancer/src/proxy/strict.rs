//! The balancer's own HTTP/1.1: what [`http1`](crate::http1) reads is passed on with two reads and two writes for a usual
//! request, in memory that requests use one after the other. A client that is waited for holds none of it.
//!
//! What the standard does not allow is refused: a request with 400 and the end of its connection, an answer with 502 and
//! the end of the backend's.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    net::IpAddr,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::net::TcpStream;

use self::{
    exchange::Exchange,
    http2::Front,
    introduction::Trouble,
    own::Own,
    relay::{Relayed, relay},
    reply::{Failure, fail, redirect, write_failure},
    secure::Secure,
    seen::Seen,
    shelf::Desk,
    stream::Stream,
    tunnel::{FarEnd, switch},
    upload::Upload,
};
use super::{
    addresses::Place,
    answer::Form,
    branch::Branch,
    client::{Client, Door, Order, Phase},
    entry::Entry,
    error::{ProxyError, Side},
    retry,
    switch::may_switch,
    worker::Worker,
};
use crate::{
    access_log::Asked,
    http1::{
        Bounds,
        fields::{self, Field, Kind},
        framing::Framing,
        request::Request,
        target::Target,
    },
    identity::{self, RequestId, Trace},
    log_format::{self, Told},
    metrics::{LIMIT_CONN, PROXY_PROTOCOL},
    route::Route,
};

mod secure;
mod introduction;
pub(super) mod http2;
pub(super) mod stream;
mod parcel;
pub(super) mod shelf;
mod rewrite;
mod seen;
mod press;
mod files;
mod own;
pub(super) mod upload;
mod download;
pub(super) mod exchange;
mod relay;
mod reply;
mod tunnel;

/// Its name in logs.
const HTTP2: &str = "HTTP/2.0";

/// Most bytes read on from a client that is being left.
const DRAINED: usize = 64 * 1024 * 1024;

/// Longest time for that, however busily it sends.
const LEAVING: Duration = Duration::from_secs(30);

/// What comes after a request.
enum Next {
    /// Another one; its beginning may be on the desk already.
    Request,
    /// The end.
    Close,
    /// The end, once the client has stopped sending, so that it gets to read the answer (RFC 9112, 9.6).
    Leave,
    /// Bytes of another protocol.
    Tunnel(Box<FarEnd>),
}

/// Serves one client until it or we have had enough.
pub(crate) async fn serve(worker: Rc<Worker>, mut stream: TcpStream, address: IpAddr, door: Rc<Door>) {
    let guest = worker.clients.welcome(address, &door);
    let client = &guest.client;
    stream::settle(&stream);
    let session = pin!(async {
        let Some(_place) = introduce(&worker, client, &mut stream).await else { return };
        match enter(&worker, client, stream).await {
            Some(Stream::Tls(secure)) if secure.speaks(b"h2") => {
                Box::pin(http2::serve(&worker, client, *secure)).await;
            }
            Some(stream) => {
                session(&worker, client, &stream).await;
                stream.say_goodbye();
            }
            None => {}
        }
    });
    if until_aborted(client, session).await && client.is_handshaking() && client.is_secure() {
        worker.counters.handshakes_failed.add_one();
    }
}

/// Goes on until it is done, or its thread has had enough, and tells whether that was so.
async fn until_aborted(client: &Client, mut serving: Pin<&mut impl Future<Output = ()>>) -> bool {
    poll_fn(|cx| match client.poll_order(cx) {
        Poll::Ready(Order::Abort) => Poll::Ready(true),
        Poll::Ready(Order::Look | Order::Close) | Poll::Pending => serving.as_mut().poll(cx).map(|()| false),
    })
    .await
}

/// Has whoever speaks for others say so first, where that is done. The place of who is introduced, or that there is no need
/// for one; `None` if there is nobody to serve.
async fn introduce(worker: &Worker, client: &Client, stream: &mut TcpStream) -> Option<Option<Place>> {
    if !client.door.introduced {
        return Some(None);
    }
    client.enter(Phase::Handshaking);
    let mut reading = Box::pin(introduction::read(stream));
    let told = poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Pending if client.is_let_go() => Poll::Ready(Err(Trouble::Broken(ErrorKind::TimedOut.into()))),
        told => told,
    });
    let told = told.await;
    let place = match told {
        Ok(Some(address)) => {
            let place = worker.addresses.admit(address);
            client.introduce(address);
            if place.is_none() {
                worker.counters.refused.add(LIMIT_CONN);
            }
            place.map(Some)
        }
        Ok(None) => {
            client.introduce_nobody();
            Some(None)
        }
        Err(trouble) => {
            let (name, listen) = (&client.source().name, client.door.address);
            if let Trouble::Header(what) = trouble {
                tracing::warn!(client = %name, %listen, "{name} introduces nobody at {listen} and is closed: {what}; see proxy_protocol");
            } else {
                tracing::debug!(client = %name, %listen, "{name} introduces nobody at {listen}: {trouble}");
            }
            if !matches!(trouble, Trouble::Silent) {
                worker.counters.refused.add(PROXY_PROTOCOL);
            }
            None
        }
    };
    client.enter(Phase::Waiting);
    place
}

/// Agrees on TLS, where that is spoken.
async fn enter(worker: &Worker, client: &Client, stream: TcpStream) -> Option<Stream> {
    let Some(front) = &client.door.tls else { return Some(Stream::Tcp(stream)) };
    client.enter(Phase::Handshaking);
    // Who has said nothing yet costs little, and waits for no turn.
    if !is_coming(client, |cx| stream.poll_read_ready(cx)).await {
        return None;
    }
    if stream::begins_in_letters(&stream) {
        worker.counters.handshakes_failed.add_one();
        Box::pin(refuse_plain(worker, client, &Stream::Tcp(stream))).await;
        return None;
    }
    // Boxed: it is large, and soon over.
    let mut handshake = Box::pin(front.accept(stream));
    let mut queued = worker.handshakes.queue();
    let accepted = poll_fn(|cx| match queued.poll_step(cx, |cx| handshake.as_mut().poll(cx)) {
        Poll::Pending if client.is_let_go() => Poll::Ready(Err(ErrorKind::Interrupted.into())),
        accepted => accepted,
    });
    match accepted.await {
        Ok(stream) => {
            client.enter(Phase::Waiting);
            Some(Stream::Tls(Box::new(Secure::new(stream, &front.book))))
        }
        Err(error) => {
            worker.counters.handshakes_failed.add_one();
            let name = &client.source().name;
            tracing::debug!(client = %name, %error, "no TLS with {name}: {error}");
            None
        }
    }
}

/// Answers who speaks HTTP without TLS where that is spoken.
async fn refuse_plain(worker: &Worker, client: &Client, stream: &Stream) {
    let mut desk = worker.shelf.desk();
    if let Ok(read) = poll_fn(|cx| stream.poll_read(cx, &mut desk.buffer)).await {
        desk.receive(read);
    }
    refuse(worker, client, stream, &mut desk, ProxyError::NotSecure).await;
    worker.shelf.put_desk(desk);
    leave(worker, client, stream).await;
}

async fn session(worker: &Rc<Worker>, client: &Rc<Client>, stream: &Stream) {
    while is_coming(client, |cx| stream.poll_readable(cx)).await {
        let mut desk = worker.shelf.desk();
        let next = loop {
            // Boxed: a client that is waited for should cost little.
            match Box::pin(turn(worker, client, stream, &mut desk)).await {
                Next::Request if desk.filled > 0 => {}
                next => break next,
            }
        };
        worker.shelf.put_desk(desk);
        match next {
            Next::Request => {}
            Next::Close => return,
            Next::Leave => return leave(worker, client, stream).await,
            Next::Tunnel(far) => return Box::pin(tunnel::carry(worker, client, stream, *far)).await,
        }
    }
}

/// Waits until the client sends something; `false` when it shall be let go.
async fn is_coming(client: &Client, readable: impl Fn(&mut Context<'_>) -> Poll<io::Result<()>>) -> bool {
    poll_fn(|cx| if client.is_let_go() { Poll::Ready(false) } else { readable(cx).map(|readable| readable.is_ok()) })
        .await
}

/// One request, from its head to the last byte of its answer.
async fn turn(worker: &Rc<Worker>, client: &Rc<Client>, stream: &Stream, desk: &mut Desk) -> Next {
    client.begin();
    let limits = &worker.limits;
    let bounds = Bounds { size: limits.head_size, fields: limits.head_fields, lenient_query: limits.lenient_query };
    let request = match read_head(client, stream, desk, bounds).await {
        Ok(Some(request)) => request,
        Ok(None) => return Next::Close,
        Err(error) => {
            refuse(worker, client, stream, desk, error).await;
            return Next::Leave;
        }
    };
    let mut entry = begin(worker, client, stream, desk, &request);
    let form = Form::asked(field(desk, Kind::Accept));
    let to_head = request.method.of(&desk.buffer) == b"HEAD";
    let failed = |error, stays| Failure { error, form, to_head, stays };
    if let Some(port) = client.door.redirect.filter(|_| !client.speaks_tls()) {
        if request.place(&desk.buffer).0.is_empty() {
            let error = ProxyError::BadRequest("it names no host, and what is here is given over TLS only");
            return turn_away(worker, client, stream, desk, entry, &request, failed(error, false)).await;
        }
        entry.status = 308;
        entry.bytes = redirect(worker, &entry, stream, desk, &request, port).await;
        entry.finish();
        return Next::Leave;
    }
    let checked = check(client, desk, &request).and_then(|()| check_host(client, stream, desk, &request));
    let routed = checked.and_then(|()| worker.find(&request, &desk.buffer));
    let routed = routed.and_then(|routed| worker.admit(client, routed.1).map(|()| routed));
    let ready = routed.and_then(|routed| Ok((routed, Upload::new(&request, desk, &worker.limits, routed.1)?)));
    let ((branch, route), mut upload) = match ready {
        Ok(ready) => ready,
        Err(error) => return turn_away(worker, client, stream, desk, entry, &request, failed(error, false)).await,
    };
    if let Some(own) = Own::of(client, &request, desk, route) {
        return Box::pin(own::answer(worker, client, stream, desk, (request, upload, entry), own)).await;
    }
    enter_branch(client, &mut entry, branch, route);
    let mut exchange = Exchange {
        worker,
        branch,
        route,
        client,
        stream,
        request,
        idempotent: retry::is_idempotent(request.method.of(&desk.buffer)),
        to_head,
        is_answered: false,
        switching: request.upgrade.is_some_and(|offered| may_switch(offered.of(&desk.buffer))),
        desk: &mut *desk,
        upload: &mut upload,
        entry: &mut entry,
    };
    let outcome = exchange.answer().await;
    client.enter(Phase::Answering);
    let stays = match outcome {
        Err(ProxyError::ClientLeft) => return Next::Close,
        Err(error) => {
            let done = upload.is_read() && error.facts().side != Side::Client;
            let stays = request.stays && done && !worker.stopping.get();
            Box::pin(fail(worker, client, stream, desk, entry, failed(error, stays))).await;
            stays
        }
        Ok(answer) if answer.head.status == 101 => {
            let Some((stream, in_flight)) = switch(exchange, answer).await else { return Next::Close };
            return Next::Tunnel(Box::new(FarEnd { stream, in_flight, entry }));
        }
        Ok(answer) => {
            exchange.entry.status = answer.head.status;
            let stays = request.stays && exchange.upload.is_read() && !worker.stopping.get();
            match relay(exchange, answer, stays).await {
                Relayed::Whole => entry.finish(),
                Relayed::Cut => return Next::Close,
            }
            stays
        }
    };
    let is_done = upload.is_read();
    follow(client, stream, desk, upload, &request, (stays, is_done))
}

/// Answers a request that goes nowhere. Who has to wait for the next one may do so here.
async fn turn_away(
    worker: &Worker,
    client: &Client,
    stream: &Stream,
    desk: &mut Desk,
    entry: Entry,
    request: &Request,
    failure: Failure,
) -> Next {
    let is_limited = matches!(failure.error, ProxyError::Throttled(_));
    let stays = is_limited && request.stays && request.framing == Framing::None && !worker.stopping.get();
    // Boxed, as all that is rare: each request is as large as the largest thing it waits for.
    Box::pin(fail(worker, client, stream, desk, entry, Failure { stays, ..failure })).await;
    if !stays {
        return Next::Leave;
    }
    client.enter(Phase::Waiting);
    desk.turn_over(request.length);
    Next::Request
}

fn enter_branch(client: &Client, entry: &mut Entry, branch: &Branch, route: Option<&Route>) {
    branch.budget.borrow_mut().request();
    entry.pool = Some(Arc::clone(&branch.counts));
    if route.is_some() {
        client.is_patient(branch.limits.stall_deadline);
    }
}

fn seen<'a>(client: &'a Client, request: &'a Request, desk: &'a Desk) -> Seen<'a> {
    Seen { client, request, bytes: &desk.buffer, fields: desk.request.fields() }
}

/// What follows an answer; `is_done`: nothing of the request's body is still to come.
fn follow(
    client: &Client,
    stream: &Stream,
    desk: &mut Desk,
    upload: Upload,
    request: &Request,
    (stays, is_done): (bool, bool),
) -> Next {
    if !stays {
        upload.clear_desk(desk);
        // Only who has said that it sends nothing more, and has sent nothing more, needs no waiting for.
        let is_quiet = is_done && desk.filled == 0 && !request.stays && !stream.has_unread();
        return if is_quiet { Next::Close } else { Next::Leave };
    }
    client.enter(Phase::Waiting);
    upload.clear_desk(desk);
    Next::Request
}

/// Notes that a request begins: from where, and what it is known by.
fn begin(worker: &Rc<Worker>, client: &Rc<Client>, stream: &Stream, desk: &Desk, request: &Request) -> Entry {
    client.enter(Phase::Forwarding);
    tell(client, desk);
    let mut entry = Entry::begin(worker, client, |told| asked(client, desk, request, stream, told));
    identify(&mut entry, worker, client, desk, request);
    entry
}

/// Takes what somebody who is believed says of where a request comes from.
fn tell(client: &Client, desk: &Desk) {
    let source = client.source();
    if !source.trusted {
        return;
    }
    let (bytes, fields) = (&desk.buffer, desk.request.fields());
    let header = client.door.trust.header.name().as_bytes();
    let named = fields.iter().filter(|field| field.name.of(bytes).eq_ignore_ascii_case(header));
    client.tell(named.map(|field| field.value.of(bytes)), rewrite::said(bytes, fields, &source, b"X-Forwarded-Proto"));
}

/// Gives a request what it is known by from here on.
fn identify(entry: &mut Entry, worker: &Worker, client: &Client, desk: &Desk, request: &Request) {
    let (bytes, fields) = (&desk.buffer, desk.request.fields());
    if worker.given.request_id {
        let told = rewrite::said(bytes, fields, &client.source(), b"X-Request-Id").filter(|id| identity::is_id(id));
        let made = || RequestId::Made(worker.identities.next());
        entry.id = Some(told.map_or_else(made, |id| RequestId::Told(id.into())));
    }
    if worker.given.trace {
        // What belongs to this connection says nothing of the request.
        let is_left = |field: &&Field| !(request.names && rewrite::is_named(bytes, fields, field));
        let of = |kind| {
            let of_kind = fields.iter().filter(move |field| field.kind == kind).filter(is_left);
            of_kind.map(|field| field.value.of(bytes))
        };
        let mut parents = of(Kind::TraceParent);
        entry.trace = match (parents.next(), parents.next()) {
            (Some(parent), None) if identity::is_parent(parent) => {
                Trace::Passed { state: identity::is_state(of(Kind::TraceState)) }
            }
            _ => Trace::Begun(worker.identities.trace()),
        };
    }
}

/// Answers a head that is refused, with what there is of it on the desk.
async fn refuse(worker: &Worker, client: &Client, stream: &Stream, desk: &mut Desk, error: ProxyError) {
    let head = &desk.buffer[..desk.filled];
    let asked = Asked::unread(head, stream.front().map(|_| HTTP2));
    let failure = Failure::unread(error, head.starts_with(b"HEAD "));
    let bytes = write_failure(worker, client, desk, failure, None);
    let sent = worker.log.borrow().sent(&desk.down.front);
    let mut refused = Refused { worker, client, asked, error, bytes: 0, sent };
    // Who does not read it has left.
    if poll_fn(|cx| desk.down.poll_send(cx, stream, &[])).await.is_ok() {
        refused.bytes = bytes;
    }
}

/// A head that is refused: told when its answer has gone out, or is given up.
struct Refused<'a> {
    worker: &'a Worker,
    client: &'a Client,
    asked: Asked,
    error: ProxyError,
    /// Of the answer's body that have gone out.
    bytes: u64,
    sent: Vec<String>,
}

impl Drop for Refused<'_> {
    fn drop(&mut self) {
        self.worker.note_unread(self.client, &self.asked, self.error, self.bytes, &self.sent);
    }
}

/// Reads the head of the next request; `None` when the client has left, or is let go before it has begun one.
async fn read_head(
    client: &Client,
    stream: &Stream,
    desk: &mut Desk,
    bounds: Bounds,
) -> Result<Option<Request>, ProxyError> {
    poll_fn(|cx| {
        loop {
            if let Some(request) = desk.request.read(&desk.buffer[..desk.filled], bounds)? {
                client.is_in_head(false);
                return Poll::Ready(Ok(Some(request)));
            }
            if desk.filled == 0 && client.is_let_go() {
                return Poll::Ready(Ok(None));
            }
            if client.is_overdue() {
                client.is_in_head(false);
                return Poll::Ready(Err(ProxyError::HeadLate));
            }
            let read = stream.poll_read(cx, &mut desk.buffer[desk.filled..]);
            if client.is_in_head(read.is_pending() && desk.filled > 0) {
                stream.acknowledge();
            }
            match ready!(read) {
                Ok(0) | Err(_) => return Poll::Ready(Ok(None)),
                Ok(read) => desk.receive(read),
            }
        }
    })
    .await
}

/// What is refused though it is read.
fn check(client: &Client, desk: &Desk, request: &Request) -> Result<(), ProxyError> {
    match request.target {
        Target::Authority(_) => return Err(ProxyError::MethodRefused),
        // RFC 9110, 7.4. As http and https are places of their own (4.2), neither is to be answered with what is at the other.
        Target::Absolute { over_tls: false, .. } if client.is_secure() && client.speaks_tls() => {
            return Err(ProxyError::BadRequest("it asks for http over a connection with TLS"));
        }
        Target::Absolute { over_tls: true, .. } if !client.speaks_tls() => {
            return Err(ProxyError::BadRequest("it asks for https over a connection without TLS"));
        }
        _ => {}
    }
    if rewrite::hops_left(&desk.buffer, request, desk.request.fields()).is_err() {
        return Err(ProxyError::BadRequest("the Max-Forwards of the request is no number"));
    }
    let expectations = desk.request.fields().iter().filter(|field| field.kind == Kind::Expect);
    let is_known = fields::are_expectations(expectations.map(|field| field.value.of(&desk.buffer)));
    if is_known { Ok(()) } else { Err(ProxyError::ExpectationUnknown) }
}

/// Over TLS, a host that another certificate is for is asked for over another connection.
fn check_host(client: &Client, stream: &Stream, desk: &Desk, request: &Request) -> Result<(), ProxyError> {
    let (Some(front), Some(shown)) = (&client.door.tls, stream.certificate()) else { return Ok(()) };
    let host = std::str::from_utf8(request.place(&desk.buffer).0).unwrap_or_default();
    if front.book.is_anothers(host, shown) { Err(ProxyError::Misdirected) } else { Ok(()) }
}

/// Reads what the client still sends, and throws it away.
async fn leave(worker: &Worker, client: &Client, stream: &Stream) {
    client.enter(Phase::Leaving);
    stream.finish();
    let begun = worker.clock.now();
    let is_in_time = || worker.clock.now() - begun < LEAVING;
    let mut drained = 0;
    while drained < DRAINED && is_in_time() {
        let read = poll_fn(|cx| {
            let read = stream.poll_readable(cx).map_ok(|()| worker.shelf.buffer());
            let read = match read {
                Poll::Ready(Ok(mut buffer)) => stream.poll_read(cx, &mut buffer.bytes),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            };
            // Who is let go is not waited for, but what has come is read: unread, it would end in a reset.
            let is_over = client.is_let_go() || stream.front().is_some_and(Front::is_read);
            if read.is_pending() && is_over { Poll::Ready(Ok(0)) } else { read }
        });
        match read.await {
            Ok(0) | Err(_) => return,
            Ok(read) => drained += read,
        }
        client.progress();
    }
}

fn asked(client: &Client, desk: &Desk, request: &Request, stream: &Stream, told: &[Told]) -> Asked {
    let fields = desk.request.fields().iter();
    let fields = fields.map(|field| (field.name.of(&desk.buffer), field.value.of(&desk.buffer)));
    let asked = Asked::new(
        request.method.of(&desk.buffer),
        request.target_text.of(&desk.buffer),
        if stream.front().is_some() { HTTP2 } else { request.version.name() },
        field(desk, Kind::Referer),
        field(desk, Kind::UserAgent),
    );
    let host = Some(request.place(&desk.buffer).0).filter(|host| !host.is_empty());
    let find = |told: &Told| if *told == Told::Host { host.map(log_format::host) } else { told.find(fields.clone()) };
    asked.with(told.iter().map(find), client.speaks_tls())
}

fn field(desk: &Desk, kind: Kind) -> Option<&[u8]> {
    let field = desk.request.fields().iter().find(|field| field.kind == kind)?;
    Some(field.value.of(&desk.buffer))
}
