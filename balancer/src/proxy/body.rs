//! Bodies on their way, in both directions: streamed, never gathered beyond what a safe repetition needs.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::{client::Client, entry::Entry, error::ProxyError, upstream::Lease};

/// Why a body ended early; the other side's connection is broken off for it.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body was broken off: {0}")]
pub(crate) struct Broken(&'static str);

/// The body of a client's request. It outlives one try, so that a try that took nothing of it can be repeated.
pub(crate) struct Source {
    incoming: RefCell<Incoming>,
    passed: Cell<u64>,
    limit: u64,
    failure: Cell<Option<ProxyError>>,
    client: Rc<Client>,
}

impl Source {
    /// `None` when the request has no body.
    pub(crate) fn new(
        incoming: Incoming,
        limit: Option<u64>,
        client: &Rc<Client>,
    ) -> Result<Option<Rc<Self>>, ProxyError> {
        let limit = limit.unwrap_or(u64::MAX);
        if incoming.size_hint().lower() > limit {
            return Err(ProxyError::BodyTooLarge);
        }
        let has_body = !incoming.is_end_stream();
        Ok(has_body.then(|| {
            Rc::new(Self {
                incoming: RefCell::new(incoming),
                passed: Cell::new(0),
                limit,
                failure: Cell::new(None),
                client: Rc::clone(client),
            })
        }))
    }

    /// Whether its length is not known beforehand.
    pub(crate) fn is_chunked(&self) -> bool {
        self.incoming.borrow().size_hint().exact().is_none()
    }

    /// Whether nothing of it was taken.
    pub(crate) fn is_whole(&self) -> bool {
        self.passed.get() == 0 && self.failure.get().is_none()
    }

    /// Whether all of it was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.incoming.borrow().is_end_stream()
    }

    /// What went wrong on the client's side.
    pub(crate) fn failure(&self) -> Option<ProxyError> {
        self.failure.get()
    }

    /// Reads on and throws away up to `most` bytes, so that a client that is still sending gets to read our answer
    /// instead of a reset connection (RFC 9112, 9.6).
    pub(crate) async fn drain(self: Rc<Self>, most: u64) {
        let mut rest = RequestBody(Some(self));
        let mut drained = 0;
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {
            drained += frame.data_ref().map_or(0, |data| data.len() as u64);
            if drained > most {
                return;
            }
        }
    }

    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = ready!(Pin::new(&mut *self.incoming.borrow_mut()).poll_frame(cx));
        self.client.progress();
        match frame {
            Some(Ok(frame)) => {
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
        self.0.as_ref().map_or(SizeHint::with_exact(0), |source| source.incoming.borrow().size_hint())
    }
}

/// What an answer consists of.
pub(crate) enum Content {
    /// Parts that are here already.
    Here(VecDeque<Bytes>),
    /// What the backend sends, as it sends it, over the connection that is given back at its end.
    Streamed(Incoming, Option<Lease>),
}

impl Content {
    /// One part.
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self::Here(VecDeque::from([text.into()]))
    }

    fn is_end(&self) -> bool {
        match self {
            Self::Here(parts) => parts.is_empty(),
            Self::Streamed(incoming, _) => incoming.is_end_stream(),
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
        if let Content::Streamed(_, lease) = &mut self.content
            && let Some(lease) = lease.take()
        {
            lease.give_back();
        }
        if let Some(entry) = self.entry.take() {
            entry.finish();
            self.client.enter(super::client::Phase::Waiting);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = match &mut self.content {
            Content::Here(parts) => parts.pop_front().map(|part| Ok(Frame::data(part))),
            Content::Streamed(incoming, _) => ready!(Pin::new(incoming).poll_frame(cx)),
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
            Content::Here(parts) => SizeHint::with_exact(parts.iter().map(|part| part.len() as u64).sum()),
            Content::Streamed(incoming, _) => incoming.size_hint(),
        }
    }
}
