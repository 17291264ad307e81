//! Finding lines again: exactly those that were counted, in order, in pages of any size, or an error.

use std::io::Cursor;

use logkin_engine::{
    Settings, format,
    recording::{LineAt, Recording},
    shape::Shaper,
};

use crate::harness::{Run, gzip, reader, run, run_with, sample};

/// Two inputs of several chunks, one of them with lines to set aside and lines that are cut.
fn recorded() -> (Run, Vec<String>) {
    let long = format!("a long one {}\r\nafter it\n", "x".repeat(3 << 20));
    let texts = vec![sample(40_000, 5) + &long + "no line end", "\u{feff}".to_owned() + &sample(20_000, 6)];
    let inputs = vec![reader(gzip(&texts[0])), reader(&texts[1])];
    (run_with(inputs, &Settings::default()), texts)
}

fn line(texts: &[String], at: LineAt) -> &[u8] {
    &texts[at.input as usize].as_bytes()[at.offset as usize..][..at.length as usize]
}

#[test]
fn the_lines_of_a_cluster_are_as_many_as_it_says_and_have_its_shapes() {
    let (run, texts) = recorded();
    let mut recording = run.recording();
    let mut shaper = Shaper::default();
    let settings = Settings::default();
    assert!(run.report.clusters.len() > 3);
    for cluster in &run.report.clusters {
        let lines = recording.lines(&cluster.shapes, 0, usize::MAX).unwrap();
        assert_eq!(lines.len() as u64, cluster.lines);
        assert!(lines.is_sorted_by_key(|l| (l.input, l.number)));
        let mut shapes: Vec<Vec<u8>> = lines
            .iter()
            .map(|at| {
                let text = line(&texts, *at);
                let text = &text[..text.len().min(settings.max_line_bytes)];
                shaper.shape(format::read(text, settings.reference_time).message).to_vec()
            })
            .collect();
        shapes.sort_unstable();
        shapes.dedup();
        assert_eq!(shapes.len(), cluster.shapes.len());
        for (at, example) in lines.iter().zip(&cluster.examples) {
            assert!(String::from_utf8_lossy(line(&texts, *at)).starts_with(example.as_str()));
        }
    }
}

#[test]
fn lines_set_aside_are_found_by_their_reason() {
    let (run, texts) = recorded();
    let mut recording = run.recording();
    assert_eq!(run.report.set_aside.len(), 1);
    let blank = &run.report.set_aside[0];
    let lines = recording.lines(&[blank.shape], 0, usize::MAX).unwrap();
    assert_eq!(lines.len() as u64, blank.lines);
    assert!(lines.iter().all(|at| line(&texts, *at).is_empty()));
}

#[test]
fn pages_of_any_size_are_the_whole_in_pieces() {
    let (run, _) = recorded();
    let mut recording = run.recording();
    let shapes: Vec<u64> = run.report.clusters.iter().take(3).flat_map(|c| c.shapes.clone()).collect();
    let whole = recording.lines(&shapes, 0, usize::MAX).unwrap();
    for size in [1000, 7777, whole.len()] {
        let pages = (0..whole.len()).step_by(size).map(|skip| recording.lines(&shapes, skip as u64, size).unwrap());
        assert_eq!(pages.collect::<Vec<_>>().concat(), whole);
    }
    assert_eq!(recording.lines(&shapes, whole.len() as u64, 10).unwrap(), []);
    assert_eq!(recording.lines(&[], 0, 10).unwrap(), []);
    assert_eq!(recording.lines(&shapes, 5, 0).unwrap(), []);
}

#[test]
fn every_line_is_labelled_once_and_in_order() {
    let (run, texts) = recorded();
    let mut recording = run.recording();
    let labels: Vec<_> = recording.labels().map(Result::unwrap).collect();
    assert_eq!(labels.len() as u64, run.report.totals.lines);
    let mut aside = 0;
    for (number, (at, key)) in labels.iter().enumerate() {
        match key {
            Some(key) => assert_eq!(run.report.clusters.iter().filter(|c| c.shapes.contains(key)).count(), 1),
            None => aside += 1,
        }
        let first = run.report.inputs[0].lines;
        let expected = (number as u64 + 1).checked_sub(first).filter(|n| *n > 0).unwrap_or(number as u64 + 1);
        assert_eq!(at.number, expected);
    }
    assert_eq!(aside, run.report.totals.set_aside);
    let ends =
        |input: u32| labels.iter().rfind(|(at, _)| at.input == input).map(|(at, _)| at.offset + at.length).unwrap();
    assert_eq!(ends(0), texts[0].len() as u64);
}

#[test]
fn the_text_of_a_packed_line_comes_back_whole_up_to_the_size_of_a_chunk() {
    let (run, texts) = recorded();
    let mut recording = run.recording();
    let labels: Vec<_> = recording.labels().map(|l| l.unwrap().0).collect();
    for at in labels.iter().step_by(997).chain(&labels[39_990..40_020]) {
        let kept = recording.text(*at).unwrap().unwrap();
        let expected = line(&texts, *at);
        assert_eq!(kept, expected[..expected.len().min(2 << 20)], "{at:?}");
    }
}

#[test]
fn a_line_that_is_not_there_is_an_error() {
    let run = run("one\ntwo\n");
    for at in [
        LineAt { input: 1, number: 1, offset: 0, length: 1 },
        LineAt { input: 0, number: 1, offset: 100, length: 1 },
        LineAt { input: 0, number: 9, offset: u64::MAX, length: u64::MAX },
    ] {
        assert!(run.recording().text(at).is_err(), "{at:?}");
    }
}

/// Reads all there is; an error is as good as an answer, a panic is not.
fn read_all(labels: &[u8], text: &[u8]) -> std::io::Result<u64> {
    let mut recording = Recording::open(Cursor::new(labels), Cursor::new(text))?;
    let lines = recording.labels().collect::<Result<Vec<_>, _>>()?;
    for (at, _) in lines.iter().step_by(100) {
        recording.text(*at)?;
    }
    Ok(lines.len() as u64)
}

#[test]
fn a_damaged_or_cut_recording_is_an_error_that_says_what_to_do() {
    let run = run(gzip(sample(3000, 7)));
    assert_eq!(read_all(&run.labels, &run.text).unwrap(), 3000);
    for length in (0..run.labels.len()).step_by(61) {
        assert!(read_all(&run.labels[..length], &run.text).is_err(), "labels cut at {length}");
    }
    for length in (0..run.text.len()).step_by(301) {
        assert!(read_all(&run.labels, &run.text[..length]).is_err(), "text cut at {length}");
    }
    for at in (0..run.labels.len()).step_by(37) {
        let mut damaged = run.labels.clone();
        damaged[at] ^= 0x20;
        assert!(read_all(&damaged, &run.text).is_err(), "labels damaged at {at}");
    }
    let error = read_all(&run.labels[..100], &run.text).unwrap_err().to_string();
    assert_eq!(error, "the recording is damaged: the labels were not written to their end; analyse the inputs again");
}
