//! Several variables in one message: `user alice opened project apollo`, where hardly two lines agree in all but one place.
//! Judges all places of a message together; single places are the business of `words`.

use std::collections::{HashMap, HashSet};

use super::{
    outline::{Lexicon, SLOT, WORD},
    sequence::is_state,
    tree::Sets,
    words::{MANY, Node, count_of_values, unite},
};

/// Words of an outline up to which it is looked at here, which bounds the splitting.
const LONGEST: usize = 64;

/// Pairs of words at least that say whether two places go together, and shapes of each, on average.
const TIED: usize = 3;

/// Joins the nodes of one length that differ in several places, where all of those are variables at once.
pub(super) fn join(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let mut by_length: HashMap<usize, Vec<usize>> = HashMap::new();
    for (n, node) in nodes.iter().enumerate().filter(|(_, node)| node.outline.len() <= LONGEST) {
        by_length.entry(node.outline.len()).or_default().push(n);
    }
    let mut sets = Sets::new(nodes.len());
    let mut open: Vec<Vec<usize>> = by_length.into_values().collect();
    while let Some(group) = open.pop() {
        if group.len() < MANY {
            continue;
        }
        let places = varying(nodes, lexicon, &group);
        if are_variables(nodes, lexicon, &group, &places) {
            group[1..].iter().for_each(|node| sets.join(group[0], *node));
        } else if let Some(place) = places.iter().max_by(|a, b| {
            let order = |one: &Varying, other: &Varying| (one.negation, one.share, other.position);
            order(a, b).partial_cmp(&order(b, a)).expect("shares are numbers")
        }) {
            let word = |node: &usize| nodes[*node].outline[place.position];
            let mut group = group;
            group.sort_by_key(word);
            let ways = group.chunk_by(|a, b| word(a) == word(b));
            open.extend(ways.filter(|way| way.len() >= MANY).map(<[usize]>::to_vec));
        }
    }
    unite(nodes, sets);
}

/// A place where the nodes of a group differ.
struct Varying {
    position: usize,
    /// Different words, ascending, and how many shapes have each.
    words: Vec<(u32, u32)>,
    /// Whether some have a variable there already.
    slot: bool,
    /// Whether some of the words are negations.
    negation: bool,
    /// The chance that two shapes with words there have the same.
    share: f64,
}

fn varying(nodes: &[Node], lexicon: &Lexicon, group: &[usize]) -> Vec<Varying> {
    let length = nodes[group[0]].outline.len();
    let place = |position: usize| {
        let of = |node: &usize| (nodes[*node].outline[position], nodes[*node].members.len() as u32);
        let mut words: Vec<(u32, u32)> = group.iter().map(of).collect();
        words.sort_unstable();
        words.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        let slot = words.first().is_some_and(|(word, _)| *word == SLOT);
        words.drain(..usize::from(slot));
        words.shrink_to_fit();
        let squares: usize = words.iter().map(|(_, count)| (*count as usize).pow(2)).sum();
        let all: usize = words.iter().map(|(_, count)| *count as usize).sum();
        let share = squares as f64 / (all * all).max(1) as f64;
        let negation = words.iter().any(|(word, _)| lexicon.is_negation(*word));
        Varying { position, words, slot, negation, share }
    };
    (0..length).map(place).filter(|place| place.words.len() + usize::from(place.slot) > 1).collect()
}

/// Whether the places, several of them, hold many values each that go with each other in most ways there are, or in as
/// many as there are events; states and what stands first need more values, as for single places.
fn are_variables(nodes: &[Node], lexicon: &Lexicon, group: &[usize], places: &[Varying]) -> bool {
    let outline = &nodes[group[0]].outline;
    let constant: Vec<u32> =
        (0..outline.len()).filter(|i| places.iter().all(|place| place.position != *i)).map(|i| outline[i]).collect();
    if places.len() < 2
        || places.iter().any(|place| place.negation)
        || lexicon.weight(&constant) < WORD * places.len().div_ceil(2).max(2)
    {
        return false;
    }
    if places.iter().any(|place| place.words.iter().any(|(word, _)| lexicon.is_unspaced(*word))) {
        return false;
    }
    let is_variable = |place: &Varying| {
        let states = place.words.iter().filter(|(word, _)| is_state(lexicon.word(*word))).count();
        let need = match (place.slot, place.position) {
            (true, _) => 1,
            (false, 0) => 2 * MANY,
            (false, _) => MANY,
        };
        count_of_values(place.words.len(), states) >= need && (place.slot || place.share * (MANY as f64) < 1.5)
    };
    if are_alike(places) {
        return true;
    }
    let ways = places.iter().map(|place| place.words.len()).fold(1_usize, usize::saturating_mul);
    let events: u64 = group.iter().map(|node| nodes[*node].events).sum();
    let found: usize = group.iter().map(|node| nodes[*node].members.len()).sum();
    let independent = found * 2 >= ways || found as u64 * 2 >= events;
    independent && places.iter().all(is_variable) && !go_together(nodes, lexicon, group, places)
}

/// Whether the word in one of the places tells that in another though both recur among other variables: `Job <*> queued`,
/// `Topic <*> deleted`. Names of two words go together as well, which stand side by side and say nothing that happened.
fn go_together(nodes: &[Node], lexicon: &Lexicon, group: &[usize], places: &[Varying]) -> bool {
    let says_what = |place: &Varying| {
        let states = place.words.iter().filter(|(word, _)| is_state(lexicon.word(*word))).count();
        states * 2 > place.words.len()
    };
    let are_tied = |a: &Varying, b: &Varying| {
        let is_name = b.position == a.position + 1 && !says_what(b);
        !is_name && are_tied(nodes, group, a.position, b.position)
    };
    (1..places.len()).any(|b| places[..b].iter().any(|a| are_tied(a, &places[b])))
}

/// Whether two places have few of the pairs of words that they could, each pair in several shapes.
fn are_tied(nodes: &[Node], group: &[usize], a: usize, b: usize) -> bool {
    let (mut firsts, mut seconds, mut pairs) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut shapes = 0;
    for node in group.iter().map(|node| &nodes[*node]) {
        let (first, second) = (node.outline[a], node.outline[b]);
        if first != SLOT && second != SLOT {
            firsts.insert(first);
            seconds.insert(second);
            pairs.insert((first, second));
            shapes += node.members.len();
        }
    }
    pairs.len() >= TIED && pairs.len() * 2 <= firsts.len() * seconds.len() && shapes >= TIED * pairs.len()
}

/// Whether all places hold much the same words (`from RUNNING to FAILED`): what may stand here and there is a value, even if
/// it says how things stand.
fn are_alike(places: &[Varying]) -> bool {
    let (first, rest) = places.split_first().expect("groups differ in several places");
    let is_first = |word: u32| first.words.binary_search_by_key(&word, |(word, _)| *word).is_ok();
    rest.iter().all(|place| {
        let shared = place.words.iter().filter(|(word, _)| is_first(*word)).count();
        shared >= MANY && shared * 2 >= first.words.len().max(place.words.len())
    })
}
