//! What is counted. Each thread has counters of its own and is their only writer, so counting takes no shared state.

use std::sync::atomic::{AtomicU64, Ordering};

use self::{book::Classes, by_name::ByName};

pub mod histogram;
pub mod by_name;
pub mod book;

/// A number that only grows, with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// Counts so many more.
    pub fn add(&self, more: u64) {
        // One writer: a load and a store are enough, and cheaper than an atomic addition.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A client connection is refused: its address has too many.
pub(crate) const LIMIT_CONN: &str = "limit_conn";
/// The same: it is no listed proxy, where only those may come.
pub(crate) const TRUSTED_PROXIES: &str = "trusted_proxies";
/// The same: it is one, and has not introduced anybody.
pub(crate) const PROXY_PROTOCOL: &str = "proxy_protocol";

/// The counters of one thread.
#[derive(Debug, Default)]
pub struct Counters {
    /// Client connections accepted.
    pub connections: Counter,
    /// Client connections that were closed before anything was read of a request, by the key that is the reason.
    pub refused: ByName,
    /// Client connections that are over, these among them.
    pub closed: Counter,
    /// Requests that came to no pool, by how they were answered.
    pub answers: Classes,
    /// Requests that did not end with a backend's complete answer, by why.
    pub failures: ByName,
    /// Bytes of bodies taken from clients for backends.
    pub bytes_in: Counter,
    /// Bytes of bodies sent to clients.
    pub bytes_out: Counter,
    /// TLS handshakes that came to nothing.
    pub handshakes_failed: Counter,
    /// Connections of HTTP/2 that were ended for too many frames that ask for nothing.
    pub floods: Counter,
    /// Requests of HTTP/2 that were refused unread: their address, or everybody, had too many under way.
    pub streams_refused: Counter,
    /// Requests read, answered or not.
    pub requests: Counter,
    /// Second and later tries.
    pub retries: Counter,
    /// Answers that we wrote ourselves.
    pub own_answers: Counter,
    /// Requests that got no complete answer: the client left, or a backend died in the middle of its answer.
    pub cut: Counter,
    /// Lines the access log could not take.
    pub log_lines_lost: Counter,
}

/// Sums over all threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Client connections accepted.
    pub connections: u64,
    /// Client connections that are over.
    pub closed: u64,
    /// Bytes of bodies taken from clients for backends.
    pub bytes_in: u64,
    /// Bytes of bodies sent to clients.
    pub bytes_out: u64,
    /// TLS handshakes that came to nothing.
    pub handshakes_failed: u64,
    /// Connections of HTTP/2 that were ended for a flood of frames.
    pub floods: u64,
    /// Requests of HTTP/2 that were refused unread.
    pub streams_refused: u64,
    /// Requests read.
    pub requests: u64,
    /// Second and later tries.
    pub retries: u64,
    /// Answers that we wrote ourselves.
    pub own_answers: u64,
    /// Requests without a complete answer.
    pub cut: u64,
    /// Lines the access log could not take.
    pub log_lines_lost: u64,
}

impl<'a> FromIterator<&'a Counters> for Totals {
    fn from_iter<I: IntoIterator<Item = &'a Counters>>(threads: I) -> Self {
        threads.into_iter().fold(Self::default(), |sum, thread| Self {
            connections: sum.connections + thread.connections.get(),
            closed: sum.closed + thread.closed.get(),
            bytes_in: sum.bytes_in + thread.bytes_in.get(),
            bytes_out: sum.bytes_out + thread.bytes_out.get(),
            handshakes_failed: sum.handshakes_failed + thread.handshakes_failed.get(),
            floods: sum.floods + thread.floods.get(),
            streams_refused: sum.streams_refused + thread.streams_refused.get(),
            requests: sum.requests + thread.requests.get(),
            retries: sum.retries + thread.retries.get(),
            own_answers: sum.own_answers + thread.own_answers.get(),
            cut: sum.cut + thread.cut.get(),
            log_lines_lost: sum.log_lines_lost + thread.log_lines_lost.get(),
        })
    }
}
