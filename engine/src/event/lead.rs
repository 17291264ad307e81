//! `Lead`: how the lines of an input begin, by its first chunk.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    SOME_DAY, is_blank, joiner, lines,
    names::{NAME, Names, padded, split_name},
    onset,
};
use crate::{
    format::{Layout, LineFormat, Reader, clock::without_digits, level},
    record::Onset,
    tally::Key,
};

/// Lines of an input that are looked at for times, about.
const JUDGED: usize = 512;

/// Lines with names that an input needs to be one of such.
const NAMED: u32 = 3;

/// Of the lines that are not empty, as many.
const NEARLY_ALL: f64 = 0.9;

/// Different names at most, and lines for each of them at least, where they are not told by the place of the bar and what they end
/// with: what is logged before a bar knows no end.
const FEW: usize = 64;
const LINES_OF_EACH: usize = 4;

/// Bytes of a line that tell one message behind a name from another.
const SAID: usize = 256;

/// How the lines of an input begin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lead {
    /// What three in four of those that may begin an event begin with, or with more than that.
    pub(crate) onset: Onset,
    /// The names of those who wrote them, before anything else: nine in ten have some, with the bar at one place where nothing
    /// else tells that it is one.
    pub(crate) names: Names,
    /// With names before half of them at least, and not before enough for them to be `names`: they are part of what is said.
    pub(crate) half_named: bool,
    /// What stands there behind the names.
    pub(crate) layout: Arc<Layout>,
}

impl Lead {
    /// Of the lines of a text.
    pub(crate) fn of(text: &[u8], format: &LineFormat, reference_time: i64) -> Self {
        // Where someone says how lines begin, the name is a part of that.
        let share = named_share(lines(text));
        let names = match format.named() {
            _ if format.given().is_some() => Names::None,
            Some(false) => Names::None,
            _ if share >= NEARLY_ALL => Names::Told,
            named => padded_names(lines(text)).unwrap_or(if named.is_some() { Names::Told } else { Names::None }),
        };
        let said = lines(text).map(|line| names.split(line).1);
        let layout = format.layout(said.clone(), reference_time);
        Self { onset: common_onset(said, &layout), names, half_named: !names.are_some() && share >= 0.5, layout }
    }

    /// Of lines that begin otherwise than those before them, or some of which do: how the former begin is not forgotten.
    pub(crate) fn behind(&self, text: &[u8], format: &LineFormat, reference_time: i64) -> Self {
        let lead = Self::of(text, format, reference_time);
        Self { layout: Arc::new(self.layout.with(&lead.layout)), ..lead }
    }

    /// Of an input that is no text.
    pub(crate) fn of_no_text() -> Self {
        Self { layout: Arc::new(Layout::plain()), ..Self::default() }
    }

    /// The name before a line, and what it says behind that.
    #[inline]
    pub(crate) fn split<'l>(&self, line: &'l [u8]) -> (&'l [u8], &'l [u8]) {
        self.names.split(line)
    }
}

/// About as many of the lines as are judged by, chosen by their bytes and each kind by its share, so that their order decides
/// nothing.
fn judged<'l>(lines: impl Iterator<Item = &'l [u8]>) -> impl Iterator<Item = &'l [u8]> {
    let mut lines: Vec<_> = lines.map(|line| (Key::of(line).0, line)).collect();
    lines.sort_unstable();
    let every = lines.len().div_ceil(JUDGED).max(1);
    lines.into_iter().step_by(every).map(|(_, line)| line)
}

/// How many of the lines have names, of those that are not empty: with the bar at one place, but for those that a number or the
/// end of a pod's name tells, and for few names.
fn named_share<'l>(lines: impl Iterator<Item = &'l [u8]>) -> f64 {
    // By where the bar is; at first those that are names wherever it is.
    let mut bars = [0_u32; 2 * NAME];
    let mut all = 0_u32;
    let mut names = BTreeSet::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, _) = split_name(line);
        let is_table = name.ends_with(b"|") && name[0].is_ascii_alphabetic();
        let bar = if is_table { name.len().min(bars.len() - 1) } else { 0 };
        bars[bar] += u32::from(!name.is_empty());
        if !name.is_empty() && names.len() <= FEW {
            names.insert(name);
        }
        all += 1;
    }
    let named = if are_few(names.len(), all) { bars.into_iter().sum() } else { bars.into_iter().max().unwrap_or(0) };
    if named >= NAMED { f64::from(named) / f64::from(all) } else { 0.0 }
}

fn are_few(names: usize, lines: u32) -> bool {
    names <= FEW && names * LINES_OF_EACH <= lines as usize
}

/// Names that only their lines together tell: few before many lines, blanks between them so that the bars stand in one column, and
/// several messages behind them. Words that say what happened, or how bad it is, may be set in a column too.
fn padded_names<'l>(lines: impl Iterator<Item = &'l [u8]> + Clone) -> Option<Names> {
    let mut bars = [0_u32; 2 * NAME];
    let mut all = 0_u32;
    for line in lines.clone().filter(|line| !line.is_empty()) {
        if let Some((_, bar)) = padded(line) {
            bars[bar.min(2 * NAME - 1)] += 1;
        }
        all += 1;
    }
    let (bar, most) = bars.into_iter().enumerate().max_by_key(|(_, lines)| *lines)?;
    if most < NAMED || f64::from(most) < NEARLY_ALL * f64::from(all) {
        return None;
    }
    let mut names: BTreeMap<&[u8], BTreeSet<Vec<u8>>> = BTreeMap::new();
    for line in lines {
        if let Some((name, _)) = padded(line).filter(|(_, at)| *at == bar) {
            names.entry(name).or_default().insert(without_digits(&line[bar..line.len().min(SAID)]));
        }
        if names.len() > FEW {
            return None;
        }
    }
    let are_padded = names.len() > 1 && names.keys().any(|name| name.len() + 1 < bar);
    let says_what = |name: &&&[u8]| {
        level::named(name).is_some() || name.ends_with(b"ed") || !name.iter().any(u8::is_ascii_lowercase)
    };
    let are_names = names.keys().filter(says_what).count() * 2 < names.len();
    let say_several = names.values().map(BTreeSet::len).sum::<usize>() >= 2 * names.len();
    (are_padded && are_names && say_several && are_few(names.len(), all)).then_some(Names::Padded(bar))
}

/// What three in four of the lines that may begin an event begin with at least, the most that can be said; nothing, where these
/// are too few.
fn common_onset<'l>(lines: impl Iterator<Item = &'l [u8]>, layout: &Arc<Layout>) -> Onset {
    let mut reader = Reader::default();
    reader.begin(layout, SOME_DAY);
    let mut found: Vec<(Onset, bool)> = Vec::with_capacity(2 * JUDGED);
    for line in judged(lines.filter(|line| line.first().is_some_and(|b| !is_blank(*b)))) {
        // Where someone says that every line is all message, it begins as it does all the same.
        let onset = if layout.is_plain() { onset(line) } else { reader.read(line).onset };
        let onset = joiner::onset_outside_traces(line, onset);
        found.push((onset, onset < Onset::Time && joiner::is_inner(line)));
    }
    let has_enough = |least: &Onset| {
        let (headed, others): (Vec<_>, Vec<_>) = found.iter().partition(|(onset, _)| onset >= least);
        let outer = others.iter().filter(|(_, is_inner)| !is_inner).count();
        !headed.is_empty() && headed.len() >= 3 * outer
    };
    [Onset::Time, Onset::Clock, Onset::Level].into_iter().find(has_enough).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that may have a name and a time.
    fn line(n: usize, named: bool, timed: bool) -> String {
        let name = if named { "shop-1 | " } else { "" };
        let time = if timed { "10:00:00 INFO " } else { "" };
        format!("{name}{time}order {n} packed\n")
    }

    #[test]
    fn the_order_of_lines_does_not_decide_how_they_begin() {
        for step in (0..100).step_by(3) {
            let (named, timed) = (850 + step, 700 + step);
            let mut lines: Vec<String> = (0..6000).map(|n| line(n, n % 1000 < named, n * 7 % 1000 < timed)).collect();
            let mut judge = |sort: fn(&mut Vec<String>)| {
                sort(&mut lines);
                let Lead { onset, names, layout, .. } = Lead::of(lines.concat().as_bytes(), &LineFormat::AUTO, 0);
                (onset, names, layout.forms().collect::<Vec<_>>())
            };
            let as_written = judge(|_| ());
            assert_eq!(judge(|lines| lines.reverse()), as_written);
            assert_eq!(judge(|lines| lines.sort()), as_written);
            assert_eq!(judge(|lines| lines.sort_by_key(String::len)), as_written);
            assert_eq!(as_written.1.are_some(), named >= 900);
        }
    }
}
