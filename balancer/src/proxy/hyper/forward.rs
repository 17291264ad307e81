//! One request: choose a backend, send, stream the answer back, or try again.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::Poll,
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Frame, Incoming},
    header::{self, HeaderValue},
    http::{request, response},
    upgrade::{self, OnUpgrade},
};
use tokio::time::timeout_at;

use super::{
    body::{AnswerBody, Content, Held, RequestBody, Source},
    failure::failure,
    headers,
    upgrade::tunnel,
};
use crate::{
    access_log::Asked,
    fault::Fault,
    http1::{Refusal, Version, fields::ONCE},
    log_format::Told,
    proxy::{
        branch::{Candidate, asks_for},
        client::{Client, Phase},
        entry::Entry,
        error::ProxyError,
        patience::Patience,
        retry, switch, tries,
        upstream::{Lease, Sender, Upstream},
        worker::Worker,
    },
    select::key::{self, KeyOf},
};

/// Answers up to this size in memory to requests that may be repeated are taken whole before the client sees their first byte: a
/// backend that dies in the middle of one costs nobody anything. Of longer ones this much is taken, the rest is streamed.
const TAKEN_WHOLE: usize = 1024 * 1024;

/// Answers one request.
pub(crate) async fn forward(
    worker: Rc<Worker>,
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    client.enter(Phase::Forwarding);
    worker.branch().budget.borrow_mut().request();
    let mut request = request;
    let upgrading = request.headers().contains_key(header::UPGRADE).then(|| upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let accept = head.headers.get(header::ACCEPT).cloned();
    let mut entry = Entry::begin(&worker, &client, |told| asked(&head, told));
    entry.pool = Some(Arc::clone(&worker.branch().counts));
    let outcome = exchange(&worker, &client, (head, body), upgrading, &mut entry).await;
    client.enter(Phase::Answering);
    let mut response = match outcome {
        Ok((mut head, content)) => {
            entry.status = head.status.as_u16();
            let cookie = entry.cookie.take().map(|cookie| HeaderValue::try_from(cookie).expect("it has plain letters"));
            head.headers.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
            Response::from_parts(head, AnswerBody::new(content, client, entry))
        }
        Err(error) => {
            worker.counters.own_answers.add_one();
            failure(error, accept.as_ref(), &client, entry)
        }
    };
    if worker.stopping.get() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn asked(head: &request::Parts, told: &[Told]) -> Asked {
    let version = if head.version == hyper::Version::HTTP_10 { Version::Http10 } else { Version::Http11 };
    let field = |name| head.headers.get(name).map(HeaderValue::as_bytes);
    let fields = || head.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    let asked = Asked::new(
        head.method.as_str().as_bytes(),
        head.uri.to_string().as_bytes(),
        version.name(),
        field(header::REFERER),
        field(header::USER_AGENT),
    );
    asked.with(told.iter().map(|told| told.find(fields())), false)
}

type Answer = (response::Parts, Content);

async fn exchange(
    worker: &Rc<Worker>,
    client: &Rc<Client>,
    (mut head, body): (request::Parts, Incoming),
    upgrading: Option<OnUpgrade>,
    entry: &mut Entry,
) -> Result<Answer, ProxyError> {
    let expects = head.headers.contains_key(header::EXPECT);
    let source = Source::new(body, worker.limits.body, expects, client, &worker.background)?;
    let chunked = source.as_ref().is_some_and(|source| source.is_chunked());
    let offered = headers::prepare(&mut head, client.address(), client.server, chunked)?;
    let idempotent = retry::is_idempotent(head.method.as_str().as_bytes());
    let mut exchange = Exchange { worker, client, head, source, idempotent, offered, entry };
    let (mut head, content, lease) = tries::answer(&mut exchange, worker.branch()).await?;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return begin_tunnel(worker, head, upgrading, lease);
    }
    if head.status == StatusCode::UPGRADE_REQUIRED {
        headers::strip_but_upgrade(&mut head.headers);
    } else {
        headers::strip_hop_by_hop(&mut head.headers);
    }
    head.extensions.clear();
    let content = match content {
        Content::Streamed(held, incoming, _) => Content::Streamed(held, incoming, lease),
        here => here,
    };
    Ok((head, content))
}

fn begin_tunnel(
    worker: &Rc<Worker>,
    mut head: response::Parts,
    client: Option<OnUpgrade>,
    lease: Option<Lease>,
) -> Result<Answer, ProxyError> {
    let (backend, chosen) = (head.extensions.remove::<OnUpgrade>(), headers::the_upgrade(&head.headers).cloned());
    // All of it is there, or the answer would have been refused.
    let (Some(client), Some(backend), Some(lease), Some(chosen)) = (client, backend, lease, chosen) else {
        return Err(ProxyError::AnswerBroken(Fault::Switch));
    };
    headers::strip_hop_by_hop(&mut head.headers);
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(header::UPGRADE, chosen);
    worker.background.spawn_local(tunnel(client, backend, lease.in_flight));
    Ok((head, Content::empty()))
}

/// One request on its way through the tries.
struct Exchange<'a> {
    worker: &'a Rc<Worker>,
    client: &'a Rc<Client>,
    head: request::Parts,
    source: Option<Rc<Source>>,
    idempotent: bool,
    /// The protocols that it asks to switch to.
    offered: Option<HeaderValue>,
    entry: &'a mut Entry,
}

type Taken = (response::Parts, Content, Option<Lease>);

impl tries::Exchange for Exchange<'_> {
    type Connection = Sender;
    type Answer = Taken;

    fn entry(&mut self) -> &mut Entry {
        self.entry
    }

    fn request(&self) -> retry::Request {
        retry::Request {
            idempotent: self.idempotent,
            whole: self.source.as_ref().is_none_or(|source| source.is_whole()),
        }
    }

    async fn held(&mut self, upstream: &Upstream) -> Option<Sender> {
        loop {
            let sender = upstream.senders.take(self.worker.clock.now())?;
            if self.idempotent || is_still_open(&sender).await {
                return Some(sender);
            }
        }
    }

    async fn dial(&mut self, upstream: &Upstream) -> io::Result<Sender> {
        upstream.connect(self.worker.branch().limits.connect_deadline, &self.worker.background).await
    }

    fn owes_body(&self) -> bool {
        self.source.as_ref().is_some_and(|source| !source.is_done())
    }

    async fn left(&mut self) {
        // The library drops the request then.
        std::future::pending::<()>().await;
    }

    fn asks_for(&self) -> String {
        asks_for(self.head.method.as_str().as_bytes(), self.head.uri.path().as_bytes())
    }

    fn key(&self, of: &KeyOf) -> Option<u64> {
        of.find(self.client.address(), self.head.uri.to_string().as_bytes(), |name| {
            self.head.headers.get_all(name).iter().map(HeaderValue::as_bytes)
        })
    }

    fn cookie(&self, name: &str) -> Option<&[u8]> {
        let fields = self.head.headers.get_all(header::COOKIE).iter();
        fields.map(HeaderValue::as_bytes).find_map(|value| key::cookie(value, name))
    }

    fn status((head, ..): &Taken) -> u16 {
        head.status.as_u16()
    }

    async fn send(&mut self, candidate: &mut Candidate, mut sender: Sender) -> Result<Taken, ProxyError> {
        let mut answering = pin!(sender.try_send_request(self.for_backend()));
        let answered = poll_fn(|cx| match answering.as_mut().poll(cx) {
            Poll::Ready(answered) => Poll::Ready(Some(answered)),
            Poll::Pending if self.client.is_overdue() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        let response = match answered.await {
            None => return Err(self.late()),
            Some(Err(mut failed)) => {
                let unsent = failed.take_message().is_some();
                return Err(self.blame(unsent, failed.error()));
            }
            Some(Ok(response)) => response,
        };
        self.entry.begins(candidate);
        let (head, body) = response.into_parts();
        let lease = Lease {
            sender,
            in_flight: candidate.take_in_flight(),
            until: self.worker.branch().idle_until(self.worker.clock.now()),
            may_stay: !self.withholds(&head),
        };
        let is_twice = |(name, _): &&(&str, _)| head.headers.get_all(*name).iter().nth(1).is_some();
        if let Some((_, why)) = ONCE.iter().find(is_twice) {
            return Err(ProxyError::of_answer(Refusal::Bad(why)));
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS && !self.is_agreed(&head) {
            return Err(ProxyError::AnswerBroken(Fault::Switch));
        }
        if !self.idempotent || head.status == StatusCode::SWITCHING_PROTOCOLS || is_events(&head.headers) {
            return Ok((head, Content::Streamed(Held::new(&self.worker.room), body, None), Some(lease)));
        }
        match self.take(body).await? {
            whole @ Content::Whole(_) => {
                lease.give_back();
                Ok((head, whole, None))
            }
            streamed => Ok((head, streamed, Some(lease))),
        }
    }
}

impl Exchange<'_> {
    /// Whether a head tells of content that does not follow. A backend that sends it after all may do so late.
    fn withholds(&self, head: &response::Parts) -> bool {
        let tells = |name| head.headers.get(name).is_some_and(|value| value != "0");
        let is_bare = self.head.method == Method::HEAD || head.status == StatusCode::NOT_MODIFIED;
        is_bare && (tells(header::CONTENT_LENGTH) || tells(header::TRANSFER_ENCODING))
    }

    /// Whether a switch of protocols is one that the client has asked for.
    fn is_agreed(&self, head: &response::Parts) -> bool {
        let (Some(chosen), Some(offered)) = (headers::the_upgrade(&head.headers), &self.offered) else { return false };
        head.extensions.get::<OnUpgrade>().is_some() && switch::was_offered(chosen.as_bytes(), offered.as_bytes())
    }

    fn for_backend(&self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody(self.source.clone()));
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = HeaderMap::clone(&self.head.headers);
        request
    }

    /// Takes an answer whole, if it is neither too long nor too slow nor our memory too full for that; else its beginning.
    async fn take(&self, mut body: Incoming) -> Result<Content, ProxyError> {
        let mut held = Held::new(&self.worker.room);
        let length = body.size_hint().exact();
        if length.is_some_and(|length| length > TAKEN_WHOLE as u64) {
            return Ok(Content::Streamed(held, body, None));
        }
        let mut patience = Patience::new(length.is_some());
        while !body.is_end_stream() {
            if held.bytes() > TAKEN_WHOLE || !self.worker.room.is_left() {
                return Ok(Content::Streamed(held, body, None));
            }
            let next = timeout_at(patience.due(), self.next(&mut body)).await;
            patience.moves();
            match next {
                Ok(Some(frame)) => held.push(frame?),
                Ok(None) => break,
                Err(_) => return Ok(Content::Streamed(held, body, None)),
            }
        }
        Ok(Content::Whole(held))
    }

    async fn next(&self, body: &mut Incoming) -> Option<Result<Frame<bytes::Bytes>, ProxyError>> {
        let frame = poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending if self.client.is_overdue() => Poll::Ready(Some(Err(ProxyError::AnswerLate))),
            polled => polled.map_err(|_| ProxyError::AnswerCut),
        });
        frame.await
    }

    /// Nothing has moved for too long; whose turn it was.
    fn late(&self) -> ProxyError {
        match &self.source {
            Some(source) if !source.is_done() => ProxyError::BodyStalled,
            _ => ProxyError::AnswerLate,
        }
    }

    fn blame(&self, unsent: bool, error: &hyper::Error) -> ProxyError {
        if let Some(failure) = self.source.as_ref().and_then(|source| source.failure()) {
            failure
        } else if unsent {
            ProxyError::NotSent
        } else if error.is_parse() {
            ProxyError::AnswerBroken(Fault::Library(if error.is_parse_too_large() {
                "its head is larger than the library takes"
            } else if error.is_parse_status() {
                "its status is not valid"
            } else {
                "the library cannot read it"
            }))
        } else {
            ProxyError::NoAnswer
        }
    }
}

/// Server-sent events: each is for now, and there is no end to wait for.
fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
}

/// Whether the backend has not closed the connection as far as the kernel knows. Yielding lets the runtime look at all
/// sockets first, so that a close that has arrived is seen before a request that cannot be repeated is given to it.
async fn is_still_open(sender: &Sender) -> bool {
    tokio::task::yield_now().await;
    !sender.is_closed()
}
