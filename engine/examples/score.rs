//! Scores the clustering against labelled files.
//!
//! `cargo run --release -p logkin-engine --example score -- [--confusions N] [--similarity S] TRUTH.csv...` clusters
//! the messages; a raw log beside a truth file (the same name up to the first dot, ending `.log`) is clustered too.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

use logkin_engine::{
    evaluate::{self, Labels, Scores, Truth},
    template::Template,
};

fn main() -> ExitCode {
    let mut confusions = 0;
    let mut similarity = 0.5;
    let mut paths = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--confusions" => confusions = args.next().and_then(|n| n.parse().ok()).unwrap_or(10),
            "--similarity" => similarity = args.next().and_then(|n| n.parse().ok()).unwrap_or(0.5),
            _ => paths.push(arg),
        }
    }
    if paths.is_empty() {
        eprintln!("no truth file given; expected: score [--confusions N] [--similarity S] TRUTH.csv...");
        return ExitCode::from(2);
    }
    let mut sums = [[0.0; 5]; 2];
    println!(
        "{:<14} {:>42}    {:>30}",
        "", "messages: GA    FGA     PA    FTA  groups", "raw: GA    FGA     PA    FTA  groups"
    );
    for path in &paths {
        if let Err(problem) = one(Path::new(path), similarity, confusions, &mut sums) {
            eprintln!("{path}: {problem}");
        }
    }
    print!("{:<14}", "average");
    for sum in sums.iter().filter(|sum| sum[4] > 0.0) {
        print!(
            "           {:.3}  {:.3}  {:.3}  {:.3}         ",
            sum[0] / sum[4],
            sum[1] / sum[4],
            sum[2] / sum[4],
            sum[3] / sum[4]
        );
    }
    println!();
    ExitCode::SUCCESS
}

fn one(
    path: &Path,
    similarity: f64,
    confusions: usize,
    sums: &mut [[f64; 5]; 2],
) -> Result<(), Box<dyn std::error::Error>> {
    let truth = evaluate::read_truth(fs::File::open(path)?)?;
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split('.').next()).unwrap_or("?");
    print!("{name:<14}");
    let labels = evaluate::label_messages(truth.contents.iter().map(String::as_bytes), similarity);
    report(&truth, &labels, &mut sums[0])?;
    let raw = fs::read(path.with_file_name(format!("{name}.log"))).unwrap_or_default();
    let lines: Vec<&[u8]> = raw.split(|b| *b == b'\n').take(truth.templates.len()).collect();
    let raw_labels = (lines.len() == truth.templates.len()).then(|| {
        evaluate::label_lines(
            lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)),
            4_102_444_800,
            similarity,
        )
    });
    if let Some(labels) = &raw_labels {
        report(&truth, labels, &mut sums[1])?;
    }
    println!();
    if confusions > 0 {
        println!("-- messages");
        explain(&truth, &labels, confusions);
        if let Some(labels) = &raw_labels {
            println!("-- raw lines");
            explain(&truth, labels, confusions);
        }
    }
    Ok(())
}

fn report(truth: &Truth, labels: &Labels, sum: &mut [f64; 5]) -> Result<(), String> {
    let texts: Vec<String> = labels.templates.iter().map(Template::text).collect();
    let templates: Vec<String> = labels.clusters.iter().map(|cluster| texts[*cluster].clone()).collect();
    let Scores { ga, fga, pa, fta } =
        evaluate::score(&truth.templates, &labels.clusters, &templates).ok_or("nothing to score")?;
    for (total, score) in sum.iter_mut().zip([ga, fga, pa, fta, 1.0]) {
        *total += score;
    }
    print!("           {ga:.3}  {fga:.3}  {pa:.3}  {fta:.3}  {:>4}   ", labels.templates.len());
    Ok(())
}

/// The groups that cost most lines: what was split, what was mixed; then the templates that read otherwise.
fn explain(truth: &Truth, labels: &Labels, most: usize) {
    let mut clusters_of: BTreeMap<&str, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut truths_of: BTreeMap<usize, BTreeMap<&str, usize>> = BTreeMap::new();
    for (template, cluster) in truth.templates.iter().zip(&labels.clusters) {
        *clusters_of.entry(template).or_default().entry(*cluster).or_default() += 1;
        *truths_of.entry(*cluster).or_default().entry(template).or_default() += 1;
    }
    let mut split: Vec<_> = clusters_of.iter().filter(|(_, clusters)| clusters.len() > 1).collect();
    split.sort_by_key(|(_, clusters)| std::cmp::Reverse(clusters.values().sum::<usize>()));
    for (template, clusters) in split.into_iter().take(most) {
        println!("  split: {template}");
        for (cluster, lines) in clusters.iter().take(6) {
            println!("      {lines:>5} {}", labels.templates[*cluster].typed());
        }
    }
    let mut mixed: Vec<_> = truths_of.iter().filter(|(_, truths)| truths.len() > 1).collect();
    mixed.sort_by_key(|(_, truths)| std::cmp::Reverse(truths.values().sum::<usize>()));
    for (cluster, truths) in mixed.into_iter().take(most) {
        println!("  mixed: {}", labels.templates[*cluster].typed());
        for (template, lines) in truths.iter().take(6) {
            println!("      {lines:>5} {template}");
        }
    }
    let mut other: Vec<_> = clusters_of
        .iter()
        .filter_map(|(template, clusters)| match clusters.iter().collect::<Vec<_>>()[..] {
            [(cluster, lines)] if labels.templates[*cluster].text() != **template => {
                Some((*lines, *template, *cluster))
            }
            _ => None,
        })
        .collect();
    other.sort_by_key(|(lines, ..)| std::cmp::Reverse(*lines));
    for (lines, template, cluster) in other.into_iter().take(most) {
        println!("  reads: {lines:>5} {}\n     not:       {template}", labels.templates[cluster].text());
    }
}
