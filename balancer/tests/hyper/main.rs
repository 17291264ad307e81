//! What is promised of requests, kept by the other engine too: the same tests, another flag.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(dead_code, reason = "some of the harness is for tests that are not about requests")]

/// The code that speaks HTTP in these tests.
const ENGINE: &str = "hyper";

#[path = "../it/harness.rs"]
mod harness;
#[path = "../it/upstream.rs"]
mod upstream;

#[path = "../it/choosing.rs"]
mod choosing;
#[path = "../it/deadlines.rs"]
mod deadlines;
#[path = "../it/passive.rs"]
mod passive;
#[path = "../it/proxying.rs"]
mod proxying;
#[path = "../it/retry.rs"]
mod retry;
#[path = "../it/sticky.rs"]
mod sticky;
#[path = "../it/stopping.rs"]
mod stopping;
#[path = "../it/strictness.rs"]
mod strictness;
