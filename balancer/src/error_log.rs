//! What the balancer says of itself: to standard error or to a file, from a level on. Where a program that embeds it has
//! set up something already, that stays.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    sync::Arc,
};

use serde::Deserialize;
use tracing_subscriber::{filter::LevelFilter, fmt, fmt::MakeWriter};

use crate::log_file::LogFile;

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

/// The log.
#[derive(Debug, Clone)]
pub(crate) struct ErrorLog(Option<Arc<LogFile>>);

impl ErrorLog {
    /// Standard error without a path.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(|path| LogFile::open(path, "error log")).transpose()?;
        Ok(Self(file.map(Arc::new)))
    }

    /// From now on everything goes there.
    pub(crate) fn begin(&self, level: Level) {
        let most = match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        let is_terminal = self.0.is_none() && io::stderr().is_terminal();
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none();
        let log = fmt().with_writer(self.clone()).with_target(false).with_ansi(colours).with_max_level(most);
        // Refused means that there is one.
        drop(log.try_init());
    }

    pub(crate) fn reopen(&self) {
        if let Some(file) = &self.0 {
            file.reopen();
        }
    }
}

impl<'a> MakeWriter<'a> for ErrorLog {
    type Writer = Writer<'a>;

    fn make_writer(&'a self) -> Writer<'a> {
        Writer(self.0.as_deref())
    }
}

/// Takes one line.
pub(crate) struct Writer<'a>(Option<&'a LogFile>);

impl Write for Writer<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0 {
            Some(file) => file.write(line).map(|()| line.len()),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
