//! `Memo`: what lines with the same outline come down to, so that it is found out once and then looked up. Saves work, changes
//! nothing: what is kept is a function of the outline and of the answers that a line gives ([`Digits`](crate::format::digits)).
//! Bounded; what came first gives way.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use rapidhash::v3::{RapidSecrets, rapidhash_v3_inline};

use crate::{
    format::{
        Layout, Reader,
        digits::{Asked, Digits, Question, Told, hold, outline},
    },
    record::{Level, Onset, Record},
    shape::Shaper,
    tally::Key,
    token,
};

/// Longer lines are read anew each time.
const LONGEST: usize = 512;

/// Outlines that share a place.
const WAYS: usize = 4;

/// Places: with few more of them than outlines, which a large log has twenty thousand of, many outlines would push each other out.
const PLACES: usize = 1 << 14;

/// Bytes kept at most, about; past it all is forgotten.
const KEPT: usize = 12 << 20;

/// Different times, and lists of questions, kept at most; past it all is forgotten.
const DIFFERENT: usize = 1 << 10;

/// Lines looked at together at most.
pub(crate) const BATCH: usize = 32;

/// Memos of the threads of a run: each is taken, used for a chunk, and put back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memos(Arc<Mutex<Vec<Memo>>>);

/// What is known of outlines, under one layout and reference time.
#[derive(Debug)]
pub(crate) struct Memo {
    layout: Arc<Layout>,
    reference: i64,
    places: Vec<[Slot; WAYS]>,
    entries: Vec<Entry>,
    /// Of each entry what is to be written exactly, and the shape.
    texts: Vec<u8>,
    /// Lists of questions, one after the other: lines whose headers are alike have theirs in common.
    questions: Vec<Question>,
    /// Where each list is.
    lists: Vec<Range<usize>>,
    listed: HashMap<Vec<Question>, u16>,
    times: Vec<Told>,
    /// Chunks begun, this one too.
    chunk: u32,
    /// Hashes of outlines that were seen once: only what comes again is worth keeping.
    once: Vec<u32>,
    /// Of the lines that were looked at.
    outlines: Vec<Outline>,
    outline_texts: Vec<u8>,
    asked: RefCell<Asked>,
    shaper: Shaper,
    secrets: RapidSecrets,
}

/// The outline of a line.
#[derive(Debug, Clone, Copy)]
struct Outline {
    /// Where it is in the texts of outlines; empty of a line that is too long.
    start: usize,
    end: usize,
    hash: u64,
}

/// Where an entry is, and part of the hash of its outline.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    tag: u32,
    /// Its position, counted from 1; 0 is none.
    entry: u32,
}

/// What all lines with one outline and the same answers come down to. No larger than what comes from memory at once.
#[derive(Debug)]
struct Entry {
    /// Of the outline. It stands for it: that another one has it too is as unlikely as two shapes with one [`Key`], and as it
    /// is seeded at random, nobody can write lines for which it is not.
    hash: u64,
    key: Key,
    /// Where the shape is, behind what is to be written exactly.
    shape: u32,
    shape_length: u16,
    /// Bytes that are to be written exactly.
    exact: u16,
    /// Number of the list of its questions.
    questions: u16,
    /// Bytes of the outline.
    length: u16,
    /// Where the message begins and ends.
    message: (u16, u16),
    /// Which time is the line's.
    time: Option<u16>,
    level: Option<Level>,
    onset: Onset,
    way: u8,
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

impl Memos {
    /// A memo for the lines of a chunk of this layout.
    pub(crate) fn take(&self, layout: &Arc<Layout>, reference: i64) -> Memo {
        let memo = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memo = memo.unwrap_or_else(Memo::new);
        let same = Arc::ptr_eq(&memo.layout, layout) || *memo.layout == **layout;
        if memo.reference != reference || !same {
            memo.forget();
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
            places: vec![Default::default(); PLACES],
            entries: Vec::new(),
            texts: Vec::new(),
            questions: Vec::new(),
            lists: Vec::new(),
            listed: HashMap::new(),
            times: Vec::new(),
            chunk: 0,
            once: vec![0; PLACES * WAYS],
            outlines: Vec::new(),
            outline_texts: Vec::new(),
            asked: RefCell::default(),
            shaper: Shaper::default(),
            secrets: RapidSecrets::seed(RandomState::new().hash_one(0)),
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
        self.texts.clear();
        self.questions.clear();
        self.lists.clear();
        self.listed.clear();
        self.times.clear();
    }

    fn is_full(&self) -> bool {
        let kept = size_of_val(&*self.entries) + self.texts.len() + size_of_val(&*self.questions);
        kept > KEPT || self.times.len() >= DIFFERENT || self.lists.len() >= DIFFERENT
    }

    /// Looks at lines that are [asked about](Self::of) next. A memo is larger than the nearest caches: what is known of many
    /// lines comes faster when it is fetched at once.
    #[inline]
    pub(crate) fn look_at<'l>(&mut self, lines: impl Iterator<Item = &'l [u8]>) {
        self.outlines.clear();
        self.outline_texts.clear();
        for line in lines {
            let start = self.outline_texts.len();
            if line.len() <= LONGEST {
                outline(line, &mut self.outline_texts);
            }
            let hash = rapidhash_v3_inline::<true, false, false>(&self.outline_texts[start..], &self.secrets);
            self.outlines.push(Outline { start, end: self.outline_texts.len(), hash });
        }
        let mut near = [0; BATCH];
        for (near, outline) in near.iter_mut().zip(&self.outlines) {
            let tag = tag(outline.hash);
            let slots = &self.places[place(outline.hash)];
            *near = slots.iter().find(|slot| slot.tag == tag).map_or(0, |slot| slot.entry);
        }
        let mut touched = 0;
        for near in &near[..self.outlines.len()] {
            let Some(entry) = self.entries.get((*near as usize).wrapping_sub(1)) else { continue };
            touched ^= entry.hash;
        }
        // It is asked for to be near; what it is does not matter.
        std::hint::black_box(touched);
    }

    /// What the line, one of those it [looked at](Self::look_at), comes down to, if that is known of its outline, or is worth
    /// knowing: `None` for a line that is to be read by itself. Counts nothing.
    #[inline]
    pub(crate) fn of<'l>(&mut self, at: usize, line: &'l [u8], reader: &mut Reader) -> Option<Recalled<'_, 'l>> {
        let outline = self.outlines[at];
        if line.len() != outline.end - outline.start || line.is_empty() {
            return None;
        }
        let (at, time) = match self.recall(outline, line) {
            Some(found) => found,
            None => self.learn(outline, line, reader)?,
        };
        let entry = &self.entries[at];
        let message = &line[usize::from(entry.message.0)..usize::from(entry.message.1)];
        let record = Record { time, level: entry.level, onset: entry.onset.or_time(time), message };
        let place = (entry.counted.0 == self.chunk).then_some(entry.counted.1);
        let known = Known { key: entry.key, place, entry: at };
        let shape = &self.texts[entry.shape as usize..][..usize::from(entry.shape_length)];
        Some(Recalled { way: entry.way.into(), record, shape, known })
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
    fn recall(&self, outline: Outline, line: &[u8]) -> Option<(usize, Option<i64>)> {
        let tag = tag(outline.hash);
        let slots = &self.places[place(outline.hash)];
        slots.iter().filter(|slot| slot.tag == tag && slot.entry > 0).find_map(|slot| {
            let at = slot.entry as usize - 1;
            let entry = &self.entries[at];
            if entry.hash != outline.hash || usize::from(entry.length) != line.len() {
                return None;
            }
            let exact = &self.texts[entry.shape as usize - usize::from(entry.exact)..];
            let questions = &self.questions[self.lists[usize::from(entry.questions)].clone()];
            if !hold(questions, exact, line) {
                return None;
            }
            Some((at, entry.time.and_then(|time| self.times[usize::from(time)].millis(line, self.reference))))
        })
    }

    /// Reads the line and makes its shape, if it came before and its outline tells all about it.
    fn learn(&mut self, outline: Outline, line: &[u8], reader: &mut Reader) -> Option<(usize, Option<i64>)> {
        let tag = tag(outline.hash);
        let seen = &mut self.once[outline.hash as usize % (PLACES * WAYS)];
        if std::mem::replace(seen, tag) != tag || !token::is_clean(line) || !reader.takes_outline(line) {
            return None;
        }
        if self.is_full() {
            self.forget();
        }
        self.asked.get_mut().clear();
        let text = &self.outline_texts[outline.start..outline.end];
        let digits = Digits::hidden(text, line, &self.asked);
        let (way, said) = reader.read_outline(digits)?;
        if !token::is_clean(said.message) {
            return None;
        }
        let shape = self.shaper.shape_outline(digits, said.message);
        let (message, key, shape_length) = (digits.place(said.message), Key::of(shape), shape.len() as u16);
        let texts = self.texts.len();
        let mut asked = self.asked.borrow_mut();
        let questions = asked.write(line, &mut self.texts);
        let questions = match self.listed.get(questions) {
            Some(list) => *list,
            None => {
                let start = self.questions.len();
                self.questions.extend_from_slice(questions);
                self.lists.push(start..self.questions.len());
                *self.listed.entry(questions.to_vec()).or_insert(self.lists.len() as u16 - 1)
            }
        };
        let time = said.time.map(|moment| asked.told(moment.number));
        drop(asked);
        let at = self.texts.len();
        self.texts.extend_from_slice(shape);
        let entry = Entry {
            hash: outline.hash,
            key,
            shape: at as u32,
            shape_length,
            exact: (at - texts) as u16,
            questions,
            length: line.len() as u16,
            message: (message.start as u16, message.end as u16),
            time: time.map(|time| number(&mut self.times, time)),
            level: said.level,
            onset: said.onset,
            way: way as u8,
            counted: (0, 0),
        };
        let time = said.time.map(|moment| moment.millis);
        Some((self.keep(entry), time))
    }

    /// Keeps an entry; says where.
    fn keep(&mut self, entry: Entry) -> usize {
        let hash = entry.hash;
        let slots = &mut self.places[place(hash)];
        // The newest is in front, the oldest falls out.
        slots.rotate_right(1);
        let at = match slots[0].entry as usize {
            0 => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
            old => {
                self.entries[old - 1] = entry;
                old - 1
            }
        };
        slots[0] = Slot { tag: tag(hash), entry: at as u32 + 1 };
        at
    }
}

/// The number of a time.
fn number(times: &mut Vec<Told>, time: Told) -> u16 {
    let known = times.iter().position(|known| *known == time);
    known.unwrap_or_else(|| {
        times.push(time);
        times.len() - 1
    }) as u16
}

fn place(hash: u64) -> usize {
    hash as usize % PLACES
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests;
