//! `Mark`: what a file of the user's looked like when it was read, to find out later whether its lines are still where
//! they were. It may have grown; anything else counts as changed.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of the first and of the last block that are hashed.
const BLOCK_BYTES: u64 = 64 << 10;

/// What a file looked like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its length.
    pub bytes: u64,
    /// Last change, nanoseconds since the epoch.
    pub modified_ns: i64,
    /// Its file system's number, and its own there.
    pub inode: (u64, u64),
    /// SHA-256 of its first and last block, in hexadecimal.
    pub ends: String,
}

/// A file is not what it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Other bytes, or another file.
    #[error("{path} has changed since it was read ({what}); its lines cannot be shown any more; analyse it again")]
    Changed {
        /// Where it is.
        path: String,
        /// In which way.
        what: &'static str,
    },
    /// Gone, or not readable.
    #[error("{path} cannot be read any more: {source}; its lines cannot be shown")]
    Gone {
        /// Where it was.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Mark {
    /// Looks at a file.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let gone = |source| Error::Gone { path: path.display().to_string(), source };
        let (file, meta) = open(path).map_err(gone)?;
        let bytes = meta.len();
        let ends = ends(&file, bytes).map_err(gone)?;
        Ok(Self { bytes, modified_ns: modified_ns(&meta), inode: (meta.dev(), meta.ino()), ends })
    }

    /// Opens the file, provided the bytes seen then are still where they were.
    pub fn open(&self, path: &Path) -> Result<File, Error> {
        let gone = |source| Error::Gone { path: path.display().to_string(), source };
        let changed = |what| Err(Error::Changed { path: path.display().to_string(), what });
        let (file, meta) = open(path).map_err(gone)?;
        let is_same_file = self.inode == (meta.dev(), meta.ino());
        if is_same_file && meta.len() == self.bytes && modified_ns(&meta) == self.modified_ns {
            return Ok(file);
        }
        if meta.len() < self.bytes {
            return changed("it is shorter");
        }
        if meta.len() == self.bytes && is_same_file {
            return changed("it was written to");
        }
        if ends(&file, self.bytes).map_err(gone)? != self.ends {
            return changed("it holds other text");
        }
        Ok(file)
    }
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    Ok((file, meta))
}

fn modified_ns(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec())
}

/// The hash of the first and the last block of the file's first `bytes`; a file that became shorter is an error.
fn ends(file: &File, bytes: u64) -> io::Result<String> {
    let size = usize::try_from(bytes.min(BLOCK_BYTES)).expect("a block fits memory");
    let mut block = vec![0; size];
    let mut hash = Sha256::new();
    for start in [0, bytes - size as u64] {
        file.read_exact_at(&mut block, start)?;
        hash.update(&block);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
