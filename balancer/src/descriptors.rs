//! File descriptors: how many the system lets us have, and how many of them clients may take, and answers for files. The rest
//! is for connections to backends.

use std::io;

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use crate::config::Limits;

/// Clients may have this part of all descriptors: one that is idle shall take none from a request.
const OF_CLIENTS: u64 = 2;

/// Answers may have this part of them for their files.
const OF_FILES: u64 = 4;

/// Readers of the metrics may have this part of them.
const OF_READERS: u64 = 16;

/// Fewer clients at a time than a page needs that is up all day.
const FEW: usize = 1024;

/// Where there is no bound.
const PLENTY: u64 = 1 << 20;

/// Takes as many as there are to be had: a proxy needs two for a request; the usual soft limit of 1024 is for programs that
/// use `select`.
fn raise() {
    let limit = getrlimit(Resource::Nofile);
    // Refused means: it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Whether something failed because this machine or process has no more of what it takes. Clients could use that up; it says
/// nothing of the other side.
pub(crate) fn are_spent(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// How many files answers may have open, over all threads.
pub(crate) fn for_files() -> usize {
    part(OF_FILES)
}

/// How many readers of the metrics there may be at a time, of those wanted.
pub(crate) fn for_readers(wanted: usize) -> usize {
    wanted.min(part(OF_READERS)).max(1)
}

/// Bounds connections by what there is for them, and tells if that is less than what was asked for, or little.
pub(crate) fn fit(limits: &mut Limits) -> Option<String> {
    let (asked, room) = (limits.connections, part(OF_CLIENTS).max(1));
    limits.connections = asked.min(room);
    let is_asked = asked != Limits::default().connections || room < FEW;
    (asked > room && is_asked).then(|| {
        let most = all();
        format!("worker_connections is {room}, not {asked}: this process may have {most} files and connections, and clients half of them; raise that (ulimit -Hn, LimitNOFILE), or write less")
    })
}

fn part(of: u64) -> usize {
    raise();
    usize::try_from(all() / of).unwrap_or(usize::MAX)
}

fn all() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(PLENTY)
}
