//! logkin, as `logkin evaluate` runs it for accuracy, and a whole analysis for speed.

use std::path::Path;

use anyhow::Result;
use logkin_engine::{Input, Progress, Settings, analyze, evaluate, template::Template};

use super::Grouping;

/// Clusters messages, or raw lines with their headers.
pub(crate) fn label(lines: &[String], is_raw: bool) -> Grouping {
    let Settings { similarity, reference_time, .. } = Settings::default();
    let bytes = lines.iter().map(String::as_bytes);
    let labels = match is_raw {
        true => evaluate::label_lines(bytes, reference_time, similarity),
        false => evaluate::label_messages(bytes, similarity),
    };
    let texts: Vec<String> = labels.templates.iter().map(Template::text).collect();
    let templates = labels.clusters.iter().map(|cluster| texts[*cluster].clone()).collect();
    Grouping { groups: labels.clusters.into_iter().map(Some).collect(), templates }
}

/// Lines and clusters of a file.
pub(crate) fn count(path: &Path, threads: Option<usize>) -> Result<(usize, usize)> {
    let settings = Settings { threads, ..Settings::default() };
    let report = analyze(vec![Input::file(path)], &settings, &Progress::default(), None)?;
    Ok((report.totals.lines as usize, report.clusters.len()))
}
