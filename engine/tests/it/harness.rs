//! Runs the engine over bytes and keeps all that comes out.

use std::io::{Cursor, Read, Write};

use logkin_engine::{Input, Progress, Recorder, Report, Settings, analyze, recording::Recording};

/// What a run gave.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) report: Report,
    pub(crate) labels: Vec<u8>,
    pub(crate) text: Vec<u8>,
}

impl Run {
    pub(crate) fn recording(&self) -> Recording<Cursor<&[u8]>, Cursor<&[u8]>> {
        Recording::open(Cursor::new(&self.labels[..]), Cursor::new(&self.text[..])).unwrap()
    }

    pub(crate) fn problem(&self) -> &str {
        let problems: Vec<_> = self.report.inputs.iter().flat_map(|i| &i.problems).collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0]
    }
}

/// Runs with a recording; the counts are checked to close.
pub(crate) fn run_with(inputs: Vec<Input>, settings: &Settings) -> Run {
    let (mut labels, mut text) = (Vec::new(), Vec::new());
    let recorder = Recorder { labels: &mut labels, text: &mut text };
    let report = analyze(inputs, settings, &Progress::default(), Some(recorder)).unwrap();
    counts_close(&report);
    Run { report, labels, text }
}

pub(crate) fn run(bytes: impl AsRef<[u8]>) -> Run {
    run_with(vec![reader(bytes)], &Settings::default())
}

pub(crate) fn reader(bytes: impl AsRef<[u8]>) -> Input {
    Input::reader("lines", Cursor::new(bytes.as_ref().to_vec()))
}

/// Lines read = lines in clusters + lines set aside, and every sum agrees with its parts.
pub(crate) fn counts_close(report: &Report) {
    let totals = report.totals;
    let clustered: u64 = report.clusters.iter().map(|c| c.lines).sum();
    assert_eq!(totals.set_aside, report.set_aside.iter().map(|s| s.lines).sum::<u64>());
    assert_eq!(totals.lines, clustered + totals.set_aside);
    assert_eq!(totals.lines, report.inputs.iter().map(|i| i.lines).sum::<u64>());
    assert_eq!(totals.bytes, report.inputs.iter().map(|i| i.bytes).sum::<u64>());
    assert_eq!(totals.events, report.clusters.iter().map(|c| c.events).sum::<u64>());
    assert_eq!(totals.clusters, report.clusters.len() as u64);
    assert_eq!(totals.shapes, report.clusters.iter().map(|c| c.shapes.len() as u64).sum::<u64>());
    for cluster in &report.clusters {
        assert!(cluster.levels.each().map(|(_, events)| events).sum::<u64>() <= cluster.events);
        assert!(cluster.over_time.counts().iter().sum::<u64>() <= cluster.events);
        assert!(!cluster.examples.is_empty());
    }
}

/// What a program wrote, in an object as Docker's json-file has it.
pub(crate) fn in_object(written: &str) -> String {
    let log = serde_json::to_string(written).unwrap();
    format!("{{\"log\":{log},\"stream\":\"stderr\",\"time\":\"2026-05-01T10:00:00.5Z\"}}\n")
}

pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes.as_ref(), flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    packed
}

pub(crate) fn zstd(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// Lines of a few sorts with numbers, blanks, levels and times; `n` of them, always the same for a `seed`.
pub(crate) fn sample(n: u64, seed: u64) -> String {
    let mut text = String::new();
    let mut state = seed | 1;
    for i in 0..n {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let r = state >> 33;
        let line = match r % 13 {
            0..5 => format!(
                "2024-05-01T12:{:02}:{:02}Z INFO request {r} from 10.0.0.{} took {}ms",
                i / 60 % 60,
                i % 60,
                r % 250,
                r % 977
            ),
            5..8 => format!("2024-05-01T12:{:02}:{:02}Z WARN cache miss for key user:{r}", i / 60 % 60, i % 60),
            8..10 => format!("connection {r} closed by peer"),
            10 => format!("worker {} started\r", r % 7),
            11 => "错误 数据库连接失败".to_owned(),
            _ => String::new(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A word for a number, without digits.
pub(crate) fn words(mut n: u64) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
        if n == 0 {
            return word;
        }
    }
}

/// Numbers that look as if drawn by lot, the same ones each time.
pub(crate) struct Lot(pub(crate) u64);

impl Lot {
    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
