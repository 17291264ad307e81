//! One request on its way through the tries: choose a backend, send, read the answer until it may begin, or try again.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    rc::Rc,
    task::{Context, Poll},
};

use super::{
    download::Download,
    rewrite::{self, Origin},
    seen::Seen,
    shelf::Desk,
    stream::Stream,
    upload::{Trouble, Upload, Way},
};
use crate::{
    fault::{ANSWER_FIELDS, ANSWER_HEAD, Fault, MOST_INTERIM},
    http1::{
        Bounds, Version,
        fields::{self, Kind},
        framing::Framing,
        request::Request,
        response::Response,
    },
    identity::RequestId,
    proxy::{
        branch::{Branch, Candidate, asks_for},
        client::Client,
        entry::Entry,
        error::ProxyError,
        patience::Patience,
        retry, switch, tries,
        upstream::{InFlight, Upstream},
        worker::Worker,
    },
    route::Route,
    select::key::{self, KeyOf},
};

/// Answers up to this size to requests that may be repeated are taken whole before the client sees their first byte: a
/// backend that dies in the middle of one costs nobody anything. Of longer ones, and of those that take their time, what
/// has come is sent on. Events are never held back.
pub(crate) const TAKEN_WHOLE: usize = 1024 * 1024;

/// Bounds of a backend's heads.
const BOUNDS: Bounds = Bounds { size: ANSWER_HEAD, fields: ANSWER_FIELDS, lenient_query: false };

/// A backend's answer, as far as it was read.
pub(crate) struct Answer {
    pub(crate) stream: Stream,
    pub(crate) upstream: Rc<Upstream>,
    pub(crate) in_flight: InFlight,
    pub(crate) head: Response,
    pub(crate) download: Download,
}

/// One request and what it needs.
pub(crate) struct Exchange<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    /// Where it goes.
    pub(crate) branch: &'a Branch,
    pub(crate) route: Option<&'a Route>,
    pub(crate) client: &'a Client,
    pub(crate) stream: &'a Stream,
    pub(crate) desk: &'a mut Desk,
    pub(crate) request: Request,
    pub(crate) upload: &'a mut Upload,
    pub(crate) entry: &'a mut Entry,
    pub(crate) idempotent: bool,
    pub(crate) to_head: bool,
    pub(crate) switching: bool,
    /// Whether the client has seen something of an answer: an interim one.
    pub(crate) is_answered: bool,
}

impl tries::Exchange for Exchange<'_> {
    type Connection = Stream;
    type Answer = Answer;

    fn entry(&mut self) -> &mut Entry {
        self.entry
    }

    fn request(&self) -> retry::Request {
        retry::Request { idempotent: self.idempotent, whole: self.upload.is_whole() && !self.is_answered }
    }

    async fn held(&mut self, upstream: &Upstream) -> Option<Stream> {
        loop {
            let stream = upstream.streams.take(self.worker.clock.now())?;
            // The kernel may know more than the runtime: that it is closed, or that something has come unasked, which
            // would be taken for the answer.
            if stream.is_silent() {
                return Some(stream);
            }
        }
    }

    async fn dial(&mut self, upstream: &Upstream) -> io::Result<Stream> {
        upstream.dial(self.branch.limits.connect_deadline).await
    }

    fn owes_body(&self) -> bool {
        self.upload.is_owed(self.desk)
    }

    async fn left(&mut self) {
        // What has not been asked for of a body stays where it is.
        if !self.upload.is_all_here() {
            return std::future::pending().await;
        }
        let way = Way { client: self.client, from: self.stream, to: self.stream, shelf: &self.worker.shelf };
        poll_fn(|cx| match self.upload.poll_left(cx, self.desk, &way) {
            // It may wait for its answer still, but who has gone looks the same, and a backend should not work for nobody.
            Poll::Pending if self.client.has_ended() => Poll::Ready(()),
            left => left,
        })
        .await;
    }

    fn asks_for(&self) -> String {
        let bytes = &self.desk.buffer;
        asks_for(self.request.method.of(bytes), self.request.target_text.of(bytes))
    }

    fn key(&self, of: &KeyOf) -> Option<u64> {
        let target = self.request.target_text.of(&self.desk.buffer);
        of.find(self.client.address(), target, |name| self.fields(name))
    }

    fn cookie(&self, name: &str) -> Option<&[u8]> {
        self.fields("cookie").find_map(|value| key::cookie(value, name))
    }

    fn status(answer: &Answer) -> u16 {
        answer.head.status
    }

    async fn send(&mut self, candidate: &mut Candidate, stream: Stream) -> Result<Answer, ProxyError> {
        let answered = self.ask(candidate, stream).await;
        self.entry.carried = self.upload.carried();
        answered
    }
}

impl Exchange<'_> {
    /// Sends the request and reads the answer until it may begin.
    async fn ask(&mut self, candidate: &mut Candidate, stream: Stream) -> Result<Answer, ProxyError> {
        self.write_head()?;
        let mut download = Download::new();
        let mut interim = 0;
        let head = loop {
            self.desk.response.reset();
            let mut sent = Sent::Something;
            let head = poll_fn(|cx| self.poll_head(cx, &stream, &mut download, &mut sent)).await?;
            if head.status >= 200 || head.status == 101 {
                break head;
            }
            interim += 1;
            if interim > MOST_INTERIM {
                return Err(ProxyError::AnswerBroken(Fault::Interim));
            }
            self.pass_interim(&head, &mut download).await?;
        };
        self.entry.begins(candidate);
        if head.status == 101 && !self.is_agreed(&head, download.bytes()) {
            return Err(ProxyError::AnswerBroken(Fault::Switch));
        }
        if head.status != 101 {
            let named = || fields::named(download.bytes(), self.desk.response.fields());
            let mut named = head.names.then(named).unwrap_or_default();
            if let Some(route) = self.route {
                route.claim_answers(&mut named);
            }
            download.begin(&head, named).map_err(ProxyError::of_answer)?;
        }
        let is_short = !matches!(head.framing, Framing::Length(length) if length > TAKEN_WHOLE as u64);
        if self.idempotent && is_short && head.status != 101 && !download.ended && !self.is_events(download.bytes()) {
            self.take(&stream, &mut download, head.framing).await?;
        }
        let (upstream, in_flight) = (Rc::clone(&candidate.upstream), candidate.take_in_flight());
        Ok(Answer { stream, upstream, in_flight, head, download })
    }

    /// Tries backends until one answers or trying on is not allowed.
    pub(crate) async fn answer(&mut self) -> Result<Answer, ProxyError> {
        let branch = self.branch;
        if self.request.framing != Framing::None {
            let most = self.route.and_then(|route| route.buffer).unwrap_or(self.worker.limits.body_buffer);
            self.upload.gather(self.desk, (self.client, self.stream), &self.worker.bodies, most).await?;
            self.entry.is_complete();
        }
        tries::answer(self, branch).await
    }

    /// The values of the request's fields with this name.
    fn fields(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let bytes = &self.desk.buffer;
        let fields = self.desk.request.fields().iter();
        let named = fields.filter(move |field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
        named.map(|field| field.value.of(bytes))
    }

    fn write_head(&mut self) -> Result<(), ProxyError> {
        self.desk.up.clear();
        let client = self.client;
        let (id, trace) = (self.entry.id.as_ref().map(RequestId::bytes), self.entry.trace);
        let source = client.source();
        let via = if self.stream.front().is_some() { "2.0" } else { self.request.version.number() };
        let origin = Origin { source: &source, server: client.server, secure: client.speaks_tls(), via, id, trace };
        let (desk, request) = (&mut *self.desk, &self.request);
        rewrite::request(&mut desk.up.front, &desk.buffer, request, desk.request.fields(), origin, self.switching);
        if let Some(route) = self.route {
            let seen = Seen { client, request, bytes: &desk.buffer, fields: desk.request.fields() };
            seen.edit_request(route, &mut desk.up.front);
        }
        self.upload.begin(self.desk)
    }

    /// Sends the request and reads the head of an answer, whichever comes first.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        download: &mut Download,
        sent: &mut Sent,
    ) -> Poll<Result<Response, ProxyError>> {
        if let Err(error) = self.poll_client(cx, stream, sent) {
            return Poll::Ready(Err(error));
        }
        loop {
            let bytes = download.bytes();
            if !bytes.is_empty() {
                match self.desk.response.read(bytes, self.to_head, BOUNDS) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) if download.is_full() && !download.grow(BOUNDS.size + 1, &self.worker.room) => {
                        return Poll::Ready(Err(ProxyError::AnswerBroken(Fault::Memory)));
                    }
                    Ok(None) => {}
                    Err(refusal) => return Poll::Ready(Err(ProxyError::of_answer(refusal))),
                }
            }
            match download.poll_read(cx, stream, &self.worker.shelf) {
                Poll::Ready(Ok(1..)) => self.client.progress(),
                Poll::Ready(_) if *sent == Sent::Nothing => return Poll::Ready(Err(ProxyError::NotSent)),
                Poll::Ready(_) => return Poll::Ready(Err(ProxyError::NoAnswer)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What there is to do on the client's side while the backend is waited for.
    fn poll_client(&mut self, cx: &mut Context<'_>, stream: &Stream, sent: &mut Sent) -> Result<(), ProxyError> {
        if self.client.is_overdue() {
            // Nothing has moved for too long; whose turn it was.
            let is_clients = self.upload.waits_for_client(self.desk);
            return Err(match is_clients {
                true => ProxyError::BodyStalled,
                // Behind what the backend does not take that was not seen.
                false if self.stream.is_broken(cx) => ProxyError::ClientLeft,
                false => ProxyError::AnswerLate,
            });
        }
        let way = Way { client: self.client, from: self.stream, to: stream, shelf: &self.worker.shelf };
        match self.upload.poll(cx, self.desk, &way) {
            Poll::Ready(Err(Trouble::Client(error))) => return Err(error),
            Poll::Ready(Err(Trouble::Backend)) => {
                if self.upload.is_whole() && self.desk.up.is_whole() {
                    *sent = Sent::Nothing;
                }
                // It may have said why.
                self.upload.give_up();
            }
            Poll::Ready(Ok(())) if self.upload.poll_left(cx, self.desk, &way).is_ready() => {
                return Err(ProxyError::ClientLeft);
            }
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        Ok(())
    }

    /// Tells the client what the backend says meanwhile. 100 is not passed on: we have said that ourselves.
    async fn pass_interim(&mut self, head: &Response, download: &mut Download) -> Result<(), ProxyError> {
        // An old client knows of none (RFC 9110, 15.2).
        if head.status != 100 && self.request.version == Version::Http11 {
            self.is_answered = true;
            let onward = rewrite::Onward::as_read(Framing::None);
            let desk = &mut *self.desk;
            rewrite::response(&mut desk.down.front, download.bytes(), head, desk.response.fields(), onward);
            let client = self.client;
            let sent = poll_fn(|cx| match desk.down.poll_send(cx, self.stream, &[]) {
                // It reads nothing.
                Poll::Pending if client.is_overdue() => Poll::Ready(Err(ErrorKind::TimedOut.into())),
                sent => sent,
            });
            sent.await.map_err(|_| ProxyError::ClientLeft)?;
        }
        download.skip(head.length);
        Ok(())
    }

    /// Whether a switch of protocols is one that the client has asked for.
    fn is_agreed(&self, head: &Response, bytes: &[u8]) -> bool {
        let (Some(chosen), Some(offered)) = (head.upgrade, self.request.upgrade) else { return false };
        self.switching && switch::was_offered(chosen.of(bytes), offered.of(&self.desk.buffer))
    }

    /// Server-sent events: each is for now, and there is no end to wait for.
    fn is_events(&self, bytes: &[u8]) -> bool {
        let mut fields = self.desk.response.fields().iter();
        fields.any(|field| {
            let value = field.value.of(bytes);
            field.kind == Kind::ContentType
                && value.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
        })
    }

    /// Takes an answer whole, if it is neither too long nor too slow nor our memory too full for that; else its beginning.
    async fn take(&mut self, stream: &Stream, download: &mut Download, framing: Framing) -> Result<(), ProxyError> {
        if let Framing::Length(length) = framing {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if !download.grow(length, &self.worker.room) {
                return Ok(());
            }
        }
        let mut patience = Patience::new(matches!(framing, Framing::Length(_)));
        poll_fn(|cx| self.poll_take(cx, stream, download, &mut patience)).await
    }

    fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        download: &mut Download,
        patience: &mut Patience,
    ) -> Poll<Result<(), ProxyError>> {
        if let Err(error) = self.poll_client(cx, stream, &mut Sent::Something) {
            return Poll::Ready(Err(error));
        }
        while !download.ended {
            if download.is_full() {
                download.grow_on(&self.worker.room);
            }
            if download.is_full() || download.data.len() > TAKEN_WHOLE {
                return Poll::Ready(Ok(()));
            }
            match download.poll_more(cx, stream, &self.worker.shelf) {
                Poll::Ready(Ok(())) => {
                    self.client.progress();
                    patience.moves();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return patience.poll_over(cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether anything of a request has reached the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Something,
    Nothing,
}
