//! Heads of HTTP/2 are read alike however their bytes arrive, and the table of what was said keeps its bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_balancer::hpack::{Garbled, Heads, Oddity};

/// Reads heads, each as long as its first byte says, in pieces of this size.
fn read(mut text: &[u8], piece: usize) -> Result<(Vec<Option<Oddity>>, usize), Garbled> {
    let (mut heads, mut odd) = (Heads::default(), Vec::new());
    while let Some((length, rest)) = text.split_first() {
        let (head, rest) = rest.split_at(rest.len().min(usize::from(length >> 1)));
        text = rest;
        heads.begin(length & 1 == 1);
        head.chunks(piece).try_for_each(|piece| heads.read(piece))?;
        odd.push(heads.end()?);
        assert!(heads.table_size() <= 4096);
    }
    Ok((odd, heads.table_size()))
}

fuzz_target!(|text: &[u8]| {
    assert_eq!(read(text, usize::MAX), read(text, 1));
});
