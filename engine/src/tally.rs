//! `Tally`: what is counted per shape. Merging is a sum: it does not matter in which order or grouping it is done, and
//! the laws that say so are in `tests/it/laws.rs`. Which shapes there are is the business of `table`.

pub(crate) mod times;

use std::hash::{BuildHasherDefault, Hasher};

use rapidhash::v3::{RapidSecrets, rapidhash_v3_inline};
use serde::{Deserialize, Serialize};

use crate::record::{Level, Record};
pub(crate) use times::Times;

/// Levels in ascending order, as they lie in [`Tally::levels`].
pub(crate) const LEVELS: [Level; 7] =
    [Level::Trace, Level::Debug, Level::Info, Level::Notice, Level::Warn, Level::Error, Level::Fatal];

/// How many lines are kept as examples.
pub(crate) const EXAMPLES: usize = 3;

/// Bytes kept of an example.
pub(crate) const EXAMPLE_BYTES: usize = 1 << 10;

/// A shape's name in tables and recordings: rapidhash v3 of its bytes, the same on every machine. Two shapes with the
/// same key (one pair is to be expected among five thousand million shapes) are counted as one, under the smaller text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) u64);

/// A map by [`Key`], which is a hash already.
pub(crate) type ByKey<V> = std::collections::HashMap<Key, V, BuildHasherDefault<AsIs>>;

/// Hands a key on as its own hash.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AsIs(u64);

/// What is known of the events of one shape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Events.
    pub(crate) events: u64,
    /// Lines: at least as many.
    pub(crate) lines: u64,
    /// Events per level, by [`LEVELS`].
    pub(crate) levels: [u64; LEVELS.len()],
    /// When they happened, as far as they say.
    pub(crate) times: Times,
}

/// The first few lines, by where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Examples(Vec<Example>);

/// A line as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Example {
    /// Position of the input in the run.
    pub(crate) input: u32,
    /// Line in the input, from 1.
    pub(crate) line: u64,
    /// At most [`EXAMPLE_BYTES`] of it.
    #[serde(with = "lossy")]
    pub(crate) text: Box<[u8]>,
}

impl Key {
    /// Stands for all shapes.
    pub(crate) const ROOT: Self = Self(0x4c4b_524f_4f54_0000);

    /// The key of a shape.
    #[inline]
    pub(crate) fn of(shape: &[u8]) -> Self {
        static SECRETS: RapidSecrets = RapidSecrets::seed(0);
        Self(rapidhash_v3_inline::<true, false, false>(shape, &SECRETS))
    }

    /// The key of a text that stands for all shapes beginning with it; never that of a shape, nor of another depth.
    pub(crate) fn of_beginning(text: &[u8], depth: u8) -> Self {
        static SECRETS: [RapidSecrets; 8] = {
            let mut secrets = [RapidSecrets::seed(1); 8];
            let mut depth = 1;
            while depth < secrets.len() {
                secrets[depth] = RapidSecrets::seed(1 + depth as u64);
                depth += 1;
            }
            secrets
        };
        Self(rapidhash_v3_inline::<true, false, false>(text, &SECRETS[usize::from(depth)]))
    }
}

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Keys come through `write_u64`; anything else is still hashed soundly.
        self.0 = Key::of(bytes).0 ^ self.0.rotate_left(17);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Tally {
    /// Counts one event of so many lines.
    #[inline]
    pub(crate) fn count(&mut self, record: &Record<'_>, lines: u64) {
        self.events += 1;
        self.lines += lines;
        if let Some(level) = record.level {
            self.levels[level as usize] += 1;
        }
        if let Some(time) = record.time {
            self.times.count(time);
        }
    }

    /// Adds what another counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.lines += other.lines;
        for (mine, theirs) in self.levels.iter_mut().zip(other.levels) {
            *mine += theirs;
        }
        self.times.merge(&other.times);
    }

    /// Back to nothing, keeping the memory.
    pub(crate) fn clear(&mut self) {
        (self.events, self.lines, self.levels) = (0, 0, [0; LEVELS.len()]);
        self.times.clear();
    }
}

impl Examples {
    /// The first lines, first first.
    pub(crate) fn first(&self) -> &[Example] {
        &self.0
    }

    /// Keeps the line if it is among the first; `text` is asked for only then.
    pub(crate) fn offer<'t>(&mut self, input: u32, line: u64, text: impl FnOnce() -> &'t [u8]) {
        let at = self.0.partition_point(|e| (e.input, e.line) < (input, line));
        if at < EXAMPLES {
            let text = text();
            self.0.truncate(EXAMPLES - 1);
            self.0.reserve_exact(1);
            self.0.insert(at, Example { input, line, text: text[..whole_letters(text, EXAMPLE_BYTES)].into() });
        }
    }

    /// Counts their inputs from `by` on.
    pub(crate) fn shift_inputs(&mut self, by: u32) {
        self.0.iter_mut().for_each(|example| example.input += by);
    }

    /// The first of both.
    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.sort_unstable();
        self.0.truncate(EXAMPLES);
    }
}

/// Bytes as the text that a report shows of them.
mod lossy {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(text))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u8]>, D::Error> {
        Ok(String::deserialize(deserializer)?.into_bytes().into())
    }
}

/// Bytes of a text that are at most `most` and no half letter at the end, if it is UTF-8.
pub(crate) fn whole_letters(text: &[u8], most: usize) -> usize {
    let starts = |at: &usize| text[*at] & 0xc0 != 0x80;
    if text.len() <= most { text.len() } else { (most.saturating_sub(3)..=most).rev().find(starts).unwrap_or(most) }
}
