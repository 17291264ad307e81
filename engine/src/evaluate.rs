//! GA, FGA, PA, FTA of a labelling against ground truth, as defined by Loghub-2.0 (Jiang et al., ISSTA 2024), and the
//! reading of files with such truth.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    hash::Hash,
    io::{self, Read},
    sync::Arc,
};

use crate::{
    Settings,
    cluster::{self, Group, Weighted},
    format::{self, Layout},
    report::arrange,
    rules::reading::{Corrections, set_aside_by},
    shape::Shaper,
    template::Template,
};

/// Texts that mean "no template": what the reference scripts read as missing.
const MISSING: [&str; 11] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "n/a", "#N/A", "<NA>"];

/// Scores from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Group accuracy: share of lines in exactly right groups.
    pub ga: f64,
    /// F1 of exactly right groups.
    pub fga: f64,
    /// Share of lines with exactly the right template.
    pub pa: f64,
    /// F1 of right templates.
    pub fta: f64,
}

/// A labelled file: one entry per line, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// The messages without their headers; empty when the file has no such column.
    pub contents: Vec<String>,
    /// The template of each line, variables as `<*>`.
    pub templates: Vec<String>,
}

/// What a clustering says of the same lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// The cluster of each line: a position in `templates`.
    pub clusters: Vec<usize>,
    /// The templates of the clusters.
    pub templates: Vec<Template>,
}

/// Why a file with truth could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The bytes could not be read, or are no CSV.
    #[error("not readable as CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The column that it is about is missing.
    #[error("no column EventTemplate; expected labels as Loghub has them, with the columns Content and EventTemplate")]
    NoTemplates,
    /// A row is not as long as the header.
    #[error(
        "{cells} cells where the header has {columns}; expected as many in each row, with quotes around what has commas"
    )]
    Row {
        /// Where it begins, from 1.
        line: u64,
        /// How many it has.
        cells: usize,
        /// How many the header has.
        columns: usize,
    },
    /// A cell goes on to the end of the file.
    #[error("a quote of this row is never closed; expected one at the end of the cell, and two for one inside of it")]
    Quote {
        /// Where the row begins, from 1.
        line: u64,
    },
    /// The bytes could not be opened.
    #[error("cannot be opened: {0}")]
    Open(#[from] io::Error),
}

impl TruthError {
    /// The line of the file that it is about, from 1.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Row { line, .. } | Self::Quote { line } => Some(*line),
            Self::Csv(error) => error.position().map(csv::Position::line),
            Self::NoTemplates | Self::Open(_) => None,
        }
    }
}

/// A cell that no file has: what is read last, unless a quote before it is never closed.
const END: &[u8] = b"\x01end\x01";

/// Reads Loghub-style labels: CSV with a header line, column `EventTemplate`, and `Content` if there is one.
pub fn read_truth(reader: impl Read) -> Result<Truth, TruthError> {
    let end = [b"\n", END, b"\n"].concat();
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(reader.chain(io::Cursor::new(end)));
    let header = csv.byte_headers()?.clone();
    let column = |name: &str| {
        header.iter().position(|cell| cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell) == name.as_bytes())
    };
    let template = column("EventTemplate").ok_or(TruthError::NoTemplates)?;
    let content = column("Content");
    let mut truth = Truth::default();
    for row in csv.byte_records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.len() == 1 && &row[0] == END {
            return Ok(truth);
        }
        if row.iter().next_back().is_some_and(|cell| cell.windows(END.len()).any(|text| text == END)) {
            return Err(TruthError::Quote { line });
        }
        if row.len() != header.len() {
            return Err(TruthError::Row { line, cells: row.len(), columns: header.len() });
        }
        let cell = |i: usize| String::from_utf8_lossy(row.get(i).unwrap_or(b"")).into_owned();
        truth.templates.push(cell(template));
        truth.contents.extend(content.map(cell));
    }
    Ok(truth)
}

/// Clusters messages that have no header: both phases, in memory.
pub fn label_messages<'a>(messages: impl IntoIterator<Item = &'a [u8]>, similarity: f64) -> Labels {
    label_messages_with(messages, &Settings { similarity, ..Settings::default() })
}

/// The same with all settings that say what is grouped: similarity and rules. What rules ignore is a group of its own, for
/// each of them, with an empty template.
pub fn label_messages_with<'a>(messages: impl IntoIterator<Item = &'a [u8]>, settings: &Settings) -> Labels {
    let mut shaper = Shaper::default();
    let mut corrections = settings.rules.as_ref().and_then(Corrections::of);
    let mut keys: HashMap<Box<[u8]>, usize> = HashMap::new();
    let mut lines = Vec::new();
    let mut weights: Vec<u64> = Vec::new();
    for message in messages {
        let shape = match &mut corrections {
            None => shaper.shape(message),
            Some(corrections) => corrections.shape(&mut shaper, message),
        };
        let key = match keys.get(shape) {
            Some(key) => *key,
            None => {
                keys.insert(shape.into(), weights.len());
                weights.push(0);
                weights.len() - 1
            }
        };
        weights[key] += 1;
        lines.push(key);
    }
    let mut shapes: Vec<(&[u8], usize)> = keys.iter().map(|(shape, key)| (&**shape, *key)).collect();
    shapes.sort_unstable();
    // What is set aside begins with a line feed; so it is in front, or at least no shape is.
    let (aside, shapes): (Vec<_>, Vec<_>) = shapes.into_iter().partition(|(shape, _)| set_aside_by(shape).is_some());
    let weighted: Vec<Weighted<'_>> =
        shapes.iter().map(|(shape, key)| Weighted { shape, events: weights[*key] }).collect();
    let mut cluster_of = vec![0; keys.len()];
    let mut templates = Vec::new();
    for (_, key) in aside {
        cluster_of[key] = templates.len();
        templates.push(Template::new([]));
    }
    for group in groups(&weighted, settings) {
        for member in group.members {
            cluster_of[shapes[member].1] = templates.len();
        }
        templates.push(group.template);
    }
    Labels { clusters: lines.into_iter().map(|key| cluster_of[key]).collect(), templates }
}

fn groups(shapes: &[Weighted<'_>], settings: &Settings) -> Vec<Group> {
    let Some(rules) = &settings.rules else { return cluster::cluster(shapes, settings.similarity) };
    let texts: Vec<Cow<'_, str>> = shapes.iter().map(|s| String::from_utf8_lossy(s.shape)).collect();
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    let weighted: Vec<(&str, u64)> = texts.iter().zip(shapes).map(|(text, shape)| (*text, shape.events)).collect();
    let tree = cluster::dendrogram(&weighted, settings.similarity < cluster::ALIKE);
    let subjects = arrange::subjects(&tree, &texts, rules, settings.similarity);
    let (arranged, _) = arrange::arrange(&tree, &texts, rules, &subjects, settings.similarity);
    arranged.into_iter().map(|arranged| arranged.group).collect()
}

/// Clusters raw lines: their headers are read and left out.
pub fn label_lines<'a>(lines: impl IntoIterator<Item = &'a [u8]>, reference_time: i64, similarity: f64) -> Labels {
    label_lines_with(lines, &Settings { reference_time, similarity, ..Settings::default() })
}

/// The same with all settings that say what is grouped, as [`label_messages_with`].
pub fn label_lines_with<'a>(lines: impl IntoIterator<Item = &'a [u8]>, settings: &Settings) -> Labels {
    let reference_time = settings.reference_time;
    let lines: Vec<&[u8]> = lines.into_iter().collect();
    let mut reader = format::Reader::default();
    reader.begin(&Arc::new(Layout::vote(lines.iter().copied(), reference_time)), reference_time);
    let messages: Vec<Vec<u8>> = lines.into_iter().map(|line| reader.read(line).message.to_vec()).collect();
    label_messages_with(messages.iter().map(Vec::as_slice), settings)
}

/// Scores clusters and templates, one of each per line, against the truth; `None` when the lengths differ or there is
/// no line. Lines without a true template do not count, but for PA, where they are wrong.
pub fn score<G: Hash + Eq, T: Hash + Eq + AsRef<str>>(truth: &[T], clusters: &[G], templates: &[T]) -> Option<Scores> {
    if truth.is_empty() || truth.len() != clusters.len() || truth.len() != templates.len() {
        return None;
    }
    let kept: Vec<usize> = (0..truth.len()).filter(|i| !MISSING.contains(&truth[*i].as_ref())).collect();
    let mut truth_sizes: HashMap<&str, usize> = HashMap::new();
    let mut cluster_sizes: HashMap<&G, usize> = HashMap::new();
    let mut pairs: HashMap<(&str, &G), usize> = HashMap::new();
    let mut truths_of: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut right_lines = 0;
    for i in &kept {
        let (true_template, cluster, template) = (truth[*i].as_ref(), &clusters[*i], templates[*i].as_ref());
        *truth_sizes.entry(true_template).or_default() += 1;
        *cluster_sizes.entry(cluster).or_default() += 1;
        *pairs.entry((true_template, cluster)).or_default() += 1;
        truths_of.entry(template).or_default().insert(true_template);
        right_lines += usize::from(true_template == template);
    }
    let exact: Vec<usize> = pairs
        .iter()
        .filter(|((template, cluster), lines)| truth_sizes[template] == **lines && cluster_sizes[cluster] == **lines)
        .map(|(_, lines)| *lines)
        .collect();
    let right_templates =
        truths_of.iter().filter(|(template, truths)| truths.len() == 1 && truths.contains(*template)).count();
    Some(Scores {
        ga: ratio(exact.iter().sum(), kept.len()),
        fga: ratio(2 * exact.len(), cluster_sizes.len() + truth_sizes.len()),
        pa: ratio(right_lines, truth.len()),
        fta: ratio(2 * right_templates, truths_of.len() + truth_sizes.len()),
    })
}

/// A ratio; 0 of nothing.
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
