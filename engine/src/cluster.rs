//! Phase two: the few distinct shapes to clusters, by string similarity.

mod sequence;
mod align;
mod outline;
mod brackets;
mod tree;
mod words;
mod exchange;
mod sentences;
mod joint;
mod absorb;
mod optional;
mod fronts;
mod stretches;
mod lists;
mod similarity;
mod requests;
pub(crate) mod dendrogram;
mod grow;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    iter,
};

use crate::{event::signature::signature, template::Template};
pub(crate) use dendrogram::Dendrogram;
pub use dendrogram::Step;
use grow::Growth;
use outline::{Lexicon, Outline, Outlines};
use words::Node;

/// Similarity at and below which equal outlines are one.
const OUTLINES: f64 = 0.9;

/// Similarity at and below which lists are, and names in scripts without blanks.
const LISTS: f64 = 0.85;

/// Similarity at and below which single places with many words are variables.
const WORDS: f64 = 0.8;

/// Similarity at and below which places are that together, and names.
const NAMES: f64 = 0.7;

/// Similarity at and below which stretches of words are variables.
const STRETCHES: f64 = 0.6;

/// Similarity below which outlines are joined that are merely alike, in proportion: those that are `x` alike at `x * ALIKE`.
pub(crate) const ALIKE: f64 = 0.5;

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
    let leaf = |n: usize| common(&iter::once(&*String::from_utf8_lossy(shapes[n].shape)));
    let texts: Vec<Cow<'_, str>> = shapes.iter().map(|weighted| String::from_utf8_lossy(weighted.shape)).collect();
    let weighted: Vec<(&str, u64)> = texts.iter().zip(shapes).map(|(text, shape)| (&**text, shape.events)).collect();
    dendrogram(&weighted, similarity < ALIKE).groups(similarity, leaf)
}

/// The template that shapes have in common.
pub(crate) fn common<'a>(shapes: &(impl Iterator<Item = &'a str> + Clone)) -> Template {
    align::common(shapes)
}

/// How alike the words of two templates' texts are, from 0 to 1.
pub(crate) fn likeness(a: &str, b: &str) -> f64 {
    // A slot as a control character, which `<*>` is not.
    let [a, b] = [a, b].map(|text| text.replace("<*>", "\u{e}"));
    let mut lexicon = Lexicon::new();
    let (a, b) = (lexicon.outline(&a), lexicon.outline(&b));
    similarity::alike(&a.words, &b.words)
}

/// The tree over the shapes (as in [`cluster`], each with its events) of which every similarity is a cut: down to the default,
/// or `whole`.
pub(crate) fn dendrogram(shapes: &[(&str, u64)], whole: bool) -> Dendrogram {
    let mut growth = Growth::new(shapes);
    let mut lexicon = Lexicon::new();
    let mut outline = |text| lexicon.outline(plain(text).as_deref().unwrap_or(text));
    let mut outlines: Vec<Outline> = shapes.iter().map(|(text, _)| outline(text)).collect();
    brackets::close_reasons(&mut outlines, &lexicon);
    brackets::close(&mut outlines, &lexicon);
    lexicon.close();
    let all = Outlines::of(&outlines);
    let node = |(i, outline): (usize, Outline)| Node { outline: outline.words, events: shapes[i].1, members: vec![i] };
    let nodes = outlines.into_iter().enumerate().map(node).collect();
    let mut parts = apart(nodes, shapes);
    parts.iter_mut().for_each(words::merge_equal);
    growth.take(parts.iter().flatten(), OUTLINES, Step::Outlines);
    for nodes in &mut parts {
        sentences::join(nodes, &lexicon);
        lists::join_items(nodes, &lexicon);
        lists::join(nodes, &lexicon);
    }
    growth.take(parts.iter().flatten(), LISTS, Step::Stretches);
    for nodes in &mut parts {
        exchange::join_persons(nodes, &lexicon);
        let mut known = HashSet::new();
        let told = nodes.first().is_some_and(|node| plain(shapes[node.members[0]].0).is_some());
        for _ in 0..ROUNDS {
            if !words::join(nodes, &lexicon, &mut known, told) {
                break;
            }
        }
        exchange::join(nodes, &lexicon);
    }
    growth.take(parts.iter().flatten(), WORDS, Step::Words);
    for nodes in &mut parts {
        joint::join(nodes, &lexicon);
        words::join_names(nodes, &lexicon);
        absorb::tell(nodes, &all, &lexicon);
    }
    growth.take(parts.iter().flatten(), NAMES, Step::Words);
    for nodes in &mut parts {
        lists::join_repeated(nodes, &lexicon);
        optional::join(nodes, &all, shapes, &lexicon);
        stretches::join(nodes, &lexicon);
        absorb::tell(nodes, &all, &lexicon);
    }
    growth.take(parts.iter().flatten(), STRETCHES, Step::Stretches);
    if whole {
        growth.join_alike(&parts.concat(), ALIKE);
    }
    growth.grown()
}

/// What is compared of a trace: its shape without what its exceptions say.
fn plain(shape: &str) -> Option<String> {
    signature(shape).and_then(|signature| signature.plain)
}

/// The nodes of single lines, and those of each trace and each way in which [requests](requests) were answered: whatever else is
/// alike in them, traces of different exceptions or frames are no variants of each other.
fn apart(mut nodes: Vec<Node>, shapes: &[(&str, u64)]) -> Vec<Vec<Node>> {
    let signature = |node: &Node| {
        let shape = shapes[node.members[0]].0;
        signature(shape).map(|signature| signature.names).or_else(|| requests::answered(shape))
    };
    let mut traces: BTreeMap<Option<String>, Vec<Node>> = BTreeMap::new();
    for node in nodes.extract_if(.., |node| signature(node).is_some()) {
        traces.entry(signature(&node)).or_default().push(node);
    }
    std::iter::once(nodes).chain(traces.into_values()).collect()
}
