//! Heads of HTTP/2 are read alike however their bytes arrive, what is written of them anew says the same, and the table of
//! what was said keeps its bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_balancer::hpack::{Decoder, Field, Garbled, TABLE, put};

/// What each field says, and what is written of it.
type Said = Vec<(Vec<u8>, Vec<u8>, usize)>;

/// Reads heads, each as long as its first byte says, in pieces of this size.
fn read(mut text: &[u8], piece: usize) -> Result<(Said, Vec<u8>, usize), Garbled> {
    let (mut decoder, mut said, mut written) = (Decoder::new(TABLE), Said::new(), Vec::new());
    while let Some((length, rest)) = text.split_first() {
        let (head, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        text = rest;
        decoder.begin();
        head.chunks(piece).try_for_each(|piece| {
            decoder.read(piece, |field: Field<'_>| {
                said.push((field.name.to_vec(), field.value.to_vec(), field.number));
                put(&mut written, &field);
            })
        })?;
        decoder.end()?;
        assert!(decoder.table_size() <= TABLE);
    }
    Ok((said, written, decoder.table_size()))
}

fuzz_target!(|text: &[u8]| {
    let whole = read(text, usize::MAX);
    assert_eq!(whole, read(text, 1));
    let Ok((said, written, _)) = whole else { return };
    let (mut decoder, mut again) = (Decoder::new(TABLE), Said::new());
    decoder.begin();
    let give = |field: Field<'_>| again.push((field.name.to_vec(), field.value.to_vec(), field.number));
    assert!(decoder.read(&written, give).is_ok() && decoder.end().is_ok());
    assert!(said == again && decoder.table_size() == 0);
});
