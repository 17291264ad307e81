//! From the table of shapes to the hierarchy, and from a cut of that to the report: sums per cluster. Pure functions; every
//! list in it is sorted by something that does not depend on how the run went.

use std::cmp::Reverse;

use super::{
    Cluster, Histogram, InputSummary, Report, SetAside, Totals,
    hierarchy::{About, Hierarchy, Leaf},
};
use crate::{
    Settings,
    aside::Aside,
    cluster::{self, Group},
    record::Level,
    table::{EXACT, Entry},
    tally::{
        Examples, LEVELS, Tally,
        times::{LADDER, axis},
    },
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
}

/// What was found, at every similarity that the settings may ask for.
pub(crate) fn hierarchy(found: Found, settings: &Settings) -> Hierarchy {
    let about = About {
        problems: problems(&found.entries, settings),
        set_aside: set_aside_lines(found.aside),
        inputs: found.inputs,
        shortened: found.shortened,
    };
    let mut leaves: Vec<Leaf> = Vec::with_capacity(found.entries.len());
    let mut before: Box<[u8]> = Box::default();
    for entry in found.entries {
        let (key, Entry { shape, tally, examples, .. }) = (entry.key().0, entry);
        match leaves.last_mut().filter(|_| shape == before) {
            // What stands for joined shapes may, by chance, read like a shape that is not one of them.
            Some(leaf) => {
                leaf.keys.push(key);
                leaf.tally.merge(&tally);
                leaf.examples.merge(examples);
            }
            None => {
                let text = String::from_utf8_lossy(&shape).into_owned();
                leaves.push(Leaf { shape: text, keys: vec![key], tally, examples });
            }
        }
        before = shape;
    }
    Hierarchy::grow(about, leaves, settings.similarity < cluster::ALIKE)
}

/// The report at a similarity.
pub(super) fn cut(hierarchy: &Hierarchy, similarity: f64) -> Report {
    let Hierarchy { about, leaves, tree } = hierarchy;
    let groups = tree.groups(similarity, |leaf| leaves[leaf].template());
    let mut whole = Tally::default();
    leaves.iter().for_each(|leaf| whole.merge(&leaf.tally));
    let axis = whole.times.span().map(|(first, last)| axis(first, last));

    let set_aside: u64 = about.set_aside.iter().map(|aside| aside.lines).sum();
    let lines = whole.lines + set_aside;
    let mut clusters: Vec<Cluster> = groups.iter().map(|group| cluster_of(group, leaves, lines, axis)).collect();
    clusters.sort_by(|a, b| (Reverse(a.lines), &a.id).cmp(&(Reverse(b.lines), &b.id)));
    Report {
        version: VERSION,
        similarity,
        totals: Totals {
            lines,
            events: whole.events,
            clusters: clusters.len() as u64,
            shapes: leaves.iter().map(|leaf| leaf.keys.len() as u64).sum(),
            set_aside,
            shortened: about.shortened,
            bytes: about.inputs.iter().map(|i| i.bytes).sum(),
        },
        inputs: about.inputs.clone(),
        problems: about.problems.clone(),
        set_aside: about.set_aside.clone(),
        histogram: axis.map(|(rung, start, _)| Histogram {
            start_ms: start * LADDER[usize::from(rung)],
            step_ms: LADDER[usize::from(rung)],
            counts: over_time(&whole, axis),
        }),
        clusters,
    }
}

fn cluster_of(group: &Group, leaves: &[Leaf], lines: u64, axis: Axis) -> Cluster {
    let mut tally = Tally::default();
    let mut examples = Examples::default();
    let mut shapes = Vec::with_capacity(group.members.len());
    for leaf in group.members.iter().map(|member| &leaves[*member]) {
        tally.merge(&leaf.tally);
        examples.merge(leaf.examples.clone());
        shapes.extend(&leaf.keys);
    }
    shapes.sort_unstable();
    let levels: Vec<(Level, u64)> = LEVELS.into_iter().zip(tally.levels).filter(|(_, events)| *events > 0).collect();
    Cluster {
        id: group.template.id(),
        template: group.template.text(),
        slots: group.template.slots().collect(),
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
            "there are more distinct shapes than the {} that are kept apart; where too many begin alike they were \
             counted as one ({kinds} such beginnings with {events} events); allow more shapes to tell them apart",
            settings.max_shapes
        )
    };
    (kinds > 0).then(message).into_iter().collect()
}
