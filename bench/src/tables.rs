//! What was found, as Markdown.

use std::{collections::BTreeSet, path::Path};

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

/// Averages of all scores, then each score by set.
pub(crate) fn accuracy(title: &str, rows: &[Accuracy]) {
    if rows.is_empty() {
        return;
    }
    let mut tools: Vec<&str> = rows.iter().map(|row| row.tool).collect();
    tools.dedup();
    let sets: BTreeSet<&str> = rows.iter().map(|row| row.set.as_str()).collect();
    println!(
        "\n## {title}: average over {} sets\n\n| tool | GA | FGA | PA | FTA | lowest GA |\n|---|---|---|---|---|---|",
        sets.len()
    );
    for tool in &tools {
        let mine: Vec<&Scores> = rows.iter().filter(|row| row.tool == *tool).map(|row| &row.scores).collect();
        let mean = |of: fn(&Scores) -> f64| mine.iter().map(|s| of(s)).sum::<f64>() / mine.len() as f64;
        let lowest = mine.iter().map(|s| s.ga).fold(1.0, f64::min);
        let cells = METRICS.map(|(_, of)| format!("{:.3}", mean(of)));
        println!("| {tool} | {} | {lowest:.3} |", cells.join(" | "));
    }
    for (name, of) in METRICS {
        println!(
            "\n### {title}: {name} by set\n\n| set | {} |\n|---{}|",
            tools.join(" | "),
            "|---".repeat(tools.len())
        );
        for set in &sets {
            let cells = rows.iter().filter(|row| row.set == *set).map(|row| format!("{:.3}", of(&row.scores)));
            println!("| {set} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
    println!("\n### {title}: groups by set\n\n| set | {} |\n|---{}|", tools.join(" | "), "|---".repeat(tools.len()));
    for set in &sets {
        let cells = rows.iter().filter(|row| row.set == *set).map(|row| row.groups.to_string());
        println!("| {set} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

/// Lines per second and memory.
pub(crate) fn speed(log: &Path, rows: &[Speed]) {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    println!(
        "\n## Speed and memory: {name}\n\n| tool | lines | seconds | lines/s | peak MiB | groups |\n|---|---|---|---|---|---|"
    );
    for Speed { tool, answer, seconds } in rows {
        println!(
            "| {tool} | {} | {seconds:.2} | {:.0} | {} | {} |",
            answer.lines,
            answer.lines as f64 / seconds,
            answer.peak_kib / 1024,
            answer.groups
        );
    }
}

/// What ran.
pub(crate) fn versions<'v>(entries: impl Iterator<Item = (&'static str, Option<&'v String>)>) {
    println!("\n## Versions\n");
    for (name, version) in entries {
        println!("- {name}: {}", version.map_or("did not run", String::as_str));
    }
}
