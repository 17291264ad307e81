//! The engine from outside.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

/// Lines in, templates out.
mod clustering;
/// Header lines: time, level, message.
mod headers;
/// What holds for all input.
mod laws;
/// Messages in, typed shapes out.
mod masks;
/// Scores against labels.
mod scoring;
