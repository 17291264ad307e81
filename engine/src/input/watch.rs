//! `Watch`: notices where the lines of an input begin to be written otherwise than those that have voted on how they begin. It
//! looks at a few lines of each piece, at places that depend on its bytes alone, so that a look costs next to nothing and tells
//! the same from run to run.

use std::collections::HashSet;

use crate::{
    event::{Lead, line_at},
    format,
};

/// Lines of a piece that are looked at, about.
const LOOKS: usize = 16;

/// Lines of one piece, among those that are looked at, that say it is to vote again where they stand among others.
const FEW: usize = 2;

/// Beginnings of lines that are remembered.
const FRONTS: usize = 1 << 10;

/// Votes at most, and pieces to wait for after one that told nothing new, doubled each time.
const VOTES: u32 = 16;

/// What a look tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Lines begin as before, as far as can be seen.
    AsBefore,
    /// From this byte on they do not.
    From(usize),
    /// Some do not.
    Some,
}

/// How far the watch over an input has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    /// Rough beginnings of lines that begin as those do which have voted.
    fronts: HashSet<u64>,
    votes: u32,
    futile: u32,
    wait: u32,
}

impl Watch {
    /// Looks at a piece of whole lines.
    pub(super) fn look(&mut self, text: &[u8], lead: &Lead, reference_time: i64) -> Look {
        if self.votes >= VOTES || !lead.layout.may_grow() {
            return Look::AsBefore;
        }
        if self.wait > 0 {
            self.wait -= 1;
            return Look::AsBefore;
        }
        let starts = places(text);
        let known: Vec<Option<bool>> = starts.iter().map(|at| self.knows(text, *at, lead, reference_time)).collect();
        let odd = known.iter().filter(|known| **known == Some(false)).count();
        let last_known = known.iter().rposition(|known| *known == Some(true));
        let last_odd = known.iter().rposition(|known| *known == Some(false));
        match (last_known, last_odd) {
            (_, None) => Look::AsBefore,
            (None, Some(_)) => Look::Some,
            (Some(known), Some(odd)) if known < odd => {
                let between = starts_of_lines(text, starts[known]).take_while(|at| *at <= starts[odd]);
                let mut from = starts[odd];
                for at in between.collect::<Vec<_>>().into_iter().rev() {
                    match self.knows(text, at, lead, reference_time) {
                        Some(true) => break,
                        Some(false) => from = at,
                        None => {}
                    }
                }
                Look::From(from)
            }
            _ if odd >= FEW => Look::Some,
            _ => Look::AsBefore,
        }
    }

    /// A piece has voted; `grew` says whether that told anything new.
    pub(super) fn voted(&mut self, grew: bool) {
        self.votes += 1;
        if !grew {
            self.futile += 1;
            self.wait = 1 << self.futile;
        }
    }

    fn knows(&mut self, text: &[u8], at: usize, lead: &Lead, reference_time: i64) -> Option<bool> {
        let line = lead.split(line_at(text, at)).1;
        let front = format::front(line);
        if self.fronts.contains(&front) {
            return Some(true);
        }
        let known = lead.layout.knows(line, reference_time);
        if known == Some(true) && self.fronts.len() < FRONTS {
            self.fronts.insert(front);
        }
        known
    }
}

/// Where the lines begin that are looked at, the first and the last among them.
fn places(text: &[u8]) -> Vec<usize> {
    let last = text.strip_suffix(b"\n").unwrap_or(text);
    let last = memchr::memrchr(b'\n', last).map_or(0, |feed| feed + 1);
    let after = |at: usize| memchr::memchr(b'\n', &text[at..]).map_or(last, |feed| at + feed + 1);
    let between = (1..LOOKS).map(|i| after(i * text.len() / LOOKS).min(last));
    let mut places: Vec<usize> = [0].into_iter().chain(between).chain([last]).collect();
    places.dedup();
    places
}

fn starts_of_lines(text: &[u8], first: usize) -> impl Iterator<Item = usize> {
    let next = |at: &usize| Some(*at + memchr::memchr(b'\n', &text[*at..])? + 1).filter(|next| *next < text.len());
    std::iter::successors(Some(first), next)
}
