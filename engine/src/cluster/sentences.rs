//! Sentences in scripts without blanks, in which nothing says where a name begins: `用户张伟向用户李娜转账`. What they
//! have in common is found by a character that many of them have: what stands beside it in nearly all of those is constant, and
//! what is left between are names, several in one sentence. Sentences with blanks are judged word by word by the siblings.

use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use super::{
    outline::{Lexicon, SLOT, WORD},
    sequence::{is_negation, is_state, is_surname},
    words::{MANY, Node, regroup},
};

/// Words of an outline up to which it is looked at here.
const LONGEST: usize = 64;

/// Words of a name at most.
const NAME: usize = 10;

/// Outlines with a word that are looked at to say what stands beside it.
const SAMPLE: usize = 256;

/// Constant words that each variable has at least; one is enough for names of persons.
const BESIDE: usize = 2;

/// Characters that need not be written again when sentences share a template, from which on few names at its beginning or end
/// make a variable.
const SAVED: usize = 8 * WORD;

/// Values that make a variable beside some that are variables by their looks.
const FEW: usize = 2;

/// Longest part of a value that may be a word of the sentence.
const PART: usize = 4;

/// Values that stand both with a word and without it, from which on the word is a part of the sentence.
const TWINS: usize = 3;

/// How many values to each with a word among them there are at most, where the word is a part of the sentence.
const SHARE: usize = 5;

/// The outlines that have each word, those with most to be looked at first.
struct Search<'a> {
    nodes: &'a [Node],
    lexicon: &'a Lexicon,
    having: HashMap<u32, Vec<usize>>,
    /// Which nodes have found their sentence.
    taken: Vec<bool>,
    /// In how many of the outlines looked at each word stands.
    counts: Vec<u32>,
    found: Vec<(Vec<u32>, Vec<usize>)>,
}

/// Joins the nodes that say the same around names of any number of characters.
pub(super) fn join(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let is_ours = |node: &Node| {
        (1 + WORD..=LONGEST).contains(&node.outline.len()) && node.outline.iter().any(|word| lexicon.is_unspaced(*word))
    };
    let mut having: HashMap<u32, Vec<usize>> = HashMap::new();
    for (n, node) in nodes.iter().enumerate().filter(|(_, node)| is_ours(node)) {
        for word in node.outline.iter().filter(|word| **word != SLOT) {
            let others = having.entry(*word).or_default();
            if others.last() != Some(&n) {
                others.push(n);
            }
        }
    }
    having.retain(|_, nodes| nodes.len() >= MANY);
    let mut search = Search {
        nodes,
        lexicon,
        having,
        taken: vec![false; nodes.len()],
        counts: vec![0; lexicon.words()],
        found: Vec::new(),
    };
    search.run();
    let found = search.found;
    regroup(nodes, found);
}

impl Search<'_> {
    /// Looks at each word, that of most outlines first, and again when it has lost a tenth of them to a sentence.
    fn run(&mut self) {
        let mut next: BinaryHeap<(usize, u32)> = self.having.iter().map(|(word, nodes)| (nodes.len(), *word)).collect();
        let mut tried: HashMap<u32, usize> = HashMap::new();
        while let Some((expected, word)) = next.pop() {
            let taken = &self.taken;
            let open = self.having.get_mut(&word).expect("only words that nodes have are looked at");
            open.retain(|node| !taken[*node]);
            let open = open.clone();
            if open.len() < MANY || tried.get(&word).is_some_and(|before| open.len() * 10 > before * 9) {
                continue;
            }
            if open.len() < expected {
                next.push((open.len(), word));
                continue;
            }
            tried.insert(word, open.len());
            let before = self.found.len();
            self.look_at(&open);
            let members = self.found[before..].iter().flat_map(|(_, members)| members);
            let words: HashSet<u32> = members.flat_map(|node| self.nodes[*node].outline.iter().copied()).collect();
            let again = words.into_iter().filter(|word| tried.contains_key(word));
            next.extend(again.filter_map(|word| Some((self.having.get(&word)?.len(), word))));
        }
    }

    /// Finds the sentences of outlines that have a word in common.
    fn look_at(&mut self, open: &[usize]) {
        let kept = self.kept(open);
        if self.lexicon.weight(&kept.keys().copied().collect::<Vec<u32>>()) < BESIDE {
            return;
        }
        let mut sentences: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
        for node in open {
            if let Some(sentence) = sentence(&self.nodes[*node].outline, &kept, self.lexicon) {
                sentences.entry(sentence).or_default().push(*node);
            }
        }
        let mut sentences: Vec<_> = sentences.into_iter().filter(|(_, members)| members.len() >= MANY).collect();
        sentences.sort_by_key(|(sentence, _)| std::cmp::Reverse(self.lexicon.weight(sentence)));
        for (sentence, members) in sentences {
            self.judge(sentence, &members, open);
        }
    }

    /// The words that nearly all of some outlines have, and how often those do.
    fn kept(&mut self, open: &[usize]) -> HashMap<u32, usize> {
        let sample = || open.iter().step_by(open.len().div_ceil(SAMPLE)).map(|node| &self.nodes[*node].outline);
        let mut words: Vec<u32> = Vec::new();
        let mut repeated: HashMap<(u32, usize), usize> = HashMap::new();
        for outline in sample() {
            let mut own = outline.clone();
            own.sort_unstable();
            for same in own.chunk_by(|a, b| a == b).filter(|same| same[0] != SLOT) {
                self.counts[same[0] as usize] += 1;
                words.push(same[0]);
                (2..=same.len()).for_each(|times| *repeated.entry((same[0], times)).or_default() += 1);
            }
        }
        let all = sample().count();
        let is_most = |count: usize| count * 10 >= all * 9;
        words.sort_unstable();
        words.dedup();
        let often = |word: u32| (2..).find(|times| !repeated.get(&(word, *times)).is_some_and(|count| is_most(*count)));
        let kept = words.iter().filter(|word| is_most(self.counts[**word as usize] as usize));
        let kept = kept.map(|word| (*word, often(*word).map_or(1, |times| times - 1))).collect();
        words.iter().for_each(|word| self.counts[*word as usize] = 0);
        kept
    }

    /// Takes the outlines that fit a sentence, if its places are variables; where one has few values, looks at each of those.
    fn judge(&mut self, sentence: Vec<u32>, members: &[usize], open: &[usize]) {
        let nodes = self.nodes;
        let laid: Vec<Vec<&[u32]>> = members.iter().filter_map(|node| lay(&sentence, &nodes[*node].outline)).collect();
        let count = sentence.iter().filter(|word| **word == SLOT).count();
        let behind = sentence.iter().enumerate().filter(|(_, word)| **word == SLOT).map(|(at, _)| &sentence[at + 1..]);
        let titled: Vec<bool> = behind.map(|behind| is_title(behind, self.lexicon)).collect();
        let slots: Vec<Slot<'_>> =
            (0..count).map(|i| Slot::of(laid.iter().map(|values| values[i]), titled[i], self.lexicon)).collect();
        let new = slots.iter().filter(|slot| !slot.values.is_empty()).count();
        let persons = slots.iter().filter(|slot| slot.persons).count();
        let weight = self.lexicon.weight(&sentence);
        let least = if persons == 0 { WORD.max(BESIDE * new) } else { BESIDE.max(BESIDE * new - persons) };
        if new == 0 || laid.len() < MANY || weight < least {
            return;
        }
        let is_outer = |i| i == 0 && sentence[0] == SLOT || i + 1 == count && sentence.last() == Some(&SLOT);
        let is_enough = |slot: &Slot<'_>| slot.persons || slot.values.len().saturating_sub(1) * weight >= SAVED;
        let need = |i: usize| if is_outer(i) && !is_enough(&slots[i]) { 2 * MANY } else { MANY };
        if (0..count).all(|i| slots[i].is_variable(need(i), self.lexicon)) {
            self.take(sentence, &slots, open);
        } else if let Some(few) = (0..count).find(|i| slots[*i].is_few()) {
            for (sentence, members) in self.narrower(&sentence, few, &slots[few], members) {
                self.judge(sentence, &members, open);
            }
        }
    }

    fn take(&mut self, sentence: Vec<u32>, slots: &[Slot<'_>], open: &[usize]) {
        // A name alone is no name for certain where little stands beside it.
        let by_name = self.lexicon.weight(&sentence) < WORD;
        let is_value = |(slot, value): (&Slot<'_>, &[u32])| {
            slot.may_be(value) && (!by_name || !slot.persons || slot.titled || is_person(value, self.lexicon))
        };
        let fits = |node: &usize| {
            lay(&sentence, &self.nodes[*node].outline).is_some_and(|values| slots.iter().zip(values).all(is_value))
        };
        let taken: Vec<usize> = open.iter().copied().filter(|node| !self.taken[*node] && fits(node)).collect();
        taken.iter().for_each(|node| self.taken[*node] = true);
        if !taken.is_empty() {
            self.found.push((sentence, taken));
        }
    }

    /// The sentence with each value of one of its places, and the members that have it.
    fn narrower(
        &self,
        sentence: &[u32],
        few: usize,
        slot: &Slot<'_>,
        members: &[usize],
    ) -> Vec<(Vec<u32>, Vec<usize>)> {
        let slots = sentence.iter().enumerate().filter(|(_, word)| **word == SLOT);
        let at = slots.map(|(at, _)| at).nth(few).expect("the sentence has the place asked for");
        let mut values: Vec<&[u32]> = slot.values.keys().copied().filter(|value| !value.contains(&SLOT)).collect();
        values.sort_unstable();
        let with = |value: &[u32]| {
            let has = |node: &&usize| lay(sentence, &self.nodes[**node].outline).is_some_and(|laid| laid[few] == value);
            let sentence = [&sentence[..at], value, &sentence[at + 1..]].concat();
            (sentence, members.iter().filter(has).copied().collect())
        };
        values.into_iter().map(with).collect()
    }
}

/// Whether a sentence goes on with what follows the name of a person.
fn is_title(words: &[u32], lexicon: &Lexicon) -> bool {
    let text: String = words.iter().take(2).take_while(|word| **word != SLOT).map(|word| lexicon.word(*word)).collect();
    ["さん", "さま", "様", "氏", "님", "씨", "先生", "女士"].iter().any(|title| text.starts_with(title))
}

/// Whether it is a name as very many persons have it: a surname and one or two characters.
fn is_person(value: &[u32], lexicon: &Lexicon) -> bool {
    let is_character = |word: &u32| lexicon.is_unspaced(*word) && !is_negation(lexicon.word(*word));
    (2..=3).contains(&value.len()) && value.iter().all(is_character) && lexicon.word(value[0]).chars().all(is_surname)
}

/// An outline with a variable in place of all that is not kept; `None` where it has a word more often than that is kept, since
/// one of them is a part of a name, and it does not say which.
fn sentence(outline: &[u32], kept: &HashMap<u32, usize>, lexicon: &Lexicon) -> Option<Vec<u32>> {
    let mut sentence = Vec::with_capacity(outline.len());
    let mut own: HashMap<u32, usize> = HashMap::new();
    for word in outline {
        let is_kept = match kept.get(word) {
            Some(times) => {
                let own = own.entry(*word).or_default();
                *own += 1;
                (*own <= *times).then_some(true)?
            }
            None => *word != SLOT && is_state(lexicon.word(*word)),
        };
        sentence.push(if is_kept { *word } else { SLOT });
    }
    sentence.dedup_by(|a, b| *a == SLOT && *b == SLOT);
    Some(sentence)
}

/// What stands at one place of a sentence.
struct Slot<'a> {
    /// Different ones and how many outlines have each, but for those that are variables by their looks.
    values: HashMap<&'a [u32], usize>,
    /// Whether some are variables by their looks.
    slot: bool,
    /// Words of a value at most.
    longest: usize,
    /// Whether they are names of persons.
    persons: bool,
    /// Whether what follows says so.
    titled: bool,
    /// What values begin or end with that is a word of the sentence.
    fronts: HashSet<&'a [u32]>,
    backs: HashSet<&'a [u32]>,
}

impl<'a> Slot<'a> {
    fn of(found: impl Iterator<Item = &'a [u32]>, titled: bool, lexicon: &Lexicon) -> Self {
        let mut slot = Self {
            values: HashMap::new(),
            slot: false,
            longest: 0,
            persons: titled,
            titled,
            fronts: HashSet::new(),
            backs: HashSet::new(),
        };
        for value in found {
            if value == [SLOT] {
                slot.slot = true;
            } else {
                *slot.values.entry(value).or_default() += 1;
            }
        }
        // Before a title stands all of a name, and whatever many have in common.
        if !titled {
            slot.fronts = slot.parts(lexicon, |value, length| value.split_at(length));
            slot.backs = slot.parts(lexicon, |value, length| {
                let (rest, part) = value.split_at(value.len() - length);
                (part, rest)
            });
        }
        let mut values = std::mem::take(&mut slot.values);
        values.retain(|value, _| !slot.has_part(value));
        slot.longest = values.keys().map(|value| value.len()).max().unwrap_or(0);
        let persons = values.keys().filter(|value| is_person(value, lexicon)).count();
        slot.persons |= persons >= MANY && persons * 10 >= values.len() * 9;
        slot.values = values;
        slot
    }

    /// Parts of values that are words of the sentence. Without some most of the values that have them are values too, and those
    /// are not so few as with a part of a name: `未` where `张伟`, `李娜` and `王芳` are logged in and `张伟未`, `李娜未` and `王芳未` are
    /// not. Others are longer than what names have in common.
    fn parts(
        &self,
        lexicon: &Lexicon,
        split: impl Fn(&'a [u32], usize) -> (&'a [u32], &'a [u32]),
    ) -> HashSet<&'a [u32]> {
        let mut parts: HashMap<&[u32], (usize, usize)> = HashMap::new();
        for value in self.values.keys().filter(|value| !value.contains(&SLOT)) {
            for length in 1..value.len().min(PART + 1) {
                let (part, rest) = split(value, length);
                let (all, twins) = parts.entry(part).or_default();
                *all += 1;
                *twins += usize::from(self.values.contains_key(rest));
            }
        }
        let negates = |part: &[u32]| part.iter().any(|word| is_negation(lexicon.word(*word)));
        let is_word = |(part, (all, twins)): &(&[u32], (usize, usize))| {
            let often = all * SHARE >= self.values.len();
            let is_twin = *twins >= TWINS && twins * 2 >= *all;
            is_twin && (often || negates(part)) || often && part.len() >= BESIDE && *all >= 2 * MANY
        };
        parts.into_iter().filter(is_word).map(|(part, _)| part).collect()
    }

    fn has_part(&self, value: &[u32]) -> bool {
        // The first and the last of a list, where others have lists too.
        if self.slot && value.contains(&SLOT) {
            return false;
        }
        self.fronts.iter().any(|part| value.len() > part.len() && value.starts_with(part))
            || self.backs.iter().any(|part| value.len() > part.len() && value.ends_with(part))
    }

    /// Many different values, most of a script without blanks, of which no few begin or end alike, as they would with a verb in
    /// them.
    fn is_variable(&self, need: usize, lexicon: &Lexicon) -> bool {
        if self.values.is_empty() {
            return self.slot;
        }
        let need = if self.slot { FEW } else { need };
        let unspaced = self.values.keys().filter(|value| value.iter().any(|word| lexicon.is_unspaced(*word))).count();
        self.values.len() >= need
            && unspaced * 2 >= self.values.len()
            && (self.slot
                || self.titled
                || self.are_many(|value| value[0]) && self.are_many(|value| value[value.len() - 1]))
    }

    /// Whether the values are so few that each may say something else.
    fn is_few(&self) -> bool {
        !self.values.is_empty() && self.values.len() < MANY
    }

    /// Whether the values have many different words at one end, and not mostly a few of them.
    fn are_many(&self, end: impl Fn(&[u32]) -> u32) -> bool {
        let mut ends: HashMap<u32, usize> = HashMap::new();
        self.values.keys().for_each(|value| *ends.entry(end(value)).or_default() += 1);
        let all = self.values.len();
        let same: usize = ends.values().map(|count| count * count).sum();
        // The chance that two values begin or end alike is less than two in seven.
        ends.len() >= MANY && same * 7 <= all * all * 2
    }

    fn may_be(&self, value: &[u32]) -> bool {
        match value {
            [SLOT] => self.slot,
            // A name that has a word of the sentence in it is found by its fit alone, and may be the longest.
            value => value.len() <= self.longest + 1 && !self.has_part(value),
        }
    }
}

/// What an outline has where a sentence has variables, up to [`NAME`] words each: the leftmost way to lay its words over it.
fn lay<'a>(sentence: &[u32], outline: &'a [u32]) -> Option<Vec<&'a [u32]>> {
    let mut values = Vec::new();
    let mut at = 0;
    let mut parts = sentence.split(|word| *word == SLOT).peekable();
    let first = parts.next()?;
    at += outline.starts_with(first).then_some(first.len())?;
    while let Some(part) = parts.next() {
        let rest = &outline[at..];
        let length = if parts.peek().is_none() {
            let length = rest.len().checked_sub(part.len())?;
            rest.ends_with(part).then_some(length)?
        } else {
            1 + rest.get(1..)?.windows(part.len()).position(|words| words == part)?
        };
        // Of a list the first and the last are left.
        let names = if rest[..length].contains(&SLOT) { 2 * NAME + 1 } else { NAME };
        (1..=names).contains(&length).then_some(())?;
        values.push(&rest[..length]);
        at += length + part.len();
    }
    (at == outline.len()).then_some(values)
}
