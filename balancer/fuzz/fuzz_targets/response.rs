//! The head of an answer is read alike however its bytes arrive, and what was taken has no hidden line in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_balancer::http1::{Bounds, response::Reader};

const BOUNDS: Bounds = Bounds { size: 2048, fields: 16, lenient_query: false };

fuzz_target!(|text: &[u8]| {
    let mut whole = Reader::default();
    let at_once = whole.read(text, false, BOUNDS);
    let mut reader = Reader::default();
    let mut pieces = Ok(None);
    for end in 0..=text.len() {
        pieces = reader.read(&text[..end], false, BOUNDS);
        if !matches!(pieces, Ok(None)) {
            break;
        }
    }
    match at_once {
        Ok(read) => assert_eq!(pieces, Ok(read)),
        Err(_) => assert!(pieces.is_err()),
    }
    if let Ok(Some(response)) = at_once {
        assert!((100..600).contains(&response.status));
        let clean = |text: &[u8]| !text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0'));
        assert!(clean(response.reason.of(text)));
        for field in whole.fields() {
            assert!(clean(field.name.of(text)) && clean(field.value.of(text)));
        }
    }
});
