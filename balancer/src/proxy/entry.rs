//! One request's entry in the access log and the counters, from its head to the last byte of its answer.

use std::{rc::Rc, sync::Arc, time::Instant};

use super::{
    client::{Client, Phase},
    error::{ProxyError, Side},
    upstream::Upstream,
    worker::Worker,
};
use crate::{
    access_log::{Asked, Line},
    identity::{RequestId, Trace},
    metrics::book::{PoolCounts, count_status},
};

/// nginx's status for a client that left before its answer.
const CLIENT_LEFT: u16 = 499;

/// What each request is given on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    /// An id.
    pub(crate) request_id: bool,
    /// A trace context.
    pub(crate) trace: bool,
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
    /// Bytes of the request's body that went to backends.
    pub(crate) sent: u64,
    /// What is counted about its pool, once that is known.
    pub(crate) pool: Option<Arc<PoolCounts>>,
    pub(crate) upstream: Option<Rc<Upstream>>,
    pub(crate) retries: Vec<&'static str>,
    /// What it is known by.
    pub(crate) id: Option<RequestId>,
    pub(crate) trace: Trace,
    /// A cookie for the client, which goes out with the answer.
    pub(crate) cookie: Option<String>,
    pub(crate) flag: &'static str,
    pub(crate) by: &'static str,
}

impl Entry {
    /// `asked` is looked at only when there is a log.
    pub(crate) fn begin(worker: &Rc<Worker>, client: &Rc<Client>, asked: impl FnOnce() -> Asked) -> Self {
        worker.counters.requests.add_one();
        let asked = worker.log.borrow().is_on().then(asked);
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
            sent: 0,
            pool: None,
            upstream: None,
            retries: Vec::new(),
            id: None,
            trace: Trace::Ignored,
            cookie: None,
            flag: "",
            by: "",
        }
    }

    /// Since when it can go to a backend.
    pub(crate) fn complete(&self) -> Instant {
        self.complete
    }

    /// What was waited for of its body has come: backends have time from now on.
    pub(crate) fn is_complete(&mut self) {
        self.complete = Instant::now();
        self.begin_again();
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Another backend is asked: its time begins anew.
    pub(crate) fn begin_again(&self) {
        self.client.enter(Phase::Forwarding);
    }

    /// Notes a further try and its reason.
    pub(crate) fn retry(&mut self, reason: &'static str) {
        self.worker.counters.retries.add_one();
        if let Some(pool) = &self.pool {
            pool.retries.add(reason);
        }
        self.retries.push(reason);
    }

    /// Notes what failed at the backend that was asked last.
    pub(crate) fn failed(&self, error: ProxyError) {
        let facts = error.facts();
        if let Some(upstream) = self.upstream.as_ref().filter(|_| facts.side == Side::Backend) {
            upstream.counts.failures.add(facts.flag);
        }
    }

    fn count(&self) {
        let counters = &self.worker.counters;
        count_status(self.pool.as_ref().map_or(&counters.answers, |pool| &pool.answers), self.status);
        counters.bytes_in.add(self.sent);
        counters.bytes_out.add(self.bytes);
        if !self.flag.is_empty() {
            counters.failures.add(self.flag);
        }
        if let Some(upstream) = &self.upstream {
            let counts = &upstream.counts;
            count_status(&counts.answers, self.status);
            counts.whole.observe(self.started.elapsed());
            counts.sent.add(self.sent);
            counts.received.add(self.bytes);
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
        }
        self.count();
        let Some(asked) = &self.asked else { return };
        self.worker.note(&Line {
            client: &self.client.source().name,
            asked,
            status: self.status,
            bytes: self.bytes,
            upstream: self.upstream.as_ref().map(|upstream| upstream.backend.name.as_str()),
            took: self.started.elapsed(),
            retries: &self.retries,
            flag: self.flag,
            by: self.by,
            id: self.id.as_ref().map(RequestId::text),
        });
    }
}
