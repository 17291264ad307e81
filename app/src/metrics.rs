//! `Metrics`: what an instance counts, in Prometheus' words. Labels are few and fixed: route patterns and states, never
//! paths, ids or text.

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::store::Queue;

/// Upper bounds of the request time buckets, seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The counters of one instance.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Histogram,
    uploaded: Counter,
    jobs: Family<JobEnd, Counter>,
    waiting: Gauge,
    running: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobEnd {
    end: &'static str,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("logkin");
        let this = Self {
            requests: Family::default(),
            seconds: Histogram::new(BUCKETS),
            uploaded: Counter::default(),
            jobs: Family::default(),
            waiting: Gauge::default(),
            running: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests answered, by route and status", this.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time to the head of the answer, without uploads",
            Unit::Seconds,
            this.seconds.clone(),
        );
        registry.register_with_unit("uploaded", "Bytes of uploads kept", Unit::Bytes, this.uploaded.clone());
        registry.register("jobs_ended", "Analyses this instance ended, by how", this.jobs.clone());
        registry.register("jobs_waiting", "Analyses nobody works on yet, of all instances", this.waiting.clone());
        registry.register("jobs_running", "Analyses under way, of all instances", this.running.clone());
        Arc::new(Self { registry, ..this })
    }

    /// Counts an answer.
    pub fn request(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let labels = Request { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        if method != "POST" {
            self.seconds.observe(seconds);
        }
    }

    /// Counts an upload that was kept.
    pub fn uploaded(&self, bytes: u64) {
        self.uploaded.inc_by(bytes);
    }

    /// Counts an analysis that ended.
    pub fn job(&self, end: &'static str) {
        self.jobs.get_or_create(&JobEnd { end }).inc();
    }

    /// Everything as text, with the queue as it is now.
    pub fn text(&self, queue: Queue) -> Result<String, fmt::Error> {
        self.waiting.set(queue.waiting.cast_signed());
        self.running.set(queue.running.cast_signed());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
