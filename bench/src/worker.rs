//! One tool on one file in this process, so that its time and memory are its own. `label.py` is the same for Python.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::tools::{self, Grouping, Online};

/// The last line a worker prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Of the tool.
    pub(crate) version: String,
    /// Lines read.
    pub(crate) lines: usize,
    /// Distinct groups; no group counts as one.
    pub(crate) groups: usize,
    /// Most memory the process had.
    pub(crate) peak_kib: u64,
}

/// `TOOL CONFIGURATION LINES [LABELS]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [tool, configuration, path, labels @ ..] = arguments else { bail!("a tool, a configuration and a file") };
    let (path, labels) = (Path::new(path), labels.first().map(Path::new));
    let is_masked = configuration == "masks";
    let (lines, groups) = match (tool.as_str(), labels) {
        ("logkin", None) => tools::logkin::count(path, (configuration == "one-thread").then_some(1))?,
        ("logkin", Some(_)) => all_at_once(tools::logkin::label(&read(path)?, configuration == "lines"), labels)?,
        ("tipping", _) => all_at_once(tools::tipping::label(&read(path)?, labels.is_some()), labels)?,
        ("logdrain", _) => one_by_one(tools::logdrain::miner(is_masked)?, path, labels)?,
        ("drain3", _) => one_by_one(tools::drain3::matcher(is_masked, labels.is_some()), path, labels)?,
        _ => bail!("no tool is called {tool}"),
    };
    let package = match tool.as_str() {
        "tipping" => "tipping-rs",
        "logkin" => "logkin-engine",
        name => name,
    };
    let answer = Answer { version: tools::version(package).into(), lines, groups, peak_kib: peak_kib()? };
    println!("{}", serde_json::to_string(&answer)?);
    Ok(())
}

fn all_at_once(grouping: Grouping, labels: Option<&Path>) -> Result<(usize, usize)> {
    if let Some(labels) = labels {
        write(labels, &grouping)?;
    }
    Ok((grouping.groups.len(), grouping.groups.iter().collect::<HashSet<_>>().len()))
}

fn one_by_one(mut tool: impl Online, path: &Path, labels: Option<&Path>) -> Result<(usize, usize)> {
    let (mut groups, mut ids, mut count) = (HashSet::new(), Vec::new(), 0);
    for line in lines(path)? {
        let id = tool.add(&line?)?;
        groups.insert(id);
        ids.extend(labels.is_some().then_some(id));
        count += 1;
    }
    if let Some(labels) = labels {
        let texts = tool.templates();
        let templates = ids.iter().map(|id| texts.get(id).cloned().unwrap_or_default()).collect();
        write(labels, &Grouping { groups: ids.into_iter().map(Some).collect(), templates })?;
    }
    Ok((count, groups.len()))
}

/// All lines of a file, as [`lines`].
pub(crate) fn read(path: &Path) -> Result<Vec<String>> {
    lines(path)?.collect()
}

/// The lines of a file without their ends; bytes that are no UTF-8 are replaced.
fn lines(path: &Path) -> Result<impl Iterator<Item = Result<String>>> {
    let file = fs::File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
    Ok(BufReader::with_capacity(1 << 20, file).split(b'\n').map(|line| {
        let mut line = line?;
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(String::from_utf8(line).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }))
}

fn write(path: &Path, grouping: &Grouping) -> Result<()> {
    let mut csv = csv::Writer::from_path(path)?;
    csv.write_record(["cluster", "template"])?;
    for (group, template) in grouping.groups.iter().zip(&grouping.templates) {
        csv.write_record([group.map_or_else(String::new, |id| id.to_string()).as_str(), template])?;
    }
    Ok(csv.flush()?)
}

fn peak_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("peak memory is told by Linux only")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in the status")?;
    Ok(line.split_whitespace().next().context("no figure in VmHWM")?.parse()?)
}
