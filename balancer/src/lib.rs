//! Gate and caretaker: sends requests to backends, launches programs and looks after them. Knows nothing of what they do.
//!
//! ```text
//! control   config ----> supervisor --+
//!                        health ------+-- Change --> pool (one writer) --> Snapshot
//! data      listener -> tls -> proxy -> route, select <----------------------------+  read only
//!                                +--> http1, files, compress, access_log, metrics --> scrape
//! ```
//!
//! [`run`] is the whole of it: it takes a checked [`Config`](config::Config) and returns when it was told to stop.

pub mod http1;
pub mod hpack;
pub mod verdict;
pub mod select;
pub mod trust;
pub mod rate;
pub mod limiter;
pub mod identity;
pub mod log_format;
pub mod compress;
mod outlet;
mod log_file;
pub mod error_log;
mod complaints;
pub mod backend;
pub mod resolver;
pub mod route;
pub mod files;
pub mod config;
mod fault;
pub mod shutdown;
pub mod metrics;
mod descriptors;
mod listener;
mod tls;
mod runtime_dir;
pub mod pool;
mod queue;
mod scrape;
mod access_log;
mod health;
pub mod supervisor;
mod names;
mod proxy;
mod bounds;
mod run;
pub mod cli;

pub use run::{Outcome, Ready, RunError, Signals, run};
