//! Any lines have headers or none; their messages are parts of them, alone and after a vote.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use logkin_engine::format::{self, Layout, Reader};

/// A day against which times without a year are read.
const REFERENCE: i64 = 1_700_000_000;

fuzz_target!(|text: &[u8]| {
    let lines = text.split(|b| *b == b'\n');
    for line in lines.clone() {
        let record = format::read(line, REFERENCE);
        assert!(record.message.len() <= line.len());
    }
    let layout = Layout::vote(lines.clone(), REFERENCE);
    for form in layout.forms() {
        Layout::of_text(&form).expect("what is shown can be given");
    }
    let mut reader = Reader::default();
    reader.begin(&Arc::new(layout), REFERENCE);
    for line in lines {
        // The names of fields may be longer than the line, slots written out.
        assert!(reader.read(line).message.len() <= 256 * (line.len() + 1));
    }
    if let Ok(text) = std::str::from_utf8(text)
        && let Ok(layout) = Layout::of_text(text)
    {
        let shown: Vec<String> = layout.forms().collect();
        let again: Vec<String> = Layout::of_text(&shown[0]).expect("what is shown can be given").forms().collect();
        assert_eq!(shown, again);
    }
});
