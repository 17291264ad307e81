//! `logkin`: command line, web app, and the balancer behind one door.
//!
//! ```text
//! upload, path, sample -> intake -> blobs + store <- jobs -> engine
//!                                      |
//!                        shelf -> web: pages, api, probes
//! ```

pub mod cli;
pub mod output;
pub mod clock;
pub mod shutdown;
pub mod search;
pub mod roots;
pub mod config;
pub mod mark;
pub mod store;
pub mod blobs;
pub mod samples;
pub mod intake;
pub mod metrics;
pub mod jobs;
pub mod shelf;
pub mod janitor;
pub mod web;
pub mod commands;
