//! A body that is compressed on its way to the client: a step at a time, so that the thread's other requests are not kept
//! waiting, and never held back when there is nothing more to come for the moment.

use std::io;

use super::seen::Seen;
use crate::{
    compress::{self, Candidate, Coding, Compress, Verdict, accepted::Accepted, encoder::Encoder},
    http1::{Span, Version},
    proxy::{room::Taken, worker::Worker},
};

/// Most bytes that are compressed at a time: a millisecond or less.
const STEP: usize = 32 * 1024;

/// How an answer goes to whoever has sent this request.
pub(super) fn judge(worker: &Worker, compress: &Compress, seen: &Seen<'_>, answer: Candidate<'_>) -> Verdict {
    // An old client would know the end of such a body by that of its connection only.
    if seen.request.version != Version::Http11 {
        return Verdict::Untouched;
    }
    if seen.all("cache-control").any(|value| compress::forbids(b"cache-control", value)) {
        return Verdict::Untouched;
    }
    let accepted = Accepted::read(seen.all("accept-encoding"));
    if answer.status == 304 {
        let is_weak = seen.all("if-none-match").any(|tags| answer.is_weak_in(tags));
        return compress.judge_known(answer, &accepted, is_weak);
    }
    match compress.judge(answer, &accepted) {
        Verdict::Coded(_) if !worker.encoders.is_left() => Verdict::Plain,
        verdict => verdict,
    }
}

/// A body on its way through a coding.
pub(super) struct Press {
    encoder: Encoder,
    /// Whether something is inside that its reader could have.
    holds: bool,
    ended: bool,
    _memory: Taken,
}

impl Press {
    pub(super) fn new(worker: &Worker, coding: Coding) -> io::Result<Self> {
        let memory = worker.encoders.take(coding.memory());
        Ok(Self { encoder: Encoder::new(coding)?, holds: false, ended: false, _memory: memory })
    }

    /// Takes some of `data` and leaves the rest there; the end too, if nothing is left and it is the last.
    pub(super) fn take(&mut self, bytes: &[u8], data: &mut Span, is_last: bool) -> io::Result<()> {
        self.encoder.clear();
        let step = Span { start: data.start, end: data.start + data.len().min(STEP) };
        data.start = step.end;
        if !step.is_empty() {
            self.encoder.write(step.of(bytes))?;
            self.holds = true;
        }
        if is_last && data.is_empty() && !self.ended {
            self.encoder.finish()?;
            (self.ended, self.holds) = (true, false);
        }
        Ok(())
    }

    /// Brings out what is inside; `false` if there is nothing.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        self.encoder.clear();
        let holds = std::mem::take(&mut self.holds);
        if holds {
            self.encoder.flush()?;
        }
        Ok(holds)
    }

    /// Whether everything has come out.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// All of what is to be sent next, as a piece of [`output`](Self::output).
    pub(super) fn packed(&self) -> Span {
        Span { start: 0, end: self.output().len() }
    }

    /// What has come out and is to be sent next.
    pub(super) fn output(&self) -> &[u8] {
        self.encoder.output()
    }
}
