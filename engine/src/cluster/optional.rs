//! Parts that may be there several times or not at all: `a and b and c`, ` from 10.0.0.1`. Looks at outlines whose variables are
//! known.

use std::collections::{HashMap, HashSet};

use super::{
    outline::{Lexicon, SLOT, WORD},
    sequence::{is_conjunction, is_preposition},
    tree::Sets,
    words::{Node, equal_by, is_settled, regroup},
};

/// Different lengths that make a list of one beside a single word.
const LENGTHS: usize = 3;

/// Joins the nodes that differ in how often a word and a variable behind it are said again.
pub(super) fn join_repeated(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let repeated: HashSet<u32> = nodes.iter().filter_map(|node| repeated(&node.outline)).collect();
    let is_between = |word: u32| repeated.contains(&word) || is_conjunction(lexicon.word(word));
    let mut groups = equal_by(nodes, |node| once(&node.outline, is_between));
    groups.retain(|(outline, group)| {
        let lengths: HashSet<usize> = group.iter().map(|node| nodes[*node].outline.len()).collect();
        lexicon.weight(outline) >= if lengths.len() >= LENGTHS { WORD } else { 2 * WORD }
    });
    regroup(nodes, groups);
}

/// The word that stands twice between variables: `and` in `<*> and <*> and <*>`.
fn repeated(outline: &[u32]) -> Option<u32> {
    let is_run = |run: &&[u32]| run[0] == SLOT && run[2] == SLOT && run[4] == SLOT && run[1] == run[3];
    outline.windows(5).find(is_run).map(|run| run[1])
}

/// The outline with one variable in place of several with such a word between.
fn once(outline: &[u32], is_between: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut once: Vec<u32> = Vec::with_capacity(outline.len());
    for word in outline {
        if let [.., SLOT, between] = once[..]
            && *word == SLOT
            && is_between(between)
        {
            once.pop();
        } else {
            once.push(*word);
        }
    }
    once
}

/// Joins a node to the one that says the same without a preposition and the variable behind it, where both are settled. Behind
/// other words, as behind keys, it may be another message.
pub(super) fn join_optional(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let settled: HashMap<&[u32], usize> =
        nodes.iter().enumerate().filter(|(_, node)| is_settled(node)).map(|(n, node)| (&node.outline[..], n)).collect();
    let mut sets = Sets::new(nodes.len());
    let mut joined = false;
    for (n, node) in nodes.iter().enumerate().filter(|(_, node)| is_settled(node)) {
        let outline = &node.outline;
        let without: Vec<usize> = (1..outline.len().saturating_sub(1))
            .filter_map(|at| settled.get(&without(outline, at, lexicon)?[..]))
            .copied()
            .collect();
        // Of two that may be left out, it does not say which.
        if let [without] = without[..] {
            sets.join(n, without);
            joined = true;
        }
    }
    if !joined {
        return;
    }
    let shortest = |group: &[usize]| group.iter().map(|node| &nodes[*node].outline).min_by_key(|outline| outline.len());
    let groups = sets.groups().into_iter();
    let groups = groups.filter_map(|group| Some((shortest(&group)?.clone(), group))).collect();
    regroup(nodes, groups);
}

/// The outline without the preposition at a place and the variable behind it, if enough is left.
fn without(outline: &[u32], at: usize, lexicon: &Lexicon) -> Option<Vec<u32>> {
    let word = lexicon.word(outline[at]);
    if outline[at + 1] != SLOT || !is_preposition(word) {
        return None;
    }
    let mut rest = [&outline[..at], &outline[at + 2..]].concat();
    rest.dedup_by(|a, b| *a == SLOT && *b == SLOT);
    (lexicon.weight(&rest) >= 2 * WORD).then_some(rest)
}
