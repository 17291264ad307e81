//! Any lines, in any order, give the same clusters and counts.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use logkin_engine::{Input, Progress, Report, Settings, analyze};

fn run(lines: &[&[u8]]) -> Report {
    // Text in front, so that the first bytes say the same both times.
    let bytes = [&[b'#'; 8192][..], &lines.join(&b'\n'), b"\n"].join(&b'\n');
    let inputs = vec![Input::reader("fuzz", Cursor::new(bytes))];
    let settings = Settings { max_shapes: 50, ..Settings::default() };
    analyze(inputs, &settings, &Progress::default(), None).expect("no input fails a run")
}

fuzz_target!(|bytes: &[u8]| {
    // What is not UTF-8 is decoded by a guess on the whole.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines: Vec<&[u8]> = text.as_bytes().split(|b| *b == b'\n').collect();
    let forward = run(&lines);
    lines.reverse();
    let backward = run(&lines);
    assert_eq!(forward.totals, backward.totals);
    let clustered: u64 = forward.clusters.iter().map(|c| c.lines).sum();
    assert_eq!(forward.totals.lines, clustered + forward.totals.set_aside);
    // What follows a hole is a line of its own.
    if !text.contains("\0\0") {
        assert_eq!(forward.totals.lines, lines.len() as u64 + 2, "a line is lost");
    }
    let kinds = |report: &Report| report.clusters.iter().map(|c| (c.id.clone(), c.lines)).collect::<Vec<_>>();
    assert_eq!(kinds(&forward), kinds(&backward));
});
