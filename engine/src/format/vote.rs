//! The vote of the first lines of an input, and of those that differ later, on how its lines begin. Lines are sketched; those
//! whose fronts are alike up to the last of time and level tell together how far their header goes.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use super::{
    clock,
    colours::{self, ESCAPE},
    columns::is_exception,
    crossing::{self, Apart},
    form::Form,
    learn::form,
    level, named,
    sketch::{self, Sketch, Step, sketch},
};
use crate::tally::Key;

/// Forms of an input at most; the most frequent are kept.
pub(crate) const FORMS: usize = 24;

/// Lines that vote, about. More change nothing, and take time before the first chunk is folded.
const VOTERS: usize = 1000;

/// Bytes of a line that votes at most.
const LINE: usize = 4096;

/// Lines that a form needs: one in a hundred, within these bounds.
const LEAST: usize = 3;
const FEW: usize = 10;

/// Lines that tell something though none of them does by itself.
const MANY: usize = 8;

/// Bytes that tell roughly how a line begins.
const FRONT: usize = 32;

/// Beginnings of lines that are seen to, the most frequent ones.
const FRONTS: usize = 64;

/// Lines of each of these that vote at least, about, where there are as many.
const FEW_OF_FRONT: u64 = 50;

/// The forms, in the order in which they are tried, and the fronts of the lines as far as several have them.
pub(super) fn vote<'a>(
    lines: impl Iterator<Item = &'a [u8]> + Clone,
    reference_time: i64,
) -> (Vec<Form>, BTreeSet<u64>) {
    let lines: Vec<Cow<'_, [u8]>> = voters(lines).into_iter().map(without_colours).collect();
    let mut sketches: Vec<Sketch<'_>> = lines.iter().map(|line| sketch(line, reference_time)).collect();
    let least = (sketches.len() / 100).clamp(LEAST, FEW);
    let fronts = common(&sketches, least);
    take_back(&mut sketches);
    take_back_tags(&mut sketches);
    mark_what_recurs(&mut sketches);
    let mut kinds: BTreeMap<(&[u8], &[u8]), Vec<&Sketch<'_>>> = BTreeMap::new();
    for sketch in sketches.iter().filter(|sketch| sketch.core > 0) {
        kinds.entry(sketch.kind()).or_default().push(sketch);
    }
    let mut kinds: Vec<_> = kinds.into_values().filter(|members| members.len() >= least).collect();
    kinds.sort_by_key(|members| Reverse(members.len()));
    let mut forms = Vec::new();
    for members in kinds {
        grow(&members, 0, least, reference_time, &mut forms);
    }
    forms.truncate(FORMS);
    forms.sort_by_cached_key(rank);
    (forms, fronts)
}

/// A form that says less takes the lines of those that say more.
pub(super) fn rank(form: &Form) -> (Reverse<usize>, String) {
    (Reverse(form.parts.len()), form.to_string())
}

/// What stands for the front of a line up to the last of time and level; `None` where it has neither.
pub(super) fn kind(line: &[u8], reference_time: i64) -> Option<u64> {
    let line = without_colours(&line[..line.len().min(LINE)]);
    let sketch = sketch(&line, reference_time);
    (sketch.core > 0).then(|| key(&sketch))
}

fn key(sketch: &Sketch<'_>) -> u64 {
    let (manner, core) = sketch.kind();
    Key::of(&[manner, core].join(&0)).0
}

/// What stands for the fronts that so many lines have at least.
fn common(sketches: &[Sketch<'_>], least: usize) -> BTreeSet<u64> {
    let mut fronts: BTreeMap<u64, usize> = BTreeMap::new();
    for sketch in sketches.iter().filter(|sketch| sketch.core > 0) {
        *fronts.entry(key(sketch)).or_default() += 1;
    }
    fronts.retain(|_, lines| *lines >= least);
    fronts.into_keys().collect()
}

fn without_colours(line: &[u8]) -> Cow<'_, [u8]> {
    if !line.contains(&ESCAPE) {
        return line.into();
    }
    let mut plain = Vec::with_capacity(line.len());
    colours::strip(line, &mut plain);
    plain.into()
}

/// What stands for how a line begins, roughly.
pub(crate) fn front(line: &[u8]) -> u64 {
    Key::of(&clock::manner(&line[..line.len().min(FRONT)]).collect::<Vec<u8>>()).0
}

/// About as many of the lines as vote, chosen by their bytes; of lines that begin like few others, more than their share.
fn voters<'a>(lines: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<&'a [u8]> {
    let lines = lines.map(|line| &line[..line.len().min(LINE)]);
    let every = (lines.clone().count() / VOTERS).max(1) as u64;
    if every == 1 {
        return lines.collect();
    }
    let fronts: Vec<u64> = lines.clone().map(front).collect();
    let mut sizes: HashMap<u64, u64> = HashMap::new();
    for front in &fronts {
        *sizes.entry(*front).or_default() += 1;
    }
    let mut largest: Vec<_> = sizes.into_iter().collect();
    largest.sort_by_key(|(front, lines)| (Reverse(*lines), *front));
    largest.truncate(FRONTS);
    let rates: HashMap<u64, u64> =
        largest.into_iter().map(|(front, lines)| (front, (lines / FEW_OF_FRONT).max(1))).collect();
    let votes = |(line, front): &(&[u8], u64)| {
        let every = rates.get(front).map_or(every, |own| every.min(*own));
        Key::of(line).0.is_multiple_of(every)
    };
    lines.zip(fronts).filter(votes).map(|(line, _)| line).collect()
}

/// A level that few lines have where the others go on with their message is part of the message, but for one in brackets.
fn take_back(sketches: &mut [Sketch<'_>]) {
    let mut kinds: BTreeMap<(Vec<u8>, Vec<u8>), usize> = BTreeMap::new();
    let kind = |sketch: &Sketch<'_>, end: usize| (sketch.manner.clone(), sketch.key[..end].to_vec());
    for sketch in sketches.iter().filter(|sketch| sketch.core > 0) {
        *kinds.entry(kind(sketch, sketch.core)).or_default() += 1;
    }
    for sketch in sketches {
        let core = &sketch.key[..sketch.core];
        let lines_to = |end| kinds.get(&kind(sketch, end)).copied().unwrap_or(0);
        let lines = lines_to(sketch.core);
        if core.windows(2).any(|two| matches!(two, [b'[' | b'<' | b'(', sketch::LEVEL])) {
            continue;
        }
        let levels = |key: &[u8]| key.iter().any(|b| matches!(*b, sketch::LEVEL | sketch::SHORT));
        let timed = |key: &[u8]| key.contains(&sketch::TIME);
        let before = (1..core.len())
            .rev()
            .map(|end| &core[..end])
            .find(|before| timed(before) && !levels(before) && lines_to(before.len()) > 6 * lines);
        if let Some(end) = before.map(<[u8]>::len) {
            sketch.core = end;
            sketch.steps.clear();
            sketch.cut = true;
        }
    }
}

/// Where a line by itself says that a word before a colon is still header, as syslog's programs are, and others that begin like it
/// have none: what recurs before several messages says where, and what each has before one message of its own is part of that.
fn take_back_tags(sketches: &mut [Sketch<'_>]) {
    let mut kinds: BTreeMap<u64, (usize, Vec<usize>)> = BTreeMap::new();
    for (at, sketch) in sketches.iter().enumerate().filter(|(_, sketch)| sketch.core > 0) {
        let (lines, tagged) = kinds.entry(key(sketch)).or_default();
        *lines += 1;
        tagged.extend(sketch.own_tag().map(|_| at));
    }
    for (lines, tagged) in kinds.into_values() {
        let pairs: BTreeSet<_> = tagged.iter().filter_map(|at| sketches[*at].own_tag()).collect();
        if tagged.len() as f64 >= 0.97 * lines as f64 || !crossing::is_of_one_each(&pairs) {
            continue;
        }
        for at in tagged {
            sketches[at].steps.iter_mut().for_each(|step| step.own = false);
            sketches[at].whole = true;
        }
    }
}

/// Marks the fields behind which lines say what others say behind another header, where no word stands before it that may say
/// what happened.
fn mark_what_recurs(sketches: &mut [Sketch<'_>]) {
    let mut said: HashMap<Vec<u8>, HashSet<u64>> = HashMap::new();
    for sketch in sketches.iter().filter(|sketch| sketch.core > 0) {
        let bare = |depth: &usize| depth.checked_sub(1).is_none_or(|before| !is_plain(sketch.value(before)));
        for depth in (0..=sketch.steps.len()).filter(bare) {
            if let Some(opening) = crossing::opening(sketch.from(depth)) {
                said.entry(opening).or_default().insert(key(sketch));
            }
        }
    }
    for sketch in sketches {
        let own = key(sketch);
        for depth in 0..sketch.steps.len() {
            let kinds = crossing::opening(sketch.behind(depth)).and_then(|opening| said.get(&opening));
            sketch.steps[depth].recurs = kinds.is_some_and(|kinds| kinds.iter().any(|kind| *kind != own));
        }
    }
}

/// Finds how far the header goes in lines that are alike up to their step `depth`, and writes down the forms.
fn grow(members: &[&Sketch<'_>], depth: usize, least: usize, reference: i64, forms: &mut Vec<Form>) {
    if members.len() < least || forms.len() >= FORMS {
        return;
    }
    let from = members[0].end(depth);
    if let Some(best) = next_field(members, depth) {
        let taken = &best[0].key[from..best[0].steps[depth].end];
        let takes =
            |sketch: &&&Sketch<'_>| sketch.steps.get(depth).is_some_and(|step| &sketch.key[from..step.end] == taken);
        let rest: Vec<_> = members.iter().filter(|sketch| !sketch.cut && !takes(sketch)).copied().collect();
        grow(&best, depth + 1, least, reference, forms);
        return grow(&rest, depth, least, reference, forms);
    }
    let unsaid = members.iter().filter(|sketch| !sketch.whole).count();
    if unsaid * 10 <= members.len() {
        let words = depth.checked_sub(1).and_then(|last| component_words(members, members.len(), last));
        forms.extend(form(&members[0].key[..from], members, words, reference));
    }
}

/// The lines that have one more field, if that is part of the header.
fn next_field<'s, 'l>(members: &[&'s Sketch<'l>], depth: usize) -> Option<Vec<&'s Sketch<'l>>> {
    let from = members[0].end(depth);
    let all = members.iter().filter(|sketch| !sketch.cut).count();
    let mut next: BTreeMap<&[u8], Vec<&Sketch<'_>>> = BTreeMap::new();
    for sketch in members {
        if let Some(step) = sketch.steps.get(depth) {
            next.entry(&sketch.key[from..step.end]).or_default().push(sketch);
        }
    }
    let own = |those: &[&Sketch<'_>]| those.iter().filter(|sketch| sketch.steps[depth].own).count();
    let all_own: usize = next.values().map(|those| own(those)).sum();
    let best = next.into_values().max_by_key(|those| (own(those), those.len()))?;
    // Where every line has a field here, though not the same one, several programs begin their lines alike up to here.
    let is_header = goes_on(&best, own(&best), all, depth) || (all >= MANY && all_own as f64 >= 0.97 * all as f64);
    (is_header && !(says_what(&best, depth) && next_field(&best, depth + 1).is_none())).then_some(best)
}

/// Whether what would be the last field of the header says what happened rather than where: `success:` and `failure:`, `[BEGIN]`
/// and `[END]`; one of them alone as well, as another file may have the other. Names of loggers, programs and threads are written
/// like names, and programs stand behind their host.
fn says_what(those: &[&Sketch<'_>], depth: usize) -> bool {
    let step = |sketch: &Sketch<'_>| sketch.steps[depth];
    let behind_host = depth > 0
        && those.iter().all(|sketch| {
            let before = sketch.steps[depth - 1];
            step(sketch).tag && !(before.tag || before.set_off || before.bracketed || before.number)
        });
    // RFC 5424 has a place for each, and Python one for the logger.
    let has_place = |sketch: &&Sketch<'_>| {
        let before = &sketch.key[..sketch.end(depth)];
        before.starts_with(&[b'<', sketch::PRIORITY, b'>', b'1', b' ']) || before.ends_with(&[sketch::LEVEL, b':'])
    };
    let placed = those.iter().all(|sketch| step(sketch).own && has_place(sketch));
    if behind_host
        || placed
        || !those.iter().all(|sketch| step(sketch).tag || step(sketch).set_off || step(sketch).bracketed)
    {
        return false;
    }
    let values: BTreeSet<&[u8]> = those.iter().map(|sketch| sketch.value(depth)).collect();
    if values.iter().any(|value| is_exception(value)) {
        return true;
    }
    // One name alone is a logger's behind columns for processes and threads, and in brackets unless it is written otherwise.
    let columns = |sketch: &&Sketch<'_>| {
        sketch.key[..sketch.core].iter().any(|b| matches!(*b, sketch::COLUMN | sketch::CONTENTS))
    };
    let in_brackets = those.iter().all(|sketch| step(sketch).bracketed) && values.iter().all(|value| is_name(value));
    if values.len() == 1 && (in_brackets || those.iter().all(columns)) {
        return false;
    }
    values.iter().all(|value| is_plain(value))
        && !values.iter().any(|value| is_level(value))
        && !says_where(those, depth)
        && !stands_before_all(those, depth)
}

/// Whether the one word that all lines have in a field has messages behind it that recur without it, or several.
fn stands_before_all(those: &[&Sketch<'_>], depth: usize) -> bool {
    let value = those[0].value(depth);
    if those.len() < MANY || !is_name(value) || those.iter().any(|sketch| sketch.value(depth) != value) {
        return false;
    }
    let recurring = those.iter().filter(|sketch| sketch.steps[depth].recurs).count();
    recurring * 10 >= those.len() * 8
        || crossing::is_where_for_all(value, those.iter().map(|sketch| sketch.said(depth)), apart(those, depth))
}

/// What sets a field off from the messages behind it.
fn apart(those: &[&Sketch<'_>], depth: usize) -> Apart {
    // Columns have quotes around what has the sign between them in it, and only around that as some write them.
    let quoted = those.iter().filter(|sketch| sketch.said(depth) != sketch.behind(depth).trim_ascii());
    match () {
        () if !those.iter().all(|sketch| sketch.set_off(depth)) => Apart::Blank,
        () if quoted.count() * 10 >= those.len() => Apart::Quotes,
        () => Apart::Sign,
    }
}

/// The words in a column of components that nothing but a blank sets off from the messages behind it; `None` where the field is
/// no such column.
fn component_words<'a>(those: &[&Sketch<'a>], all: usize, depth: usize) -> Option<Vec<&'a [u8]>> {
    let bare = |step: &Step| !(step.tag || step.set_off || step.bracketed || step.number);
    let before = depth.checked_sub(1).map(|before| those[0].steps[before]);
    let stands = before.is_none_or(|step| step.bracketed || step.number)
        && those.iter().all(|sketch| bare(&sketch.steps[depth]) && sketch.has_level());
    let lines = || those.iter().map(|sketch| (sketch.value(depth), sketch.said(depth))).collect::<Vec<_>>();
    stands.then(lines).and_then(|lines| named::words(&lines, all))
}

/// Whether the words of a field are names of something in which the same happens whatever the name.
fn says_where(those: &[&Sketch<'_>], depth: usize) -> bool {
    let is_word = |value: &[u8]| is_plain(value) && is_name(value);
    let lines: Vec<_> = those.iter().map(|sketch| (sketch.value(depth), sketch.said(depth))).collect();
    lines.iter().all(|(value, _)| is_word(value)) && crossing::is_where(&lines, apart(those, depth))
}

/// Whether what every line has in brackets is rather a thread or a logger: one word, not all in capitals.
fn is_name(value: &[u8]) -> bool {
    !value.contains(&b' ') && value.iter().any(u8::is_ascii_lowercase)
}

/// Whether it tells that the others stand where levels do, as `LOG` does of `DETAIL` and `STATEMENT`. `FAILURE` stands beside
/// `SUCCESS` as well.
fn is_level(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_uppercase) && value != b"FAILURE" && level::named(value).is_some()
}

/// Letters, as words of sentences have them: no digit, dot or sign, and no capital behind a small letter.
fn is_plain(value: &[u8]) -> bool {
    let joins = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b' ' | b'-' | b'_');
    let camel = |two: &[u8]| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase();
    !value.is_empty() && value.iter().all(joins) && !value.windows(2).any(camel)
}

/// Whether `those` lines out of `all` say that the field they have next is part of the header.
fn goes_on(those: &[&Sketch<'_>], own: usize, all: usize, depth: usize) -> bool {
    let share = those.len() as f64 / all as f64;
    let own = own as f64 / all as f64;
    let every = |is: fn(&Step) -> bool| those.iter().all(|sketch| is(&sketch.steps[depth]));
    if every(|step| step.source) {
        return true;
    }
    if every(|step| step.bracketed) {
        // In brackets both headers and messages have things; a header has them in every line.
        return share >= 0.9 && (own > 0.1 || all >= MANY);
    }
    // Messages begin with a word and a colon too, some of them.
    let words = those.iter().filter(|sketch| sketch.steps[depth].word && sketch.steps[depth].tag).count();
    if own >= if 2 * words > those.len() { 0.6 } else { 0.15 } {
        return true;
    }
    let before = depth.checked_sub(1).map(|before| those[0].steps[before]);
    let open = before.is_none_or(|step| !step.tag && !step.set_off);
    let number = those.iter().filter(|sketch| sketch.steps[depth].number).count() as f64 / all as f64;
    // A number in a column of its own behind the level is a thread, a process or a line of source.
    let column = every(|step| step.number) && those.iter().all(|sketch| sketch.set_off(depth) && sketch.has_level());
    let open = open || column || (those.iter().all(|sketch| sketch.set_off(depth)) && says_where(those, depth));
    if all < MANY {
        return false;
    }
    let tells = number >= 0.97 || (share >= 0.97 && every(|step| step.tag || step.set_off || step.dotted));
    (open && tells) || component_words(those, all, depth).is_some()
}
