//! `logkin-balancer`: the balancer alone.

use std::process::ExitCode;

use clap::Parser;
use logkin_balancer::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("logkin-balancer: {error:#}");
            ExitCode::from(2)
        }
    }
}
