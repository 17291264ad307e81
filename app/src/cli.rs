//! The command line as typed: clap types, no logic but how a size is written.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use logkin_engine::format::LineFormat;

/// See the kinds of line a log holds, grouped by similarity and counted exactly.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The count table of log files on the terminal
    Cluster(Cluster),
    /// What is new, gone, more and less in one log compared with another
    Compare(Compare),
    /// One row per input line: its cluster and template
    Label(Label),
    /// Score a clustering against labelled logs: GA, FGA, PA, FTA
    Evaluate(Evaluate),
    /// One instance of the web app
    Serve(Serve),
    /// The whole service: balancer and three instances
    Up(Up),
    /// Become an instance that ends with its balancer; used by `up` itself
    #[command(hide = true)]
    Launch(logkin_balancer::cli::Launch),
}

/// Flags of all commands that group lines.
#[derive(Debug, Clone, Args)]
pub struct Grouping {
    /// How alike the lines of a cluster are, from 0 (broader: all are one) to 1 (narrower: only what reads the same);
    /// a broader cluster is made of whole narrower ones
    #[arg(long, value_name = "0..1", default_value_t = 0.5, value_parser = similarity, allow_negative_numbers = true)]
    pub similarity: f64,
    /// Corrections that stay: a TOML file of rules that merge, split, rename, mask, ignore, mute; see docs/rules.md
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

/// Flags of every command that reads logs.
#[derive(Debug, Clone, Args)]
pub struct Reading {
    /// Look at hidden files too, in folders and globs
    #[arg(long)]
    pub hidden: bool,
    /// Threads, 1 to 256; the default is one per core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// What is grouped.
    #[command(flatten)]
    pub grouping: Grouping,
    /// How lines begin: auto (found for each input), plain (the whole line is the message), or a form as
    /// '{time} {level} [{thread}] {message}'; lines that do not fit it are read by themselves
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub line_format: LineFormat,
    /// How far is read.
    #[command(flatten)]
    pub bounds: Bounds,
}

/// How far is read. Sizes are bytes, alone or with a unit: `64KiB`, `10MB`, `1GiB`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bounds (sizes such as 64KiB, 10MB, 1GiB)")]
pub struct Bounds {
    /// Bytes of a line that are looked at; a longer line is counted, and grouped by its beginning
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = line_size)]
    pub max_line_bytes: u64,
    /// Places for distinct shapes: each takes one, and one more for every 64 bytes of its text; past it those that begin
    /// alike are counted as one, and the report says so
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_shapes: u32,
    /// Packings and archives in each other; what is packed once more is left out, and told
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub max_depth: u16,
    /// Members read of an archive, inner ones included; the rest is left out, and told
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_members: u32,
    /// Bytes unpacked for each byte read, past the first GiB; reading stops there, and it is told
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_ratio: u64,
    /// Bytes read of one input, packed or not, and bytes unpacked of it; reading stops there, and it is told
    #[arg(long, value_name = "SIZE", default_value = "1TiB", value_parser = size)]
    pub max_bytes: u64,
    /// Memory a packing may ask for (zstd window, xz dictionary); data that ask for more are left out, and told
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size)]
    pub max_window: u64,
}

/// Flags of `cluster`.
#[derive(Debug, Args)]
pub struct Cluster {
    /// Log files, folders or globs, plain, packed (gz, zst, bz2, xz, lz4) or in archives (zip, tar); `-` or nothing is standard input
    pub files: Vec<PathBuf>,
    /// Dress of the table
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
    /// Rows shown in a table; 0 shows all
    #[arg(long, default_value_t = 0)]
    pub top: usize,
    /// Instead of the table: why the lines of this cluster are together; its template as the table shows it, or its id
    /// in the JSON, or the beginning of that
    #[arg(long, value_name = "CLUSTER", conflicts_with_all = ["top", "follow"])]
    pub explain: Option<String>,
    /// Go on with what is written to the files, or comes through the pipe, until Ctrl-C. The table is drawn in place on a
    /// terminal; elsewhere each new state is the whole report as one line of JSON
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Shortest time between two states of `--follow`, such as 500ms or 10s
    #[arg(long, value_name = "TIME", default_value = "1s", requires = "follow")]
    pub interval: Interval,
    /// What is read, and how far.
    #[command(flatten)]
    pub reading: Reading,
}

/// A number from 0 to 1.
fn similarity(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1, such as 0.5".to_owned())
}

/// Dresses of the count table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people
    #[default]
    Table,
    /// The whole report as one JSON document
    Json,
    /// One JSON document per cluster
    Ndjson,
    /// Comma-separated, with a header row
    Csv,
    /// A Markdown table
    Markdown,
}

/// Flags of `compare`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing that --fail-on names, 1 something of it or an input that could not be read, 2 could \
                        not compare."
)]
pub struct Compare {
    /// What to compare with: a file, folder or glob, packed or not
    #[arg(value_name = "BASE")]
    pub first: Option<PathBuf>,
    /// What to compare: likewise
    #[arg(value_name = "OTHER")]
    pub second: Option<PathBuf>,
    /// Paths of which it is not said whose they are.
    #[arg(hide = true)]
    pub rest: Vec<PathBuf>,
    /// One more file, folder or glob of BASE; repeatable
    #[arg(long, value_name = "PATH")]
    pub base: Vec<PathBuf>,
    /// One more file, folder or glob of OTHER; repeatable
    #[arg(long, value_name = "PATH")]
    pub other: Vec<PathBuf>,
    /// Dress of the comparison
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
    /// Rows shown in a table; 0 shows all
    #[arg(long, default_value_t = 0)]
    pub top: usize,
    /// What makes the exit code 1
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,
    /// Events that a new error needs for the exit code 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub min_events: u64,
    /// By how much more or less there has to be for a finding
    #[arg(long, value_name = "FACTOR", default_value_t = 1.5, value_parser = factor)]
    pub min_change: f64,
    /// What is read, and how far.
    #[command(flatten)]
    pub reading: Reading,
}

/// What a comparison fails on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// An error (level error or fatal, or a stack trace) that BASE has none of, however few
    #[default]
    NewError,
    /// That, and any other kind of line that is new by more than chance
    New,
    /// That, and whatever is gone, more or less by more than chance
    Any,
    /// Nothing
    None,
}

/// Flags of `label`.
#[derive(Debug, Args)]
pub struct Label {
    /// A log file; `-` or nothing is standard input
    pub file: Option<PathBuf>,
    /// Dress of the rows
    #[arg(long, value_enum, default_value_t)]
    pub format: LabelFormat,
    /// What is read, and how far.
    #[command(flatten)]
    pub reading: Reading,
}

/// Dresses of labels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LabelFormat {
    /// `line,cluster,template`
    #[default]
    Csv,
    /// One JSON document per line
    Ndjson,
}

/// Flags of `evaluate`.
#[derive(Debug, Args)]
pub struct Evaluate {
    /// Labelled files: CSV with the columns Content and EventTemplate
    #[arg(required = true)]
    pub truth: Vec<PathBuf>,
    /// Cluster the raw log beside each labelled file (NAME.log for NAME.truth.csv) instead of its Content column
    #[arg(long)]
    pub raw: bool,
    /// What is grouped.
    #[command(flatten)]
    pub grouping: Grouping,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `serve`, shared by `up`.
#[derive(Debug, Clone, Args)]
pub struct State {
    /// Where uploads, reports and the database are kept [default: $XDG_DATA_HOME/logkin or ~/.local/share/logkin]
    #[arg(long, env = "LOGKIN_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A folder from which the page may open files; repeatable [default: the folder you start logkin in]
    #[arg(long = "allow-root", value_name = "DIR")]
    pub allow_roots: Vec<PathBuf>,
    /// Corrections that new reports are made with: a TOML file, read at the start; see docs/rules.md
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

/// Flags of `serve` and `up`: who may come.
#[derive(Debug, Clone, Args)]
pub struct Access {
    /// Serve addresses that others than this machine reach, without a password
    #[arg(long)]
    pub no_auth: bool,
    /// A name, besides this machine's own, that requests may call the page by; `*` is any; repeatable
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
}

/// Flags of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Address, HOST:PORT or unix:PATH; repeatable
    #[arg(long, default_value = "127.0.0.1:8811")]
    pub listen: Vec<String>,
    /// Name of this instance in logs and leases; no two may share one [default: its first address]
    #[arg(long)]
    pub name: Option<String>,
    /// Who may come.
    #[command(flatten)]
    pub access: Access,
    /// Shared state.
    #[command(flatten)]
    pub state: State,
}

/// Flags of `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Address of the balancer, HOST:PORT
    #[arg(long, default_value = "127.0.0.1:8001")]
    pub listen: String,
    /// App instances
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub instances: u16,
    /// Port of the first instance; the others follow. 0 takes free ones
    #[arg(long, default_value_t = 8811)]
    pub first_port: u16,
    /// Where the balancer's metrics are read, IP:PORT; nobody is asked for a password there
    #[arg(long, value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// Who may come.
    #[command(flatten)]
    pub access: Access,
    /// Shared state.
    #[command(flatten)]
    pub state: State,
}

/// A length of time as typed.
#[derive(Debug, Clone, Copy)]
pub struct Interval(pub Duration);

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
        time.map(Self)
            .ok_or_else(|| format!("`{text}` is no length of time; write it with a unit, such as 500ms or 10s"))
    }
}

/// A number of bytes, alone or with a unit.
fn size(text: &str) -> Result<u64, String> {
    let size = text.parse::<bytesize::ByteSize>().map(|size| size.as_u64());
    size.map_err(|_| format!("`{text}` is no size; write bytes, alone or with a unit, such as 64KiB, 10MB or 1GiB"))
}

/// A factor by which rates differ.
fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| factor.is_finite() && *factor >= 1.0);
    factor.ok_or_else(|| format!("`{text}` is no factor; write a number of at least 1, such as 1.5"))
}

/// The size of a line. It is held in memory, several times.
fn line_size(text: &str) -> Result<u64, String> {
    let expected = "a line of 1 byte to 1GiB was expected; it is held in memory several times";
    size(text).and_then(|size| if (1..=1 << 30).contains(&size) { Ok(size) } else { Err(expected.to_owned()) })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Cli, line_size, size};

    #[test]
    fn a_similarity_below_zero_is_told_the_range() {
        let refused = Cli::try_parse_from(["logkin", "cluster", "--similarity", "-0.1"]).unwrap_err().to_string();
        assert!(refused.contains("expected a number from 0 to 1"), "{refused}");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(
            (size("7"), size("64KiB"), size("10MB"), size("1.5 GiB")),
            (Ok(7), Ok(64 << 10), Ok(10_000_000), Ok(3 << 29))
        );
        for text in ["", "-1", "many", "1 lot"] {
            assert!(size(text).unwrap_err().contains("such as 64KiB"), "{text}");
        }
        assert!(line_size("0").is_err() && line_size("2GiB").is_err());
    }
}
