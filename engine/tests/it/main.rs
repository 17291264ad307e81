//! The engine from outside.

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
