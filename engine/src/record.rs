//! `Record`: what one line says, header and message apart. The one thing that flows on from here.

use serde::{Deserialize, Serialize};

/// How bad a line says it is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Finest detail.
    Trace,
    /// For developers.
    Debug,
    /// Normal.
    Info,
    /// Normal, but worth a look.
    Notice,
    /// Something may go wrong.
    Warn,
    /// Something went wrong.
    Error,
    /// The program or a part of it cannot go on (fatal, critical, alert, emergency, panic).
    Fatal,
}

impl Level {
    /// The name, in lower case, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// What a line begins with that tells whether it begins an event; what tells more comes later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Onset {
    /// Neither time nor level.
    #[default]
    Bare,
    /// A level.
    Level,
    /// A time that does not say which day it was: one of day, or since the start.
    Clock,
    /// A time.
    Time,
}

impl Onset {
    /// Of a line that has these.
    pub(crate) fn of(time: Option<i64>, level: Option<Level>) -> Self {
        let undated = if level.is_some() { Self::Level } else { Self::Bare };
        undated.or_time(time)
    }

    /// The same where the line has a time.
    pub(crate) fn or_time(self, time: Option<i64>) -> Self {
        if time.is_some() { Self::Time } else { self }
    }
}

/// One line, its header read and split off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Milliseconds since the epoch, UTC where the line names no zone.
    pub time: Option<i64>,
    /// The level the line names.
    pub level: Option<Level>,
    /// What it begins with.
    pub onset: Onset,
    /// The rest: what is masked and clustered.
    pub message: &'a [u8],
}

impl Record<'_> {
    /// Read from the message of another line, which says what this does not.
    pub(crate) fn within(self, outer: &Record<'_>) -> Self {
        let (time, level) = (self.time.or(outer.time), self.level.or(outer.level));
        Self { time, level, onset: self.onset.max(outer.onset), ..self }
    }
}
