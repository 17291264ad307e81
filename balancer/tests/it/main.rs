//! The balancer as its users meet it: the built program between real sockets and real processes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// The code that speaks HTTP in these tests; `tests/hyper` runs those on requests with the other one.
const ENGINE: &str = "strict";

/// The running balancer, a plain HTTP client, waiting for conditions.
mod harness;
/// Scripted backends.
mod upstream;
/// This very binary as a launched program.
mod child;

/// What arrives at the backend and what comes back.
mod proxying;
/// Requests that are no good.
mod strictness;
/// What attackers send.
mod attacks;
/// Whoever keeps the other side waiting.
mod deadlines;
/// Clients that send and read slowly, and whom they keep busy.
mod slow;
/// TLS in front.
mod tls;
/// HTTP/2 in front.
mod http2;
/// How much one client may take of what all share.
mod bounds;
/// Other protocols, once a backend has agreed to one.
mod tunnels;
/// Both engines beside each other.
mod engines;
/// Who is asked.
mod choosing;
/// Backends by name.
mod names;
/// Which requests go where.
mod routes;
/// Files of a folder.
mod files;
/// Answers that are compressed on their way.
mod compression;
/// Clients that stay where they were.
mod sticky;
/// The access log.
mod logging;
/// What is counted, and where it is read.
mod metrics;
/// Who speaks for whom, and what requests are known by.
mod forwarded;
/// Checks of backends.
mod checks;
/// Second tries.
mod retry;
/// What is held against a backend, and for how long.
mod passive;
/// Other people's programs on both sides.
mod peers;
/// Launched programs: start, crash, stop.
mod caretaking;
/// SIGTERM.
mod stopping;
/// Configuration files, good and bad.
mod config;
