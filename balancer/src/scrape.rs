//! The page of metrics, for Prometheus and whoever else reads its text format: what all threads have counted, added up when
//! somebody asks, and how the pools stand at that moment.

use std::{collections::BTreeMap, sync::Arc};

use self::text::{Label, Page};
use crate::{
    metrics::{
        Counter, Counters, Totals,
        book::{BackendCounts, Book},
        by_name::ByName,
        histogram::{Histogram, Times},
    },
    pool::{Pool, Standing},
    queue::Queue,
};

pub(crate) mod endpoint;
mod text;

/// How statuses are told apart.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// How backends stand, in the words of the page.
const STATES: [&str; 7] = ["serving", "on_trial", "resting", "ejected", "unwell", "draining", "down"];

fn state(standing: &Standing) -> &'static str {
    match standing {
        Standing::Serving => "serving",
        Standing::OnTrial(..) => "on_trial",
        Standing::Resting(_) => "resting",
        Standing::Ejected => "ejected",
        Standing::Unwell => "unwell",
        Standing::Draining => "draining",
        Standing::Down => "down",
    }
}

/// One pool with all that is told about it.
pub(crate) struct Metered {
    pub(crate) pool: Arc<Pool>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) book: Arc<Book>,
}

/// Where the page comes from.
pub(crate) struct Sources {
    pub(crate) threads: Vec<Arc<Counters>>,
    pub(crate) pools: Vec<Metered>,
}

/// A family with its help, and where its value is.
type Told<T> = (&'static str, &'static str, fn(&BackendCounts) -> &T);

type Backends = Vec<(String, Vec<(String, Vec<Arc<BackendCounts>>)>)>;

impl Sources {
    /// The page of now.
    pub(crate) fn page(&self) -> String {
        let mut page = Page::default();
        self.clients(&mut page);
        self.requests(&mut page);
        self.states(&mut page);
        self.backends(&mut page);
        page.into_text()
    }

    fn clients(&self, page: &mut Page) {
        let totals: Totals = self.threads.iter().map(AsRef::as_ref).collect();
        page.family("logkin_balancer_client_connections", "gauge", "Client connections that are open.");
        page.sample(&[], totals.connections.saturating_sub(totals.closed));
        let counters = [
            ("logkin_balancer_client_connections_total", "Client connections accepted.", totals.connections),
            (
                "logkin_balancer_handshakes_failed_total",
                "TLS handshakes that came to nothing.",
                totals.handshakes_failed,
            ),
            ("logkin_balancer_http2_floods_total", "Connections of HTTP/2 ended for a flood of frames.", totals.floods),
            (
                "logkin_balancer_http2_streams_refused_total",
                "Requests of HTTP/2 refused unread, as too many were under way.",
                totals.streams_refused,
            ),
            ("logkin_balancer_requests_cut_total", "Requests without a complete answer.", totals.cut),
            ("logkin_balancer_own_answers_total", "Answers the balancer wrote itself.", totals.own_answers),
            (
                "logkin_balancer_access_log_lines_lost_total",
                "Lines the access log could not take.",
                totals.log_lines_lost,
            ),
            (
                "logkin_balancer_request_body_bytes_total",
                "Bytes of bodies taken from clients for backends.",
                totals.bytes_in,
            ),
            ("logkin_balancer_response_body_bytes_total", "Bytes of bodies sent to clients.", totals.bytes_out),
        ];
        for (name, help, value) in counters {
            page.family(name, "counter", help);
            page.sample(&[], value);
        }
        self.named(
            page,
            "logkin_balancer_client_connections_refused_total",
            "Client connections closed before anything was read of a request, by the key that is the reason.",
            ("reason", |thread| &thread.refused),
        );
        self.named(
            page,
            "logkin_balancer_failures_total",
            "Requests that did not end with a backend's complete answer, by kind: the flag of the access log.",
            ("kind", |thread| &thread.failures),
        );
    }

    /// What all threads have counted under names, each a value of the label.
    fn named(
        &self,
        page: &mut Page,
        name: &'static str,
        help: &'static str,
        (label, of): (&'static str, fn(&Counters) -> &ByName),
    ) {
        page.family(name, "counter", help);
        for (value, count) in sum_names(self.threads.iter().map(|thread| of(thread))) {
            page.sample(&[(label, value)], count);
        }
    }

    fn requests(&self, page: &mut Page) {
        page.family(
            "logkin_balancer_requests_total",
            "counter",
            "Requests by the class of their answer's status; those that came to no pool have none.",
        );
        let lost = |class: usize| self.threads.iter().map(|thread| thread.answers[class].get()).sum();
        classes(page, &[("pool", "")], lost);
        for Metered { book, .. } in &self.pools {
            let of = |class: usize| book.threads().iter().map(|thread| thread.answers[class].get()).sum();
            classes(page, &[("pool", &book.name)], of);
        }
        page.family("logkin_balancer_retries_total", "counter", "Second and later tries, by reason.");
        for Metered { book, .. } in &self.pools {
            for (reason, count) in sum_names(book.threads().iter().map(|thread| &thread.retries)) {
                page.sample(&[("pool", &book.name), ("reason", reason)], count);
            }
        }
        page.family(
            "logkin_balancer_queue_wait_seconds",
            "histogram",
            "How long requests waited because no backend was ready or all were busy.",
        );
        for Metered { book, .. } in &self.pools {
            let waits: Times = book.threads().iter().map(|thread| &thread.waits).collect();
            page.times(&[("pool", &book.name)], &waits);
        }
        page.family("logkin_balancer_queue_length", "gauge", "Requests that wait for a backend.");
        for Metered { book, queue, .. } in &self.pools {
            page.sample(&[("pool", &book.name)], queue.length());
        }
    }

    fn states(&self, page: &mut Page) {
        let snapshots: Vec<_> =
            self.pools.iter().map(|metered| (&metered.book.name, metered.pool.snapshot())).collect();
        let members =
            || snapshots.iter().flat_map(|(pool, now)| now.members.iter().map(move |member| (pool.as_str(), member)));
        page.family("logkin_balancer_backend_up", "gauge", "Whether the backend gets its share of requests.");
        for (pool, member) in members() {
            let backend = member.backend.name.as_str();
            page.sample(&[("pool", pool), ("backend", backend)], u8::from(member.is_serving()));
        }
        page.family("logkin_balancer_backend_state", "gauge", "1 for the state in which the backend is.");
        for (pool, member) in members() {
            let (backend, now) = (member.backend.name.as_str(), state(&member.standing()));
            for state in STATES {
                page.sample(&[("pool", pool), ("backend", backend), ("state", state)], u8::from(state == now));
            }
        }
        page.family("logkin_balancer_backend_in_flight", "gauge", "Requests the backend is working on.");
        for (pool, member) in members() {
            let backend = member.backend.name.as_str();
            page.sample(&[("pool", pool), ("backend", backend)], member.backend.in_flight());
        }
    }

    fn backends(&self, page: &mut Page) {
        let backends = self.all_backends();
        page.family(
            "logkin_balancer_backend_responses_total",
            "counter",
            "Answers of the backend that went to clients, by class of status.",
        );
        for_each(&backends, |labels, threads| {
            classes(page, labels, |class| threads.iter().map(|thread| thread.answers[class].get()).sum());
        });
        page.family("logkin_balancer_backend_failures_total", "counter", "What failed at the backend, by kind.");
        for_each(&backends, |labels, threads| {
            for (kind, count) in sum_names(threads.iter().map(|thread| &thread.failures)) {
                page.sample(&[labels[0], labels[1], ("kind", kind)], count);
            }
        });
        let counters: [Told<Counter>; 3] = [
            ("logkin_balancer_backend_connections_total", "Connections made to the backend.", |counts| {
                &counts.connections
            }),
            ("logkin_balancer_backend_sent_bytes_total", "Bytes of bodies sent to the backend.", |counts| &counts.sent),
            (
                "logkin_balancer_backend_received_bytes_total",
                "Bytes of the backend's bodies sent to clients.",
                |counts| &counts.received,
            ),
        ];
        for (name, help, counter) in counters {
            page.family(name, "counter", help);
            for_each(&backends, |labels, threads| {
                page.sample(labels, threads.iter().map(|thread| counter(thread).get()).sum::<u64>());
            });
        }
        let times: [Told<Histogram>; 2] = [
            (
                "logkin_balancer_backend_first_byte_seconds",
                "From the moment the backend is asked to the head of its answer.",
                |counts| &counts.first_byte,
            ),
            (
                "logkin_balancer_backend_request_seconds",
                "From the head of a request to the last byte of the backend's answer.",
                |counts| &counts.whole,
            ),
        ];
        for (name, help, histogram) in times {
            page.family(name, "histogram", help);
            for_each(&backends, |labels, threads| {
                page.times(labels, &threads.iter().map(|thread| histogram(thread)).collect());
            });
        }
    }

    fn all_backends(&self) -> Backends {
        let of = |metered: &Metered| {
            let now = metered.pool.snapshot();
            let is_there = |name: &str| now.members.iter().any(|member| member.backend.name == name);
            (metered.book.name.clone(), metered.book.sum_up(is_there).into_iter().collect())
        };
        self.pools.iter().map(of).collect()
    }
}

fn for_each(backends: &Backends, mut write: impl FnMut(&[Label<'_>; 2], &[Arc<BackendCounts>])) {
    for (pool, backends) in backends {
        for (backend, threads) in backends {
            write(&[("pool", pool), ("backend", backend)], threads);
        }
    }
}

/// A sample for each class of status.
fn classes(page: &mut Page, labels: &[Label<'_>], count: impl Fn(usize) -> u64) {
    for (class, name) in CLASSES.iter().enumerate() {
        page.sample(&[labels, &[("class", name)]].concat(), count(class));
    }
}

fn sum_names<'a>(threads: impl Iterator<Item = &'a ByName>) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for (name, count) in threads.flat_map(ByName::iter) {
        *sums.entry(name).or_default() += count;
    }
    sums
}
