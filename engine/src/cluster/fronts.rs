//! What is left of a header in front of messages: the same words before several messages that others have without them, in
//! inputs whose lines begin in more ways than one. Whether one word is a program's name or what happened, a line by itself does
//! not tell; that whatever it stands before recurs without it does.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    outline::{Lexicon, Outlines, SLOT, WORD},
    sequence::{is_dotted, is_state},
    tree::Sets,
    words::Node,
};

/// Words of a front, at most.
const FRONT: usize = 4;

/// Different messages that a front stands before and that recur without it, at least. Of a name that can be no word one is enough.
const RECURRING: usize = 3;

/// Of the events that begin with a front, one in so many may not recur without it.
const ODD: u64 = 10;

/// Nodes among which messages of few lines are looked for.
const MOST: usize = 1024;

/// Shapes up to which each is looked at by itself.
const SHAPES: usize = 4096;

/// Any word that names a level.
const LEVEL: u32 = u32::MAX;

/// Any name of a part of a program, such as a class.
const PROGRAM: u32 = u32::MAX - 1;

/// Joins nodes to those that say the same without a front. Says whether any were joined. `all` are the outlines of their shapes,
/// each with its events in `shapes`.
pub(super) fn join(nodes: &[Node], all: &Outlines, shapes: &[(&str, u64)], lexicon: &Lexicon, sets: &mut Sets) -> bool {
    let messages = Messages::of(nodes);
    let said = said(nodes, all, shapes);
    let mut fronts: HashMap<Vec<u32>, Front> = HashMap::new();
    let mut recurring: HashSet<usize> = HashSet::new();
    for (s, (n, outline, _)) in said.iter().enumerate() {
        for length in 1..=FRONT.min(outline.len()) {
            let (front, message) = outline.split_at(length);
            let Some(without) = messages.find(message).filter(|without| without != n) else { continue };
            if lexicon.weight(message) >= 2 * WORD && !front.iter().any(|word| lexicon.is_negation(*word)) {
                fronts.entry(key(front, lexicon)).or_default().pairs.push((*n, without));
                recurring.insert(s);
            }
        }
    }
    let mut classes = classes(fronts, lexicon);
    classes.retain(|class| class.front.messages() >= if is_named(&class.words[0]) { 1 } else { RECURRING });
    let of: HashMap<Vec<u32>, usize> = classes
        .iter_mut()
        .enumerate()
        .flat_map(|(c, class)| class.words.drain(..).map(move |words| (words, c)))
        .collect();
    if of.is_empty() {
        return false;
    }
    for (s, (_, outline, events)) in said.iter().enumerate() {
        let begin = key(&outline[..FRONT.min(outline.len())], lexicon);
        for class in (1..=begin.len()).filter_map(|length| of.get(&begin[..length])) {
            let front = &mut classes[*class].front;
            front.events += events;
            front.odd += if recurring.contains(&s) { 0 } else { *events };
        }
    }
    classes.retain(|class| class.front.odd * ODD <= class.front.events);
    classes.iter().flat_map(|class| &class.front.pairs).for_each(|(n, without)| sets.join(*n, *without));
    !classes.is_empty()
}

/// What is said, with the node that says it and how often: each shape by itself, since a front may be a variable by now where
/// one message has several; where there are many shapes, of each node what they have in common.
fn said<'n>(nodes: &'n [Node], all: &'n Outlines, shapes: &[(&str, u64)]) -> Vec<(usize, &'n [u32], u64)> {
    let each = |(n, node): (usize, &'n Node)| node.members.iter().map(move |member| (n, *member));
    let members: Vec<(usize, usize)> = nodes.iter().enumerate().flat_map(each).take(SHAPES + 1).collect();
    if members.len() > SHAPES {
        return nodes.iter().enumerate().map(|(n, node)| (n, &*node.outline, node.events)).collect();
    }
    members.into_iter().map(|(n, member)| (n, &all[member], shapes[member].1)).collect()
}

/// Fronts that stand for each other.
struct Class {
    words: Vec<Vec<u32>>,
    front: Front,
}

/// Puts those fronts together that stand before the same message, as the names of a program's parts do; what says that
/// something happened stands by itself.
fn classes(fronts: HashMap<Vec<u32>, Front>, lexicon: &Lexicon) -> Vec<Class> {
    let mut fronts: Vec<(Vec<u32>, Front)> = fronts.into_iter().collect();
    fronts.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut sets = Sets::new(fronts.len());
    let mut before: HashMap<(usize, usize), usize> = HashMap::new();
    let is_word = |word: u32| word != SLOT && word < PROGRAM;
    for (f, (words, front)) in fronts.iter().enumerate() {
        if !words.iter().any(|word| is_word(*word) && !is_state(lexicon.word(*word))) {
            continue;
        }
        for (_, without) in &front.pairs {
            sets.join(f, *before.entry((words.len(), *without)).or_insert(f));
        }
    }
    let mut classes: BTreeMap<usize, Class> = BTreeMap::new();
    for (f, (words, front)) in fronts.into_iter().enumerate() {
        let new = || Class { words: Vec::new(), front: Front::default() };
        let class = classes.entry(sets.root(f)).or_insert_with(new);
        class.words.push(words);
        class.front.pairs.extend(front.pairs);
    }
    classes.into_values().collect()
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

/// Whether by how it is written a front can hardly be a part of what is said.
fn is_named(front: &[u32]) -> bool {
    front.contains(&PROGRAM) && front.iter().all(|word| matches!(*word, LEVEL | PROGRAM))
}

/// The words of a front, levels being all the same, and names of a program's parts.
fn key(front: &[u32], lexicon: &Lexicon) -> Vec<u32> {
    let any = |word: &u32| match *word {
        SLOT => SLOT,
        word if lexicon.is_level(word) => LEVEL,
        word if is_dotted(lexicon.word(word)) => PROGRAM,
        word => word,
    };
    front.iter().map(any).collect()
}
