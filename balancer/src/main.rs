//! `logkin-balancer`: the balancer alone.

use std::{
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

use clap::Parser;
use logkin_balancer::cli::Cli;

// What a wave of clients has held goes back, also where something that stays lies behind it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(instead) => return show(&instead),
    };
    match cli.run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(format_args!("{error:#}")),
    }
}

/// Shows help, the version or what is wrong with the arguments. Help that was asked for and cannot be written is a failure.
fn show(instead: &clap::Error) -> ExitCode {
    match instead.print() {
        Err(error) if !instead.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            fail(format_args!("the output cannot be written: {error}"))
        }
        _ => u8::try_from(instead.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

fn fail(why: std::fmt::Arguments<'_>) -> ExitCode {
    // In one piece, as the log may write there too; that nobody reads it is no further failure.
    let _ = io::stderr().write_all(format!("logkin-balancer: {why}\n").as_bytes());
    ExitCode::from(2)
}
