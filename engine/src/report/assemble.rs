//! From the table of shapes to the hierarchy, and from a cut of that to the report: sums per cluster. Pure functions; every
//! list in it is sorted by something that does not depend on how the run went.

use std::{borrow::Cow, cmp::Reverse};

use super::{
    Cluster, Column, ColumnValue, Histogram, IDLE, InputSummary, OverTime, Report, RuleUsed, RulesUsed, SetAside,
    Totals,
    arrange::{self, Arranged, Misfit},
    hierarchy::{About, Hierarchy, Leaf, LeafKeys},
};
use crate::{
    Settings,
    aside::Aside,
    cluster::{self, Dendrogram, Group},
    format::values::{self, Values},
    rules::{Rule, Rules, reading::set_aside_by},
    table::{BYTES_PER_WEIGHT, EXACT, Entry},
    tally::{
        Examples, Tally,
        times::{LADDER, axis},
        whole_letters,
    },
    template::Template,
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
    #[expect(clippy::vec_box, reason = "the memory of each is given back when it is made into something else")]
    pub(crate) entries: Vec<Box<Entry>>,
    /// Lines in no cluster, by [`Aside::ALL`].
    pub(crate) aside: [u64; Aside::ALL.len()],
    /// Lines of which only the beginning was looked at.
    pub(crate) shortened: u64,
    /// Lines that each rule masked something in, by its position.
    pub(crate) masked: Vec<u64>,
    /// What the fields of lines hold.
    pub(crate) values: Values,
}

/// One line in so many fits a form that was given, where that fits hardly any.
const HARDLY: u64 = 20;

/// Bytes that are shown of a line that such a form does not fit.
const SHOWN: usize = 120;

/// What was found, at every similarity that the settings may ask for.
pub(crate) fn hierarchy(mut found: Found, settings: &Settings) -> Hierarchy {
    tell_what_hardly_fits(&mut found.inputs, &found.entries, settings);
    let mut set_aside = set_aside_lines(found.aside);
    let mut touched = std::mem::take(&mut found.masked);
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
        problems: problems(&found, settings),
        notes: notes(&found),
        set_aside,
        inputs: found.inputs,
        columns: found.values.columns().into_iter().map(column).collect(),
        shortened: found.shortened,
        similarity: settings.similarity,
        touched,
    };
    let mut leaves: Vec<Box<Leaf>> = Vec::with_capacity(found.entries.len());
    let mut before: Box<[u8]> = Box::default();
    for entry in found.entries {
        let (key, Entry { shape, tally, examples, .. }) = (entry.key().0, *entry);
        match leaves.last_mut().filter(|_| shape == before) {
            // What stands for joined shapes may, by chance, read like a shape that is not one of them.
            Some(leaf) => {
                leaf.keys.push(key);
                leaf.tally.merge(&tally);
                leaf.examples.merge(examples);
            }
            None => {
                let text = String::from_utf8_lossy(&shape).into_owned();
                leaves.push(Box::new(Leaf { shape: text, keys: LeafKeys::of(key), tally, examples }));
            }
        }
        before = shape;
    }
    Hierarchy::grow(about, leaves, settings.rules.clone(), settings.similarity < cluster::ALIKE)
}

/// The report at a similarity.
pub(super) fn cut(Hierarchy { about, leaves, tree, rules }: &Hierarchy, similarity: f64) -> Report {
    report(about, Leaves::Kept(leaves), tree, rules.as_deref(), similarity)
}

/// The last report: what is known of the shapes is moved into it, so that it is never held twice.
pub(super) fn last_cut(Hierarchy { about, leaves, tree, rules }: Hierarchy, similarity: f64) -> Report {
    report(&about, Leaves::Spent(leaves.into_iter().map(Some).collect()), &tree, rules.as_deref(), similarity)
}

/// The shapes that a report is made of.
enum Leaves<'a> {
    /// They are there after it too.
    Kept(&'a [Box<Leaf>]),
    /// They are not.
    Spent(Vec<Option<Box<Leaf>>>),
}

impl Leaves<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Kept(leaves) => leaves.len(),
            Self::Spent(leaves) => leaves.len(),
        }
    }

    /// A shape that was not taken.
    fn at(&self, leaf: usize) -> &Leaf {
        match self {
            Self::Kept(leaves) => &leaves[leaf],
            Self::Spent(leaves) => leaves[leaf].as_ref().expect(TAKEN_ONCE),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Leaf> {
        (0..self.len()).map(|leaf| self.at(leaf))
    }

    /// A shape, which is asked for once.
    fn take(&mut self, leaf: usize) -> Cow<'_, Leaf> {
        match self {
            Self::Kept(leaves) => Cow::Borrowed(&leaves[leaf]),
            Self::Spent(leaves) => Cow::Owned(*leaves[leaf].take().expect(TAKEN_ONCE)),
        }
    }
}

/// Each shape is in one cluster, which is made once.
const TAKEN_ONCE: &str = "shapes are taken when their cluster is made, each once";

fn report(about: &About, mut leaves: Leaves<'_>, tree: &Dendrogram, rules: Option<&Rules>, similarity: f64) -> Report {
    let mut whole = Tally::default();
    leaves.all().for_each(|leaf| whole.merge(&leaf.tally));
    let axis = whole.times.span().map(|(first, last)| axis(first, last));
    let set_aside: u64 = about.set_aside.iter().map(|aside| aside.lines).sum();
    let lines = whole.lines + set_aside;
    let shapes = leaves.all().map(|leaf| leaf.keys.all().count() as u64).sum();
    let arranged = rules.map(|rules| arranged(about, &leaves, tree, rules, similarity));
    let (groups, used, misfits) = arranged.map_or((None, None, Vec::new()), |(g, used, m)| (Some(g), Some(used), m));
    let mut clusters = match groups {
        Some(groups) => groups.into_iter().map(|group| cluster_of(group, &mut leaves, lines, axis)).collect(),
        None => plain(&mut leaves, tree, similarity, lines, axis),
    };
    clusters.sort_unstable_by(|a, b| (Reverse(a.lines), &a.id).cmp(&(Reverse(b.lines), &b.id)));
    let idle = rules.zip(used.as_ref()).map_or_else(Vec::new, |(rules, used)| idle(rules, used));
    Report {
        version: VERSION,
        similarity,
        totals: Totals {
            lines,
            events: whole.events,
            clusters: clusters.len() as u64,
            shapes,
            set_aside,
            shortened: about.shortened,
            bytes: about.inputs.iter().map(|i| i.bytes).sum(),
        },
        inputs: about.inputs.clone(),
        problems: about.problems.iter().cloned().chain(idle).chain(misfits).collect(),
        notes: about.notes.clone(),
        rules: used,
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

/// The clusters without rules, each made and done before the next.
fn plain(leaves: &mut Leaves<'_>, tree: &Dendrogram, similarity: f64, lines: u64, axis: Axis) -> Vec<Cluster> {
    let tops = tree.cut(similarity);
    let mut members: Vec<usize> = (0..tops.len()).collect();
    members.sort_by_key(|member| tops[*member]);
    let groups = members.chunk_by(|a, b| tops[*a] == tops[*b]);
    let mut clusters = Vec::with_capacity(groups.clone().count());
    for members in groups {
        let top = tops[members[0]];
        let template = tree.at(top).map_or_else(|| leaves.at(top).template(), |join| join.template.clone());
        let group = Group { template, members: members.to_vec() };
        clusters.push(cluster_of(Arranged { group, title: None, is_muted: false }, leaves, lines, axis));
    }
    clusters
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
fn arranged(
    about: &About,
    leaves: &Leaves<'_>,
    tree: &Dendrogram,
    rules: &Rules,
    similarity: f64,
) -> (Vec<Arranged>, RulesUsed, Vec<String>) {
    let shapes: Vec<&str> = leaves.all().map(|leaf| leaf.shape.as_str()).collect();
    let subjects = arrange::subjects(tree, &shapes, rules, about.similarity);
    let (groups, misfits) = arrange::arrange(tree, &shapes, rules, &subjects, similarity);
    let misfits = misfits.iter().map(|misfit| told(misfit, rules, shapes[misfit.shape])).collect();
    let lines_of = |subject: &[usize]| subject.iter().map(|leaf| leaves.at(*leaf).tally.lines).sum::<u64>();
    let used = rules.all().iter().zip(&subjects).zip(&about.touched).map(|((rule, subject), touched)| RuleUsed {
        name: rule.name.clone(),
        action: rule.verb().to_owned(),
        lines: touched + lines_of(subject),
    });
    let used = RulesUsed { file: rules.file().to_owned(), hash: rules.hash(), rules: used.collect() };
    (groups, used, misfits)
}

/// What is to be said of a template that does not fit.
fn told(misfit: &Misfit, rules: &Rules, shape: &str) -> String {
    let Misfit { rule, shapes, of, .. } = *misfit;
    let Rule { name, line, .. } = &rules.all()[rule];
    let shape = Template::of_shape(shape.as_bytes()).text();
    format!(
        "{}:{line}: the `template` of `{name}` does not fit {shapes} of the {of} shapes that it merges, as `{shape}`, so what \
         they have in common is shown; write `<*>` in it where they differ",
        rules.file()
    )
}

/// A problem for each rule that matches nothing.
fn idle(rules: &Rules, used: &RulesUsed) -> Vec<String> {
    let idle = rules.all().iter().zip(&used.rules).filter(|(_, used)| used.lines == 0);
    idle.map(|(rule, _)| format!("{}:{}: `{}` {IDLE}", rules.file(), rule.line, rule.name)).collect()
}

fn cluster_of(
    Arranged { group, title, is_muted }: Arranged,
    leaves: &mut Leaves<'_>,
    lines: u64,
    axis: Axis,
) -> Cluster {
    let mut tally = Tally::default();
    let mut examples = Examples::default();
    let mut shapes = Vec::with_capacity(group.members.len());
    for member in &group.members {
        let leaf = leaves.take(*member);
        tally.merge(&leaf.tally);
        shapes.extend(leaf.keys.all());
        match leaf {
            Cow::Borrowed(leaf) => examples.merge(leaf.examples.clone()),
            Cow::Owned(leaf) => examples.merge(leaf.examples),
        }
    }
    shapes.sort_unstable();
    Cluster {
        id: group.template.id(),
        template: group.template.text(),
        slots: group.template.slots().collect(),
        title,
        is_muted,
        lines: tally.lines,
        events: tally.events,
        share: tally.lines as f64 / lines as f64,
        level: tally.levels.each().max_by_key(|(level, events)| (*events, *level)).map(|(level, _)| level),
        levels: tally.levels.clone(),
        first_seen_ms: tally.times.span().map(|(first, _)| first),
        last_seen_ms: tally.times.span().map(|(_, last)| last),
        over_time: OverTime::from(&over_time(&tally, axis)[..]),
        examples: examples.into_texts(),
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

fn problems(found: &Found, settings: &Settings) -> Vec<String> {
    let joined = found.entries.iter().filter(|e| e.depth < EXACT);
    let (kinds, events) = joined.fold((0, 0), |(kinds, events), e| (kinds + 1, events + e.tally.events));
    let message = || {
        format!(
            "there are more distinct shapes than the {} places for them hold (`max_shapes`; a shape takes one, and one more for \
             every {BYTES_PER_WEIGHT} bytes of its text); where too many begin or are built alike they were counted as one \
             ({kinds} such kinds with {events} events); allow more places to tell them apart",
            settings.max_shapes
        )
    };
    (kinds > 0).then(message).into_iter().collect()
}

/// Tells of a form that was given and is that of hardly any line of an input, with the first line that was kept and does not fit.
pub(crate) fn tell_what_hardly_fits(inputs: &mut [InputSummary], entries: &[Box<Entry>], settings: &Settings) {
    let Some((layout, form)) = settings.line_format.given().and_then(|layout| Some((layout, layout.given_form()?)))
    else {
        return;
    };
    for (position, input) in inputs.iter_mut().enumerate() {
        let all: u64 = input.formats.iter().map(|share| share.lines).sum();
        let fitting: u64 = input.formats.iter().filter(|share| share.form == form).map(|share| share.lines).sum();
        if fitting * HARDLY >= all {
            continue;
        }
        let examples = entries.iter().flat_map(|entry| entry.examples.first());
        let lines = examples.filter(|example| example.input as usize == position).map(|example| {
            let end = memchr::memchr(b'\n', &example.text).unwrap_or(example.text.len());
            (example.line, &example.text[..end])
        });
        let unfit = lines.filter(|(_, line)| !layout.fits(line, settings.reference_time)).min();
        let line = unfit.map(|(_, line)| String::from_utf8_lossy(&line[..whole_letters(line, SHOWN)]));
        input.notes.push(format!(
            "{}: the line format '{form}' fits {fitting} of {all} lines, the others are read by themselves; it does not fit \
             '{}'; give the form that lines begin with, or auto, which finds it",
            input.name,
            line.unwrap_or_default()
        ));
    }
}

fn notes(found: &Found) -> Vec<String> {
    let columns = |kept: usize| {
        format!(
            "lines have more different fields than are counted as columns; {kept} of them are, the others are left out"
        )
    };
    found.values.leaves_out().map(columns).into_iter().collect()
}
