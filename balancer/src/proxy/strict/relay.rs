//! An answer on its way to the client: what was taken of it first, then the rest as it comes, no faster than the client
//! reads it.

use std::{
    future::poll_fn,
    io, mem,
    ops::ControlFlow,
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
    http1::{Span, Version, fields::written, framing::Framing, response::Response},
    identity::RequestId,
    proxy::{
        branch::asks_for,
        client::Client,
        entry::Entry,
        error::{ProxyError, Side},
        worker::Worker,
    },
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
    let Exchange { worker, branch, client, stream, desk, upload, entry, request, .. } = exchange;
    // The end of the connection is the end of the body: until that is whole, nothing that ends us may look like it.
    if framing == Framing::Close {
        stream.breaks_off(true);
    }
    if !download.ended {
        stream.shows_progress();
    }
    // Not before: another try would have to ask for the body.
    upload.keep_quiet();
    let mut backend = Some((backend, in_flight));
    // A backend that sends what is withheld after all may do so late, and it would be the answer to somebody else's request.
    let may_stay = head.stays && head.framing != Framing::Close && !head.withholds;
    let (packed, all_packed, broken) = (0, false, None);
    let mut relay =
        Relay { worker, client, stream, desk, upload, entry, framing, press, packed, all_packed, may_stay, broken };
    let first = relay.pack(&download);
    if let ControlFlow::Break(cut) = relay.note(first) {
        return cut;
    }
    let relayed = poll_fn(|cx| {
        loop {
            // Before the client has read it: the backend is free for somebody else.
            if (relay.is_done(&download) || relay.broken.is_some())
                && let Some((backend, in_flight)) = backend.take()
            {
                if relay.may_be_kept(&download) {
                    upstream.streams.keep(backend, branch.idle_until(worker.clock.now()), upstream.most_idle);
                }
                drop(in_flight);
            }
            let from = backend.as_ref().map(|(backend, _)| backend);
            if let ControlFlow::Break(relayed) = ready!(relay.poll_step(cx, &mut download, from)) {
                return Poll::Ready(relayed);
            }
        }
    })
    .await;
    if let Some(ProxyError::AnswerBroken(fault)) = relay.broken {
        let bytes = &relay.desk.buffer;
        let asked = asks_for(request.method.of(bytes), request.target_text.of(bytes));
        branch.refused(relay.entry, &asked, fault);
    }
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
    fn judge(&mut self, head: &Response, download: &Download) -> Verdict {
        let Some(compress) = self.worker.compress(self.route) else { return Verdict::Untouched };
        let (bytes, fields) = (download.bytes(), self.desk.response.fields());
        let length = match head.framing {
            Framing::Length(length) => Some(length),
            Framing::None => head.length_told,
            Framing::Chunked | Framing::Close => download.ended.then_some(download.data.len() as u64),
        };
        let Some(route) = self.route.filter(|route| route.edits_answers()) else {
            let fields = fields.iter().map(|field| (field.name.of(bytes), field.value.of(bytes)));
            return press::judge(self.worker, compress, &self.seen(), Candidate::of(head.status, length, fields));
        };
        // By the fields that the client sees. What is written for that is in a place that is free still.
        let mut edited = mem::take(&mut self.desk.down.front);
        let onward = Onward::as_read(Framing::None);
        rewrite::response(&mut edited, bytes, head, self.desk.response.fields(), onward);
        self.seen().edit_answer(route, &mut edited);
        let candidate = Candidate::of(head.status, length, written(&edited));
        let verdict = press::judge(self.worker, compress, &self.seen(), candidate);
        edited.clear();
        self.desk.down.front = edited;
        verdict
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
        let route = self.route.filter(|route| route.edits_answers());
        let cookie = self.entry.cookie.as_deref();
        let onward = Onward {
            framing,
            length_told: head.length_told.filter(|_| verdict.coding().is_none()),
            stays: stays && framing != Framing::Close,
            date: &self.worker.date.borrow(),
            hsts: client.hsts(),
            id: self.entry.id.as_ref().map(RequestId::bytes),
            cookie: cookie.filter(|_| route.is_none()),
        };
        let (bytes, fields) = (download.bytes(), desk.response.fields());
        let is_bare = download.ended && download.data.is_empty() && download.trailers().is_empty();
        let is_written = route.is_some() || verdict != Verdict::Untouched || self.entry.tells_sent();
        if let Some(front) = self.stream.front().filter(|_| !is_written) {
            return front.begin(bytes, head, fields, onward, is_bare);
        }
        rewrite::response(&mut desk.down.front, bytes, head, fields, onward);
        if let Some(route) = route {
            let seen = Seen { client, request: &self.request, bytes: &desk.buffer, fields: desk.request.fields() };
            seen.edit_answer(route, &mut desk.down.front);
            // What it says of cookies is about the backend's: without ours clients would not stay where they were.
            if let Some(cookie) = cookie {
                rewrite::add_cookie(&mut desk.down.front, cookie);
            }
        }
        compress::mark(&mut desk.down.front, verdict);
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
    press: Option<Press>,
    /// Where the data ends that is or was in the parcel, or has gone through the press, and whether the end of the body is
    /// in the parcel too.
    packed: usize,
    all_packed: bool,
    may_stay: bool,
    /// Who has broken it off ahead of the client, which gets what had come before.
    broken: Option<ProxyError>,
}

impl Relay<'_> {
    /// Sends what is packed, then packs more of what was read, then reads more, and reads ahead of a client that does not
    /// take it.
    fn poll_step(
        &mut self,
        cx: &mut Context<'_>,
        download: &mut Download,
        from: Option<&Stream>,
    ) -> Poll<ControlFlow<Relayed>> {
        if self.poll_upload(cx, from).is_err() {
            return Poll::Ready(ControlFlow::Break(Relayed::Cut));
        }
        let more = match (self.poll_send(cx, download), from) {
            (Poll::Ready(Err(_)), _) => return Poll::Ready(ControlFlow::Break(Relayed::Cut)),
            (Poll::Ready(Ok(())), _) if self.all_packed => return Poll::Ready(ControlFlow::Break(Relayed::Whole)),
            (Poll::Ready(Ok(())), _) if self.has_unpacked(download) => {
                let packed = self.pack(download);
                if self.press.is_some() && packed.is_ok() {
                    // The thread's other requests have their turn before the next step.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                packed
            }
            (Poll::Ready(Ok(())), Some(from)) => return self.poll_more(cx, download, from),
            (Poll::Pending, Some(from)) if !download.ended => {
                let ahead = ready!(download.poll_ahead(cx, from, &self.worker.shelf, &self.worker.room));
                self.broken = ahead.err();
                Ok(())
            }
            // All that came before it was broken off is on its way.
            (Poll::Ready(Ok(())), None) => match self.flush() {
                Ok(false) => Err(self.broken.map_or(Side::Backend, |error| error.facts().side)),
                flushed => flushed.map(drop),
            },
            (Poll::Pending, _) => return Poll::Pending,
        };
        Poll::Ready(self.note(more))
    }

    /// Everything that was read has gone out: reads more, and packs that.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        download: &mut Download,
        from: &Stream,
    ) -> Poll<ControlFlow<Relayed>> {
        download.release();
        self.packed = 0;
        let more = match download.poll_more(cx, from, &self.worker.shelf) {
            Poll::Ready(Ok(())) => {
                // Nothing of it may go out yet: marks of chunks, or what is to be compressed.
                self.client.progress();
                self.pack(download)
            }
            Poll::Ready(Err(error)) => {
                self.broken = Some(error);
                Ok(())
            }
            Poll::Pending => match self.flush() {
                Ok(false) => return self.poll_left(cx, from).map(ControlFlow::Break),
                flushed => flushed.map(drop),
            },
        };
        Poll::Ready(self.note(more))
    }

    /// Whether it goes on; if not, the log says whose doing that was.
    fn note(&mut self, more: Result<(), Side>) -> ControlFlow<Relayed> {
        let Err(side) = more else { return ControlFlow::Continue(()) };
        self.entry.by = side.name();
        ControlFlow::Break(Relayed::Cut)
    }

    /// Puts the data that has come into the parcel, or what becomes of some of it.
    fn pack(&mut self, download: &Download) -> Result<(), Side> {
        let mut data = Span { start: self.packed.max(download.data.start), end: download.data.end };
        let Some(press) = &mut self.press else {
            (self.packed, self.all_packed) = (data.end, download.ended);
            self.desk.down.body(self.stream, self.framing, data, self.end(download));
            return Ok(());
        };
        let whole = data.len();
        press.take(download.bytes(), &mut data, download.ended).map_err(|_| Side::Us)?;
        *self.entry.received.get_or_insert(0) += (whole - data.len()) as u64;
        (self.packed, self.all_packed) = (data.start, press.has_ended());
        let (output, end) = (press.packed(), self.end(download));
        self.desk.down.body(self.stream, self.framing, output, end);
        Ok(())
    }

    /// Puts what the press holds back into the parcel; `false` if there is nothing.
    fn flush(&mut self) -> Result<bool, Side> {
        let Some(press) = &mut self.press else { return Ok(false) };
        let flushed = press.flush().map_err(|_| Side::Us)?;
        if flushed {
            self.desk.down.body(self.stream, self.framing, press.packed(), None);
        }
        Ok(flushed)
    }

    /// The trailers, if the end of the body is in the parcel.
    fn end<'a>(&self, download: &'a Download) -> Option<&'a [u8]> {
        self.all_packed.then(|| download.trailers())
    }

    /// Whether something was read that has not been packed.
    fn has_unpacked(&self, download: &Download) -> bool {
        download.ended || download.data.end > self.packed
    }

    /// Whether the backend has nothing more to do with this request.
    fn is_done(&self, download: &Download) -> bool {
        download.ended && self.upload.is_over(self.desk)
    }

    /// Whether its connection can take another one then.
    fn may_be_kept(&self, download: &Download) -> bool {
        self.may_stay && self.broken.is_none() && !download.surplus && self.upload.is_through(self.desk)
    }

    /// A backend may answer while it still reads.
    fn poll_upload(&mut self, cx: &mut Context<'_>, to: Option<&Stream>) -> Result<(), ()> {
        let Some(to) = to.filter(|_| !self.upload.is_over(self.desk)) else { return Ok(()) };
        let way = Way { client: self.client, from: self.stream, to, shelf: &self.worker.shelf };
        let polled = self.upload.poll(cx, self.desk, &way);
        self.entry.carried = self.upload.carried();
        match polled {
            Poll::Ready(Err(Trouble::Client(_))) => Err(()),
            Poll::Ready(Err(Trouble::Backend)) => {
                self.upload.give_up();
                Ok(())
            }
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, download: &mut Download) -> Poll<io::Result<()>> {
        let bytes = self.press.as_ref().map_or(download.bytes(), Press::output);
        let end = self.end(download);
        let sent = self.desk.down.poll_send_body(cx, self.stream, bytes, end, self.entry);
        if self.all_packed && sent.is_pending() && self.desk.down.is_empty() {
            // Over HTTP/2 the last of it is held elsewhere until it has gone out.
            download.let_go();
            self.press = None;
        }
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
