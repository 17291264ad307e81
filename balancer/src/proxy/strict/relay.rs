//! An answer on its way to the client: what was taken of it first, then the rest as it comes, no faster than the client
//! reads it.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, ready},
};

use super::{
    download::Download,
    exchange::{Answer, Exchange},
    press::{self, Press},
    rewrite::{self, Onward},
    seen::Seen,
    shelf::Desk,
    stream::Stream,
    upload::{Trouble, Upload, Way},
};
use crate::{
    compress::{self, Candidate, Verdict},
    http1::{Span, Version, fields::Kind, framing::Framing, response::Response},
    identity::RequestId,
    proxy::{client::Client, entry::Entry, worker::Worker},
};

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relayed {
    /// It has gone out whole.
    Whole,
    /// The client or the backend broke it off.
    Cut,
}

/// Sends an answer to the client; the connection to the backend is kept if nothing speaks against it. `stays`: the
/// client's connection stays for another request.
pub(crate) async fn relay(mut exchange: Exchange<'_>, answer: Answer, stays: bool) -> Relayed {
    let Answer { stream: backend, upstream, in_flight, head, mut download } = answer;
    let verdict = exchange.judge(&head, &download);
    let framing = match head.framing {
        Framing::None => Framing::None,
        _ if verdict.coding().is_some() => Framing::Chunked,
        _ if download.ended && download.trailers().is_empty() => Framing::Length(download.data.len() as u64),
        Framing::Length(length) => Framing::Length(length),
        Framing::Chunked | Framing::Close if exchange.request.version == Version::Http11 => Framing::Chunked,
        Framing::Chunked | Framing::Close => Framing::Close,
    };
    let coding = verdict.coding().filter(|_| framing != Framing::None);
    let Ok(press) = coding.map(|coding| Press::new(exchange.worker, coding)).transpose() else { return Relayed::Cut };
    if !exchange.begin(&head, &download, (framing, stays), verdict) {
        return Relayed::Cut;
    }
    let Exchange { worker, branch, client, stream, desk, upload, entry, .. } = exchange;
    // The end of the connection is the end of the body: until that is whole, nothing that ends us may look like it.
    if framing == Framing::Close {
        stream.breaks_off(true);
    }
    // Not before: another try would have to ask for the body.
    upload.keep_quiet();
    let mut backend = Some((backend, in_flight));
    let may_stay = head.stays && head.framing != Framing::Close;
    let mut relay = Relay { worker, client, stream, desk, upload, entry, framing, press, on_the_way: 0, may_stay };
    if relay.pack(&mut download).is_err() {
        return Relayed::Cut;
    }
    let relayed = poll_fn(|cx| {
        loop {
            // Before the client has read it: the connection is free for somebody else.
            if relay.is_free(&download)
                && let Some((backend, in_flight)) = backend.take()
            {
                upstream.streams.keep(backend, branch.idle_until(worker.clients.tick()), upstream.most_idle);
                drop(in_flight);
            }
            let to = backend.as_ref().map(|(backend, _)| backend);
            if relay.poll_upload(cx, to).is_err() {
                return Poll::Ready(Relayed::Cut);
            }
            if ready!(relay.poll_send(cx, &download)).is_err() {
                return Poll::Ready(Relayed::Cut);
            }
            if relay.is_pressing(&download) {
                // The thread's other requests have their turn before the next step.
                cx.waker().wake_by_ref();
                return relay.pack(&mut download).map_or(Poll::Ready(Relayed::Cut), |()| Poll::Pending);
            }
            let (false, Some(from)) = (download.ended, to) else { return Poll::Ready(Relayed::Whole) };
            download.release();
            let packed = match download.poll_more(cx, from, &worker.shelf) {
                Poll::Ready(Ok(())) => relay.pack(&mut download),
                Poll::Ready(Err(error)) => {
                    relay.entry.by = error.facts().side.name();
                    return Poll::Ready(Relayed::Cut);
                }
                Poll::Pending => match relay.flush(&download) {
                    Ok(false) => return relay.poll_left(cx, from),
                    flushed => flushed.map(drop),
                },
            };
            if packed.is_err() {
                return Poll::Ready(Relayed::Cut);
            }
        }
    })
    .await;
    if framing == Framing::Close && relayed == Relayed::Whole {
        stream.breaks_off(false);
    }
    if let (Some(front), Relayed::Cut) = (stream.front(), relayed) {
        front.break_off();
    }
    relayed
}

impl Exchange<'_> {
    /// How the answer goes to this client.
    fn judge(&self, head: &Response, download: &Download) -> Verdict {
        let Some(compress) = self.worker.compress(self.route) else { return Verdict::Untouched };
        let (bytes, fields) = (download.bytes(), self.desk.response.fields());
        let length = match head.framing {
            Framing::Length(length) => Some(length),
            Framing::None => head.length_told,
            Framing::Chunked | Framing::Close => download.ended.then_some(download.data.len() as u64),
        };
        let kind = fields.iter().find(|field| field.kind == Kind::ContentType).map(|field| field.value.of(bytes));
        let is_sealed = fields.iter().any(|field| compress::seals(field.name.of(bytes), field.value.of(bytes)));
        press::judge(self.worker, compress, &self.seen(), Candidate { status: head.status, kind, length, is_sealed })
    }

    fn seen(&self) -> Seen<'_> {
        let desk = &self.desk;
        Seen { client: self.client, request: &self.request, bytes: &desk.buffer, fields: desk.request.fields() }
    }

    /// Begins the answer with its head; `false` if the client has left.
    fn begin(
        &mut self,
        head: &Response,
        download: &Download,
        (framing, stays): (Framing, bool),
        verdict: Verdict,
    ) -> bool {
        let (desk, client) = (&mut *self.desk, self.client);
        let onward = Onward {
            version: self.request.version,
            framing,
            length_told: head.length_told.filter(|_| verdict.coding().is_none()),
            stays: stays && framing != Framing::Close,
            date: &self.worker.date.borrow(),
            hsts: client.hsts(),
            id: self.entry.id.as_ref().map(RequestId::text),
            cookie: self.entry.cookie.as_deref(),
        };
        let (bytes, fields) = (download.bytes(), desk.response.fields());
        let is_bare = download.ended && download.data.is_empty() && download.trailers().is_empty();
        let route = self.route.filter(|route| route.edits_answers());
        let goes_on = route.is_none() && verdict == Verdict::Untouched;
        if let Some(front) = self.stream.front().filter(|_| goes_on) {
            return front.begin(bytes, head, fields, onward, is_bare);
        }
        rewrite::response(&mut desk.down.front, bytes, head, fields, onward);
        compress::mark(&mut desk.down.front, verdict);
        if let Some(route) = route {
            let seen = Seen { client, request: &self.request, bytes: &desk.buffer, fields: desk.request.fields() };
            seen.edit_answer(route, &mut desk.down.front);
        }
        self.stream.front().is_none_or(|front| front.begin_written(&mut desk.down.front, is_bare))
    }
}

struct Relay<'a> {
    worker: &'a std::rc::Rc<Worker>,
    client: &'a Client,
    stream: &'a Stream,
    desk: &'a mut Desk,
    upload: &'a mut Upload,
    entry: &'a mut Entry,
    framing: Framing,
    press: Option<Press>,
    /// Bytes of the body in the parcel.
    on_the_way: usize,
    may_stay: bool,
}

impl Relay<'_> {
    /// Puts the data that has come into the parcel, or what becomes of some of it.
    fn pack(&mut self, download: &mut Download) -> io::Result<()> {
        if let Some(press) = &mut self.press {
            let mut data = download.data;
            press.take(download.bytes(), &mut data, download.ended)?;
            download.data = data;
        }
        self.send_on(download);
        Ok(())
    }

    /// Puts what the press holds back into the parcel; `false` if there is nothing.
    fn flush(&mut self, download: &Download) -> io::Result<bool> {
        let Some(press) = &mut self.press else { return Ok(false) };
        let flushed = press.flush()?;
        if flushed {
            self.send_on(download);
        }
        Ok(flushed)
    }

    fn send_on(&mut self, download: &Download) {
        let data = match &self.press {
            Some(press) => Span { start: 0, end: press.output().len() },
            None => download.data,
        };
        self.on_the_way = data.len();
        self.desk.down.body(self.stream, self.framing, data, self.end(download));
    }

    /// The trailers, if the end of the body is in the parcel.
    fn end<'a>(&self, download: &'a Download) -> Option<&'a [u8]> {
        let ended = self.press.as_ref().map_or(download.ended, Press::has_ended);
        ended.then(|| download.trailers())
    }

    /// Whether more of what has come is to be compressed.
    fn is_pressing(&self, download: &Download) -> bool {
        let Some(press) = &self.press else { return false };
        !download.data.is_empty() || download.ended && !press.has_ended()
    }

    /// Whether the backend's connection can take another request.
    fn is_free(&self, download: &Download) -> bool {
        self.may_stay && download.ended && !download.surplus && self.upload.is_through(self.desk)
    }

    /// A backend may answer while it still reads.
    fn poll_upload(&mut self, cx: &mut Context<'_>, to: Option<&Stream>) -> Result<(), ()> {
        let Some(to) = to.filter(|_| !self.upload.is_over(self.desk)) else { return Ok(()) };
        let way = Way { client: self.client, from: self.stream, to, shelf: &self.worker.shelf };
        match self.upload.poll(cx, self.desk, &way) {
            Poll::Ready(Err(Trouble::Client(_))) => Err(()),
            Poll::Ready(Err(Trouble::Backend)) => {
                self.upload.give_up();
                Ok(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, download: &Download) -> Poll<io::Result<()>> {
        let bytes = self.press.as_ref().map_or(download.bytes(), Press::output);
        let end = self.end(download);
        ready!(self.desk.down.poll_send_body(cx, self.stream, bytes, end))?;
        self.entry.bytes += std::mem::take(&mut self.on_the_way) as u64;
        self.client.progress();
        Poll::Ready(Ok(()))
    }

    /// Whether the client has left while the backend has nothing to say.
    fn poll_left(&mut self, cx: &mut Context<'_>, to: &Stream) -> Poll<Relayed> {
        let way = Way { client: self.client, from: self.stream, to, shelf: &self.worker.shelf };
        if self.upload.is_over(self.desk) && self.upload.poll_left(cx, self.desk, &way).is_ready() {
            return Poll::Ready(Relayed::Cut);
        }
        Poll::Pending
    }
}
