//! What the balancer says of itself: to standard error or to a file, from a level on. What goes wrong again and again, as with
//! a backend that is dead, is said a few times in a second and then counted, so that it fills no disk. Where a program that
//! embeds it has set up something already, that stays.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use tokio::time::interval;
use tracing::{Metadata, callsite::Identifier};
use tracing_subscriber::{filter::LevelFilter, fmt, fmt::MakeWriter};

use self::repeats::Repeats;
use crate::log_file::{Contents, LogFile};

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

/// What its file is full of.
const CONTENTS: Contents =
    Contents { name: "error log", queue: 4096, note: Some(|lost| format!("({lost} lines left out here)")) };

/// The log.
#[derive(Debug, Clone)]
pub(crate) struct ErrorLog {
    file: Arc<LogFile>,
    colours: bool,
    /// By the place in the source that says it.
    repeats: Arc<Mutex<Repeats<Identifier>>>,
}

impl ErrorLog {
    /// Standard error without a path.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = Arc::new(LogFile::open(path, CONTENTS)?);
        let colours = path.is_none() && io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Ok(Self { file, colours, repeats: Arc::default() })
    }

    /// From now on everything goes there.
    pub(crate) fn begin(&self, level: Level) {
        let most = match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        let log = fmt().with_writer(self.clone()).with_target(false).with_ansi(self.colours).with_max_level(most);
        // A line that cannot be written is lost. The library would say so on standard error, and panic where nobody reads
        // that any more: whatever had something to say would end of it.
        let log = log.log_internal_errors(false);
        // Refused means that there is one.
        drop(log.try_init());
    }

    pub(crate) fn reopen(&self) {
        self.file.reopen();
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
        self.file.finish();
    }

    fn write(&self, line: &[u8]) {
        // Where nothing can be said, that cannot be said either.
        drop(self.file.write(line));
    }
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
