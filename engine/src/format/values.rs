//! `Values`: which fields lines have beside time, level and message, and what is in them. Bounded, and a sum all the same: of
//! names and values those with the smallest hashes are kept, so what is kept has its exact count, whatever the order of lines
//! and the grouping of sums.

use crate::tally::{ByKey, Key};

/// Names kept.
const NAMES: usize = 64;

/// Values kept of each name.
const VALUES: usize = 256;

/// What the fields of lines hold, by the hashes of their names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(Smallest<Column>);

/// What the fields of one name hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    /// Names of objects with dots between them.
    pub(crate) name: Box<[u8]>,
    /// Lines that have it.
    pub(crate) lines: u64,
    values: Smallest<Value>,
}

/// One value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Value {
    pub(crate) text: Box<[u8]>,
    pub(crate) lines: u64,
}

/// The entries with the smallest keys.
#[derive(Debug, Clone)]
struct Smallest<V> {
    entries: ByKey<V>,
    /// Entries with greater keys are left out.
    limit: u64,
}

impl Values {
    /// Counts a field of a line.
    #[inline]
    pub(crate) fn count(&mut self, name: &[u8], value: &[u8]) {
        let new = || Column { name: name.into(), ..Column::default() };
        let Some(column) = self.0.entry(Key::of(name), NAMES, new) else { return };
        column.lines += 1;
        let new = || Value { text: value.into(), lines: 0 };
        if let Some(value) = column.values.entry(Key::of(value), VALUES, new) {
            value.lines += 1;
        }
    }

    /// Adds what another counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.restrict(other.0.limit);
        for (key, theirs) in &other.0.entries {
            let new = || Column { name: theirs.name.clone(), ..Column::default() };
            let Some(mine) = self.0.entry(*key, NAMES, new) else { continue };
            mine.lines += theirs.lines;
            mine.values.restrict(theirs.values.limit);
            for (key, value) in &theirs.values.entries {
                let new = || Value { text: value.text.clone(), lines: 0 };
                if let Some(mine) = mine.values.entry(*key, VALUES, new) {
                    mine.lines += value.lines;
                }
            }
        }
    }

    /// Back to nothing.
    pub(crate) fn clear(&mut self) {
        if !self.0.entries.is_empty() {
            self.0 = Smallest::default();
        }
    }

    /// Whether there are more names than are kept.
    pub(crate) fn leaves_out(&self) -> Option<usize> {
        (self.0.limit < u64::MAX).then_some(self.0.entries.len())
    }

    /// Most lines first.
    pub(crate) fn columns(&self) -> Vec<&Column> {
        let mut columns: Vec<_> = self.0.entries.values().collect();
        columns.sort_by(|a, b| (b.lines, &a.name).cmp(&(a.lines, &b.name)));
        columns
    }
}

impl Column {
    /// Whether all values are kept.
    pub(crate) fn is_complete(&self) -> bool {
        self.values.limit == u64::MAX
    }

    /// Distinct values; an estimate where not all are kept: the kept ones have the smallest of that many hashes.
    pub(crate) fn distinct(&self) -> u64 {
        let kept = self.values.entries.len() as u64;
        match self.values.entries.keys().max() {
            Some(greatest) if !self.is_complete() => {
                (u128::from(kept.saturating_sub(1)) * u128::from(u64::MAX) / u128::from(greatest.0.max(1))) as u64
            }
            _ => kept,
        }
    }

    /// The values, most lines first.
    pub(crate) fn values(&self) -> Vec<&Value> {
        let mut values: Vec<_> = self.values.entries.values().collect();
        values.sort_by(|a, b| (b.lines, &a.text).cmp(&(a.lines, &b.text)));
        values
    }
}

impl<V> Default for Smallest<V> {
    fn default() -> Self {
        Self { entries: ByKey::default(), limit: u64::MAX }
    }
}

impl<V> Smallest<V> {
    /// The entry of a key, made if it is new; `None` when there are `most` smaller ones.
    #[inline]
    fn entry(&mut self, key: Key, most: usize, new: impl FnOnce() -> V) -> Option<&mut V> {
        if key.0 > self.limit {
            return None;
        }
        if self.entries.len() >= most && !self.entries.contains_key(&key) {
            let greatest = self.entries.keys().max().map_or(u64::MAX, |key| key.0);
            self.restrict(if key.0 > greatest { greatest } else { greatest - 1 });
            if key.0 > greatest {
                return None;
            }
        }
        Some(self.entries.entry(key).or_insert_with(new))
    }

    /// Leaves out what has a greater key.
    fn restrict(&mut self, limit: u64) {
        if limit < self.limit {
            self.limit = limit;
            self.entries.retain(|key, _| key.0 <= limit);
        }
    }
}
