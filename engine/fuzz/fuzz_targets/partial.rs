//! Lines added as they come, in any pieces, and partial results merged in any order give the report of one run. No line is lost.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use logkin_engine::{Input, Partial, Progress, Report, Settings, analyze};

fn checked(report: Report) -> Report {
    let clustered: u64 = report.clusters.iter().map(|c| c.lines).sum();
    assert_eq!(report.totals.lines, clustered + report.totals.set_aside);
    report
}

fn part(lines: &[u8], settings: &Settings) -> Partial {
    let mut part = Partial::new(settings);
    let input = part.input("fuzz");
    part.add(input, lines);
    part
}

fn clusters(report: &Report) -> Vec<(String, u64, u64)> {
    report.clusters.iter().map(|c| (c.template.clone(), c.lines, c.events)).collect()
}

fuzz_target!(|input: (u8, &str)| {
    let (every, text) = input;
    // Holes are set apart in what is read from files; what is added comes in lines.
    if text.contains("\0\0") {
        return;
    }
    // Without headers: how lines begin is voted by the first piece, which is not the whole.
    let line_format = "plain".parse().expect("a format");
    let settings = Settings { max_shapes: 20 + usize::from(every), line_format, ..Settings::default() };
    // Text in front, so that the first bytes say so in every piece.
    let text = format!("{}\n{text}\n", "#".repeat(8 << 10));
    let lines: Vec<&[u8]> = text.as_bytes().split_inclusive(|b| *b == b'\n').collect();
    let whole = vec![Input::reader("fuzz", Cursor::new(text.clone().into_bytes()))];
    let whole = checked(analyze(whole, &settings, &Progress::default(), None).expect("no input fails a run"));
    let pieces: Vec<Vec<u8>> = lines.chunks(usize::from(every % 7) + 1).map(<[_]>::concat).collect();

    let mut live = Partial::new(&settings);
    let at = live.input("fuzz");
    pieces.iter().for_each(|piece| live.add(at, piece));
    assert_eq!(live.lines(), whole.totals.lines);
    assert!(checked(live.into_report()).clusters == whole.clusters, "pieces and the whole differ");

    let sum = |parts: &mut dyn Iterator<Item = &Vec<u8>>| {
        let mut sum = Partial::new(&settings);
        parts.for_each(|piece| sum.merge(part(piece, &settings)));
        checked(sum.into_report())
    };
    let [forward, backward] = [sum(&mut pieces.iter()), sum(&mut pieces.iter().rev())];
    assert_eq!(clusters(&forward), clusters(&backward));
    assert_eq!(forward.totals.lines, whole.totals.lines);
});
