//! Starts the built programs on ports of their own, reads their ready line, stops them and keeps their logs.
//!
//! ```text
//! binaries -> process -> service -> api      a program, its life, what it serves, what it answers
//!                            \-> browser     the same through Chromium
//! samples                                    the files in `sample-logs` and what their README says of them
//! ```
//!
//! Nothing here knows the crates of the workspace: what is tested is what a user runs.

mod binaries;
mod wait;

mod process;

mod api;
mod browser;
mod samples;
mod service;

pub use api::{Answer, Api, UploadError};
pub use binaries::{logkin, logkin_balancer};
pub use browser::Browser;
pub use process::{Finished, Process, bytes_read, children_of, cpu_ticks, interrupt, kill_now, run};
pub use samples::{Sample, repository, sample_file, samples};
pub use service::{Service, ServiceBuilder};
pub use wait::until;
