//! Any message has a shape, the same each time; masking comes to an end; a template made of it reads back and
//! matches the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_engine::{shape::Shaper, template::Template};

fuzz_target!(|message: &[u8]| {
    if message.contains(&b'\n') {
        return;
    }
    let mut shaper = Shaper::default();
    let shape = shaper.shape(message).to_vec();
    assert_eq!(shape, shaper.shape(message));
    let template = Template::of_shape(&shape);
    assert_eq!(Template::of_typed(&template.typed()).typed(), template.typed());
    assert!(template.spans(message).is_some(), "{} does not match its message", template.typed());
    // What is left of a value beside another may be one itself (`e2::e2ee:99999`, `EEEEEEEE.0`), so once is not always enough
    // for what no log has; `grouping::masking_twice_is_masking_once` asks it of what logs have.
    let mut masked = |text: &str| Template::of_shape(shaper.shape(text.as_bytes())).text();
    let twice = masked(&template.text());
    assert_eq!(masked(&twice), twice);
});
