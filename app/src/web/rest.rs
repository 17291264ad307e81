//! What is left of a request's body when it was answered before the body was taken: read and thrown away, up to a bound,
//! so that a client that is still sending gets to read the answer instead of a reset connection (RFC 9112, 9.6).

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use futures_util::future::poll_fn;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::timeout;

use crate::shutdown::Shutdown;

/// Most bytes thrown away.
const MOST: usize = 64 << 20;

/// How long that may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// A request's body, of which the rest is thrown away when it is dropped before its end.
pub(super) struct Rest {
    incoming: Option<Incoming>,
    /// Whether the client was told that it may send, or did not ask.
    is_coming: bool,
    shutdown: Shutdown,
}

impl Rest {
    /// Of this body; `expects` when the client waits to be told that it may send.
    pub(super) fn new(incoming: Incoming, expects: bool, shutdown: Shutdown) -> Self {
        Self { incoming: Some(incoming), is_coming: !expects, shutdown }
    }
}

impl HttpBody for Rest {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.is_coming = true;
        self.incoming.as_mut().map_or(Poll::Ready(None), |incoming| Pin::new(incoming).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if self.is_coming
            && let Some(rest) = self.incoming.take().filter(|rest| !rest.is_end_stream())
        {
            self.shutdown.spawn(async { drop(timeout(DEADLINE, drain(rest)).await) });
        }
    }
}

async fn drain(mut rest: Incoming) {
    let mut drained = 0;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > MOST {
            return;
        }
    }
}
