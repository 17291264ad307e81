//! From the table of shapes to the report: phase two, then sums per cluster. A function of the table and the summaries; every
//! list in it is sorted by something that does not depend on how the run went.

use std::cmp::Reverse;

use super::{Cluster, Column, ColumnValue, Histogram, InputSummary, Report, SetAside, Totals};
use crate::{
    Settings,
    aside::Aside,
    cluster::{self, Group, Weighted},
    format::values::{self, Values},
    record::Level,
    table::{EXACT, Entry},
    tally::{
        Examples, LEVELS, Tally,
        times::{LADDER, axis},
    },
    template::Part,
};

/// Form of the report that this code writes.
pub(crate) const VERSION: u32 = 1;

/// Where the report's histogram begins and how long a step is: rung of the ladder, first step, number of steps.
type Axis = Option<(u8, i64, usize)>;

/// What phase one found.
pub(crate) struct Found {
    /// The inputs, in the order given.
    pub(crate) inputs: Vec<InputSummary>,
    /// Of the table, sorted by shape.
    pub(crate) entries: Vec<Entry>,
    /// Lines in no cluster, by [`Aside::ALL`].
    pub(crate) aside: [u64; Aside::ALL.len()],
    /// Lines of which only the beginning was looked at.
    pub(crate) shortened: u64,
    /// What the fields of lines hold.
    pub(crate) values: Values,
}

/// The report on what was found.
pub(crate) fn assemble(found: Found, settings: &Settings) -> Report {
    // What stands for joined shapes may, by chance, read like a shape that is not one of them.
    let alike: Vec<&[Entry]> = found.entries.chunk_by(|a, b| a.shape == b.shape).collect();
    let events = |entries: &[Entry]| entries.iter().map(|e| e.tally.events).sum();
    let shapes: Vec<Weighted<'_>> =
        alike.iter().map(|entries| Weighted { shape: &entries[0].shape, events: events(entries) }).collect();
    let groups = cluster::cluster(&shapes, settings.similarity);
    let mut whole = Tally::default();
    found.entries.iter().for_each(|e| whole.merge(&e.tally));
    let axis = whole.times.span().map(|(first, last)| axis(first, last));

    let set_aside: u64 = found.aside.iter().sum();
    let lines = whole.lines + set_aside;
    let mut clusters: Vec<Cluster> = groups.iter().map(|group| cluster_of(group, &alike, lines, axis)).collect();
    clusters.sort_by(|a, b| (Reverse(a.lines), &a.id).cmp(&(Reverse(b.lines), &b.id)));
    Report {
        version: VERSION,
        totals: Totals {
            lines,
            events: whole.events,
            clusters: clusters.len() as u64,
            shapes: found.entries.len() as u64,
            set_aside,
            shortened: found.shortened,
            bytes: found.inputs.iter().map(|i| i.bytes).sum(),
        },
        inputs: found.inputs,
        problems: problems(&found.entries, settings),
        set_aside: set_aside_lines(found.aside),
        histogram: axis.map(|(rung, start, _)| Histogram {
            start_ms: start * LADDER[usize::from(rung)],
            step_ms: LADDER[usize::from(rung)],
            counts: over_time(&whole, axis),
        }),
        columns: found.values.columns().into_iter().map(column).collect(),
        clusters,
    }
}

/// Values of a column that are listed.
const LISTED: usize = 10;

fn column(column: &values::Column) -> Column {
    let value = |value: &values::Value| ColumnValue {
        value: String::from_utf8_lossy(&value.text).into_owned(),
        lines: value.lines,
    };
    let complete = column.is_complete();
    Column {
        name: String::from_utf8_lossy(&column.name).into_owned(),
        lines: column.lines,
        distinct: column.distinct(),
        complete,
        values: if complete { column.values().into_iter().take(LISTED).map(value).collect() } else { Vec::new() },
    }
}

fn cluster_of(group: &Group, alike: &[&[Entry]], lines: u64, axis: Axis) -> Cluster {
    let mut tally = Tally::default();
    let mut examples = Examples::default();
    let mut shapes = Vec::with_capacity(group.members.len());
    for entry in group.members.iter().flat_map(|member| alike[*member]) {
        tally.merge(&entry.tally);
        examples.merge(entry.examples.clone());
        shapes.push(entry.key().0);
    }
    shapes.sort_unstable();
    let levels: Vec<(Level, u64)> = LEVELS.into_iter().zip(tally.levels).filter(|(_, events)| *events > 0).collect();
    let slot = |part: &Part| match part {
        Part::Slot(kind) => Some(*kind),
        Part::Literal(_) => None,
    };
    Cluster {
        id: group.template.id(),
        template: group.template.text(),
        slots: group.template.parts.iter().filter_map(slot).collect(),
        lines: tally.lines,
        events: tally.events,
        share: tally.lines as f64 / lines as f64,
        level: levels.iter().max_by_key(|(level, events)| (*events, *level)).map(|(level, _)| *level),
        levels: levels.into_iter().collect(),
        first_seen_ms: tally.times.span().map(|(first, _)| first),
        last_seen_ms: tally.times.span().map(|(_, last)| last),
        over_time: over_time(&tally, axis),
        examples: examples.first().iter().map(|e| String::from_utf8_lossy(&e.text).into_owned()).collect(),
        shapes,
    }
}

fn over_time(tally: &Tally, axis: Axis) -> Vec<u64> {
    let Some((rung, start, steps)) = axis else { return Vec::new() };
    let mut counts = vec![0; steps];
    tally.times.spread(rung, start, &mut counts);
    counts
}

fn set_aside_lines(lines: [u64; Aside::ALL.len()]) -> Vec<SetAside> {
    let of = |(aside, lines): (Aside, u64)| SetAside {
        reason: aside.reason().into(),
        lines,
        shape: aside.keys().at(EXACT).0,
    };
    Aside::ALL.into_iter().zip(lines).filter(|(_, lines)| *lines > 0).map(of).collect()
}

fn problems(entries: &[Entry], settings: &Settings) -> Vec<String> {
    let joined = entries.iter().filter(|e| e.depth < EXACT);
    let (kinds, events) = joined.fold((0, 0), |(kinds, events), e| (kinds + 1, events + e.tally.events));
    let message = || {
        format!(
            "there are more distinct shapes than the {} that are kept apart; where too many begin or \
             are built alike they were counted as one ({kinds} such kinds with {events} events); allow more shapes to tell them apart",
            settings.max_shapes
        )
    };
    (kinds > 0).then(message).into_iter().collect()
}
