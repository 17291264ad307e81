//! `Mark`: what a file of the user's looked like when it was read, to find out later whether its lines are still where
//! they were. It may have grown; anything else counts as changed. One that grew is compared by blocks spread over it: a
//! file of up to 1 MiB whole, of a larger one a change between the blocks and before an append can go unseen.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a block that is hashed.
const BLOCK_BYTES: u64 = 64 << 10;

/// Blocks that are hashed, the first and the last among them.
const BLOCKS: u64 = 16;

/// What a file looked like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its length.
    pub bytes: u64,
    /// Last change of its content, name or permissions, nanoseconds since the epoch; unlike the time of its last
    /// modification, nobody can set it back.
    #[serde(alias = "modified_ns")]
    pub changed_ns: i64,
    /// Its file system's number, and its own there.
    pub inode: (u64, u64),
    /// SHA-256 of its blocks, in hexadecimal.
    #[serde(alias = "ends")]
    pub blocks: String,
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
    /// Not readable.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Where it is.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Mark {
    /// Looks at a file; the path is for words only.
    pub fn take(file: &File, path: &str) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let meta = file.metadata().map_err(unreadable)?;
        let blocks = blocks(file, meta.len()).map_err(unreadable)?;
        Ok(Self { bytes: meta.len(), changed_ns: changed_ns(&meta), inode: (meta.dev(), meta.ino()), blocks })
    }

    /// Checks that the bytes seen then are still where they were.
    pub fn check(&self, file: &File, path: &str) -> Result<(), Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let changed = |what| Err(Error::Changed { path: path.to_owned(), what });
        let meta = file.metadata().map_err(unreadable)?;
        match meta.len() {
            _ if self.inode != (meta.dev(), meta.ino()) => changed("another file is in its place"),
            bytes if bytes < self.bytes => changed("it is shorter"),
            bytes if bytes == self.bytes && changed_ns(&meta) == self.changed_ns => Ok(()),
            bytes if bytes == self.bytes => changed("it was written to, or its permissions were changed"),
            _ if blocks(file, self.bytes).map_err(unreadable)? != self.blocks => changed("it holds other text"),
            _ => Ok(()),
        }
    }
}

fn changed_ns(meta: &Metadata) -> i64 {
    meta.ctime().saturating_mul(1_000_000_000).saturating_add(meta.ctime_nsec())
}

/// The hash of blocks spread evenly over the file's first `bytes`; a file that became shorter is an error.
fn blocks(file: &File, bytes: u64) -> io::Result<String> {
    let size = bytes.min(BLOCK_BYTES);
    let mut block = vec![0; usize::try_from(size).expect("a block fits memory")];
    let mut hash = Sha256::new();
    for n in 0..BLOCKS {
        // Divided first, so that no length overflows; the last block ends where the bytes end.
        let start = if n + 1 == BLOCKS { bytes - size } else { (bytes - size) / (BLOCKS - 1) * n };
        file.read_exact_at(&mut block, start)?;
        hash.update(&block);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
