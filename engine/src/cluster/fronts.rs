//! What is left of a header in front of messages: the same words before several messages that others have without them, in
//! inputs whose lines begin in more ways than one. Whether one word is a program's name or what happened, a line by itself does
//! not tell; that whatever it stands before recurs without it does.

use std::collections::{HashMap, HashSet};

use super::{
    outline::{Lexicon, SLOT, WORD},
    tree::Sets,
    words::Node,
};

/// Words of a front, at most.
const FRONT: usize = 4;

/// Different messages that a front stands before and that recur without it, at least.
const RECURRING: usize = 3;

/// Of the events that begin with a front, one in so many may not recur without it.
const ODD: u64 = 10;

/// Nodes among which messages of few lines are looked for.
const MOST: usize = 1024;

/// Any word that names a level.
const LEVEL: u32 = u32::MAX;

/// Joins nodes to those that say the same without a front. Says whether any were joined.
pub(super) fn join(nodes: &[Node], lexicon: &Lexicon, sets: &mut Sets) -> bool {
    let messages = Messages::of(nodes);
    let mut fronts: HashMap<Vec<u32>, Front> = HashMap::new();
    for (n, node) in nodes.iter().enumerate() {
        for length in 1..=FRONT.min(node.outline.len()) {
            let (front, message) = node.outline.split_at(length);
            let Some(without) = messages.find(message) else { continue };
            if lexicon.weight(message) >= 2 * WORD && !front.iter().any(|word| lexicon.is_negation(*word)) {
                fronts.entry(key(front, lexicon)).or_default().pairs.push((n, without));
            }
        }
    }
    fronts.retain(|_, front| front.messages() >= RECURRING);
    if fronts.is_empty() {
        return false;
    }
    let recurring: HashSet<usize> = fronts.values().flat_map(|front| &front.pairs).map(|pair| pair.0).collect();
    for (n, node) in nodes.iter().enumerate() {
        let begin = key(&node.outline[..FRONT.min(node.outline.len())], lexicon);
        for length in 1..=begin.len() {
            if let Some(front) = fronts.get_mut(&begin[..length]) {
                front.events += node.events;
                front.odd += if recurring.contains(&n) { 0 } else { node.events };
            }
        }
    }
    fronts.retain(|_, front| front.odd * ODD <= front.events);
    fronts.values().flat_map(|front| &front.pairs).for_each(|(n, without)| sets.join(*n, *without));
    !fronts.is_empty()
}

/// The nodes by what they say.
struct Messages<'n> {
    nodes: &'n [Node],
    by_outline: HashMap<&'n [u32], usize>,
    /// Where there are no more than [`MOST`].
    by_length: HashMap<usize, Vec<usize>>,
}

impl<'n> Messages<'n> {
    fn of(nodes: &'n [Node]) -> Self {
        let by_outline = nodes.iter().enumerate().map(|(n, node)| (&*node.outline, n)).collect();
        let mut by_length: HashMap<usize, Vec<usize>> = HashMap::new();
        for (n, node) in nodes.iter().enumerate().filter(|_| nodes.len() <= MOST) {
            by_length.entry(node.outline.len()).or_default().push(n);
        }
        Self { nodes, by_outline, by_length }
    }

    /// The node that says this, or has variables where this has a few words: of few lines it is not known which vary.
    fn find(&self, message: &[u32]) -> Option<usize> {
        if let Some(same) = self.by_outline.get(message) {
            return Some(*same);
        }
        let words = |n: usize| self.nodes[n].outline.iter().filter(|word| **word != SLOT).count();
        let fits = |n: &usize| {
            let pairs = self.nodes[*n].outline.iter().zip(message);
            pairs.clone().all(|(word, said)| word == said || *word == SLOT) && 2 * words(*n) > message.len()
        };
        self.by_length
            .get(&message.len())?
            .iter()
            .copied()
            .filter(fits)
            .max_by_key(|n| (words(*n), self.nodes[*n].events))
    }
}

/// What is known of a front.
#[derive(Debug, Default)]
struct Front {
    /// Nodes with it, and those that read the same without it.
    pairs: Vec<(usize, usize)>,
    /// Events that begin with it.
    events: u64,
    /// Those among them that are of no message which recurs without a front.
    odd: u64,
}

impl Front {
    fn messages(&self) -> usize {
        self.pairs.iter().map(|(_, without)| without).collect::<HashSet<_>>().len()
    }
}

/// The words of a front, levels being all the same.
fn key(front: &[u32], lexicon: &Lexicon) -> Vec<u32> {
    front.iter().map(|word| if lexicon.is_level(*word) { LEVEL } else { *word }).collect()
}
