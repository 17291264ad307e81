//! `Comparison`: what one log has that another has not. Both sides are clustered as one, so that a cluster means the same on
//! both, and counted apart. Which differences are more than chance is decided in `significance`, from the counts alone.

pub mod significance;

use std::{cmp::Reverse, collections::HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    Partial, Report,
    event::has_trace,
    record::Level,
    report::{Cluster, InputSummary, Totals},
    table::Table,
    tally::Tally,
    template::{ClusterId, Kind},
};
use significance::{Bar, Judged, judge};

/// Form of [`Comparison`] that this code writes.
const VERSION: u32 = 1;

const MS_PER_HOUR: f64 = 3_600_000.0;

/// Two sides, cluster by cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Form of this type; a reader refuses a newer one.
    pub version: u32,
    /// What was compared with.
    pub base: Side,
    /// What was compared.
    pub other: Side,
    /// What limits the comparison as a whole, for a person.
    pub problems: Vec<String>,
    /// What is worth knowing of it as a whole though nothing is wrong, for a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Every cluster of either side: new errors first, then the findings, what is alike last.
    pub clusters: Vec<Difference>,
}

/// One side as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// What was read.
    pub inputs: Vec<InputSummary>,
    /// Sums; `clusters` and `shapes` are those that this side has lines of.
    pub totals: Totals,
    /// From its earliest to its latest time; `None` when there are no two.
    pub hours: Option<f64>,
}

/// One cluster on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Depends on the template only.
    pub id: ClusterId,
    /// Slots as `<*>`.
    pub template: String,
    /// What a rule shows it as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether a rule keeps it out of lists. It is counted and judged all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_muted: bool,
    /// What stands in each slot, in order.
    pub slots: Vec<Kind>,
    /// What became of it.
    pub change: Change,
    /// Whether that is more than chance explains, and large enough to matter.
    pub is_finding: bool,
    /// Whether its events are of level error or fatal, or have stack traces, whatever level they name.
    pub is_error: bool,
    /// Its rate in OTHER by its rate in BASE, beside what is known to have changed; `None` for what is new or gone.
    pub factor: Option<f64>,
    /// How often chance alone gives counts as far apart, two-sided.
    pub p: f64,
    /// The share of false findings among those that are at least as clear.
    pub q: f64,
    /// In BASE.
    pub base: Counts,
    /// In OTHER.
    pub other: Counts,
    /// A few of its first lines, of OTHER if it has some, control characters included: escape before showing.
    pub examples: Vec<String>,
}

/// A cluster on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines.
    pub lines: u64,
    /// Events.
    pub events: u64,
    /// Events by those of the side, from 0 to 1.
    pub share: f64,
    /// Events by the hours of the side; `None` unless both sides have times.
    pub per_hour: Option<f64>,
    /// The level most of its events name.
    pub level: Option<Level>,
    /// Earliest and latest time, milliseconds since the epoch.
    pub first_seen_ms: Option<i64>,
    /// See `first_seen_ms`.
    pub last_seen_ms: Option<i64>,
}

/// What became of a cluster from BASE to OTHER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// BASE has none of it.
    New,
    /// There is more of it.
    More,
    /// OTHER has none of it.
    Gone,
    /// There is less of it.
    Less,
    /// Nothing that chance or a small change would not explain.
    Same,
}

impl Change {
    /// As it is serialised.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::More => "more",
            Self::Gone => "gone",
            Self::Less => "less",
            Self::Same => "same",
        }
    }
}

impl Difference {
    /// An error that BASE has none of, however few: that it is there is a fact and no estimate.
    pub fn is_new_error(&self) -> bool {
        self.is_error && self.change == Change::New
    }

    /// Findings, and new errors; not what a rule mutes.
    pub fn matters(&self) -> bool {
        !self.is_muted && (self.is_finding || self.is_new_error())
    }
}

/// Compares two sides, read with the same settings.
///
/// # Panics
///
/// When they were made with different [`max_shapes`](crate::Settings::max_shapes).
pub fn compare(base: Partial, other: Partial, bar: Bar) -> Comparison {
    let tables = [base.table.clone(), other.table.clone()];
    let of = |side: &Partial| (side.told_inputs(), side.set_aside(), side.shortened);
    let sides = [of(&base), of(&other)];
    // Its examples are those of the first one: of OTHER, where it has some.
    let mut both = other;
    both.merge(base);
    let (home, joined) = (both.table.clone(), both);
    let report = joined.into_report();
    let tallies = tables.map(|table| tallies(&report, home.clone(), table));
    let counts: Vec<(u64, u64)> = tallies[0].iter().zip(&tallies[1]).map(|(a, b)| (a.0.events, b.0.events)).collect();
    let wholes = [0, 1].map(|side| whole(&tallies[side]));
    let hours = [0, 1].map(|side: usize| hours(&wholes[side].0));
    let timed = hours.iter().all(Option::is_some);
    let on = |side: usize, at: usize| {
        let tally = &tallies[side][at].0;
        let per_hour = hours[side].filter(|_| timed).map(|hours| tally.events as f64 / hours);
        counts_of(tally, wholes[side].0.events, per_hour)
    };
    let judged = judge(&counts, bar);
    let mut clusters: Vec<Difference> = report
        .clusters
        .iter()
        .zip(judged)
        .enumerate()
        .map(|(at, (cluster, judged))| difference(cluster, judged, on(0, at), on(1, at)))
        .collect();
    clusters.sort_by(|a, b| {
        rank(a).cmp(&rank(b)).then_with(|| shift(b).total_cmp(&shift(a))).then_with(|| a.id.cmp(&b.id))
    });
    let [base, other] = [0, 1].map(|side: usize| {
        let (inputs, set_aside, shortened) = sides[side].clone();
        side_of(inputs, set_aside, shortened, &wholes[side], hours[side])
    });
    Comparison { version: VERSION, base, other, problems: report.problems, notes: report.notes, clusters }
}

/// By cluster of the report, what one side has of it, and in how many shapes. `home` is the table of both sides: a shape may be
/// joined there and not here.
fn tallies(report: &Report, mut home: Table, side: Table) -> Vec<(Tally, u64)> {
    home.joined_keys();
    let clusters = report.clusters.iter().enumerate();
    let cluster_of: HashMap<u64, usize> =
        clusters.flat_map(|(at, cluster)| cluster.shapes.iter().map(move |shape| (*shape, at))).collect();
    let mut tallies = vec![(Tally::default(), 0); report.clusters.len()];
    for entry in side.finish() {
        if let Some(at) = cluster_of.get(&home.home(&entry.keys).0) {
            let (tally, shapes) = &mut tallies[*at];
            tally.merge(&entry.tally);
            *shapes += 1;
        }
    }
    tallies
}

/// The sum of all clusters; how many there are, and of how many shapes.
fn whole(tallies: &[(Tally, u64)]) -> (Tally, u64, u64) {
    let mut sum = Tally::default();
    tallies.iter().for_each(|(tally, _)| sum.merge(tally));
    let clusters = tallies.iter().filter(|(tally, _)| tally.events > 0).count() as u64;
    (sum, clusters, tallies.iter().map(|(_, shapes)| shapes).sum())
}

fn hours(whole: &Tally) -> Option<f64> {
    let (first, last) = whole.times.span()?;
    (last > first).then(|| last.abs_diff(first) as f64 / MS_PER_HOUR)
}

fn side_of(
    inputs: Vec<InputSummary>,
    set_aside: u64,
    shortened: u64,
    (whole, clusters, shapes): &(Tally, u64, u64),
    hours: Option<f64>,
) -> Side {
    let bytes = inputs.iter().map(|input| input.bytes).sum();
    let (lines, events) = (whole.lines + set_aside, whole.events);
    Side {
        inputs,
        totals: Totals { lines, events, clusters: *clusters, shapes: *shapes, set_aside, shortened, bytes },
        hours,
    }
}

fn counts_of(tally: &Tally, all: u64, per_hour: Option<f64>) -> Counts {
    Counts {
        lines: tally.lines,
        events: tally.events,
        share: if all == 0 { 0.0 } else { tally.events as f64 / all as f64 },
        per_hour,
        level: tally.levels.each().max_by_key(|(level, events)| (*events, *level)).map(|(level, _)| level),
        first_seen_ms: tally.times.span().map(|(first, _)| first),
        last_seen_ms: tally.times.span().map(|(_, last)| last),
    }
}

fn difference(cluster: &Cluster, judged: Judged, base: Counts, other: Counts) -> Difference {
    let level = if other.events > 0 { other.level } else { base.level };
    Difference {
        id: cluster.id.clone(),
        template: cluster.template.clone(),
        title: cluster.title.clone(),
        is_muted: cluster.is_muted,
        slots: cluster.slots.clone(),
        change: judged.change,
        is_finding: judged.is_finding,
        is_error: level.is_some_and(|level| level >= Level::Error)
            || cluster.examples.iter().any(|event| has_trace(event)),
        factor: judged.factor,
        p: judged.p,
        q: judged.q,
        base,
        other,
        examples: cluster.examples.clone(),
    }
}

/// What comes first.
fn rank(difference: &Difference) -> (u8, Reverse<bool>) {
    let rank = match difference.change {
        Change::New if difference.is_error => 0,
        Change::Same => 7,
        Change::Gone if !difference.is_finding => 6,
        _ if !difference.is_finding => 5,
        Change::New => 1,
        Change::More => 2,
        Change::Gone => 3,
        Change::Less => 4,
    };
    (rank, Reverse(difference.is_error))
}

/// How much of a side it takes more or less.
fn shift(difference: &Difference) -> f64 {
    (difference.other.share - difference.base.share).abs()
}
