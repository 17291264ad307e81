//! `Range` (RFC 9110, 14): which parts of a file are wanted. Pure.

use std::ops::Range;

/// Most parts of an answer. Who asks for more gets the whole.
const MOST: usize = 16;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// Everything: there is no range, none that we understand, or more of them than is any use.
    Whole,
    /// These, at least one, none of them empty, in the order in which they were asked for.
    Some(Vec<Range<u64>>),
    /// Only such as are not there.
    None,
}

/// Reads the value of `Range`, of something with this length.
#[must_use]
pub fn read(value: &[u8], length: u64) -> Parts {
    let Some((unit, list)) = value.split_at_checked(6) else { return Parts::Whole };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return Parts::Whole;
    }
    let (mut parts, mut count) = (Vec::new(), 0);
    for element in list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()) {
        count += 1;
        let Some(part) = one(element, length).filter(|_| count <= MOST) else { return Parts::Whole };
        // Nothing has no part that could be told; all of it is what is wanted.
        if length == 0 && element.starts_with(b"-") && element != b"-0" {
            return Parts::Whole;
        }
        if !part.is_empty() {
            parts.push(part);
        }
    }
    // Parts that lie over each other are asked for by nobody who wants the file.
    let total = parts.iter().fold(0, |total: u64, part| total.saturating_add(part.end - part.start));
    match (count, parts.is_empty()) {
        (0, _) => Parts::Whole,
        (_, true) => Parts::None,
        _ if total > length => Parts::Whole,
        _ => Parts::Some(parts),
    }
}

/// One range; empty if it is not there. `None`: it is no range.
fn one(element: &[u8], length: u64) -> Option<Range<u64>> {
    let dash = element.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (&element[..dash], &element[dash + 1..]);
    match (first, last) {
        ([], last) => Some(length - number(last)?.min(length)..length),
        (first, []) => Some(number(first)?.min(length)..length),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first.min(length)..last.saturating_add(1).min(length))
        }
    }
}

/// Digits and nothing else; what is more than any file has is as much as that.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_read_by_the_letter() {
        let some = |parts: &[(u64, u64)]| Parts::Some(parts.iter().map(|(start, end)| *start..*end).collect());
        let seventeen = format!("bytes={}", ["0-0"; 17].join(","));
        for (value, length, expected) in [
            ("bytes=0-0", 10, some(&[(0, 1)])),
            ("bytes=0-", 10, some(&[(0, 10)])),
            ("bytes=9-9", 10, some(&[(9, 10)])),
            ("bytes=5-99", 10, some(&[(5, 10)])),
            ("bytes=-3", 10, some(&[(7, 10)])),
            ("bytes=-99", 10, some(&[(0, 10)])),
            ("Bytes=1-2", 10, some(&[(1, 3)])),
            ("bytes=0-0,-1", 10, some(&[(0, 1), (9, 10)])),
            ("bytes= 4-5 ,, 0-1", 10, some(&[(4, 6), (0, 2)])),
            ("bytes=0-1,20-30", 10, some(&[(0, 2)])),
            ("bytes=0-99999999999999999999999", 10, some(&[(0, 10)])),
            ("bytes=10-", 10, Parts::None),
            ("bytes=10-20,30-", 10, Parts::None),
            ("bytes=-0", 10, Parts::None),
            ("bytes=99999999999999999999999-", 10, Parts::None),
            ("bytes=0-", 0, Parts::None),
            ("bytes=-0", 0, Parts::None),
            ("bytes=-5", 0, Parts::Whole),
            ("bytes=", 10, Parts::Whole),
            ("bytes", 10, Parts::Whole),
            ("bytes=-", 10, Parts::Whole),
            ("bytes=5-4", 10, Parts::Whole),
            ("bytes=a-b", 10, Parts::Whole),
            ("bytes=+1-2", 10, Parts::Whole),
            ("bytes=1 - 2", 10, Parts::Whole),
            ("bytes=0-1,x", 10, Parts::Whole),
            ("lines=0-1", 10, Parts::Whole),
            ("bytes=0-,0-", 10, Parts::Whole),
            (&seventeen, 100, Parts::Whole),
            (&seventeen[..seventeen.len() - 4], 100, some(&[(0, 1); 16])),
        ] {
            assert_eq!(read(value.as_bytes(), length), expected, "{value} of {length}");
        }
    }

    proptest! {
        #[test]
        fn parts_lie_within_and_are_no_more_than_the_whole(value in "bytes=[0-9,-]{0,40}", length in 0..2000_u64) {
            if let Parts::Some(parts) = read(value.as_bytes(), length) {
                prop_assert!(!parts.is_empty() && parts.len() <= MOST);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
                prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= length);
            }
        }
    }
}
