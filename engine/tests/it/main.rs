//! The engine from outside: bytes in, report and recording out.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test may panic")]

mod harness;
/// Header lines: time, level, message.
mod headers;
/// Several kinds of headers in one file.
mod mixtures;
/// Lines that are made of fields.
mod fields;
/// Messages in, typed shapes out.
mod masks;
/// Lines in, templates out.
mod clustering;
/// What holds for all shapes, clusters and templates.
mod grouping;
/// Scores against labels.
mod scoring;
/// Where lines come from.
mod inputs;
/// Packings, archives, bombs.
mod packings;
/// Encodings and line ends.
mod encodings;
/// Events of several lines.
mod events;
/// Events of many lines in files of many chunks.
mod traces;
/// What no input may do.
mod limits;
/// What is meant to break things.
mod torture;
/// Names in scripts without blanks.
mod unspaced;
/// Parts of messages: left out, counted, listed.
mod parts;
/// What holds for every input.
mod laws;
/// Corrections by a person.
mod rules;
/// Broader and narrower views.
mod cuts;
/// Lines as they come, partial results added up.
mod partials;
/// Files that grow.
mod follow;
/// What one log has that another has not.
mod comparing;
/// Finding lines again.
mod recording;
