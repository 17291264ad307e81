//! A file that lines are appended to, and that is opened anew for whoever moves it away.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use arc_swap::ArcSwap;

/// The file. Each piece that is written to it goes to its end as a whole.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: ArcSwap<File>,
    /// What is in it, in words.
    what: &'static str,
}

impl LogFile {
    pub(crate) fn open(path: &Path, what: &'static str) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: ArcSwap::from_pointee(append(path)?), what })
    }

    /// Whether lines can be appended to a file, or it can be made; it is not.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        use rustix::fs::{Access, access};
        match path.metadata() {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => Ok(access(path, Access::WRITE_OK)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether files can be made in a folder, which may have to be made first; nothing is.
    pub(crate) fn check_folder(path: &Path) -> io::Result<()> {
        use rustix::fs::{Access, access};
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match (path.metadata(), path.parent()) {
            (Ok(found), _) if !found.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
            (Ok(_), _) => Ok(access(path, Access::WRITE_OK | Access::EXEC_OK)?),
            // A link to nowhere is in the way of a folder.
            (Err(error), Some(above)) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                Self::check_folder(above)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Goes on in the file that has its name now. Where there can be none, it goes on in the one it has.
    pub(crate) fn reopen(&self) {
        let (path, what) = (self.path.display(), self.what);
        match append(&self.path) {
            Ok(file) => {
                self.file.store(file.into());
                tracing::info!("the {what} {path} is opened anew");
            }
            Err(error) => tracing::error!(%error, "the {what} {path} cannot be opened anew: {error}"),
        }
    }

    pub(crate) fn write(&self, piece: &[u8]) -> io::Result<()> {
        (&**self.file.load()).write_all(piece)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
