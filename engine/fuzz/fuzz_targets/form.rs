//! Any text is a form of lines or is refused in words; any line can be read by it.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use logkin_engine::format::{Layout, Reader};

fuzz_target!(|input: (&str, &[u8])| {
    let (form, line) = input;
    match Layout::of_text(form) {
        Err(refused) => assert!(!refused.to_string().is_empty()),
        Ok(layout) => {
            for form in layout.forms() {
                let again = Layout::of_text(&form).expect("a form reads back");
                assert_eq!(again.forms().collect::<Vec<_>>(), [form]);
            }
            let mut reader = Reader::default();
            reader.begin(&Arc::new(layout), 1_700_000_000);
            assert!(reader.read(line).message.len() <= line.len());
        }
    }
});
