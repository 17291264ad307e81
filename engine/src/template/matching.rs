//! Where a template's slots stand in a message: the leftmost way to lay the literals over it.

use std::ops::Range;

use memchr::memmem;

use super::{Kind, Part};
use crate::token::Clean;

pub(super) fn spans(parts: &[Part], message: &[u8]) -> Option<Vec<(Range<usize>, Kind)>> {
    let clean = Clean::of(message);
    let found = lay_over(parts, &clean.text)?;
    Some(found.into_iter().map(|(range, kind)| (clean.range(range), kind)).collect())
}

/// The slots in a text that is clean already; none of them empty, if that is possible.
pub(super) fn lay_over(parts: &[Part], text: &[u8]) -> Option<Vec<(Range<usize>, Kind)>> {
    [1, 0].into_iter().find_map(|least| lay(parts, text, least))
}

/// Lays the literals over the text; each slot takes at least `least` bytes.
fn lay(parts: &[Part], text: &[u8], least: usize) -> Option<Vec<(Range<usize>, Kind)>> {
    let mut slots = Vec::new();
    let mut at = 0;
    let mut open: Option<Kind> = None;
    for (i, part) in parts.iter().enumerate() {
        let literal = match part {
            Part::Slot(kind) => {
                open = Some(*kind);
                continue;
            }
            Part::Literal(literal) => literal.as_bytes(),
        };
        let start = match open {
            None => text.get(at..)?.starts_with(literal).then_some(at)?,
            Some(_) if i + 1 == parts.len() => {
                let start = text.len().checked_sub(literal.len())?;
                (start >= at + least && text.ends_with(literal)).then_some(start)?
            }
            Some(_) => at + least + memmem::find(text.get(at + least..)?, literal)?,
        };
        if let Some(kind) = open.take() {
            slots.push((at..start, kind));
        }
        at = start + literal.len();
    }
    match open {
        Some(kind) => {
            (text.len() >= at + least).then_some(())?;
            slots.push((at..text.len(), kind));
        }
        None => (at == text.len()).then_some(())?,
    }
    Some(slots)
}
