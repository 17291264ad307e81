//! `Memo`: what lines with the same outline come down to, so that it is found out once and then looked up. Saves work, changes
//! nothing: what is kept is a function of the outline and of the answers that a line gives ([`Digits`](crate::format::digits)).
//! Bounded; what came first gives way.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    format::{
        Layout, Reader,
        clock::Days,
        digits::{Answers, Asked, Clocks, Digits, outline},
    },
    record::{Level, Record},
    shape::Shaper,
    tally::Key,
    token,
};

/// Longer lines are read anew each time.
const LONGEST: usize = 512;

/// Outlines that share a place.
const WAYS: usize = 4;

/// Places.
const PLACES: usize = 1 << 13;

/// Bytes kept at most, about; past it all is forgotten.
const KEPT: usize = 12 << 20;

/// Memos of the threads of a run: each is taken, used for a chunk, and put back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memos(Arc<Mutex<Vec<Memo>>>);

/// What is known of outlines, under one layout and reference time.
#[derive(Debug)]
pub(crate) struct Memo {
    layout: Arc<Layout>,
    reference: i64,
    days: Days,
    places: Vec<[Slot; WAYS]>,
    entries: Vec<Entry>,
    kept: usize,
    /// Chunks begun, this one too.
    chunk: u32,
    /// Hashes of outlines that were seen once: only what comes again is worth keeping.
    once: Vec<u32>,
    /// Of the line that is looked at, and of the one behind it.
    outline: Outline,
    next: Outline,
    /// Of what is looked up next, so that it is at hand when it is wanted: a memo is larger than the nearest caches.
    touched: u8,
    asked: RefCell<Asked>,
    clocks: Clocks,
    shaper: Shaper,
}

/// The outline of a line; empty of one that is too long.
#[derive(Debug, Default)]
struct Outline {
    text: Vec<u8>,
    hash: u64,
}

/// Where an entry is, and part of the hash of its outline.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    tag: u32,
    /// Its position, counted from 1; 0 is none.
    entry: u32,
}

/// What all lines with one outline and the same answers come down to.
#[derive(Debug)]
struct Entry {
    /// The outline, and the shape behind it.
    texts: Box<[u8]>,
    answers: Answers,
    key: Key,
    outline: u16,
    /// Where the message begins and ends.
    message: (u16, u16),
    level: Option<Level>,
    way: u8,
    /// Which question tells the time.
    told: Option<u8>,
    /// The chunk in which the shape was counted last, and where.
    counted: (u32, u32),
}

/// What was found of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recalled<'m, 'l> {
    pub(crate) way: usize,
    pub(crate) record: Record<'l>,
    pub(crate) shape: &'m [u8],
    pub(crate) known: Known,
}

/// What is known of a shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) key: Key,
    /// Where the chunk counts it, if it came before.
    pub(crate) place: Option<u32>,
    /// Where this is to be told.
    entry: usize,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.texts.len() + self.answers.bytes()
    }
}

impl Memos {
    /// A memo for the lines of a chunk of this layout.
    pub(crate) fn take(&self, layout: &Arc<Layout>, reference: i64) -> Memo {
        let memo = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memo = memo.unwrap_or_else(Memo::new);
        let same = Arc::ptr_eq(&memo.layout, layout) || *memo.layout == **layout;
        if memo.reference != reference || !same {
            memo.forget();
            memo.days = Days::default();
            memo.reference = reference;
        }
        memo.layout = Arc::clone(layout);
        memo.begin_chunk();
        memo
    }

    /// Puts it back for others.
    pub(crate) fn give(&self, memo: Memo) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memo);
    }
}

impl Memo {
    fn new() -> Self {
        Self {
            layout: Arc::default(),
            reference: 0,
            days: Days::default(),
            places: vec![Default::default(); PLACES],
            entries: Vec::new(),
            kept: 0,
            chunk: 0,
            once: vec![0; PLACES * WAYS],
            outline: Outline::default(),
            next: Outline::default(),
            touched: 0,
            asked: RefCell::default(),
            clocks: Clocks::default(),
            shaper: Shaper::default(),
        }
    }

    fn begin_chunk(&mut self) {
        if self.chunk == u32::MAX {
            self.forget();
            self.chunk = 0;
        }
        self.chunk += 1;
    }

    fn forget(&mut self) {
        self.places.fill(Default::default());
        self.entries.clear();
        self.kept = 0;
    }

    /// Goes on to the next line, which was told before, and says which one comes then.
    #[inline]
    pub(crate) fn go_on(&mut self, next: &[u8]) {
        std::mem::swap(&mut self.outline, &mut self.next);
        self.next.text.clear();
        if next.len() <= LONGEST {
            outline(next, &mut self.next.text);
            self.next.hash = Key::of(&self.next.text).0;
            let slot = self.places[place(self.next.hash)][0];
            if let Some(entry) = self.entries.get((slot.entry as usize).wrapping_sub(1)) {
                self.touched = entry.texts.first().copied().unwrap_or_default();
            }
        }
    }

    /// What the line that [it went on](Self::go_on) to comes down to, if that is known of its outline, or is worth knowing:
    /// `None` for a line that is to be read by itself. Counts nothing.
    #[inline]
    pub(crate) fn of<'l>(&mut self, line: &'l [u8], reader: &mut Reader) -> Option<Recalled<'_, 'l>> {
        if line.len() != self.outline.text.len() || line.is_empty() {
            return None;
        }
        let (at, time) = match self.recall(line) {
            Some(found) => found,
            None => self.learn(line, reader)?,
        };
        let entry = &self.entries[at];
        let message = &line[usize::from(entry.message.0)..usize::from(entry.message.1)];
        let record = Record { time, level: entry.level, message };
        let place = (entry.counted.0 == self.chunk).then_some(entry.counted.1);
        let known = Known { key: entry.key, place, entry: at };
        Some(Recalled { way: entry.way.into(), record, shape: &entry.texts[entry.outline.into()..], known })
    }

    /// Says where the chunk counts a shape.
    pub(crate) fn place(&mut self, known: Known, place: u32) {
        // Another entry may have come there since.
        if let Some(entry) = self.entries.get_mut(known.entry).filter(|entry| entry.key == known.key) {
            entry.counted = (self.chunk, place);
        }
    }

    /// The entry that tells of the line, and its time.
    #[inline]
    fn recall(&mut self, line: &[u8]) -> Option<(usize, Option<i64>)> {
        let Self { places, entries, outline: Outline { text: outline, hash }, reference, days, clocks, .. } = self;
        let tag = tag(*hash);
        let slots = &places[place(*hash)];
        slots.iter().filter(|slot| slot.tag == tag && slot.entry > 0).find_map(|slot| {
            let at = slot.entry as usize - 1;
            let entry = &entries[at];
            if usize::from(entry.outline) != outline.len() || entry.texts[..outline.len()] != outline[..] {
                return None;
            }
            Some((at, entry.answers.hold(line, entry.told, *reference, (clocks, days))?))
        })
    }

    /// Reads the line and makes its shape, if it came before and its outline tells all about it.
    fn learn(&mut self, line: &[u8], reader: &mut Reader) -> Option<(usize, Option<i64>)> {
        let Outline { text, hash } = &self.outline;
        let tag = tag(*hash);
        let seen = &mut self.once[*hash as usize % (PLACES * WAYS)];
        if std::mem::replace(seen, tag) != tag || !token::is_clean(line) || !reader.takes_outline(line) {
            return None;
        }
        self.asked.get_mut().clear();
        let digits = Digits::hidden(text, line, &self.asked);
        let (way, said) = reader.read_outline(digits)?;
        if !token::is_clean(said.message) {
            return None;
        }
        let shape = self.shaper.shape_outline(digits, said.message);
        let (place, time) = (digits.place(said.message), said.time.map(|moment| moment.millis));
        let entry = Entry {
            texts: [text, shape].concat().into(),
            key: Key::of(shape),
            answers: self.asked.borrow_mut().of(line, &mut self.clocks),
            outline: line.len() as u16,
            message: (place.start as u16, place.end as u16),
            level: said.level,
            way: way as u8,
            told: said.time.map(|moment| moment.question as u8),
            counted: (0, 0),
        };
        Some((self.keep(entry), time))
    }

    /// Keeps an entry; says where.
    fn keep(&mut self, entry: Entry) -> usize {
        let hash = self.outline.hash;
        if self.kept > KEPT {
            self.forget();
        }
        self.kept += entry.bytes();
        let slots = &mut self.places[place(hash)];
        // The newest is in front, the oldest falls out.
        slots.rotate_right(1);
        let at = match slots[0].entry as usize {
            0 => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
            old => {
                self.kept -= std::mem::replace(&mut self.entries[old - 1], entry).bytes();
                old - 1
            }
        };
        slots[0] = Slot { tag: tag(hash), entry: at as u32 + 1 };
        at
    }
}

fn place(hash: u64) -> usize {
    hash as usize % PLACES
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests;
