//! logkin beside other programs that group log lines: same inputs, same scores. `README.md` says how to run it and what
//! makes it fair.
//!
//! ```text
//! labels, logs -> sets  --> contest: a process for each tool and input (worker, or label.py) --> tables
//! ```

mod masks;
mod tools;
mod worker;
mod sets;
mod contest;
mod tables;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

/// What to compare.
#[derive(Debug, Parser)]
#[command(about = "logkin beside other programs that group log lines")]
struct Arguments {
    /// Labels; the raw log of `NAME.truth.csv` or `NAME.csv` is `NAME.log` beside it.
    truth: Vec<PathBuf>,
    /// Measures speed and memory on this log.
    #[arg(long, value_name = "LOG")]
    speed: Vec<PathBuf>,
    /// Only the tools whose names begin so; may be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Lines after which the slow ones have said enough: for speed, they read so many lines of the log only.
    #[arg(long, value_name = "LINES", default_value_t = 100_000)]
    slow_lines: usize,
    /// Puts the tables into this page, too, between `<!-- NAME -->` and `<!-- end -->`.
    #[arg(long, value_name = "PAGE")]
    update: Option<PathBuf>,
    /// A Python that has what is in `requirements.txt`; `bench/run` makes one.
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// Run one tool on one file in this process: for the processes that this program starts itself.
    #[arg(long, num_args = 3..=4, hide = true, value_names = ["TOOL", "CONFIGURATION", "LINES", "LABELS"])]
    worker: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.worker[..] {
        [] => contest::run(&arguments),
        worker => worker::run(worker),
    };
    done.map_or_else(
        |error| {
            eprintln!("{error:#}");
            ExitCode::from(2)
        },
        |()| ExitCode::SUCCESS,
    )
}
