//! What shapes that are counted together have in common, word by word: one text that grows vaguer with each of them. Whatever
//! their order and grouping, the result is the same: it has as many words as the shortest of them, and of each word what all
//! have at that place.

use std::borrow::Cow;

use crate::{tally::whole_letters, template::Kind};

/// Bytes of a shape that are looked at, so that what many shapes have in common takes no more memory than one.
const MOST: usize = 240;

/// Stands for all that follows, where shapes go on differently. No shape has a line feed.
const REST: &[u8] = b"\n";

/// Letters of a word that others begin with too, at least: fewer are chance.
const BEGINNING: usize = 3;

/// What a shape has in common with itself.
pub(super) fn of_one(shape: &[u8]) -> Cow<'_, [u8]> {
    if shape.len() <= MOST {
        return Cow::Borrowed(shape);
    }
    let kept = &shape[..whole_letters(shape, MOST)];
    let (words, last) = kept.split_at(kept.iter().rposition(|b| *b == b' ').map_or(0, |at| at + 1));
    let mut common = words.to_vec();
    push_beginning(&mut common, last);
    common.extend_from_slice(&[b" ", REST].concat());
    Cow::Owned(common)
}

/// What `common` and another such text have in common; `None` if that is `common` itself.
pub(super) fn of_both(common: &[u8], other: &[u8]) -> Option<Box<[u8]>> {
    if covers(common, other) {
        return None;
    }
    let mut out = Vec::with_capacity(common.len() + 1);
    let (mut left, mut right) = (words(common), words(other));
    loop {
        let pair = (left.next(), right.next());
        if pair == (None, None) {
            break;
        }
        if !out.is_empty() {
            out.push(b' ');
        }
        match pair {
            (Some(a), Some(b)) if a != REST && b != REST => push_common(&mut out, a, b),
            _ => {
                out.extend_from_slice(REST);
                break;
            }
        }
    }
    Some(out.into())
}

/// It as a shape.
pub(super) fn written(common: &[u8]) -> Box<[u8]> {
    match common.strip_suffix(REST) {
        Some(before) => [before, &[Kind::Any.byte()]].concat().into(),
        None => common.into(),
    }
}

/// Whether nothing of `common` is lost by the other: which is so for nearly all, once there were a few.
fn covers(common: &[u8], other: &[u8]) -> bool {
    let (mut left, mut right) = (words(common), words(other));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(REST), _) => return true,
            (Some(_), Some(REST)) => return false,
            (Some(a), Some(b)) if a == b || a.strip_suffix(&[Kind::Any.byte()]).is_some_and(|a| b.starts_with(a)) => {}
            _ => return false,
        }
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b' ').filter(|word| !word.is_empty())
}

fn push_common(out: &mut Vec<u8>, a: &[u8], b: &[u8]) {
    if a == b {
        return out.extend_from_slice(a);
    }
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    push_beginning(out, &a[..whole_letters(a, same)]);
}

/// A word of which only the beginning is known.
fn push_beginning(out: &mut Vec<u8>, beginning: &[u8]) {
    let slots = beginning.iter().rev().take_while(|b| Kind::of_byte(**b).is_some()).count();
    let text = &beginning[..beginning.len() - slots];
    if text.iter().filter(|b| **b & 0xc0 != 0x80).count() >= BEGINNING {
        out.extend_from_slice(text);
    }
    out.push(Kind::Any.byte());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn common(shapes: &[String]) -> String {
        let mut shapes = shapes.iter().map(|shape| of_one(shape.as_bytes()));
        let first = shapes.next().unwrap().into_owned();
        let all = shapes.fold(first, |all, shape| of_both(&all, &shape).map_or(all, Into::into));
        String::from_utf8(written(&all).into()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_the_same_in_any_order_and_grouping(
            shapes in prop::collection::vec("[a-b\u{e}\u{f}中国]{1,5}( [a-b\u{e}\u{f}中国]{1,5}){0,4}|[ab中]{100,150}( [ab]{80,90}){1,2}", 2..8),
            at in any::<prop::sample::Index>(),
        ) {
            let whole = common(&shapes);
            let reversed: Vec<String> = shapes.iter().rev().cloned().collect();
            prop_assert_eq!(&common(&reversed), &whole);
            let (some, others) = shapes.split_at(1 + at.index(shapes.len() - 1));
            let of = |shapes: &[String]| {
                let ones: Vec<Vec<u8>> = shapes.iter().map(|shape| of_one(shape.as_bytes()).into_owned()).collect();
                ones.iter().fold(ones[0].clone(), |all, one| of_both(&all, one).map_or(all, Into::into))
            };
            let (some, others) = (of(some), of(others));
            let both = of_both(&some, &others).map_or(some, Into::into);
            prop_assert_eq!(String::from_utf8(written(&both).into()).unwrap(), whole);
        }
    }

    #[test]
    fn words_that_all_have_stay_and_beginnings_that_are_no_chance() {
        let any = char::from(Kind::Any.byte());
        for (shapes, expected) in [
            (&["anna went to zone-a now", "bert went to zone-b now"][..], format!("{any} went to zone-{any} now")),
            (&["a b c", "a b c d", "a b"], format!("a b {any}")),
            (&["anna", "adam"], format!("{any}")),
            (&["数据库连接失败", "数据库连接断开"], format!("数据库连接{any}")),
            (&["took \u{f}ms", "took \u{f}s"], format!("took {any}")),
        ] {
            let shapes: Vec<String> = shapes.iter().map(|shape| (*shape).to_owned()).collect();
            assert_eq!(common(&shapes), expected);
        }
        let long = format!("{} end", "word ".repeat(60));
        assert_eq!(common(&[long]), format!("{}{any} {any}", "word ".repeat(48)));
    }
}
