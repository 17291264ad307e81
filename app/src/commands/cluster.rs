//! `logkin cluster`: the count table on the terminal.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
    sync::atomic::Ordering::Relaxed,
    thread,
    time::Duration,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use logkin_engine::{
    Partial, Progress, Recorder, Report, Settings, analyze, report::InputSummary, settings::Unpacking,
};

use super::inputs::Inputs;
use crate::{
    cli::{Cluster, Reading, TableFormat},
    config,
    output::{self, Terminal},
};

pub(super) fn run(flags: &Cluster) -> anyhow::Result<u8> {
    if let Some(cluster) = &flags.explain {
        return explain(flags, cluster);
    }
    let (report, inputs) = read(&flags.files, &flags.reading, None)?;
    let written = write(&report, flags.format, flags.top);
    if quiet_on_broken_pipe(written)? {
        return Ok(0);
    }
    Ok(tell_problems(&report, &inputs))
}

/// Says why the lines of a cluster are together.
fn explain(flags: &Cluster, cluster: &str) -> anyhow::Result<u8> {
    let (found, inputs) = gather(Inputs::of(&flags.files, flags.reading.hidden)?, &settings(&flags.reading)?)?;
    let similarity = flags.reading.grouping.similarity;
    let hierarchy = found.into_hierarchy().whole();
    let told = hierarchy.explain(cluster, similarity)?;
    let mut out = output::stdout();
    let written = output::explain(&told, flags.format, &mut *out).and_then(|()| out.flush());
    if quiet_on_broken_pipe(written)? {
        return Ok(0);
    }
    Ok(tell_problems(&hierarchy.cut(similarity), &inputs))
}

/// Writes the report to standard output.
pub(super) fn write(report: &Report, format: TableFormat, top: usize) -> io::Result<()> {
    // The table colours, and makes safe what it shows, by itself.
    let mut out: Box<dyn Write> =
        if format == TableFormat::Table { Box::new(BufWriter::new(io::stdout().lock())) } else { output::stdout() };
    output::write(report, format, top, Terminal::of_stdout(no_colour()), &mut *out).and_then(|()| out.flush())
}

/// Whether the environment asks for no colours, or names a screen that has none.
pub(super) fn no_colour() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Analyses what the arguments stand for, with a progress bar where someone is looking.
pub(super) fn read(
    files: &[PathBuf],
    reading: &Reading,
    recorder: Option<Recorder<'_>>,
) -> anyhow::Result<(Report, Inputs)> {
    let mut inputs = Inputs::of(files, reading.hidden)?;
    let (settings, given) = (settings(reading)?, std::mem::take(&mut inputs.given));
    let report = watched(|progress| analyze(given, &settings, progress, recorder))?;
    Ok((report, inputs))
}

/// Reads inputs up to where shapes are clustered, watched likewise.
pub(super) fn gather(mut inputs: Inputs, settings: &Settings) -> anyhow::Result<(Partial, Inputs)> {
    let given = std::mem::take(&mut inputs.given);
    let partial = watched(|progress| logkin_engine::gather(given, settings, progress, None))?;
    Ok((partial, inputs))
}

/// Runs with a progress bar where someone is looking.
fn watched<T>(run: impl FnOnce(&Progress) -> Result<T, logkin_engine::Error>) -> anyhow::Result<T> {
    let progress = Progress::default();
    thread::scope(|scope| {
        let shown = io::stderr().is_terminal().then(|| Bar::start(scope, &progress));
        let found = run(&progress);
        drop(shown);
        found.context("cannot analyse")
    })
}

/// The settings of a run, as typed.
pub(super) fn settings(Reading { threads, bounds, grouping, line_format, .. }: &Reading) -> anyhow::Result<Settings> {
    let entries = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(Settings {
        threads: threads.map(usize::from),
        similarity: grouping.similarity,
        rules: grouping.rules.as_deref().map(config::rules).transpose()?,
        reference_time: jiff::Timestamp::now().as_second(),
        max_line_bytes: usize::try_from(bounds.max_line_bytes).expect("checked by the command line"),
        max_shapes: entries(bounds.max_shapes),
        line_format: line_format.clone(),
        unpacking: Unpacking {
            max_depth: usize::from(bounds.max_depth),
            max_members: entries(bounds.max_members),
            max_ratio: bounds.max_ratio,
            max_bytes: bounds.max_bytes,
            max_window: bounds.max_window,
        },
        ..Settings::default()
    })
}

/// Whoever reads our output may stop reading: that is an end, not an error.
pub(super) fn quiet_on_broken_pipe(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(error).context("cannot write the output"),
    }
}

/// Problems told on standard error; a report in JSON has them all.
const MAX_TOLD: usize = 50;

/// Says on standard error what was wrong with the inputs of a report; the exit code that follows.
pub(super) fn tell_problems(report: &Report, inputs: &Inputs) -> u8 {
    tell(&report.inputs, (&report.problems, &report.notes), inputs)
}

/// Says on standard error what was wrong with the inputs, each problem with the name of its input, and in general, and what
/// else there is to know; the exit code that follows.
pub(super) fn tell(read: &[InputSummary], (general, general_notes): (&[String], &[String]), inputs: &Inputs) -> u8 {
    let found = read.iter().flat_map(|input| &input.problems).chain(general);
    let problems: Vec<&String> = inputs.problems.iter().chain(found).collect();
    for problem in problems.iter().take(MAX_TOLD) {
        output::tell(output::visible(problem));
    }
    if let more @ 1.. = problems.len().saturating_sub(MAX_TOLD) {
        output::tell(format_args!("and {more} more such problems; `--format json` has them all"));
    }
    let notes = inputs.notes.iter().chain(read.iter().flat_map(|input| &input.notes)).chain(general_notes);
    notes.take(MAX_TOLD).for_each(|note| output::tell(output::visible(note)));
    u8::from(!problems.is_empty())
}

/// A progress bar on standard error, gone when dropped.
struct Bar(std::sync::mpsc::SyncSender<()>);

impl Bar {
    const STEP: Duration = Duration::from_millis(100);

    fn start<'scope>(scope: &'scope thread::Scope<'scope, '_>, progress: &'scope Progress) -> Self {
        let (stop, stopped) = std::sync::mpsc::sync_channel(1);
        scope.spawn(move || {
            let bar = ProgressBar::new(0);
            let style = "{bytes} of {total_bytes} {wide_bar} {bytes_per_sec}, {eta} left";
            bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
            while stopped.recv_timeout(Self::STEP) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                bar.set_length(progress.bytes_total.load(Relaxed));
                bar.set_position(progress.bytes_read.load(Relaxed));
            }
            bar.finish_and_clear();
        });
        Self(stop)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // A full or closed channel means that the bar is going already.
        let _ = self.0.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use logkin_engine::Settings;

    use super::settings;
    use crate::cli::{Cli, Command};

    #[test]
    fn what_is_not_typed_is_as_the_engine_has_it() {
        let Command::Cluster(flags) = Cli::parse_from(["logkin", "cluster", "x.log"]).command else { unreachable!() };
        let typed = settings(&flags.reading).unwrap();
        assert_eq!(typed, Settings { reference_time: typed.reference_time, ..Settings::default() });
    }
}
