//! Frames on their way to `h2`: the first one has to be the client's settings, those that cost it nothing and us something,
//! such as resets, pings, settings and empty data, are counted, and heads are [read](super::block) and passed on as they
//! are written anew. Pure.

use std::collections::BTreeSet;

use h2::Reason;

use super::{
    MOST_STREAMS, PIECE,
    block::{Block, is_of_head},
    frame::{
        ANSWER, CONTINUATION, DATA, END_STREAM, GOAWAY, HEADERS, Head, LONGEST, PADDED, PING, Partial, RESET, SETTINGS,
        WINDOW_UPDATE,
    },
    recode::Odd,
    rules::Of,
};
use crate::http1::Refusal;

/// Bytes that a client sends before its first frame.
const PREFACE: usize = 24;

/// Most heads that are refused and wait to be told: more than there may be requests.
const MOST_ODD: usize = 2 * MOST_STREAMS as usize;

const KINDS: usize = 7;
/// Most of each kind in a second.
pub(crate) const MOST_IN_A_SECOND: [(&str, u32); KINDS] = [
    ("resets", 200),
    ("pings", 100),
    ("settings", 50),
    ("empty pieces of data", 100),
    ("continuations", 200),
    ("window updates, besides those for what was sent", 1000),
    ("others that ask for nothing", 500),
];
/// Bytes of answers for which a client may send one more update of its windows, whenever it comes to that; and most that it may
/// have left.
const PER_UPDATE: u64 = 256;
const MOST_UPDATES: u64 = 1 << 18;

/// The frames of a connection.
#[derive(Debug)]
pub(super) struct Watch {
    /// Bytes seen of the preface.
    greeted: usize,
    /// Whether the settings of it have come.
    settled: bool,
    next: Partial,
    /// The frame that has come last, and bytes of it that are still to come.
    frame: Head,
    left: usize,
    second: u64,
    counts: [u32; KINDS],
    /// Updates of windows besides those of each second.
    updates: u64,
    block: Block,
    /// Bodies that have begun and not ended, as far as there may be so many.
    bodies: BTreeSet<u32>,
    /// The last stream that was begun.
    last: u32,
    /// Whether another head or frame has begun.
    moved: bool,
    /// Streams whose heads are refused, or whose trailers, in the order in which they came.
    odd: Vec<(u32, Odd)>,
    odd_trailers: Vec<(u32, Odd)>,
}

impl Watch {
    /// Heads may be as large as this, without it.
    pub(super) fn new(head_size: usize) -> Self {
        Self {
            greeted: 0,
            settled: false,
            next: Partial::default(),
            frame: Head::default(),
            left: 0,
            second: 0,
            counts: [0; KINDS],
            updates: 0,
            block: Block::new(head_size),
            bodies: BTreeSet::new(),
            last: 0,
            moved: false,
            odd: Vec::new(),
            odd_trailers: Vec::new(),
        }
    }

    /// Whether the next bytes, so many of them, go on as they are.
    pub(super) fn is_plain(&self, length: usize) -> bool {
        self.left > length && !is_of_head(self.frame)
    }

    /// They have gone.
    pub(super) fn passed(&mut self, length: usize) {
        self.left -= length;
    }

    /// Passes on what has come, up to a bound; says how much of it that was. `sent`: bytes that went to the client. With an error the connection has to end.
    pub(super) fn pass(&mut self, all: &[u8], out: &mut Vec<u8>, second: u64, sent: u64) -> Result<usize, Reason> {
        if self.second != second {
            (self.second, self.counts) = (second, [0; KINDS]);
        }
        let (greeting, mut bytes) = all.split_at(all.len().min(PREFACE - self.greeted));
        self.greeted += greeting.len();
        out.extend_from_slice(greeting);
        while !bytes.is_empty() && out.len() < PIECE {
            if self.left > 0 {
                let (passed, rest) = bytes.split_at(self.left.min(bytes.len()));
                bytes = rest;
                self.left -= passed.len();
                if is_of_head(self.frame) {
                    self.block.read(passed, self.left)?;
                } else {
                    out.extend_from_slice(passed);
                }
            } else {
                let Some(frame) = self.next.take(&mut bytes) else { break };
                self.begin(frame, sent)?;
                if !is_of_head(frame) && !self.is_nothing(frame) {
                    out.extend_from_slice(&frame.bytes());
                }
            }
            if self.left == 0
                && is_of_head(self.frame)
                && let Some((of, odd)) = self.block.end(self.frame, out)?
            {
                let list = if of == Of::Trailers { &mut self.odd_trailers } else { &mut self.odd };
                list.push((self.frame.stream, odd));
            }
        }
        Ok(all.len() - bytes.len())
    }

    /// Why a request is refused for its head. It is asked for once, in the order of requests: those before it are forgotten,
    /// which `h2` has not let in.
    pub(super) fn odd(&mut self, stream: u32) -> Option<Odd> {
        let until = self.odd.partition_point(|(id, _)| *id <= stream);
        self.odd.drain(..until).next_back().filter(|(id, _)| *id == stream).map(|(_, odd)| odd)
    }

    /// Why it is refused for its trailers, once they have come.
    pub(super) fn refusal_of_trailers(&self, stream: u32) -> Option<Refusal> {
        self.odd_trailers.iter().find(|(id, _)| *id == stream).map(|(_, odd)| odd.refusal)
    }

    /// Keeps what may still be asked for, if there is more than that can be.
    pub(super) fn forget_all_but(&mut self, may_be_asked: impl Fn(u32) -> bool) {
        if self.odd_trailers.len() > MOST_ODD {
            self.odd_trailers.retain(|(id, _)| may_be_asked(*id));
        }
    }

    /// Nobody asks any more.
    pub(super) fn forget(&mut self, stream: u32) {
        self.odd_trailers.retain(|(id, _)| *id != stream);
    }

    /// Holds no more memory than it has to.
    pub(super) fn rest(&mut self) {
        self.block.rest();
    }

    /// Whether a part of a head has come, and the rest has not; what of a frame has come may be one.
    pub(super) fn is_in_head(&self) -> bool {
        self.next.has_begun() || self.block.stream().is_some()
    }

    /// Whether another head or frame has begun since this was asked.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether a frame is a piece of data without any, of a body that goes on. `h2` has had enough after a hundred of them, in
    /// however long a time.
    fn is_nothing(&self, frame: Head) -> bool {
        let says = END_STREAM | PADDED;
        frame.kind == DATA && frame.length == 0 && !frame.has(says) && self.bodies.contains(&frame.stream)
    }

    /// Notes where bodies begin and end.
    fn note_body(&mut self, frame: Head) {
        match frame.kind {
            HEADERS if frame.stream > self.last && !frame.has(END_STREAM) => {
                self.bodies.insert(frame.stream);
                if self.bodies.len() > MOST_ODD {
                    self.bodies.pop_first();
                }
            }
            HEADERS | DATA if frame.has(END_STREAM) => drop(self.bodies.remove(&frame.stream)),
            RESET => drop(self.bodies.remove(&frame.stream)),
            _ => {}
        }
    }

    /// A frame begins.
    fn begin(&mut self, frame: Head, sent: u64) -> Result<(), Reason> {
        (self.frame, self.left) = (frame, frame.length);
        self.settled |= frame.kind == SETTINGS && !frame.has(ANSWER);
        // A head is in one piece (RFC 9113, 4.3).
        let continues = frame.kind == CONTINUATION;
        let follows = self.block.stream().map_or(!continues, |stream| continues && stream == frame.stream);
        if !self.settled || !follows || frame.kind == HEADERS && frame.stream == 0 {
            return Err(Reason::PROTOCOL_ERROR);
        }
        if !is_sized(frame) {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        if !self.count(frame, sent) || self.odd.len().max(self.odd_trailers.len()) > 2 * MOST_ODD {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        self.moved |= !continues;
        self.note_body(frame);
        if frame.kind == HEADERS {
            let is_request = frame.stream > self.last;
            let of = if is_request { Of::Request { is_all: frame.has(END_STREAM) } } else { Of::Trailers };
            self.block.begin(frame, of);
            self.last = self.last.max(frame.stream);
        }
        Ok(())
    }

    fn count(&mut self, frame: Head, sent: u64) -> bool {
        let place = match frame.kind {
            RESET => 0,
            PING if !frame.has(ANSWER) => 1,
            SETTINGS if !frame.has(ANSWER) => 2,
            DATA if frame.length == 0 && !frame.has(END_STREAM) => 3,
            CONTINUATION => 4,
            WINDOW_UPDATE => 5,
            DATA | HEADERS => return true,
            // PRIORITY, answers, and what nobody knows.
            _ => 6,
        };
        self.counts[place] += 1;
        let is_in_bound = self.counts[place] <= MOST_IN_A_SECOND[place].1;
        if is_in_bound || frame.kind != WINDOW_UPDATE {
            return is_in_bound;
        }
        let earned = sent / PER_UPDATE;
        self.updates = self.updates.max(earned.saturating_sub(MOST_UPDATES)) + 1;
        self.updates <= earned
    }
}

fn is_sized(frame: Head) -> bool {
    let fits = match frame.kind {
        RESET | WINDOW_UPDATE => frame.length == 4,
        SETTINGS if frame.has(ANSWER) => frame.length == 0,
        SETTINGS => frame.length.is_multiple_of(6),
        PING => frame.length == 8,
        GOAWAY => frame.length >= 8,
        _ => true,
    };
    fits && frame.length <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::{
        super::frame::{BYTES, END_HEADERS, PRIORITY},
        *,
    };
    use crate::hpack::{self, Field};

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        // As the fields of a head: `accept-charset`, again and again.
        frame.resize(BYTES + usize::from(length), 0x8f);
        frame
    }

    /// What is passed on of these bytes.
    fn pass(watch: &mut Watch, mut bytes: &[u8], second: u64, sent: u64) -> Result<Vec<u8>, Reason> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let mut out = Vec::new();
            let passed = watch.pass(bytes, &mut out, second, sent)?;
            assert!(out.len() < PIECE + 300, "{}", out.len());
            all.extend_from_slice(&out);
            bytes = &bytes[passed..];
        }
        Ok(all)
    }

    /// One that has seen the preface, settings and all, in the second before the first.
    fn greeted() -> Watch {
        let (mut watch, preface) = (Watch::new(32 * 1024), [&[b'P'; PREFACE], &frame(SETTINGS, 0, 0)[..]].concat());
        assert_eq!(pass(&mut watch, &preface, u64::MAX, 0), Ok(preface));
        watch
    }

    /// How many of these frames are good, sent in pieces of this size.
    fn good(frames: &[u8], piece: usize, sent: u64) -> usize {
        let mut watch = greeted();
        let is_good = |_: &usize| frames.chunks(piece).all(|piece| pass(&mut watch, piece, 0, sent).is_ok());
        (0..5000).take_while(is_good).count()
    }

    #[test]
    fn frames_are_counted_however_they_arrive() {
        for piece in [1, 5, 100] {
            assert_eq!(good(&frame(RESET, 0, 4), piece, 0), 200);
            assert_eq!(good(&frame(PING, 0, 8), piece, 0), 100);
            assert_eq!(good(&frame(SETTINGS, 0, 6), piece, 0), 50);
            assert_eq!(good(&frame(DATA, 0, 0), piece, 0), 100);
            let in_two = [frame(HEADERS, 0, 1), frame(CONTINUATION, END_HEADERS, 1)].concat();
            assert_eq!(good(&in_two, piece, 0), 200);
            assert_eq!(good(&frame(2, 0, 5), piece, 0), 500);
        }
    }

    #[test]
    fn requests_and_bodies_and_updates_for_what_was_sent_are_not_bounded() {
        assert_eq!(good(&frame(HEADERS, 5, 20), 100, 0), 5000);
        assert_eq!(good(&frame(DATA, 0, 200), 100, 0), 5000);
        assert_eq!(good(&frame(DATA, END_STREAM, 0), 100, 0), 5000);
        assert_eq!(good(&frame(WINDOW_UPDATE, 0, 4), 100, 0), 1000);
        assert_eq!(good(&frame(WINDOW_UPDATE, 0, 4), 100, 1 << 20), 5000);
    }

    #[test]
    fn updates_may_come_long_after_what_they_are_for_and_once() {
        let mut watch = greeted();
        let mut passes = |second: u64, sent: u64| pass(&mut watch, &frame(WINDOW_UPDATE, 0, 4), second, sent).is_ok();
        assert!((0..5000).all(|_| passes(9, 4000 * PER_UPDATE)));
        assert!(!passes(9, 4000 * PER_UPDATE) && passes(9, 4002 * PER_UPDATE));
        let much = u64::MAX / 2;
        assert!((0..MOST_UPDATES).all(|_| passes(9, much)) && !passes(9, much));
    }

    #[test]
    fn data_without_any_goes_no_further_unless_it_says_something() {
        let mut watch = greeted();
        let mut passes = |frame: &[u8]| pass(&mut watch, frame, 0, 0).unwrap() == frame;
        let empty = frame(DATA, 0, 0);
        assert!(passes(&empty), "of a stream that has not begun");
        passes(&frame(HEADERS, END_HEADERS, 0));
        assert!(!passes(&empty) && passes(&frame(DATA, 0, 1)) && !passes(&empty) && passes(&frame(DATA, PADDED, 0)));
        assert!(passes(&frame(DATA, END_STREAM, 0)) && passes(&empty), "it has ended");
        let mut other = empty;
        other[BYTES - 1] = 2;
        assert!(passes(&other), "of another one");
    }

    #[test]
    fn a_head_is_under_way_until_its_last_byte() {
        let mut watch = greeted();
        let mut sees = |bytes: &[u8]| {
            pass(&mut watch, bytes, 0, 0).unwrap();
            watch.is_in_head()
        };
        let (part, whole) = (frame(HEADERS, 1, 20), frame(CONTINUATION, END_HEADERS, 20));
        assert!(!sees(&[]) && sees(&part[..3]) && sees(&part[3..12]) && sees(&part[12..]));
        assert!(sees(&whole[..28]) && !sees(&whole[28..]) && !sees(&frame(HEADERS, 5, 0)) && !sees(&frame(PING, 0, 8)));
    }

    /// Frames of one stream with these payloads.
    fn frames(stream: u8, frames: &[(u8, u8, &[u8])]) -> Vec<u8> {
        let frame = |(kind, flags, payload): &(u8, u8, &[u8])| {
            let [_, high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
            [&[high, middle, low, *kind, *flags, 0, 0, 0, stream], *payload].concat()
        };
        frames.iter().flat_map(frame).collect()
    }

    #[test]
    fn heads_are_passed_on_without_filling_and_cuts_and_what_is_odd_about_them_is_known() {
        // Method, scheme, and a path to be kept, with a name that is known.
        let (plain, odd) = (&b"\x82\x87\x44\x03/ab"[..], &b"\x82\x87\x44\x03/#b"[..]);
        let priority = [0, 0, 0, 0, 9];
        let filled = |field: &[u8]| [&[3], &priority[..], field, b"\xff\xff\xff"].concat();
        let written = |flags: u8, payload: &[u8]| frames(0, &[(HEADERS, flags | END_HEADERS, payload)]);
        for piece in [1, 3, 1000] {
            let mut watch = greeted();
            let mut passes = |stream: u8, sent: &[(u8, u8, &[u8])], expected: &[u8]| {
                let bytes = frames(stream, sent);
                let mut out = Vec::new();
                bytes.chunks(piece).for_each(|piece| out.extend(pass(&mut watch, piece, 0, 0).unwrap()));
                let mut expected = expected.to_vec();
                expected[BYTES - 1] = stream;
                assert_eq!(out, expected, "{sent:?}");
                watch.odd(stream.into()).is_some() || watch.refusal_of_trailers(stream.into()).is_some()
            };
            let whole = PADDED | PRIORITY | END_HEADERS;
            let (head, shortest) = (b"\x82\x87\x04\x03/ab", b"\x82\x87\x84");
            assert!(!passes(1, &[(HEADERS, END_HEADERS, plain)], &written(0, head)));
            assert!(passes(3, &[(HEADERS, END_HEADERS | END_STREAM, odd)], &written(END_STREAM, shortest)));
            let kept = [&priority[..], head].concat();
            assert!(!passes(5, &[(HEADERS, whole, &filled(plain))], &written(PRIORITY, &kept)));
            // Said again by its number: there it is whole.
            assert!(!passes(7, &[(HEADERS, END_HEADERS, b"\x82\x87\xbe")], &written(0, head)));
            let cut = [(HEADERS, 0, &odd[..5]), (CONTINUATION, 0, b""), (CONTINUATION, END_HEADERS, &odd[5..])];
            assert!(passes(9, &cut, &written(0, shortest)));
            assert!(!passes(1, &[(HEADERS, 5, b"\x0f\x00\x00")], &written(END_STREAM, b"\x0f\x00\x00")), "trailers");
            assert!(passes(1, &[(HEADERS, 5, plain)], &written(END_STREAM, b"")));
        }
    }

    #[test]
    fn a_long_head_is_cut_anew() {
        let mut watch = greeted();
        let with = |length| {
            let (mut field, value) = (b"\x82\x87\x84".to_vec(), vec![b'x'; length]);
            hpack::put(&mut field, &Field { number: 0, known: 58, name: b"user-agent", value: &value, length });
            field
        };
        let (field, value) = (with(100_000), with(20_000));
        let mut cut: Vec<(u8, u8, &[u8])> = field.chunks(1000).map(|piece| (CONTINUATION, 0, piece)).collect();
        cut[0].0 = HEADERS;
        let last = cut.len() - 1;
        cut[last].1 = END_HEADERS;
        assert_eq!(pass(&mut watch, &frames(1, &cut), 0, 0), Ok(frames(1, &[(HEADERS, END_HEADERS, b"\x82\x87\x84")])));
        assert_eq!(watch.odd(1).map(|odd| odd.refusal), Some(Refusal::HeadTooLarge));
        let (first, second) = value.split_at(10_000);
        let sent = frames(3, &[(HEADERS, 5 - END_HEADERS, first), (CONTINUATION, END_HEADERS, second)]);
        let (first, second) = value.split_at(LONGEST);
        let passed = frames(3, &[(HEADERS, END_STREAM, first), (CONTINUATION, END_HEADERS, second)]);
        let mut out = Vec::new();
        assert_eq!(watch.pass(&sent, &mut out, 0, 0), Ok(sent.len()));
        assert!(out == passed && watch.odd(3).is_none());
    }

    #[test]
    fn what_breaks_a_head_ends_the_connection_with_its_name() {
        let whole = (HEADERS, END_HEADERS, &b"\x82"[..]);
        for (what, expected, sent) in [
            ("a continuation of nothing", Reason::PROTOCOL_ERROR, vec![(CONTINUATION, END_HEADERS, &b""[..])]),
            ("of a whole head", Reason::PROTOCOL_ERROR, vec![whole, (CONTINUATION, END_HEADERS, b"")]),
            ("something else in a head", Reason::PROTOCOL_ERROR, vec![(HEADERS, 0, b"\x82"), (PING, 0, &[0; 8])]),
            ("more filling than there is", Reason::PROTOCOL_ERROR, vec![(HEADERS, PADDED | END_HEADERS, b"\x02\x82")]),
            ("no room for filling", Reason::FRAME_SIZE_ERROR, vec![(HEADERS, PADDED | END_HEADERS, b"")]),
            ("no room for a priority", Reason::FRAME_SIZE_ERROR, vec![(HEADERS, PRIORITY | END_HEADERS, &[0; 4])]),
            ("half a field", Reason::COMPRESSION_ERROR, vec![(HEADERS, END_HEADERS, b"\x04\x05/")]),
            ("field zero", Reason::COMPRESSION_ERROR, vec![(HEADERS, END_HEADERS, b"\x80")]),
            ("a ping of seven bytes", Reason::FRAME_SIZE_ERROR, vec![(PING, 0, &[0; 7])]),
        ] {
            assert_eq!(pass(&mut greeted(), &frames(1, &sent), 0, 0), Err(expected), "{what}");
        }
        let mut watch = greeted();
        let one = [frames(1, &[(HEADERS, 0, b"\x82")]), frames(3, &[(CONTINUATION, END_HEADERS, b"")])].concat();
        assert_eq!(pass(&mut watch, &one, 0, 0), Err(Reason::PROTOCOL_ERROR), "a continuation of another head");
    }

    #[test]
    fn odd_heads_are_told_in_their_order_and_many_that_nobody_asks_for_are_a_flood() {
        let odd = |stream: u32, flags| {
            let mut frame = frames(0, &[(HEADERS, END_HEADERS | flags, b"\x04\x01#")]);
            frame[5..BYTES].copy_from_slice(&stream.to_be_bytes());
            frame
        };
        let mut watch = greeted();
        for stream in (1..9999).step_by(2) {
            pass(&mut watch, &odd(stream, 0), 0, 0).unwrap();
            // Some are not let in, and not asked for.
            if stream % 3 == 0 {
                continue;
            }
            assert!(watch.odd(stream).is_some());
            assert_eq!(watch.odd(stream), None, "it was told");
            pass(&mut watch, &odd(stream, END_STREAM), 0, 0).unwrap();
            assert!(watch.refusal_of_trailers(stream).is_some());
            watch.forget(stream);
        }
        for stream in (1..9999).step_by(2) {
            pass(&mut watch, &odd(stream, END_STREAM), 0, 0).unwrap();
            watch.forget_all_but(|stream| stream > 9900);
        }
        assert!(watch.refusal_of_trailers(9901).is_some() && watch.odd_trailers.len() <= MOST_ODD + 1);
        let mut passes = |stream| pass(&mut watch, &odd(stream, 0), 0, 0);
        assert!((10_000..).take(2 * MOST_ODD + 1).all(|stream| passes(stream).is_ok()));
        assert_eq!(passes(20_000), Err(Reason::ENHANCE_YOUR_CALM));
    }

    #[test]
    fn heads_that_are_short_here_and_long_there_are_passed_on_a_few_at_a_time() {
        let mut watch = greeted();
        let large = [&b"\x82\x87\x84\x40\x01x\x7f\x81\x1e"[..], &[b'y'; 3968]].concat();
        pass(&mut watch, &frames(1, &[(HEADERS, 5, &large)]), 0, 0).unwrap();
        let bomb: Vec<u8> =
            (3..103).flat_map(|stream| frames(stream, &[(HEADERS, 5, b"\x82\x87\x84\xbe\xbe\xbe\xbe")])).collect();
        let mut out = Vec::new();
        let passed = watch.pass(&bomb, &mut out, 0, 0).unwrap();
        assert!(passed < 60 && out.len() < PIECE + 32 * 1024, "{passed} {}", out.len());
    }

    #[test]
    fn another_second_begins_anew() {
        let (mut watch, reset) = (greeted(), frame(RESET, 0, 4));
        assert!((0..2000).all(|number| pass(&mut watch, &reset, number / 200, 0).is_ok()));
        assert_eq!(pass(&mut watch, &reset, 9, 0), Err(Reason::ENHANCE_YOUR_CALM));
    }

    #[test]
    fn the_first_frame_is_settings() {
        for first in [frame(HEADERS, 5, 20), frame(PING, 0, 8), frame(WINDOW_UPDATE, 0, 4), frame(SETTINGS, 1, 0)] {
            let all = [&[b'P'; PREFACE], &first[..], &frame(SETTINGS, 0, 0)].concat();
            for piece in [1, 30, 100] {
                let mut watch = Watch::new(32 * 1024);
                let bad = all.chunks(piece).find_map(|piece| pass(&mut watch, piece, 0, 0).err());
                assert_eq!(bad, Some(Reason::PROTOCOL_ERROR), "{first:?}");
            }
        }
    }
}
