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

/// Bytes of `PIPE_BUF` on Linux.
const IN_ONE_PIECE: usize = 4096;

/// How long nothing may be taken at the end before what is left is given up.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The way out. All clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    pieces: SyncSender<Vec<u8>>,
    state: Arc<State>,
    is_noted: bool,
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
        let outlet = Self { pieces, state: Arc::clone(&state), is_noted: note.is_some() };
        let writing = move || match open() {
            Ok(out) => write_all(out, waiting, &state, note),
            Err(error) => {
                state.fail(error);
                for lines in waiting {
                    state.lose(count(&lines));
                    state.done.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        thread::Builder::new().name(what.to_owned()).spawn(writing)?;
        Ok(outlet)
    }

    /// Takes whole lines, or loses them.
    pub(crate) fn write(&self, lines: Vec<u8>) {
        match self.pieces.try_send(lines) {
            Ok(()) => drop(self.state.queued.fetch_add(1, Ordering::Relaxed)),
            Err(TrySendError::Full(lines) | TrySendError::Disconnected(lines)) => self.state.lose(count(&lines)),
        }
    }

    /// How many lines were lost since this was asked last, and why, if it is known to be more than a slow reader. Where a note
    /// says so, it is none.
    pub(crate) fn take_lost(&self) -> (u64, Option<io::Error>) {
        if self.is_noted {
            return (0, None);
        }
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

/// What was not written.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) lines: u64,
    pub(crate) why: io::Error,
    /// Whether the beginning of one was.
    pub(crate) torn: bool,
}

/// Writes whole lines, as far as that goes.
pub(crate) fn write_lines(mut out: impl Write, all: &[u8]) -> Result<(), Lost> {
    let mut written = 0;
    while written < all.len() {
        let why = match out.write(&all[written..]) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(more) => {
                written += more;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(why) => why,
        };
        let torn = all[..written].last().is_some_and(|last| *last != b'\n');
        return Err(Lost { lines: count(&all[written..]), why, torn });
    }
    Ok(())
}

/// How many lines end there.
pub(crate) fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// How many of these bytes to write at a time: whole lines that a pipe takes in one piece, whoever else writes to it
/// (`pipe(7)`), or one that is too long for that.
fn part(lines: &[u8]) -> usize {
    let end = memchr::memrchr(b'\n', &lines[..lines.len().min(IN_ONE_PIECE)]);
    end.or_else(|| memchr::memchr(b'\n', lines)).map_or(lines.len(), |end| end + 1)
}

impl State {
    fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    fn fail(&self, error: io::Error) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

fn write_all(mut out: impl Write, waiting: Receiver<Vec<u8>>, state: &State, note: Option<fn(u64) -> String>) {
    for lines in waiting {
        if let Some(note) = note {
            let lost = state.lost.swap(0, Ordering::Relaxed);
            if lost > 0 && write_lines(&mut out, format!("{}\n", note(lost)).as_bytes()).is_err() {
                state.lose(lost);
            }
        }
        let mut rest = &lines[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(part(rest));
            rest = later;
            // Who has gone may come back, as at a named pipe.
            if let Err(Lost { lines, why, .. }) = write_lines(&mut out, now) {
                state.lose(lines);
                state.fail(why);
            }
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
    fn lines_are_whole_though_others_write_to_the_same_pipe() {
        let (mut reader, writer) = io::pipe().unwrap();
        let line = |letter: &str| letter.repeat(99) + "\n";
        let outlets: Vec<Outlet> = ["a", "b"]
            .into_iter()
            .map(|letter| {
                let writer = writer.try_clone().unwrap();
                let outlet = Outlet::open("test", 100, || Ok(writer), None).unwrap();
                (0..100).for_each(|_| outlet.write(line(letter).repeat(600).into_bytes()));
                outlet
            })
            .collect();
        drop((writer, outlets));
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said.len(), 2 * 100 * 600 * 100);
        assert!(said.split_inclusive('\n').all(|seen| seen == line("a") || seen == line("b")));
    }

    #[test]
    fn what_was_written_is_not_lost() {
        let mut room = [0; 7];
        let Lost { lines, torn, .. } = write_lines(&mut room[..], b"one\ntwo\nthree\n").unwrap_err();
        assert_eq!((lines, torn, &room), (2, true, b"one\ntwo"));
        for whole in [0, 4] {
            assert!(!write_lines(&mut room[..whole], b"one\ntwo\n").unwrap_err().torn);
        }
    }

    #[test]
    fn where_nothing_can_be_opened_all_is_lost_and_counted() {
        let nowhere = || Err::<UnixStream, _>(io::ErrorKind::NotFound.into());
        let outlet = Outlet::open("test", 9, nowhere, None).unwrap();
        (0..3).for_each(|_| outlet.write(b"a\nb\n".to_vec()));
        outlet.finish();
        let (lost, why) = outlet.take_lost();
        assert_eq!((lost, why.map(|why| why.kind())), (6, Some(io::ErrorKind::NotFound)));
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
