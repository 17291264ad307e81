//! The app as its users meet it: a real router on a real socket over a fresh data directory.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod harness;

/// What the store promises, whichever it is.
mod store;
/// Leases, takeovers, fencing.
mod jobs;
/// What programs get.
mod api;
/// What people get.
mod pages;
/// What may go wrong around us.
mod trouble;
