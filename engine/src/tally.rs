//! `Tally`: what is counted per shape. Merging is a sum: it does not matter in which order or grouping it is done, and
//! the laws that say so are in `tests/it/laws.rs`. Which shapes there are is the business of `table`.

pub(crate) mod times;

use std::{
    collections::BTreeMap,
    hash::{BuildHasherDefault, Hasher},
};

use rapidhash::v3::{RapidSecrets, rapidhash_v3_inline};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::record::Level;
pub(crate) use times::Times;

/// Levels in ascending order, as they lie in [`Tally::levels`].
pub(crate) const LEVELS: [Level; 7] =
    [Level::Trace, Level::Debug, Level::Info, Level::Notice, Level::Warn, Level::Error, Level::Fatal];

/// How many lines are kept as examples, at most.
pub(crate) const EXAMPLES: usize = 3;

/// How much is kept of the examples of a shape: less the more shapes there are, so that all of them together are no more than
/// some 20 MiB as long as there are no more shapes than [`crate::Settings::default`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Lines.
    lines: usize,
    /// Bytes of each.
    bytes: usize,
}

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
    /// Events per level.
    #[serde(with = "per_level")]
    pub(crate) levels: Levels,
    /// When they happened, as far as they say.
    pub(crate) times: Times,
}

/// Events per level. Nearly all shapes have one level or none, and there may be many shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(Few);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Few {
    /// No other than this one.
    One(Level, u64),
    /// Two or more of [`LEVELS`].
    Several(Box<PerLevel>),
}

/// Events by [`LEVELS`].
type PerLevel = [u64; LEVELS.len()];

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
    /// As much of it as there is [`Room`] for.
    #[serde(with = "lossy")]
    pub(crate) text: Box<[u8]>,
}

impl Room {
    /// Where there are so many shapes; never more than where there are fewer.
    pub(crate) fn of(shapes: u64) -> Self {
        match shapes {
            0..6_251 => Self { lines: EXAMPLES, bytes: 1 << 10 },
            6_251..25_001 => Self { lines: EXAMPLES, bytes: 1 << 8 },
            _ => Self { lines: 1, bytes: 128 },
        }
    }
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

impl Levels {
    /// Those that some events have, ascending.
    pub fn each(&self) -> impl DoubleEndedIterator<Item = (Level, u64)> {
        LEVELS.into_iter().zip(self.per_level()).filter(|(_, events)| *events > 0)
    }

    #[inline]
    fn add(&mut self, level: Level, more: u64) {
        match &mut self.0 {
            Few::One(_, events) if *events == 0 => self.0 = Few::One(level, more),
            Few::One(one, events) if *one == level => *events += more,
            Few::Several(events) => events[level as usize] += more,
            Few::One(..) => {
                let mut all = self.per_level();
                all[level as usize] += more;
                self.0 = Few::Several(Box::new(all));
            }
        }
    }

    fn per_level(&self) -> PerLevel {
        match &self.0 {
            Few::One(level, events) => {
                let mut all = [0; LEVELS.len()];
                all[*level as usize] = *events;
                all
            }
            Few::Several(all) => **all,
        }
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self(Few::One(Level::Trace, 0))
    }
}

impl FromIterator<(Level, u64)> for Levels {
    fn from_iter<I: IntoIterator<Item = (Level, u64)>>(each: I) -> Self {
        let mut levels = Self::default();
        each.into_iter().filter(|(_, events)| *events > 0).for_each(|(level, events)| levels.add(level, events));
        levels
    }
}

/// By the names of the levels, those that some events have.
impl Serialize for Levels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.each())
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from_iter)
    }
}

/// Levels as a list, by [`LEVELS`].
mod per_level {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{LEVELS, Levels, PerLevel};

    pub(super) fn serialize<S: Serializer>(levels: &Levels, serializer: S) -> Result<S::Ok, S::Error> {
        levels.per_level().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Levels, D::Error> {
        Ok(LEVELS.into_iter().zip(PerLevel::deserialize(deserializer)?).collect())
    }
}

impl Tally {
    /// Counts one event of so many lines.
    #[inline]
    pub(crate) fn count(&mut self, time: Option<i64>, level: Option<Level>, lines: u64) {
        self.events += 1;
        self.lines += lines;
        if let Some(level) = level {
            self.levels.add(level, 1);
        }
        if let Some(time) = time {
            self.times.count(time);
        }
    }

    /// Adds what another counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.lines += other.lines;
        other.levels.each().for_each(|(level, events)| self.levels.add(level, events));
        self.times.merge(&other.times);
    }

    /// Back to nothing, keeping the memory.
    pub(crate) fn clear(&mut self) {
        (self.events, self.lines, self.levels) = Default::default();
        self.times.clear();
    }
}

impl Examples {
    /// The first lines, first first.
    pub(crate) fn first(&self) -> &[Example] {
        &self.0
    }

    /// Their texts, first first.
    pub(crate) fn into_texts(self) -> Vec<String> {
        let text = |example: Example| {
            String::from_utf8(example.text.into())
                .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
        };
        self.0.into_iter().map(text).collect()
    }

    /// Keeps the line if it is among the first; `text` is asked for only then.
    pub(crate) fn offer<'t>(&mut self, room: Room, input: u32, line: u64, text: impl FnOnce() -> &'t [u8]) {
        let at = self.0.partition_point(|e| (e.input, e.line) < (input, line));
        if at < room.lines {
            let text = text();
            self.0.truncate(room.lines - 1);
            self.0.reserve_exact(1);
            self.0.insert(at, Example { input, line, text: text[..whole_letters(text, room.bytes)].into() });
        }
    }

    /// Keeps no more than there is room for. What was cut once and is cut again is as if it were cut to the last alone.
    pub(crate) fn cut(&mut self, room: Room) {
        if self.0.len() > room.lines {
            self.0.truncate(room.lines);
            self.0.shrink_to_fit();
        }
        for Example { text, .. } in self.0.iter_mut().filter(|example| example.text.len() > room.bytes) {
            *text = text[..whole_letters(text, room.bytes)].into();
        }
    }

    /// Counts their inputs from `by` on.
    pub(crate) fn shift_inputs(&mut self, by: u32) {
        self.0.iter_mut().for_each(|example| example.input += by);
    }

    /// The first of both.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.0.is_empty() {
            *self = other;
            return;
        }
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
