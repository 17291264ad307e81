//! `logkin compare`: what one log has that another has not, as a gate if wanted.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::bail;
use logkin_engine::compare::{Change, Comparison, Difference, compare, significance::Bar};

use super::{
    cluster::{gather, no_colour, quiet_on_broken_pipe, settings, tell},
    inputs::Inputs,
};
use crate::{
    cli::{Compare, FailOn, TableFormat},
    output::{self, Terminal},
};

pub(super) fn run(flags: &Compare) -> anyhow::Result<u8> {
    let (base, other) = sides(flags)?;
    let stdin = |paths: &[PathBuf]| paths.iter().any(|path| path.as_os_str() == "-");
    if stdin(&base) && stdin(&other) {
        bail!("standard input (`-`) is given for both sides; it can be read once");
    }
    let inputs = |name: &str, paths: &[PathBuf]| {
        Inputs::of(paths, flags.reading.hidden).map_err(|error| error.context(format!("{name} cannot be read")))
    };
    let again = can_be_read_again(&base).then(|| inputs("BASE", &base)).transpose()?;
    let (base, other) = (inputs("BASE", &base)?, inputs("OTHER", &other)?);
    let mut settings = settings(&flags.reading)?;
    let (mut base, mut base_inputs) = gather(base, &settings)?;
    settings.line_format = base.line_format();
    let (other, other_inputs) = gather(other, &settings)?;
    // How lines begin that BASE has few of, OTHER may have told.
    if let Some(again) = again.filter(|_| !base.reads_like(&other)) {
        settings.line_format = other.line_format();
        (base, base_inputs) = gather(again, &settings)?;
    }
    let bar = Bar { min_factor: flags.min_change, ..Bar::default() };
    let comparison = compare(base, other, bar);
    let problems = [(&comparison.base, &base_inputs), (&comparison.other, &other_inputs)]
        .map(|(side, inputs)| tell(&side.inputs, (&[], &[]), inputs));
    let general = tell(&[], (&comparison.problems, &comparison.notes), &Inputs::default());
    for (name, side) in [("BASE", &comparison.base), ("OTHER", &comparison.other)] {
        if side.totals.events == 0 {
            bail!("{name} holds no event to compare ({} lines read); give a log with lines of text", side.totals.lines);
        }
    }
    if quiet_on_broken_pipe(write(&comparison, flags.format, flags.top))? {
        return Ok(0);
    }
    Ok(problems[0].max(problems[1]).max(general).max(gate(&comparison, flags)))
}

/// Whether nothing that is read is gone then, as it is of a pipe.
fn can_be_read_again(paths: &[PathBuf]) -> bool {
    paths.iter().all(|path| path.metadata().is_ok_and(|about| about.is_file() || about.is_dir()))
}

/// The paths of each side.
fn sides(flags: &Compare) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut base, mut other) = (flags.base.clone(), flags.other.clone());
    if let [more, ..] = &flags.rest[..] {
        let more = more.display();
        bail!(
            "{more} is one path more than BASE and OTHER; say whose it is with `--base {more}` or `--other {more}`, or give \
             a folder or a glob in quotes, which is one path"
        );
    }
    match (&flags.first, &flags.second) {
        (Some(one), Some(two)) => {
            base.insert(0, one.clone());
            other.insert(0, two.clone());
        }
        (Some(one), None) if base.is_empty() && other.is_empty() => {
            bail!("only {} is given; BASE and OTHER were expected, in this order", one.display())
        }
        (Some(one), None) => bail!(
            "{} may be of BASE or of OTHER; give both in this order, or name all that is of them, as in `logkin compare \
             --base yesterday.log --other today.log`",
            one.display()
        ),
        (None, _) => {}
    }
    if base.is_empty() || other.is_empty() {
        bail!("two sides were expected; give BASE and OTHER, as in `logkin compare yesterday.log today.log`");
    }
    Ok((base, other))
}

fn gate(comparison: &Comparison, flags: &Compare) -> u8 {
    let is_new_error = |one: &Difference| one.is_new_error() && one.other.events >= flags.min_events;
    let fails = |one: &Difference| match flags.fail_on {
        FailOn::NewError => is_new_error(one),
        FailOn::New => is_new_error(one) || (one.is_finding && one.change == Change::New),
        FailOn::Any => is_new_error(one) || one.is_finding,
        FailOn::None => false,
    };
    u8::from(comparison.clusters.iter().filter(|one| !one.is_muted).any(fails))
}

fn write(comparison: &Comparison, format: TableFormat, top: usize) -> io::Result<()> {
    let mut out: Box<dyn Write> =
        if format == TableFormat::Table { Box::new(io::BufWriter::new(io::stdout().lock())) } else { output::stdout() };
    output::write_comparison(comparison, format, top, Terminal::of_stdout(no_colour()), &mut *out)
        .and_then(|()| out.flush())
}
