//! `logkin label`: one row per line, in order: its cluster and template.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
};

use anyhow::Context;
use logkin_engine::{Recorder, Report, recording::Recording, report::Cluster};
use serde::Serialize;

use super::cluster::{quiet_on_broken_pipe, read, tell_problems};
use crate::{
    cli::{Label, LabelFormat},
    output::{self, Rows},
};

pub(super) fn run(flags: &Label) -> anyhow::Result<u8> {
    let scratch = || tempfile::tempfile().context("cannot make a temporary file; set TMPDIR to a folder with room");
    let (mut labels, mut text) = (scratch()?, scratch()?);
    let (report, inputs) = {
        let (mut labels, mut text) = (BufWriter::new(&mut labels), BufWriter::new(&mut text));
        let recorder = Recorder { labels: &mut labels, text: &mut text };
        let read = read(flags.file.as_slice(), &flags.reading, Some(recorder))?;
        labels.flush().and_then(|()| text.flush()).context("cannot write a temporary file")?;
        read
    };
    let mut recording = Recording::open(labels, text).context("cannot read the temporary files")?;
    if quiet_on_broken_pipe(write(&report, &mut recording, flags.format, &mut *output::stdout()))? {
        return Ok(0);
    }
    Ok(tell_problems(&report, &inputs))
}

/// A row. A line that was set aside has neither cluster nor template.
#[derive(Debug, Serialize)]
struct Row<'a> {
    line: u64,
    cluster: &'a str,
    template: &'a str,
    /// Of an archive with several members, the one that the line is of: their lines are numbered from 1 each.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
}

fn write(
    report: &Report,
    recording: &mut Recording<File, File>,
    format: LabelFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    let cluster_of: HashMap<u64, &Cluster> =
        report.clusters.iter().flat_map(|cluster| cluster.shapes.iter().map(move |shape| (*shape, cluster))).collect();
    let has_members = report.inputs.iter().filter(|input| input.lines > 0).count() > 1;
    let rows = recording.labels().map(|entry| {
        let (line, shape) = entry?;
        let cluster = shape.and_then(|shape| cluster_of.get(&shape));
        let (cluster, template) = cluster.map_or(("", ""), |c| (c.id.0.as_str(), c.template.as_str()));
        let member = report.inputs.get(line.input as usize).filter(|_| has_members).map(|input| input.name.as_str());
        io::Result::Ok(Row { line: line.number, cluster, template, member })
    });
    match format {
        LabelFormat::Csv => {
            let mut csv = Rows::new(&mut *out);
            let columns = if has_members { 4 } else { 3 };
            csv.write(["line", "cluster", "template", "member"].into_iter().take(columns))?;
            for row in rows {
                let Row { line, cluster, template, member } = row?;
                let line = line.to_string();
                csv.write([line.as_str(), cluster, template, member.unwrap_or_default()].into_iter().take(columns))?;
            }
            csv.finish()?;
        }
        LabelFormat::Ndjson => {
            for row in rows {
                serde_json::to_writer(&mut *out, &row?)?;
                writeln!(out)?;
            }
        }
    }
    out.flush()
}
