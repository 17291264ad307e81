//! `Holes`: runs of NUL bytes in text become lines of their own. A log that is cut while its writer keeps the position, and
//! one whose machine lost power, has them; the text behind them would be no line otherwise, and that before them half of one.
//! The first and the last NUL of a run become line feeds where there are none: the length of the text is not changed.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
    rc::Rc,
};

use super::line_ends::LineEnds;
use crate::aside::HOLE;

/// NUL bytes in a row that are a hole.
const LEAST: u64 = HOLE as u64;

/// Bytes read at a time where the reader has no room of its own.
const BLOCK: usize = 64 << 10;

/// What was found, shared with who tells it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Found {
    /// Holes.
    pub(crate) holes: u64,
    /// Bytes of all of them.
    pub(crate) bytes: u64,
    /// Where the first of them begins in the text.
    pub(crate) first: u64,
}

/// Sets holes apart in what it reads.
pub(crate) struct Holes<R> {
    text: LineEnds<R>,
    /// What comes next, from `at` on.
    ready: Vec<u8>,
    at: usize,
    /// Bytes of text that were looked at.
    passed: u64,
    /// Whether the byte before the run, or before what comes next, ends a line.
    after_feed: bool,
    /// NUL bytes of the run that goes on.
    run: u64,
    /// How many of them are not in `ready` yet.
    held: u64,
    found: Rc<Cell<Found>>,
}

impl<R: BufRead> Holes<R> {
    pub(crate) fn new(text: LineEnds<R>, found: Rc<Cell<Found>>) -> Self {
        Self { text, ready: Vec::new(), at: 0, passed: 0, after_feed: true, run: 0, held: 0, found }
    }

    /// Whether these bytes may go on as they are.
    fn is_plain(&mut self, bytes: &[u8]) -> bool {
        self.run == 0 && (memchr::memchr(0, bytes).is_none() || self.text.is_binary())
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.passed += bytes.len() as u64;
        self.after_feed = bytes.last().map_or(self.after_feed, |last| *last == b'\n');
    }

    /// Makes bytes ready, holes set apart; none are the end of the text.
    fn take(&mut self, mut bytes: &[u8]) {
        if bytes.is_empty() {
            self.ready.resize(self.ready.len() + self.held as usize, 0);
            self.count();
        }
        while !bytes.is_empty() {
            let nuls = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
            self.nuls(nuls as u64);
            bytes = &bytes[nuls..];
            if bytes.is_empty() {
                return;
            }
            self.close(bytes[0]);
            let text = memchr::memchr(0, bytes).unwrap_or(bytes.len());
            self.ready.extend_from_slice(&bytes[..text]);
            self.pass(&bytes[..text]);
            bytes = &bytes[text..];
        }
    }

    /// The run goes on; once it is a hole all but its last byte are ready.
    fn nuls(&mut self, n: u64) {
        (self.run, self.held) = (self.run + n, self.held + n);
        if self.run < LEAST || self.held == 0 {
            return;
        }
        let begins = self.held == self.run;
        let at = self.ready.len();
        self.ready.resize(at + self.held as usize - 1, 0);
        if begins && !self.after_feed {
            self.ready[at] = b'\n';
        }
        self.held = 1;
    }

    /// The run is over, as this byte follows.
    fn close(&mut self, next: u8) {
        let ends_line = self.run >= LEAST && !matches!(next, b'\n' | b'\r');
        self.ready.resize(self.ready.len() + self.held as usize, 0);
        if ends_line && let Some(last) = self.ready.last_mut() {
            *last = b'\n';
        }
        self.count();
    }

    fn count(&mut self) {
        if self.run >= LEAST {
            let Found { holes, bytes, first } = self.found.get();
            let first = if holes == 0 { self.passed } else { first };
            self.found.set(Found { holes: holes + 1, bytes: bytes + self.run, first });
        }
        self.passed += self.run;
        (self.run, self.held) = (0, 0);
    }
}

impl<R: BufRead> Read for Holes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.at < self.ready.len() {
                let n = buffer.len().min(self.ready.len() - self.at);
                buffer[..n].copy_from_slice(&self.ready[self.at..][..n]);
                self.at += n;
                return Ok(n);
            }
            let n = self.text.read(buffer)?;
            if self.is_plain(&buffer[..n]) {
                self.pass(&buffer[..n]);
                return Ok(n);
            }
            self.at = 0;
            self.ready.clear();
            self.take(&buffer[..n]);
        }
    }
}

impl<R: BufRead> BufRead for Holes<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.ready.len() {
            let mut block = std::mem::take(&mut self.ready);
            self.at = 0;
            block.resize(BLOCK, 0);
            let n = self.read(&mut block)?;
            // What `read` made ready beyond the block comes behind it.
            block.truncate(n);
            block.extend_from_slice(&self.ready[self.at..]);
            (self.ready, self.at) = (block, 0);
        }
        Ok(&self.ready[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}
