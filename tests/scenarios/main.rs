//! The scenarios, in reading order.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

/// What the tests know of the pages.
mod page;

/// Clients that ask and ask.
mod load;

/// The files in `sample-logs` are what their README says.
mod sample_logs;

/// What the papers say is there is there.
mod papers;

/// The README's quick start: one command, the page, a sample, a table.
mod first_minutes;

/// Lines in clusters and lines set aside are the lines of the file, whoever is asked.
mod counts_close;

/// One input, one answer: threads and order change nothing.
mod same_everywhere;

/// The command line as a good citizen of a pipe.
mod cli;

/// Logs that are written to while they are looked at.
mod follow;

/// Two logs, and a gate.
mod compare;

/// What is wrong gets a clear answer and harms nothing.
mod bad_input;

/// Instances killed at work, under uploads, under load.
mod a_backend_dies;

/// The end of the day: every accepted request is answered.
mod good_night;

/// A large analysis beside many readers.
mod busy_day;
