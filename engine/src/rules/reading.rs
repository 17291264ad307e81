//! `Corrections`: what rules do while lines are read, to one event alone: masks of a person's own, lines set aside, and
//! values that stay in the shape so that they can be told apart. Pure: the same message gives the same shape on every thread.

use std::{collections::HashMap, ops::Range, sync::Arc};

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};

use super::{Action, By, MASK_BYTES, Pattern, Rules};
use crate::{
    shape::Shaper,
    tally::{ByKey, Key},
    template::{Kind, Part},
    token::{self, Clean},
};

/// Shapes of which it is remembered whether they are split; past it all are forgotten and found anew.
const REMEMBERED: usize = 1 << 14;

/// Bytes of a value that stays in the shape; a longer one is masked as before.
const VALUE_BYTES: usize = 64;

/// What rules do while lines are read. Only made where a rule does something then.
#[derive(Debug, Clone)]
pub(crate) struct Corrections {
    rules: Arc<Rules>,
    /// Masks: position of the rule, expression, kind.
    masks: Vec<(usize, Regex, Kind)>,
    /// Whether there is anything to mask.
    any_mask: Option<RegexSet>,
    /// Position of the rule, pattern.
    ignores: Vec<(usize, Pattern)>,
    /// Whether any of them may fit.
    any_ignore: Option<RegexSet>,
    /// Patterns, slot.
    splits: Vec<(Vec<Pattern>, usize)>,
    /// Whether the events of a shape are.
    are_split: ByKey<bool>,
    /// Lines in which each rule masked something, by its position.
    pub(crate) masked: Vec<u64>,
    /// Which rules masked something in the message shaped last.
    masking: Vec<bool>,
    last: Vec<u8>,
    clean: Clean,
    holes: Vec<(Range<usize>, usize)>,
    corrected: Vec<u8>,
}

impl Corrections {
    /// What the rules do while lines are read; `None` for nothing.
    pub(crate) fn of(rules: &Arc<Rules>) -> Option<Self> {
        let (mut masks, mut ignores, mut splits) = (Vec::new(), Vec::new(), Vec::new());
        for (at, rule) in rules.all().iter().enumerate() {
            match &rule.action {
                Action::Mask(regex, kind) => masks.push((at, regex.clone(), *kind)),
                Action::Ignore(patterns) => ignores.extend(patterns.iter().map(|pattern| (at, pattern.clone()))),
                Action::Split(patterns, By::Slot(slot)) => splits.push((patterns.clone(), *slot)),
                _ => {}
            }
        }
        if masks.is_empty() && ignores.is_empty() && splits.is_empty() {
            return None;
        }
        Some(Self {
            any_mask: set(masks.iter().map(|(_, regex, _)| regex.as_str().to_owned())),
            any_ignore: set(ignores.iter().map(|(_, pattern)| expression(pattern))),
            masks,
            ignores,
            splits,
            are_split: HashMap::default(),
            masked: vec![0; rules.len()],
            masking: vec![false; rules.len()],
            last: Vec::new(),
            rules: Arc::clone(rules),
            clean: Clean::default(),
            holes: Vec::new(),
            corrected: Vec::new(),
        })
    }

    /// Makes the shape of a message, to be [settled](Self::settle).
    pub(crate) fn make(&mut self, shaper: &mut Shaper, message: &[u8]) {
        self.masking.fill(false);
        let mut last = std::mem::take(&mut self.last);
        last.clear();
        last.extend_from_slice(self.shape(shaper, message));
        self.last = last;
    }

    /// The shape made last, as that of an event of so many lines.
    pub(crate) fn settle(&mut self, lines: u64) -> &[u8] {
        for (sum, masking) in self.masked.iter_mut().zip(&self.masking) {
            *sum += lines * u64::from(*masking);
        }
        &self.last
    }

    /// The shape of a message, or what stands for one that is set aside: see [`aside`].
    pub(crate) fn shape<'s>(&'s mut self, shaper: &'s mut Shaper, message: &[u8]) -> &'s [u8] {
        if let Some(rule) = self.ignored(message) {
            self.corrected.clear();
            self.corrected.extend_from_slice(aside(&self.rules.all()[rule].name).as_bytes());
            return &self.corrected;
        }
        let shape = if self.masks.is_empty() { shaper.shape(message) } else { self.masked_shape(shaper, message) };
        if self.splits.is_empty() || !self.is_split(shape) {
            return shape;
        }
        self.corrected.clear();
        self.corrected.extend_from_slice(shape);
        self.clean.fill(message);
        for (patterns, slot) in &self.splits {
            if let Some(pattern) = patterns.iter().find(|pattern| pattern.fits(&self.corrected)) {
                keep_value(pattern, *slot, &mut self.corrected, &self.clean.text);
            }
        }
        &self.corrected
    }

    /// The first rule that sets the message aside.
    fn ignored(&mut self, message: &[u8]) -> Option<usize> {
        if self.ignores.is_empty() {
            return None;
        }
        let is_clean = token::is_clean(message);
        if is_clean && self.any_ignore.as_ref().is_some_and(|any| !any.is_match(message)) {
            return None;
        }
        self.clean.fill(message);
        self.ignores.iter().find(|(_, pattern)| pattern.fits(&self.clean.text)).map(|(rule, _)| *rule)
    }

    fn is_split(&mut self, shape: &[u8]) -> bool {
        let key = Key::of(shape);
        if let Some(is_split) = self.are_split.get(&key) {
            return *is_split;
        }
        if self.are_split.len() >= REMEMBERED {
            self.are_split.clear();
        }
        let is_split = self.splits.iter().flat_map(|(patterns, _)| patterns).any(|pattern| pattern.fits(shape));
        self.are_split.insert(key, is_split);
        is_split
    }

    /// The shape with what the masks match as slots, each mask on what those before it have left.
    fn masked_shape<'s>(&mut self, shaper: &'s mut Shaper, message: &[u8]) -> &'s [u8] {
        self.clean.fill(message);
        let text = &self.clean.text[..];
        if self.any_mask.as_ref().is_some_and(|any| !any.is_match(text)) {
            return shaper.shape(message);
        }
        self.holes.clear();
        for (mask, (rule, regex, _)) in self.masks.iter().enumerate() {
            let before = self.holes.len();
            for found in regex.find_iter(text).map(|found| found.range()) {
                if !self.holes[..before].iter().any(|(hole, _)| hole.start < found.end && found.start < hole.end) {
                    self.holes.push((found, mask));
                }
            }
            self.masking[*rule] |= self.holes.len() > before;
        }
        self.holes.sort_unstable_by_key(|(hole, _)| hole.start);
        shaper.shape_around(text, self.holes.iter().map(|(hole, mask)| (hole.clone(), self.masks[*mask].2)))
    }
}

/// What stands for the shape of events that a rule of this name sets aside. No shape is like it: shapes are free of line feeds.
pub(crate) fn aside(rule: &str) -> String {
    format!("\n{rule}")
}

/// The name of the rule that set aside what has this for a shape.
pub(crate) fn set_aside_by(shape: &[u8]) -> Option<&str> {
    std::str::from_utf8(shape.strip_prefix(b"\n")?).ok()
}

/// All expressions at once; `None` where each has to be tried, which is slower and no less right.
fn set(expressions: impl ExactSizeIterator<Item = String>) -> Option<RegexSet> {
    let bytes = MASK_BYTES.saturating_mul(expressions.len());
    RegexSetBuilder::new(expressions).size_limit(bytes).dfa_size_limit(bytes).build().ok().filter(|set| !set.is_empty())
}

/// What matches wherever the pattern fits, and rarely elsewhere: its literals in order, blanks as long as they are.
fn expression(pattern: &Pattern) -> String {
    let literal = |part: &Part| match part {
        Part::Literal(text) => Some(text.trim().split(' ').map(regex::escape).collect::<Vec<_>>().join("[ \\t]+")),
        Part::Slot(_) => None,
    };
    let literals: Vec<String> = pattern.template().parts.iter().filter_map(literal).collect();
    format!("(?s-u){}", literals.join(".*"))
}

/// Puts what stands in the slot of the message into the shape.
fn keep_value(pattern: &Pattern, slot: usize, shape: &mut Vec<u8>, text: &[u8]) {
    let (Some(place), Some(value)) = (pattern.slot(shape, slot), pattern.slot(text, slot)) else { return };
    let value = text[value].trim_ascii();
    if !value.is_empty() && value.len() <= VALUE_BYTES && !value.windows(3).any(|three| three == b"<*>") {
        // Where the blanks around the value are, the shape has them already.
        let (before, after) = (shape[..place.start].to_vec(), shape[place.end..].to_vec());
        *shape = [&before[..], value, &after[..]].concat();
    }
}
