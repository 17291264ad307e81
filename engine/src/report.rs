//! `Report`: the engine's only serialised form, shared by the command line, the API and the store.

mod keys;
mod over_time;
pub(crate) mod arrange;
pub(crate) mod hierarchy;
pub(crate) mod assemble;
pub mod explain;

use serde::{Deserialize, Serialize};

pub use crate::tally::Levels;
use crate::{
    Settings,
    format::{Layout, WAYS},
    record::Level,
    template::{ClusterId, Kind},
};
pub use hierarchy::Hierarchy;
pub use over_time::OverTime;

/// The result of one analysis. Counts close: `totals.lines` = the lines of all clusters + `totals.set_aside`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Form of this type; a reader refuses a newer one.
    pub version: u32,
    /// How alike the shapes of a cluster are, see [`crate::Settings::similarity`].
    #[serde(default = "default_similarity")]
    pub similarity: f64,
    /// What was read, in the order given; after that the members of archives, in the order in which they were found. An
    /// archive itself has no lines.
    pub inputs: Vec<InputSummary>,
    /// Sums over all inputs.
    pub totals: Totals,
    /// What limits the report as a whole, for a person, with what was done about it. Empty when all is well; what is wrong
    /// with one input is in its summary.
    #[serde(default)]
    pub problems: Vec<String>,
    /// What is worth knowing of the report as a whole though nothing is wrong, for a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Lines in no cluster, by reason; their sum is `totals.set_aside`.
    pub set_aside: Vec<SetAside>,
    /// The corrections that were applied; `None` when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesUsed>,
    /// Events over time, over the whole report; `None` when no line had a time.
    pub histogram: Option<Histogram>,
    /// Fields that lines of JSON and logfmt have beside time, level and message, most lines first; at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// Most lines first, ties by id.
    pub clusters: Vec<Cluster>,
}

/// What one input held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSummary {
    /// As given; of a member of an archive that of the archive, a slash, and its path in it.
    pub name: String,
    /// Bytes of text, after decompression and as UTF-8.
    pub bytes: u64,
    /// Lines read.
    pub lines: u64,
    /// How it was packed, outermost first: `gzip`, `zstd`, `bzip2`, `xz`, `lz4`, `tar`, `zip`.
    pub packing: Vec<String>,
    /// The encoding it was decoded from, by its name in the Encoding Standard, or `UTF-32LE`, `UTF-32BE`; `None` is UTF-8,
    /// which is taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// How its lines begin, most lines first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<FormatShare>,
    /// What was wrong with it, for a person, with what was done about it. Empty when all was well.
    pub problems: Vec<String>,
    /// What is worth knowing of it though nothing is wrong, for a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One way in which lines of an input begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatShare {
    /// Fields in braces, as `{time} {level} [{thread}] {message}`, which is also what [`crate::Settings::line_format`] takes; or
    /// `json`, `logfmt`, `klog`, `cri` (what container runtimes write down of a program, by its own header; Docker's objects
    /// too), `other` (another header that was read line by line), `plain` (no header), `w3c` (requests in a
    /// table that says itself what its columns are, as IIS writes them).
    pub form: String,
    /// Lines read so.
    pub lines: u64,
}

/// A field that lines have beside time, level and message: of JSON and logfmt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name; names of the objects around it before it, with dots between them. At most 120 bytes of it.
    pub name: String,
    /// Lines that have it.
    pub lines: u64,
    /// Distinct values; an estimate unless `complete`.
    pub distinct: u64,
    /// Whether all values were counted: there are no more than 256.
    pub complete: bool,
    /// The most frequent values, at most 10; empty unless `complete`.
    pub values: Vec<ColumnValue>,
}

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnValue {
    /// At most 120 bytes of it, as written; control characters included: escape before showing.
    pub value: String,
    /// Lines that have it.
    pub lines: u64,
}

/// Sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Lines read.
    pub lines: u64,
    /// Events, each of one line or more.
    pub events: u64,
    /// Clusters.
    pub clusters: u64,
    /// Distinct shapes.
    pub shapes: u64,
    /// Lines in no cluster.
    pub set_aside: u64,
    /// Lines longer than the bound, of which only the beginning was looked at.
    pub shortened: u64,
    /// Bytes of text.
    pub bytes: u64,
}

/// Lines in no cluster, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Why, for a person: `blank`, `binary data`.
    pub reason: String,
    /// How many.
    pub lines: u64,
    /// Key of these lines in the recording, as [`Cluster::shapes`] are of a cluster's.
    #[serde(with = "keys::one")]
    pub shape: u64,
}

/// The corrections that were applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesUsed {
    /// What they were read from.
    pub file: String,
    /// The same for the same text, see [`crate::Rules::hash`].
    pub hash: String,
    /// Each rule, in the order written.
    pub rules: Vec<RuleUsed>,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleUsed {
    /// As given, or `rule 3`.
    pub name: String,
    /// `mask`, `ignore`, `merge`, `split`, `rename`, `mute`.
    pub action: String,
    /// Lines that it touched: masked something in, set aside, or that have a shape it is about. A rule with none is a problem
    /// of the report.
    pub lines: u64,
}

/// Events in equal steps of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Start of the first step, milliseconds since the epoch, a multiple of `step_ms`.
    pub start_ms: i64,
    /// Length of a step in milliseconds.
    pub step_ms: i64,
    /// Events in each step; no more than a few hundred steps.
    pub counts: Vec<u64>,
}

/// One kind of line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Depends on the template only.
    pub id: ClusterId,
    /// Slots as `<*>`.
    pub template: String,
    /// What a rule shows it as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether a rule keeps it out of lists. It is counted all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_muted: bool,
    /// What stands in each slot, in order.
    pub slots: Vec<Kind>,
    /// Lines.
    pub lines: u64,
    /// Events.
    pub events: u64,
    /// `lines` / the report's lines, from 0 to 1.
    pub share: f64,
    /// The level most of its events name; the worse one of equals.
    pub level: Option<Level>,
    /// Events by level.
    pub levels: Levels,
    /// Earliest and latest time, milliseconds since the epoch.
    pub first_seen_ms: Option<i64>,
    /// See `first_seen_ms`.
    pub last_seen_ms: Option<i64>,
    /// Events over time, in the steps of the report's histogram; empty when the report has none.
    pub over_time: OverTime,
    /// A few of its first lines, at most 1 KiB of each, control characters included: escape before showing.
    pub examples: Vec<String>,
    /// Keys of its shapes in the recording, ascending.
    #[serde(with = "keys")]
    pub shapes: Vec<u64>,
}

impl RulesUsed {
    /// The rules that matched nothing.
    pub fn idle(&self) -> impl Iterator<Item = &RuleUsed> {
        self.rules.iter().filter(|rule| rule.lines == 0)
    }

    /// Whether a problem of the report says that a rule matched nothing.
    pub fn is_about_idle(&self, problem: &str) -> bool {
        problem.strip_prefix(&self.file).is_some_and(|rest| rest.starts_with(':') && rest.ends_with(IDLE))
    }
}

/// What is told of a rule that matched nothing.
const IDLE: &str = "matches nothing in this log; correct or remove it";

impl InputSummary {
    /// Counts lines by the ways in which they were read.
    pub(crate) fn count_formats(&mut self, layout: &Layout, ways: &[u64; WAYS]) {
        for (form, lines) in layout.names().zip(ways).filter(|(_, lines)| **lines > 0) {
            match self.formats.iter_mut().find(|share| share.form == form) {
                Some(share) => share.lines += lines,
                None => self.formats.push(FormatShare { form, lines: *lines }),
            }
        }
        self.formats.sort_by(|a, b| (b.lines, &a.form).cmp(&(a.lines, &b.form)));
    }

    /// Of an input of which nothing is read yet.
    pub(crate) fn of(name: String) -> Self {
        let (packing, formats, problems, notes) = Default::default();
        Self { name, bytes: 0, lines: 0, packing, encoding: None, formats, problems, notes }
    }
}

/// Of reports that do not tell.
fn default_similarity() -> f64 {
    Settings::default().similarity
}
