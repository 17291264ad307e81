//! One request's entry in the access log and the counters, from its head to the last byte of its answer.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    branch::Candidate,
    client::{Client, Phase},
    error::{ProxyError, Side},
    strict::upload::Carried,
    upstream::Upstream,
    worker::Worker,
};
use crate::{
    access_log::{Asked, Line, Retry, Try},
    identity::{RequestId, Trace},
    log_format::{LogFormat, Told},
    metrics::book::{PoolCounts, count_status},
};

/// nginx's status for a client that left before its answer.
const CLIENT_LEFT: u16 = 499;

/// That of one whom we have left, at the end of `shutdown_timeout`: what it would have been told.
const LEFT_BY_US: u16 = 503;

/// What each request is given on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    /// An id.
    pub(crate) request_id: bool,
    /// A trace context.
    pub(crate) trace: bool,
}

/// What the form of the log tells of, and is kept for it.
#[derive(Debug, Clone, Copy)]
struct Tells {
    tries: bool,
    sent: bool,
}

/// One request's entry. Dropped without [`finish`](Self::finish), it says that the request was cut off.
pub(crate) struct Entry {
    worker: Rc<Worker>,
    started: Instant,
    /// Since when it can go to a backend.
    complete: Instant,
    client: Rc<Client>,
    /// Only when there is a log.
    asked: Option<Asked>,
    finished: bool,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    /// Bytes of the answer's body that came, where they are others than those that go out: it is compressed on its way.
    pub(crate) received: Option<u64>,
    /// Bytes of the request's body that went to backends, and those of them that are counted.
    pub(crate) carried: Carried,
    counted: u64,
    /// What is counted about its pool, once that is known.
    pub(crate) pool: Option<Arc<PoolCounts>>,
    pub(crate) upstream: Option<Rc<Upstream>>,
    /// When the one that was asked last was asked.
    asked_at: Instant,
    /// What the log's form tells of.
    tells: Tells,
    tries: Vec<Try>,
    sent_fields: Vec<String>,
    /// How long it waited for backends.
    pub(crate) queued: Duration,
    /// Why it came to the last one.
    pub(crate) chosen: &'static str,
    retries: Vec<Retry>,
    /// Whether it would have been tried again, had there not been too many retries already.
    pub(crate) budget_spent: bool,
    /// What it is known by.
    pub(crate) id: Option<RequestId>,
    pub(crate) trace: Trace,
    /// A cookie for the client, which goes out with the answer.
    pub(crate) cookie: Option<String>,
    pub(crate) flag: &'static str,
    pub(crate) by: &'static str,
    /// Where it failed, if that is a backend's doing.
    at: Option<Rc<Upstream>>,
}

impl Entry {
    /// `asked` is looked at only when there is a log.
    /// It is given what the log's form asks for of the fields.
    pub(crate) fn begin(worker: &Rc<Worker>, client: &Rc<Client>, asked: impl FnOnce(&[Told]) -> Asked) -> Self {
        worker.counters.requests.add_one();
        let log = worker.log.borrow();
        let format = log.format();
        let asked = log.is_on().then(|| asked(format.map_or(&[], |format| &format.fields)));
        let tells = Tells {
            tries: format.is_some_and(LogFormat::tells_tries),
            sent: format.is_some_and(|format| !format.sent.is_empty()),
        };
        let started = Instant::now();
        Self {
            worker: Rc::clone(worker),
            started,
            complete: started,
            client: Rc::clone(client),
            asked,
            finished: false,
            status: CLIENT_LEFT,
            bytes: 0,
            received: None,
            carried: Carried::default(),
            counted: 0,
            pool: None,
            upstream: None,
            asked_at: started,
            tells,
            tries: Vec::new(),
            sent_fields: Vec::new(),
            queued: Duration::ZERO,
            chosen: "",
            retries: Vec::new(),
            budget_spent: false,
            id: None,
            trace: Trace::Ignored,
            cookie: None,
            flag: "",
            by: "",
            at: None,
        }
    }

    /// Since when it can go to a backend.
    pub(crate) fn complete(&self) -> Instant {
        self.complete
    }

    /// What was waited for of its body has come.
    pub(crate) fn is_complete(&mut self) {
        self.complete = Instant::now();
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Notes a further try and its reason.
    pub(crate) fn retry(&mut self, reason: &'static str) {
        self.worker.counters.retries.add_one();
        if let Some(pool) = &self.pool {
            pool.retries.add(reason);
        }
        let after = self.upstream.as_ref().map(|upstream| upstream.backend.name.clone()).unwrap_or_default();
        self.retries.push(Retry { reason, after });
    }

    /// A held connection to the one that was asked last had ended; that is no failure of its.
    pub(crate) fn stale(&mut self) {
        self.note_try(ProxyError::NoAnswer.facts().status.as_u16());
        self.retry("stale");
    }

    /// A backend is asked.
    pub(crate) fn asks(&mut self, candidate: &Candidate) {
        self.count_carried();
        self.chosen = candidate.chosen;
        if self.tells.tries {
            self.asked_at = Instant::now();
            let address = candidate.upstream.backend.address.to_string();
            self.tries.push(Try { address, status: 0, connected: None, began: None, took: Duration::ZERO });
        }
        self.upstream = Some(Rc::clone(&candidate.upstream));
    }

    /// Closes what its thread holds of connections to backends.
    pub(crate) fn close_idle(&self) {
        self.worker.close_idle();
    }

    /// There is a connection to the one that was asked last: it owes something from now on. What the wait for it took is not
    /// its doing.
    pub(crate) fn is_connected(&mut self) {
        self.client.enter(Phase::Forwarding);
        if let Some(last) = self.tries.last_mut() {
            last.connected = Some(self.asked_at.elapsed());
        }
    }

    /// The one that was asked last has begun to answer.
    pub(crate) fn begins(&mut self, candidate: &Candidate) {
        candidate.begins();
        if let Some(last) = self.tries.last_mut() {
            last.began = Some(self.asked_at.elapsed());
        }
    }

    /// How the backend that was asked last has answered.
    pub(crate) fn answered(&mut self, status: u16) {
        if let Some(upstream) = &self.upstream {
            count_status(&upstream.counts.answers, status);
        }
        self.note_try(status);
    }

    fn note_try(&mut self, status: u16) {
        if let Some(last) = self.tries.last_mut() {
            (last.status, last.took) = (status, self.asked_at.elapsed());
        }
    }

    /// So many bytes of the answer's body have gone out, and whether the client has to take more before anything else happens.
    pub(crate) fn goes_out(&mut self, bytes: usize, waits: bool) {
        self.bytes += bytes as u64;
        self.client.takes(bytes, waits);
    }

    /// Whether the log tells of fields of answers.
    pub(crate) fn tells_sent(&self) -> bool {
        self.tells.sent
    }

    /// Notes those of a head as it goes out.
    pub(crate) fn note_head(&mut self, head: &[u8]) {
        if self.tells.sent {
            self.sent_fields = self.worker.log.borrow().sent(head);
        }
    }

    /// Notes what failed at the backend that was asked last.
    pub(crate) fn failed(&mut self, error: ProxyError) {
        let facts = error.facts();
        self.note_try(if facts.side == Side::Backend { facts.status.as_u16() } else { 0 });
        if let Some(upstream) = self.upstream.as_ref().filter(|_| facts.side == Side::Backend) {
            upstream.counts.failures.add(facts.flag);
        }
    }

    /// It is answered by us, because of this.
    pub(crate) fn answer_failure(&mut self, error: ProxyError) {
        let facts = error.facts();
        (self.status, self.flag, self.by) = (facts.status.as_u16(), facts.flag, facts.side.name());
        if matches!(error, ProxyError::ClientGone | ProxyError::ClientLeft) {
            // What it is told, should it still read, does not matter.
            self.status = CLIENT_LEFT;
        }
        self.at = self.upstream.take().filter(|_| facts.side == Side::Backend);
    }

    /// Counts what has gone to the backend that was asked last.
    fn count_carried(&mut self) {
        let since = self.carried.all - std::mem::replace(&mut self.counted, self.carried.all);
        if let Some(upstream) = &self.upstream {
            upstream.counts.sent.add(since);
        }
    }

    fn count(&mut self) {
        self.count_carried();
        let counters = &self.worker.counters;
        count_status(self.pool.as_ref().map_or(&counters.answers, |pool| &pool.answers), self.status);
        counters.bytes_in.add(self.carried.once);
        counters.bytes_out.add(self.bytes);
        if !self.flag.is_empty() {
            counters.failures.add(self.flag);
        }
        if let Some(upstream) = &self.upstream {
            let counts = &upstream.counts;
            if self.finished {
                counts.whole.observe(self.started.elapsed());
            }
            counts.received.add(self.received.unwrap_or(self.bytes));
        }
    }

    /// The answer has gone out completely.
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.finished {
            self.worker.counters.cut.add_one();
            self.flag = "cut";
            let is_ours = self.client.is_cut_off();
            if self.by.is_empty() {
                let is_let_down = self.client.is_let_down() && self.upstream.is_some();
                self.by = match is_ours {
                    true if is_let_down => Side::Backend.name(),
                    true => Side::Us.name(),
                    false => Side::Client.name(),
                };
            }
            self.at = self.upstream.clone().filter(|_| self.by == Side::Backend.name());
            if is_ours && self.status == CLIENT_LEFT {
                self.status = LEFT_BY_US;
            }
        }
        if let (Some(last), Some(_)) = (self.tries.last_mut(), &self.upstream) {
            last.took = self.asked_at.elapsed();
        }
        self.count();
        // It has its answer, as far as anybody knows, so it counts as no failure; but who has gone altogether looks the same.
        if self.flag.is_empty() && self.client.has_ended() {
            (self.flag, self.by) = ("half_closed", Side::Client.name());
        }
        let Some(asked) = &self.asked else { return };
        self.worker.note(&Line {
            client: &self.client.source().name,
            asked,
            status: self.status,
            bytes: self.bytes,
            upstream: self.upstream.as_ref().map(|upstream| upstream.backend.name.as_str()),
            took: self.started.elapsed(),
            queued: self.queued,
            chosen: self.chosen,
            tries: &self.tries,
            sent: &self.sent_fields,
            retries: &self.retries,
            budget_spent: self.budget_spent,
            flag: self.flag,
            by: self.by,
            at: self.at.as_ref().map(|upstream| upstream.backend.name.as_str()),
            id: self.id.as_ref().map(RequestId::text),
        });
    }
}
