//! The engine from outside: bytes in, report and recording out.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test may panic")]

mod harness;
/// Where lines come from.
mod inputs;
/// What no input may do.
mod limits;
/// What holds for every input.
mod laws;
/// Finding lines again.
mod recording;
