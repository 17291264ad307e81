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
    let once = template.text();
    let twice = Template::of_shape(shaper.shape(once.as_bytes())).text();
    assert_eq!(twice, once);
});
