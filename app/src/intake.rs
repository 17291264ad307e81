//! `Intake`: from what a person gives (an upload, a path, a sample) to a queued report. Owns the order that makes it
//! safe: bytes to a draft as they arrive, durable, renamed; only then a row; only then the answer.

use std::{
    fmt, io,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use logkin_engine::Rules;
use tokio::{task::spawn_blocking, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{
    blobs::{Blobs, Draft, Key},
    clock::Clock,
    output::visible,
    roots::{self, Opened, Roots},
    samples,
    store::{self, JobSettings, NewReport, Origin, Place, ReportId, Store},
};

/// Bytes of an upload held in memory before they are written.
const PIECE_BYTES: usize = 1 << 20;

/// How long an upload may send nothing before it is given up.
const IDLE: Duration = Duration::from_secs(60);

/// Files of one report.
pub const MAX_FILES: usize = 100;

/// Characters of a name that are kept.
const MAX_NAME_CHARS: usize = 200;

/// Takes in what is to be analysed.
#[derive(Clone)]
pub struct Intake {
    blobs: Blobs,
    store: Arc<dyn Store>,
    roots: Roots,
    clock: Clock,
    rules: Option<Arc<Rules>>,
    tasks: TaskTracker,
}

/// A report whose files are still arriving. Dropped before [`Arrival::queue`], all it has brought is removed.
pub struct Arrival {
    intake: Intake,
    folder: Arc<Folder>,
    origins: Vec<Origin>,
}

/// What an arrival has brought, shared with whoever still writes into it: the last one out removes it, unless it is kept.
struct Folder {
    blobs: Blobs,
    id: ReportId,
    is_kept: AtomicBool,
}

/// What was given could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No room on the disk.
    #[error(
        "there is no room left on the disk of the data directory; nothing of the upload was kept; free some space or delete old reports"
    )]
    NoRoom,
    /// The client went away or sent less than it announced.
    #[error(
        "the upload ended before it was complete ({received} bytes had come); nothing of it was kept; send it again"
    )]
    Incomplete {
        /// How far it came.
        received: u64,
        /// What the connection said.
        reason: String,
    },
    /// The client sent nothing for too long.
    #[error("the upload sent nothing for {} seconds; nothing of it was kept; send it again", IDLE.as_secs())]
    Idle,
    /// A form without a file.
    #[error("no file was chosen; choose a log file and send it again")]
    Nothing,
    /// A folder without a file to read.
    #[error("{folder} holds no file to read; hidden and empty files, links, pipes and devices are passed over")]
    Empty {
        /// As typed.
        folder: String,
    },
    /// More files than a report takes.
    #[error("more than {MAX_FILES} files in one report; send fewer, or pack them into reports of their own")]
    TooMany,
    /// Not a sample of ours.
    #[error("there is no sample log called {name}; there are {}", names())]
    NoSample {
        /// As asked.
        name: String,
    },
    /// A path that may not or cannot be opened.
    #[error(transparent)]
    Path(#[from] roots::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The disk.
    #[error("cannot write to the data directory: {0}")]
    Disk(#[source] io::Error),
}

fn names() -> String {
    samples::all().iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::NoRoom,
            _ => Self::Disk(error),
        }
    }
}

impl Intake {
    /// Takes in to these blobs and this store, from these roots.
    pub fn new(blobs: Blobs, store: Arc<dyn Store>, roots: Roots, clock: Clock) -> Self {
        Self { blobs, store, roots, clock, rules: None, tasks: TaskTracker::new() }
    }

    /// The same, for reports that are made with these rules.
    #[must_use]
    pub fn with_rules(self, rules: Option<Arc<Rules>>) -> Self {
        Self { rules, ..self }
    }

    fn settings(&self, created_ms: i64) -> JobSettings {
        let rules = self.rules.as_ref().map(|rules| (rules.file().to_owned(), rules.text().to_owned()));
        JobSettings { rules, ..JobSettings::at(created_ms) }
    }

    /// Begins a report whose files arrive one after the other.
    pub fn arrival(&self) -> Arrival {
        let folder = Folder { blobs: self.blobs.clone(), id: ReportId::random(), is_kept: AtomicBool::new(false) };
        Arrival { intake: self.clone(), folder: Arc::new(folder), origins: Vec::new() }
    }

    /// A report on a file, or all files below a folder, that stay where they are.
    pub async fn path(&self, typed: &str) -> Result<NewReport, Error> {
        let (roots, typed) = (self.roots.clone(), typed.to_owned());
        let (asked, at) = (roots.clone(), typed.clone());
        if blocking(move || Ok::<_, Error>(asked.is_folder(&at))).await? {
            return self.folder(typed).await;
        }
        let Opened { path, meta, .. } = blocking(move || roots.file(&typed)).await?;
        let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let mut arrival = self.arrival();
        arrival.origins.push(Origin { name: shown_name(&name), bytes: meta.len(), place: Place::Path(path) });
        arrival.queue().await
    }

    async fn folder(&self, typed: String) -> Result<NewReport, Error> {
        let roots = self.roots.clone();
        let shown = typed.clone();
        let files = blocking(move || roots.below(&typed)).await?;
        if files.is_empty() {
            return Err(Error::Empty { folder: shown });
        }
        if files.len() > MAX_FILES {
            return Err(Error::TooMany);
        }
        let mut arrival = self.arrival();
        for (name, path, bytes) in files {
            let name: String = visible(&name).chars().take(MAX_NAME_CHARS).collect();
            arrival.origins.push(Origin { name, bytes, place: Place::Path(path) });
        }
        arrival.queue().await
    }

    /// A report on a copy of a sample log, from here on the same as an upload.
    pub async fn sample(&self, name: &str) -> Result<NewReport, Error> {
        let bytes = samples::bytes(name).ok_or_else(|| Error::NoSample { name: name.to_owned() })?;
        let bytes = Bytes::from(bytes.into_owned());
        let mut arrival = self.arrival();
        arrival.take(name, Place::Sample, futures_util::stream::iter([Ok::<_, io::Error>(bytes)])).await?;
        arrival.queue().await
    }
}

impl Arrival {
    /// Takes one file in as it arrives, in bounded memory.
    pub async fn file<E: fmt::Display>(
        &mut self,
        name: &str,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), Error> {
        self.take(name, Place::Upload, body).await
    }

    /// How many files came.
    pub fn files(&self) -> usize {
        self.origins.len()
    }

    /// Keeps the report and queues its analysis. Once begun it is carried through, even if nobody waits for it any more:
    /// bytes and row are there both or neither.
    pub async fn queue(self) -> Result<NewReport, Error> {
        let kept = self.intake.tasks.clone().spawn(self.keep()).await;
        kept.unwrap_or_else(|stopped| Err(Error::Disk(io::Error::other(stopped))))
    }

    async fn keep(mut self) -> Result<NewReport, Error> {
        let origins = std::mem::take(&mut self.origins);
        let first = origins.first().ok_or(Error::Nothing)?;
        let name = match origins.len() {
            1 => first.name.clone(),
            n => format!("{} and {} more", first.name, n - 1),
        };
        let (id, created_ms) = (self.folder.id.clone(), self.intake.clock.now_ms());
        let report = NewReport { id, name, created_ms, origins, settings: self.intake.settings(created_ms) };
        // Kept before there is a row: cut off here, bytes without a row are swept later, a row without bytes is a loss.
        self.folder.is_kept.store(true, Relaxed);
        if let Err(error) = self.intake.store.create(&report).await {
            self.folder.is_kept.store(false, Relaxed);
            return Err(if error.is_full { Error::NoRoom } else { error.into() });
        }
        tracing::info!(report = %report.id, bytes = report.origins.iter().map(|o| o.bytes).sum::<u64>(),
            "report {} queued", report.id);
        Ok(report)
    }

    async fn take<E: fmt::Display>(
        &mut self,
        name: &str,
        place: Place,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), Error> {
        if self.origins.len() == MAX_FILES {
            return Err(Error::TooMany);
        }
        let blobs = self.intake.blobs.clone();
        let mut draft = blocking(move || blobs.draft()).await?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        loop {
            let is_last = fill(&mut piece, &mut body, draft.bytes()).await?;
            (draft, piece) = blocking(move || write(draft, piece)).await?;
            if is_last {
                break;
            }
        }
        let (folder, position) = (self.folder.clone(), self.origins.len());
        let bytes = blocking(move || draft.commit(&Key::Input(folder.id.clone(), position))).await?;
        self.origins.push(Origin { name: shown_name(name), bytes, place });
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept.load(Relaxed)
            && let Err(error) = self.blobs.remove(&self.id)
        {
            tracing::warn!(report = %self.id, %error, "cannot remove what an unfinished upload left");
        }
    }
}

/// Fills a piece from a body; whether that was the last. Copied together, so that a body of one-byte chunks takes no
/// more memory than another.
async fn fill<E: fmt::Display>(
    piece: &mut Vec<u8>,
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    before: u64,
) -> Result<bool, Error> {
    piece.clear();
    while piece.len() < PIECE_BYTES {
        match timeout(IDLE, body.next()).await.map_err(|_| Error::Idle)? {
            Some(Ok(chunk)) => piece.extend_from_slice(&chunk),
            Some(Err(reason)) => {
                let received = before + piece.len() as u64;
                return Err(Error::Incomplete { received, reason: reason.to_string() });
            }
            None => return Ok(true),
        }
    }
    Ok(false)
}

fn write(mut draft: Draft, piece: Vec<u8>) -> io::Result<(Draft, Vec<u8>)> {
    draft.write_all(&piece)?;
    Ok((draft, piece))
}

/// The last part of a name as a client gave it, cut to a length that fits a page, with what would turn or hide the text
/// around it made visible.
fn shown_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    if name.trim().is_empty() { "upload".to_owned() } else { visible(&name).into_owned() }
}

async fn blocking<T: Send + 'static, E: Into<Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Error> {
    match spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(stopped) => Err(Error::Disk(io::Error::other(stopped))),
    }
}
