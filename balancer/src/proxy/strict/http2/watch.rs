//! Looks at frames as they come: that the first one is the client's settings, how many there are of those that cost it
//! nothing and us something, such as resets, pings, settings and empty data, and which requests are malformed in a way that
//! `h2` lets pass. Pure.

use crate::hpack::{Garbled, Heads, Oddity};

/// Bytes that a client sends before its first frame.
const PREFACE: usize = 24;
/// Bytes of a frame's head.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// The flag of DATA that ends a stream, and that of PING and SETTINGS that answers one.
const LAST_OR_ANSWER: u8 = 1;
/// The flag of HEADERS and CONTINUATION with the end of a head.
const END_HEADERS: u8 = 4;
/// The flag of HEADERS that begins with the length of what fills it up.
const PADDED: u8 = 8;
/// The flag of HEADERS with a priority, and its bytes.
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: usize = 5;

/// Most bytes of a frame behind its head: what holds until we say more, and we do not (RFC 9113, 4.2).
const LONGEST: usize = 16 * 1024;

/// Most malformed requests, over all of a connection, that end without it.
const MOST_ODD: usize = 100;

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
/// Bytes of answers for which a client may send one more update of its windows.
const PER_UPDATE: u64 = 256;

/// What is to be said of what has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// There are too many frames of one kind.
    Flood,
    /// The preface does not end with settings (RFC 9113, 3.4).
    Unsettled,
    /// A frame is longer or shorter than its kind (RFC 9113, 6).
    Misshapen,
    /// Heads cannot be read any more (RFC 7541).
    Garbled,
}

/// How many frames of the kinds that are counted have come in this second.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Bytes seen of the preface.
    greeted: usize,
    head: [u8; HEAD],
    /// Bytes there are of the head.
    filled: usize,
    /// Bytes of the frame behind its head that are still to come.
    left: usize,
    /// Whether the settings of the preface have come.
    settled: bool,
    second: u64,
    counts: [u32; KINDS],
    heads: Heads,
    /// Bytes before the fields of a frame with a head: the length of its filling, then a priority.
    padded: bool,
    priority: usize,
    /// Bytes behind them.
    filling: usize,
    /// The last stream that was begun.
    last: u32,
    odd: Vec<(u32, Oddity)>,
}

impl Watch {
    /// Looks at what has come. `sent`: bytes that went to the client in this second.
    pub(super) fn see(&mut self, mut bytes: &[u8], second: u64, sent: u64) -> Verdict {
        if self.second != second {
            (self.second, self.counts) = (second, [0; KINDS]);
        }
        let greeting = bytes.len().min(PREFACE - self.greeted);
        self.greeted += greeting;
        bytes = &bytes[greeting..];
        while !bytes.is_empty() {
            if self.left > 0 {
                let (passed, rest) = bytes.split_at(self.left.min(bytes.len()));
                bytes = rest;
                if self.read(passed).is_err() {
                    return Verdict::Garbled;
                }
            } else {
                let (taken, rest) = bytes.split_at((HEAD - self.filled).min(bytes.len()));
                bytes = rest;
                self.head[self.filled..self.filled + taken.len()].copy_from_slice(taken);
                self.filled += taken.len();
                if self.filled < HEAD {
                    break;
                }
                self.filled = 0;
                if let Some(verdict) = self.begin(sent) {
                    return verdict;
                }
            }
            if self.left == 0 && self.end().is_err() {
                return Verdict::Garbled;
            }
        }
        Verdict::Good
    }

    /// What is wrong with a request besides what `h2` says, of its head or of its trailers, if they have come.
    pub(super) fn oddity(&self, stream: u32) -> Option<Oddity> {
        self.odd.iter().find(|(id, _)| *id == stream).map(|(_, oddity)| *oddity)
    }

    /// Whether a part of a head has come, and the rest has not; what of a frame has come may be one.
    pub(super) fn is_in_head(&self) -> bool {
        let [_, _, _, kind, flags, ..] = self.head;
        let is_part = self.left > 0 || flags & END_HEADERS == 0;
        self.filled > 0 || matches!(kind, HEADERS | CONTINUATION) && is_part
    }

    /// A frame begins; says what speaks against it.
    fn begin(&mut self, sent: u64) -> Option<Verdict> {
        let [high, middle, low, kind, flags, ..] = self.head;
        self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.settled |= kind == SETTINGS && flags & LAST_OR_ANSWER == 0;
        if !self.settled {
            return Some(Verdict::Unsettled);
        }
        if !is_sized(kind, flags, self.left) {
            return Some(Verdict::Misshapen);
        }
        if !self.count(kind, flags, sent) || self.odd.len() > MOST_ODD {
            return Some(Verdict::Flood);
        }
        if kind == HEADERS {
            self.padded = flags & PADDED != 0;
            self.priority = if flags & PRIORITY == 0 { 0 } else { PRIORITY_BYTES };
            let stream = self.stream();
            self.heads.begin(stream <= self.last);
            self.last = self.last.max(stream);
        }
        None
    }

    /// Reads what has come of a frame behind its head.
    fn read(&mut self, bytes: &[u8]) -> Result<(), Garbled> {
        let [_, _, _, kind, ..] = self.head;
        let mut fields = if matches!(kind, HEADERS | CONTINUATION) { bytes } else { &[] };
        if self.padded
            && let Some((length, rest)) = fields.split_first()
        {
            (self.padded, self.filling, fields) = (false, usize::from(*length), rest);
        }
        let priority = self.priority.min(fields.len());
        self.priority -= priority;
        fields = &fields[priority..];
        self.left -= bytes.len();
        let behind = self.filling.saturating_sub(self.left).min(fields.len());
        self.heads.read(&fields[..fields.len() - behind])
    }

    /// A frame has ended.
    fn end(&mut self) -> Result<(), Garbled> {
        let [_, _, _, kind, flags, ..] = self.head;
        self.filling = 0;
        if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
            let odd = self.heads.end()?;
            self.odd.extend(odd.map(|oddity| (self.stream(), oddity)));
        }
        Ok(())
    }

    /// The stream of a frame.
    fn stream(&self) -> u32 {
        let [.., first, second, third, fourth] = self.head;
        u32::from_be_bytes([first & 0x7f, second, third, fourth])
    }

    fn count(&mut self, kind: u8, flags: u8, sent: u64) -> bool {
        let place = match kind {
            RESET => 0,
            PING if flags & LAST_OR_ANSWER == 0 => 1,
            SETTINGS if flags & LAST_OR_ANSWER == 0 => 2,
            DATA if self.left == 0 && flags & LAST_OR_ANSWER == 0 => 3,
            CONTINUATION => 4,
            WINDOW_UPDATE => 5,
            DATA | HEADERS => return true,
            // PRIORITY, answers, and what nobody knows.
            _ => 6,
        };
        self.counts[place] += 1;
        let more = if kind == WINDOW_UPDATE { sent / PER_UPDATE } else { 0 };
        u64::from(self.counts[place]) <= u64::from(MOST_IN_A_SECOND[place].1) + more
    }
}

fn is_sized(kind: u8, flags: u8, length: usize) -> bool {
    let fits = match kind {
        RESET | WINDOW_UPDATE => length == 4,
        SETTINGS if flags & LAST_OR_ANSWER != 0 => length == 0,
        SETTINGS => length.is_multiple_of(6),
        PING => length == 8,
        GOAWAY => length >= 8,
        _ => true,
    };
    fits && length <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        // As the fields of a head: `accept-charset`, again and again.
        frame.resize(HEAD + usize::from(length), 0x8f);
        frame
    }

    /// One that has seen the preface, settings and all, in the second before the first.
    fn greeted() -> Watch {
        let mut watch = Watch::default();
        assert_eq!(watch.see(&[&[b'P'; PREFACE], &frame(SETTINGS, 0, 0)[..]].concat(), u64::MAX, 0), Verdict::Good);
        watch
    }

    /// How many of these frames are good, sent in pieces of this size.
    fn good(frame: &[u8], piece: usize, sent: u64) -> usize {
        let mut watch = greeted();
        let is_good = |_: &usize| frame.chunks(piece).all(|piece| watch.see(piece, 0, sent) == Verdict::Good);
        (0..5000).take_while(is_good).count()
    }

    #[test]
    fn frames_are_counted_however_they_arrive() {
        for piece in [1, 5, 100] {
            assert_eq!(good(&frame(RESET, 0, 4), piece, 0), 200);
            assert_eq!(good(&frame(PING, 0, 8), piece, 0), 100);
            assert_eq!(good(&frame(SETTINGS, 0, 6), piece, 0), 50);
            assert_eq!(good(&frame(DATA, 0, 0), piece, 0), 100);
            assert_eq!(good(&frame(CONTINUATION, 0, 1), piece, 0), 200);
            assert_eq!(good(&frame(2, 0, 5), piece, 0), 500);
        }
    }

    #[test]
    fn requests_and_bodies_and_updates_for_what_was_sent_are_not_bounded() {
        assert_eq!(good(&frame(HEADERS, 5, 20), 100, 0), 5000);
        assert_eq!(good(&frame(DATA, 0, 200), 100, 0), 5000);
        assert_eq!(good(&frame(DATA, LAST_OR_ANSWER, 0), 100, 0), 5000);
        assert_eq!(good(&frame(WINDOW_UPDATE, 0, 4), 100, 0), 1000);
        assert_eq!(good(&frame(WINDOW_UPDATE, 0, 4), 100, 1 << 20), 5000);
    }

    #[test]
    fn a_head_is_under_way_until_its_last_byte() {
        let mut watch = greeted();
        let mut sees = |bytes: &[u8]| {
            watch.see(bytes, 0, 0);
            watch.is_in_head()
        };
        let (part, whole) = (frame(HEADERS, 1, 20), frame(CONTINUATION, END_HEADERS, 20));
        assert!(!sees(&[]) && sees(&part[..3]) && sees(&part[3..12]) && sees(&part[12..]));
        assert!(sees(&whole[..28]) && !sees(&whole[28..]) && !sees(&frame(HEADERS, 5, 0)) && !sees(&frame(PING, 0, 8)));
    }

    /// Frames of one stream with these payloads.
    fn head(stream: u8, frames: &[(u8, u8, &[u8])]) -> Vec<u8> {
        let frame = |(kind, flags, payload): &(u8, u8, &[u8])| {
            [&[0, 0, u8::try_from(payload.len()).unwrap(), *kind, *flags, 0, 0, 0, stream], *payload].concat()
        };
        frames.iter().flat_map(frame).collect()
    }

    #[test]
    fn what_is_odd_about_a_request_is_found_behind_filling_priorities_and_cuts() {
        let (plain, odd) = (&b"\x04\x03/ab"[..], &b"\x04\x03/#b"[..]);
        let filled = |field: &[u8]| [&[6, 0, 0, 0, 0, 9], field, b"\x04\x01#\xff\xff\xff"].concat();
        for piece in [1, 3, 1000] {
            let mut watch = greeted();
            let mut sees = |stream: u8, frames: &[(u8, u8, &[u8])]| {
                let bytes = head(stream, frames);
                assert!(bytes.chunks(piece).all(|piece| watch.see(piece, 0, 0) == Verdict::Good), "{frames:?}");
                watch.oddity(stream.into())
            };
            let whole = PADDED | PRIORITY | END_HEADERS;
            assert_eq!(sees(1, &[(HEADERS, END_HEADERS, plain)]), None);
            assert_eq!(sees(3, &[(HEADERS, END_HEADERS, odd)]), Some(Oddity::Fragment));
            assert_eq!(sees(5, &[(HEADERS, whole, &filled(plain))]), None);
            assert_eq!(sees(7, &[(HEADERS, whole, &filled(odd))]), Some(Oddity::Fragment));
            let cut = [(HEADERS, 0, &odd[..3]), (CONTINUATION, 0, b""), (CONTINUATION, END_HEADERS, &odd[3..])];
            assert_eq!(sees(9, &cut), Some(Oddity::Fragment));
            assert_eq!(sees(1, &[(DATA, 0, odd), (HEADERS, 5, b"\x0f\x00\x00")]), None, "trailers");
            assert_eq!(sees(1, &[(HEADERS, 5, plain)]), Some(Oddity::PseudoTrailer));
        }
    }

    #[test]
    fn many_odd_requests_are_a_flood_and_a_garbled_one_is_the_last() {
        let mut watch = greeted();
        let sent = (1..u8::MAX).take_while(|stream| {
            watch.see(&head(*stream, &[(HEADERS, END_HEADERS, b"\x04\x01#")]), 0, 0) == Verdict::Good
        });
        assert_eq!(sent.count(), MOST_ODD + 1);
        assert_eq!(greeted().see(&head(1, &[(HEADERS, END_HEADERS, b"\x04\x05/")]), 0, 0), Verdict::Garbled);
    }

    #[test]
    fn another_second_begins_anew() {
        let (mut watch, reset) = (greeted(), frame(RESET, 0, 4));
        assert!((0..2000).all(|number| watch.see(&reset, number / 200, 0) == Verdict::Good));
        assert_eq!(watch.see(&reset, 9, 0), Verdict::Flood);
    }

    #[test]
    fn the_first_frame_is_settings() {
        for first in [frame(HEADERS, 5, 20), frame(PING, 0, 8), frame(WINDOW_UPDATE, 0, 4), frame(SETTINGS, 1, 0)] {
            let all = [&[b'P'; PREFACE], &first[..], &frame(SETTINGS, 0, 0)].concat();
            for piece in [1, 30, 100] {
                let mut watch = Watch::default();
                let bad = all.chunks(piece).find(|piece| watch.see(piece, 0, 0) != Verdict::Good);
                assert!(bad.is_some(), "{first:?}");
            }
        }
    }
}
