//! Other protocols: once the backend has agreed to one with a 101, bytes go both ways as they are.

use std::future::poll_fn;

use tokio::io::copy_bidirectional;

use super::{
    exchange::{Answer, Exchange},
    rewrite::{self, Onward},
    stream::Stream,
};
use crate::{
    http1::{Span, framing::Framing},
    proxy::{upstream::InFlight, worker::Worker},
};

/// Carries bytes both ways until one side is done. `in_flight` keeps the backend counted as busy meanwhile.
pub(super) fn open(worker: &Worker, mut client: Stream, mut backend: Stream, in_flight: InFlight) {
    worker.background.spawn_local(async move {
        // A broken tunnel is an ended tunnel; both sides notice.
        drop(copy_bidirectional(&mut client, &mut backend).await);
        drop(in_flight);
    });
}

/// Tells the client that the backend has agreed to another protocol, and gives each what the other has said in it already.
pub(super) async fn switch(exchange: Exchange<'_>, answer: Answer) -> Option<(Stream, InFlight)> {
    let Exchange { stream, desk, request, entry, .. } = exchange;
    entry.status = answer.head.status;
    let onward = Onward { version: request.version, framing: Framing::None, length_told: None, stays: true, date: "" };
    let bytes = answer.download.bytes();
    rewrite::response(&mut desk.down.front, bytes, &answer.head, desk.response.fields(), onward);
    desk.down.data = Span { start: answer.head.length, end: bytes.len() };
    poll_fn(|cx| desk.down.poll_send(cx, stream, bytes)).await.ok()?;
    desk.up.clear();
    desk.up.data = Span { start: request.length, end: desk.filled };
    poll_fn(|cx| desk.up.poll_send(cx, &answer.stream, &desk.buffer)).await.ok()?;
    Some((answer.stream, answer.in_flight))
}
