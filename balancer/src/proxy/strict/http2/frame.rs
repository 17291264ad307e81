//! The heads of frames (RFC 9113, 4.1), read as they come. Pure.

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// The flag of HEADERS and DATA with the end of a message.
pub(super) const END_STREAM: u8 = 1;
/// The flag of PING and SETTINGS that answer one.
pub(super) const ANSWER: u8 = 1;
/// The flag of HEADERS and CONTINUATION with the end of a head.
pub(super) const END_HEADERS: u8 = 4;
/// The flag of HEADERS and DATA that begin with the length of what fills them up.
pub(super) const PADDED: u8 = 8;
/// The flag of HEADERS with a priority.
pub(super) const PRIORITY: u8 = 0x20;

/// Most bytes of a frame behind its head: what holds until we say more, and we do not (4.2).
pub(super) const LONGEST: usize = 16 * 1024;

/// Bytes of the head of a frame.
pub(super) const BYTES: usize = 9;

/// What the head of a frame says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes behind it, less than 2^24.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn bytes(self) -> [u8; BYTES] {
        let [_, high, middle, low] = u32::try_from(self.length).unwrap_or(u32::MAX).to_be_bytes();
        let [first, second, third, fourth] = self.stream.to_be_bytes();
        [high, middle, low, self.kind, self.flags, first, second, third, fourth]
    }
}

/// The head of a frame, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Partial {
    bytes: [u8; BYTES],
    filled: usize,
}

impl Partial {
    /// Takes what it lacks off the front of these; there is one once it is whole.
    pub(super) fn take(&mut self, from: &mut &[u8]) -> Option<Head> {
        let (taken, rest) = from.split_at((BYTES - self.filled).min(from.len()));
        self.bytes[self.filled..self.filled + taken.len()].copy_from_slice(taken);
        (self.filled, *from) = (self.filled + taken.len(), rest);
        if self.filled < BYTES {
            return None;
        }
        self.filled = 0;
        let [high, middle, low, kind, flags, first, second, third, fourth] = self.bytes;
        Some(Head {
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind,
            flags,
            // One bit says nothing.
            stream: u32::from_be_bytes([first & 0x7f, second, third, fourth]),
        })
    }

    /// Whether a part of it has come.
    pub(super) fn has_begun(&self) -> bool {
        self.filled > 0
    }
}
