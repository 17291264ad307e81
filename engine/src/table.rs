//! `Table`: the distinct shapes of a run with their tallies, however many shapes there are, in bounded memory.
//!
//! Phase two needs no line, only this table, and real logs hold a few thousand shapes. Those that hold millions (free text,
//! a random word in each line) would fill any memory, so past a bound shapes that begin alike are counted as one: where
//! there are too many of them, and only there. What is merged depends on the *set* of shapes and on nothing else, not on
//! their order, the cut of the input, or the grouping of merges. The argument:
//!
//! - The form of a shape (how many words it has, then which of them have slots) and its beginnings (its first word, its first
//!   2, 3, 6, 12 words; see `beginning`) make all shapes the leaves of a tree. On *rung* `r` of a ladder each node has a cap;
//!   caps are a quarter from rung to rung and smaller at a deeper depth, but never below 1. A shape weighs 1, or more if it is
//!   long. A node weighs as much as its children together, but at most its cap + 1, and if it does, its shapes are *joined*
//!   into one.
//! - Weights are sums and minima of weights, so they can only grow with more shapes. A node once joined stays joined, with a
//!   weight that is known (cap + 1) without knowing its shapes, which may therefore be forgotten.
//! - From a rung to the next no weight falls below a quarter (by induction from the leaves), nor below 2 where there are two
//!   shapes. So what is joined on a rung is joined on the next, whose state can be computed from this one's.
//! - The rung is the lowest on which the root weighs at most `max`. A part of the shapes asks for no higher rung than
//!   all of them, so climbing as soon as a part asks for it ends where one look at all shapes would have ended.
//!
//! On the last rung the root itself is joined: everything is one shape. The number of shapes kept never exceeds the weight of
//! the root. In between it may, by [`SLACK`], so that the weighing is rare.
//!
//! **What is kept exactly**, therefore: every shape whose form and beginnings are not those of too many others, however many
//! others there are. Random words that begin alike in nothing are joined by their form, and leave alone what has other slots
//! or another number of words.
//!
//! **Why not what is frequent**, which would be better still: within one pass, in any order, in memory that does not grow with
//! the input, nothing can count all frequent shapes exactly. Let the first half of an input be `n` shapes, each once, and the
//! second half one shape many times. Whether that shape has one event more than the second half holds tells whether it was in
//! the first half; so what is kept after the first half tells of every shape whether it was there, which takes some `n` bits
//! at least, however cleverly they are written and even if it may be wrong now and then. A rule that forgets rare shapes has
//! forgotten the first events of those that become frequent, and how many depends on the order. Counts that are too low, or
//! that change with the order, are worse than shapes joined and told of.

mod beginning;
mod common;

use std::collections::hash_map;

use crate::tally::{ByKey, Examples, Key, Room, Tally};
pub(crate) use beginning::{EXACT, Keys};

/// Bytes of a shape for which it weighs one more.
pub(crate) const BYTES_PER_WEIGHT: usize = 64;

/// `max` / this many shapes are taken in between two weighings.
const SLACK: u64 = 32;

/// The distinct shapes of a run.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    max: u64,
    rung: u8,
    /// Weight of the entries, without caps: at least that of the root.
    weight: u64,
    joined: usize,
    /// What there is for the examples of each entry: a function of the shapes too.
    room: Room,
    entries: ByKey<Box<Entry>>,
}

/// A shape, or several that begin alike, and what is known of their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Of the shape, or as much as joined shapes have in common.
    pub(crate) keys: Keys,
    /// [`EXACT`], or where it is joined.
    pub(crate) depth: u8,
    /// Its text; where it is joined, what its shapes have in common, in the writing of `common` as long as the table is not
    /// finished.
    pub(crate) shape: Box<[u8]>,
    /// What was counted.
    pub(crate) tally: Tally,
    /// The first lines.
    pub(crate) examples: Examples,
}

impl Entry {
    /// The name of it in the report and the recording.
    pub(crate) fn key(&self) -> Key {
        self.keys.at(self.depth)
    }

    fn weight(&self, max: u64, rung: u8) -> u64 {
        if self.depth == EXACT { weight(&self.shape) } else { cap(max, rung, self.depth) + 1 }
    }

    /// Takes another shape in, or what others have in common.
    fn meet(&mut self, depth: u8, shape: &[u8]) {
        if self.depth < EXACT {
            let other = if depth < EXACT { shape.into() } else { common::of_one(shape) };
            if let Some(common) = common::of_both(&self.shape, &other) {
                self.shape = common;
            }
        } else if *shape < *self.shape {
            // Different texts of one key are a collision of the hash: the smaller text stands, whichever came first.
            self.shape = shape.into();
        }
    }

    fn merge(&mut self, other: Self) {
        self.meet(other.depth, &other.shape);
        self.tally.merge(&other.tally);
        self.examples.merge(other.examples);
    }
}

impl Table {
    /// Room for shapes of the weight `max`, at least 1.
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(1) as u64, rung: 0, weight: 0, joined: 0, room: Room::of(0), entries: ByKey::default() }
    }

    /// Adds to the tally of a shape, or of what it was joined to; `examples` offers its first lines. Gives the depth that it
    /// is counted at: it may be joined at a lesser one later, never at a greater.
    pub(crate) fn add(
        &mut self,
        keys: &Keys,
        shape: &[u8],
        tally: &Tally,
        examples: impl FnOnce(&mut Examples, Room),
    ) -> u8 {
        let key = self.home(keys);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.meet(EXACT, shape);
            entry.tally.merge(tally);
            examples(&mut entry.examples, self.room);
            return entry.depth;
        }
        let mut first = Examples::default();
        examples(&mut first, self.room);
        let entry = Entry { keys: *keys, depth: EXACT, shape: shape.into(), tally: tally.clone(), examples: first };
        self.insert(key, entry);
        if self.weight > self.max + self.max / SLACK {
            self.settle();
        }
        EXACT
    }

    /// Adds all that another table holds. Tables of different bounds do not merge: a bound is a setting of the run.
    pub(crate) fn merge(&mut self, other: Self) {
        assert_eq!(self.max, other.max, "tables of one run have one bound");
        while self.rung < other.rung {
            self.climb();
        }
        for entry in other.entries.into_values() {
            self.put(*entry);
        }
        self.settle();
    }

    /// Counts the inputs that the examples are of from `by` on.
    pub(crate) fn shift_inputs(&mut self, by: u32) {
        self.entries.values_mut().for_each(|entry| entry.examples.shift_inputs(by));
    }

    /// Keys of what is joined, ascending; settles what the table holds.
    pub(crate) fn joined_keys(&mut self) -> Vec<Key> {
        self.settle();
        let mut joined: Vec<Key> = self.entries.values().filter(|e| e.depth < EXACT).map(|e| e.key()).collect();
        joined.sort_unstable();
        joined
    }

    /// Lines of what stands for shapes of events that rules set aside.
    pub(crate) fn ignored_lines(&self) -> u64 {
        let ignored = self.entries.values().filter(|entry| entry.shape.starts_with(b"\n"));
        ignored.map(|entry| entry.tally.lines).sum()
    }

    /// The shapes, by their text, on the lowest rung that they fit on.
    #[expect(clippy::vec_box, reason = "the memory of each is given back when it is made into something else")]
    pub(crate) fn finish(mut self) -> Vec<Box<Entry>> {
        self.settle();
        let mut entries: Vec<Box<Entry>> = self.entries.into_values().collect();
        for entry in entries.iter_mut().filter(|e| e.depth < EXACT) {
            entry.shape = common::written(&entry.shape);
        }
        // A joined shape may have the very text of a real one, which goes last, or that of another of another form.
        entries.sort_unstable_by(|a, b| (&a.shape, a.depth, a.key()).cmp(&(&b.shape, b.depth, b.key())));
        entries
    }

    /// Where a shape is counted.
    pub(crate) fn home(&self, keys: &Keys) -> Key {
        let joined = |depth: &u8| self.entries.contains_key(&keys.at(*depth));
        match self.joined {
            0 => keys.at(EXACT),
            _ => keys.at((0..EXACT).find(joined).unwrap_or(EXACT)),
        }
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        self.weight += entry.weight(self.max, self.rung);
        self.joined += usize::from(entry.depth < EXACT);
        self.entries.insert(key, Box::new(entry));
        self.cut_examples();
    }

    /// Leaves no more of examples than there is room for. Without joined shapes there are as many as entries; once some are
    /// joined, there were as many as are kept apart. Neither ever becomes less, so the examples left at the end are those
    /// that the last room has by itself.
    fn cut_examples(&mut self) {
        let shapes = if self.rung == 0 { self.max.min(self.entries.len() as u64) } else { self.max };
        let room = Room::of(shapes);
        if room != self.room {
            self.room = room;
            self.entries.values_mut().for_each(|entry| entry.examples.cut(room));
        }
    }

    fn put(&mut self, mut entry: Entry) {
        entry.examples.cut(self.room);
        let home = (0..entry.depth).map(|depth| entry.keys.at(depth)).find(|key| self.entries.contains_key(key));
        let key = home.unwrap_or(entry.key());
        match self.entries.get_mut(&key) {
            Some(kept) => {
                kept.merge(entry);
                kept.examples.cut(self.room);
            }
            None => self.insert(key, entry),
        }
    }

    /// Climbs to the lowest rung on which all entries fit.
    fn settle(&mut self) {
        self.join();
        while self.weight > self.max {
            self.climb();
        }
    }

    fn climb(&mut self) {
        self.rung += 1;
        self.cut_examples();
        self.join();
    }

    /// Joins what the caps of this rung do not leave apart, from the deepest nodes to the root.
    fn join(&mut self) {
        for depth in (0..EXACT).rev() {
            let cap = cap(self.max, self.rung, depth);
            if cap == u64::MAX {
                continue;
            }
            let mut nodes: ByKey<(u64, u64)> = ByKey::default();
            for entry in self.entries.values().filter(|e| e.depth >= depth) {
                let (weight, entries) = nodes.entry(entry.keys.at(depth)).or_default();
                *weight += entry.weight(self.max, self.rung);
                *entries += u64::from(entry.depth > depth);
            }
            nodes.retain(|_, (weight, entries)| *weight > cap && *entries > 0);
            if nodes.is_empty() {
                continue;
            }
            let over = |entry: &Entry| entry.depth > depth && nodes.contains_key(&entry.keys.at(depth));
            let joining: Vec<Box<Entry>> = self.entries.extract_if(|_, e| over(e)).map(|(_, entry)| entry).collect();
            for mut entry in joining {
                if entry.depth == EXACT {
                    entry.shape = common::of_one(&entry.shape).into();
                }
                (entry.depth, entry.keys) = (depth, entry.keys.down_to(depth));
                match self.entries.entry(entry.key()) {
                    hash_map::Entry::Occupied(mut kept) => {
                        kept.get_mut().merge(*entry);
                        kept.get_mut().examples.cut(self.room);
                    }
                    hash_map::Entry::Vacant(free) => drop(free.insert(entry)),
                }
            }
        }
        self.weight = self.entries.values().map(|e| e.weight(self.max, self.rung)).sum();
        self.joined = self.entries.values().filter(|e| e.depth < EXACT).count();
    }
}

/// Most that the shapes below a node of the tree may weigh without being joined.
fn cap(max: u64, rung: u8, depth: u8) -> u64 {
    /// By how many halves the caps of the depths are smaller than that of the first, which has most of them below it.
    const SMALLER: [u32; EXACT as usize] = [0, 0, 1, 2, 4, 6, 8, 10];
    // One more than the rung on which all caps are 1 has come.
    let last = max.ilog2() / 2 + 2;
    match (u32::from(rung), depth) {
        (0, _) => u64::MAX,
        (rung, 0) => {
            if rung < last {
                u64::MAX
            } else {
                0
            }
        }
        (rung, depth) => max.checked_shr(2 * rung + SMALLER[usize::from(depth)]).unwrap_or(0).max(1),
    }
}

fn weight(shape: &[u8]) -> u64 {
    1 + (shape.len() / BYTES_PER_WEIGHT) as u64
}

#[cfg(test)]
mod tests;
