//! `logkin`.

use std::process::ExitCode;

use clap::Parser;
use logkin::{cli::Cli, commands};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("logkin: {error:#}");
            ExitCode::from(2)
        }
    }
}
