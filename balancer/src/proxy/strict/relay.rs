//! An answer on its way to the client: what was taken of it first, then the rest as it comes, no faster than the client
//! reads it.

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use super::{
    download::Download,
    exchange::{Answer, Exchange},
    rewrite::{self, Onward},
    seen::Seen,
    shelf::Desk,
    stream::Stream,
    upload::{Trouble, Upload, Way},
};
use crate::{
    http1::{Span, Version, framing::Framing, response::Response},
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
    let framing = match head.framing {
        Framing::None => Framing::None,
        _ if download.ended && download.trailers().is_empty() => Framing::Length(download.data.len() as u64),
        Framing::Length(length) => Framing::Length(length),
        Framing::Chunked | Framing::Close if exchange.request.version == Version::Http11 => Framing::Chunked,
        Framing::Chunked | Framing::Close => Framing::Close,
    };
    if !exchange.begin(&head, &download, framing, stays) {
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
    let mut relay =
        Relay { worker, client, stream, desk, upload, entry, framing, packed: 0, all_packed: false, may_stay };
    relay.pack(&download);
    let relayed = poll_fn(|cx| {
        loop {
            // Before the client has read it: the backend is free for somebody else.
            if relay.is_done(&download)
                && let Some((backend, in_flight)) = backend.take()
            {
                if relay.may_be_kept(&download) {
                    upstream.streams.keep(backend, branch.idle_until(worker.clients.tick()), upstream.most_idle);
                }
                drop(in_flight);
            }
            let to = backend.as_ref().map(|(backend, _)| backend);
            if relay.poll_upload(cx, to).is_err() {
                return Poll::Ready(Relayed::Cut);
            }
            let sent = relay.poll_send(cx, &download);
            let more = match (sent, to) {
                (Poll::Ready(Err(_)), _) => return Poll::Ready(Relayed::Cut),
                (Poll::Ready(Ok(())), _) if relay.all_packed => return Poll::Ready(Relayed::Whole),
                (Poll::Ready(Ok(())), _) if relay.has_unpacked(&download) => {
                    relay.pack(&download);
                    continue;
                }
                (Poll::Ready(Ok(())), Some(from)) => {
                    relay.release(&mut download);
                    match download.poll_more(cx, from, &worker.shelf) {
                        Poll::Pending => return relay.poll_left(cx, from),
                        Poll::Ready(more) => more.map(|()| relay.pack(&download)),
                    }
                }
                (Poll::Pending, Some(from)) if !download.ended => {
                    ready!(download.poll_ahead(cx, from, &worker.shelf, &worker.room))
                }
                (Poll::Ready(Ok(())), None) => return Poll::Ready(Relayed::Cut),
                (Poll::Pending, _) => return Poll::Pending,
            };
            if let Err(error) = more {
                relay.entry.by = error.facts().side.name();
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
    /// Begins the answer with its head; `false` if the client has left.
    fn begin(&mut self, head: &Response, download: &Download, framing: Framing, stays: bool) -> bool {
        let (desk, client) = (&mut *self.desk, self.client);
        let onward = Onward {
            version: self.request.version,
            framing,
            length_told: head.length_told,
            stays: stays && framing != Framing::Close,
            date: &self.worker.date.borrow(),
            hsts: client.hsts(),
            id: self.entry.id.as_ref().map(RequestId::text),
            cookie: self.entry.cookie.as_deref(),
        };
        let (bytes, fields) = (download.bytes(), desk.response.fields());
        let is_bare = download.ended && download.data.is_empty() && download.trailers().is_empty();
        let route = self.route.filter(|route| route.edits_answers());
        let is_written = route.is_some() || self.entry.tells_sent();
        if let Some(front) = self.stream.front().filter(|_| !is_written) {
            return front.begin(bytes, head, fields, onward, is_bare);
        }
        rewrite::response(&mut desk.down.front, bytes, head, fields, onward);
        if let Some(route) = route {
            let seen = Seen { client, request: &self.request, bytes: &desk.buffer, fields: desk.request.fields() };
            seen.edit_answer(route, &mut desk.down.front);
        }
        self.entry.note_head(&desk.down.front);
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
    /// Where the data ends that is or was in the parcel, and whether the end of the body is in it too.
    packed: usize,
    all_packed: bool,
    may_stay: bool,
}

impl Relay<'_> {
    /// Puts the data that has come into the parcel.
    fn pack(&mut self, download: &Download) {
        let data = Span { start: self.packed.max(download.data.start), end: download.data.end };
        (self.packed, self.all_packed) = (data.end, download.ended);
        if self.framing == Framing::Chunked && self.stream.front().is_none() {
            self.desk.down.chunk(data, download.ended.then(|| download.trailers()));
        } else {
            self.desk.down.data = data;
        }
    }

    /// Whether something was read that has not been in the parcel.
    fn has_unpacked(&self, download: &Download) -> bool {
        download.ended || download.data.end > self.packed
    }

    /// Everything that was read has gone out.
    fn release(&mut self, download: &mut Download) {
        download.release();
        self.packed = 0;
    }

    /// Whether the backend has nothing more to do with this request.
    fn is_done(&self, download: &Download) -> bool {
        download.ended && self.upload.is_over(self.desk)
    }

    /// Whether its connection can take another one then.
    fn may_be_kept(&self, download: &Download) -> bool {
        self.may_stay && !download.surplus && self.upload.is_through(self.desk)
    }

    /// A backend may answer while it still reads.
    fn poll_upload(&mut self, cx: &mut Context<'_>, to: Option<&Stream>) -> Result<(), ()> {
        let Some(to) = to.filter(|_| !self.upload.is_over(self.desk)) else { return Ok(()) };
        let way = Way { client: self.client, from: self.stream, to, shelf: &self.worker.shelf };
        let polled = self.upload.poll(cx, self.desk, &way);
        self.entry.sent = self.upload.carried();
        match polled {
            Poll::Ready(Err(Trouble::Client(_))) => Err(()),
            Poll::Ready(Err(Trouble::Backend)) => {
                self.upload.give_up();
                Ok(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, download: &Download) -> Poll<std::io::Result<()>> {
        let (bytes, down) = (download.bytes(), &mut self.desk.down);
        let left = down.data_left();
        let sent = match self.stream.front() {
            Some(front) => front.poll_send(cx, &mut down.data, bytes, self.all_packed.then(|| download.trailers())),
            None => down.poll_send(cx, self.stream, bytes),
        };
        let taken = left - down.data_left();
        self.entry.bytes += taken as u64;
        self.client.takes(taken, sent.is_pending());
        sent
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
