//! The head of a request is read alike however its bytes arrive, and what was taken has no hidden line in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_balancer::http1::{Bounds, fields::Kind, request::Reader};

const BOUNDS: Bounds = Bounds { size: 2048, fields: 16, lenient_query: false };

fuzz_target!(|text: &[u8]| {
    let mut whole = Reader::default();
    let at_once = whole.read(text, BOUNDS);
    let mut reader = Reader::default();
    let mut pieces = Ok(None);
    for end in 0..=text.len() {
        pieces = reader.read(&text[..end], BOUNDS);
        if !matches!(pieces, Ok(None)) {
            break;
        }
    }
    match at_once {
        Ok(read) => assert_eq!(pieces, Ok(read)),
        Err(_) => assert!(pieces.is_err()),
    }
    if let Ok(Some(request)) = at_once {
        assert!(text[..request.length].ends_with(b"\r\n\r\n"));
        let clean = |text: &[u8]| !text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0'));
        assert!(clean(request.method.of(text)) && clean(request.target_text.of(text)));
        for field in whole.fields() {
            assert!(clean(field.name.of(text)) && clean(field.value.of(text)));
        }
        assert!(whole.fields().iter().filter(|field| field.kind == Kind::Host).count() <= 1);
    }
});
