//! A chunked body is read alike however its bytes arrive, and its data, written in chunks again, reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_balancer::http1::{
    Refusal,
    chunked::{Decoder, mark},
};

/// Data, bytes read, and whether it has ended.
fn unwrap(text: &[u8], steps: &[usize]) -> Result<(Vec<u8>, usize, bool), Refusal> {
    let (mut decoder, mut bytes, mut data, mut from) = (Decoder::default(), text.to_vec(), Vec::new(), 0);
    for &end in steps {
        let (piece, at, ended) = decoder.unwrap(&mut bytes, from, end)?;
        data.extend_from_slice(piece.of(&bytes));
        from = at;
        if ended {
            return Ok((data, from, true));
        }
    }
    Ok((data, from, false))
}

fuzz_target!(|text: &[u8]| {
    let at_once = unwrap(text, &[text.len()]);
    let bytewise: Vec<usize> = (1..=text.len()).collect();
    assert_eq!(at_once, if text.is_empty() { at_once.clone() } else { unwrap(text, &bytewise) });
    if let Ok((data, _, true)) = at_once {
        let mut again = Vec::new();
        for piece in data.chunks(7) {
            again.extend_from_slice(mark(piece.len()).bytes());
            again.extend_from_slice(piece);
            again.extend_from_slice(b"\r\n");
        }
        again.extend_from_slice(b"0\r\n\r\n");
        assert_eq!(unwrap(&again, &[again.len()]), Ok((data, again.len(), true)));
    }
});
