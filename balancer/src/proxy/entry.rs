//! One request's entry in the access log and the counters, from its head to the last byte of its answer.

use std::{rc::Rc, time::Instant};

use super::{
    client::{Client, Phase},
    upstream::Upstream,
    worker::Worker,
};
use crate::{
    access_log::{Asked, Line},
    identity::{RequestId, Trace},
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
        self.retries.push(reason);
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
