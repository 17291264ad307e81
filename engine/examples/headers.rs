//! Shows how lines are read: the forms that were voted; then, line by line, what was taken for the header, what for the
//! message.
//!
//! `cargo run -p logkin-engine --example headers < FILE`

use std::{
    io::{self, Read},
    sync::Arc,
};

use logkin_engine::format::{Layout, Reader};

/// A day against which times without a year are read.
const REFERENCE: i64 = 4_102_444_800;

fn main() -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let layout = Layout::vote(text.split(|b| *b == b'\n'), REFERENCE);
    layout.forms().for_each(|form| println!("form {form}"));
    let mut reader = Reader::default();
    reader.begin(&Arc::new(layout), REFERENCE);
    for line in text.split(|b| *b == b'\n') {
        let record = reader.read(line);
        println!("{:?} {:?} | {}", record.time, record.level, String::from_utf8_lossy(record.message));
    }
    Ok(())
}
