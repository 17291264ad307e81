//! Any line has a header or none; its message is a part of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_engine::format;

fuzz_target!(|input: (i64, &[u8])| {
    let (reference_time, line) = input;
    let message = format::read(line, reference_time).message;
    assert!(message.is_empty() || line.windows(message.len()).any(|part| part == message));
});
