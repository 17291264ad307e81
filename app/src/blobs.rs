//! `Blobs`: the bytes beside the rows, in a folder all instances share. A blob is written once, to a draft, and is
//! there whole or not at all; what a report has lies under its id, so that forgetting it is removing one folder.
//!
//! A folder of our own rather than `object_store`'s: the engine reads uploads in parallel from a path, and a draft must
//! be on the disk (fsync) before anyone is told so. Keys are already those an object store would take.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, SystemTime},
};

use crate::store::ReportId;

/// Drafts and blobs of one data directory.
#[derive(Debug, Clone)]
pub struct Blobs {
    drafts: PathBuf,
    reports: PathBuf,
}

/// Which blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The bytes of an origin, by its position.
    Input(ReportId, usize),
    /// A file of the result of an attempt.
    Result(ReportId, i64, Part),
}

/// The files of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The report as JSON.
    Report,
    /// What it is a cut of, for views broader and narrower.
    Hierarchy,
    /// Shape per line.
    Labels,
    /// Text of inputs that cannot be read again in place.
    Text,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Report, Self::Hierarchy, Self::Labels, Self::Text];
}

/// A blob being written. Dropped before [`Draft::commit`], it is gone; left behind by a process that died, it is
/// recognised by its lock being free and swept away.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    reports: PathBuf,
    bytes: u64,
    is_kept: bool,
}

impl Blobs {
    /// The blobs of a data directory, made if need be; readable by this user only.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let (drafts, reports) = (data_dir.join("drafts"), data_dir.join("reports"));
        for folder in [&drafts, &reports] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        Ok(Self { drafts, reports })
    }

    /// A new, empty draft.
    pub fn draft(&self) -> io::Result<Draft> {
        let path = self.drafts.join(uuid::Uuid::new_v4().simple().to_string());
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        let draft = Draft { file, path, reports: self.reports.clone(), bytes: 0, is_kept: false };
        draft.file.lock()?;
        Ok(draft)
    }

    /// Where a blob is on the disk.
    pub fn path(&self, key: &Key) -> PathBuf {
        self.reports.join(key.relative())
    }

    /// Opens a blob for reading.
    pub fn file(&self, key: &Key) -> io::Result<File> {
        File::open(self.path(key))
    }

    /// Removes all that a report has; nothing there is fine.
    pub fn remove(&self, report: &ReportId) -> io::Result<()> {
        gone(fs::remove_dir_all(self.reports.join(report.as_str())))
    }

    /// Removes one attempt's files.
    pub fn remove_attempt(&self, report: &ReportId, attempt: i64) -> io::Result<()> {
        gone(fs::remove_dir_all(self.reports.join(report.as_str()).join(attempt.to_string())))
    }

    /// Removes the files of attempts other than the one whose result counts.
    pub fn keep_only(&self, report: &ReportId, attempt: i64) -> io::Result<()> {
        for item in fs::read_dir(self.reports.join(report.as_str()))?.flatten() {
            let other = item.file_name().to_str().and_then(|n| i64::from_str(n).ok()).filter(|n| *n != attempt);
            if other.is_some() {
                gone(fs::remove_dir_all(item.path()))?;
            }
        }
        Ok(())
    }

    /// Removes drafts whose writer is gone; how many. One younger than `min_age` may be about to take its lock.
    pub fn sweep_drafts(&self, min_age: Duration) -> io::Result<usize> {
        let mut swept = 0;
        for item in fs::read_dir(&self.drafts)?.flatten().filter(|item| is_older(&item.path(), min_age)) {
            let Ok(file) = File::open(item.path()) else { continue };
            match file.try_lock() {
                Ok(()) => {
                    gone(fs::remove_file(item.path()))?;
                    swept += 1;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(swept)
    }

    /// Reports that have blobs older than `min_age`; those without a row are left over from an instance that died
    /// between writing one and the other.
    pub fn reports(&self, min_age: Duration) -> io::Result<Vec<ReportId>> {
        let items = fs::read_dir(&self.reports)?.flatten().filter(|item| is_older(&item.path(), min_age));
        Ok(items.filter_map(|item| item.file_name().to_str()?.parse().ok()).collect())
    }
}

impl Draft {
    /// Makes the draft durable and then visible under its key, replacing what was there; its length.
    pub fn commit(mut self, key: &Key) -> io::Result<u64> {
        self.file.sync_all()?;
        let target = self.reports.join(key.relative());
        let folder = target.parent().expect("keys have a folder");
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::rename(&self.path, &target)?;
        self.is_kept = true;
        for folder in folder.ancestors().take_while(|f| f.starts_with(&self.reports)) {
            File::open(folder)?.sync_all()?;
        }
        Ok(self.bytes)
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Write for Draft {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buf)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_kept
            && let Err(error) = gone(fs::remove_file(&self.path))
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove an unfinished draft");
        }
    }
}

impl Key {
    fn relative(&self) -> PathBuf {
        match self {
            Self::Input(report, position) => PathBuf::from(report.as_str()).join(format!("input-{position}")),
            Self::Result(report, attempt, part) => {
                let name = match part {
                    Part::Report => "report.json",
                    Part::Hierarchy => "hierarchy",
                    Part::Labels => "labels",
                    Part::Text => "text",
                };
                [report.as_str(), &attempt.to_string(), name].iter().collect()
            }
        }
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|since| since >= age))
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
