//! What a settled cluster tells about the rest: a rare message that says the same words around its variables belongs to
//! it, whatever number of words its values have; a word that is a value there is one elsewhere.

use std::collections::{HashMap, HashSet};

use super::{
    outline::{Lexicon, Outlines, SLOT, WORD},
    sequence::{self, is_conjunction, is_person, is_state},
    tree::Sets,
    words::{MANY, Node, RARE, equal_by, is_settled, regroup},
};

/// Words of an outline up to which it is looked at here.
const LONGEST: usize = 128;

/// Words, or characters of a script without blanks, of a name at most.
const NAME: usize = 6;

/// Words that stand in one variable at most.
const GAP: usize = 4;

/// Shapes of a cluster that are looked at to say whether names of persons stand in it.
const SAMPLE: usize = 256;

/// Clusters that are tried for a word of a message at most.
const TRIES: usize = 64;

/// How often a word stands in clusters as what they have in common, and how often as a value.
#[derive(Debug, Default, Clone, Copy)]
struct Uses {
    literal: u32,
    value: u32,
}

/// What settled clusters say about words.
struct Vocabulary<'a> {
    lexicon: &'a Lexicon,
    uses: HashMap<u32, Uses>,
    /// Values of several words.
    names: HashSet<&'a [u32]>,
}

impl<'a> Vocabulary<'a> {
    /// `outlines` are those of the single shapes.
    fn of(nodes: &[Node], outlines: &'a Outlines, lexicon: &'a Lexicon) -> Self {
        let mut uses: HashMap<u32, Uses> = HashMap::new();
        let mut names: HashSet<&[u32]> = HashSet::new();
        for node in nodes.iter().filter(|node| is_settled(node)) {
            let literals: HashSet<u32> = words(&node.outline).collect();
            let found = node.members.iter().flat_map(|member| values(&node.outline, &outlines[*member]));
            let found: HashSet<&[u32]> = found.collect();
            let values: HashSet<u32> = found.iter().flat_map(|value| words(value)).collect();
            literals.iter().for_each(|word| uses.entry(*word).or_default().literal += 1);
            values.difference(&literals).for_each(|word| uses.entry(*word).or_default().value += 1);
            names.extend(found.into_iter().filter(|name| is_name(name, lexicon)));
        }
        Self { lexicon, uses, names }
    }

    /// The outline with a variable in place of all that stood in variables elsewhere.
    fn plain(&self, outline: &[u32]) -> Vec<u32> {
        let mut plain = Vec::with_capacity(outline.len());
        let mut rest = outline;
        while let Some(word) = rest.first() {
            let name =
                (2..=NAME).rev().find(|length| rest.get(..*length).is_some_and(|name| self.names.contains(name)));
            let length = name.unwrap_or(1);
            plain.push(if name.is_some() || self.is_value(*word) { SLOT } else { *word });
            rest = &rest[length..];
        }
        plain.dedup_by(|a, b| *a == SLOT && *b == SLOT);
        plain
    }

    /// Whether a word may stand in a variable: no state, no word of other messages.
    fn may_be_value(&self, word: u32) -> bool {
        let uses = self.uses.get(&word).copied().unwrap_or_default();
        let text = self.lexicon.word(word);
        word == SLOT
            || sequence::is_name(text)
            || uses.value >= uses.literal && !is_state(text) && !self.lexicon.is_negation(word)
    }

    /// Whether it stood in variables before.
    fn is_value(&self, word: u32) -> bool {
        self.uses.get(&word).is_some_and(|uses| uses.value > 0)
            && self.may_be_value(word)
            && !self.lexicon.is_unspaced(word)
    }
}

/// Lets what many lines have settled tell what the few are: values there are values here, and a rare message with all the
/// words of a settled cluster belongs to it.
pub(super) fn tell(nodes: &mut Vec<Node>, outlines: &Outlines, lexicon: &Lexicon) {
    join_values(nodes, outlines, lexicon);
    absorb(nodes, outlines, lexicon);
}

/// Joins nodes that are equal when the words that are values elsewhere are taken for variables.
fn join_values(nodes: &mut Vec<Node>, outlines: &Outlines, lexicon: &Lexicon) {
    let vocabulary = Vocabulary::of(nodes, outlines, lexicon);
    let plain = |node: &Node| match &node.outline[..] {
        outline if outline.len() <= LONGEST => vocabulary.plain(outline),
        outline => outline.to_vec(),
    };
    let mut groups = equal_by(nodes, plain);
    groups.retain(|(outline, _)| lexicon.weight(outline) >= 2 * WORD);
    drop(vocabulary);
    regroup(nodes, groups);
}

/// Joins each node to the larger settled cluster whose words it has, in order and with values where that has variables;
/// that with most words in common first.
fn absorb(nodes: &mut Vec<Node>, outlines: &Outlines, lexicon: &Lexicon) {
    let vocabulary = Vocabulary::of(nodes, outlines, lexicon);
    let wide: Vec<usize> = (0..nodes.len()).filter(|n| is_wide(&nodes[*n], lexicon)).collect();
    let mut count: HashMap<u32, usize> = HashMap::new();
    for word in wide.iter().flat_map(|n| words(&nodes[*n].outline)) {
        *count.entry(word).or_default() += 1;
    }
    let mut by_word: HashMap<u32, Vec<usize>> = HashMap::new();
    let persons: HashMap<usize, Vec<bool>> =
        wide.iter().map(|n| (*n, persons(&nodes[*n], outlines, lexicon))).collect();
    for n in wide {
        if let Some(rarest) = words(&nodes[n].outline).min_by_key(|word| (count[word], *word)) {
            by_word.entry(rarest).or_default().push(n);
        }
    }
    let mut sets = Sets::new(nodes.len());
    let mut into: HashMap<usize, usize> = HashMap::new();
    for (n, node) in nodes.iter().enumerate().filter(|(_, node)| node.outline.len() <= LONGEST) {
        let candidates =
            words(&node.outline).filter_map(|word| by_word.get(&word)).flat_map(|some| some.iter().take(TRIES));
        let larger = candidates.filter(|wide| is_larger(&nodes[**wide], node));
        let fitting = larger.filter(|wide| fits(&nodes[**wide], node, &persons[wide], &vocabulary));
        if let Some(best) =
            fitting.max_by_key(|wide| (lexicon.weight(&nodes[**wide].outline), std::cmp::Reverse(**wide)))
        {
            sets.join(n, *best);
            into.insert(n, *best);
        }
    }
    let groups = sets.groups().into_iter().map(|group| {
        let wide = group.iter().copied().find(|node| !into.contains_key(node)).unwrap_or(group[0]);
        (nodes[wide].outline.clone(), group)
    });
    let groups = groups.collect();
    drop(vocabulary);
    regroup(nodes, groups);
}

/// Whether a node has variables and enough around them to know others by.
fn is_wide(node: &Node, lexicon: &Lexicon) -> bool {
    let slots = node.outline.iter().filter(|word| **word == SLOT).count();
    is_settled(node)
        && node.outline.len() <= LONGEST
        && slots >= 1
        && lexicon.weight(&node.outline) >= WORD * slots.max(2)
}

/// Whether a node has more shapes than another, or more lines where each has one.
fn is_larger(node: &Node, other: &Node) -> bool {
    (node.members.len(), node.events) > (other.members.len(), other.events)
}

fn words(outline: &[u32]) -> impl Iterator<Item = u32> + '_ {
    outline.iter().copied().filter(|word| *word != SLOT)
}

/// Whether a value is a name of several words, none of them a variable or a state.
fn is_name(value: &[u32], lexicon: &Lexicon) -> bool {
    (2..=NAME).contains(&value.len()) && !value.iter().any(|word| *word == SLOT || is_state(lexicon.word(*word)))
}

/// What an outline has where a template has variables: the leftmost way to lay the template's words over it.
fn values<'a>(template: &[u32], outline: &'a [u32]) -> Vec<&'a [u32]> {
    let mut values = Vec::new();
    let (mut at, mut open) = (0, None);
    for part in template {
        if *part == SLOT {
            open = Some(at);
            continue;
        }
        let least = at + usize::from(open.is_some());
        let Some(next) = outline.iter().skip(least).position(|word| word == part) else { return values };
        values.extend(open.take().map(|from| &outline[from..least + next]));
        at = least + next + 1;
    }
    values.extend(open.map(|from| &outline[from.min(outline.len())..]));
    values
}

/// For each variable of a node whether names of persons stand there, some of several words.
fn persons(node: &Node, outlines: &Outlines, lexicon: &Lexicon) -> Vec<bool> {
    let slots = node.outline.iter().filter(|word| **word == SLOT).count();
    let mut found: Vec<HashSet<&[u32]>> = vec![HashSet::new(); slots];
    for member in node.members.iter().take(SAMPLE) {
        for (slot, value) in values(&node.outline, &outlines[*member]).into_iter().enumerate() {
            found[slot].insert(value);
        }
    }
    let are_persons = |values: &HashSet<&[u32]>| {
        let persons = || values.iter().filter(|value| !value.contains(&SLOT) && is_person(spelled(value, lexicon)));
        persons().count() * 10 >= values.len() * 9 && persons().filter(|value| value.len() > 1).count() >= MANY
    };
    found.iter().map(are_persons).collect()
}

/// The words as they are written, none for variables.
fn spelled<'a>(words: &'a [u32], lexicon: &'a Lexicon) -> impl Iterator<Item = Option<&'a str>> + Clone {
    words.iter().map(|word| (*word != SLOT).then(|| lexicon.word(*word)))
}

/// Whether the outline has the template's words in order, and up to [`GAP`] words that may be values for each variable; of
/// words more than variables there are at most half as many as words in common. Where `persons` stand, a name may be as long
/// as names are.
fn fits(wide: &Node, node: &Node, persons: &[bool], vocabulary: &Vocabulary<'_>) -> bool {
    let (template, outline) = (&wide.outline, &node.outline);
    let literals = vocabulary.lexicon.weight(template) / WORD;
    // Of two that are joined by a word, one is enough to count.
    let joined = outline.iter().filter(|word| is_conjunction(vocabulary.lexicon.word(**word))).count();
    let is_short = outline.len() <= template.len() + literals / 2 + 2 * joined;
    if !is_short && !persons.contains(&true) {
        return false;
    }
    // Where all values were variables by their looks, only words built like names, and those that may be hosts before their
    // ports, may be values too; words with many lines each may be states.
    let by_looks = wide.members.len() < MANY || node.events > RARE * node.members.len() as u64;
    let is_value = |word: u32| {
        let text = vocabulary.lexicon.word(word);
        let is_name =
            word == SLOT || sequence::is_name(text) || is_conjunction(text) || vocabulary.lexicon.is_joined(word);
        vocabulary.may_be_value(word) && (is_name || !by_looks)
    };
    // Positions of the outline that the template up to here may end at.
    let mut ends: Vec<usize> = vec![0];
    let mut persons = persons.iter();
    for part in template {
        let person = *part == SLOT && persons.next() == Some(&true);
        let mut next = Vec::new();
        for end in ends {
            if *part == SLOT {
                let gap = if is_short { GAP } else { 1 };
                let values = outline[end..].iter().take(gap).take_while(|word| is_value(**word)).count();
                next.extend(end + 1..=end + values);
                let is_name = |to: &usize| person && is_person(spelled(&outline[end..*to], vocabulary.lexicon));
                next.extend((end + 1..=outline.len().min(end + NAME)).filter(is_name));
            } else if outline.get(end) == Some(part) {
                next.push(end + 1);
            }
        }
        next.sort_unstable();
        next.dedup();
        ends = next;
    }
    ends.contains(&outline.len())
}
