//! Any line has a header or none; its message is a part of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_engine::format;

fuzz_target!(|line: &[u8]| {
    let record = format::read(line, 1_700_000_000);
    assert!(record.message.len() <= line.len());
});
