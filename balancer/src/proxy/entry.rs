//! One request's entry in the access log and the counters, from its head to the last byte of its answer.

use std::{net::IpAddr, rc::Rc, time::Instant};

use hyper::{
    Method, Uri, Version,
    header::{self, HeaderValue},
    http::request,
};

use super::{upstream::Upstream, worker::Worker};
use crate::access_log::Line;

/// nginx's status for a client that left before its answer.
const CLIENT_LEFT: u16 = 499;

/// One request's entry. Dropped without [`finish`](Self::finish), it says that the request was cut off.
pub(crate) struct Entry {
    worker: Rc<Worker>,
    started: Instant,
    about: Option<About>,
    finished: bool,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    pub(crate) upstream: Option<Rc<Upstream>>,
    pub(crate) retries: Vec<&'static str>,
    pub(crate) flag: &'static str,
    pub(crate) by: &'static str,
}

/// What only the log wants to know; not kept when there is none.
struct About {
    client: IpAddr,
    method: Method,
    target: Uri,
    version: Version,
    referrer: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
}

impl Entry {
    pub(crate) fn begin(worker: &Rc<Worker>, client: IpAddr, head: &request::Parts) -> Self {
        worker.counters.requests.add_one();
        let about = worker.log.borrow().is_on().then(|| About {
            client,
            method: head.method.clone(),
            target: head.uri.clone(),
            version: head.version,
            referrer: head.headers.get(header::REFERER).cloned(),
            user_agent: head.headers.get(header::USER_AGENT).cloned(),
        });
        Self {
            worker: Rc::clone(worker),
            started: Instant::now(),
            about,
            finished: false,
            status: CLIENT_LEFT,
            bytes: 0,
            upstream: None,
            retries: Vec::new(),
            flag: "",
            by: "",
        }
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
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
        let Some(about) = &self.about else { return };
        let lost = self.worker.log.borrow_mut().add(&Line {
            client: about.client,
            method: &about.method,
            target: &about.target,
            version: about.version,
            status: self.status,
            bytes: self.bytes,
            referrer: about.referrer.as_ref(),
            user_agent: about.user_agent.as_ref(),
            upstream: self.upstream.as_ref().map(|upstream| upstream.backend.name.as_str()),
            took: self.started.elapsed(),
            retries: &self.retries,
            flag: self.flag,
            by: self.by,
        });
        for _ in 0..lost {
            self.worker.counters.log_lines_lost.add_one();
        }
    }
}
