//! Other protocols: once the backend has agreed to one with a 101, bytes go both ways as they are.

use std::{
    future::poll_fn,
    io::{self, ErrorKind, IoSlice},
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
        error::Side,
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

/// Carries bytes both ways until both sides are done or one breaks off, which the other is told by the same: what a tunnel
/// carries may have no other end. When nothing has moved for too long, or the balancer ends, its client's connection is told
/// to end like any other.
pub(super) async fn carry(worker: &Worker, client: &Client, near: &Stream, far: FarEnd) {
    let FarEnd { stream: far, in_flight, mut entry } = far;
    client.enter(Phase::Tunnelling);
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let broken = poll_fn(|cx| {
        let before = (down.passed, up.passed);
        // In this order: a client that has read the end may leave without a word.
        let (down_end, up_end) =
            (down.poll(cx, client, &far, near, &worker.shelf), up.poll(cx, client, near, &far, &worker.shelf));
        entry.bytes += (down.passed - before.0) as u64;
        entry.carried.add(up.passed - before.1);
        let is_stuck = down.is_stuck() || up.is_stuck();
        client.is_stuck(is_stuck);
        match (up_end, down_end) {
            (Poll::Ready(End::Broken), _) => Poll::Ready(Some(Side::Client)),
            (_, Poll::Ready(End::Broken)) => Poll::Ready(Some(Side::Backend)),
            // What was said before that goes on first.
            (Poll::Ready(End::Refused), Poll::Ready(_)) => Poll::Ready(Some(Side::Backend)),
            (Poll::Ready(_), Poll::Ready(End::Refused)) => Poll::Ready(Some(Side::Client)),
            (Poll::Ready(End::Said), Poll::Ready(_)) => Poll::Ready(None),
            _ if is_stuck && near.is_broken(cx) => Poll::Ready(Some(Side::Client)),
            _ if is_stuck && far.is_broken(cx) => Poll::Ready(Some(Side::Backend)),
            _ => Poll::Pending,
        }
    })
    .await;
    drop(in_flight);
    let Some(side) = broken else { return entry.finish() };
    entry.by = side.name();
    if side == Side::Backend { near } else { &far }.breaks_off(true);
}

/// How a direction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Whoever sends closes.
    Said,
    /// Whoever sends breaks off.
    Broken,
    /// Whoever should take it has broken off.
    Refused,
}

/// One direction of a tunnel. It holds memory only while something is in it.
#[derive(Default)]
struct Direction {
    buffer: Option<Buffer>,
    inside: Span,
    passed: usize,
    end: Option<End>,
}

impl Direction {
    /// Whether there is something in it that is not taken.
    fn is_stuck(&self) -> bool {
        self.end.is_none() && !self.inside.is_empty()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &Client,
        from: &Stream,
        to: &Stream,
        shelf: &Rc<Shelf>,
    ) -> Poll<End> {
        if let Some(end) = self.end {
            return Poll::Ready(end);
        }
        loop {
            if let Some(buffer) = self.buffer.as_ref().filter(|_| !self.inside.is_empty()) {
                let written = ready!(to.poll_write(cx, &[IoSlice::new(self.inside.of(&buffer.bytes))]));
                let Ok(written) = written else { return self.finish(End::Refused) };
                self.inside.start += written;
                self.passed += written;
                client.progress();
                continue;
            }
            if ready!(to.poll_flush(cx)).is_err() {
                return self.finish(End::Refused);
            }
            let Poll::Ready(read) = self.poll_read(cx, from, shelf) else {
                self.buffer = None;
                return Poll::Pending;
            };
            client.progress();
            match read {
                Ok(read @ 1..) => self.inside = Span { start: 0, end: read },
                // Many do not say so in the words of TLS.
                Err(error) if error.kind() != ErrorKind::UnexpectedEof => return self.finish(End::Broken),
                Ok(_) | Err(_) => {
                    to.finish();
                    return self.finish(End::Said);
                }
            }
        }
    }

    fn finish(&mut self, end: End) -> Poll<End> {
        (self.end, self.buffer) = (Some(end), None);
        Poll::Ready(end)
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
    poll_fn(|cx| desk.down.poll_send_body(cx, stream, bytes, None, entry)).await.ok()?;
    desk.up.clear();
    desk.up.data = Span { start: request.length, end: desk.filled };
    entry.carried.add(desk.up.data.len());
    if poll_fn(|cx| desk.up.poll_send(cx, &answer.stream, &desk.buffer)).await.is_err() {
        entry.by = Side::Backend.name();
        stream.breaks_off(true);
        return None;
    }
    Some((answer.stream, answer.in_flight))
}
