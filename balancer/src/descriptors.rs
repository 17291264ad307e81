//! File descriptors: how many the system lets us have, and how many of them answers may take for files. The rest is for
//! connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Answers may have this part of all descriptors for their files.
const SHARE: u64 = 4;

/// Where there is no bound.
const PLENTY: u64 = 1 << 20;

/// Takes as many as there are to be had: a proxy needs two for a request; the usual soft limit of 1024 is for programs that
/// use `select`.
pub(crate) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    // Refused means: it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// How many files answers may have open, over all threads.
pub(crate) fn for_files() -> usize {
    raise();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(PLENTY);
    usize::try_from(most / SHARE).unwrap_or(usize::MAX)
}
