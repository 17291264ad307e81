//! `Keys`: a shape's key and those of its form and beginnings, by which shapes can be counted together. Pure functions of the
//! shape.

use crate::{tally::Key, template::Kind};

/// Depths at which shapes go by their form: how many words they have, and then which of them have slots.
const FORMS: u8 = 2;

/// Words that a form tells of at most.
const FORM_WORDS: usize = 32;

/// How much of a shape the depths behind the forms leave: so many words, and so many bytes at most. The depths before them
/// leave nothing; [`EXACT`] all.
const DEPTHS: [(usize, usize); 5] = [(1, 20), (2, 40), (3, 60), (6, 120), (12, 240)];

/// The depth of a shape as it is.
pub(crate) const EXACT: u8 = SHARED as u8 + 1;

/// Depths that shapes may share.
const SHARED: usize = FORMS as usize + DEPTHS.len();

/// The keys of a shape at all depths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The shape's own key stands where the shape is all there, which no other shape is.
    beginnings: [Key; SHARED],
    /// How many of them are other keys.
    shared: u8,
    exact: Key,
}

impl Keys {
    /// The keys of a shape, of which `exact` is known.
    pub(crate) fn of(shape: &[u8], exact: Key) -> Self {
        let words = word_ends(shape).take(DEPTHS[DEPTHS.len() - 1].0).count() + 1;
        let whole = DEPTHS.iter().filter(|(most, bytes)| words >= *most || shape.len() >= *bytes).count() as u8;
        let mut keys = Self { shared: FORMS + whole, ..Self::alone(exact) };
        let (words, slots) = form(shape);
        keys.beginnings[0] = Key::of_beginning(&[words], 1);
        let form = Key::of_beginning(&[&[words], &slots.to_le_bytes()[..]].concat(), 2);
        keys.beginnings[1] = form;
        let mut rest = shape;
        for depth in (FORMS + 1..=keys.shared).rev() {
            rest = beginning(rest, depth);
            // What begins alike is alike only within its form: so each node hangs from one other.
            let key = Key::of_beginning(rest, depth).0.wrapping_add(form.0);
            keys.beginnings[usize::from(depth) - 1] = Key(key);
        }
        keys
    }

    /// The keys of what is never joined.
    pub(crate) fn alone(key: Key) -> Self {
        Self { beginnings: [key; SHARED], shared: 0, exact: key }
    }

    /// The key at a depth.
    pub(crate) fn at(&self, depth: u8) -> Key {
        match depth {
            0 => Key::ROOT,
            EXACT.. => self.exact,
            _ => self.beginnings[usize::from(depth) - 1],
        }
    }

    /// The keys that it may share with others, from depth 1 to `depth`.
    pub(crate) fn path(&self, depth: u8) -> &[Key] {
        &self.beginnings[..usize::from(depth.min(self.shared))]
    }

    /// What all shapes have that are joined at `depth`.
    pub(crate) fn down_to(self, depth: u8) -> Self {
        let mut keys = Self { shared: depth, ..Self::alone(self.at(depth)) };
        keys.beginnings[..usize::from(depth)].copy_from_slice(&self.beginnings[..usize::from(depth)]);
        keys
    }
}

/// What a depth leaves of a shape, or of what a greater depth left of it; the result is the same.
fn beginning(shape: &[u8], depth: u8) -> &[u8] {
    let Some(words_kept) = depth.checked_sub(FORMS + 1) else { return b"" };
    let Some((words, bytes)) = DEPTHS.get(usize::from(words_kept)).copied() else { return shape };
    let end = word_ends(shape).nth(words - 1).unwrap_or(shape.len()).min(bytes);
    // Half a letter is not left.
    let whole = (0..=end).rev().find(|at| shape.get(*at).is_none_or(|b| b & 0xc0 != 0x80)).unwrap_or(0);
    shape[..whole].trim_ascii_end()
}

/// How many words a shape has, and which of them have a slot, as far as [`FORM_WORDS`].
fn form(shape: &[u8]) -> (u8, u32) {
    let words = shape.split(|b| *b == b' ').filter(|word| !word.is_empty()).take(FORM_WORDS);
    let has_slot = |word: &[u8]| word.iter().any(|b| Kind::of_byte(*b).is_some());
    words.fold((0, 0), |(words, slots), word| (words + 1, slots | u32::from(has_slot(word)) << words))
}

/// Where words end before others.
fn word_ends(shape: &[u8]) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(b' ', shape).filter(|at| *at > 0 && shape[at - 1] != b' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_beginning_of_a_beginning_is_a_beginning(shape in "[a-c\x0eé中 ]{0,400}") {
            for deep in 1..=EXACT {
                for shallow in 0..=deep {
                    let through = beginning(beginning(shape.as_bytes(), deep), shallow);
                    prop_assert_eq!(through, beginning(shape.as_bytes(), shallow));
                    prop_assert!(std::str::from_utf8(through).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_beginning_ends_between_words_or_at_least_letters() {
        let left = |shape: &'static str, depth| str::from_utf8(beginning(shape.as_bytes(), depth)).unwrap();
        assert_eq!(left("user alice logged in", 3), "user");
        assert_eq!(left("  user alice logged in", 4), "  user alice");
        assert_eq!((left("user alice logged in", 2), left("user alice logged in", 0)), ("", ""));
        assert_eq!(left("数据库连接失败数据库连接失败", 3), "数据库连接失");
    }
}
