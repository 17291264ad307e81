//! `Shelf`: finished reports, read from the blobs and kept in memory up to a bound, and the lines behind their clusters.
//! Holds nothing that is not in the blobs, so any instance answers for any report.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use logkin_engine::{
    Hierarchy, Report,
    recording::{LineAt, Recording},
    report::{
        Cluster,
        explain::{Explanation, Unexplained},
    },
};
use quick_cache::{Weighter, sync::Cache};
use tokio::task::spawn_blocking;

use crate::{
    blobs::{Blobs, Key, Part},
    mark,
    roots::{self, Roots},
    store::{NewReport, Outcome, Place, ReportId},
};

/// Bytes of reports kept in memory, as they lie on the disk; the newest asked for is kept even when it is larger.
const CACHE_BYTES: u64 = 48 << 20;

/// Reports expected in the cache; only a hint for its table.
const CACHE_ITEMS: usize = 100;

/// Bytes of one line that are shown; the rest is counted and left out.
pub const MAX_SHOWN_BYTES: u64 = 16 << 10;

/// Finished reports.
pub struct Shelf {
    blobs: Blobs,
    roots: Roots,
    cache: Cache<View, Arc<Bound>, ByBytes>,
}

/// The result of an attempt, at a similarity in thousandths or as the analysis gave it.
type View = (ReportId, i64, Option<u16>);

/// A report with the way to find its clusters.
pub struct Bound {
    /// The report.
    pub report: Report,
    positions: HashMap<String, usize>,
    bytes: u64,
}

/// One line, as bytes: it may hold anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Position of its input in the report.
    pub input: usize,
    /// Number in its input, from 1.
    pub number: u64,
    /// Its bytes without the line end, at most [`MAX_SHOWN_BYTES`] of them.
    pub text: Vec<u8>,
    /// Its bytes in all.
    pub bytes: u64,
}

/// A result could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file the lines are in is not what it was.
    #[error(transparent)]
    Changed(#[from] mark::Error),
    /// The file the lines are in may not or cannot be opened any more.
    #[error("the lines cannot be shown any more: {0}")]
    Path(#[from] roots::Error),
    /// The report was deleted meanwhile.
    #[error("the result is gone")]
    Gone,
    /// The result is damaged.
    #[error("cannot read the result from the data directory: {0}")]
    Disk(#[source] io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Gone } else { Self::Disk(error) }
    }
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<View, Arc<Bound>> for ByBytes {
    fn weight(&self, _: &View, bound: &Arc<Bound>) -> u64 {
        bound.bytes.clamp(1, CACHE_BYTES / 2)
    }
}

impl Bound {
    /// The cluster of this id.
    pub fn cluster(&self, id: &str) -> Option<&Cluster> {
        self.positions.get(id).map(|at| &self.report.clusters[*at])
    }
}

impl Shelf {
    /// An empty shelf over these blobs; lines may also be read from files under these roots.
    pub fn new(blobs: Blobs, roots: Roots) -> Self {
        Self { blobs, roots, cache: Cache::with_weighter(CACHE_ITEMS, CACHE_BYTES, ByBytes) }
    }

    /// The result of an attempt, at a similarity in thousandths or as the analysis gave it.
    pub async fn report(&self, id: &ReportId, attempt: i64, similarity: Option<u16>) -> Result<Arc<Bound>, Error> {
        let view = (id.clone(), attempt, similarity);
        self.cache.get_or_insert_async(&view, self.read(view.clone())).await
    }

    /// Why the lines of a cluster are together.
    pub async fn explain(
        &self,
        id: &ReportId,
        attempt: i64,
        cluster: String,
        similarity: f64,
    ) -> Result<Result<Explanation, Unexplained>, Error> {
        let hierarchy = self.blobs.path(&Key::Result(id.clone(), attempt, Part::Hierarchy));
        blocking(move || Ok(Hierarchy::read(File::open(hierarchy)?)?.explain(&cluster, similarity))).await
    }

    /// Lines of a cluster in input order: `limit` of them after the first `skip`.
    pub async fn lines(
        &self,
        done: (&NewReport, i64, &Outcome),
        cluster: &Cluster,
        skip: u64,
        limit: usize,
    ) -> Result<Vec<Line>, Error> {
        let (report, attempt, outcome) = done;
        let (blobs, roots, shapes) = (self.blobs.clone(), self.roots.clone(), cluster.shapes.clone());
        let (report, outcome) = (report.clone(), outcome.clone());
        blocking(move || {
            let key = |part| Key::Result(report.id.clone(), attempt, part);
            let mut recording = Recording::open(blobs.file(&key(Part::Labels))?, blobs.file(&key(Part::Text))?)?;
            let found = recording.lines(&shapes, skip, limit)?;
            let mut inputs: Vec<Option<File>> = report.origins.iter().map(|_| None).collect();
            let open = |input: usize| open(&blobs, &roots, (&report, &outcome), input);
            found.into_iter().map(|at| line(open, &mut recording, &mut inputs, at)).collect()
        })
        .await
    }

    async fn read(&self, (id, attempt, similarity): View) -> Result<Arc<Bound>, Error> {
        let key = |part| Key::Result(id.clone(), attempt, part);
        let (report, hierarchy) = (self.blobs.path(&key(Part::Report)), self.blobs.path(&key(Part::Hierarchy)));
        blocking(move || {
            let json = std::fs::read(report)?;
            let mut report: Report = serde_json::from_slice(&json).map_err(io::Error::from)?;
            if let Some(thousandths) = similarity {
                report = Hierarchy::read(File::open(hierarchy)?)?.cut(f64::from(thousandths) / 1000.0);
            }
            let positions = report.clusters.iter().enumerate().map(|(at, c)| (c.id.0.clone(), at)).collect();
            Ok(Arc::new(Bound { report, positions, bytes: json.len() as u64 }))
        })
        .await
    }
}

/// The bytes of a line: from the recorded text, or where they lie.
fn line<L: Read + Seek, T: Read + Seek>(
    open: impl Fn(usize) -> Result<File, Error>,
    recording: &mut Recording<L, T>,
    inputs: &mut [Option<File>],
    at: LineAt,
) -> Result<Line, Error> {
    let input = usize::try_from(at.input).unwrap_or(usize::MAX);
    let shown = at.length.min(MAX_SHOWN_BYTES);
    let size = usize::try_from(shown).expect("a shown line fits memory");
    let text = match recording.text(at)? {
        Some(mut text) => {
            text.truncate(size);
            text
        }
        None => {
            let slot = inputs.get_mut(input).ok_or_else(|| io::Error::other("a line of an unknown input"))?;
            let file = match slot {
                Some(file) => file,
                None => slot.insert(open(input)?),
            };
            file.seek(SeekFrom::Start(at.offset))?;
            let mut text = vec![0; size];
            file.read_exact(&mut text)?;
            text
        }
    };
    Ok(Line { input, number: at.number, text, bytes: at.length })
}

/// Opens an input. A path is checked again: the roots may be others now, and so may the file.
fn open(blobs: &Blobs, roots: &Roots, done: (&NewReport, &Outcome), input: usize) -> Result<File, Error> {
    let (report, outcome) = done;
    let Place::Path(path) = &report.origins[input].place else {
        return Ok(blobs.file(&Key::Input(report.id.clone(), input))?);
    };
    let shown = path.display().to_string();
    let file = roots.file(&shown)?.file;
    if let Some(Some(mark)) = outcome.marks.get(input) {
        mark.check(&file, &shown)?;
    }
    Ok(file)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|stopped| Err(Error::Disk(io::Error::other(stopped))))
}
