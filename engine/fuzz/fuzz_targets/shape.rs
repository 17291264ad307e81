//! Any message has a shape, the same each time, and a template made of it reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use logkin_engine::{shape::Shaper, template::Template};

fuzz_target!(|message: &[u8]| {
    let mut shaper = Shaper::default();
    let shape = shaper.shape(message).to_vec();
    assert_eq!(shape, shaper.shape(message));
    let template = Template::of_shape(&shape);
    assert_eq!(Template::of_typed(&template.typed()).typed(), template.typed());
});
