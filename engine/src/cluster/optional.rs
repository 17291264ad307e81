//! Parts of a message that may as well be left out: ` from 10.0.0.1`, ` (cached)`. Looks at outlines whose variables are known.

use std::{collections::HashMap, ops::Range};

use super::{
    align::{self, as_shape},
    fronts,
    outline::{Lexicon, Outlines, WORD},
    sequence::{Token, is_adverb, is_failure, is_negation, is_preposition, is_state, tokens},
    tree::Sets,
    words::{MANY, Node, RARE, regroup},
};
use crate::{
    tally::{ByKey, Key},
    template::Kind,
};

/// Words of an outline up to which it is looked at for what may be left out.
const LONGEST: usize = 64;

/// Words and variables of a part that may be left out, at most.
const PART: usize = 6;

/// Shapes of a node that are looked at to say how a part is written.
const SAMPLE: usize = 8;

/// Words beside a value of a phrase that may be left out, at most.
const PHRASE: usize = 3;

/// Words of a phrase without a value that may be left out at the end, at most: `by peer`, `with mode rw`.
const PLAIN: usize = 2;

/// Words of a message at least that may have a word and its value besides.
const FEW: usize = 3;

/// Nodes among which those of few lines are looked at.
const MOST: usize = 1024;

/// Events of a node at least that tells what nodes of few lines say.
const TOLD: u64 = 3;

/// Nodes that one of few lines is compared with at most, for each of its ends.
const TRIES: usize = 64;

/// Joins a node to the one that says the same without a part that may be left out. `all` are the outlines of the shapes.
pub(super) fn join(nodes: &mut Vec<Node>, all: &Outlines, shapes: &[(&str, u64)], lexicon: &Lexicon) {
    let mut sets = Sets::new(nodes.len());
    let joined = join_equal(nodes, shapes, lexicon, &mut sets)
        | join_few(nodes, shapes, &mut sets)
        | fronts::join(nodes, all, shapes, lexicon, &mut sets);
    if !joined {
        return;
    }
    let groups = sets.groups().into_iter().map(|group| (shortest(nodes, &group), group)).collect();
    regroup(nodes, groups);
}

/// The shortest outline of a group, of those of its larger half: the few may have values in theirs.
fn shortest(nodes: &[Node], group: &[usize]) -> Vec<u32> {
    let most = group.iter().map(|node| nodes[*node].members.len().min(MANY)).max().unwrap_or(0);
    let settled = group.iter().map(|node| &nodes[*node]).filter(|node| node.members.len() >= most);
    settled.map(|node| &node.outline).min_by_key(|outline| outline.len()).cloned().unwrap_or_default()
}

/// Joins nodes whose outlines are equal without the part. Says whether any were joined.
fn join_equal(nodes: &[Node], shapes: &[(&str, u64)], lexicon: &Lexicon, sets: &mut Sets) -> bool {
    let by_hash: ByKey<usize> = nodes.iter().enumerate().map(|(n, node)| (Key(hash(&node.outline)), n)).collect();
    let mut written: HashMap<usize, String> = HashMap::new();
    let mut joined = false;
    for (n, node) in nodes.iter().enumerate().filter(|(_, node)| node.outline.len() <= LONGEST) {
        for shorter in without_part(&node.outline, &by_hash) {
            if lexicon.weight(&nodes[shorter].outline) < 2 * WORD || sets.root(n) == sets.root(shorter) {
                continue;
            }
            for one in [n, shorter] {
                written.entry(one).or_insert_with(|| as_written(&nodes[one], shapes));
            }
            let [long, short] = [n, shorter].map(|one| tokens(&written[&one]).collect::<Vec<_>>());
            if inserted(&long, &short, is_same).is_some_and(|part| may_be_absent(&long, part)) {
                sets.join(n, shorter);
                joined = true;
            }
        }
    }
    joined
}

/// Joins nodes of few lines to those of more that say the same with or without the part, whose variables have words here. Says
/// whether any were joined.
fn join_few(nodes: &[Node], shapes: &[(&str, u64)], sets: &mut Sets) -> bool {
    if nodes.len() > MOST {
        return false;
    }
    let written: Vec<String> = nodes.iter().map(|node| as_written(node, shapes)).collect();
    let sequences: Vec<Vec<Token<'_>>> = written.iter().map(|text| tokens(text).collect()).collect();
    let mut by_end: HashMap<(bool, &str), Vec<usize>> = HashMap::new();
    let ends = |n: usize| {
        let sequence: &[Token<'_>] = &sequences[n];
        [(true, sequence.first()), (false, sequence.last())]
            .into_iter()
            .filter_map(|(first, token)| if let Token::Word(word) = token? { Some((first, *word)) } else { None })
    };
    for n in (0..nodes.len()).filter(|n| nodes[*n].events >= TOLD) {
        ends(n).for_each(|end| by_end.entry(end).or_default().push(n));
    }
    let mut joined = false;
    for n in (0..nodes.len()).filter(|n| nodes[*n].members.len() < MANY && nodes[*n].events <= RARE) {
        let larger = ends(n).filter_map(|end| by_end.get(&end)).flat_map(|some| some.iter().take(TRIES)).copied();
        let larger = larger.filter(|other| nodes[*other].events > nodes[n].events);
        let fitting = larger.filter(|other| is_with_or_without(&sequences[n], &sequences[*other]));
        if let Some(best) = fitting.max_by_key(|other| (words(&sequences[*other]), nodes[*other].events)) {
            sets.join(n, best);
            joined = true;
        }
    }
    joined
}

/// Whether a message of few lines is one of more lines with or without a part that may be left out.
fn is_with_or_without(few: &[Token<'_>], many: &[Token<'_>]) -> bool {
    if words(few).min(words(many)) < 2 {
        return false;
    }
    if few.len() < many.len() {
        return inserted(many, few, |many, few| is_value_of(*few, *many)).is_some_and(|part| may_be_absent(many, part));
    }
    let Some(part) = inserted(few, many, |few, many| is_value_of(*few, *many)) else { return false };
    if may_be_absent(few, part.clone()) {
        return true;
    }
    // The last word of the part may be its value, or the one before a colon.
    let at = part.clone().rev().find(|at| matches!(few[*at], Token::Word(_)));
    let mut few = few.to_vec();
    if let Some(at) = at.filter(|_| part.len() > 1)
        && matches!(few[at], Token::Word(word) if is_quiet(word) && !leads(word))
    {
        few[at] = Token::Slot(Kind::Any);
    }
    may_be_absent(&few, part)
}

/// Whether a token is the same as another, or may be a value where that is a variable.
fn is_value_of(token: Token<'_>, other: Token<'_>) -> bool {
    let may_be_value = |word: &str| is_quiet(word) && !is_negation(word) && !leads(word);
    is_same(&token, &other) || matches!((token, other), (Token::Word(word), Token::Slot(_)) if may_be_value(word))
}

fn is_same(a: &Token<'_>, b: &Token<'_>) -> bool {
    a == b || matches!((a, b), (Token::Slot(_), Token::Slot(_)))
}

fn words(tokens: &[Token<'_>]) -> usize {
    tokens.iter().filter(|token| matches!(token, Token::Word(_))).count()
}

/// Multiplier of [`hash`], odd.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash of words of which that of an outline without a part follows from those of its beginning and its end.
fn hash(words: &[u32]) -> u64 {
    words.iter().fold(0, |hash: u64, word| hash.wrapping_mul(BASE).wrapping_add(value(*word)))
}

fn value(word: u32) -> u64 {
    (u64::from(word) + 1).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// The nodes whose outline this one is without up to [`PART`] words in a row.
fn without_part(outline: &[u32], by_hash: &ByKey<usize>) -> Vec<usize> {
    // Of what is behind each place: its hash, and what that of all before is to be multiplied by.
    let mut ends = vec![(0_u64, 1_u64); outline.len() + 1];
    for (i, word) in outline.iter().enumerate().rev() {
        let (end, power) = ends[i + 1];
        ends[i] = (value(*word).wrapping_mul(power).wrapping_add(end), power.wrapping_mul(BASE));
    }
    let mut found = Vec::new();
    let mut start = 0_u64;
    for (from, word) in outline.iter().enumerate() {
        for (end, power) in ends.iter().skip(from + 1).take(PART) {
            found.extend(by_hash.get(&Key(start.wrapping_mul(*power).wrapping_add(*end))));
        }
        start = start.wrapping_mul(BASE).wrapping_add(value(*word));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What the shapes of a node, or some of them, have in common, as a shape.
fn as_written(node: &Node, shapes: &[(&str, u64)]) -> String {
    if let [only] = node.members[..] {
        return shapes[only].0.to_owned();
    }
    let sample = node.members.iter().step_by(node.members.len().div_ceil(SAMPLE));
    as_shape(&align::common(&sample.map(|member| shapes[*member].0)))
}

/// The only piece of a longer sequence that a shorter one has not, without the blanks around it.
fn inserted<'a>(
    long: &[Token<'a>],
    short: &[Token<'a>],
    is_same: impl Fn(&Token<'a>, &Token<'a>) -> bool,
) -> Option<Range<usize>> {
    let same = |(a, b): &(&Token<'a>, &Token<'a>)| is_same(a, b);
    let front = long.iter().zip(short).take_while(same).count();
    let back = long.iter().rev().zip(short[front..].iter().rev()).take_while(same).count();
    let mut part = front..long.len() - back;
    if front + back < short.len() {
        return None;
    }
    let blank = |at: usize| long[at] == Token::Blank;
    while !part.is_empty() && blank(part.end - 1) {
        part.end -= 1;
    }
    while !part.is_empty() && blank(part.start) {
        part.start += 1;
    }
    (!part.is_empty()).then_some(part)
}

/// Whether a part may as well be left out, by how it is written: a remark in brackets, a key and its value, a phrase that a
/// preposition begins, a word and the value behind it, a value alone, an adverb, a reason. Words that say what happened, or that
/// it did not, make another message.
fn may_be_absent(long: &[Token<'_>], part: Range<usize>) -> bool {
    let (first, last) = (part.start == 0, part.end == long.len());
    let rest = [&long[..part.start], &long[part.end..]].concat();
    let text: Vec<Token<'_>> = long[part].iter().copied().filter(|token| *token != Token::Blank).collect();
    let is_word = |token: &Token<'_>| matches!(token, Token::Word(_));
    if let [Token::Sign(":"), reason @ ..] = &text[..] {
        return last && (matches!(reason, [Token::Slot(_)]) || !reason.is_empty() && reason.iter().all(is_word));
    }
    if text.iter().any(|token| matches!(token, Token::Word(word) if is_negation(word))) {
        return false;
    }
    match &text[..] {
        [Token::Sign("("), .., Token::Sign(")")] | [Token::Sign("["), .., Token::Sign("]")] | [Token::Slot(_)] => true,
        // Who writes keys with nothing behind them leaves none out.
        [Token::Word(_), Token::Sign("="), Token::Slot(_)] => !has_empty_key(&rest),
        [Token::Slot(_), Token::Sign(":")] => first,
        [Token::Word(word), Token::Sign(":")] => first && is_quiet(word),
        [Token::Word(word)] if is_adverb(word) => last,
        [Token::Word(word), phrase @ ..] if leads(word) => is_phrase(phrase, last),
        // At the beginning it says who did it, which is not for nothing.
        [Token::Word(word), Token::Slot(_)] => !first && words(&rest) >= FEW && is_quiet(word),
        [Token::Sign("," | "-" | ";"), phrase @ ..] => {
            last && phrase.iter().any(|token| matches!(token, Token::Slot(_))) && is_phrase(phrase, last)
        }
        _ => false,
    }
}

/// Whether what a preposition or a comma begins names something: up to [`PHRASE`] words with a value, or [`PLAIN`] ones at the
/// end.
fn is_phrase(phrase: &[Token<'_>], last: bool) -> bool {
    let is_quiet = |token: &Token<'_>| match token {
        Token::Word(word) => is_quiet(word),
        token => matches!(token, Token::Slot(_)),
    };
    let is_short = match words(phrase) {
        count if count < phrase.len() => count <= PHRASE,
        count => last && (1..=PLAIN).contains(&count),
    };
    is_short && phrase.iter().all(is_quiet)
}

/// Whether a word says neither what happened nor how things stand.
fn is_quiet(word: &str) -> bool {
    !is_state(word)
        && !is_failure(word)
        && !matches!(word, "is" | "are" | "was" | "were" | "has" | "have" | "had" | "will" | "can")
}

/// Whether a word begins a phrase that tells more of what is said already.
fn leads(word: &str) -> bool {
    is_preposition(word) || matches!(word, "after" | "before" | "since" | "during" | "within" | "until")
}

/// Whether a key has nothing behind it.
fn has_empty_key(tokens: &[Token<'_>]) -> bool {
    tokens.last() == Some(&Token::Sign("=")) || tokens.windows(2).any(|pair| pair == [Token::Sign("="), Token::Blank])
}
