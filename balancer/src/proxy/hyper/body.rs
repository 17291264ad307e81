//! Bodies on their way, in both directions: streamed, never gathered beyond what a safe repetition needs.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    header::HeaderName,
};
use tokio_util::task::TaskTracker;

use crate::{
    http1::fields::{Kind, NO_TRAILER},
    proxy::{
        client::{Client, Phase},
        entry::Entry,
        error::ProxyError,
        room::Room,
        upstream::Lease,
    },
};

/// Most bytes read on from a client whose request was answered before its body was taken.
const DRAINED: u64 = 64 * 1024 * 1024;
/// What a frame that is held costs besides its bytes.
const PER_FRAME: usize = 64;

/// Why a body ended early; the other side's connection is broken off for it.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body was broken off: {0}")]
pub(crate) struct Broken(&'static str);

/// The body of a client's request. It outlives one try, so that a try that took nothing of it can be repeated.
///
/// When everybody has let go of it before its end, because we or the backend answered early, the rest is read and thrown
/// away, up to a bound, so that a client that is still sending gets to read the answer instead of a reset connection
/// (RFC 9112, 9.6).
pub(crate) struct Source {
    /// Taken out only at the end.
    incoming: RefCell<Option<Incoming>>,
    passed: Cell<u64>,
    limit: u64,
    failure: Cell<Option<ProxyError>>,
    client: Rc<Client>,
    /// Whether the client waits to be told that it may send. If nobody has told it so, there is nothing to throw away.
    expects: bool,
    background: TaskTracker,
}

impl Source {
    /// `None` when the request has no body.
    pub(crate) fn new(
        incoming: Incoming,
        limit: Option<u64>,
        expects: bool,
        client: &Rc<Client>,
        background: &TaskTracker,
    ) -> Result<Option<Rc<Self>>, ProxyError> {
        let limit = limit.unwrap_or(u64::MAX);
        if incoming.is_end_stream() {
            return Ok(None);
        }
        let too_large = incoming.size_hint().lower() > limit;
        let source = Rc::new(Self {
            incoming: RefCell::new(Some(incoming)),
            passed: Cell::new(0),
            limit,
            failure: Cell::new(None),
            client: Rc::clone(client),
            expects,
            background: background.clone(),
        });
        if too_large { Err(ProxyError::BodyTooLarge) } else { Ok(Some(source)) }
    }

    /// Whether its length is not known beforehand.
    pub(crate) fn is_chunked(&self) -> bool {
        self.size_hint().exact().is_none()
    }

    /// Whether nothing of it was taken.
    pub(crate) fn is_whole(&self) -> bool {
        self.passed.get() == 0 && self.failure.get().is_none()
    }

    /// Whether all of it was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.incoming.borrow().as_ref().is_none_or(Body::is_end_stream)
    }

    /// What went wrong on the client's side.
    pub(crate) fn failure(&self) -> Option<ProxyError> {
        self.failure.get()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.borrow().as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }

    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = match &mut *self.incoming.borrow_mut() {
            Some(incoming) => ready!(Pin::new(incoming).poll_frame(cx)),
            None => None,
        };
        self.client.progress();
        match frame {
            Some(Ok(frame)) => {
                let may_trail = |name: &HeaderName| Kind::of(name.as_str().as_bytes()).is_ok_and(Kind::may_trail);
                if !frame.trailers_ref().is_none_or(|trailers| trailers.keys().all(may_trail)) {
                    self.failure.set(Some(NO_TRAILER.into()));
                    return Poll::Ready(Some(Err(Broken("there is a trailer that may not be there"))));
                }
                let passed = self.passed.get() + frame.data_ref().map_or(0, |data| data.len() as u64);
                self.passed.set(passed);
                if passed > self.limit {
                    self.failure.set(Some(ProxyError::BodyTooLarge));
                    return Poll::Ready(Some(Err(Broken("too large"))));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(_)) => {
                self.failure.set(Some(ProxyError::ClientGone));
                Poll::Ready(Some(Err(Broken("the client is gone"))))
            }
            None => Poll::Ready(None),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let unasked = self.expects && self.passed.get() == 0;
        if let Some(rest) = self.incoming.take().filter(|rest| !rest.is_end_stream() && !unasked) {
            self.background.spawn_local(drain(rest, Rc::clone(&self.client)));
        }
    }
}

async fn drain(mut rest: Incoming, client: Rc<Client>) {
    let mut drained = 0;
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {
        client.progress();
        drained += frame.data_ref().map_or(0, |data| data.len() as u64);
        if drained > DRAINED {
            return;
        }
    }
}

/// One try's use of the request's body.
pub(crate) struct RequestBody(pub(crate) Option<Rc<Source>>);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.as_ref().map_or(Poll::Ready(None), |source| source.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|source| source.is_done())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |source| source.size_hint())
    }
}

/// The beginning of an answer, or all of it, held until the client takes it.
pub(crate) struct Held {
    frames: VecDeque<Frame<Bytes>>,
    bytes: usize,
    room: Rc<Room>,
}

impl Held {
    pub(crate) fn new(room: &Rc<Room>) -> Self {
        Self { frames: VecDeque::new(), bytes: 0, room: Rc::clone(room) }
    }

    pub(crate) fn push(&mut self, frame: Frame<Bytes>) {
        let cost = cost(&frame);
        self.bytes += cost;
        self.room.held.set(self.room.held.get() + cost);
        self.frames.push_back(frame);
    }

    /// What it costs in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn pop(&mut self) -> Option<Frame<Bytes>> {
        let frame = self.frames.pop_front()?;
        let cost = cost(&frame);
        self.bytes -= cost;
        self.room.held.set(self.room.held.get() - cost);
        Some(frame)
    }

    /// `None` when there are trailers, which only a body without a length can have.
    fn length(&self) -> Option<u64> {
        self.frames.iter().map(|frame| frame.data_ref().map(|data| data.len() as u64)).sum()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.held.set(self.room.held.get() - self.bytes);
    }
}

fn cost(frame: &Frame<Bytes>) -> usize {
    PER_FRAME + frame.data_ref().map_or(0, Bytes::len)
}

/// What an answer consists of.
pub(crate) enum Content {
    /// One of ours, or none.
    Text(Option<Bytes>),
    /// What was taken from a backend, whole.
    Whole(Held),
    /// What was taken from a backend first, and the rest as it sends it, over the connection that is given back at its end.
    Streamed(Held, Incoming, Option<Lease>),
}

impl Content {
    /// One part.
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::Text(None)
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::Whole(held) => held.frames.is_empty(),
            Self::Streamed(held, incoming, _) => held.frames.is_empty() && incoming.is_end_stream(),
        }
    }
}

/// The body of an answer to a client. It carries the request's entry in the access log, which is written when the body
/// has gone out or is dropped before.
pub(crate) struct AnswerBody {
    content: Content,
    client: Rc<Client>,
    entry: Option<Entry>,
}

impl AnswerBody {
    pub(crate) fn new(content: Content, client: Rc<Client>, entry: Entry) -> Self {
        let mut body = Self { content, client, entry: Some(entry) };
        if body.content.is_end() {
            body.finish();
        }
        body
    }

    /// An answer that nobody notes down: the connection's own.
    pub(crate) fn finish(&mut self) {
        if let Content::Streamed(_, _, lease) = &mut self.content
            && let Some(lease) = lease.take()
        {
            lease.give_back();
        }
        if let Some(entry) = self.entry.take() {
            entry.finish();
            self.client.enter(Phase::Waiting);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = match &mut self.content {
            Content::Text(text) => text.take().map(|text| Ok(Frame::data(text))),
            Content::Whole(held) => held.pop().map(Ok),
            Content::Streamed(held, incoming, _) => match held.pop() {
                Some(frame) => Some(Ok(frame)),
                None => ready!(Pin::new(incoming).poll_frame(cx)),
            },
        };
        self.client.progress();
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                if let Some(entry) = &mut self.entry {
                    entry.bytes += length;
                }
                if self.content.is_end() {
                    self.finish();
                }
            }
            // The entry goes down with the body: cut off.
            Some(Err(_)) => {}
            None => self.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Content::Whole(held) => held.length().map_or_else(SizeHint::default, SizeHint::with_exact),
            Content::Streamed(held, incoming, _) => match (held.length(), incoming.size_hint().exact()) {
                (Some(first), Some(rest)) => SizeHint::with_exact(first + rest),
                _ => SizeHint::default(),
            },
        }
    }
}
