//! `Dendrogram`: which shapes are joined at which similarity, as one tree, of which every view broader or narrower is a
//! cut. How it is grown is `grow`'s business.
//!
//! A join is only ever made of whole nodes, so a cut at a lower similarity is made of unions of what a cut at a higher one
//! has. No two nodes of one cut have the same template: those that would are one.

use serde::{Deserialize, Serialize};

use super::Group;
use crate::template::Template;

/// Heights count in thousandths of similarity.
const SCALE: f64 = 1000.0;

/// What joined shapes, for whoever asks why they are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Their texts differ in the kinds of their variables only, or their templates came out equal.
    Equal,
    /// They differ in signs and in what is masked, not in words.
    Outlines,
    /// They differ in places where the file has many words, or names.
    Words,
    /// They differ in stretches of words: lists of any length, optional parts.
    Stretches,
    /// Their words are alike.
    Alike,
}

/// Nodes that became one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Join {
    /// Similarity down to which they are apart, in thousandths.
    pub(crate) height: u16,
    /// Why.
    pub(crate) step: Step,
    /// What all shapes below it have in common.
    pub(crate) template: Template,
}

/// The tree over the shapes `0..leaves`; joins are numbered on from there, each after what it joins.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Dendrogram {
    leaves: usize,
    /// Of leaves and joins: the join above; [`ROOT`] if there is none.
    parents: Vec<u32>,
    joins: Vec<Join>,
}

/// Stands for no parent.
const ROOT: u32 = u32::MAX;

/// A similarity as a height.
pub(crate) fn height(similarity: f64) -> u16 {
    // From 0 to 1000.
    (similarity.clamp(0.0, 1.0) * SCALE).round() as u16
}

/// A height as a similarity.
pub(crate) fn similarity(height: u16) -> f64 {
    f64::from(height) / SCALE
}

impl Dendrogram {
    /// Leaves alone.
    pub(super) fn new(leaves: usize) -> Self {
        Self { leaves, parents: vec![ROOT; leaves], joins: Vec::new() }
    }

    /// Puts nodes without parent under a new join; gives its number.
    pub(super) fn join(&mut self, nodes: &[usize], join: Join) -> usize {
        let number = self.parents.len();
        self.joins.push(join);
        self.parents.push(ROOT);
        for node in nodes {
            self.parents[*node] = number as u32;
        }
        number
    }

    /// Whether everything is one at similarity 0.
    pub(crate) fn is_whole(&self) -> bool {
        self.parents.iter().filter(|parent| **parent == ROOT).count() <= 1
    }

    /// Shapes.
    pub(crate) fn leaves(&self) -> usize {
        self.leaves
    }

    /// Leaves and joins.
    pub(crate) fn nodes(&self) -> usize {
        self.parents.len()
    }

    /// Leaves below each node, itself if it is one.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.below(&(0..self.leaves).collect::<Vec<_>>())
    }

    /// How many of these leaves are below each node.
    pub(crate) fn below(&self, leaves: &[usize]) -> Vec<usize> {
        let mut below = vec![0; self.nodes()];
        leaves.iter().for_each(|leaf| below[*leaf] = 1);
        for node in 0..self.nodes() {
            if let Some(parent) = self.parent(node) {
                below[parent] += below[node];
            }
        }
        below
    }

    /// Nodes that each node has joined.
    pub(crate) fn parts(&self) -> Vec<usize> {
        let mut parts = vec![0; self.nodes()];
        (0..self.nodes()).filter_map(|node| self.parent(node)).for_each(|parent| parts[parent] += 1);
        parts
    }

    /// For each node the lowest of those above it, or itself, that is so.
    pub(crate) fn lowest(&self, is_so: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
        let mut lowest = vec![None; self.nodes()];
        for node in (0..self.nodes()).rev() {
            lowest[node] = if is_so(node) { Some(node) } else { self.parent(node).and_then(|parent| lowest[parent]) };
        }
        lowest
    }

    /// The join above a node.
    pub(crate) fn parent(&self, node: usize) -> Option<usize> {
        let parent = self.parents[node];
        (parent != ROOT).then_some(parent as usize)
    }

    /// What a node is, if it is no leaf.
    pub(crate) fn at(&self, node: usize) -> Option<&Join> {
        node.checked_sub(self.leaves).map(|join| &self.joins[join])
    }

    /// For each leaf, the highest node above it that is joined at `similarity`: what it belongs to in this cut.
    pub(crate) fn cut(&self, similarity: f64) -> Vec<usize> {
        let least = height(similarity);
        let mut tops: Vec<usize> = (0..self.parents.len()).collect();
        for node in (0..tops.len()).rev() {
            if let Some(parent) = self.parent(node)
                && self.joins[parent - self.leaves].height >= least
            {
                tops[node] = tops[parent];
            }
        }
        tops.truncate(self.leaves);
        tops
    }

    /// The groups of a cut, in order of their first members. `leaf` gives the template of a shape that is alone.
    pub(crate) fn groups(&self, similarity: f64, leaf: impl Fn(usize) -> Template) -> Vec<Group> {
        let mut places = vec![usize::MAX; self.parents.len()];
        let mut groups: Vec<Group> = Vec::new();
        for (member, top) in self.cut(similarity).into_iter().enumerate() {
            if places[top] == usize::MAX {
                places[top] = groups.len();
                let template = self.at(top).map_or_else(|| leaf(top), |join| join.template.clone());
                groups.push(Group { template, members: Vec::new() });
            }
            groups[places[top]].members.push(member);
        }
        groups
    }

    /// As it is written: the parents, and of each join height, step and typed template.
    pub(crate) fn written(&self) -> (&[u32], Vec<(u16, Step, String)>) {
        (&self.parents, self.joins.iter().map(|join| (join.height, join.step, join.template.typed())).collect())
    }

    /// From what was written; `None` when that is no tree.
    pub(crate) fn read(leaves: usize, parents: Vec<u32>, joins: Vec<(u16, Step, String)>) -> Option<Self> {
        let is_above = |(node, parent): (usize, &u32)| {
            *parent == ROOT
                || (*parent as usize) > node.max(leaves.saturating_sub(1)) && (*parent as usize) < parents.len()
        };
        if parents.len() != leaves + joins.len() || !parents.iter().enumerate().all(is_above) {
            return None;
        }
        let join =
            |(height, step, typed): (u16, Step, String)| Join { height, step, template: Template::of_typed(&typed) };
        Some(Self { leaves, parents, joins: joins.into_iter().map(join).collect() })
    }
}
