//! `Jobs`: one analysis at a time, taken from the store with a lease. Safe to run twice: an attempt writes under its own
//! number and only the holder of the latest lease may publish. When its owner dies, the lease runs out and another
//! instance takes the job over; the bytes and settings are the same, so is the result.

use std::{
    io::{self, BufWriter, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use logkin_engine::{Input, Progress, Recorder, gather};
use rayon::ThreadPool;
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{
    blobs::{Blobs, Draft, Key, Part},
    clock::Clock,
    mark::{self, Mark},
    metrics::Metrics,
    roots::{self, Opened, Roots},
    shutdown::Shutdown,
    store::{self, Claim, JobProgress, Lease, NewReport, Outcome, Place, Store},
};

/// How much less often than the rest of the program the threads of an analysis run, in steps of nice(2).
const NICENESS: i32 = 10;

/// Instances a job may bring down before it is given up: enough that a person who kills them in turn does not lose the
/// report, few enough that a job which kills them itself does not go round for ever.
pub const MAX_DEATHS: u32 = 10;

/// The rhythm of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// How long a claim holds without a heartbeat.
    pub lease: Duration,
    /// From one heartbeat to the next, up to a fifth more or less.
    pub heartbeat: Duration,
    /// From one look at the queue to the next, up to a fifth more or less.
    pub poll: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { lease: Duration::from_secs(5), heartbeat: Duration::from_secs(1), poll: Duration::from_millis(400) }
    }
}

/// What the jobs of an instance work with.
#[derive(Clone)]
pub struct Bench {
    /// The queue.
    pub store: Arc<dyn Store>,
    /// Inputs and results.
    pub blobs: Blobs,
    /// What may be opened.
    pub roots: Roots,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The worker of one instance.
pub struct Jobs {
    bench: Bench,
    owner: String,
    rhythm: Rhythm,
    pool: Arc<ThreadPool>,
    wake: Arc<Notify>,
}

/// What became of one look at the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing to do.
    Idle,
    /// A result was published.
    Finished,
    /// A report was given up.
    Failed,
    /// The job went back to the queue, because this instance stops.
    GivenBack,
    /// The job was another's by the end, or its report was deleted.
    Lost,
}

/// Why an attempt has no result.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Engine(#[from] logkin_engine::Error),
    #[error(transparent)]
    Path(#[from] roots::Error),
    #[error(transparent)]
    Changed(#[from] mark::Error),
    #[error(transparent)]
    Rules(#[from] logkin_engine::rules::Mistakes),
    #[error("cannot write the result: {0}")]
    Disk(#[from] io::Error),
    #[error("the analysis broke down; this is a bug in logkin, please report it with the first lines of the log")]
    Panic,
}

/// How an attempt ended.
enum End {
    Result(Outcome),
    Problem(Error),
    Stopping,
    Lost,
}

impl Jobs {
    /// A worker under this name, with a pool of threads of its own that yield to those who answer requests.
    pub fn new(bench: Bench, owner: &str, rhythm: Rhythm) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|n| format!("analysis-{n}"))
            .start_handler(|_| {
                // On Linux this is the thread's own niceness. Refused, the analysis is only less polite.
                let _ = rustix::process::setpriority_process(None, NICENESS);
            })
            .build()?;
        Ok(Self { bench, owner: owner.to_owned(), rhythm, pool: Arc::new(pool), wake: Arc::new(Notify::new()) })
    }

    /// Wakes the worker when this instance has queued a job.
    pub fn waker(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    /// Works until the shutdown; a job begun is given back.
    pub async fn run(self, shutdown: Shutdown) {
        match self.bench.store.release(&self.owner).await {
            Ok(0) => {}
            Ok(jobs) => tracing::info!(jobs, "released {jobs} jobs held by an earlier process of this name"),
            Err(error) => tracing::warn!(%error, "cannot release old leases, they will run out: {error}"),
        }
        while !shutdown.has_begun() {
            match self.step(&shutdown).await {
                Ok(Step::Idle) => {}
                Ok(_) => continue,
                Err(error) => tracing::warn!(%error, "the queue cannot be read, trying again: {error}"),
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep(jitter(self.rhythm.poll)) => {}
                () = shutdown.begun() => {}
            }
        }
    }

    /// Looks at the queue once and does the job it finds.
    pub async fn step(&self, shutdown: &Shutdown) -> store::Result<Step> {
        let claim = self.bench.store.claim(&self.owner, &self.bench.clock, self.rhythm.lease).await?;
        let Some(claim) = claim else { return Ok(Step::Idle) };
        let (report, attempt) = (&claim.lease.report, claim.lease.attempt);
        tracing::info!(%report, attempt, deaths = claim.deaths, "analysing report {report}, attempt {attempt}");
        if claim.deaths >= MAX_DEATHS {
            let error = format!(
                "the analysis was given up: {MAX_DEATHS} instances ended while they were at it; \
                 the file may need more memory than there is"
            );
            return self.give_up(&claim.lease, &error).await;
        }
        match self.attempt(&claim, shutdown).await {
            End::Result(outcome) => self.publish(&claim.lease, &outcome).await,
            End::Problem(error) => self.give_up(&claim.lease, &error.to_string()).await,
            End::Stopping => {
                self.discard(&claim.lease);
                self.bench.store.give_back(&claim.lease).await?;
                tracing::info!(%report, attempt, "gave report {report} back to the queue");
                Ok(Step::GivenBack)
            }
            End::Lost => Ok(self.lost(&claim.lease).await),
        }
    }

    /// Runs the engine beside the heartbeat.
    async fn attempt(&self, claim: &Claim, shutdown: &Shutdown) -> End {
        let progress = Arc::new(Progress::default());
        let work = {
            let (bench, pool, progress) = (self.bench.clone(), self.pool.clone(), progress.clone());
            let (lease, report) = (claim.lease.clone(), claim.report.clone());
            move || pool.install(|| guarded(|| analyse(&bench, &lease, &report, &progress)))
        };
        let (mut is_lost, mut is_stopping) = (false, shutdown.has_begun());
        if is_stopping {
            progress.cancel();
        }
        let mut work = spawn_blocking(work);
        loop {
            tokio::select! {
                result = timeout(jitter(self.rhythm.heartbeat), &mut work) => match result {
                    Ok(Ok(Ok(outcome))) => return End::Result(outcome),
                    Ok(_) if is_lost => return End::Lost,
                    Ok(Ok(Err(Error::Engine(logkin_engine::Error::Cancelled)))) if is_stopping => return End::Stopping,
                    Ok(Ok(Err(error))) => return End::Problem(error),
                    Ok(Err(_)) => return End::Problem(Error::Panic),
                    Err(_) => is_lost |= !self.heartbeat(&claim.lease, &progress).await,
                },
                () = shutdown.begun(), if !is_stopping => is_stopping = true,
            }
            if is_lost || is_stopping {
                progress.cancel();
            }
        }
    }

    /// Whether the job is still ours. A store that does not answer now may do so before the lease runs out.
    async fn heartbeat(&self, lease: &Lease, progress: &Progress) -> bool {
        let far = JobProgress {
            bytes_read: progress.bytes_read.load(Relaxed),
            bytes_total: progress.bytes_total.load(Relaxed),
            lines: progress.lines.load(Relaxed),
        };
        match self.bench.store.heartbeat(lease, &self.bench.clock, self.rhythm.lease, far).await {
            Ok(is_ours) => is_ours,
            Err(error) => {
                tracing::warn!(report = %lease.report, %error, "heartbeat failed, trying again: {error}");
                true
            }
        }
    }

    async fn publish(&self, lease: &Lease, outcome: &Outcome) -> store::Result<Step> {
        if !self.bench.store.finish(lease, self.bench.clock.now_ms(), outcome).await? {
            return Ok(self.lost(lease).await);
        }
        let report = &lease.report;
        if let Err(error) = self.bench.blobs.keep_only(report, lease.attempt) {
            tracing::warn!(%report, %error, "cannot remove what earlier attempts left: {error}");
        }
        self.bench.metrics.job("finished");
        tracing::info!(%report, lines = outcome.totals.lines, clusters = outcome.totals.clusters,
            "report {report} is done");
        Ok(Step::Finished)
    }

    async fn give_up(&self, lease: &Lease, error: &str) -> store::Result<Step> {
        self.discard(lease);
        if !self.bench.store.fail(lease, self.bench.clock.now_ms(), error).await? {
            return Ok(self.lost(lease).await);
        }
        self.bench.metrics.job("failed");
        tracing::warn!(report = %lease.report, error, "report {} failed: {error}", lease.report);
        Ok(Step::Failed)
    }

    async fn lost(&self, lease: &Lease) -> Step {
        self.discard(lease);
        if let Err(error) = self.bench.store.outlive(lease).await {
            tracing::warn!(report = %lease.report, %error, "cannot tell that this instance lives: {error}");
        }
        self.bench.metrics.job("lost");
        tracing::info!(report = %lease.report, "report {} is no longer ours", lease.report);
        Step::Lost
    }

    fn discard(&self, lease: &Lease) {
        if let Err(error) = self.bench.blobs.remove_attempt(&lease.report, lease.attempt) {
            tracing::warn!(report = %lease.report, %error, "cannot remove an attempt's files: {error}");
        }
    }
}

/// A panic is a bug, contained to its job.
fn guarded(work: impl FnOnce() -> Result<Outcome, Error>) -> Result<Outcome, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Error::Panic))
}

/// The whole attempt, on the threads of the pool: inputs, engine, four durable files.
fn analyse(bench: &Bench, lease: &Lease, report: &NewReport, progress: &Progress) -> Result<Outcome, Error> {
    let (inputs, opened) = open(bench, report)?;
    let (mut labels, mut text) = (BufWriter::new(bench.blobs.draft()?), BufWriter::new(bench.blobs.draft()?));
    let recorder = Recorder { labels: &mut labels, text: &mut text };
    let settings = report.settings.for_engine()?;
    let hierarchy = gather(inputs, &settings, progress, Some(recorder))?.into_hierarchy().whole();
    let found = hierarchy.cut(settings.similarity);
    let marks = opened.iter().map(|opened| opened.as_ref().map(unchanged).transpose()).collect::<Result<_, _>>()?;
    let mut json = BufWriter::new(bench.blobs.draft()?);
    serde_json::to_writer(&mut json, &found).map_err(io::Error::from)?;
    let mut cuts = BufWriter::new(bench.blobs.draft()?);
    hierarchy.write(&mut cuts)?;
    for (part, file) in [(Part::Labels, labels), (Part::Text, text), (Part::Hierarchy, cuts), (Part::Report, json)] {
        commit(file, &Key::Result(lease.report.clone(), lease.attempt, part))?;
    }
    Ok(Outcome { totals: found.totals, marks })
}

/// A file of the user's and what it looked like before it was read.
type Seen = (Opened, Mark);

/// The inputs, and those that are not ours, to be kept open until they are read. Paths are checked again: a link may lead
/// elsewhere than when the report was asked for.
fn open(bench: &Bench, report: &NewReport) -> Result<(Vec<Input>, Vec<Option<Seen>>), Error> {
    let (mut inputs, mut seen) = (Vec::new(), Vec::new());
    for (position, origin) in report.origins.iter().enumerate() {
        let (path, file) = match &origin.place {
            Place::Upload | Place::Sample => (bench.blobs.path(&Key::Input(report.id.clone(), position)), None),
            Place::Path(path) => {
                let shown = path.display().to_string();
                let opened = bench.roots.file(&shown)?;
                let mark = Mark::take(&opened.file, &shown)?;
                (opened.door(), Some((opened, mark)))
            }
        };
        inputs.push(Input::file(path).named(origin.name.clone()));
        seen.push(file);
    }
    Ok((inputs, seen))
}

/// What a file looks like now that it was read: as before, or grown meanwhile.
fn unchanged((opened, before): &Seen) -> Result<Mark, Error> {
    let path = opened.path.display().to_string();
    before.check(&opened.file, &path)?;
    Ok(Mark::take(&opened.file, &path)?)
}

fn commit(mut file: BufWriter<Draft>, key: &Key) -> io::Result<()> {
    file.flush()?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.commit(key).map(|_| ())
}

/// Up to a fifth more or less, so that instances started together do not stay in step.
fn jitter(around: Duration) -> Duration {
    let [byte, ..] = uuid::Uuid::new_v4().into_bytes();
    around.mul_f64(0.8 + 0.4 * f64::from(byte) / 255.0)
}
