//! What a request is known by on its whole way: `X-Request-Id`, and W3C's trace context. Pure but for the first number.

use std::{cell::Cell, fmt, time::SystemTime};

use crate::select::key::mix;

/// Longest id that is taken from somebody else.
const LONGEST: usize = 128;
/// Longest `tracestate`, and most members in it (W3C trace context, 3.3.1).
const LONGEST_STATE: usize = 512;
const MOST_MEMBERS: usize = 32;

/// The two digits of each byte.
static HEXADECIMAL: [[u8; 2]; 256] = {
    let (digits, mut pairs, mut byte) = (b"0123456789abcdef", [[0; 2]; 256], 0);
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Whether a request's id is one that can be passed on: printable, without what lists, quotes or logs give a meaning.
#[must_use]
pub fn is_id(text: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(byte);
    (1..=LONGEST).contains(&text.len()) && text.iter().all(is_plain)
}

/// Whether a `traceparent` is valid (W3C trace context, 3.2): of a later version, as much of it as is known.
#[must_use]
pub fn is_parent(text: &[u8]) -> bool {
    let is_hex = |text: &[u8]| text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_some = |text: &[u8]| is_hex(text) && text.iter().any(|byte| *byte != b'0');
    let Some((known, rest)) = text.split_at_checked(55) else { return false };
    let (version, dashes) = (&known[..2], [known[2], known[35], known[52]]);
    let ends = rest.is_empty() || version != b"00" && rest[0] == b'-';
    ends && is_hex(version)
        && version != b"ff"
        && dashes == *b"---"
        && is_some(&known[3..35])
        && is_some(&known[36..52])
        && is_hex(&known[53..])
}

/// Whether these are the values of a valid `tracestate`, as far as its bounds and its form go.
pub fn is_state<'a>(values: impl Iterator<Item = &'a [u8]>) -> bool {
    let (mut length, mut keys) = (0, Vec::new());
    for value in values {
        length += value.len() + 1;
        for member in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()) {
            let Some(equals) = member.iter().position(|&byte| byte == b'=') else { return false };
            let (key, value) = (&member[..equals], &member[equals + 1..]);
            let is_key = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"_-*/@".contains(byte);
            let is_value = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'=';
            if key.is_empty() || !key.iter().all(is_key) || value.is_empty() || !value.iter().all(is_value) {
                return false;
            }
            // Each key once (3.3.1.3).
            if keys.len() == MOST_MEMBERS || keys.contains(&key) {
                return false;
            }
            keys.push(key);
        }
    }
    length <= LONGEST_STATE + 1
}

/// The id of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestId {
    /// Ours: 128 bits.
    Made([u8; 32]),
    /// Somebody's who is believed.
    Told(Box<[u8]>),
}

impl RequestId {
    /// In words.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("an id is plain letters, checked in `is_id`")
    }

    /// The same as bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Made(digits) => digits,
            Self::Told(bytes) => bytes,
        }
    }
}

/// What happens to the trace context of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// It is none of ours: it goes on like other fields.
    Ignored,
    /// It goes on, with its state or without.
    Passed {
        /// Whether the state is valid too.
        state: bool,
    },
    /// There is none, or none that is valid: a `traceparent` of ours.
    Begun([u8; 55]),
}

/// Numbers that nobody else gives, from one thread.
pub struct Identities {
    seed: [u64; 2],
    given: Cell<u64>,
}

impl Identities {
    /// With a number that nobody foresees.
    #[must_use]
    pub fn new(chance: u64) -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        let now = u64::try_from(now & u128::from(u64::MAX)).unwrap_or_default();
        Self { seed: [chance, mix(chance.rotate_left(32) ^ now)], given: Cell::new(0) }
    }

    /// 128 bits in hexadecimal.
    #[must_use]
    pub fn next(&self) -> [u8; 32] {
        let given = self.given.replace(self.given.get() + 1);
        let mut digits = [0; 32];
        for (half, seed) in digits.chunks_exact_mut(16).zip(self.seed) {
            let number = mix(seed.wrapping_add(given.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            for (pair, byte) in half.as_chunks_mut().0.iter_mut().zip(number.to_be_bytes()) {
                *pair = HEXADECIMAL[usize::from(byte)];
            }
        }
        digits
    }

    /// A trace that begins here (W3C trace context, 3.2.2). It is marked as recorded: without us it would be up to the
    /// backend, and the usual rule there is to record what has no parent and to follow the parent otherwise.
    #[must_use]
    pub fn trace(&self) -> [u8; 55] {
        let (trace, parent) = (self.next(), self.next());
        let mut text = *b"00-00000000000000000000000000000001-0000000000000001-01";
        let fill = |place: &mut [u8], digits: &[u8]| {
            // All zeros stand for none.
            if digits.iter().any(|digit| *digit != b'0') {
                place.copy_from_slice(digits);
            }
        };
        fill(&mut text[3..35], &trace);
        fill(&mut text[36..52], &parent[..16]);
        text
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Identities").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_traces_are_valid_and_never_the_same() {
        let (ids, mut seen) = (Identities::new(7), std::collections::HashSet::new());
        for _ in 0..1000 {
            assert!(seen.insert(ids.next()) && is_id(&ids.next()) && is_parent(&ids.trace()));
        }
    }

    #[test]
    fn an_id_of_somebody_else_is_short_and_plain() {
        assert!(is_id(b"7f-a_B.c:/+=@~") && is_id(&[b'a'; 128]));
        for odd in [&b""[..], b"a b", b"a\"b", b"a,b", b"a\\b", b"\xe4", &[b'a'; 129]] {
            assert!(!is_id(odd), "{odd:?}");
        }
    }

    #[test]
    fn a_parent_has_its_form_or_is_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_parent(good.as_bytes()) && is_parent(format!("01{}-more", &good[2..]).as_bytes()));
        for odd in [
            "",
            &good[1..],
            &format!("ff{}", &good[2..]),
            &format!("{good}-more"),
            &good.to_uppercase(),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!is_parent(odd.as_bytes()), "{odd}");
        }
    }

    #[test]
    fn a_state_is_a_short_list_of_pairs() {
        let is_state = |values: &[&str]| super::is_state(values.iter().map(|value| value.as_bytes()));
        assert!(is_state(&["a=b, c@d=e f", ""]) && is_state(&[]));
        let (long, many) = (
            "a=".to_owned() + &"b".repeat(600),
            (0..33).map(|number| format!("a{number}=b")).collect::<Vec<_>>().join(","),
        );
        for odd in ["a", "=b", "a=", "A=b", "a=b=c", "a=\u{e4}", "a=b,a=c", &long, &many] {
            assert!(!is_state(&[odd]), "{odd}");
        }
        assert!(!is_state(&["a=b", "c=d, a=b"]) && is_state(&["a=b", "a@b=c"]));
    }
}
