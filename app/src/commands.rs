//! Which command runs what.

use crate::cli::{Cli, Command};

mod cluster;
mod compare;
mod evaluate;
mod follow;
mod inputs;
mod label;
mod serve;
mod up;

/// Runs the command; the exit code is 0 when all is well, 1 when done with findings. An error means it could not be
/// done, exit code 2.
pub fn run(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Command::Cluster(flags) if flags.follow => follow::run(&flags),
        Command::Cluster(flags) => cluster::run(&flags),
        Command::Compare(flags) => compare::run(&flags),
        Command::Label(flags) => label::run(&flags),
        Command::Evaluate(flags) => evaluate::run(&flags),
        Command::Serve(flags) => serve::run(&flags),
        Command::Up(flags) => up::run(&flags),
        Command::Launch(flags) => up::launch(&flags),
    }
}
