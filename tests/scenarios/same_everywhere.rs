use std::{collections::BTreeMap, fs, process::Command};

use e2e::{Sample, logkin, run, sample_file, samples};
use serde_json::Value;

fn report(file: &std::path::Path, threads: &str) -> String {
    let out = run(Command::new(logkin()).args(["cluster", "--format", "json", "--threads", threads]).arg(file), b"");
    assert_eq!(out.code, Some(0), "{}: {}", file.display(), out.stderr);
    out.stdout
}

/// Cluster ids and templates with their lines.
fn counts(report: &str) -> BTreeMap<(String, String), u64> {
    let report: Value = serde_json::from_str(report).unwrap();
    let clusters = report["clusters"].as_array().unwrap().iter();
    clusters.map(|c| ((c["id"].to_string(), c["template"].to_string()), c["lines"].as_u64().unwrap())).collect()
}

/// The events of a sample in another order, the same for every run: its lines, or, where some have more lines, what is from
/// one line that begins with a date up to the next.
fn shuffled(sample: &Sample) -> Vec<u8> {
    let text = sample.text();
    let mut lines: Vec<&[u8]> = Vec::new();
    let several =
        sample.events < text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count() as u64;
    let mut start = 0;
    for feed in text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1) {
        if !several || text[feed..].starts_with(b"20") || feed == text.len() {
            lines.push(&text[start..feed]);
            start = feed;
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..lines.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lines.swap(index, (state >> 33) as usize % (index + 1));
    }
    lines.concat()
}

#[test]
fn one_thread_and_two_give_the_same_bytes() {
    for sample in samples() {
        assert!(report(&sample.path, "1") == report(&sample.path, "2"), "{} differs by threads", sample.name);
    }
}

#[test]
fn the_same_file_gives_the_same_bytes_again() {
    let path = sample_file("wangdian.log").path;
    assert_eq!(report(&path, "2"), report(&path, "2"));
}

#[test]
fn events_in_another_order_give_the_same_clusters_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    for sample in samples() {
        let (plain, mixed) = (folder.path().join("plain.log"), folder.path().join("mixed.log"));
        fs::write(&plain, sample.text()).unwrap();
        fs::write(&mixed, shuffled(&sample)).unwrap();
        let (plain, mixed) = (counts(&report(&plain, "2")), counts(&report(&mixed, "2")));
        assert!(!plain.is_empty());
        assert_eq!(plain, mixed, "{} differs by order", sample.name);
    }
}
