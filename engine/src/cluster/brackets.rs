//! Variables of any number of words that stand in brackets or quotes: `job 7 (resize images) queued`. The signs around them
//! say where they begin and end, so that a few words beside those are enough to know the place by, whatever else varies.

use std::collections::{HashMap, HashSet};

use super::{
    outline::{Bracket, Lexicon, Outline, SLOT, WORD},
    sequence::{is_negation, is_state},
    words::{MANY, count_of_values},
};

/// Words before and behind that a place is known by.
const BESIDE: usize = 2;

/// Words of a reason at most.
const REASON: usize = 16;

/// A place: the sign, the words before and behind it.
type Place = (u8, [u32; BESIDE], [u32; BESIDE]);

/// What the file has at one place.
#[derive(Debug, Default)]
struct Contents {
    /// Different ones.
    words: HashSet<Vec<u32>>,
    /// Whether some are variables already.
    slot: bool,
}

impl Contents {
    fn is_variable(&self, lexicon: &Lexicon) -> bool {
        let is_state = |words: &&Vec<u32>| words.iter().all(|word| is_state(lexicon.word(*word)));
        let need = if self.slot { 2 } else { MANY };
        count_of_values(self.words.len(), self.words.iter().filter(is_state).count()) >= need
    }
}

/// Takes what stands in brackets for a variable where the file has many different things at that place: leaves it out, as
/// [`Lexicon::outline`] does with brackets that hold variables only; quotes leave a variable behind.
pub(super) fn close(outlines: &mut [Outline], lexicon: &Lexicon) {
    let mut places: HashMap<Place, Contents> = HashMap::new();
    for outline in &*outlines {
        for bracket in &outline.brackets {
            let Some(place) = place(&outline.words, *bracket, lexicon) else { continue };
            let contents = places.entry(place).or_default();
            match &outline.words[bracket.from..bracket.to] {
                [] => contents.slot = true,
                words => drop(contents.words.insert(words.to_vec())),
            }
        }
    }
    places.retain(|_, contents| contents.is_variable(lexicon));
    for outline in outlines {
        let mut closed = std::mem::take(&mut outline.brackets);
        closed.retain(|bracket| {
            bracket.from < bracket.to
                && place(&outline.words, *bracket, lexicon).is_some_and(|place| places.contains_key(&place))
        });
        for bracket in closed.iter().rev() {
            let left = if is_quote(bracket.sign) { &[SLOT][..] } else { &[] };
            outline.words.splice(bracket.from..bracket.to, left.iter().copied());
        }
        outline.words.dedup_by(|a, b| *a == SLOT && *b == SLOT);
    }
}

/// Takes what stands behind a last colon for a variable where the file has many such ends, most of which it has behind other
/// words too, or where the words before it say that something failed: `cannot open it: Permission denied`. Words alone count,
/// since whole messages that follow a component's name have variables of their own; nor does what others have as their whole
/// message, or what only a level and a name introduce (`order service: draining connections`).
pub(super) fn close_reasons(outlines: &mut [Outline], lexicon: &Lexicon) {
    let mut heads: HashMap<&[u32], HashSet<[u32; BESIDE]>> = HashMap::new();
    let mut tails: HashMap<[u32; BESIDE], HashSet<&[u32]>> = HashMap::new();
    let reason = |outline: &Outline| -> Option<(usize, [u32; BESIDE])> {
        let from = outline.reason.filter(|from| (1..=REASON).contains(&(outline.words.len() - from)))?;
        let head = &outline.words[..from];
        let levels = head.iter().filter(|word| lexicon.is_level(**word)).count() * WORD;
        let introduces = head.contains(&SLOT) || says_failure(head, lexicon);
        (introduces && lexicon.weight(head) >= BESIDE * WORD + levels).then(|| (from, last(head)))
    };
    let messages: HashSet<&[u32]> = outlines.iter().map(|outline| &*outline.words).collect();
    for outline in &*outlines {
        if let Some((from, head)) = reason(outline) {
            let tail = &outline.words[from..];
            heads.entry(tail).or_default().insert(head);
            tails.entry(head).or_default().insert(tail);
        }
    }
    let recurs = |tail: &&&[u32]| heads[*tail].len() > 1 && !tail.contains(&SLOT);
    tails.retain(|head, tails| {
        let plain = tails.iter().filter(|tail| !tail.contains(&SLOT)).count();
        let recurring = tails.iter().filter(recurs).count();
        let whole = tails.iter().filter(|tail| messages.contains(**tail)).count();
        let many = recurring >= MANY && recurring * 2 >= tails.len()
            || plain >= 2 * MANY && plain * 2 >= tails.len() && says_failure(head, lexicon);
        many && whole * 2 < tails.len()
    });
    let known: HashSet<Vec<u32>> = tails.values().flatten().filter(recurs).map(|tail| tail.to_vec()).collect();
    let variable: HashSet<[u32; BESIDE]> = tails.into_keys().collect();
    for outline in outlines {
        let found =
            reason(outline).filter(|(from, head)| variable.contains(head) || known.contains(&outline.words[*from..]));
        let from = found.map(|(from, _)| from).or_else(|| known_end(&outline.words, &known, lexicon));
        if let Some(from) = from {
            outline.words.truncate(from);
            outline.brackets.retain(|bracket| bracket.to <= from);
            if outline.words.last() != Some(&SLOT) {
                outline.words.push(SLOT);
            }
        }
    }
}

/// Whether the words say that something did not succeed, which a reason follows.
fn says_failure(words: &[u32], lexicon: &Lexicon) -> bool {
    let fails = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.starts_with("fail") || word.starts_with("unable") || word.ends_with("n't") || is_negation(&word)
    };
    words.iter().any(|word| !matches!(*word, SLOT | u32::MAX) && fails(lexicon.word(*word)))
}

/// Where a known reason of two words or more begins that ends a message without a colon before it.
fn known_end(words: &[u32], known: &HashSet<Vec<u32>>, lexicon: &Lexicon) -> Option<usize> {
    let longest = known.iter().map(Vec::len).max()?;
    let from = words.len().saturating_sub(longest)..words.len().saturating_sub(1);
    from.into_iter().find(|from| known.contains(&words[*from..]) && lexicon.weight(&words[..*from]) >= BESIDE * WORD)
}

/// The last words, the very last first.
fn last(words: &[u32]) -> [u32; BESIDE] {
    let mut last = [u32::MAX; BESIDE];
    for (kept, word) in last.iter_mut().zip(words.iter().rev()) {
        *kept = *word;
    }
    last
}

fn is_quote(sign: u8) -> bool {
    matches!(sign, b'"' | b'\'' | b'`')
}

/// `None` where nothing beside it says which place it is.
fn place(words: &[u32], bracket: Bracket, lexicon: &Lexicon) -> Option<Place> {
    let before = last(&words[..bracket.from]);
    let mut behind = [u32::MAX; BESIDE];
    // A variable in quotes is left as such, of which the words behind it are one further.
    let skip = usize::from(is_quote(bracket.sign) && bracket.from == bracket.to);
    for (kept, word) in behind.iter_mut().zip(words.iter().skip(bracket.to + skip)) {
        *kept = *word;
    }
    let known: Vec<u32> = before.iter().chain(&behind).copied().filter(|word| *word != u32::MAX).collect();
    (lexicon.weight(&known) >= WORD).then_some((bracket.sign, before, behind))
}
