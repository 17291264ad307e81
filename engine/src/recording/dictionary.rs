//! The dictionary of a chunk: its shapes in order of appearance, each with how many lines have it.
//!
//! A shape is found again under its own key, or, if it was joined to others later on, under that of one of its beginnings.
//! So all of them are written, as a tree that is written as it grows: an entry is the number of its lines, the node it
//! hangs from (0 is the root), how many new nodes follow (times two, plus one if the shape's own key does), and these
//! keys. Below where a shape is joined already there is nothing to tell, which keeps the dictionary of a text that
//! never repeats itself from growing larger than the text.

use std::collections::HashSet;

use super::{take_u64, varint};
use crate::{
    table::{EXACT, Keys},
    tally::{ByKey, Key},
};

/// Appends a dictionary; of each shape the keys, the depth that it is counted at so far, and the lines. `nodes` is memory to
/// work in.
pub(super) fn put<'k>(out: &mut Vec<u8>, nodes: &mut ByKey<u64>, shapes: impl Iterator<Item = (&'k Keys, u8, u64)>) {
    nodes.clear();
    for (keys, depth, lines) in shapes {
        varint::put(out, lines);
        let path = keys.path(depth);
        let known = path.iter().rposition(|key| nodes.contains_key(key)).map_or(0, |at| at + 1);
        let parent = known.checked_sub(1).map_or(0, |at| nodes[&path[at]]);
        let own = u64::from(depth == EXACT);
        varint::put(out, parent);
        varint::put(out, ((path.len() - known) as u64) << 1 | own);
        for key in &path[known..] {
            out.extend_from_slice(&key.0.to_le_bytes());
            nodes.insert(*key, nodes.len() as u64 + 1);
        }
        if depth == EXACT {
            out.extend_from_slice(&keys.at(EXACT).0.to_le_bytes());
        }
    }
}

/// Reads a dictionary: per shape the key that it was counted under in the end, and the lines. `None` if it is no dictionary.
pub(super) fn read(mut bytes: &[u8], joined: &HashSet<Key>) -> Option<Vec<(u64, u64)>> {
    let joined = |key: Key| joined.contains(&key).then_some(key);
    let root = joined(Key::ROOT);
    let mut nodes = Vec::new();
    let mut shapes = Vec::new();
    while !bytes.is_empty() {
        let lines = varint::take(&mut bytes)?;
        let parent = varint::take(&mut bytes)? as usize;
        let mut home = if parent == 0 { root } else { *nodes.get(parent - 1)? };
        let more = varint::take(&mut bytes)?;
        for _ in 0..more >> 1 {
            let key = Key(take_u64(&mut bytes)?);
            home = home.or_else(|| joined(key));
            nodes.push(home);
        }
        let own = if more & 1 == 1 { Some(Key(take_u64(&mut bytes)?)) } else { None };
        shapes.push((home.or(own)?.0, lines));
    }
    Some(shapes)
}
