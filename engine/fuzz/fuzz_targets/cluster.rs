//! Any messages fall into clusters, each message into one whose template matches it, whatever their order.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use logkin_engine::evaluate::label_messages;

fuzz_target!(|input: (u8, &str)| {
    let (similarity, text) = (f64::from(input.0) / 255.0, input.1);
    let mut messages: Vec<&[u8]> = text.split('\n').map(str::as_bytes).collect();
    let named = |messages: &[&[u8]]| {
        let labels = label_messages(messages.iter().copied(), similarity);
        let ids: BTreeSet<_> = labels.templates.iter().map(|template| template.id()).collect();
        assert_eq!(ids.len(), labels.templates.len(), "two clusters read the same");
        let mut named = Vec::new();
        for (message, cluster) in messages.iter().zip(&labels.clusters) {
            let template = &labels.templates[*cluster];
            assert!(template.spans(message).is_some(), "{} does not match its message", template.typed());
            named.push((message.to_vec(), template.typed()));
        }
        named.sort();
        named
    };
    let forward = named(&messages);
    messages.reverse();
    assert_eq!(forward, named(&messages));
});
