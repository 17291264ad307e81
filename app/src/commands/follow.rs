//! `logkin cluster --follow`: the table of logs that are written to, kept up to date.
//!
//! On a terminal it is drawn over itself; elsewhere each state that differs from the one before is one line of JSON, the whole
//! report. Files are looked at four times a second, which costs next to nothing, and works where the system tells no changes.

use std::{
    io::{self, IsTerminal, Read, Write},
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use logkin_engine::{Follow, Partial, Report, follow::Unfinished};

use super::{
    cluster::{no_colour, quiet_on_broken_pipe, settings, tell_problems},
    inputs::{Inputs, STDIN},
};
use crate::{
    cli::{Cluster, TableFormat},
    output::{self, Board, Terminal},
    shutdown::Shutdown,
};

/// Between two looks at files in which nothing came.
const STEP: Duration = Duration::from_millis(250);

/// Bytes read of standard input at a time, and pieces of it that wait to be counted.
const PIECE: usize = 64 << 10;
const PIECES: usize = 16;

pub(super) fn run(flags: &Cluster) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let shutdown = Shutdown::new();
    runtime.block_on(async { shutdown.on_signals() }).context("cannot wait for signals")?;
    let mut live = Live::begin(flags)?;
    live.tell_what_is_missing();
    let mut view = View::of(flags);
    let mut due = Instant::now();
    let wrote = loop {
        let more = live.read();
        let is_over = shutdown.has_begun() || (live.has_ended() && !more);
        if is_over {
            break Ok(());
        }
        if live.changed && Instant::now() >= due {
            let began = Instant::now();
            if let Err(error) = view.show(&mut live) {
                break Err(error);
            }
            // Showing takes at most half of the time, however many shapes there are.
            due = Instant::now() + began.elapsed().max(flags.interval.0);
        }
        let wait = if more { Duration::ZERO } else { STEP };
        let _ = runtime.block_on(async { tokio::time::timeout(wait, shutdown.begun()).await });
    };
    if quiet_on_broken_pipe(wrote)? {
        return Ok(0);
    }
    let (report, inputs) = live.finish();
    if quiet_on_broken_pipe(view.last(&report))? {
        return Ok(0);
    }
    Ok(tell_problems(&report, &inputs))
}

/// What is followed, and what was counted of it.
struct Live {
    counted: Partial,
    sources: Vec<Source>,
    inputs: Inputs,
    changed: bool,
    lines: Vec<u8>,
}

/// Something that goes on, and which input of the report it is.
struct Source {
    input: usize,
    name: String,
    kind: Kind,
    /// What was wrong at the last look, told once.
    trouble: Option<String>,
}

enum Kind {
    File(Follow),
    Stdin(Pipe),
}

impl Live {
    fn begin(flags: &Cluster) -> anyhow::Result<Self> {
        let settings = settings(&flags.reading)?;
        let mut counted = Partial::new(&settings);
        let (paths, inputs) = Inputs::paths(&flags.files, flags.reading.hidden)?;
        let mut sources = Vec::new();
        for path in paths {
            let (name, kind) = match path {
                None => (STDIN.to_owned(), Kind::Stdin(Pipe::open(settings.max_line_bytes))),
                Some(path) => (path.display().to_string(), Kind::File(Follow::new(path, settings.max_line_bytes))),
            };
            sources.push(Source { input: counted.input(&name), name, kind, trouble: None });
        }
        Ok(Self { counted, sources, inputs, changed: true, lines: Vec::new() })
    }

    /// Tells which files are not there yet: they are waited for.
    fn tell_what_is_missing(&self) {
        for source in &self.sources {
            if let Kind::File(follow) = &source.kind
                && !follow.path().exists()
            {
                output::tell(format_args!("{}: is not there yet; waiting for it, Ctrl-C ends it", source.name));
            }
        }
    }

    /// Counts what came since; whether there is more right away.
    fn read(&mut self) -> bool {
        let mut more = false;
        for source in &mut self.sources {
            self.lines.clear();
            let read = match &mut source.kind {
                Kind::File(follow) => follow.read(&mut self.lines).map(|seen| seen.more),
                Kind::Stdin(pipe) => pipe.read(&mut self.lines),
            };
            let trouble = match read {
                Ok(is_more) => {
                    more |= is_more;
                    None
                }
                Err(error) => Some(format!("{}: {error}", source.name)),
            };
            self.changed |= !self.lines.is_empty() || trouble != source.trouble;
            source.trouble = trouble;
            self.counted.add(source.input, &self.lines);
        }
        more
    }

    /// Whether nothing more can come.
    fn has_ended(&self) -> bool {
        self.sources.iter().all(|source| matches!(&source.kind, Kind::Stdin(pipe) if pipe.has_ended))
    }

    /// What is followed, in one line.
    fn status(&self) -> String {
        let waiting: Vec<&str> = self
            .sources
            .iter()
            .filter_map(|source| match &source.kind {
                Kind::File(follow) if !follow.is_open() => Some(source.trouble.as_deref().unwrap_or(&source.name)),
                _ => source.trouble.as_deref(),
            })
            .collect();
        let what = match &self.sources[..] {
            [one] => one.name.clone(),
            all => format!("{} files", all.len()),
        };
        let waiting = if waiting.is_empty() { String::new() } else { format!("; waiting for {}", waiting.join(", ")) };
        format!("following {what}, {}{waiting}; Ctrl-C ends it", jiff::Zoned::now().strftime("%H:%M:%S"))
    }

    /// Counts lines that were never completed, and tells what was never there.
    fn finish(mut self) -> (Report, Inputs) {
        for source in self.sources {
            self.lines.clear();
            let was_there = match source.kind {
                Kind::File(follow) => {
                    let was_open = follow.is_open();
                    follow.finish(&mut self.lines);
                    was_open
                }
                Kind::Stdin(mut pipe) => {
                    pipe.finish(&mut self.lines);
                    true
                }
            };
            self.counted.add(source.input, &self.lines);
            if let Some(problem) = source.trouble {
                self.counted.tell(source.input, problem);
            } else if !was_there {
                self.inputs.notes.push(format!("{}: was never there", source.name));
            }
        }
        (self.counted.into_report(), self.inputs)
    }
}

/// Standard input, read by a thread of its own, which ends with it.
struct Pipe {
    pieces: Receiver<io::Result<Vec<u8>>>,
    line: Unfinished,
    has_ended: bool,
}

impl Pipe {
    fn open(most_of_line: usize) -> Self {
        let (to, pieces) = sync_channel(PIECES);
        thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            let mut piece = vec![0; PIECE];
            loop {
                let read = match stdin.read(&mut piece) {
                    Ok(0) => break,
                    Ok(n) => Ok(piece[..n].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let has_failed = read.is_err();
                if to.send(read).is_err() || has_failed {
                    break;
                }
            }
        });
        Self { pieces, line: Unfinished::new(most_of_line), has_ended: false }
    }

    /// Appends the lines that are complete; whether there may be more right away.
    fn read(&mut self, lines: &mut Vec<u8>) -> io::Result<bool> {
        for _ in 0..PIECES {
            match self.pieces.try_recv() {
                Ok(piece) => self.line.take(&piece?, lines),
                Err(TryRecvError::Empty) => return Ok(false),
                Err(TryRecvError::Disconnected) => {
                    self.has_ended = true;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn finish(&mut self, lines: &mut Vec<u8>) {
        self.line.finish(lines);
    }
}

/// How the table is shown.
enum View {
    Board {
        board: Board<io::Stdout>,
        top: usize,
        format: TableFormat,
    },
    /// One line of JSON for each state; how many lines the last one counted.
    Snapshots {
        lines: Option<u64>,
    },
    /// Only the last report.
    AtTheEnd {
        format: TableFormat,
        top: usize,
    },
}

impl View {
    fn of(flags: &Cluster) -> Self {
        let (format, top) = (flags.format, flags.top);
        match format {
            TableFormat::Table if io::stdout().is_terminal() => {
                Self::Board { board: Board::new(io::stdout()), top, format }
            }
            TableFormat::Table | TableFormat::Json | TableFormat::Ndjson => Self::Snapshots { lines: None },
            TableFormat::Csv | TableFormat::Markdown => Self::AtTheEnd { format, top },
        }
    }

    fn show(&mut self, live: &mut Live) -> io::Result<()> {
        live.changed = false;
        match self {
            Self::Board { board, top, .. } => {
                let (status, report) = (live.status(), live.counted.report());
                board.draw(&status, &report, *top, Terminal::of_stdout(no_colour()))
            }
            Self::Snapshots { lines } => {
                *lines = Some(live.counted.lines());
                snapshot(&live.counted.report())
            }
            Self::AtTheEnd { .. } => Ok(()),
        }
    }

    fn last(&mut self, report: &Report) -> io::Result<()> {
        match self {
            Self::Board { board, top, format } => {
                board.clear()?;
                super::cluster::write(report, *format, *top)
            }
            Self::Snapshots { lines } if *lines == Some(report.totals.lines) => Ok(()),
            Self::Snapshots { .. } => snapshot(report),
            Self::AtTheEnd { format, top } => super::cluster::write(report, *format, *top),
        }
    }
}

fn snapshot(report: &Report) -> io::Result<()> {
    let mut out = output::stdout();
    output::write(report, TableFormat::Json, 0, Terminal::default(), &mut *out)?;
    out.flush()
}
