//! Any line has a header or none, read alone or by the vote of all lines; its message is a part of it, or made of its fields.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use logkin_engine::format::{self, Layout, Reader};

fn is_part(message: &[u8], line: &[u8]) -> bool {
    message.is_empty() || line.windows(message.len()).any(|part| part == message)
}

/// Where a line of fields has no message, their names and values stand for one, texts as slots.
fn is_of_fields(message: &[u8], line: &[u8]) -> bool {
    let pieces = message.split(|b| matches!(b, b' ' | b'=' | b'.'));
    pieces.filter(|piece| *piece != b"<*>").all(|piece| is_part(piece, line))
}

fuzz_target!(|input: (i64, &[u8])| {
    let (reference_time, text) = input;
    let lines = text.split(|b| *b == b'\n');
    let layout = Arc::new(Layout::vote(lines.clone(), reference_time));
    let mut reader = Reader::default();
    reader.begin(&layout, reference_time);
    for line in lines {
        assert!(is_part(format::read(line, reference_time).message, line));
        // Colours are taken out of the middle, and escapes of JSON are read.
        if !line.iter().any(|b| matches!(b, 0x1b | b'\\')) {
            let message = reader.read(line).message;
            assert!(is_part(message, line) || is_of_fields(message, line));
        }
    }
});
