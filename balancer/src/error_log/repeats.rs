//! Lines that say the same again and again: the first ones of a second are written, the others counted. Pure.

use std::{collections::HashMap, hash::Hash};

/// Lines of a kind in a second that are written.
const MOST: u64 = 5;

/// What was said in this second, by its kind.
#[derive(Debug)]
pub(super) struct Repeats<K>(HashMap<K, Said>);

impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[derive(Debug, Default)]
struct Said {
    lines: u64,
    /// The last one that was not written.
    last: Vec<u8>,
}

impl<K: Eq + Hash> Repeats<K> {
    /// Whether a line is written; if not, it is counted.
    pub(super) fn admit(&mut self, kind: K, line: &[u8]) -> bool {
        let said = self.0.entry(kind).or_default();
        said.lines += 1;
        if said.lines > MOST {
            said.last.clear();
            said.last.extend_from_slice(line.trim_ascii_end());
        }
        said.lines <= MOST
    }

    /// A second is over: of each kind that was not written, its last line, and how many more there were.
    pub(super) fn turn(&mut self) -> Vec<Vec<u8>> {
        let all = self.0.drain().map(|(_, said)| said).filter(|said| said.lines > MOST);
        all.map(|Said { lines, mut last }| {
            if lines - MOST > 1 {
                let more = format!(" ... and {} more of this kind in 1 s", grouped(lines - MOST - 1));
                last.extend_from_slice(more.as_bytes());
            }
            last.push(b'\n');
            last
        })
        .collect()
    }
}

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_lines_of_a_second_are_written_and_the_others_counted() {
        let mut repeats = Repeats::default();
        let written = (0..1240).filter(|number| repeats.admit("kind", format!("line {number}\n").as_bytes())).count();
        assert_eq!(written, 5);
        assert_eq!(repeats.turn(), [b"line 1239 ... and 1,234 more of this kind in 1 s\n"]);
        assert!(repeats.turn().is_empty() && repeats.admit("kind", b"line\n"));
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    proptest! {
        #[test]
        fn every_line_is_written_or_counted(kinds in prop::collection::vec(0_u8..4, 0..100)) {
            let mut repeats = Repeats::default();
            let written = kinds.iter().filter(|kind| repeats.admit(**kind, b"line\n")).count();
            let counted: usize = repeats.turn().iter().map(|line| {
                let line = std::str::from_utf8(line).unwrap();
                let more = line.split_once("... and ").map_or("0", |(_, more)| more.split(' ').next().unwrap());
                1 + more.replace(',', "").parse::<usize>().unwrap()
            }).sum();
            prop_assert_eq!(written + counted, kinds.len());
        }
    }
}
