//! The template that shapes have in common: their tokens laid side by side, what all have is literal.

use std::collections::HashSet;

use super::sequence::{Token, is_counted, singular, tokens, unit};
use crate::template::{Kind, Part, Template};

/// Past this many cells the shapes are compared from both ends only: 256 tokens each that differ.
const MOST_CELLS: usize = 1 << 16;

/// Places of a template that [`tidied`] looks at, each of which costs a look at every shape.
const TIDIED: usize = 16;

/// The common template. Every shape matches it; it depends on the shapes and on which is first.
pub(super) fn common<'a>(shapes: &(impl Iterator<Item = &'a str> + Clone)) -> Template {
    let mut rest = shapes.clone();
    let mut common: Vec<Token<'a>> = rest.next().map(|shape| tokens(shape).collect()).unwrap_or_default();
    let everywhere = everywhere(&common, rest.clone());
    let mut template = written(&common);
    for shape in rest {
        if template.widen(shape.as_bytes()) {
            continue;
        }
        let before: Vec<Token<'_>> = tokens_of(&template, &common);
        common = merge(&before, &tokens(shape).collect::<Vec<_>>(), &everywhere);
        template = written(&common);
    }
    gathered(tidied(template, shapes), shapes)
}

/// A template as a shape.
pub(super) fn as_shape(template: &Template) -> String {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Slot(kind) => text.push(char::from(kind.byte())),
        }
    }
    text
}

/// Words that every shape has: others are values, even where two shapes have the same.
fn everywhere<'a>(first: &[Token<'a>], rest: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    let word = |token: Token<'a>| match token {
        Token::Word(word) => Some(word),
        _ => None,
    };
    let mut everywhere: HashSet<&str> = first.iter().copied().filter_map(word).collect();
    for shape in rest {
        let kept = tokens(shape).filter_map(word).filter(|word| everywhere.contains(word)).collect();
        everywhere = kept;
    }
    everywhere
}

fn written(tokens: &[Token<'_>]) -> Template {
    Template::new(tokens.iter().map(|token| match token {
        Token::Slot(kind) => Part::Slot(*kind),
        token => Part::Literal(token.text().to_owned()),
    }))
}

/// The tokens with the kinds of the template's slots, which may have been widened.
fn tokens_of<'a>(template: &Template, tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kinds = template.slots();
    let slot = |token: &Token<'a>| match token {
        Token::Slot(kind) => Token::Slot(kinds.next().unwrap_or(*kind)),
        token => *token,
    };
    tokens.iter().map(slot).collect()
}

/// `x:<*> <*>` as `x: <*>`, where all shapes match that too.
fn tidied<'a>(template: Template, shapes: &(impl Iterator<Item = &'a str> + Clone)) -> Template {
    let mut tidied = template;
    let mut at = 0;
    let mut tries = 0;
    while tries < TIDIED
        && let Some(next) = tidied.parts.get(at..).and_then(|rest| rest.windows(4).position(is_untidy))
    {
        at += next;
        tries += 1;
        let mut shorter = tidied.clone();
        shorter.parts.drain(at + 1..at + 3);
        if let [Part::Literal(before), Part::Slot(kind), ..] = &mut shorter.parts[at..] {
            before.push(' ');
            *kind = Kind::Any;
        }
        if shapes.clone().all(|shape| shorter.widen(shape.as_bytes())) {
            tidied = shorter;
        } else {
            at += 1;
        }
    }
    tidied
}

/// `<*> <*>` as `<*>`, where the shapes have different numbers of words in all such together, so that it is chance where one
/// of them ends; in quotes always.
fn gathered<'a>(template: Template, shapes: &(impl Iterator<Item = &'a str> + Clone)) -> Template {
    let mut gathered = template;
    let mut at = 0;
    let mut tries = 0;
    while tries < TIDIED
        && let Some(next) = gathered.parts.get(at..).and_then(|rest| rest.windows(3).position(is_apart))
    {
        at += next;
        tries += 1;
        let mut fewer = gathered.clone();
        let pairs = fewer.parts[at..].windows(3).step_by(2).take_while(|parts| is_apart(parts)).count();
        fewer.parts.splice(at..=at + 2 * pairs, [Part::Slot(Kind::Any)]);
        let slot = fewer.parts[..at].iter().filter(|part| matches!(part, Part::Slot(_))).count();
        let blanks = |shape: &str| {
            let found = fewer.spans_of_shape(shape.as_bytes())?;
            Some(shape.as_bytes()[found[slot].0.clone()].iter().filter(|b| **b == b' ').count())
        };
        let mut counts = shapes.clone().map(blanks);
        let first = counts.next().flatten();
        if is_quoted(&fewer.parts, at) || counts.any(|count| count != first) {
            gathered = fewer;
        } else {
            at += 2 * pairs;
        }
    }
    gathered
}

/// Whether a part stands between quotes that hold nothing else.
fn is_quoted(parts: &[Part], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| parts.get(before));
    let quotes = ['"', '\'', '`'];
    match (before, parts.get(at + 1)) {
        (Some(Part::Literal(before)), Some(Part::Literal(behind))) => {
            quotes.iter().any(|quote| before.ends_with(*quote) && behind.starts_with(*quote))
        }
        _ => false,
    }
}

/// Whether the three parts are `<*> <*>`.
fn is_apart(parts: &[Part]) -> bool {
    matches!(parts, [Part::Slot(_), Part::Literal(blank), Part::Slot(_)] if blank == " ")
}

/// Whether the four parts are `x<*> <*>`.
fn is_untidy(parts: &[Part]) -> bool {
    match parts {
        [Part::Literal(before), Part::Slot(_), Part::Literal(blank), Part::Slot(_)] => {
            blank == " " && !before.ends_with(' ')
        }
        _ => false,
    }
}

/// What two sequences have in common, a slot where they differ.
fn merge<'a>(a: &[Token<'a>], b: &[Token<'a>], everywhere: &HashSet<&str>) -> Vec<Token<'a>> {
    let mut merged = Vec::with_capacity(a.len().max(b.len()));
    let (mut i, mut j) = (0, 0);
    for (x, y) in matches(a, b, everywhere).into_iter().chain([(a.len(), b.len())]) {
        differ(&a[i..x], &b[j..y], &mut merged);
        match (a.get(x), b.get(y)) {
            (Some(Token::Slot(one)), Some(Token::Slot(two))) => push(&mut merged, Token::Slot(one.or(*two))),
            (Some(token), _) => push(&mut merged, *token),
            _ => {}
        }
        (i, j) = (x + 1, y + 1);
    }
    merged
}

fn push<'a>(merged: &mut Vec<Token<'a>>, token: Token<'a>) {
    match (merged.last_mut(), token) {
        (Some(Token::Slot(before)), Token::Slot(kind)) => *before = before.or(kind),
        _ => merged.push(token),
    }
}

/// A slot for two stretches that differ.
fn differ<'a>(a: &[Token<'a>], b: &[Token<'a>], merged: &mut Vec<Token<'a>>) {
    match (a, b) {
        ([], []) => {}
        ([Token::Word(one)], [Token::Word(two)]) if measure(one, two).is_some() => {
            // `1 KB` and `1 MB` are both a size.
            if let ([.., Token::Slot(_), Token::Blank], Some(kind)) = (&merged[..], measure(one, two)) {
                merged.truncate(merged.len() - 2);
                merged.push(Token::Slot(kind));
            } else {
                push(merged, Token::Slot(Kind::Any));
            }
        }
        // `1 row` and `2 rows` as `row<*>`.
        ([Token::Word(one)] | [Token::Word(one), Token::Slot(_)], [Token::Word(two)])
            if is_counted(merged) && (singular(one) == singular(two) || a.len() == 2 && two.starts_with(one)) =>
        {
            let same = one.bytes().zip(two.bytes()).take_while(|(a, b)| a == b).count();
            merged.extend([Token::Word(&one[..same]), Token::Slot(Kind::Any)]);
        }
        // `1MB` and `1 byte` are too.
        ([], [Token::Word(word)] | [Token::Blank, Token::Word(word)])
        | ([Token::Word(word)] | [Token::Blank, Token::Word(word)], [])
            if unit(word).is_some() && matches!(merged.last(), Some(Token::Slot(_))) => {}
        _ => push(merged, Token::Slot(Kind::Any)),
    }
}

/// What two units measure.
fn measure(one: &str, two: &str) -> Option<Kind> {
    Some(unit(one)?.or(unit(two)?))
}

/// How much it is worth that two tokens stand side by side; 0 when they cannot.
fn worth(a: Token<'_>, b: Token<'_>, everywhere: &HashSet<&str>) -> u32 {
    match (a, b) {
        (Token::Word(one), Token::Word(two)) if one == two && everywhere.contains(one) => 8,
        (Token::Slot(one), Token::Slot(two)) => 4 + u32::from(one == two),
        (Token::Sign(one), Token::Sign(two)) if one == two => 3,
        (Token::Blank, Token::Blank) => 2,
        _ => 0,
    }
}

/// Positions of the tokens that stand side by side, in order: the longest common subsequence by [`worth`].
fn matches(a: &[Token<'_>], b: &[Token<'_>], everywhere: &HashSet<&str>) -> Vec<(usize, usize)> {
    let mut front = a.iter().zip(b).take_while(|(x, y)| worth(**x, **y, everywhere) > 0).count();
    // A blank belongs to what follows it: `bytes<*> sent`, not `bytes <*>sent`.
    front -= usize::from(front > 0 && a[front - 1] == Token::Blank);
    let (a_rest, b_rest) = (&a[front..], &b[front..]);
    let back =
        a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(x, y)| worth(**x, **y, everywhere) > 0).count();
    let (a_mid, b_mid) = (&a_rest[..a_rest.len() - back], &b_rest[..b_rest.len() - back]);
    let mut pairs: Vec<(usize, usize)> = (0..front).map(|i| (i, i)).collect();
    if !a_mid.is_empty() && !b_mid.is_empty() && a_mid.len() * b_mid.len() <= MOST_CELLS {
        pairs.extend(longest(a_mid, b_mid, everywhere).into_iter().map(|(i, j)| (front + i, front + j)));
    }
    pairs.extend((0..back).rev().map(|i| (a.len() - 1 - i, b.len() - 1 - i)));
    pairs
}

fn longest(a: &[Token<'_>], b: &[Token<'_>], everywhere: &HashSet<&str>) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    let mut best = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let worth = worth(a[i], b[j], everywhere);
            let skip = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            best[i * width + j] = if worth > 0 { skip.max(best[(i + 1) * width + j + 1] + worth) } else { skip };
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let here = best[i * width + j];
        let worth = worth(a[i], b[j], everywhere);
        if here == best[(i + 1) * width + j] {
            i += 1;
        } else if here == best[i * width + j + 1] {
            j += 1;
        } else {
            debug_assert!(worth > 0);
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        }
    }
    pairs
}
