//! `logkin cluster`: the count table on the terminal.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::atomic::Ordering::Relaxed,
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use logkin_engine::{Input, Progress, Recorder, Report, Settings, analyze};

use crate::{
    cli::{Cluster, Grouping, TableFormat},
    output::{self, Terminal},
};

pub(super) fn run(flags: &Cluster) -> anyhow::Result<u8> {
    let report = read(&flags.files, flags.threads, &flags.grouping, None)?;
    let terminal = Terminal::of_stdout(no_colour());
    // The table colours, and makes safe what it shows, by itself.
    let mut out: Box<dyn Write> = if flags.format == TableFormat::Table {
        Box::new(BufWriter::new(io::stdout().lock()))
    } else {
        output::stdout()
    };
    let written = output::write(&report, flags.format, flags.top, terminal, &mut *out).and_then(|()| out.flush());
    if quiet_on_broken_pipe(written)? {
        return Ok(0);
    }
    Ok(tell_problems(&report))
}

/// Whether the environment asks for no colours, or names a screen that has none.
fn no_colour() -> bool {
    env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Analyses the files (`-` or none: standard input), with a progress bar where someone is looking.
pub(super) fn read(
    files: &[PathBuf],
    threads: Option<u16>,
    grouping: &Grouping,
    recorder: Option<Recorder<'_>>,
) -> anyhow::Result<Report> {
    let inputs = inputs(files)?;
    let now = jiff::Timestamp::now().as_second();
    let (threads, similarity) = (threads.map(usize::from), grouping.similarity);
    let settings = Settings { threads, similarity, reference_time: now, ..Settings::default() };
    let progress = Progress::default();
    let report = thread::scope(|scope| {
        let shown = io::stderr().is_terminal().then(|| Bar::start(scope, &progress));
        let report = analyze(inputs, &settings, &progress, recorder);
        drop(shown);
        report
    });
    report.context("cannot analyse")
}

fn inputs(files: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    let dash = Path::new("-");
    if files.is_empty() && io::stdin().is_terminal() {
        bail!("no input; give log files, or pipe something in: `journalctl | logkin cluster`");
    }
    if files.iter().filter(|f| *f == dash).count() > 1 {
        bail!("standard input (`-`) is given twice; it can be read once");
    }
    let stdin = || Input::reader("standard input", io::stdin());
    if files.is_empty() {
        return Ok(vec![stdin()]);
    }
    Ok(files.iter().map(|file| if file == dash { stdin() } else { Input::file(file) }).collect())
}

/// Whoever reads our output may stop reading: that is an end, not an error.
pub(super) fn quiet_on_broken_pipe(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(error).context("cannot write the output"),
    }
}

/// Says on standard error what was wrong with the inputs, each problem with the name of its input; the exit code that
/// follows.
pub(super) fn tell_problems(report: &Report) -> u8 {
    let problems = report.inputs.iter().flat_map(|input| &input.problems).chain(&report.problems);
    let mut code = 0;
    for problem in problems {
        output::tell(output::visible(problem));
        code = 1;
    }
    code
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
