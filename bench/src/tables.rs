//! What was found, as Markdown.

use std::collections::BTreeSet;

use logkin_engine::evaluate::Scores;

use crate::worker::Answer;

/// A tool on a set.
#[derive(Debug)]
pub(crate) struct Accuracy {
    pub(crate) tool: &'static str,
    pub(crate) set: String,
    pub(crate) groups: usize,
    pub(crate) scores: Scores,
}

/// A tool on a large log.
#[derive(Debug)]
pub(crate) struct Speed {
    pub(crate) tool: String,
    pub(crate) answer: Answer,
    /// From the start of the process to its end.
    pub(crate) seconds: f64,
}

/// A score, by its name.
type Metric = (&'static str, fn(&Scores) -> f64);

const METRICS: [Metric; 4] = [("GA", |s| s.ga), ("FGA", |s| s.fga), ("PA", |s| s.pa), ("FTA", |s| s.fta)];

/// A table with what it is called, here and in a page that quotes it.
#[derive(Debug)]
pub(crate) struct Section {
    name: String,
    title: String,
    table: String,
}

impl Section {
    fn new(title: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Self {
        let name = title.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
        let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        rows.into_iter().for_each(|cells| table += &format!("| {} |\n", cells.join(" | ")));
        Self { name, title: title.into(), table }
    }

    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        format!("\n## {}\n\n{}", self.title, self.table)
    }

    /// The page with this table between `<!-- NAME -->` and `<!-- end -->`, if it has such a place.
    pub(crate) fn put_into(&self, page: &str) -> String {
        let begin = format!("<!-- {} -->\n", self.name);
        let Some((before, rest)) = page.split_once(&begin) else { return page.into() };
        let after = rest.split_once("<!-- end -->").map_or("", |(_, after)| after);
        format!("{before}{begin}\n{}\n<!-- end -->{after}", self.table)
    }
}

/// Averages of all scores, then each score by set.
pub(crate) fn accuracy(title: &str, rows: &[Accuracy]) -> Vec<Section> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut tools: Vec<&str> = rows.iter().map(|row| row.tool).collect();
    tools.dedup();
    let sets: BTreeSet<&str> = rows.iter().map(|row| row.set.as_str()).collect();
    let average = tools.iter().map(|tool| {
        let mine: Vec<&Scores> = rows.iter().filter(|row| row.tool == *tool).map(|row| &row.scores).collect();
        let mean = |of: fn(&Scores) -> f64| mine.iter().map(|s| of(s)).sum::<f64>() / mine.len() as f64;
        let lowest = mine.iter().map(|s| s.ga).fold(1.0, f64::min);
        let means = METRICS.iter().map(|(_, of)| digits(mean(*of)));
        std::iter::once((*tool).to_owned()).chain(means).chain([digits(lowest)]).collect()
    });
    let head = ["tool", "GA", "FGA", "PA", "FTA", "lowest GA"];
    let mut sections = vec![Section::new(&format!("{title} average"), &head, average)];
    let by_set = |name: &str, cell: &dyn Fn(&Accuracy) -> String| {
        let head: Vec<&str> = std::iter::once("set").chain(tools.iter().copied()).collect();
        let rows = sets.iter().map(|set| {
            let cells = rows.iter().filter(|row| row.set == *set).map(cell);
            std::iter::once((*set).to_owned()).chain(cells).collect()
        });
        Section::new(&format!("{title} {name}"), &head, rows)
    };
    sections.extend(METRICS.map(|(name, of)| by_set(name, &|row| digits(of(&row.scores)))));
    sections.push(by_set("groups", &|row| row.groups.to_string()));
    sections
}

/// All scores of the first tool, on messages and raw lines.
pub(crate) fn own(messages: &[Accuracy], raw: &[Accuracy]) -> Option<Section> {
    let tool = messages.first()?.tool;
    let rows = messages.iter().filter(|row| row.tool == tool).map(|row| {
        let raw = raw.iter().find(|other| (other.tool, &other.set) == (tool, &row.set));
        let scores = [Some(row), raw].into_iter().flatten().map(|row| &row.scores);
        let cells = scores.flat_map(|scores| METRICS.map(|(_, of)| digits(of(scores))));
        std::iter::once(row.set.clone()).chain(cells).collect()
    });
    let head = ["set", "GA", "FGA", "PA", "FTA", "raw GA", "raw FGA", "raw PA", "raw FTA"];
    Some(Section::new(&format!("{tool} by set"), &head, rows))
}

/// Lines per second and memory.
pub(crate) fn speed(rows: &[Speed]) -> Section {
    let rows = rows.iter().map(|Speed { tool, answer, seconds }| {
        let per_second = format!("{:.0}", answer.lines as f64 / seconds);
        let (lines, groups) = (answer.lines.to_string(), answer.groups.to_string());
        vec![tool.clone(), lines, format!("{seconds:.2}"), per_second, (answer.peak_kib / 1024).to_string(), groups]
    });
    Section::new("Speed and memory", &["tool", "lines", "seconds", "lines/s", "peak MiB", "groups"], rows)
}

/// What ran.
pub(crate) fn versions<'v>(entries: impl Iterator<Item = (&'static str, Option<&'v String>)>) -> Section {
    let rows = entries.map(|(name, version)| vec![name.into(), version.map_or("did not run".into(), String::clone)]);
    Section::new("Versions", &["tool", "version"], rows)
}

fn digits(score: f64) -> String {
    format!("{score:.3}")
}
