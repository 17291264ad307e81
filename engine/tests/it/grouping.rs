use logkin_engine::{
    cluster::{Weighted, cluster},
    evaluate::label_messages,
    format,
    shape::Shaper,
    template::{Kind, Part, Template},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::harness;

/// Words, values and signs as logs have them, and some that no log should have.
fn piece() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "user",
        "alice",
        "bob",
        "failed",
        "started",
        "for",
        "from",
        "=",
        ": ",
        ":",
        ", ",
        ",",
        " ",
        "  ",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "<*>",
        "<ip>",
        "<",
        ">",
        "\\",
        "\t",
        "true",
        "False",
        "10.0.0.1",
        "::1",
        ":80",
        "/var/log",
        "a/b",
        "C:\\x",
        "http://x.y/z?a=b",
        "12ms",
        "1.5",
        " KB",
        "-3",
        "0x1f",
        "+0x1b6",
        "deadbeef",
        "node-12",
        "ssh2",
        "core.22",
        "2024-05-01",
        "12:30:01",
        "Dec 10 06:55:46",
        "a@b.example.com",
        "用户",
        "张三",
        "を",
        "é",
        "..",
        "...",
        "#",
        "|",
        "\u{fffd}",
        "\u{e}",
        "\u{1b}[1m",
        "%",
        "$",
        "*",
    ]);
    prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => "[ -~]{0,6}", 1 => any::<char>().prop_map(String::from)]
}

fn message() -> impl Strategy<Value = String> {
    vec(piece(), 0..14).prop_map(|pieces| pieces.concat())
}

/// The same few words with bytes of any kind among them, and now and then what makes a line long.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let some = prop_oneof![
        6 => piece().prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..8),
        1 => (piece(), 1_usize..2000).prop_map(|(piece, times)| piece.repeat(times).into_bytes()),
    ];
    vec(some, 0..10).prop_map(|pieces| pieces.concat())
}

fn shape_of(message: &[u8]) -> Vec<u8> {
    Shaper::default().shape(message).to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn masking_twice_is_masking_once(message in message()) {
        let once = Template::of_shape(&shape_of(message.as_bytes())).text();
        let twice = Template::of_shape(&shape_of(once.as_bytes())).text();
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn no_bytes_break_anything(bytes in vec(any::<u8>(), 0..200), reference in any::<i64>()) {
        let record = format::read(&bytes, reference);
        prop_assert!(record.message.is_empty() || bytes.windows(record.message.len()).any(|part| part == record.message));
        let shape = shape_of(record.message);
        prop_assert!(std::str::from_utf8(&shape).is_ok());
        prop_assert!(!shape.contains(&b'\n'));
        prop_assert!(Template::of_shape(&shape).spans(record.message).is_some());
    }

    #[test]
    fn no_text_breaks_the_header(line in "\\PC{0,12}[ \\[\\]{}|:=,<>0-9A-Za-z./\"-]{0,80}") {
        let record = format::read(line.as_bytes(), 0);
        prop_assert!(record.message.len() <= line.len());
    }

    #[test]
    fn a_typed_template_reads_back(parts in vec(prop_oneof![
        "[a-z<>*\\\\ ]{1,8}".prop_map(Part::Literal),
        select(Kind::ALL.to_vec()).prop_map(Part::Slot),
    ], 0..8)) {
        let template = Template::new(parts);
        prop_assert_eq!(Template::of_typed(&template.typed()), template);
    }

    #[test]
    fn every_line_matches_its_template(messages in vec(message(), 1..40)) {
        let labels = label_messages(messages.iter().map(String::as_bytes), 0.5);
        for (message, cluster) in messages.iter().zip(&labels.clusters) {
            let template = &labels.templates[*cluster];
            prop_assert!(template.spans(message.as_bytes()).is_some(), "{:?} is no {}", message, template.typed());
        }
    }

    #[test]
    fn every_line_of_any_bytes_matches_its_template_and_that_reads_back(
        messages in vec(bytes(), 1..40),
        similarity in 0.0..=1.0,
    ) {
        let labels = label_messages(messages.iter().map(Vec::as_slice), similarity);
        for (message, cluster) in messages.iter().zip(&labels.clusters) {
            prop_assert!(labels.templates[*cluster].spans(message).is_some());
        }
        for template in &labels.templates {
            prop_assert_eq!(&Template::of_typed(&template.typed()), template);
            prop_assert_eq!(Template::of_text(&template.text()).id(), template.id());
        }
    }

    #[test]
    fn clusters_do_not_depend_on_the_order_of_lines(messages in vec(message(), 1..40), similarity in 0.0..1.0) {
        let named = |messages: &[String]| {
            let labels = label_messages(messages.iter().map(String::as_bytes), similarity);
            let mut named: Vec<(String, String)> = messages.iter().cloned().zip(labels.clusters.iter().map(|c| labels.templates[*c].typed())).collect();
            named.sort();
            named
        };
        let mut reversed = messages.clone();
        reversed.reverse();
        prop_assert_eq!(named(&messages), named(&reversed));
    }

    #[test]
    fn every_shape_is_in_one_group_and_no_two_groups_read_the_same(messages in vec(message(), 0..40), similarity in 0.0..=1.0) {
        let mut shapes: Vec<Vec<u8>> = messages.iter().map(|message| shape_of(message.as_bytes())).collect();
        shapes.sort();
        shapes.dedup();
        let weighted: Vec<Weighted> = shapes.iter().map(|shape| Weighted { shape, events: 1 }).collect();
        let groups = cluster(&weighted, similarity);
        let mut members: Vec<usize> = groups.iter().flat_map(|group| group.members.clone()).collect();
        members.sort_unstable();
        prop_assert_eq!(members, (0..shapes.len()).collect::<Vec<_>>());
        let mut ids: Vec<_> = groups.iter().map(|group| group.template.id()).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), groups.len());
    }
}

/// Shapes as long as lines may be, each of one piece over and over, and what a template of them has to be quick with.
#[test]
fn a_long_shape_of_any_make_is_one_group_at_once() {
    let pieces =
        ["x \u{f} ", "x:\u{f} \u{f} ", "_", ".", "a..", "a@", "(", "[\u{f}", "a=", "='\"", "a,", "(a,", "用", "a-"];
    for piece in pieces {
        let shape = piece.repeat((64 << 10) / piece.len());
        let groups = cluster(&[Weighted { shape: shape.as_bytes(), events: 1 }], 0.5);
        assert_eq!(groups.len(), 1, "{piece:?}");
    }
}

#[test]
fn many_long_shapes_are_grouped_at_once() {
    let mut shapes: Vec<String> = (0..40)
        .map(|line| (0..10_000).map(|word| format!("w{} ", letters((word * (line + 7)) % 99))).collect())
        .collect();
    shapes.sort();
    let weighted: Vec<Weighted> = shapes.iter().map(|shape| Weighted { shape: shape.as_bytes(), events: 1 }).collect();
    for similarity in [0.5, 0.3] {
        let groups = cluster(&weighted, similarity);
        assert_eq!(groups.iter().map(|group| group.members.len()).sum::<usize>(), shapes.len());
    }
}

/// A word without digits for each number.
fn letters(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

#[test]
fn what_is_otherwise_within_a_long_sentence_stays_apart() {
    let pairs = [
        ("node core is {} since the last heartbeat was seen by the cluster manager of it", "online", "offline"),
        ("the pool member web is {} according to the last probe of the monitor for requests", "healthy", "unhealthy"),
        ("could not open the file for {} because of a missing permission on the parent folder", "read", "write"),
        ("the interface is {} again as was seen by the monitor of all links of the cluster", "up", "down"),
        ("database node is now {} after the election among the members of the set was done", "primary", "standby"),
        ("nightly backup of the files ended with {} after copying all of the volumes", "success", "failure"),
    ];
    // Where each has a few lines, what they say has to tell; that it is otherwise in many is enough.
    for (lines, known) in [(6, 4), (200, 6)] {
        let found = pairs.iter().filter(|(message, one, other)| {
            let line = |n: usize| format!("{}\n", message.replace("{}", if n.is_multiple_of(2) { one } else { other }));
            let run = harness::run((0..lines).map(line).collect::<String>());
            run.report.clusters.len() == 2
        });
        assert_eq!(found.count(), known, "{lines}");
    }
}
