//! Words that stand for each other in several messages: `alice` and `bob` behind `mail sent to` and within `account … locked`.
//! They tell variables where each message has too few lines to tell its own; where there are many the siblings judge each place
//! by itself. Names of persons at the front, of which the first part stands with many second ones, are told alike.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    outline::{Lexicon, SLOT, WORD},
    sequence::{is_auxiliary, is_conjunction, is_participle, is_person, is_preposition, is_state},
    tree::Sets,
    words::{self, MANY, Node, RARE, equal_by, regroup},
};

/// Nodes up to which they are looked at here: more have many lines.
const MOST: usize = 1 << 12;

/// Places that a class of words stands at, and words of it that stand at several, at least.
const SEVERAL: usize = 2;

/// Words that may stand for each other, by word: how many there are.
type Classes = HashMap<u32, usize>;

/// Joins nodes that begin with names of persons, of two words each: `Anna Meyer joined the room`. A capital on the first word of
/// a sentence says little, one on each second word much, and that the words of both places go with each other, as first and last
/// names do.
pub(super) fn join_persons(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let is_part = |word: &u32| *word != SLOT && is_person(std::iter::once(Some(lexicon.word(*word))));
    let rest = |node: &usize| nodes[*node].outline.get(2..).unwrap_or_default();
    // Sorted, and no map: there may be as many nodes as there are shapes.
    let mut by_rest: Vec<usize> = (0..nodes.len()).filter(|node| lexicon.weight(rest(node)) >= 2 * WORD).collect();
    by_rest.sort_unstable_by(|a, b| (rest(a), a).cmp(&(rest(b), b)));
    let are_persons = |group: &[usize]| {
        let (mut first, mut second): (BTreeSet<u32>, HashMap<u32, usize>) = Default::default();
        for outline in group.iter().map(|n| &nodes[*n].outline) {
            first.insert(outline[0]);
            *second.entry(outline[1]).or_default() += 1;
        }
        let shared = second.values().filter(|firsts| **firsts >= SEVERAL).count();
        first.len() >= MANY
            && second.len() >= MANY
            && shared * 2 >= second.len()
            && first.iter().chain(second.keys()).all(is_part)
    };
    let alike = by_rest.chunk_by(|a, b| rest(a) == rest(b));
    let persons = alike.filter(|group| group.len() >= MANY && are_persons(group));
    let groups = persons.map(|group| ([&[SLOT], rest(&group[0])].concat(), group.to_vec())).collect();
    regroup(nodes, groups);
}

/// Joins nodes of few lines that are equal once words that stand for each other are taken for variables.
pub(super) fn join(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    if nodes.len() > MOST {
        return;
    }
    let classes = classes(nodes, lexicon);
    let plain = |node: &Node| {
        let is_value = |at: usize| {
            let class = classes.get(&node.outline[at]);
            class.is_some_and(|size| need(&node.outline, at, lexicon).is_some_and(|need| *size >= need))
        };
        let place = |at: usize| if is_value(at) { SLOT } else { node.outline[at] };
        let mut plain: Vec<u32> = (0..node.outline.len()).map(place).collect();
        plain.dedup_by(|a, b| *a == SLOT && *b == SLOT);
        plain
    };
    let mut groups = equal_by(nodes, plain);
    groups.retain(|(outline, group)| lexicon.weight(outline) >= 2 * WORD && are_rare(nodes, group));
    regroup(nodes, groups);
}

/// Whether each of the nodes has few lines: with many each they may be states.
fn are_rare(nodes: &[Node], group: &[usize]) -> bool {
    group.iter().map(|node| nodes[*node].events).sum::<u64>() <= RARE * group.len() as u64
}

/// The classes of words: those that stand at the same places, which are several.
fn classes(nodes: &[Node], lexicon: &Lexicon) -> Classes {
    let mut sets = Sets::new(lexicon.words());
    let mut places: HashMap<u32, usize> = HashMap::new();
    for place in words::places(nodes, lexicon) {
        let (first, at) = (place[0].2 as usize, place[0].1 as usize);
        let outline = &nodes[first].outline;
        let rest = lexicon.weight(outline) - lexicon.weight(&outline[at..=at]);
        let group: Vec<usize> = place.iter().map(|(_, _, node)| *node as usize).collect();
        if at == 0 || rest < 2 * WORD || need(outline, at, lexicon).is_none() || !are_rare(nodes, &group) {
            continue;
        }
        let words: HashSet<u32> = group.iter().map(|node| nodes[*node].outline[at]).collect();
        let words: Vec<u32> = words.into_iter().filter(|word| may_be_value(*word, lexicon)).collect();
        if words.len() >= SEVERAL {
            words.iter().for_each(|word| {
                sets.join(words[0] as usize, *word as usize);
                *places.entry(*word).or_default() += 1;
            });
        }
    }
    let mut classes = Classes::new();
    for class in sets.groups() {
        let shared = class.iter().filter(|word| places[&(**word as u32)] >= SEVERAL).count();
        if class.len() >= MANY && shared >= SEVERAL {
            classes.extend(class.iter().map(|word| (*word as u32, class.len())));
        }
    }
    classes
}

/// Whether a word may name someone or something: it says neither what happened nor how.
fn may_be_value(word: u32, lexicon: &Lexicon) -> bool {
    let text = lexicon.word(word);
    let says_how = is_state(text) || is_participle(text) || is_preposition(text) || is_conjunction(text);
    word != SLOT && !says_how && !lexicon.is_negation(word) && !lexicon.is_unspaced(word) && !is_auxiliary(text)
}

/// How many words have to stand for each other to be values at a place; `None` where verbs and outcomes stand: `failed to open`,
/// `will retry`, and at the end, unless a preposition says that a name follows.
fn need(outline: &[u32], at: usize, lexicon: &Lexicon) -> Option<usize> {
    let before = |back: usize| {
        let word = at.checked_sub(back).map(|at| outline[at]).filter(|word| *word != SLOT);
        word.map_or("", |word| lexicon.word(word))
    };
    let is_verb = is_auxiliary(before(1))
        || lexicon.is_negation(at.checked_sub(1).map_or(SLOT, |at| outline[at]))
        || before(1) == "to"
            && matches!(before(2), "failed" | "unable" | "able" | "going" | "about" | "ready" | "refused")
        || before(1) == "to" && (before(2).starts_with("tr") || before(2).starts_with("attempt"));
    let last = at + 1 == outline.len();
    match at {
        _ if is_verb || last && !is_preposition(before(1)) => None,
        0 => Some(2 * MANY),
        _ => Some(MANY),
    }
}
