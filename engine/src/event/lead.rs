//! `Lead`: how the lines of an input begin, by its first chunk.

use std::sync::Arc;

use super::{has_time, is_blank, joiner, lines, source, split_name};
use crate::format::{Layout, LineFormat};

/// Lines that the judgement on an input looks at, all over the text that is judged.
const JUDGED: usize = 512;

/// Lines with names that an input needs to be one of such.
const NAMED: usize = 3;

/// How the lines of an input begin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lead {
    /// With times: three in four of those that may begin an event do.
    pub(crate) timed: bool,
    /// With names of those who wrote them ([`split_name`]), before anything else: nine in ten do, with the bar at one place.
    pub(crate) named: bool,
    /// What stands there behind the names.
    pub(crate) layout: Arc<Layout>,
}

impl Lead {
    /// Of the lines of a text.
    pub(crate) fn of(text: &[u8], format: &LineFormat, reference_time: i64) -> Self {
        // Where someone says how lines begin, the name is a part of that.
        let named = format.given().is_none() && are_named(judged(text));
        let behind = |line| if named { split_name(line).1 } else { line };
        let timed = are_timed(judged(text).map(behind));
        Self { timed, named, layout: format.layout(lines(text).map(behind), reference_time) }
    }

    /// Of an input that is no text.
    pub(crate) fn of_no_text() -> Self {
        Self { layout: Arc::new(Layout::plain()), ..Self::default() }
    }

    /// The name before a line, and what it says behind that.
    #[inline]
    pub(crate) fn split<'l>(&self, line: &'l [u8]) -> (&'l [u8], &'l [u8]) {
        if self.named { split_name(line) } else { (&[], line) }
    }
}

/// The lines of a text that are judged by.
fn judged(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let step = text.len() / JUDGED + 1;
    let mut at = 0;
    std::iter::from_fn(move || {
        let line = super::line_at(text, Some(at).filter(|at| *at < text.len())?);
        let next = (at + step).max(at + line.len() + 1) - 1;
        at = text.get(next..).and_then(|rest| memchr::memchr(b'\n', rest)).map_or(text.len(), |feed| next + feed + 1);
        Some(line)
    })
}

fn are_named<'l>(lines: impl Iterator<Item = &'l [u8]>) -> bool {
    let mut bars = [0; source::NAME + 1];
    let mut all = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, _) = split_name(line);
        bars[name.len().min(source::NAME)] += usize::from(!name.is_empty());
        all += 1;
    }
    bars.into_iter().max().is_some_and(|most| most >= NAMED && most * 10 >= all * 9)
}

fn are_timed<'l>(lines: impl Iterator<Item = &'l [u8]>) -> bool {
    let (mut timed, mut all) = (0, 0);
    for line in lines.filter(|line| line.first().is_some_and(|b| !is_blank(*b))) {
        let has_time = has_time(line);
        let neutral = !has_time && joiner::is_inner(line);
        timed += usize::from(has_time);
        all += usize::from(!neutral);
    }
    timed > 0 && timed * 4 >= all * 3
}
