//! A file that lines are appended to, and that is opened anew for whoever moves it away, or standard error. Where it is a pipe
//! or a terminal, nobody waits for who reads there.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, IsTerminal},
    os::{
        fd::{AsFd, AsRawFd},
        unix::{
            ffi::OsStrExt,
            fs::{FileExt, FileTypeExt, MetadataExt},
        },
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use rustix::io::Errno;

use crate::outlet::{Lost, Outlet, count, write_lines};

/// Most links that lead to a file, as for the kernel.
const MOST_LINKS: usize = 40;

/// The file. Each piece that is written to it goes to its end as a whole.
#[derive(Debug)]
pub(crate) struct LogFile {
    /// None: standard error.
    path: Option<PathBuf>,
    end: ArcSwap<End>,
    contents: Contents,
}

/// What is in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents {
    /// In words.
    pub(crate) name: &'static str,
    /// Most pieces that wait for a reader.
    pub(crate) queue: usize,
    /// What stands there in place of so many lines that a reader has missed. Without it writers are told.
    pub(crate) note: Option<fn(u64) -> String>,
}

/// Where lines go.
#[derive(Debug)]
enum End {
    /// `torn`: whether a line stands there without its end, as a full disk leaves it.
    File { file: File, torn: Mutex<bool> },
    /// `place`: the device and number of what is written to.
    Outlet { outlet: Outlet, place: Option<(u64, u64)> },
}

impl LogFile {
    /// Standard error without a path.
    pub(crate) fn open(path: Option<&Path>, contents: Contents) -> io::Result<Self> {
        let end = match path {
            Some(path) => append(path, contents)?,
            None => End::of(stderr()?, contents, None)?,
        };
        Ok(Self { path: path.map(Path::to_owned), end: ArcSwap::from_pointee(end), contents })
    }

    /// Whether lines can be appended to a file, or it can be made; it is not.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        use rustix::fs::{Access, access};
        match path.metadata() {
            Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => Ok(access(path, Access::WRITE_OK)?),
            // Nothing but a folder can have that name.
            Err(_) if path.as_os_str().as_bytes().ends_with(b"/") => Err(io::ErrorKind::IsADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = destination(path)?;
                Ok(access(made.parent().ok_or(error)?, Access::WRITE_OK | Access::EXEC_OK)?)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether two paths lead to one file, however they are written, also one that is still to be made. What stands for
    /// something that the process [has been given](is_given) may be one file for several, and takes the lines of all.
    pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
        let [one, other] = [one, other].map(|path| destination(path).unwrap_or_else(|_| path.to_owned()));
        let is_linked = || place(&one).is_some() && place(&one) == place(&other);
        !is_given(&one) && !is_given(&other) && (one == other || is_linked())
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
        let Some(path) = &self.path else { return };
        let (what, shown) = (self.contents.name, path.display());
        // Nobody moves a pipe away, and who reads it shall see no end of it, nor the rest of a line behind another one.
        if let End::Outlet { place, .. } = &**self.end.load()
            && *place == self::place(path)
        {
            tracing::info!("the {what} {shown} is no file, and is not opened anew");
            return;
        }
        match append(path, self.contents) {
            Ok(end) => {
                self.end.store(end.into());
                tracing::info!("the {what} {shown} is opened anew");
            }
            Err(error) => tracing::error!(%error, "the {what} {shown} cannot be opened anew: {error}"),
        }
    }

    /// Takes whole lines. What is lost behind a pipe may be told of later ones.
    pub(crate) fn write(&self, lines: &[u8]) -> Result<(), Lost> {
        match &**self.end.load() {
            End::File { file, torn } => {
                // Held while it is written: no other thread's lines join a torn one before it is known for that.
                let mut torn = torn.lock().unwrap_or_else(PoisonError::into_inner);
                // What comes next shall be a line all the same.
                if *torn {
                    write_lines(file, b"\n").map_err(|lost| Lost { lines: count(lines), ..lost })?;
                    *torn = false;
                }
                write_lines(file, lines).inspect_err(|lost| *torn = lost.torn)
            }
            End::Outlet { outlet, .. } => {
                outlet.write(lines.to_vec());
                match outlet.take_lost() {
                    (0, _) => Ok(()),
                    (lines, why) => {
                        let why = why.unwrap_or_else(|| io::Error::other("who reads it does not keep up"));
                        Err(Lost { lines, why, torn: false })
                    }
                }
            }
        }
    }

    /// Waits a moment for a reader who is behind.
    pub(crate) fn finish(&self) {
        if let End::Outlet { outlet, .. } = &**self.end.load() {
            outlet.finish();
        }
    }
}

/// Standard error without the lock that others wait for.
pub(crate) fn stderr() -> io::Result<File> {
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

impl End {
    fn of(file: File, contents: Contents, place: Option<(u64, u64)>) -> io::Result<Self> {
        let is_between = |found: Metadata| found.file_type().is_fifo() || found.file_type().is_socket();
        let may_stand_still = file.is_terminal() || file.metadata().is_ok_and(is_between);
        if may_stand_still {
            Self::behind(|| Ok(file), contents, place)
        } else {
            let torn = ends_torn(&file).unwrap_or_default().into();
            Ok(Self::File { file, torn })
        }
    }

    fn behind(
        open: impl FnOnce() -> io::Result<File> + Send + 'static,
        Contents { name, queue, note }: Contents,
        place: Option<(u64, u64)>,
    ) -> io::Result<Self> {
        Ok(Self::Outlet { outlet: Outlet::open(name, queue, open, note)?, place })
    }
}

/// Whether a file ends in the middle of a line, as whoever wrote to it before may have left it. It is open for writing only,
/// and who may not read it cannot know.
fn ends_torn(file: &File) -> io::Result<bool> {
    let found = file.metadata()?;
    if !found.is_file() || found.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    // By its descriptor it is the same file, whatever has its name by now.
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?.read_exact_at(&mut last, found.len() - 1)?;
    Ok(last != *b"\n")
}

fn append(path: &Path, contents: Contents) -> io::Result<End> {
    let place = place(path);
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    // Opening a named pipe waits for who reads it.
    if path.metadata().is_ok_and(|found| found.file_type().is_fifo()) {
        let path = path.to_owned();
        return End::behind(move || options.open(path), contents, place);
    }
    let file = options.open(path).or_else(|error| standard(path).ok_or(error))?;
    End::of(file, contents, place)
}

/// Whether a path is no place of its own, as `/dev/stderr` and `/proc/self/fd/2` are none.
fn is_given(path: &Path) -> bool {
    ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder))
}

/// Where a file is or would be made, without links on the way. What [`is_given`] is left as it is.
fn destination(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Some(name) = path.file_name() else { return path.canonicalize() };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize()?;
        path = folder.join(name);
        match path.read_link() {
            Ok(target) if !is_given(&path) => path = folder.join(target),
            _ => return Ok(path),
        }
    }
    Err(Errno::LOOP.into())
}

fn place(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// Standard output or standard error by its path, where that is a socket, which cannot be opened.
fn standard(path: &Path) -> Option<File> {
    let (out, err) = (io::stdout(), io::stderr());
    let fd = match path.to_str()? {
        "/dev/stdout" => out.as_fd(),
        "/dev/stderr" => err.as_fd(),
        _ => return None,
    };
    let file: File = fd.try_clone_to_owned().ok()?.into();
    file.metadata().is_ok_and(|found| found.file_type().is_socket()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: Contents = Contents { name: "log", queue: 1, note: None };

    #[test]
    fn files_are_the_same_by_what_they_are() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("real")).unwrap();
        std::fs::write(path("real/there"), "").unwrap();
        std::fs::write(path("real/other"), "").unwrap();
        std::fs::hard_link(path("real/there"), path("second")).unwrap();
        symlink("real", path("folder")).unwrap();
        symlink("folder/new", path("link")).unwrap();
        symlink("/dev/stderr", path("given")).unwrap();
        symlink("loop", path("loop")).unwrap();
        let same = |one: &str, other: &str| LogFile::is_same(&path(one), &path(other));
        for (one, other) in [
            ("real/there", "folder/../real/./there"),
            ("real/there", "second"),
            ("real/new", "folder/new"),
            ("link", "real/new"),
            ("nowhere/new", "nowhere/new"),
            ("loop", "loop"),
        ] {
            assert!(same(one, other) && same(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("real/there", "real/other"),
            ("real/there", "real/new"),
            ("given", "given"),
            ("given", "/dev/stderr"),
            ("/dev/null", "/dev/null"),
            ("/proc/self/fd/1", "/proc/self/fd/2"),
        ] {
            assert!(!same(one, other) && !same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn a_log_would_be_made_where_its_link_leads() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("nowhere/new", path("lost")).unwrap();
        std::os::unix::fs::symlink("new", path("good")).unwrap();
        assert!(LogFile::check(&path("lost")).is_err());
        assert!(LogFile::check(&path("good")).is_ok());
    }

    #[test]
    fn a_line_that_somebody_has_left_torn_ends_before_the_first_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path();
        for (before, after) in [("", "a\nb\n"), ("whole\n", "whole\na\nb\n"), ("whole\ntorn", "whole\ntorn\na\nb\n")] {
            let put = || std::fs::write(path, before).unwrap();
            let seen = |log: &LogFile| {
                [b"a\n", b"b\n"].iter().for_each(|line| log.write(*line).unwrap());
                std::fs::read_to_string(path).unwrap()
            };
            put();
            let log = LogFile::open(Some(path), CONTENTS).unwrap();
            assert_eq!(seen(&log), after);
            put();
            log.reopen();
            assert_eq!(seen(&log), after, "opened anew");
        }
    }

    #[test]
    fn what_is_no_file_has_no_torn_line() {
        for path in ["/dev/null", "/dev/full"] {
            assert!(!ends_torn(&OpenOptions::new().append(true).open(path).unwrap()).unwrap(), "{path}");
        }
        let (_reader, writer) = io::pipe().unwrap();
        assert!(!ends_torn(&File::from(std::os::fd::OwnedFd::from(writer))).unwrap());
    }
}
