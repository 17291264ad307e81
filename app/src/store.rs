//! `Store`: reports and jobs, shared by all instances. Owns the rows and the rules of a claim; SQL lives only in the
//! files below. Bytes (uploads, results) are not here but in [`crate::blobs`].

use std::{fmt, path::Path, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use logkin_engine::{Rules, Settings, report::Totals, rules::Mistakes};
use serde::{Deserialize, Serialize};

use crate::{clock::Clock, mark::Mark};

mod sqlite;

/// Opens the store of a data directory, bringing it up to date; any number of instances may do so at once.
pub async fn open(data_dir: &Path) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(sqlite::Sqlite::open(data_dir).await?))
}

/// Reports and jobs. Every verb is one transaction.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Answers when the store can be read, and is still the one that was opened.
    async fn ping(&self) -> Result<()>;

    /// Keeps a new report and queues its job.
    async fn create(&self, report: &NewReport) -> Result<()>;

    /// A report, if there is one.
    async fn report(&self, id: &ReportId) -> Result<Option<ReportRow>>;

    /// Reports newest first, at most `limit` of those older than `after`, and how many there are in all.
    async fn reports(&self, after: Option<&Position>, limit: u32) -> Result<(Vec<ReportRow>, u64)>;

    /// Forgets a report and its job; `false` when there was none. Whoever works on it finds out at the next heartbeat.
    async fn delete(&self, id: &ReportId) -> Result<bool>;

    /// Takes the oldest job that nobody holds or whose lease ran out, for as long as `lasts` from when it is granted.
    async fn claim(&self, owner: &str, clock: &Clock, lasts: Duration) -> Result<Option<Claim>>;

    /// Prolongs a lease and tells how far the work is; `false` when the job is no longer the lease's.
    async fn heartbeat(&self, lease: &Lease, clock: &Clock, lasts: Duration, progress: JobProgress) -> Result<bool>;

    /// Takes back the death that was counted when a lease ran out: its holder lives and could only not say so in time.
    /// To be told once.
    async fn outlive(&self, lease: &Lease) -> Result<()>;

    /// Gives a job back unfinished, for the next one at once; `false` when it is no longer the lease's.
    async fn give_back(&self, lease: &Lease) -> Result<bool>;

    /// Ends a job with a result; `false` (and nothing changed) when it is no longer the lease's.
    async fn finish(&self, lease: &Lease, now_ms: i64, outcome: &Outcome) -> Result<bool>;

    /// Ends a job without a result; `false` (and nothing changed) when it is no longer the lease's.
    async fn fail(&self, lease: &Lease, now_ms: i64, error: &str) -> Result<bool>;

    /// Frees what an earlier process of the same name still holds; how many jobs that was.
    async fn release(&self, owner: &str) -> Result<u64>;

    /// How many jobs are waiting and running.
    async fn queue(&self) -> Result<Queue>;

    /// Ends the connections; nothing may be asked afterwards.
    async fn close(&self);
}

/// What a store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// The store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {source}")]
pub struct Error {
    /// What was asked.
    pub action: &'static str,
    /// Whether there was no room left to write.
    pub is_full: bool,
    /// What the database said.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A report's name in URLs: 32 hexadecimal digits, 122 of their bits random, so that nobody finds one by guessing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReportId(String);

/// Not the form of a report id.
#[derive(Debug, thiserror::Error)]
#[error("not a report id")]
pub struct BadId;

/// Where the bytes of an input are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Shown to the user.
    pub name: String,
    /// Bytes as they lie on the disk, compressed where they are.
    pub bytes: u64,
    /// Where they are.
    pub place: Place,
}

/// The kinds of origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Among our own blobs: an upload.
    Upload,
    /// Among our own blobs: a copy of a sample log that came with the program.
    Sample,
    /// A file of the user's, resolved; it stays where it is.
    Path(PathBuf),
}

/// What is kept of [`Settings`]: with the bytes, all that decides what the report says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSettings {
    /// See [`Settings::similarity`].
    pub similarity: f64,
    /// See [`Settings::max_line_bytes`].
    pub max_line_bytes: usize,
    /// See [`Settings::max_shapes`].
    pub max_shapes: usize,
    /// See [`Settings::reference_time`]; fixed when the report is created.
    pub reference_time: i64,
    /// File and text of the rules that the service had when the report was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<(String, String)>,
}

/// A report about to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewReport {
    /// Fresh.
    pub id: ReportId,
    /// For people.
    pub name: String,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
    /// What to read, in order.
    pub origins: Vec<Origin>,
    /// How to read it.
    pub settings: JobSettings,
}

/// A report as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportRow {
    /// As given.
    pub report: NewReport,
    /// What became of it.
    pub state: State,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nobody works on it yet.
    Queued,
    /// An instance works on it, as far as this.
    Running(JobProgress),
    /// Finished.
    Done {
        /// When, milliseconds since the epoch.
        finished_ms: i64,
        /// Which attempt's files are the result.
        attempt: i64,
        /// Its summary.
        outcome: Outcome,
    },
    /// Given up.
    Failed {
        /// When, milliseconds since the epoch.
        finished_ms: i64,
        /// Why, for a person.
        error: String,
    },
}

/// What the database keeps of a result; the rest is in the blobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// As in the report.
    pub totals: Totals,
    /// One mark per origin: what it looked like when it was read; `None` for our own blobs, which do not change.
    pub marks: Vec<Option<Mark>>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobProgress {
    /// Bytes read of the inputs as they lie on the disk.
    pub bytes_read: u64,
    /// Bytes there are; 0 when not known.
    pub bytes_total: u64,
    /// Lines so far.
    pub lines: u64,
}

/// The right to work on a job, until it runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose job it is.
    pub report: ReportId,
    /// Who holds it.
    pub owner: String,
    /// The fencing token: a later claim has a higher one, and only the highest may write.
    pub attempt: i64,
}

/// A job just taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The right to it.
    pub lease: Lease,
    /// What to do.
    pub report: NewReport,
    /// How many instances ended, other than by giving it back, while they held it.
    pub deaths: u32,
}

/// How many jobs there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queue {
    /// Held by nobody.
    pub waiting: u64,
    /// Held.
    pub running: u64,
}

/// A place in the list of reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Creation of the last one seen.
    pub created_ms: i64,
    /// Its id.
    pub id: ReportId,
}

impl ReportId {
    /// A fresh one.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ReportId {
    type Err = BadId;

    fn from_str(text: &str) -> std::result::Result<Self, BadId> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 32 && text.bytes().all(is_hex) { Ok(Self(text.to_owned())) } else { Err(BadId) }
    }
}

impl ReportRow {
    /// Its place in the list of reports.
    pub fn position(&self) -> Position {
        Position { created_ms: self.report.created_ms, id: self.report.id.clone() }
    }
}

impl JobSettings {
    /// The engine's defaults, with times read against the moment of creation.
    pub fn at(created_ms: i64) -> Self {
        let Settings { similarity, max_line_bytes, max_shapes, .. } = Settings::default();
        Self { similarity, max_line_bytes, max_shapes, reference_time: created_ms.div_euclid(1000), rules: None }
    }

    /// As the engine takes them; an error is what is wrong with the rules, which a later version may see otherwise.
    pub fn for_engine(&self) -> std::result::Result<Settings, Mistakes> {
        let rules = self.rules.as_ref().map(|(file, text)| Rules::parse(file, text)).transpose()?;
        Ok(Settings {
            rules: rules.map(Arc::new),
            threads: None,
            gives_way: true,
            similarity: self.similarity,
            max_line_bytes: self.max_line_bytes,
            max_shapes: self.max_shapes,
            reference_time: self.reference_time,
            ..Settings::default()
        })
    }
}
