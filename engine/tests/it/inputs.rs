//! Where lines come from: files, readers, packed or not, whole or damaged.

use std::{fs, io};

use logkin_engine::{Error, Input, Progress, Settings, analyze};

use crate::harness::{gzip, reader, run, run_with, sample, zstd};

#[test]
fn a_file_and_a_reader_give_the_same_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    fs::write(&path, sample(20_000, 1)).unwrap();
    let file = run_with(vec![Input::file(&path)], &Settings::default());
    let read = run(sample(20_000, 1));
    assert_eq!(file.report.clusters, read.report.clusters);
    assert_eq!(file.report.totals.lines, 20_000);
    assert_eq!(file.report.inputs[0].name, path.display().to_string());
    assert_eq!(file.text.len(), 8, "a plain file is not kept a second time");
}

#[test]
fn packing_is_known_by_content_and_taken_off_in_any_nesting() {
    let text = sample(5000, 2);
    let plain = run(&text).report;
    for (packed, packing) in [
        (gzip(&text), vec!["gzip"]),
        (zstd(&text), vec!["zstd"]),
        (zstd(gzip(&text)), vec!["zstd", "gzip"]),
        (gzip(zstd(gzip(&text))), vec!["gzip", "zstd", "gzip"]),
        ([gzip(&text[..7777]), gzip(&text[7777..])].concat(), vec!["gzip"]),
        ([zstd(&text[..7777]), zstd(&text[7777..])].concat(), vec!["zstd"]),
    ] {
        let report = run(packed).report;
        assert_eq!(report.inputs[0].packing, packing);
        assert_eq!((&report.clusters, report.totals), (&plain.clusters, plain.totals));
        assert!(report.inputs[0].problems.is_empty());
    }
}

#[test]
fn what_comes_before_a_damage_is_counted_and_the_damage_is_told() {
    let text = sample(50_000, 3);
    for (packed, name) in [(gzip(&text), "gzip"), (zstd(&text), "zstd"), (zstd(gzip(&text)), "zstd")] {
        let half = packed.len() / 2;
        let cut = run(&packed[..half]);
        let lines = cut.report.totals.lines;
        assert!((15_000..30_000).contains(&lines), "{lines} lines of {name}");
        let expected = format!(
            "lines: ends in the middle of its {name} data, at byte {half}; the lines before it are counted ({lines})"
        );
        assert_eq!(cut.problem(), expected);

        let mut damaged = packed.clone();
        damaged[half..half + 64].fill(0x55);
        let damaged = run(damaged);
        assert!(damaged.report.totals.lines < 50_000);
        assert!(
            damaged.problem().starts_with(&format!("lines: has damaged {name} data at byte ")),
            "{}",
            damaged.problem()
        );
    }
}

#[test]
fn a_packed_input_cut_within_its_first_bytes_is_told_as_well() {
    let packed = gzip("one\ntwo\n");
    for length in 3..packed.len() {
        let report = run(&packed[..length]).report;
        assert!(report.inputs[0].problems.len() == 1, "{length}: {:?}", report.inputs[0]);
    }
}

#[test]
fn an_input_that_cannot_be_read_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.log");
    let inputs = vec![Input::file(&missing), Input::file(folder.path()).named("logs"), reader("fine\n")];
    let report = run_with(inputs, &Settings::default()).report;
    assert_eq!(report.totals.lines, 1);
    assert!(
        report.inputs[0].problems[0]
            .ends_with("missing.log: cannot be opened: No such file or directory (os error 2); it is left out")
    );
    assert_eq!(report.inputs[1].problems, ["logs: is a directory; a file was expected; name the files in it"]);
    assert!(report.inputs[2].problems.is_empty());
}

/// Gives one line, then fails.
struct Fails(Option<&'static [u8]>);

impl io::Read for Fails {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.take().ok_or_else(|| io::Error::other("the disk is gone"))?;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[test]
fn a_reader_that_fails_keeps_what_it_gave() {
    let run = run_with(vec![Input::reader("pipe", Fails(Some(b"one line\nhalf a li")))], &Settings::default());
    assert_eq!(run.report.totals.lines, 2);
    assert_eq!(
        run.problem(),
        "pipe: cannot be read past byte 18 (the disk is gone); the lines before it are counted (2)"
    );
}

#[test]
fn a_cancelled_run_ends_with_that_word() {
    let progress = Progress::default();
    progress.cancel();
    let endless = Input::reader("endless", io::repeat(b'x'));
    assert!(matches!(analyze(vec![endless], &Settings::default(), &progress, None), Err(Error::Cancelled)));
}

#[test]
fn progress_counts_packed_bytes_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log.gz");
    let packed = gzip(sample(30_000, 4));
    fs::write(&path, &packed).unwrap();
    let progress = Progress::default();
    analyze(vec![Input::file(&path)], &Settings::default(), &progress, None).unwrap();
    let [read, total, lines] = [&progress.bytes_read, &progress.bytes_total, &progress.lines]
        .map(|c| c.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!((read, total, lines), (packed.len() as u64, packed.len() as u64, 30_000));
}
