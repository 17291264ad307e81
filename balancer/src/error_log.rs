//! What the balancer says of itself: to standard error or to a file, from a level on. What goes wrong again and again, as with
//! a backend that is dead, is said a few times in a second and then counted, so that it fills no disk. Where a program that
//! embeds it has set up something already, that stays.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use tokio::time::interval;
use tracing::{Metadata, callsite::Identifier};
use tracing_subscriber::{filter::LevelFilter, fmt, fmt::MakeWriter};

use self::repeats::Repeats;
use crate::{
    log_file::{LogFile, may_stand_still},
    outlet::Outlet,
};

mod repeats;

/// From which level on something is said, in nginx's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What needs somebody.
    Error,
    /// What may need somebody.
    Warn,
    /// What changes.
    #[default]
    Info,
    /// What is of use to those who look for a fault.
    Debug,
}

/// Lines that wait for who reads standard error.
const QUEUE: usize = 4096;

/// The log.
#[derive(Debug, Clone)]
pub(crate) struct ErrorLog {
    end: End,
    /// By the place in the source that says it.
    repeats: Arc<Mutex<Repeats<Identifier>>>,
}

/// Where it goes.
#[derive(Debug, Clone)]
enum End {
    File(Arc<LogFile>),
    Stderr(Arc<File>),
    Outlet(Outlet),
}

impl ErrorLog {
    /// Standard error without a path.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let end = match path {
            Some(path) => End::File(Arc::new(LogFile::open(path, "error log")?)),
            None => {
                let file = stderr()?;
                let note = |lost| format!("({lost} lines left out here)");
                if may_stand_still(&file) {
                    End::Outlet(Outlet::open("error log", QUEUE, || Ok(file), Some(note))?)
                } else {
                    End::Stderr(Arc::new(file))
                }
            }
        };
        Ok(Self { end, repeats: Arc::default() })
    }

    /// From now on everything goes there.
    pub(crate) fn begin(&self, level: Level) {
        let most = match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        let is_terminal = !matches!(self.end, End::File(_)) && io::stderr().is_terminal();
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none();
        let log = fmt().with_writer(self.clone()).with_target(false).with_ansi(colours).with_max_level(most);
        // A line that cannot be written is lost. The library would say so on standard error, and panic where nobody reads
        // that any more: whatever had something to say would end of it.
        let log = log.log_internal_errors(false);
        // Refused means that there is one.
        drop(log.try_init());
    }

    pub(crate) fn reopen(&self) {
        if let End::File(file) = &self.end {
            file.reopen();
        }
    }

    /// Says each second what was counted.
    pub(crate) async fn sum_up_each_second(&self) {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            self.sum_up();
        }
    }

    /// Says what was counted and not said.
    pub(crate) fn sum_up(&self) {
        let counted = self.repeats.lock().unwrap_or_else(PoisonError::into_inner).turn();
        for line in counted {
            self.write(&line);
        }
    }

    /// Waits a moment for a reader who is behind.
    pub(crate) fn finish(&self) {
        match &self.end {
            End::File(file) => file.finish(),
            End::Stderr(_) => {}
            End::Outlet(outlet) => outlet.finish(),
        }
    }

    fn write(&self, line: &[u8]) {
        match &self.end {
            // Where nothing can be said, that cannot be said either.
            End::File(file) => drop(file.write(line)),
            End::Stderr(file) => drop((&**file).write_all(line)),
            End::Outlet(outlet) => outlet.write(line.to_vec()),
        }
    }
}

/// Standard error without the lock that others wait for.
pub(crate) fn stderr() -> io::Result<File> {
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

impl<'a> MakeWriter<'a> for ErrorLog {
    type Writer = Writer<'a>;

    fn make_writer(&'a self) -> Writer<'a> {
        Writer { log: self, kind: None }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Writer<'a> {
        let is_trouble = *about.level() <= tracing::Level::WARN;
        Writer { log: self, kind: is_trouble.then(|| about.callsite()) }
    }
}

/// Takes one line.
pub(crate) struct Writer<'a> {
    log: &'a ErrorLog,
    /// Of lines that may repeat themselves without end.
    kind: Option<Identifier>,
}

impl Write for Writer<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_said = self
            .kind
            .take()
            .is_none_or(|kind| self.log.repeats.lock().unwrap_or_else(PoisonError::into_inner).admit(kind, line));
        if is_said {
            self.log.write(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
