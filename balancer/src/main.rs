//! `logkin-balancer`: the balancer alone.

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use logkin_balancer::cli::Cli;

fn main() -> ExitCode {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_ansi(colours).init();
    match Cli::parse().run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("logkin-balancer: {error:#}");
            ExitCode::from(2)
        }
    }
}
