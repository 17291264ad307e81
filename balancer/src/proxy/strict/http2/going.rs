//! What has gone out of each answer, read off the frames that `h2` writes, as it does not tell: it takes up to [`SEND_BUFFER`] of
//! each, and an answer has gone out once the frame that ends it is with the kernel. Pure.
//!
//! [`SEND_BUFFER`]: super::SEND_BUFFER

use std::{
    collections::{HashMap, VecDeque},
    task::{Poll, Waker},
    time::Duration,
};

use super::frame::{DATA, END_STREAM, HEADERS, Head, Partial, RESET};

/// The answers of a connection.
#[derive(Debug, Default)]
pub(super) struct Going {
    next: Partial,
    /// Bytes of the frame under way that are still to be written.
    left: usize,
    /// A stream whose end is written with the frame under way.
    ending: Option<u32>,
    /// Bytes written, and those of them that are gone.
    written: u64,
    gone: u64,
    /// Where ends are among them, in their order.
    ends: VecDeque<(u64, u32)>,
    /// Answers that have not gone out, with who waits for that.
    under_way: HashMap<u32, Option<Waker>>,
    /// The last request that has come.
    last: u32,
    /// When those were told last that it goes on.
    told: Duration,
    /// Nothing goes out any more.
    over: bool,
}

impl Going {
    /// A request has come.
    pub(super) fn begin(&mut self, stream: u32) {
        self.under_way.insert(stream, None);
        self.last = self.last.max(stream);
    }

    /// Whether somebody may still ask for what comes of it: it is under way, or is to come.
    pub(super) fn may_be_asked(&self, stream: u32) -> bool {
        stream > self.last || self.under_way.contains_key(&stream)
    }

    /// Nobody asks for its answer any more.
    pub(super) fn forget(&mut self, stream: u32) {
        self.under_way.remove(&stream);
    }

    /// Ready once the answer has gone out; whether it has.
    pub(super) fn poll(&mut self, stream: u32, waker: &Waker) -> Poll<bool> {
        match self.under_way.get_mut(&stream) {
            None => Poll::Ready(true),
            Some(_) if self.over => Poll::Ready(false),
            Some(waiting) => {
                *waiting = Some(waker.clone());
                Poll::Pending
            }
        }
    }

    /// Bytes that are gone, of whichever answers.
    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    /// `h2` has written these.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        self.written += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.left == 0 {
                let Some(frame) = self.next.take(&mut bytes) else { return };
                self.left = frame.length;
                self.ending = is_end(frame).then_some(frame.stream);
            }
            let taken = self.left.min(bytes.len());
            (self.left, bytes) = (self.left - taken, &bytes[taken..]);
            if self.left == 0
                && let Some(stream) = self.ending.take()
            {
                self.ends.push_back((self.written - bytes.len() as u64, stream));
            }
        }
    }

    /// So many more are on their way to the kernel. Who waits is told of that now and then.
    pub(super) fn go(&mut self, bytes: usize, now: Duration) {
        self.gone += bytes as u64;
        if now != self.told {
            self.told = now;
            self.wake();
        }
    }

    /// It has all of those.
    pub(super) fn arrive(&mut self) {
        while let Some((_, stream)) = self.ends.pop_front_if(|(end, _)| *end <= self.gone) {
            self.under_way.remove(&stream).flatten().into_iter().for_each(Waker::wake);
        }
    }

    /// Nothing goes out any more.
    pub(super) fn end(&mut self) {
        self.over = true;
        self.wake();
    }

    fn wake(&mut self) {
        self.under_way.values_mut().filter_map(Option::take).for_each(Waker::wake);
    }
}

fn is_end(frame: Head) -> bool {
    frame.kind == RESET || matches!(frame.kind, DATA | HEADERS) && frame.has(END_STREAM)
}

#[cfg(test)]
mod tests {
    use super::{super::frame::BYTES, *};

    fn frame(kind: u8, flags: u8, stream: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        frame.resize(BYTES + usize::from(length), DATA);
        frame
    }

    fn has_gone(going: &mut Going, stream: u32) -> bool {
        going.poll(stream, Waker::noop()) == Poll::Ready(true)
    }

    #[test]
    fn an_answer_has_gone_with_the_frame_that_ends_it() {
        let frames = [
            frame(HEADERS, 4, 1, 20),
            frame(DATA, 0, 1, 100),
            frame(HEADERS, 5, 3, 20),
            frame(DATA, 0, 1, 50),
            frame(DATA, END_STREAM, 1, 0),
            frame(6, END_STREAM, 5, 8),
            frame(RESET, 0, 5, 4),
        ];
        for piece in [1, 5, 9, 10_000] {
            let mut going = Going::default();
            [1, 3, 5, 7].into_iter().for_each(|stream| going.begin(stream));
            let mut gone = |frames: &[Vec<u8>]| {
                let bytes = frames.concat();
                bytes.chunks(piece).for_each(|piece| going.write(piece));
                going.arrive();
                going.go(bytes.len() - 1, Duration::ZERO);
                going.arrive();
                let before = [1, 3, 5, 7].map(|stream| has_gone(&mut going, stream));
                going.go(1, Duration::ZERO);
                going.arrive();
                (before, [1, 3, 5, 7].map(|stream| has_gone(&mut going, stream)))
            };
            assert_eq!(gone(&frames[..2]), ([false; 4], [false; 4]));
            assert_eq!(gone(&frames[2..3]), ([false; 4], [false, true, false, false]));
            assert_eq!(gone(&frames[3..6]), ([true, true, false, false], [true, true, false, false]));
            assert_eq!(gone(&frames[6..]), ([true, true, false, false], [true, true, true, false]));
            going.end();
            assert_eq!(going.poll(7, Waker::noop()), Poll::Ready(false));
        }
    }
}
