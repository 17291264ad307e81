//! A way out for lines whose reader may stand still: a terminal, or who is behind a pipe. A thread of its own writes them,
//! and nobody waits for it: what its queue does not take is lost, and counted.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How long nothing may be taken at the end before what is left is given up.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The way out. All clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    pieces: SyncSender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Pieces that were queued, and those that have left.
    queued: AtomicU64,
    done: AtomicU64,
    /// Lines.
    lost: AtomicU64,
    trouble: Mutex<Option<io::Error>>,
}

impl Outlet {
    /// Starts the thread, which ends when the last handle is gone. `open` may wait for somebody at the other end, and is called
    /// there. So many pieces may wait. `note`: what is said in place of so many lines.
    pub(crate) fn open<W: Write>(
        what: &str,
        queue: usize,
        open: impl FnOnce() -> io::Result<W> + Send + 'static,
        note: Option<fn(u64) -> String>,
    ) -> io::Result<Self> {
        let (pieces, waiting) = sync_channel(queue);
        let state = Arc::<State>::default();
        let outlet = Self { pieces, state: Arc::clone(&state) };
        let writing = move || match open() {
            Ok(out) => write_all(out, waiting, &state, note),
            Err(error) => state.fail(error),
        };
        thread::Builder::new().name(what.to_owned()).spawn(writing)?;
        Ok(outlet)
    }

    /// Takes whole lines, or loses them.
    pub(crate) fn write(&self, lines: Vec<u8>) {
        match self.pieces.try_send(lines) {
            Ok(()) => drop(self.state.queued.fetch_add(1, Ordering::Relaxed)),
            Err(TrySendError::Full(lines) | TrySendError::Disconnected(lines)) => self.state.lose(&lines),
        }
    }

    /// How many lines were lost since this was asked last, and why, if it is known to be more than a slow reader.
    pub(crate) fn take_lost(&self) -> (u64, Option<io::Error>) {
        let trouble = self.state.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        (self.state.lost.swap(0, Ordering::Relaxed), trouble)
    }

    /// Waits until all of it has left, for as long as some of it does.
    pub(crate) fn finish(&self) {
        let done = || self.state.done.load(Ordering::Relaxed);
        let (mut before, mut moved) = (done(), Instant::now());
        while before < self.state.queued.load(Ordering::Relaxed) && moved.elapsed() < LAST_WORDS {
            thread::sleep(Duration::from_millis(1));
            if done() != before {
                (before, moved) = (done(), Instant::now());
            }
        }
    }
}

impl State {
    fn lose(&self, lines: &[u8]) {
        self.lost.fetch_add(memchr::memchr_iter(b'\n', lines).count() as u64, Ordering::Relaxed);
    }

    fn fail(&self, error: io::Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

fn write_all(mut out: impl Write, waiting: Receiver<Vec<u8>>, state: &State, note: Option<fn(u64) -> String>) {
    for lines in waiting {
        if let Some(note) = note {
            let lost = state.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                drop(writeln!(out, "{}", note(lost)));
            }
        }
        // Who has gone may come back, as at a named pipe.
        if let Err(error) = out.write_all(&lines) {
            state.lose(&lines);
            state.fail(error);
        }
        state.done.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::net::UnixStream};

    use super::*;

    #[test]
    fn nobody_waits_for_who_does_not_read_and_what_is_lost_is_told() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let note = |lost| format!("{lost} lost");
        let outlet = Outlet::open("test", 2, || Ok(ours), Some(note)).unwrap();
        let long = "x".repeat(1 << 20) + "\n";
        for _ in 0..20 {
            outlet.write(long.clone().into_bytes());
        }
        let mut said = String::new();
        let reading = thread::spawn(move || (&theirs).read_to_string(&mut said).map(|_| said));
        outlet.finish();
        outlet.write(b"last\n".to_vec());
        drop(outlet);
        let said = reading.join().unwrap().unwrap();
        let whole = said.lines().filter(|line| line.len() + 1 == long.len()).count();
        let told = said.lines().filter_map(|line| line.strip_suffix(" lost")?.parse::<usize>().ok()).sum::<usize>();
        assert!(whole > 0 && told > 0 && whole + told == 20, "{whole} are there, {told} are told");
        assert!(said.ends_with("\nlast\n"));
    }

    #[test]
    fn why_something_was_lost_is_told_with_how_much() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let outlet = Outlet::open("test", 2, || Ok(ours), None).unwrap();
        outlet.write(b"a\nb\n".to_vec());
        outlet.finish();
        let (lost, why) = outlet.take_lost();
        assert_eq!((lost, why.map(|why| why.kind())), (2, Some(io::ErrorKind::BrokenPipe)));
    }
}
