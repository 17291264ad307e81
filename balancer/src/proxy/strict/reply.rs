//! The answers we write ourselves, to requests that fail.

use std::future::poll_fn;

use super::{shelf::Desk, stream::Stream};
use crate::{
    http1::{Version, request::Request},
    identity::RequestId,
    proxy::{
        answer::{Form, render},
        client::{Client, Phase},
        entry::Entry,
        error::ProxyError,
        worker::Worker,
    },
};

/// A request that fails, and its client.
#[derive(Clone, Copy)]
pub(super) struct Failure {
    pub(super) error: ProxyError,
    pub(super) form: Form,
    pub(super) to_head: bool,
    /// Whether its connection stays for another one.
    pub(super) stays: bool,
}

impl Failure {
    /// Of a request whose head could not be read.
    pub(super) fn unread(error: ProxyError, to_head: bool) -> Self {
        Self { error, form: Form::Text, to_head, stays: false }
    }
}

/// Answers a request that fails, and notes it.
pub(super) async fn fail(
    worker: &Worker,
    client: &Client,
    stream: &Stream,
    desk: &mut Desk,
    mut entry: Entry,
    failure: Failure,
) {
    entry.answer_failure(failure.error);
    let id = entry.id.as_ref().map(RequestId::text);
    entry.bytes = write_failure(worker, client, desk, failure, id);
    entry.note_head(&desk.down.front);
    // Who does not read it has left.
    drop(poll_fn(|cx| desk.down.poll_send(cx, stream, &[])).await);
    entry.finish();
}

/// Writes an answer of ours; says how long its body is.
pub(super) fn write_failure(
    worker: &Worker,
    client: &Client,
    desk: &mut Desk,
    failure: Failure,
    id: Option<&str>,
) -> u64 {
    client.enter(Phase::Answering);
    worker.counters.own_answers.add_one();
    let facts = failure.error.facts();
    let (status, name) = (facts.status.as_u16(), facts.status.canonical_reason().unwrap_or_default());
    let (kind, text) = render(facts.status, facts.words, failure.form);
    let retry = failure.error.retry_after();
    let retry = retry.map_or_else(String::new, |seconds| format!("Retry-After: {seconds}\r\n"));
    // Not where nobody knows who says so (RFC 6797, 7.2).
    let hsts = client.hsts().filter(|_| failure.error != ProxyError::NotSecure);
    let hsts = hsts.map_or_else(String::new, |hsts| format!("Strict-Transport-Security: {hsts}\r\n"));
    let id = id.map_or_else(String::new, |id| format!("X-Request-Id: {id}\r\n"));
    let allow = failure.error.allow().map_or_else(String::new, |methods| format!("Allow: {methods}\r\n"));
    let close = if failure.stays { "" } else { "Connection: close\r\n" };
    let head = format!(
        "{} {status} {name}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n{retry}{allow}{hsts}{id}Content-Length: {}\r\nDate: {}\r\n{close}\r\n",
        Version::ANSWERED.name(),
        text.len(),
        worker.date.borrow(),
    );
    desk.down.clear();
    desk.down.front.extend_from_slice(head.as_bytes());
    let body = if failure.to_head { "" } else { text.as_str() };
    desk.down.front.extend_from_slice(body.as_bytes());
    body.len() as u64
}

/// Answers 204 with these lines in the head.
pub(super) async fn say_nothing(
    worker: &Worker,
    entry: &mut Entry,
    stream: &Stream,
    desk: &mut Desk,
    lines: &[u8],
    stays: bool,
) {
    let client = entry.client();
    client.enter(Phase::Answering);
    worker.counters.own_answers.add_one();
    let hsts = client.hsts().map_or_else(String::new, |hsts| format!("Strict-Transport-Security: {hsts}\r\n"));
    let id = request_id(entry);
    let close = if stays { "" } else { "Connection: close\r\n" };
    let start =
        format!("{} 204 No Content\r\nDate: {}\r\n{hsts}{id}{close}", Version::ANSWERED.name(), worker.date.borrow());
    desk.down.clear();
    for part in [start.as_bytes(), lines, b"\r\n"] {
        desk.down.front.extend_from_slice(part);
    }
    entry.status = 204;
    entry.note_head(&desk.down.front);
    // Who does not read it has left.
    drop(poll_fn(|cx| desk.down.poll_send(cx, stream, &[])).await);
}

/// The line with what a request is known by, if it is.
fn request_id(entry: &Entry) -> String {
    entry.id.as_ref().map_or_else(String::new, |id| format!("X-Request-Id: {}\r\n", id.text()))
}

/// Sends a client that came without TLS to where there is TLS; says how long the body was.
pub(super) async fn redirect(
    worker: &Worker,
    entry: &Entry,
    stream: &Stream,
    desk: &mut Desk,
    request: &Request,
    port: u16,
) -> u64 {
    worker.counters.own_answers.add_one();
    let (host, path) = request.place(&desk.buffer);
    let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
    let path = if path == b"*" { b"" } else { path };
    let text = "308 Permanent Redirect: this server speaks TLS\n";
    let id = request_id(entry);
    let colon = if port == 443 { String::new() } else { format!(":{port}") };
    let head = [
        Version::ANSWERED.name().as_bytes(),
        b" 308 Permanent Redirect\r\nLocation: https://",
        host,
        colon.as_bytes(),
        slash,
        path,
        b"\r\n",
        id.as_bytes(),
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: ",
        text.len().to_string().as_bytes(),
        b"\r\nDate: ",
        worker.date.borrow().as_bytes(),
        b"\r\nConnection: close\r\n\r\n",
    ]
    .concat();
    let body = if request.method.of(&desk.buffer) == b"HEAD" { "" } else { text };
    desk.down.clear();
    desk.down.front.extend_from_slice(&head);
    desk.down.front.extend_from_slice(body.as_bytes());
    drop(poll_fn(|cx| desk.down.poll_send(cx, stream, &[])).await);
    body.len() as u64
}
