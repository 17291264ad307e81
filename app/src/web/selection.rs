//! `Selection`: which clusters of a report are shown, in which order. Pure, and the same for pages, API and exports.

use std::cmp::{Ordering, Reverse};

use logkin_engine::{record::Level, report::Cluster};

use super::{error::WebError, query::Query};

/// The parameters a selection is read from.
pub const PARAMETERS: [&str; 8] = ["sort", "order", "q", "level", "muted", "similarity", "limit", "cursor"];

/// Clusters answered when no `limit` is given.
const DEFAULT_LIMIT: u64 = 100;
/// The largest `limit`.
const MAX_LIMIT: u64 = 1_000;

/// All levels, worst first.
pub const LEVELS: [Level; 7] =
    [Level::Fatal, Level::Error, Level::Warn, Level::Notice, Level::Info, Level::Debug, Level::Trace];

/// Which clusters, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// By what.
    pub sort: Sort,
    /// The other way round than is natural for it.
    pub is_reversed: bool,
    /// Text its template has to contain, whatever the case; empty for all.
    pub q: String,
    /// Its level; `Some(None)` for those without.
    pub level: Option<Option<Level>>,
    /// Whether those are shown too that a rule keeps out of lists.
    pub with_muted: bool,
    /// How alike the lines of a cluster are, in thousandths; `None` is as the analysis gave it.
    pub similarity: Option<u16>,
    /// How many.
    pub limit: usize,
    /// After how many.
    pub skip: usize,
}

/// What clusters are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Most first.
    Lines,
    /// Most first.
    Events,
    /// Worst first.
    Level,
    /// Earliest first.
    FirstSeen,
    /// Latest first.
    LastSeen,
    /// From A to Z.
    Template,
}

impl Sort {
    const ALL: [(&'static str, Self, &'static str); 7] = [
        ("lines", Self::Lines, "desc"),
        ("share", Self::Lines, "desc"),
        ("events", Self::Events, "desc"),
        ("level", Self::Level, "desc"),
        ("first_seen", Self::FirstSeen, "asc"),
        ("last_seen", Self::LastSeen, "desc"),
        ("template", Self::Template, "asc"),
    ];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    fn natural_order(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> (&'static str, Self, &'static str) {
        *Self::ALL.iter().find(|(_, sort, _)| *sort == self).expect("every sort has a name")
    }
}

impl Selection {
    /// Reads the parameters.
    pub fn of(query: &Query) -> Result<Self, WebError> {
        let asked = query.text("sort").unwrap_or("lines");
        let (minus, name) = asked.strip_prefix('-').map_or((false, asked), |name| (true, name));
        let Some((_, sort, _)) = Sort::ALL.iter().find(|(n, ..)| *n == name) else {
            return Err(query.wrong("sort", &Sort::ALL.map(|(n, ..)| n).join(", ")));
        };
        let order = match query.text("order") {
            Some(order @ ("asc" | "desc")) => order,
            Some(_) => return Err(query.wrong("order", "asc or desc")),
            None if minus => "desc",
            None => sort.natural_order(),
        };
        let level = match query.text("level") {
            None => None,
            Some("none") => Some(None),
            Some(name) => match LEVELS.iter().find(|level| level.name() == name) {
                Some(level) => Some(Some(*level)),
                None => return Err(query.wrong("level", &format!("{} or none", LEVELS.map(Level::name).join(", ")))),
            },
        };
        Ok(Self {
            sort: *sort,
            is_reversed: order != sort.natural_order(),
            q: query.text("q").unwrap_or_default().to_owned(),
            level,
            with_muted: match query.text("muted") {
                None | Some("hidden") => false,
                Some("shown") => true,
                Some(_) => return Err(query.wrong("muted", "shown or hidden")),
            },
            similarity: query.similarity()?,
            limit: usize::try_from(query.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?).expect("at most a thousand"),
            skip: usize::try_from(cursor(query)?).unwrap_or(usize::MAX),
        })
    }

    /// The clusters shown, and how many there are with those not shown.
    pub fn select<'a>(&self, clusters: &'a [Cluster]) -> (Vec<&'a Cluster>, usize) {
        let needle = self.q.to_lowercase();
        let fits = |cluster: &&Cluster| {
            (self.with_muted || !cluster.is_muted)
                && self.level.is_none_or(|level| cluster.level == level)
                && (needle.is_empty() || cluster.id.0 == self.q || reads(cluster, &needle))
        };
        let mut found: Vec<&Cluster> = clusters.iter().filter(fits).collect();
        if self.sort != Sort::Lines || self.is_reversed {
            found.sort_by(|a, b| self.compare(a, b));
        }
        let total = found.len();
        (found.into_iter().skip(self.skip).take(self.limit).collect(), total)
    }

    /// `asc` or `desc`, whichever it is.
    pub fn order(&self) -> &'static str {
        match (self.sort.natural_order(), self.is_reversed) {
            ("asc", false) | ("desc", true) => "asc",
            _ => "desc",
        }
    }

    /// The cursor of the next page, if there is one.
    pub fn next(&self, total: usize) -> Option<String> {
        let seen = self.skip.saturating_add(self.limit);
        (seen < total).then(|| format_cursor(seen as u64))
    }

    fn compare(&self, a: &Cluster, b: &Cluster) -> Ordering {
        // What has no time comes last, either way round.
        let timed = |a: Option<i64>, b: Option<i64>, natural: fn(i64, i64) -> Ordering| match (a, b) {
            (Some(a), Some(b)) => self.turn(natural(a, b)),
            (a, b) => a.is_none().cmp(&b.is_none()),
        };
        let order = match self.sort {
            Sort::Lines => self.turn(b.lines.cmp(&a.lines)),
            Sort::Events => self.turn(b.events.cmp(&a.events)),
            Sort::Level => self.turn(b.level.cmp(&a.level)),
            Sort::FirstSeen => timed(a.first_seen_ms, b.first_seen_ms, |a, b| a.cmp(&b)),
            Sort::LastSeen => timed(a.last_seen_ms, b.last_seen_ms, |a, b| b.cmp(&a)),
            Sort::Template => self.turn(a.template.cmp(&b.template)),
        };
        order.then_with(|| (Reverse(a.lines), &a.id).cmp(&(Reverse(b.lines), &b.id)))
    }

    fn turn(&self, order: Ordering) -> Ordering {
        if self.is_reversed { order.reverse() } else { order }
    }
}

/// Whether template or title of a cluster have the text, whatever the case.
fn reads(cluster: &Cluster, needle: &str) -> bool {
    let mut texts = [Some(&cluster.template), cluster.title.as_ref()].into_iter().flatten();
    texts.any(|text| text.to_lowercase().contains(needle))
}

/// How many items a cursor skips; 0 without one. Reports do not change, so a place in one is a number.
pub fn cursor(query: &Query) -> Result<u64, WebError> {
    let Some(text) = query.text("cursor") else { return Ok(0) };
    let number = text.strip_prefix('c').and_then(|hex| u64::from_str_radix(hex, 16).ok());
    number.ok_or_else(|| query.wrong("cursor", "the `next` of an earlier answer"))
}

/// The cursor that skips this many items.
pub fn format_cursor(skip: u64) -> String {
    format!("c{skip:x}")
}
