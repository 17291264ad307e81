//! Variables that look like words: a place in otherwise equal outlines where the file has many different words.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    outline::{Lexicon, SLOT, WORD},
    sequence::{are_opposed, is_code, is_cue, is_name, is_participle, is_state},
    tree::Sets,
};

/// An outline that some shapes share.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) outline: Vec<u32>,
    pub(super) events: u64,
    /// Positions of its shapes.
    pub(super) members: Vec<usize>,
}

/// Different words at one place that make it a variable.
pub(super) const MANY: usize = 5;

/// Weight of the words that need not be written again when messages share a template, from which on few different words
/// make a variable: two messages of twelve words that differ within are one kind, if each has few lines; of four words it takes four.
const SAVED: usize = 12 * WORD;

/// Events per word up to which words are rather values than states.
pub(super) const RARE: u64 = 8;

/// Events per word up to which words in capitals are rather codes than states.
const ONCE: u64 = 2;

/// Places looked at together. They are taken in parts, by their hashes, as all of them at once would be the largest thing in
/// memory where there are many shapes.
const PART: usize = 1 << 18;

/// Joins the nodes that differ in one place, where that place is a variable. Says whether any were joined.
/// `known` are words that were variables elsewhere; those found here are added. `told` says that the frames of a trace tell where
/// the nodes are from: then any two words that are no states are values.
pub(super) fn join(nodes: &mut Vec<Node>, lexicon: &Lexicon, known: &mut HashSet<u32>, told: bool) -> bool {
    let mut sets = Sets::new(nodes.len());
    let mut joined = false;
    let mut found = HashSet::new();
    let parts = nodes.iter().map(|node| node.outline.len()).sum::<usize>().div_ceil(PART) as u64;
    let mut places = Vec::new();
    for part in 0..parts {
        fill(&mut places, nodes, lexicon, |hash| (u128::from(hash) * u128::from(parts)) >> 64 == u128::from(part));
        places.sort_unstable();
        for bucket in places.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|bucket| bucket.len() > 1) {
            let members = bucket.iter().map(|(_, _, node)| *node as usize);
            let place = Place::of(nodes, lexicon, members.clone(), bucket[0].1 as usize);
            if place.is_variable(lexicon, known) || told && place.are_values(lexicon) {
                joined = true;
                found.extend(place.words.iter().copied());
                members.for_each(|node| sets.join(bucket[0].2 as usize, node));
            }
        }
    }
    known.extend(found);
    unite(nodes, sets);
    joined
}

/// The nodes that differ in one place each, as [`fill`] gives them. All places are held at once.
pub(super) fn places(nodes: &[Node], lexicon: &Lexicon) -> Vec<Vec<(u64, u32, u32)>> {
    let mut places = Vec::new();
    fill(&mut places, nodes, lexicon, |_| true);
    places.sort_unstable();
    let same = places.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    same.filter(|bucket| bucket.len() > 1).map(<[_]>::to_vec).collect()
}

/// Joins nodes of the same outline.
pub(super) fn merge_equal(nodes: &mut Vec<Node>) {
    nodes.sort_by(|a, b| a.outline.cmp(&b.outline));
    nodes.dedup_by(|next, kept| {
        let same = next.outline == kept.outline;
        if same {
            kept.events += next.events;
            kept.members.append(&mut next.members);
        }
        same
    });
    for node in nodes {
        node.members.sort_unstable();
    }
}

/// For each node and place whose hash is asked for: a hash of the rest of the outline, the place, the node. A negation has no
/// place, since it is not another value of what else stands there.
fn fill(places: &mut Vec<(u64, u32, u32)>, nodes: &[Node], lexicon: &Lexicon, asked: impl Fn(u64) -> bool) {
    places.clear();
    for (n, node) in nodes.iter().enumerate() {
        let mut ends = vec![0_u64; node.outline.len() + 1];
        for (i, word) in node.outline.iter().enumerate().rev() {
            ends[i] = mix(ends[i + 1], *word);
        }
        let mut start = 1;
        for (i, word) in node.outline.iter().enumerate() {
            let hash = hash(start, ends[i + 1], node.outline.len());
            if asked(hash) && !lexicon.is_negation(*word) {
                places.push((hash, i as u32, n as u32));
            }
            start = mix(start, *word);
        }
    }
}

pub(super) fn mix(hash: u64, word: u32) -> u64 {
    (hash ^ u64::from(word).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

fn hash(start: u64, end: u64, length: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (start, end, length).hash(&mut hasher);
    hasher.finish()
}

/// What the file has at one place of otherwise equal outlines.
#[derive(Debug)]
struct Place {
    /// Different words, ascending.
    words: Vec<u32>,
    /// Whether a masked variable is among them.
    slot: bool,
    /// Words around it, by [`Lexicon::weight`].
    constants: usize,
    /// Whether the words before it say that a name follows.
    cued: bool,
    /// Whether it is the first of the outline, where subjects stand.
    first: bool,
    /// Whether it is the last, where outcomes stand.
    last: bool,
    events: u64,
}

impl Place {
    fn of(nodes: &[Node], lexicon: &Lexicon, bucket: impl Iterator<Item = usize> + Clone, position: usize) -> Self {
        let first = bucket.clone().next().map_or(&[][..], |node| &nodes[node].outline);
        let others = lexicon.weight(first) - lexicon.weight(first.get(position..=position).unwrap_or_default());
        let mut words: Vec<u32> = bucket.clone().map(|node| nodes[node].outline[position]).collect();
        words.sort_unstable();
        words.dedup();
        let slot = words.first() == Some(&SLOT);
        words.retain(|word| *word != SLOT);
        Self {
            words,
            slot,
            constants: others,
            cued: position > 1 && is_cue(lexicon.word(first[position - 2]), lexicon.word(first[position - 1])),
            first: position == 0,
            last: position + 1 == first.len(),
            events: bucket.map(|node| nodes[node].events).sum(),
        }
    }

    /// Whether none of the words says how things stand.
    fn are_values(&self, lexicon: &Lexicon) -> bool {
        self.words.len() + usize::from(self.slot) > 1 && !self.words.iter().any(|word| is_state(lexicon.word(*word)))
    }

    /// Whether there are two words of which one undoes the other.
    fn is_opposed(&self, lexicon: &Lexicon) -> bool {
        matches!(self.words[..], [one, other] if are_opposed(lexicon.word(one), lexicon.word(other)))
    }

    fn is_variable(&self, lexicon: &Lexicon, known: &HashSet<u32>) -> bool {
        if self.constants < WORD {
            return false;
        }
        let count = self.words.len();
        if self.slot && self.constants >= 2 * WORD {
            return count >= 1;
        }
        if count + usize::from(self.slot) >= 2
            && self.words.iter().all(|word| known.contains(word) || lexicon.is_item(*word))
        {
            return true;
        }
        if self.cued && count >= 2 && self.constants >= 2 * WORD {
            return true;
        }
        let rare = self.events <= RARE * count as u64;
        // In capitals are states and codes, of which each stands in one line.
        let once = self.events <= ONCE * count as u64;
        let (mut names, mut states, mut done) = (0, 0, 0);
        for word in &self.words {
            let word = lexicon.word(*word);
            names += usize::from(is_name(word));
            states += usize::from(is_state(word) && !(once && is_code(word)));
            done += usize::from(is_participle(word));
        }
        let mut need = if self.constants < 2 * WORD || self.first { 2 * MANY } else { MANY };
        if names == count && rare {
            need = if self.first { MANY } else { 2 };
        }
        let saved = (count - 1) * self.constants;
        let is_inner = !self.first && !self.last && (states + done) * 2 <= count && !self.is_opposed(lexicon);
        count_of_values(count, states) >= need || is_inner && saved >= SAVED && rare
    }
}

/// How many values so many different words come to: where most say how things stand, such as `started` and `stopped`, each of
/// those is worth a quarter of another. Some of them do not undo what the others say, since names are built like them too
/// (`billing`).
pub(super) fn count_of_values(words: usize, states: usize) -> usize {
    if states * 2 > words { words - states + states / 4 } else { words }
}

/// Whether the lines of a node are many enough to say which of its words are constant.
pub(super) fn is_settled(node: &Node) -> bool {
    node.members.len() >= MANY || node.events > RARE * node.members.len() as u64
}

/// Joins nodes that differ only in words built like names, wherever those stand.
pub(super) fn join_names(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let plain = |node: &Node| -> Vec<u32> {
        let is_slot = |word: &u32| *word == SLOT || is_name(lexicon.word(*word));
        let mut plain: Vec<u32> = node.outline.iter().map(|word| if is_slot(word) { SLOT } else { *word }).collect();
        plain.dedup_by(|a, b| *a == SLOT && *b == SLOT);
        plain
    };
    let mut groups = equal_by(nodes, plain);
    groups.retain(|(outline, group)| {
        let events: u64 = group.iter().map(|node| nodes[*node].events).sum();
        lexicon.weight(outline) >= 2 * WORD && events <= RARE * group.len() as u64
    });
    regroup(nodes, groups);
}

/// The nodes, several at least, whose outlines are equal once they are made `plain`, and what they are then. Of all others
/// nothing is kept, of which there may be many.
pub(super) fn equal_by(nodes: &[Node], plain: impl Fn(&Node) -> Vec<u32>) -> Vec<(Vec<u32>, Vec<usize>)> {
    let hash = |node: &Node| plain(node).into_iter().fold(1, mix);
    let mut hashes: Vec<(u64, usize)> = nodes.iter().enumerate().map(|(n, node)| (hash(node), n)).collect();
    hashes.sort_unstable();
    let mut groups = Vec::new();
    for bucket in hashes.chunk_by(|a, b| a.0 == b.0).filter(|bucket| bucket.len() > 1) {
        let mut equal: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
        for (_, node) in bucket {
            equal.entry(plain(&nodes[*node])).or_default().push(*node);
        }
        groups.extend(equal.into_iter().filter(|(_, group)| group.len() > 1));
    }
    groups
}

/// Makes one node of each group, with the outline given.
pub(super) fn regroup(nodes: &mut Vec<Node>, groups: Vec<(Vec<u32>, Vec<usize>)>) {
    if groups.is_empty() {
        return;
    }
    for (outline, group) in groups {
        let mut one = Node { outline, events: 0, members: Vec::new() };
        for node in &group {
            let part = &mut nodes[*node];
            one.events += part.events;
            one.members.append(&mut part.members);
        }
        nodes[group[0]] = one;
    }
    nodes.retain(|node| !node.members.is_empty());
    merge_equal(nodes);
}

/// Makes one node of each set, whose outlines have the same length.
pub(super) fn unite(nodes: &mut Vec<Node>, mut sets: Sets) {
    let groups = sets.groups().into_iter().map(|group| (common(nodes, &group), group)).collect();
    regroup(nodes, groups);
}

/// What several outlines of the same length have in common.
fn common(nodes: &[Node], group: &[usize]) -> Vec<u32> {
    let mut common = nodes[group[0]].outline.clone();
    for other in &group[1..] {
        for (word, also) in common.iter_mut().zip(&nodes[*other].outline) {
            if *word != *also {
                *word = SLOT;
            }
        }
    }
    common.dedup_by(|a, b| *a == SLOT && *b == SLOT);
    common
}
