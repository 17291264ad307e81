//! How alike two outlines are, and the joining of what is alike enough when a broader view than the default is asked
//! for. Token-level edit distance and set overlap, both from 0 to 1.

use super::{outline::SLOT, tree::Sets, words::Node};

/// Outlines with the same word that are compared, nearest in order first.
const NEIGHBOURS: usize = 32;

/// Past this many pairs of words the order of outlines is compared from both ends only.
const MOST_CELLS: usize = 1 << 14;

/// From 0 (nothing in common) to 1 (equal): the mean of edit distance and overlap over words.
pub(super) fn alike(a: &[u32], b: &[u32]) -> f64 {
    let longest = a.len().max(b.len());
    if longest == 0 {
        return 1.0;
    }
    let edits = if a.len() * b.len() <= MOST_CELLS {
        strsim::generic_levenshtein(&a.to_vec(), &b.to_vec())
    } else {
        longest - ends_in_common(a, b)
    };
    let order = 1.0 - edits as f64 / longest as f64;
    let (mut one, mut two) = (a.to_vec(), b.to_vec());
    one.sort_unstable();
    two.sort_unstable();
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < one.len() && j < two.len() {
        match one[i].cmp(&two[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    let overlap = 2.0 * f64::from(common) / (a.len() + b.len()) as f64;
    f64::midpoint(order, overlap)
}

/// Words at the beginning and the end that both have.
fn ends_in_common(a: &[u32], b: &[u32]) -> usize {
    let front = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    front + a[front..].iter().rev().zip(b[front..].iter().rev()).take_while(|(x, y)| x == y).count()
}

/// Joins the nodes that are at least `least` alike, by way of others if need be; at 0 all of them.
pub(super) fn join(nodes: &[Node], least: f64) -> Vec<Vec<usize>> {
    let mut sets = Sets::new(nodes.len());
    if least <= 0.0 {
        (1..nodes.len()).for_each(|node| sets.join(0, node));
        return sets.groups();
    }
    let mut by_word: Vec<(u32, usize)> = nodes
        .iter()
        .enumerate()
        .flat_map(|(n, node)| node.outline.iter().filter(|word| **word != SLOT).map(move |word| (*word, n)))
        .collect();
    by_word.sort_unstable();
    by_word.dedup();
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (i, (word, a)) in by_word.iter().enumerate() {
        let same_word = by_word[i + 1..].iter().take_while(|(other, _)| other == word);
        pairs.extend(same_word.take(NEIGHBOURS).map(|(_, b)| (*a, *b)));
    }
    pairs.sort_unstable();
    pairs.dedup();
    for (a, b) in pairs {
        if sets.root(a) != sets.root(b) && alike(&nodes[a].outline, &nodes[b].outline) >= least {
            sets.join(a, b);
        }
    }
    sets.groups()
}
