//! What no input may do: fail the run, lose a line, or take memory as it likes.

use std::io::{self, Cursor, Read};

use logkin_engine::{Input, Settings};

use crate::harness::{reader, run, run_with};

#[test]
fn an_empty_input_has_no_lines_and_says_so() {
    let run = run("");
    assert_eq!(run.report.totals.lines, 0);
    assert_eq!(run.problem(), "lines: is empty");
    assert!(run.report.clusters.is_empty() && run.report.histogram.is_none());
}

#[test]
fn one_byte_is_one_line_and_so_is_a_line_without_end() {
    for (text, lines) in
        [("x", 1), ("x\n", 1), ("x\ny", 2), ("\n", 1), ("\u{feff}", 0), ("\u{feff}x", 1), ("\r\n\r\n", 2)]
    {
        assert_eq!(run(text).report.totals.lines, lines, "{text:?}");
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_no_part_of_a_line() {
    let [marked, plain] = ["\u{feff}started\r\nstarted\r\n", "started\nstarted\n"].map(|text| run(text).report);
    assert_eq!(marked.clusters, plain.clusters);
}

#[test]
fn only_line_feeds_are_blank_lines_set_aside() {
    let report = run("\n".repeat(3_000_000)).report;
    assert_eq!((report.totals.lines, report.totals.set_aside), (3_000_000, 3_000_000));
    assert_eq!(report.set_aside[0].reason, "blank");
}

#[test]
fn a_hundred_megabytes_without_a_line_feed_are_one_shortened_line() {
    let endless = io::repeat(b'x').take(100_000_000).chain(&b"\nnext\n"[..]);
    let run = run_with(vec![Input::reader("long", endless)], &Settings::default());
    let totals = run.report.totals;
    assert_eq!((totals.lines, totals.shortened, totals.bytes), (2, 1, 100_000_006));
    let lines: Vec<_> = run.recording().labels().map(|l| l.unwrap().0).collect();
    assert_eq!((lines[0].length, lines[1].offset), (100_000_000, 100_000_001));
    assert_eq!(run.recording().text(lines[1]).unwrap().unwrap(), b"next");
}

#[test]
fn what_is_past_the_bound_of_a_line_does_not_count() {
    let settings = Settings { max_line_bytes: 10, ..Settings::default() };
    let run = run_with(vec![reader("0123456 ab tail\n0123456 ab other\n0123456 ab")], &settings);
    assert_eq!(run.report.clusters.len(), 1);
    assert_eq!(run.report.totals.shortened, 2);
    assert_eq!(run.report.clusters[0].examples[0], "0123456 ab tail");
}

#[test]
fn lines_of_nul_bytes_are_set_aside_and_their_neighbours_are_not() {
    let text = [b"started and going on\n".repeat(1000), vec![0; 300], b"\nended\n".to_vec()].concat();
    let run = run(text);
    assert_eq!((run.report.totals.lines, run.report.totals.set_aside), (1002, 1));
    assert_eq!(run.report.set_aside[0].reason, "binary data");
}

#[test]
fn a_hole_of_nul_bytes_swallows_neither_the_line_behind_it_nor_the_one_before() {
    let lines = "2026-05-01T12:00:00Z INFO worker 7 started\n".repeat(500);
    let torn = &lines[..30];
    for length in [16, 4_000, 200_000, 3 << 20] {
        let hole = vec![0; length];
        let text = [&hole, lines.as_bytes(), torn.as_bytes(), &hole, lines.as_bytes(), &hole].concat();
        let whole = run(&text);
        assert_eq!((whole.report.totals.lines, whole.report.totals.set_aside), (1_004, 3), "{length}");
        assert_eq!(whole.report.clusters[0].lines, 1_000);
        let bytes = 3 * length;
        let told = format!("lines: has 3 runs of NUL bytes ({bytes}, from byte 0 on); each is set aside as a line");
        assert!(whole.problem().starts_with(&told), "{}", whole.problem());
        let few = run_with(vec![Input::reader("lines", Few(Cursor::new(text)))], &Settings::default());
        assert!(few == whole, "{length}");
    }
    let padded =
        run([lines.as_bytes(), b"it has ended after seven hours of work", &[0; 4], b"\nnext\n"].concat()).report;
    assert_eq!((padded.totals.lines, padded.totals.set_aside), (502, 0), "a few are no hole");
}

/// Gives seven bytes at a time.
struct Few(Cursor<Vec<u8>>);

impl Read for Few {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = buffer.len().min(7);
        self.0.read(&mut buffer[..few])
    }
}

#[test]
fn an_input_without_a_line_of_text_says_so() {
    for (text, lines) in [(&b"\0"[..], 1), (b"\n \n", 2)] {
        let told = format!("lines: has no line of text; all are set aside ({lines})");
        assert_eq!(run(text).problem(), told);
    }
}

#[test]
fn whether_a_line_is_text_does_not_depend_on_its_neighbours() {
    // Far apart, so that they are in different chunks; what has controls but no NUL byte is text in each.
    let text = "plain text of no interest\n".repeat(100_000);
    let odd = ["\u{f}\n", &text, "\u{f}\n\0\u{2}\n"].concat();
    let report = run(odd).report;
    assert_eq!((report.totals.lines, report.totals.set_aside), (100_003, 1));
}

#[test]
fn binary_data_is_set_aside_as_a_whole_and_told() {
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(3_000_000)
    .collect();
    let run = run(&noise);
    let lines = noise.iter().filter(|b| **b == b'\n').count() as u64 + 1;
    assert_eq!((run.report.totals.lines, run.report.totals.set_aside), (lines, lines));
    let expected =
        format!("lines: is binary data; lines of text were expected; the lines of it ({lines}) are set aside");
    assert_eq!(run.problem(), expected);
}

#[test]
fn archives_that_are_not_unpacked_are_set_aside_and_told() {
    let problem = run(b"7z\xbc\xaf\x27\x1c\x00\x04\n").problem().to_owned();
    assert!(problem.starts_with("lines: is a 7z archive, which is not unpacked; unpack it first"), "{problem}");
}

#[test]
fn every_byte_value_may_stand_in_a_line() {
    let mut text = vec![b'#'; 10_000];
    for byte in 0..=255u8 {
        text.extend_from_slice(&[b'\n', b'a', byte, b'z']);
    }
    let report = run(text).report;
    // The line feed makes two lines of one.
    assert_eq!(report.totals.lines, 258);
}

#[test]
fn an_input_of_very_short_lines_is_cut_by_their_number() {
    let text = "a\nbc\nd\r\n\n".repeat(300_000);
    let run = run(&text);
    assert_eq!(run.report.totals.lines, 1_200_000);
    assert_eq!(run.recording().labels().count(), 1_200_000);
}

/// Gives a few bytes at a time.
struct Drips<R>(R);

impl<R: Read> Read for Drips<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = buffer.len().min(701);
        self.0.read(&mut buffer[..few])
    }
}

#[test]
fn how_the_bytes_arrive_changes_nothing() {
    let text = crate::harness::sample(40_000, 11);
    let drips = Drips(io::Cursor::new(text.clone().into_bytes()));
    assert!(run_with(vec![Input::reader("lines", drips)], &Settings::default()) == run(&text));
}
