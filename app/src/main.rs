//! `logkin`.

use std::process::ExitCode;

use clap::Parser;
use logkin::{cli::Cli, commands, output};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // It may quote names of files and arguments; several mistakes stand on several lines.
            let lines: Vec<String> =
                format!("{error:#}").lines().map(|line| output::visible(line).into_owned()).collect();
            output::tell(lines.join("\n"));
            ExitCode::from(2)
        }
    }
}
