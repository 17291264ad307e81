//! `logkin evaluate`: how well the clusters agree with labels made by people.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use logkin_engine::{
    Settings,
    evaluate::{self, Labels, Scores, Truth, TruthError},
};
use serde_json::json;

use super::cluster::quiet_on_broken_pipe;
use crate::{cli::Evaluate, config, output};

pub(super) fn run(flags: &Evaluate) -> anyhow::Result<u8> {
    let rules = flags.grouping.rules.as_deref().map(config::rules).transpose()?;
    let settings = Settings { similarity: flags.grouping.similarity, rules, ..Settings::default() };
    let rows = flags
        .truth
        .iter()
        .map(|path| one(path, flags.raw, &settings).map_err(|error| at(path, error)))
        .collect::<anyhow::Result<Vec<Row>>>()?;
    let mut out = output::stdout();
    let written = if flags.json { write_json(&rows, &mut *out) } else { write_table(&rows, &mut *out) };
    quiet_on_broken_pipe(written.and_then(|()| out.flush()))?;
    Ok(0)
}

/// The error, with the file and the line of it that it is about.
fn at(path: &Path, error: anyhow::Error) -> anyhow::Error {
    let line = error.downcast_ref::<TruthError>().and_then(TruthError::line);
    let line = line.map_or_else(String::new, |line| format!(":{line}"));
    error.context(format!("{}{line}", path.display()))
}

/// One labelled file and what we make of it.
struct Row {
    name: String,
    lines: usize,
    groups: usize,
    scores: Scores,
}

fn one(path: &Path, raw: bool, settings: &Settings) -> anyhow::Result<Row> {
    let truth = evaluate::read_truth(fs::File::open(path).context("cannot be opened")?)?;
    let name = stem(path);
    let labels = match raw {
        true => label_raw(&raw_beside(path, &name), &truth, settings)?,
        false => label_contents(&truth, settings)?,
    };
    let texts: Vec<String> = labels.templates.iter().map(logkin_engine::template::Template::text).collect();
    let templates: Vec<&str> = labels.clusters.iter().map(|cluster| texts[*cluster].as_str()).collect();
    let truths: Vec<&str> = truth.templates.iter().map(String::as_str).collect();
    let scores = evaluate::score(&truths, &labels.clusters, &templates).context("has no line to score")?;
    Ok(Row { name, lines: truths.len(), groups: texts.len(), scores })
}

fn label_contents(truth: &Truth, settings: &Settings) -> anyhow::Result<Labels> {
    if truth.contents.len() != truth.templates.len() {
        bail!("no column Content; expected the messages there, or `--raw` and the log beside the labels");
    }
    let messages = truth.contents.iter().map(String::as_bytes);
    Ok(evaluate::label_messages_with(messages, settings))
}

fn label_raw(log: &Path, truth: &Truth, settings: &Settings) -> anyhow::Result<Labels> {
    let bytes = fs::read(log).with_context(|| format!("{}: cannot be read", log.display()))?;
    let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let lines: Vec<&[u8]> = body.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    if lines.len() != truth.templates.len() {
        bail!("{}: {} lines, but {} labels", log.display(), lines.len(), truth.templates.len());
    }
    Ok(evaluate::label_lines_with(lines, settings))
}

/// `Some.truth.csv` and `Some.csv` are about `Some`.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".csv").unwrap_or(&name);
    name.strip_suffix(".truth").unwrap_or(name).to_owned()
}

fn raw_beside(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(format!("{name}.log"))
}

fn write_table(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max("average".len());
    writeln!(
        out,
        "{:width$}  {:>8}  {:>6}  {:>6}  {:>6}  {:>6}  {:>6}",
        "", "lines", "groups", "GA", "FGA", "PA", "FTA"
    )?;
    for Row { name, lines, groups, scores: Scores { ga, fga, pa, fta } } in rows {
        writeln!(out, "{name:width$}  {lines:>8}  {groups:>6}  {ga:.4}  {fga:.4}  {pa:.4}  {fta:.4}")?;
    }
    if rows.len() > 1 {
        let Scores { ga, fga, pa, fta } = average(rows);
        writeln!(out, "{:width$}  {:>8}  {:>6}  {ga:.4}  {fga:.4}  {pa:.4}  {fta:.4}", "average", "", "")?;
    }
    Ok(())
}

fn write_json(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let scores = |s: Scores| json!({"GA": s.ga, "FGA": s.fga, "PA": s.pa, "FTA": s.fta});
    let files: Vec<_> = rows
        .iter()
        .map(|row| json!({"name": row.name, "lines": row.lines, "groups": row.groups, "scores": scores(row.scores)}))
        .collect();
    serde_json::to_writer(&mut *out, &json!({"files": files, "average": scores(average(rows))}))?;
    writeln!(out)
}

/// The unweighted mean over the files.
fn average(rows: &[Row]) -> Scores {
    let mean = |of: fn(&Scores) -> f64| rows.iter().map(|row| of(&row.scores)).sum::<f64>() / rows.len() as f64;
    Scores { ga: mean(|s| s.ga), fga: mean(|s| s.fga), pa: mean(|s| s.pa), fta: mean(|s| s.fta) }
}
