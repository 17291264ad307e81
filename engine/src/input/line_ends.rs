//! `LineEnds`: carriage returns that end lines become line feeds. They do only where there are no line feeds: none among the
//! first [`HEAD`] bytes of the text, and up to the first one. A carriage return before a line feed is left where it is, and
//! one inside of a line, as progress bars write them, does not end it. The length of the text is not changed.

use std::io::{self, BufRead, Read};

use super::text::HEAD;
use crate::aside::Nature;

/// Turns what it reads.
pub(crate) struct LineEnds<R> {
    text: R,
    /// What is read ahead, from `at` on.
    ready: Vec<u8>,
    at: usize,
    started: bool,
    /// Whether carriage returns end lines, as far as is known.
    turning: bool,
    is_binary: bool,
    failure: Option<io::Error>,
}

impl<R: BufRead> LineEnds<R> {
    pub(crate) fn new(text: R) -> Self {
        Self { text, ready: Vec::new(), at: 0, started: false, turning: false, is_binary: false, failure: None }
    }

    /// Whether what was read begins as no text does.
    pub(crate) fn is_binary(&self) -> bool {
        self.is_binary
    }

    fn start(&mut self) {
        self.started = true;
        let mut whole = false;
        while self.ready.len() < HEAD && !whole {
            match self.text.fill_buf() {
                Ok([]) => whole = true,
                Ok(bytes) => {
                    let n = bytes.len().min(HEAD - self.ready.len());
                    self.ready.extend_from_slice(&bytes[..n]);
                    self.text.consume(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => (whole, self.failure) = (true, Some(e)),
            }
        }
        self.is_binary = Nature::of(&self.ready).is_some();
        // What follows the last byte may be a line feed.
        let judged = &self.ready[..self.ready.len() - usize::from(!whole)];
        self.turning = memchr::memchr(b'\n', judged).is_none() && memchr::memchr(b'\r', judged).is_some();
        if self.turning {
            self.turning = turn(&mut self.ready);
        }
    }
}

/// Turns carriage returns up to the first line feed; false if there is one.
fn turn(text: &mut [u8]) -> bool {
    let feed = memchr::memchr(b'\n', text);
    let end = feed.unwrap_or(text.len());
    text[..end].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
    feed.is_none()
}

impl<R: BufRead> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.started || self.at < self.ready.len() || self.failure.is_some() {
            let ready = self.fill_buf()?;
            let n = ready.len().min(buffer.len());
            buffer[..n].copy_from_slice(&ready[..n]);
            self.consume(n);
            return Ok(n);
        }
        let n = self.text.read(buffer)?;
        if self.turning {
            self.turning = turn(&mut buffer[..n]);
        }
        Ok(n)
    }
}

impl<R: BufRead> BufRead for LineEnds<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.started {
            self.start();
        }
        if self.at == self.ready.len() {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            if !self.turning {
                return self.text.fill_buf();
            }
            let bytes = self.text.fill_buf()?;
            (self.ready, self.at) = (bytes.to_vec(), 0);
            let n = self.ready.len();
            self.text.consume(n);
            self.turning = turn(&mut self.ready);
        }
        Ok(&self.ready[self.at..])
    }

    fn consume(&mut self, n: usize) {
        match self.at < self.ready.len() {
            true => self.at += n,
            false => self.text.consume(n),
        }
    }
}
