//! Any text is a rules file or a list of mistakes, and any rules take any line.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use logkin_engine::{Input, Progress, Rules, Settings, analyze};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    // What stands after a line of dashes is the log.
    let (rules, log) = text.split_once("\n---\n").unwrap_or((&text, "user 1 logged in\nuser <*> x=2\n\n"));
    let Ok(rules) = Rules::parse("rules.toml", rules) else { return };
    let settings = Settings { rules: Some(Arc::new(rules)), threads: Some(1), ..Settings::default() };
    let log = std::io::Cursor::new(log.as_bytes().to_vec());
    let report = analyze(vec![Input::reader("log", log)], &settings, &Progress::default(), None).expect("any log is fine");
    let lines: u64 = report.clusters.iter().map(|cluster| cluster.lines).sum();
    assert_eq!(report.totals.lines, lines + report.totals.set_aside);
});
