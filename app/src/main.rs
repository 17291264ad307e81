//! `logkin`.

use std::process::ExitCode;

use clap::Parser;
use logkin::{cli::Cli, commands, output};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::tell(format_args!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
