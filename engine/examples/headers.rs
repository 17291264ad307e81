//! Shows how lines are read: what was taken for the header, what for the message.
//!
//! `cargo run -p logkin-engine --example headers < FILE`

use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        let record = logkin_engine::format::read(&line, 4_102_444_800);
        println!("{:?} {:?} | {}", record.time, record.level, String::from_utf8_lossy(record.message));
    }
    Ok(())
}
