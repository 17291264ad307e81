//! Lists of any length: `a, b, c`, `a b c`, `a and b and c`, with other words around them or none. Known by their words, which
//! recur at different places, each beside different ones.

use std::collections::{HashMap, HashSet};

use super::{
    outline::{Lexicon, SLOT, WORD},
    sequence::is_conjunction,
    stretches::{AROUND, Stretch, adopt, around, replace},
    tree::Sets,
    words::{MANY, Node, equal_by, mix, regroup},
};

/// Different lists at one place that make it a variable.
const LISTS: usize = 8;

/// Different lengths of lists.
const LENGTHS: usize = 3;

/// Words behind which little is said that are looked at together at most; of each something is kept.
const MOST: usize = 1 << 17;

/// Events with a word that is no item at least, always at the same place.
const TELLING: u64 = 3;

/// Joins nodes that are equal once items of lists are taken for variables, where one has such a list: `tag alpha` and
/// `tag alpha, bravo` beside `tag alpha, bravo, carrot`.
pub(super) fn join_items(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    if !lexicon.has_items() {
        return;
    }
    let is_item = |word: u32| lexicon.is_item(word);
    let plain = |node: &Node| -> Vec<u32> {
        let mut plain = Vec::with_capacity(node.outline.len());
        for (at, word) in node.outline.iter().enumerate() {
            let joins = at > 0
                && is_conjunction(lexicon.word(*word))
                && node.outline.get(at + 1).is_some_and(|next| is_item(*next));
            plain.push(if is_item(*word) || joins && is_item(node.outline[at - 1]) { SLOT } else { *word });
        }
        plain.dedup_by(|a, b| *a == SLOT && *b == SLOT);
        // Where no other word is left, what else is a variable says that it is no list.
        if plain == [SLOT] && node.outline.contains(&SLOT) { node.outline.clone() } else { plain }
    };
    let mut groups = equal_by(nodes, plain);
    groups.retain(|(outline, group)| group.iter().any(|node| nodes[*node].outline == *outline));
    regroup(nodes, groups);
}

/// Joins nodes that begin and end alike and have lists between: the same words in other orders and numbers. Before any word of
/// those is judged by itself.
pub(super) fn join(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    // What says little is looked at first, where only words that recur anywhere may be in a list: behind it those might be
    // taken for what introduces one.
    for before in [0, WORD] {
        join_behind(nodes, lexicon, before, true);
    }
    // One word at the front many messages may have, so what two say comes first.
    for before in [AROUND, WORD] {
        join_behind(nodes, lexicon, before, false);
    }
}

fn join_behind(nodes: &mut Vec<Node>, lexicon: &Lexicon, before: usize, strict: bool) {
    // All are looked at together here.
    if before == 0 && nodes.iter().map(|node| node.outline.len()).sum::<usize>() > MOST {
        return;
    }
    let fronts = branches(nodes, lexicon, before);
    let mut buckets: Vec<Stretch> = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        let Some(from) = fronts[n] else { continue };
        let front = node.outline[..from].iter().fold(1, |hash, word| mix(hash, *word));
        buckets.push((front, n, from, node.outline.len()));
    }
    buckets.sort_unstable();
    let mut sets = Sets::new(nodes.len());
    let mut cuts = HashMap::new();
    let is_small = |bucket: &[Stretch]| bucket.iter().map(|(_, _, from, to)| to - from).sum::<usize>() <= MOST;
    let several = buckets.chunk_by(|a, b| a.0 == b.0).filter(|bucket| bucket.len() >= LISTS);
    for bucket in several.filter(|bucket| !strict || is_small(bucket)) {
        for mut tails in by_tail(nodes, bucket) {
            if strict {
                leave_telling(nodes, &mut tails);
            }
            if is_list(nodes, lexicon, &tails, strict) {
                adopt(&tails, &mut sets, &mut cuts);
            }
        }
    }
    replace(nodes, sets, &cuts);
}

/// Joins the nodes that differ in how often a word and a variable behind it are said again.
pub(super) fn join_repeated(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let repeated: HashSet<u32> = nodes.iter().filter_map(|node| repeated(&node.outline)).collect();
    let is_between = |word: u32| repeated.contains(&word) || is_conjunction(lexicon.word(word));
    let mut groups = equal_by(nodes, |node| once(&node.outline, is_between));
    // A conjunction says by itself that a list goes on.
    let repeats = |node: &usize| nodes[*node].outline.iter().any(|word| repeated.contains(word));
    groups.retain(|(outline, group)| {
        let lengths: HashSet<usize> = group.iter().map(|node| nodes[*node].outline.len()).collect();
        let least = if lengths.len() >= LENGTHS { WORD } else { 2 * WORD };
        lexicon.weight(outline) >= least || !group.iter().any(repeats)
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

/// For each node the first place, behind words of the weight `before`, where the nodes that agree so far go many ways.
fn branches(nodes: &[Node], lexicon: &Lexicon, before: usize) -> Vec<Option<usize>> {
    let mut found = vec![None; nodes.len()];
    let mut open: Vec<Vec<usize>> = vec![(0..nodes.len()).collect()];
    let mut depth = 0;
    while !open.is_empty() {
        let mut next = Vec::new();
        for mut group in open {
            let way = |node: &usize| nodes[*node].outline.get(depth).copied();
            group.sort_by_key(way);
            let ways = group.chunk_by(|a, b| way(a) == way(b));
            let many = ways.clone().count() >= MANY;
            let is_branch = |node: &&usize| lexicon.weight(&nodes[**node].outline[..depth]) >= before;
            for node in group.iter().filter(|node| many && is_branch(node)) {
                found[*node] = Some(depth);
            }
            let further = ways.filter(|nodes| way(&nodes[0]).is_some() && nodes.len() >= LISTS);
            let is_open = |node: &usize| found[*node].is_none();
            next.extend(further.map(|nodes| nodes.iter().copied().filter(is_open).collect::<Vec<_>>()));
        }
        open = next;
        open.retain(|group| group.len() >= LISTS);
        depth += 1;
    }
    found
}

/// The stretches by their common ends, which are cut off.
fn by_tail(nodes: &[Node], bucket: &[Stretch]) -> Vec<Vec<Stretch>> {
    let mut done = Vec::new();
    let mut open = vec![bucket.to_vec()];
    while let Some(group) = open.pop() {
        let mut ways: HashMap<Option<u32>, Vec<Stretch>> = HashMap::new();
        for stretch in &group {
            let (_, node, from, to) = *stretch;
            ways.entry((to > from).then(|| nodes[node].outline[to - 1])).or_default().push(*stretch);
        }
        let large = ways.values().filter(|way| way.len() >= LISTS).count();
        let most = ways.values().map(Vec::len).max().unwrap_or(0);
        // One common end, or several different sentences; else the list itself ends here.
        if large > 0 && (most * 10 >= group.len() * 9 || ways.len() <= 3) && !ways.contains_key(&None) {
            for (_, mut way) in ways.into_iter().filter(|(_, way)| way.len() >= LISTS) {
                way.iter_mut().for_each(|stretch| stretch.3 -= 1);
                open.push(way);
            }
        } else {
            done.push(group);
        }
    }
    done
}

/// What is known of a word, or a variable, in several stretches.
struct Found {
    events: u64,
    place: Only,
    before: Only,
    behind: Only,
}

impl Found {
    /// Whether it stands at several places, among different words. With a part at the front that may be left out a sentence
    /// stands at two places, but its words among the same ones.
    fn wanders(&self) -> bool {
        [&self.place, &self.before, &self.behind].into_iter().all(|only| only.several)
    }
}

/// What was seen: the first of it, and whether there was anything else.
struct Only {
    first: u32,
    several: bool,
}

impl Only {
    fn of(first: u32) -> Self {
        Self { first, several: false }
    }

    fn see(&mut self, other: u32) {
        self.several |= other != self.first;
    }
}

/// What is known of the words in the stretches, and between which other words they stand, whatever variables there are.
fn found(nodes: &[Node], bucket: &[Stretch]) -> HashMap<u32, Found> {
    let mut found: HashMap<u32, Found> = HashMap::new();
    for (_, node, from, to) in bucket {
        let words = &nodes[*node].outline[*from..*to];
        for (place, word) in words.iter().enumerate() {
            let before = words[..place].iter().rev().find(|word| **word != SLOT).copied().unwrap_or(SLOT);
            let behind = words[place + 1..].iter().find(|word| **word != SLOT).copied().unwrap_or(SLOT);
            let known = found.entry(*word).or_insert_with(|| {
                let [place, before, behind] = [place as u32, before, behind].map(Only::of);
                Found { events: 0, place, before, behind }
            });
            known.events += nodes[*node].events;
            known.place.see(place as u32);
            known.before.see(before);
            known.behind.see(behind);
        }
    }
    found
}

/// Leaves out the stretches with a word that stands at one place always, or always beside the same, as words of a sentence do.
fn leave_telling(nodes: &[Node], bucket: &mut Vec<Stretch>) {
    let found = found(nodes, bucket);
    let known = |word: &u32| found.get(word).filter(|_| *word != SLOT);
    let tells = |word: &u32| known(word).is_some_and(|found| found.events >= TELLING && !found.wanders());
    bucket.retain(|(_, node, from, to)| !nodes[*node].outline[*from..*to].iter().any(tells));
}

/// Stretches of several lengths whose words recur at different places, among different words. Characters of scripts without
/// blanks do that in any text.
fn is_list(nodes: &[Node], lexicon: &Lexicon, bucket: &[Stretch], strict: bool) -> bool {
    let lengths: HashSet<usize> = bucket.iter().map(|(_, _, from, to)| to - from).collect();
    if bucket.len() < LISTS || lengths.len() < LENGTHS {
        return false;
    }
    let (_, first, from, to) = bucket[0];
    if !strict && around(&nodes[first], lexicon, from, to) < AROUND {
        return false;
    }
    let found = found(nodes, bucket);
    if found.keys().filter(|word| lexicon.is_unspaced(**word)).count() * 2 > found.len() {
        return false;
    }
    let wandering = found.values().filter(|found| found.wanders()).count();
    wandering * 2 >= found.len() && !is_told(nodes, lexicon, bucket)
}

/// Whether the stretches are rather sentences than lists: they have a negation, or a word that stands behind the same word
/// always, as `in` does in `anna logged in` and `anna not logged in`.
fn is_told(nodes: &[Node], lexicon: &Lexicon, bucket: &[Stretch]) -> bool {
    let mut before: HashMap<u32, (usize, HashSet<u32>)> = HashMap::new();
    for (_, node, from, to) in bucket {
        let words = &nodes[*node].outline[*from..*to];
        if words.iter().any(|word| lexicon.is_negation(*word)) {
            return true;
        }
        for pair in words.windows(2) {
            let (times, words) = before.entry(pair[1]).or_default();
            *times += 1;
            words.insert(pair[0]);
        }
    }
    before
        .into_iter()
        .any(|(word, (times, words))| word != SLOT && times >= MANY && words.len() == 1 && !words.contains(&SLOT))
}
