//! `Roots`: the folders from which a person may open files, and the only way from a typed path to a file. Symlinks are
//! resolved before the check; a path with `..` is refused outright. A file is handed on open, and where it lies is asked
//! of the open file again, since folders and links may be exchanged between a check and the opening.

use std::{
    fs::{self, File, Metadata},
    io,
    os::fd::{AsFd, AsRawFd},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use crate::search::Search;

/// Entries shown of one folder; a larger one is cut and says so.
const MAX_ENTRIES: usize = 2_000;

/// Allowed folders, resolved; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots(Vec<PathBuf>);

/// A path that may not or cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not under any root; says nothing about whether it exists.
    #[error(
        "{path} is outside the folders that may be opened; allowed are {roots}; start logkin with --allow-root to add one"
    )]
    Outside {
        /// As typed.
        path: String,
        /// The allowed folders.
        roots: String,
    },
    /// Has a `..` in it.
    #[error("{0} contains `..`; give the path without it")]
    Parent(String),
    /// Nothing there.
    #[error("there is no file {0}; check the spelling, or pick it from the list of files")]
    Missing(String),
    /// A folder where a file was expected.
    #[error("{0} is a folder; pick one of the files in it")]
    Folder(String),
    /// A file where a folder was expected.
    #[error("{0} is not a folder")]
    NotAFolder(String),
    /// A pipe, socket or device.
    #[error("{0} is not a regular file; pipes, sockets and devices cannot be read twice, so they are not opened")]
    Special(String),
    /// There, but unreadable.
    #[error("cannot read {path}: {source}; let the user logkin runs as read it")]
    Unreadable {
        /// As typed.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A regular file under a root, open.
#[derive(Debug)]
pub struct Opened {
    /// Where it lies, resolved.
    pub path: PathBuf,
    /// The file.
    pub file: File,
    /// What it looked like when it was opened.
    pub meta: Metadata,
}

/// What lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The folder, resolved.
    pub folder: PathBuf,
    /// The folder above, unless that is outside the roots.
    pub parent: Option<PathBuf>,
    /// Folders first, then files, each by name.
    pub entries: Vec<Entry>,
    /// Whether there was more than is shown.
    pub cut: bool,
}

/// One file or folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Files sort after folders.
    pub is_file: bool,
    /// Its name in its folder.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Size of a file.
    pub bytes: u64,
    /// Last change, milliseconds since the epoch.
    pub modified_ms: i64,
}

impl Roots {
    /// Resolves the folders; an error names the one that is not a folder.
    pub fn new(folders: &[PathBuf]) -> Result<Self, Error> {
        let resolve = |folder: &PathBuf| {
            let shown = folder.display().to_string();
            let path = fs::canonicalize(folder).map_err(|source| unreadable(&shown, source))?;
            if path.is_dir() { Ok(path) } else { Err(Error::NotAFolder(shown)) }
        };
        folders.iter().map(resolve).collect::<Result<_, _>>().map(Self)
    }

    /// The folders.
    pub fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    /// The regular file at a typed path; a relative one is looked for under each root.
    pub fn file(&self, typed: &str) -> Result<Opened, Error> {
        let (path, _) = self.resolve(typed)?;
        let unreadable = |source| unreadable(typed, source);
        // Opened as a place only: that neither waits for the other end of a pipe nor wakes a device.
        let place = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let place = File::from(place.map_err(|errno| unreadable(errno.into()))?);
        let door = door(&place);
        if !self.holds(&fs::read_link(&door).map_err(unreadable)?) {
            return Err(self.outside(typed));
        }
        let meta = place.metadata().map_err(unreadable)?;
        match () {
            () if meta.is_file() => Ok(Opened { path, file: File::open(door).map_err(unreadable)?, meta }),
            () if meta.is_dir() => Err(Error::Folder(typed.to_owned())),
            () => Err(Error::Special(typed.to_owned())),
        }
    }

    /// Whether a typed path is a folder under a root.
    pub fn is_folder(&self, typed: &str) -> bool {
        self.resolve(typed).is_ok_and(|(_, meta)| meta.is_dir())
    }

    /// The regular files below the folder at a typed path, in the order of [`Search`]: name from there, path, bytes. No link is
    /// followed, so none leads outside; where they lie is asked again when they are opened.
    pub fn below(&self, typed: &str) -> Result<Vec<(String, PathBuf, u64)>, Error> {
        let (folder, _) = self.resolve(typed)?;
        let mut search = Search::new(false);
        search.links = false;
        let of = |path: PathBuf| {
            let name = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
            // Gone meanwhile: opening it will say so.
            let bytes = fs::symlink_metadata(&path).map_or(0, |meta| meta.len());
            (name, path, bytes)
        };
        Ok(search.folder(&folder).into_iter().map(of).collect())
    }

    /// What lies in the folder at a typed path. What cannot be looked at is left out, as are links that lead outside.
    pub fn list(&self, typed: &str) -> Result<Listing, Error> {
        let (folder, meta) = self.resolve(typed)?;
        if !meta.is_dir() {
            return Err(Error::NotAFolder(typed.to_owned()));
        }
        let read = fs::read_dir(&folder).map_err(|source| unreadable(typed, source))?;
        let mut found = read.flatten().filter_map(|item| self.entry(&item.path()));
        let mut entries: Vec<_> = found.by_ref().take(MAX_ENTRIES).collect();
        let cut = found.next().is_some();
        entries.sort();
        let parent = folder.parent().filter(|p| self.holds(p)).map(Path::to_owned);
        Ok(Listing { folder, parent, entries, cut })
    }

    fn entry(&self, path: &Path) -> Option<Entry> {
        let resolved = fs::canonicalize(path).ok().filter(|p| self.holds(p))?;
        let meta = fs::metadata(&resolved).ok().filter(|m| m.is_file() || m.is_dir())?;
        let modified = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        Some(Entry {
            is_file: meta.is_file(),
            name: path.file_name()?.to_str()?.to_owned(),
            path: path.to_owned(),
            bytes: if meta.is_file() { meta.len() } else { 0 },
            modified_ms: modified.and_then(|d| i64::try_from(d.as_millis()).ok()).unwrap_or(0),
        })
    }

    fn resolve(&self, typed: &str) -> Result<(PathBuf, Metadata), Error> {
        let path = Path::new(typed);
        if path.components().any(|c| c == Component::ParentDir) {
            return Err(Error::Parent(typed.to_owned()));
        }
        let candidates: Vec<PathBuf> = if path.is_absolute() {
            vec![path.to_owned()]
        } else {
            self.0.iter().map(|root| root.join(path)).collect()
        };
        let mut problem = None;
        for candidate in candidates {
            match fs::canonicalize(&candidate) {
                Ok(resolved) if self.holds(&resolved) => {
                    let meta = fs::metadata(&resolved).map_err(|source| unreadable(typed, source))?;
                    return Ok((resolved, meta));
                }
                Ok(_) => problem = Some(self.outside(typed)),
                Err(_) if !self.holds_as_typed(&candidate) => problem = Some(self.outside(typed)),
                Err(source) => problem = Some(unreadable(typed, source)),
            }
        }
        Err(problem.unwrap_or_else(|| self.outside(typed)))
    }

    fn holds(&self, resolved: &Path) -> bool {
        self.0.iter().any(|root| resolved.starts_with(root))
    }

    /// Whether a path that cannot be resolved would lie under a root: its nearest existing folder does. Without this,
    /// "no such file" would tell which files exist outside.
    fn holds_as_typed(&self, path: &Path) -> bool {
        let existing = path.ancestors().skip(1).find_map(|a| fs::canonicalize(a).ok());
        existing.is_some_and(|p| self.holds(&p))
    }

    fn outside(&self, typed: &str) -> Error {
        let roots: Vec<_> = self.0.iter().map(|r| r.display().to_string()).collect();
        Error::Outside { path: typed.to_owned(), roots: roots.join(", ") }
    }
}

impl Opened {
    /// A path by which this very file can be opened again as long as this is kept, from its beginning.
    pub fn door(&self) -> PathBuf {
        door(&self.file)
    }
}

/// proc_pid_fd(5): leads to the open file itself; as a link, it tells where that lies.
fn door(open: &impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_fd().as_raw_fd()))
}

fn unreadable(path: &str, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => Error::Unreadable { path: path.to_owned(), source },
    }
}
