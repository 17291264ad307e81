//! Starts a process for each tool and input, one after the other, and collects what they answer.

use std::{
    collections::HashMap,
    env, fs,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use logkin_engine::evaluate::{self, Scores};

use crate::{
    Arguments, masks,
    sets::{self, Set},
    tables::{self, Accuracy, Speed},
    tools::{ENTRIES, Entry},
    worker::Answer,
};

/// Runs of a tool on a large log; the best counts.
const RUNS: usize = 3;

/// Seconds after which a run is not repeated.
const LONG: f64 = 5.0;

/// Compares what the arguments ask for and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let contest = Contest { arguments, folder: folder.path(), versions: HashMap::new() };
    contest.all()
}

struct Contest<'a> {
    arguments: &'a Arguments,
    folder: &'a Path,
    versions: HashMap<&'static str, String>,
}

impl Contest<'_> {
    fn all(mut self) -> Result<()> {
        let Arguments { truth, speed, .. } = self.arguments;
        ensure!(!truth.is_empty() || !speed.is_empty(), "no labels and no log for --speed given; see --help");
        let sets = truth.iter().map(|path| sets::read(path, self.folder)).collect::<Result<Vec<_>>>()?;
        let [messages, raw] = [self.accuracy(&sets, false)?, self.accuracy(&sets, true)?];
        let mut sections = tables::accuracy("Messages", &messages);
        sections.extend(tables::accuracy("Raw lines", &raw));
        sections.extend(tables::own(&messages, &raw));
        for log in speed {
            sections.push(tables::speed(&self.speed(log)?));
        }
        sections.push(tables::versions(self.entries().map(|entry| (entry.name, self.versions.get(entry.name)))));
        sections.iter().for_each(|section| print!("{}", section.text()));
        if let Some(page) = &self.arguments.update {
            let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
            fs::write(page, sections.iter().fold(text, |text, section| section.put_into(&text)))?;
        }
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = Entry> + use<'_> {
        let Arguments { only, python, .. } = self.arguments;
        let wanted =
            move |entry: &Entry| only.is_empty() || only.iter().any(|name| entry.name.starts_with(name.as_str()));
        ENTRIES.into_iter().filter(wanted).filter(move |entry| python.is_some() || !entry.is_python)
    }

    fn accuracy(&mut self, sets: &[Set], is_raw: bool) -> Result<Vec<Accuracy>> {
        let mut rows = Vec::new();
        for entry in self.entries().collect::<Vec<_>>() {
            for set in sets {
                let Some(lines) = (if is_raw { set.raw.as_ref() } else { Some(&set.messages) }) else { continue };
                eprintln!("{} on {}{}", entry.name, set.name, if is_raw { ", raw lines" } else { "" });
                let labels = self.folder.join("labels.csv");
                let configuration = match (entry.tool, is_raw) {
                    ("logkin", true) => "lines",
                    _ => entry.configuration,
                };
                let (answer, _) = self.process(entry, configuration, lines, Some(&labels))?;
                let scores = score(set, &labels).with_context(|| format!("{} on {}", entry.name, set.name))?;
                rows.push(Accuracy { tool: entry.name, set: set.name.clone(), groups: answer.groups, scores });
            }
        }
        Ok(rows)
    }

    fn speed(&mut self, log: &Path) -> Result<Vec<Speed>> {
        let beginning = self.beginning(log)?;
        let mut rows = Vec::new();
        for entry in self.entries().collect::<Vec<_>>() {
            let path = if entry.is_slow { &beginning } else { log };
            let configurations: &[_] = if entry.tool == "logkin" {
                &[("", "default"), (", 1 thread", "one-thread")]
            } else {
                &[("", entry.configuration)]
            };
            for (suffix, configuration) in configurations {
                eprintln!("{}{suffix} on {}", entry.name, path.display());
                let mut best: Option<(Answer, f64)> = None;
                for _ in 0..RUNS {
                    let run = self.process(entry, configuration, path, None)?;
                    let seconds = run.1;
                    best = best.filter(|best| best.1 <= seconds).or(Some(run));
                    if seconds > LONG {
                        break;
                    }
                }
                let (answer, seconds) = best.context("no run")?;
                rows.push(Speed { tool: format!("{}{suffix}", entry.name), answer, seconds });
            }
        }
        Ok(rows)
    }

    /// What the slow ones read of a log.
    fn beginning(&self, log: &Path) -> Result<PathBuf> {
        let path = self.folder.join("beginning.log");
        let mut beginning = BufWriter::new(fs::File::create(&path)?);
        let log = BufReader::new(fs::File::open(log).with_context(|| log.display().to_string())?);
        for line in log.split(b'\n').take(self.arguments.slow_lines) {
            beginning.write_all(&[&line?[..], b"\n"].concat())?;
        }
        beginning.flush()?;
        Ok(path)
    }

    /// The answer of a process and how long it took, from its start to its end.
    fn process(
        &mut self,
        entry: Entry,
        configuration: &str,
        lines: &Path,
        labels: Option<&Path>,
    ) -> Result<(Answer, f64)> {
        let mut command = match &self.arguments.python {
            Some(python) if entry.is_python => {
                let mut command = Command::new(python);
                command.args([
                    concat!(env!("CARGO_MANIFEST_DIR"), "/label.py"),
                    entry.tool,
                    configuration,
                    masks::PATH,
                ]);
                command
            }
            _ => {
                let mut command = Command::new(env::current_exe()?);
                command.args(["--worker", entry.tool, configuration]);
                command
            }
        };
        command.arg(lines).args(labels).stderr(Stdio::inherit());
        let start = Instant::now();
        let output = command.output().with_context(|| format!("{}: cannot be started", entry.name))?;
        let seconds = start.elapsed().as_secs_f64();
        if !output.status.success() {
            bail!("{} on {}: {}", entry.name, lines.display(), output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let answer: Answer = serde_json::from_str(text.lines().last().unwrap_or_default())
            .with_context(|| format!("{}: an answer was expected, not {text:?}", entry.name))?;
        self.versions.insert(entry.name, answer.version.clone());
        Ok((answer, seconds))
    }
}

fn score(set: &Set, labels: &Path) -> Result<Scores> {
    let (mut groups, mut templates) = (Vec::new(), Vec::new());
    for row in csv::Reader::from_path(labels)?.records() {
        let row = row?;
        groups.push(row[0].to_owned());
        templates.push(masks::unnamed(&row[1]));
    }
    evaluate::score(&set.truth, &groups, &templates)
        .with_context(|| format!("{} labels for {} lines", groups.len(), set.truth.len()))
}
