//! Any lines, in any order, are all counted, and give the same clusters where each is an event.
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
    for report in [&forward, &backward] {
        let clustered: u64 = report.clusters.iter().map(|c| c.lines).sum();
        assert_eq!(report.totals.lines, clustered + report.totals.set_aside);
        // What follows a hole is a line of its own.
        if !text.contains("\0\0") {
            assert_eq!(report.totals.lines, lines.len() as u64 + 2, "a line is lost");
        }
    }
    // What goes on with the line before it goes on with another one in another order.
    let are_events = |report: &Report| report.totals.events + report.totals.set_aside == report.totals.lines;
    if are_events(&forward) && are_events(&backward) {
        let kinds = |report: &Report| report.clusters.iter().map(|c| (c.id.clone(), c.lines)).collect::<Vec<_>>();
        assert_eq!(forward.totals, backward.totals);
        assert_eq!(kinds(&forward), kinds(&backward));
    }
});
