//! How alike two outlines are, and which of many are, for views broader than the default. Token-level edit distance and set overlap, both from 0 to 1.

use super::{outline::SLOT, words::Node};

/// Outlines with the same word that one is compared with, nearest in order first.
const NEIGHBOURS: usize = 8;

/// Words of an outline by which others to compare it with are looked up, the rarest.
const RAREST: usize = 4;

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

/// Pairs of nodes that are alike, most alike first, each with how much; enough of them for a tree, and no more than a
/// fixed number for each node.
pub(super) fn pairs(nodes: &[Node]) -> Vec<(f64, usize, usize)> {
    let mut by_word: Vec<(u32, usize)> = nodes
        .iter()
        .enumerate()
        .flat_map(|(n, node)| node.outline.iter().filter(|word| **word != SLOT).map(move |word| (*word, n)))
        .collect();
    by_word.sort_unstable();
    by_word.dedup();
    // For each node where its words stand in `by_word`, those that the fewest others have first.
    let mut places: Vec<Vec<(usize, usize)>> = vec![Vec::new(); nodes.len()];
    let mut start = 0;
    for bucket in by_word.chunk_by(|a, b| a.0 == b.0) {
        for (i, (_, node)) in bucket.iter().enumerate().take(bucket.len() - 1) {
            places[*node].push((bucket.len(), start + i));
        }
        start += bucket.len();
    }
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for (node, places) in places.iter_mut().enumerate() {
        places.sort_unstable();
        for (_, at) in places.iter().take(RAREST) {
            let same = by_word[at + 1..].iter().take(NEIGHBOURS).take_while(|(word, _)| *word == by_word[*at].0);
            pairs.extend(same.map(|(_, other)| (node, *other)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    let mut alike: Vec<(f64, usize, usize)> =
        pairs.into_iter().map(|(a, b)| (alike(&nodes[a].outline, &nodes[b].outline), a, b)).collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    alike
}
