//! `logkin`.

use std::{io::ErrorKind, path::Path, process::ExitCode};

use clap::{
    Parser,
    error::{ContextKind, ContextValue},
};
use logkin::{cli::Cli, commands, output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(instead) => return show(&instead),
    };
    match commands::run(cli) {
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

/// Shows help, the version or what is wrong with the arguments. Help that was asked for and cannot be written is a failure.
fn show(instead: &clap::Error) -> ExitCode {
    match instead.print() {
        Err(error) if !instead.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
            output::tell(format_args!("cannot write the output: {error}"));
            ExitCode::from(2)
        }
        _ => {
            if let Some(ContextValue::String(file)) = instead.get(ContextKind::InvalidSubcommand)
                && Path::new(file).exists()
            {
                let file = output::visible(file);
                output::tell(format_args!("to see the kinds of line in it: logkin cluster {file}"));
            }
            u8::try_from(instead.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
