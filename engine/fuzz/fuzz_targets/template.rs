//! Any text is a template, and its texts read back as themselves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_engine::template::Template;

fuzz_target!(|text: &str| {
    for template in [Template::of_text(text), Template::of_typed(text)] {
        assert_eq!(Template::of_typed(&template.typed()).typed(), template.typed());
        let _ = (template.id(), template.spans(text.as_bytes()));
    }
});
