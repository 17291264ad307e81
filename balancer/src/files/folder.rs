//! A file below a folder, opened so that no name leads out of it: the kernel looks, at each step and at once, so nobody can
//! change the way between a look and a step. Where it has no such call, links are not followed at all.

use std::{fs::File, io::IoSliceMut, os::unix::fs::FileExt, path::Path, time::SystemTime};

use rustix::{
    fd::OwnedFd,
    fs::{Mode, OFlags, openat},
    io::Errno,
};

/// How long something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// It is done only if it needs no disk.
    Now,
    /// It may wait for one.
    InTime,
}

/// What has been opened.
#[derive(Debug)]
pub enum Opened {
    /// A file.
    File(Found),
    /// A folder.
    Folder,
}

/// A file.
#[derive(Debug)]
pub struct Found {
    /// It.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
    /// When it was written last.
    pub modified: SystemTime,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It cannot be told without a disk, or for now: somebody has a lease on it.
    #[error("the disk has not answered in time, or somebody has a lease on it")]
    Later,
    /// There is nothing, or nothing to be read, or it is elsewhere.
    #[error("there is nothing")]
    Missing,
    /// We may not read it.
    #[error("it may not be read")]
    Forbidden,
    /// The system does not let us.
    #[error("{0}")]
    System(Errno),
}

impl From<Errno> for Trouble {
    fn from(error: Errno) -> Self {
        match error {
            Errno::AGAIN => Self::Later,
            Errno::ACCESS | Errno::PERM => Self::Forbidden,
            // The last three: a socket or the like, a name of no form, a way out.
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::NAMETOOLONG
            | Errno::LOOP
            | Errno::NXIO
            | Errno::ILSEQ
            | Errno::XDEV => Self::Missing,
            error => Self::System(error),
        }
    }
}

/// A pipe is not waited for, a terminal does not become ours.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How often a way is tried that changes meanwhile.
#[cfg(target_os = "linux")]
const TRIES: usize = 8;

/// Opens what is at a relative path below a root, which is looked up anew each time, for it may be a link that is changed
/// for another version of a site.
///
/// # Errors
///
/// There is no such thing that we may read.
pub fn open(root: &Path, path: &Path, haste: Haste) -> Result<Opened, Trouble> {
    let file = File::from(confined(root, path, haste)?);
    let about = file.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    if about.is_dir() {
        return Ok(Opened::Folder);
    }
    if !about.is_file() {
        return Err(Trouble::Missing);
    }
    let modified = about.modified().map_err(|_| Trouble::System(Errno::NOSYS))?;
    Ok(Opened::File(Found { file, length: about.len(), modified }))
}

#[cfg(target_os = "linux")]
fn confined(root: &Path, path: &Path, haste: Haste) -> Result<OwnedFd, Trouble> {
    use rustix::fs::{CWD, ResolveFlags, openat2};
    let cached = if haste == Haste::Now { ResolveFlags::CACHED } else { ResolveFlags::empty() };
    let way = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | cached;
    let mut tries = 0;
    loop {
        tries += 1;
        let opened = openat2(CWD, root, FOLDER | OFlags::PATH, Mode::empty(), cached)
            .and_then(|root| openat2(&root, path, FLAGS, Mode::empty(), way));
        match opened {
            Err(Errno::AGAIN) if haste == Haste::InTime && tries < TRIES => {}
            // An old kernel, or one that is not asked: what it has of this, it has without haste.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) if haste == Haste::Now => return Err(Trouble::Later),
            Err(Errno::NOSYS | Errno::PERM) => return step_by_step(root, path),
            opened => return Ok(opened?),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn confined(root: &Path, path: &Path, haste: Haste) -> Result<OwnedFd, Trouble> {
    if haste == Haste::Now { Err(Trouble::Later) } else { step_by_step(root, path) }
}

/// Opens one name after the other and follows no link.
fn step_by_step(root: &Path, path: &Path) -> Result<OwnedFd, Trouble> {
    use std::path::Component;
    let mut at = rustix::fs::open(root, FOLDER, Mode::empty())?;
    let mut names = path.components().filter(|name| *name != Component::CurDir).peekable();
    while let Some(name) = names.next() {
        let Component::Normal(name) = name else { return Err(Trouble::Missing) };
        let flags = if names.peek().is_some() { FOLDER } else { FLAGS };
        at = openat(&at, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(at)
}

/// Reads from a place of a file into a buffer; 0 is its end.
///
/// # Errors
///
/// It cannot be read.
pub fn read(file: &File, into: &mut [u8], at: u64, haste: Haste) -> Result<usize, Trouble> {
    match haste {
        Haste::Now => read_now(file, into, at),
        Haste::InTime => {
            let read = file.read_at(into, at);
            read.map_err(|error| Trouble::System(Errno::from_io_error(&error).unwrap_or(Errno::IO)))
        }
    }
}

#[cfg(target_os = "linux")]
fn read_now(file: &File, into: &mut [u8], at: u64) -> Result<usize, Trouble> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let read = preadv2(file, &mut [IoSliceMut::new(into)], at, ReadWriteFlags::NOWAIT);
    read.map_err(|error| match error {
        // Not every file system can tell whether it would wait.
        Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR => Trouble::Later,
        error => Trouble::System(error),
    })
}

#[cfg(not(target_os = "linux"))]
fn read_now(_file: &File, _into: &mut [u8], _at: u64) -> Result<usize, Trouble> {
    Err(Trouble::Later)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// A folder with things inside, and a secret beside it.
    fn site() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("sub/deep")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::write(root.join("a"), "a").unwrap();
        fs::write(root.join("sub/b"), "bb").unwrap();
        symlink("../a", root.join("sub/inner")).unwrap();
        symlink("../../secret", root.join("sub/outer")).unwrap();
        symlink("../..", root.join("sub/up")).unwrap();
        symlink(folder.path().join("secret"), root.join("absolute")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        folder
    }

    fn seen(opened: Result<Opened, Trouble>) -> Result<Option<u64>, Trouble> {
        opened.map(|opened| match opened {
            Opened::File(found) => Some(found.length),
            Opened::Folder => None,
        })
    }

    #[test]
    fn no_name_and_no_link_leads_out_of_the_folder() {
        let site = site();
        let root = site.path().join("root");
        for (path, expected) in [
            ("a", Ok(Some(1))),
            ("sub/b", Ok(Some(2))),
            ("sub/inner", Ok(Some(1))),
            ("sub", Ok(None)),
            (".", Ok(None)),
            ("nothing", Err(Trouble::Missing)),
            ("a/b", Err(Trouble::Missing)),
            ("sub/outer", Err(Trouble::Missing)),
            ("sub/up/secret", Err(Trouble::Missing)),
            ("../secret", Err(Trouble::Missing)),
            ("..", Err(Trouble::Missing)),
            ("/etc/passwd", Err(Trouble::Missing)),
            ("absolute", Err(Trouble::Missing)),
            ("magic/etc/passwd", Err(Trouble::Missing)),
            ("loop", Err(Trouble::Missing)),
            ("pipe", Err(Trouble::Missing)),
        ] {
            assert_eq!(seen(open(&root, Path::new(path), Haste::InTime)), expected, "{path}");
        }
        assert_eq!(seen(open(&root, Path::new(&"x".repeat(300)), Haste::InTime)), Err(Trouble::Missing));
        assert_eq!(seen(open(&site.path().join("none"), Path::new("a"), Haste::InTime)), Err(Trouble::Missing));
    }

    #[test]
    fn step_by_step_no_link_is_followed() {
        let site = site();
        let root = site.path().join("root");
        let opens = |path: &str| step_by_step(&root, Path::new(path)).map(drop);
        assert_eq!((opens("a"), opens("sub/b"), opens("."), opens("sub/deep")), (Ok(()), Ok(()), Ok(()), Ok(())));
        for path in ["sub/inner", "sub/outer", "sub/up/secret", "../secret", "/etc/passwd", "absolute", "loop", "a/b"] {
            assert_eq!(opens(path), Err(Trouble::Missing), "{path}");
        }
    }

    #[test]
    fn what_is_in_memory_is_there_at_once_and_alike() {
        let site = site();
        let root = site.path().join("root");
        let open_at = |haste| open(&root, Path::new("sub/b"), haste);
        // Now it is known, if it can be.
        assert_eq!(seen(open_at(Haste::InTime)), Ok(Some(2)));
        assert!(matches!(seen(open_at(Haste::Now)), Ok(Some(2)) | Err(Trouble::Later)));
        let Ok(Opened::File(found)) = open_at(Haste::InTime) else { panic!("it is a file") };
        let mut bytes = [0; 8];
        assert_eq!(read(&found.file, &mut bytes, 1, Haste::InTime), Ok(1));
        assert_eq!(bytes[0], b'b');
        assert!(matches!(read(&found.file, &mut bytes, 1, Haste::Now), Ok(1) | Err(Trouble::Later)));
        assert_eq!(read(&found.file, &mut bytes, 2, Haste::InTime), Ok(0));
    }
}
