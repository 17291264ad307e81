//! Where the text of an input may be cut: where an event begins, judged with all in sight that can decide it. So where a chunk
//! ends decides nothing.

use super::{
    BYTES, LINES, Lead, Names, is_blank,
    joiner::{AHEAD, Joiner},
    line_at,
};
use crate::{aside::Aside, format::Reader, record::Onset};

/// Where the last event begins of those in a text of whole lines that have all behind them which can decide where an event
/// begins. If there is none among the last [`LINES`] lines or [`BYTES`] that have, the first of the others; `None` if no event
/// begins there, or only at their first line. The reader has begun with the layout of the lines.
pub(crate) fn last_start(text: &[u8], lead: &Lead, reader: &mut Reader) -> Option<usize> {
    let settled = settled(text);
    let from = settled.saturating_sub(BYTES);
    let (mut first, mut run) = (settled, 0);
    for start in starts_before(text, settled).take(LINES).take_while(|start| *start >= from) {
        let line = |start| lead.split(line_at(text, start)).1;
        run = if first < settled && is_apart(line(first), line(start), lead.onset, reader) { run + 1 } else { 0 };
        first = start;
        // No event has so many lines in a row that could not be of the inside of one by themselves.
        if run == AHEAD {
            break;
        }
    }
    Some(last_joined(text, first, settled, lead, reader)).filter(|last| *last > first)
}

/// Where the lines end that have all behind them which the joiner looks at.
fn settled(text: &[u8]) -> usize {
    let seen = starts_before(text, text.len()).nth(AHEAD - 1).unwrap_or(0).max(text.len().saturating_sub(BYTES));
    memchr::memrchr(b'\n', &text[..seen]).map_or(0, |feed| feed + 1)
}

/// Where the lines before one begin, the last one first.
fn starts_before(text: &[u8], end: usize) -> impl Iterator<Item = usize> {
    let before = move |end: usize| {
        let body = &text[..end.checked_sub(1)?];
        Some(memchr::memrchr(b'\n', body).map_or(0, |feed| feed + 1))
    };
    std::iter::successors(before(end), move |end| before(*end))
}

/// Whether a line begins an event wherever it stands, as far as the one before it tells: where lines have headers, it has one as
/// well as that; elsewhere neither is indented.
fn is_apart(line: &[u8], before: &[u8], onset: Onset, reader: &mut Reader) -> bool {
    if [line, before].iter().any(|line| line.first().is_none_or(|b| is_blank(*b))) {
        return false;
    }
    let mut joiner = Joiner::new(onset, Names::None);
    let said = reader.read(before);
    let begins = joiner.may_begin(before, said.onset);
    joiner.begin(before, said);
    begins && {
        let said = reader.read(line);
        joiner.may_begin(line, said.onset) && joiner.is_apart(line, said.message)
    }
}

/// Where the last event begins that is settled, or the first after that, by joining from `first` on.
fn last_joined(text: &[u8], first: usize, settled: usize, lead: &Lead, reader: &mut Reader) -> usize {
    let mut last = first;
    each_start(text, first, lead, reader, |at| {
        let is_one = at < settled || last == first;
        last = if is_one { at } else { last };
        is_one
    });
    last
}

/// Tells where events begin, the first one at `first`, as long as that is wanted.
fn each_start(text: &[u8], first: usize, lead: &Lead, reader: &mut Reader, mut tell: impl FnMut(usize) -> bool) {
    let nul = memchr::memchr(0, &text[first..]).is_some();
    let mut joiner = Joiner::new(lead.onset, lead.names);
    let mut writer: &[u8] = &[];
    let mut at = first;
    while at < text.len() {
        let (name, line) = lead.split(line_at(text, at));
        let next = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |feed| at + feed + 1);
        if name != writer && !name.is_empty() {
            joiner.end();
            writer = name;
        }
        if let Some(aside) = Aside::of_line(line, nul) {
            joiner.set_aside(aside);
        } else if !joiner.is_frame(line) {
            let (said, rest) = (reader.read(line), &text[next..]);
            let goes_on = joiner.completes(line, said)
                || joiner.continues_behind(line, said.message, rest)
                || joiner.continues(line, rest, said.onset);
            if !goes_on {
                joiner.begin(line, said);
                if !tell(at) {
                    return;
                }
            }
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::format::LineFormat;

    /// What may stand before each line.
    const HEADERS: [&str; 7] = [
        "",
        "ERROR: ",
        "[10:00:00 ERR] ",
        "web-1  | ",
        "2026-05-01T10:00:00.0Z stderr F ",
        "May  1 10:00:00 host7 shop[12]: ",
        "2026-05-01 10:00:00,000 ERROR [main] demo.shop.Web - ",
    ];

    /// Where events begin from a line on.
    fn starts(text: &[u8], first: usize, lead: &Lead, reader: &mut Reader) -> Vec<usize> {
        let mut starts = Vec::new();
        each_start(text, first, lead, reader, |at| {
            starts.push(at);
            true
        });
        starts
    }

    /// Calls `check` for the lines of each case of events, three times in a row, with each header before them.
    fn each_text(mut check: impl FnMut(&[u8], &Lead, &mut Reader)) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/events");
        let cases: Vec<_> =
            fs::read_dir(folder).unwrap().map(|case| fs::read_to_string(case.unwrap().path())).collect();
        assert!(cases.len() > 10);
        for case in cases {
            let lines = case.unwrap().split_once("=====\n").unwrap().0.repeat(3);
            for header in HEADERS {
                let text: String = lines.lines().map(|line| format!("{header}{line}\n")).collect();
                let lead = Lead::of(text.as_bytes(), &LineFormat::AUTO, 0);
                let mut reader = Reader::default();
                reader.begin(&lead.layout, 0);
                check(text.as_bytes(), &lead, &mut reader);
            }
        }
    }

    fn line_ends(text: &[u8]) -> impl Iterator<Item = usize> {
        memchr::memchr_iter(b'\n', text).map(|feed| feed + 1)
    }

    #[test]
    fn wherever_a_text_ends_it_is_cut_where_an_event_begins() {
        each_text(|text, lead, reader| {
            let starts = starts(text, 0, lead, reader);
            for end in line_ends(text).filter(|end| *end > text.len() / 3 * 2) {
                let text = &text[..end];
                let start = last_start(text, lead, reader).filter(|start| *start < settled(text));
                let line = |start| String::from_utf8_lossy(line_at(text, start));
                assert!(start.is_none_or(|start| starts.contains(&start)), "{}", start.map_or("".into(), line));
            }
        });
    }

    #[test]
    fn from_whatever_line_on_the_same_events_are_found_in_the_end() {
        each_text(|text, lead, reader| {
            let last =
                |starts: Vec<usize>| starts.into_iter().filter(|at| *at > text.len() / 3 * 2).collect::<Vec<_>>();
            let all = last(starts(text, 0, lead, reader));
            for first in line_ends(text).filter(|end| *end < text.len() / 3) {
                assert_eq!(last(starts(text, first, lead, reader)), all);
            }
        });
    }
}
