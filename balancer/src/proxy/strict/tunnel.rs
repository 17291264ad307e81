//! Other protocols: once the backend has agreed to one with a 101, bytes go both ways as they are.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    rc::Rc,
    task::{Context, Poll, ready},
};

use super::{
    exchange::{Answer, Exchange},
    rewrite::{self, Onward},
    shelf::{Buffer, Shelf},
    stream::Stream,
};
use crate::{
    http1::{Span, framing::Framing},
    identity::RequestId,
    proxy::{
        client::{Client, Phase},
        entry::Entry,
        upstream::InFlight,
        worker::Worker,
    },
};

/// What is behind a tunnel.
pub(super) struct FarEnd {
    pub(super) stream: Stream,
    /// As long as it lives, the backend counts as busy.
    pub(super) in_flight: InFlight,
    pub(super) entry: Entry,
}

/// Carries bytes both ways until both sides are done or one breaks off. When nothing has moved for too long, or the
/// balancer ends, its client's connection is told to end like any other.
pub(super) async fn carry(worker: &Worker, client: &Client, near: &Stream, far: FarEnd) {
    let FarEnd { stream: far, in_flight, mut entry } = far;
    client.enter(Phase::Tunnelling);
    let (mut up, mut down) = (Direction::default(), Direction::default());
    poll_fn(|cx| {
        let up = up.poll(cx, client, near, &far, &worker.shelf);
        let before = down.passed;
        let outcome = down.poll(cx, client, &far, near, &worker.shelf);
        entry.bytes += down.passed - before;
        match (up, outcome) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(()),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    drop(in_flight);
    // A broken tunnel is an ended tunnel; both sides notice.
    entry.finish();
}

/// One direction of a tunnel. It holds memory only while something is in it.
#[derive(Default)]
struct Direction {
    buffer: Option<Buffer>,
    inside: Span,
    passed: u64,
    ended: bool,
}

impl Direction {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &Client,
        from: &Stream,
        to: &Stream,
        shelf: &Rc<Shelf>,
    ) -> Poll<io::Result<()>> {
        while !self.ended {
            if let Some(buffer) = self.buffer.as_ref().filter(|_| !self.inside.is_empty()) {
                let written = ready!(to.poll_write(cx, &[IoSlice::new(self.inside.of(&buffer.bytes))]))?;
                self.inside.start += written;
                self.passed += written as u64;
                client.progress();
                continue;
            }
            ready!(to.poll_flush(cx))?;
            let Poll::Ready(read) = self.poll_read(cx, from, shelf) else {
                self.buffer = None;
                return Poll::Pending;
            };
            self.inside = Span { start: 0, end: read? };
            client.progress();
            if self.inside.is_empty() {
                self.ended = true;
                self.buffer = None;
                to.finish();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, from: &Stream, shelf: &Rc<Shelf>) -> Poll<io::Result<usize>> {
        ready!(from.poll_readable(cx))?;
        let buffer = self.buffer.get_or_insert_with(|| shelf.buffer());
        from.poll_read(cx, &mut buffer.bytes)
    }
}

/// Tells the client that the backend has agreed to another protocol, and gives each what the other has said in it already.
pub(super) async fn switch(exchange: Exchange<'_>, answer: Answer) -> Option<(Stream, InFlight)> {
    let Exchange { stream, desk, request, entry, .. } = exchange;
    entry.status = answer.head.status;
    let id = entry.id.as_ref().map(RequestId::bytes);
    let onward = Onward { id, ..Onward::as_read(Framing::None) };
    let bytes = answer.download.bytes();
    rewrite::response(&mut desk.down.front, bytes, &answer.head, desk.response.fields(), onward);
    desk.down.data = Span { start: answer.head.length, end: bytes.len() };
    poll_fn(|cx| desk.down.poll_send(cx, stream, bytes)).await.ok()?;
    desk.up.clear();
    desk.up.data = Span { start: request.length, end: desk.filled };
    poll_fn(|cx| desk.up.poll_send(cx, &answer.stream, &desk.buffer)).await.ok()?;
    Some((answer.stream, answer.in_flight))
}
