//! Lines of a head as its bytes arrive. A line ends with CR and LF; neither stands anywhere else.

use memchr::memchr;

use super::{Refusal, Span};

const BARE_CR: Refusal = Refusal::Bad("there is a CR without an LF in the head");
const BARE_LF: Refusal = Refusal::Bad("there is an LF without a CR in the head");
const CONTROL: Refusal = Refusal::Bad("there is a control character in the head");

/// How far the lines of a head have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lines {
    at: usize,
    searched: usize,
}

impl Lines {
    /// The next line without its end, once it is there. `bytes` is all of the head so far. What can be no part of any
    /// line is refused at once, so that nobody waits for the end of what has none.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Option<Span>, Refusal> {
        let Some(distance) = memchr(b'\n', &bytes[self.searched..]) else {
            self.check_begun(&bytes[self.searched.saturating_sub(1).max(self.at)..])?;
            self.searched = bytes.len();
            return Ok(None);
        };
        let end = self.searched + distance;
        if end == self.at || bytes[end - 1] != b'\r' {
            return Err(BARE_LF);
        }
        let line = Span { start: self.at, end: end - 1 };
        self.at = end + 1;
        self.searched = self.at;
        Ok(Some(line))
    }

    /// Where the next line begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn check_begun(self, fresh: &[u8]) -> Result<(), Refusal> {
        match fresh.iter().position(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            Some(place) if fresh[place] != b'\r' => Err(CONTROL),
            Some(place) if place + 1 < fresh.len() => Err(BARE_CR),
            _ => Ok(()),
        }
    }
}
