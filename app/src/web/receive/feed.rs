//! A form's bytes on their way to its parser, which gathers until it has found the end of what it reads: here is the
//! bound on that. It does not know what a form looks like.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::Stream;

/// Bytes handed over at once.
const PIECE: usize = 16 << 10;

/// What a piece costs at least: the parser looks through all it has gathered again for each one, however small.
const LEAST: usize = 256;

/// Bytes in which the parser has to get somewhere: what may precede the first part, or the head of one.
const PATIENCE: usize = 64 << 10;

/// What was fed since the parser last got somewhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// The parser has found a part's head, or some of its content.
    pub(super) fn made(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether it has been fed all it may be without getting anywhere.
    pub(super) fn is_overdue(&self) -> bool {
        self.0.load(Ordering::Relaxed) > PATIENCE
    }
}

/// The bytes, piece by piece, and an error instead of more when the parser gets nowhere.
pub(super) struct Feed {
    body: BodyDataStream,
    rest: Bytes,
    progress: Progress,
    pauses: bool,
}

impl Feed {
    pub(super) fn new(body: Body, progress: Progress) -> Self {
        Self { body: body.into_data_stream(), rest: Bytes::new(), progress, pauses: false }
    }
}

impl Stream for Feed {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        // The parser takes all there is before it looks at any of it; so there is one piece at a time.
        if std::mem::take(&mut self.pauses) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.progress.is_overdue() {
            return Poll::Ready(Some(Err(io::Error::other("the form does not get anywhere"))));
        }
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(bytes) => self.rest = bytes.map_err(io::Error::other)?,
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.progress.0.fetch_add(length.max(LEAST), Ordering::Relaxed);
        self.pauses = true;
        Poll::Ready(Some(Ok(piece)))
    }
}
