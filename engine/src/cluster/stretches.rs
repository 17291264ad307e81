//! Variables of several words: names of more than one word, names in scripts without blanks.
//! Found by what stands before and behind them, whatever the number of words between.

use std::collections::{HashMap, HashSet};

use super::{
    outline::{Lexicon, SLOT, WORD},
    sequence::{is_cue, is_person, is_state},
    tree::Sets,
    words::{Node, count_of_values, merge_equal, mix, regroup},
};

/// Words of a name at most.
const LONGEST: usize = 6;

/// Different stretches at one place that make it a variable.
const MANY: usize = 5;

/// Stretches looked at together, about: 4 MiB of them.
const PART: usize = 1 << 18;

/// Words around a stretch at least, by [`Lexicon::weight`].
pub(super) const AROUND: usize = 2 * WORD;

/// A stretch of an outline: a hash of what is around it, the node, where it begins and ends.
pub(super) type Stretch = (u64, usize, usize, usize);

/// A stretch of up to [`LONGEST`] words in half the memory: its hash, the node, where it begins and how long it is.
type Packed = (u64, u32, u32);

/// Bits that the length of such a stretch takes.
const LENGTH_BITS: u32 = 3;

fn unpacked((hash, node, place): &Packed) -> Stretch {
    let (from, length) = (place >> LENGTH_BITS, place & ((1 << LENGTH_BITS) - 1));
    (*hash, *node as usize, from as usize, (from + length) as usize)
}

/// Joins nodes that are equal but for a stretch of up to [`LONGEST`] words, where there are many different ones.
pub(super) fn join(nodes: &mut Vec<Node>, lexicon: &Lexicon) {
    let mut sets = Sets::new(nodes.len());
    let mut cuts: HashMap<usize, (usize, usize)> = HashMap::new();
    let mut buckets = variables(nodes, lexicon);
    // Where there are most is the variable; what else differs beside it is looked at no more.
    buckets.sort_by_key(|bucket| (std::cmp::Reverse(bucket.len()), bucket[0].1, bucket[0].2, bucket[0].3));
    for bucket in buckets {
        let apart = |(_, node, from, to): &&Stretch| cuts.get(node).is_none_or(|cut| cut.0 < *to && *from < cut.1);
        let bucket: Vec<Stretch> = bucket.iter().filter(apart).copied().collect();
        if !bucket.is_empty() && is_variable(nodes, lexicon, &bucket) {
            adopt(&bucket, &mut sets, &mut cuts);
        }
    }
    replace(nodes, sets, &cuts);
}

/// The stretches with the same around them and no negation in them, where they are a variable. There are several for each word,
/// so they are looked at in parts, by their hashes, each part of about [`PART`]: of most nothing is kept.
fn variables(nodes: &[Node], lexicon: &Lexicon) -> Vec<Vec<Stretch>> {
    let words: usize = nodes.iter().map(|node| node.outline.len()).sum();
    let parts = (words * LONGEST).div_ceil(PART) as u64;
    let mut buckets = Vec::new();
    let mut stretches: Vec<Packed> = Vec::new();
    for part in 0..parts {
        stretches.clear();
        for (n, node) in nodes.iter().enumerate() {
            let ends = ends(&node.outline);
            let negates = node.outline.iter().any(|word| lexicon.is_negation(*word));
            let affirmed = |from: usize| {
                let words = node.outline[from..].iter().take(LONGEST);
                words.take_while(|word| !negates || !lexicon.is_negation(**word)).count()
            };
            let mut start = 1;
            for from in 0..node.outline.len() {
                let longest = affirmed(from);
                for (to, end) in ends.iter().enumerate().skip(from + 1).take(longest) {
                    let hash = mix(start, 1).wrapping_add(end.rotate_left(17));
                    if hash % parts == part {
                        stretches.push((hash, n as u32, ((from << LENGTH_BITS) | (to - from)) as u32));
                    }
                }
                start = mix(start, node.outline[from]);
            }
        }
        stretches.sort_unstable();
        let same = stretches.chunk_by(|a, b| a.0 == b.0);
        let several = same.filter(|bucket| bucket.len() > 1);
        let unpacked = several.map(|bucket| bucket.iter().map(unpacked).collect::<Vec<Stretch>>());
        buckets.extend(unpacked.filter(|bucket| is_variable(nodes, lexicon, bucket)));
    }
    buckets
}

/// Hashes of all ends of an outline.
fn ends(outline: &[u32]) -> Vec<u64> {
    let mut ends = vec![0_u64; outline.len() + 1];
    for (i, word) in outline.iter().enumerate().rev() {
        ends[i] = mix(ends[i + 1], *word);
    }
    ends
}

/// How much the words around a stretch say.
pub(super) fn around(node: &Node, lexicon: &Lexicon, from: usize, to: usize) -> usize {
    lexicon.weight(&node.outline[..from]) + lexicon.weight(&node.outline[to..])
}

/// Many different stretches that do not begin or end alike. Where a variable was seen in the same place, fewer will do;
/// at the end of a message, where reasons stand, and at its beginning, where subjects and verbs do, there have to be more,
/// and far more where they say how things stand.
fn is_variable(nodes: &[Node], lexicon: &Lexicon, bucket: &[Stretch]) -> bool {
    let (_, first, from, to) = bucket[0];
    let stretch = |stretch: &Stretch| &nodes[stretch.1].outline[stretch.2..stretch.3];
    let around = around(&nodes[first], lexicon, from, to);
    let last = to == nodes[first].outline.len();
    let slot = bucket.iter().any(|one| stretch(one) == [SLOT]);
    let words: Vec<&[u32]> = bucket.iter().map(stretch).filter(|words| *words != [SLOT]).collect();
    if around < AROUND || words.iter().all(|words| words.len() == 1) || words.iter().any(|words| words.contains(&SLOT))
    {
        return false;
    }
    let before = |back: usize| from.checked_sub(back).map_or("", |i| lexicon.word(nodes[first].outline[i]));
    let cued = is_cue(before(2), before(1));
    let mut need = match (slot || cued, last) {
        (true, false) => 2,
        (false, false) | (true, true) => MANY,
        (false, true) => 2 * MANY,
    };
    if from == 0 {
        need *= 2;
    }
    let spelled = |words: &&[u32]| is_person(words.iter().map(|word| Some(lexicon.word(*word))));
    if words.iter().all(spelled) {
        // Beside names of one word a name of several is one more.
        need = need.min(if slot && from > 0 { 1 } else { MANY });
    }
    let is_state = |words: &&&[u32]| words.iter().any(|word| is_state(lexicon.word(*word)));
    let states = words.iter().filter(is_state).count();
    let longest = words.iter().map(|words| lexicon.weight(words)).max().unwrap_or(0);
    let distinct = |end: fn(&[u32]) -> Option<&u32>| words.iter().map(|words| end(words)).collect::<HashSet<_>>().len();
    let apart = words.len().min(8);
    count_of_values(words.len(), states) >= need
        && (slot || cued || around > longest)
        && distinct(<[u32]>::first) * 2 > apart
        && distinct(<[u32]>::last) * 2 > apart
}

/// Joins the nodes of stretches, and says what is to be cut out of them.
pub(super) fn adopt(bucket: &[Stretch], sets: &mut Sets, cuts: &mut HashMap<usize, (usize, usize)>) {
    for (_, node, from, to) in bucket {
        sets.join(bucket[0].1, *node);
        let cut = cuts.entry(*node).or_insert((*from, *to));
        *cut = (cut.0.min(*from), cut.1.max(*to));
    }
}

/// Puts a slot in place of the stretches, and joins what was found to be one.
pub(super) fn replace(nodes: &mut Vec<Node>, mut sets: Sets, cuts: &HashMap<usize, (usize, usize)>) {
    if cuts.is_empty() {
        return;
    }
    // What is joined has the outline of its first.
    for (node, (from, to)) in cuts.iter().filter(|(node, _)| sets.root(**node) == **node) {
        let outline = &mut nodes[*node].outline;
        outline.splice(*from..*to, [SLOT]);
        outline.dedup_by(|a, b| *a == SLOT && *b == SLOT);
    }
    let groups = sets.groups().into_iter().map(|group| (nodes[group[0]].outline.clone(), group)).collect();
    regroup(nodes, groups);
    merge_equal(nodes);
}
