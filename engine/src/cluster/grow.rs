//! Grows the `Dendrogram`: takes what each step of joining has joined, as it was after that step, and makes one tree of it.

use std::{
    collections::{BTreeMap, hash_map::Entry},
    iter,
};

use super::{
    align::{self, as_shape},
    dendrogram::{Dendrogram, Join, Step, height},
    similarity,
    tree::Sets,
    words::Node,
};
use crate::{
    tally::{ByKey, Key},
    template::Template,
};

/// A tree that is being grown, from the leaves up.
pub(super) struct Growth<'t> {
    /// Each with its events.
    texts: &'t [(&'t str, u64)],
    tree: Dendrogram,
    sets: Sets,
    /// Of each shape that is alone: of its template's text. There may be many that nothing is ever joined with, so this is all
    /// that is kept of them.
    alone: Vec<Option<Key>>,
    /// Of several shapes, by the first member of each.
    groups: BTreeMap<usize, Grown>,
    /// Key of its template's text to first member of the group.
    by_text: ByKey<usize>,
}

/// A group so far.
struct Grown {
    node: usize,
    /// Positions of its shapes; of a leaf, its node is the only one.
    members: Vec<usize>,
    /// Of its template's text.
    key: Key,
    /// A leaf's is made when it is asked for: there may be many that nothing is joined with.
    template: Option<Template>,
}

/// The node of a group that has none yet.
const NONE: usize = usize::MAX;

impl<'t> Growth<'t> {
    /// Shapes by themselves, those that read the same together.
    pub(super) fn new(texts: &'t [(&'t str, u64)]) -> Self {
        let alone = (0..texts.len()).map(|n| Some(key(&lone(texts, n)))).collect();
        let (tree, sets) = (Dendrogram::new(texts.len()), Sets::new(texts.len()));
        let mut growth = Self { texts, tree, sets, alone, groups: BTreeMap::new(), by_text: ByKey::default() };
        let mut same = Vec::new();
        for n in 0..texts.len() {
            let key = growth.alone[n].expect("nothing is joined yet");
            let first = *growth.by_text.entry(key).or_insert(n);
            if first != n {
                growth.sets.join(first, n);
                same.extend([first, n]);
            }
        }
        growth.settle(same, height(1.0), Step::Equal, |parts| common(parts, texts));
        growth
    }

    /// Takes what a step has joined, which may be what steps before it have joined already.
    pub(super) fn take<'n>(&mut self, nodes: impl Iterator<Item = &'n Node>, similarity: f64, step: Step) {
        let mut joined: Vec<Vec<usize>> = Vec::new();
        for node in nodes {
            let mut firsts: Vec<usize> = node.members.iter().map(|member| self.sets.root(*member)).collect();
            firsts.sort_unstable();
            firsts.dedup();
            if firsts.len() > 1 {
                joined.push(firsts);
            }
        }
        let (changed, texts) = (self.unite(&joined), self.texts);
        self.settle(changed, height(similarity), step, |parts| common(parts, texts));
    }

    /// Joins what is merely alike, most alike first, and at last everything; all of it below the similarity `top`.
    pub(super) fn join_alike(&mut self, nodes: &[Node], top: f64) {
        let texts = self.texts;
        let below = |alike: f64| height(alike * top).min(height(top) - 1);
        let pairs: Vec<(u16, usize, usize)> = similarity::pairs(nodes)
            .into_iter()
            .map(|(alike, a, b)| (below(alike), nodes[a].members[0], nodes[b].members[0]))
            .collect();
        for level in pairs.chunk_by(|a, b| a.0 == b.0) {
            let mut joined = Vec::new();
            for (_, a, b) in level {
                let (a, b) = (self.sets.root(*a), self.sets.root(*b));
                if a != b {
                    joined.push(vec![a, b]);
                }
            }
            let changed = self.unite(&joined);
            self.settle(changed, level[0].0, Step::Alike, |parts| widest(parts, texts));
        }
        let alone = (0..texts.len()).filter(|n| self.alone[*n].is_some());
        let mut rest: Vec<usize> = alone.chain(self.groups.keys().copied()).collect();
        rest.sort_unstable();
        if rest.len() > 1 {
            let changed = self.unite(&[rest]);
            self.settle(changed, 0, Step::Alike, |parts| widest(parts, texts));
        }
    }

    /// The tree.
    pub(super) fn grown(self) -> Dendrogram {
        self.tree
    }

    /// Takes a group out, by its first member.
    fn remove(&mut self, first: usize) -> Option<Grown> {
        let leaf = |key| Grown { node: first, members: Vec::new(), key, template: None };
        self.alone[first].take().map(leaf).or_else(|| self.groups.remove(&first))
    }

    fn insert(&mut self, first: usize, grown: Grown) {
        if grown.node < self.texts.len() {
            self.alone[first] = Some(grown.key);
        } else {
            self.groups.insert(first, grown);
        }
    }

    /// Joins sets; gives the first members of the groups concerned as they were before.
    fn unite(&mut self, joined: &[Vec<usize>]) -> Vec<usize> {
        for group in joined {
            for other in &group[1..] {
                self.sets.join(group[0], *other);
            }
        }
        joined.iter().flatten().copied().collect()
    }

    /// Makes the groups of those that were joined, until no two templates read the same.
    fn settle(&mut self, mut changed: Vec<usize>, height: u16, step: Step, made: impl Fn(&[Grown]) -> Grown) {
        // What is joined in this step, by first member: its parts. Their node comes when the step is through.
        let mut under: BTreeMap<usize, Vec<Grown>> = BTreeMap::new();
        while !changed.is_empty() {
            let mut parts: BTreeMap<usize, Vec<Grown>> = BTreeMap::new();
            for first in changed.drain(..) {
                let Some(grown) = self.remove(first) else { continue };
                if let Entry::Occupied(entry) = self.by_text.entry(grown.key)
                    && *entry.get() == first
                {
                    entry.remove();
                }
                let below = under.remove(&first).unwrap_or_else(|| vec![grown]);
                parts.entry(self.sets.root(first)).or_default().extend(below);
            }
            for (root, mut below) in parts {
                let grown = match below.pop() {
                    Some(only) if below.is_empty() => only,
                    last => {
                        below.extend(last);
                        below.sort_by_key(|part| part.node);
                        made(&below)
                    }
                };
                match self.by_text.entry(grown.key) {
                    Entry::Vacant(free) => drop(free.insert(root)),
                    Entry::Occupied(same) => {
                        self.sets.join(root, *same.get());
                        changed.extend([root, *same.get()]);
                    }
                }
                self.insert(root, grown);
                if !below.is_empty() {
                    under.insert(root, below);
                }
            }
        }
        for (root, below) in under {
            let grown = self.groups.get_mut(&root).expect("what was joined is a group");
            let nodes: Vec<usize> = below.iter().map(|part| part.node).collect();
            grown.node = self.tree.join(
                &nodes,
                Join { height, step, template: grown.template.clone().expect("what was joined has a template") },
            );
        }
    }
}

/// One group of several, by what all their shapes have in common.
fn common(parts: &[Grown], texts: &[(&str, u64)]) -> Grown {
    let of = |part: &Grown| if part.members.is_empty() { vec![part.node] } else { part.members.clone() };
    let mut members: Vec<usize> = parts.iter().flat_map(of).collect();
    members.sort_unstable();
    let template = align::common(&members.iter().map(|member| texts[*member].0));
    Grown { node: NONE, members, key: key(&template), template: Some(template) }
}

/// One group of several, by what their templates have in common, each taken for a shape. Past the steps that look at
/// shapes nobody asks for members.
fn widest(parts: &[Grown], texts: &[(&str, u64)]) -> Grown {
    let template = |part: &Grown| part.template.as_ref().map_or_else(|| as_shape(&lone(texts, part.node)), as_shape);
    let shapes: Vec<String> = parts.iter().map(template).collect();
    let template = align::common(&shapes.iter().map(String::as_str));
    Grown { node: NONE, members: Vec::new(), key: key(&template), template: Some(template) }
}

/// The template of a shape that is alone.
fn lone(texts: &[(&str, u64)], leaf: usize) -> Template {
    align::common(&iter::once(texts[leaf].0))
}

/// Stands for the text of a template, of which there may be many.
fn key(template: &Template) -> Key {
    Key::of(template.text().as_bytes())
}
