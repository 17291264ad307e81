//! Whether a word before the message names where it was logged or says what happened. A word by itself does not tell
//! (`billing | …`, `started | …`); the lines together do: behind names of components the same messages recur whatever the
//! name, while what happened goes with the things it happened to.

use std::collections::{BTreeMap, BTreeSet};

use crate::{tally::whole_letters, token::is_unspaced};

/// What sets a word off from the messages behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Blanks alone.
    Blank,
    /// A sign on both of its sides.
    Sign,
    /// Such a sign, and quotes around messages.
    Quotes,
}

impl Apart {
    /// Different beginnings of messages that tell something. Of things that something is done to there are few as well.
    fn beginnings(self) -> usize {
        match self {
            Self::Blank => 4,
            Self::Sign => 3,
            Self::Quotes => 2,
        }
    }
}

/// Bytes of a beginning in letters that have no words between blanks.
const LETTERS: usize = 6;

/// Words that only a sentence has.
const SENTENCE: usize = 5;

/// Letters that tell one message from another.
const WORD: usize = 4;

/// What stands behind one beginning.
#[derive(Default)]
struct Behind<'a> {
    lines: usize,
    values: BTreeSet<&'a [u8]>,
    /// Lines by how long they are.
    lengths: BTreeMap<usize, usize>,
}

/// Whether the `lines`, each a value and the message behind it, have values that say nothing about the message: it begins in
/// several ways, and each of them is found behind about as many of the values as if they were drawn by lot.
pub(super) fn is_where<'a>(lines: &[(&'a [u8], &'a [u8])], apart: Apart) -> bool {
    let mut values: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut beginnings: BTreeMap<&[u8], Behind<'_>> = BTreeMap::new();
    for (value, message) in lines {
        *values.entry(value).or_default() += 1;
        let behind = beginnings.entry(beginning(message)).or_default();
        behind.lines += 1;
        behind.values.insert(value);
        *behind.lengths.entry(length(message)).or_default() += 1;
    }
    // `started` and `stopped`: what is done to the same things in turn recurs with them as well.
    let done = values.keys().filter(|value| value.ends_with(b"ed")).count();
    if values.len() < 2 || values.len() * 3 > lines.len() || done * 2 >= values.len() {
        return false;
    }
    let by_lot = |drawn: usize| -> f64 {
        let missed = |count: &usize| (1.0 - *count as f64 / lines.len() as f64).powi(drawn as i32);
        values.values().map(|count| 1.0 - missed(count)).sum()
    };
    let common: Vec<_> = beginnings
        .into_values()
        .filter(|behind| behind.values.len() > 1 && behind.values.len() as f64 >= 0.7 * by_lot(behind.lines))
        .collect();
    let crossed: usize = common.iter().map(|behind| behind.lines).sum();
    // Things are named alike, by so many words each, and by few; sentences are not.
    let longest = |behind: &Behind<'_>| behind.lengths.iter().max_by_key(|(_, lines)| **lines).map(|(words, _)| *words);
    let lengths: BTreeSet<_> = common.iter().map(longest).collect();
    crossed * 2 >= lines.len()
        && common.len() >= apart.beginnings()
        && (lengths.len() > 1 || lengths.first() >= Some(&Some(SENTENCE)))
}

/// Whether one `value` before all of the `messages` says nothing about them: they begin in several ways, and are sentences.
pub(super) fn is_where_for_all<'a>(value: &[u8], messages: impl Iterator<Item = &'a [u8]>, apart: Apart) -> bool {
    let messages: BTreeSet<_> = messages.collect();
    let beginnings: BTreeSet<_> = messages.iter().map(|message| beginning(message)).collect();
    let things = messages.iter().filter(|message| length(message) < 2).count();
    beginnings.len() >= apart.beginnings() && things * 2 < messages.len() && !value.ends_with(b"ed")
}

/// What tells one message from others, as far as few bytes do: its first two words, without digits; `None` where there are none.
pub(super) fn opening(message: &[u8]) -> Option<Vec<u8>> {
    let opening: Vec<u8> = words(message).take(2).collect::<Vec<_>>().join(&b' ');
    let letters = opening.iter().filter(|b| !b.is_ascii_digit() && !b.is_ascii_punctuation()).count();
    (letters >= WORD).then(|| super::clock::without_digits(&opening))
}

fn words(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message.split(|b| *b == b' ').filter(|word| !word.is_empty())
}

/// Words of a message; in scripts that have no blanks between them, two letters make one.
fn length(message: &[u8]) -> usize {
    let letters = |word: &[u8]| String::from_utf8_lossy(word).chars().filter(|c| is_unspaced(*c)).count();
    words(message).map(|word| if word.is_ascii() { 1 } else { letters(word).div_ceil(2).max(1) }).sum()
}

/// Whether of `pairs` of a value and the message behind it each value goes with messages that begin in one way, and each beginning
/// with one value.
pub(super) fn is_of_one_each(pairs: &BTreeSet<(Vec<u8>, &[u8])>) -> bool {
    let pairs: BTreeSet<_> = pairs.iter().map(|(value, message)| (value, beginning(message))).collect();
    let values: BTreeSet<_> = pairs.iter().map(|(value, _)| value).collect();
    let beginnings: BTreeSet<_> = pairs.iter().map(|(_, beginning)| beginning).collect();
    values.len() == pairs.len() && beginnings.len() == pairs.len()
}

/// The first word of the message without a digit, as what has one is a value; a byte in hexadecimal digits is one too.
fn beginning(message: &[u8]) -> &[u8] {
    let is_byte = |word: &[u8]| word.len() == 2 && word.iter().all(u8::is_ascii_hexdigit);
    let is_value = |word: &[u8]| word.iter().any(u8::is_ascii_digit) || is_byte(word);
    let word = words(message).find(|word| !is_value(word)).unwrap_or_default();
    if word.is_ascii() { word } else { &word[..whole_letters(word, LETTERS)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: [&str; 4] = ["shutting down", "cache miss for 12", "request took 7 ms", "opened file a.txt"];

    /// As many words each.
    const SENTENCES: [&str; 3] =
        ["payment of 12 by Ann was rejected", "user Bob logged out after 7 s", "order 7 of Eve has no items"];

    fn told(values: &[&str], message: impl Fn(usize, usize) -> &'static str, apart: Apart) -> bool {
        let lines: Vec<(&[u8], &[u8])> = (0..120)
            .map(|i| (i % values.len(), i / values.len()))
            .map(|(value, i)| (values[value].as_bytes(), message(value, i).as_bytes()))
            .collect();
        is_where(&lines, apart)
    }

    #[test]
    fn names_before_the_same_messages_say_where() {
        assert!(told(&["billing", "search"], |_, i| MESSAGES[i % 4], Apart::Blank));
        assert!(told(&["billing", "search", "mail"], |_, i| MESSAGES[i % 3], Apart::Sign));
        assert!(!told(&["billing", "search", "mail"], |_, i| MESSAGES[i % 3], Apart::Blank));
        assert!(told(&["a", "b"], |_, i| MESSAGES[i % 2], Apart::Quotes));
        assert!(!told(&["a", "b"], |_, i| MESSAGES[i % 2], Apart::Sign));
        assert!(told(&["a", "b"], |_, i| SENTENCES[i % 3], Apart::Sign));
        assert!(told(
            &["a", "b"],
            |_, i| ["连接已断开，正在重试", "用户登录失败", "服务器启动完成"][i % 3],
            Apart::Sign
        ));
    }

    #[test]
    fn words_with_things_of_their_own_say_what_happened() {
        assert!(!told(&["open", "close"], |value, i| MESSAGES[2 * value + i % 2], Apart::Sign));
        assert!(!told(&["open", "close"], |_, i| ["door 1", "window 2", "gate 3"][i % 3], Apart::Sign));
        assert!(!told(&["success", "failure"], |_, _| "payment of 12", Apart::Sign));
        assert!(!told(&["started", "stopped"], |_, i| MESSAGES[i % 4], Apart::Sign));
    }
}
