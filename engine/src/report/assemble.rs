//! From the table of shapes to the hierarchy, and from a cut of that to the report: sums per cluster. Pure functions; every
//! list in it is sorted by something that does not depend on how the run went.

use std::cmp::Reverse;

use super::{
    Cluster, Column, ColumnValue, Histogram, InputSummary, Report, RuleUsed, RulesUsed, SetAside, Totals,
    arrange::{self, Arranged},
    hierarchy::{About, Hierarchy, Leaf},
};
use crate::{
    Settings,
    aside::Aside,
    cluster,
    format::values::{self, Values},
    record::Level,
    rules::reading::set_aside_by,
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
    /// Lines that each rule masked something in, by its position.
    pub(crate) masked: Vec<u64>,
    /// What the fields of lines hold.
    pub(crate) values: Values,
}

/// What was found, at every similarity that the settings may ask for.
pub(crate) fn hierarchy(mut found: Found, settings: &Settings) -> Hierarchy {
    let mut set_aside = set_aside_lines(found.aside);
    let mut touched = found.masked;
    for entry in found.entries.extract_if(.., |entry| set_aside_by(&entry.shape).is_some()) {
        let (name, lines) = (set_aside_by(&entry.shape).unwrap_or_default(), entry.tally.lines);
        let rules = settings.rules.as_ref().map(|rules| rules.all()).unwrap_or_default();
        let rule = rules.iter().position(|rule| rule.name == name);
        set_aside.push(SetAside { reason: format!("ignored by `{name}`"), lines, shape: entry.key().0 });
        if let Some(rule) = rule {
            touched[rule] += lines;
        }
    }
    let about = About {
        problems: problems(&found.entries, settings),
        set_aside,
        inputs: found.inputs,
        columns: found.values.columns().into_iter().map(column).collect(),
        shortened: found.shortened,
        similarity: settings.similarity,
        touched,
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
    Hierarchy::grow(about, leaves, settings.rules.clone(), settings.similarity < cluster::ALIKE)
}

/// The report at a similarity.
pub(super) fn cut(hierarchy: &Hierarchy, similarity: f64) -> Report {
    let Hierarchy { about, leaves, .. } = hierarchy;
    let (groups, rules) = arranged(hierarchy, similarity);
    let mut whole = Tally::default();
    leaves.iter().for_each(|leaf| whole.merge(&leaf.tally));
    let axis = whole.times.span().map(|(first, last)| axis(first, last));

    let set_aside: u64 = about.set_aside.iter().map(|aside| aside.lines).sum();
    let lines = whole.lines + set_aside;
    let mut clusters: Vec<Cluster> = groups.into_iter().map(|group| cluster_of(group, leaves, lines, axis)).collect();
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
        problems: about.problems.iter().cloned().chain(idle(hierarchy, rules.as_ref())).collect(),
        rules,
        set_aside: about.set_aside.clone(),
        histogram: axis.map(|(rung, start, _)| Histogram {
            start_ms: start * LADDER[usize::from(rung)],
            step_ms: LADDER[usize::from(rung)],
            counts: over_time(&whole, axis),
        }),
        columns: about.columns.clone(),
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

/// The clusters with the rules applied, and what became of these.
fn arranged(hierarchy: &Hierarchy, similarity: f64) -> (Vec<Arranged>, Option<RulesUsed>) {
    let Hierarchy { about, leaves, tree, rules } = hierarchy;
    let Some(rules) = rules else {
        let plain = |group| Arranged { group, title: None, is_muted: false };
        return (tree.groups(similarity, |leaf| leaves[leaf].template()).into_iter().map(plain).collect(), None);
    };
    let shapes: Vec<&str> = leaves.iter().map(|leaf| leaf.shape.as_str()).collect();
    let subjects = arrange::subjects(tree, &shapes, rules, about.similarity);
    let groups = arrange::arrange(tree, &shapes, rules, &subjects, similarity);
    let lines_of = |subject: &[usize]| subject.iter().map(|leaf| leaves[*leaf].tally.lines).sum::<u64>();
    let used = rules.all().iter().zip(&subjects).zip(&about.touched).map(|((rule, subject), touched)| RuleUsed {
        name: rule.name.clone(),
        action: rule.verb().to_owned(),
        lines: touched + lines_of(subject),
    });
    let used = RulesUsed { file: rules.file().to_owned(), hash: rules.hash(), rules: used.collect() };
    (groups, Some(used))
}

/// A problem for each rule that matches nothing.
fn idle(hierarchy: &Hierarchy, used: Option<&RulesUsed>) -> Vec<String> {
    let (Some(rules), Some(used)) = (&hierarchy.rules, used) else { return Vec::new() };
    let idle = rules.all().iter().zip(&used.rules).filter(|(_, used)| used.lines == 0);
    idle.map(|(rule, _)| {
        format!("{}:{}: `{}` matches nothing in this log; correct or remove it", rules.file(), rule.line, rule.name)
    })
    .collect()
}

fn cluster_of(Arranged { group, title, is_muted }: Arranged, leaves: &[Leaf], lines: u64, axis: Axis) -> Cluster {
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
        title,
        is_muted,
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
