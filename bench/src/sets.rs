//! Labelled sets: lines to group and what is true of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use logkin_engine::evaluate;

use crate::worker;

/// A labelled log.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) name: String,
    /// True templates, one per line.
    pub(crate) truth: Vec<String>,
    /// The messages alone, one per line.
    pub(crate) messages: PathBuf,
    /// The whole lines, if there is a log beside the labels.
    pub(crate) raw: Option<PathBuf>,
}

/// Reads labels, and writes their messages as lines below `folder`.
pub(crate) fn read(path: &Path, folder: &Path) -> Result<Set> {
    let at = || path.display().to_string();
    let truth = evaluate::read_truth(fs::File::open(path).with_context(at)?).with_context(at)?;
    ensure!(
        truth.contents.len() == truth.templates.len(),
        "{}: no column Content; expected labels as Loghub has them",
        at()
    );
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(".csv").unwrap_or(&name);
    let name = name.strip_suffix(".truth").unwrap_or(name).to_owned();
    let messages = folder.join(format!("{name}.messages"));
    let lines = truth.contents.iter().map(|line| line.replace(['\r', '\n'], " ") + "\n");
    fs::write(&messages, lines.collect::<String>()).with_context(at)?;
    let raw = path.with_file_name(format!("{name}.log"));
    let raw = raw.exists().then_some(raw);
    if let Some(raw) = &raw {
        let lines = worker::read(raw)?.len();
        ensure!(lines == truth.templates.len(), "{}: {lines} lines, but {} labels", at(), truth.templates.len());
    }
    Ok(Set { name, truth: truth.templates, messages, raw })
}
