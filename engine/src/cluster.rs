//! Phase two: the few distinct shapes to clusters, by string similarity.

mod sequence;
mod align;
mod outline;
mod brackets;
mod tree;
mod words;
mod joint;
mod absorb;
mod stretches;
mod similarity;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
};

use crate::{event::signature::signature, template::Template};
use outline::{Lexicon, Outline};
use words::Node;

/// Similarity down to which only equal texts are joined; below, equal outlines.
const OUTLINES: f64 = 0.9;

/// Similarity at and below which places with many words are variables.
const WORDS: f64 = 0.7;

/// Similarity at and below which stretches of words are variables.
const STRETCHES: f64 = 0.6;

/// Similarity below which outlines are joined that are merely alike: in proportion, those alike to `similarity / ALIKE`.
const ALIKE: f64 = 0.5;

/// Rounds of joining; each may make outlines alike that were not before.
const ROUNDS: usize = 8;

/// A distinct shape and how many events have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighted<'a> {
    /// As [`crate::shape::Shaper`] made it.
    pub shape: &'a [u8],
    /// How many events have it, at least 1.
    pub events: u64,
}

/// Shapes that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common. No two groups of one run have the same.
    pub template: Template,
    /// Positions in the slice given, ascending.
    pub members: Vec<usize>,
}

/// Groups the shapes (sorted by their bytes, without repeats); every shape is in exactly one group.
/// `similarity` as in [`crate::Settings`]: each step of joining has a similarity down to which it is taken, so what a
/// narrower cut joins, a broader one joins too.
pub fn cluster(shapes: &[Weighted<'_>], similarity: f64) -> Vec<Group> {
    let texts: Vec<Cow<'_, str>> = shapes.iter().map(|weighted| String::from_utf8_lossy(weighted.shape)).collect();
    let mut lexicon = Lexicon::new();
    let mut nodes: Vec<Node> = shapes
        .iter()
        .enumerate()
        .map(|(i, weighted)| Node { outline: Vec::new(), events: weighted.events, members: vec![i] })
        .collect();
    if similarity > OUTLINES {
        return named(nodes, &texts);
    }
    let mut outlines: Vec<Outline> = texts.iter().map(|text| lexicon.outline(text)).collect();
    if similarity <= WORDS {
        brackets::close_reasons(&mut outlines, &lexicon);
        brackets::close(&mut outlines, &lexicon);
    }
    let outlines: Vec<Vec<u32>> = outlines.into_iter().map(|outline| outline.words).collect();
    for (node, outline) in nodes.iter_mut().zip(&outlines) {
        node.outline.clone_from(outline);
    }
    nodes = apart(nodes, &texts).into_iter().flat_map(|nodes| joined(nodes, &outlines, &lexicon, similarity)).collect();
    if similarity < ALIKE {
        nodes = similarity::join(&nodes, similarity / ALIKE)
            .into_iter()
            .map(|group| words::together(&nodes, &group))
            .collect();
    }
    named(nodes, &texts)
}

/// The nodes of single lines, and those of each trace: whatever else is alike in them, traces of different exceptions or
/// frames are no variants of each other.
fn apart(nodes: Vec<Node>, texts: &[Cow<'_, str>]) -> Vec<Vec<Node>> {
    let mut apart: BTreeMap<Option<String>, Vec<Node>> = BTreeMap::new();
    for node in nodes {
        apart.entry(signature(&texts[node.members[0]])).or_default().push(node);
    }
    apart.into_values().collect()
}

/// Joins nodes of one shape each.
fn joined(mut nodes: Vec<Node>, outlines: &[Vec<u32>], lexicon: &Lexicon<'_>, similarity: f64) -> Vec<Node> {
    words::merge_equal(&mut nodes);
    if similarity <= WORDS {
        let mut known = HashSet::new();
        for _ in 0..ROUNDS {
            if !words::join(&mut nodes, lexicon, &mut known) {
                break;
            }
        }
        joint::join(&mut nodes, lexicon);
        words::join_names(&mut nodes, lexicon);
        absorb::join_values(&mut nodes, outlines, lexicon);
        absorb::absorb(&mut nodes, outlines, lexicon);
    }
    if similarity <= STRETCHES {
        stretches::join_lists(&mut nodes, lexicon);
        stretches::join(&mut nodes, lexicon);
        absorb::join_values(&mut nodes, outlines, lexicon);
        absorb::absorb(&mut nodes, outlines, lexicon);
    }
    nodes
}

/// Gives each node its template; nodes of the same template become one group.
fn named(nodes: Vec<Node>, texts: &[Cow<'_, str>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_text: HashMap<String, usize> = HashMap::new();
    for node in nodes {
        let template = align::common(&node.members.iter().map(|member| &*texts[*member]));
        match by_text.entry(template.text()) {
            Entry::Occupied(entry) => groups[*entry.get()].members.extend(node.members),
            Entry::Vacant(entry) => {
                entry.insert(groups.len());
                groups.push(Group { template, members: node.members });
            }
        }
    }
    for group in &mut groups {
        group.members.sort_unstable();
    }
    groups.sort_by_key(|group| group.members[0]);
    groups
}
