//! Columns of components that nothing but a blank sets off from the messages behind them: `INFO app.db Connection opened`. A
//! message may begin with a name as well, and a name may be a word as any other; the lines together tell.

use std::collections::{BTreeMap, HashSet};

use super::{
    columns::{is_exception, is_joined},
    crossing::{self, Apart},
};

/// Of lines behind one front, the share that has such a column at least.
const SHARE: f64 = 0.9;

/// The words among the `lines`, each the column behind a level and the message behind that, that name a component without being
/// written like a name; `None` where the column is none of components. Of the `all` lines with such a front these are a part.
pub(super) fn words<'a>(lines: &[(&'a [u8], &'a [u8])], all: usize) -> Option<Vec<&'a [u8]>> {
    if lines.iter().any(|(value, _)| is_exception(value)) {
        return None;
    }
    let words = among_names(lines)?;
    let is_named = |(value, _): &&(&[u8], &[u8])| is_joined(value) || words.binary_search(value).is_ok();
    let named: Vec<_> = lines.iter().filter(is_named).copied().collect();
    (named.len() as f64 >= SHARE * all as f64 && crossing::is_where(&named, Apart::Blank)).then_some(words)
}

/// Where most columns are written like names: the words behind which stands what also stands behind those.
fn among_names<'a>(lines: &[(&'a [u8], &'a [u8])]) -> Option<Vec<&'a [u8]>> {
    let (names, others): (Vec<_>, Vec<_>) = lines.iter().partition(|(value, _)| is_joined(value));
    // One name alone may be a word of many parts.
    let are_several = names.iter().any(|(value, _)| *value != names[0].0);
    if names.len() < others.len() || !are_several {
        return None;
    }
    let said: HashSet<_> = names.iter().filter_map(|(_, message)| crossing::opening(message)).collect();
    let mut words: BTreeMap<&[u8], (usize, usize)> = BTreeMap::new();
    for (value, message) in others {
        let (recurring, lines) = words.entry(value).or_default();
        *recurring += usize::from(crossing::opening(message).is_some_and(|opening| said.contains(&opening)));
        *lines += 1;
    }
    let recurs = |(recurring, lines): &(usize, usize)| *recurring as f64 >= SHARE * *lines as f64;
    Some(words.into_iter().filter(|(_, counts)| recurs(counts)).map(|(word, _)| word).collect())
}
