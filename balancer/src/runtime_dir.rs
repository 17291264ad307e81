//! The private folder with the sockets of launched programs: made at start, removed at the end, and the ones that
//! killed predecessors left are cleared away.

use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

const PREFIX: &str = "logkin-balancer-";
const LOCK: &str = "lock";

/// A folder that only its owner may enter (mode 0700). It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct RuntimeDir {
    dir: TempDir,
    /// Held as long as we live: a folder whose lock is free has lost its owner.
    _lock: File,
}

impl RuntimeDir {
    /// Makes the folder below `parent`.
    pub(crate) fn make(parent: &Path) -> io::Result<Self> {
        clear(parent);
        let private = Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(parent)?;
        // It has its name only once it is held: one that starts just now would take us for dead.
        let unnamed = dir.path().join("lock.new");
        let lock = File::create(&unnamed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        std::fs::rename(&unnamed, dir.path().join(LOCK))?;
        Ok(Self { dir, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes what killed predecessors of the same user left. Failing is no trouble: the folder is only litter.
fn clear(parent: &Path) {
    let Ok(entries) = parent.read_dir() else { return };
    let ours = |path: &PathBuf| {
        let named = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let owned = |data: std::fs::Metadata| data.is_dir() && data.uid() == rustix::process::getuid().as_raw();
        named && path.symlink_metadata().is_ok_and(owned)
    };
    for path in entries.flatten().map(|entry| entry.path()).filter(ours) {
        let Ok(lock) = File::open(path.join(LOCK)) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            drop(std::fs::remove_dir_all(&path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_and_gone_at_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let dir = RuntimeDir::make(parent.path()).unwrap();
        assert_eq!(dir.path().metadata().unwrap().mode() & 0o777, 0o700);
        drop(dir);
        assert_eq!(parent.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_predecessor_left_is_cleared_and_a_living_one_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let stale = parent.path().join(format!("{PREFIX}dead"));
        std::fs::create_dir(&stale).unwrap();
        std::fs::write(stale.join(LOCK), "").unwrap();
        let first = RuntimeDir::make(parent.path()).unwrap();
        let _second = RuntimeDir::make(parent.path()).unwrap();
        assert!(!stale.exists() && first.path().exists());
    }
}
