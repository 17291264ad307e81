use proptest::prelude::*;

use super::*;
use crate::record::Level;

/// Shapes of every sort: few and many, alike in front and not, long, of one word.
fn shapes() -> impl Strategy<Value = Vec<(String, i64)>> {
    let shape = prop_oneof![
        "(user|host) [a-e]{1,3} logged in",
        "[a-h]{1,4}",
        "job [a-c] of queue [a-c] took [a-f]{2} and then [a-f]{2} and [a-f]{2} again until [a-d]",
        "x{200,600}[a-d]",
        "[a-f] [a-f\u{e}] [a-f\u{f}]",
    ];
    prop::collection::vec((shape, -2_000_000_000i64..2_000_000_000), 1..400)
}

fn table(max: usize, lines: &[(String, i64)], first: u64) -> Table {
    let mut table = Table::new(max);
    for (number, (shape, time)) in (first..).zip(lines) {
        let mut tally = Tally::default();
        tally.count(Some(time * 1000), Some(Level::Warn), 1);
        let keys = Keys::of(shape.as_bytes(), Key::of(shape.as_bytes()));
        table.add(&keys, shape.as_bytes(), &tally, |e, room| e.offer(room, 0, number, || shape.as_bytes()));
    }
    table
}

fn merged(mut a: Table, b: Table) -> Table {
    a.merge(b);
    a
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_the_same_in_any_order_and_grouping(lines in shapes(), max in 1usize..60, cuts in any::<[prop::sample::Index; 2]>()) {
        let mut cuts = cuts.map(|c| c.index(lines.len()));
        cuts.sort_unstable();
        let [i, j] = cuts;
        let part = |from: usize, to: usize| table(max, &lines[from..to], from as u64);
        let (a, b, c) = (part(0, i), part(i, j), part(j, lines.len()));
        let left = merged(merged(a, b), c).finish();
        let right = merged(part(j, lines.len()), merged(part(i, j), part(0, i))).finish();
        let whole = table(max, &lines, 0).finish();
        prop_assert_eq!(&left, &whole);
        prop_assert_eq!(&right, &whole);
    }

    #[test]
    fn a_table_loses_no_event_and_keeps_its_bound(lines in shapes(), max in 1usize..60) {
        let entries = table(max, &lines, 0).finish();
        prop_assert!(entries.len() <= max);
        prop_assert_eq!(entries.iter().map(|e| e.tally.events).sum::<u64>(), lines.len() as u64);
    }

    #[test]
    fn every_shape_is_found_under_exactly_one_of_its_keys(lines in shapes(), max in 1usize..60) {
        let entries = table(max, &lines, 0).finish();
        let mut events: ByKey<u64> = entries.iter().map(|e| (e.key(), 0)).collect();
        prop_assert_eq!(events.len(), entries.len());
        for (shape, _) in &lines {
            let keys = Keys::of(shape.as_bytes(), Key::of(shape.as_bytes()));
            let mut homes: Vec<Key> = (0..=EXACT).map(|d| keys.at(d)).filter(|k| events.contains_key(k)).collect();
            homes.dedup();
            prop_assert_eq!(homes.len(), 1);
            *events.get_mut(&homes[0]).unwrap() += 1;
        }
        for entry in entries {
            prop_assert_eq!(events[&entry.key()], entry.tally.events);
        }
    }
}

#[test]
fn only_the_shapes_that_are_too_many_are_joined() {
    let noise = (0..5000).map(|i| format!("session of {} closed", letters(i)));
    let rest = (0..50).map(|i| format!("{} started", letters(i)));
    let lines: Vec<(String, i64)> = noise.chain(rest).map(|shape| (shape, 0)).collect();
    let entries = table(1000, &lines, 0).finish();
    let texts: Vec<_> = entries.iter().map(|e| String::from_utf8_lossy(&e.shape)).collect();
    assert_eq!(texts.iter().filter(|t| t.ends_with(" started")).count(), 50);
    assert!(texts.iter().any(|t| t == "session of \u{e} closed"), "{texts:?}");
    assert_eq!(texts.len(), 51);
}

#[test]
fn noise_that_begins_alike_in_nothing_leaves_what_has_another_form() {
    let noise = (0..20_000u32).map(|i| format!("{} {} {}", letters(i), letters(i * 7919), letters(i * 31)));
    let frequent = (0..100u32).map(|i| format!("{} took \u{f} of {}", letters(i), letters(i / 3)));
    let mut lines: Vec<(String, i64)> = Vec::new();
    for (number, shape) in noise.enumerate() {
        lines.push((shape, 0));
        lines.extend(frequent.clone().skip(number % 100).take(1).map(|shape| (shape, 0)));
    }
    let entries = table(2000, &lines, 0).finish();
    let kept: Vec<_> = entries.iter().filter(|e| e.depth == EXACT).collect();
    assert_eq!(kept.len(), 100);
    assert!(kept.iter().all(|e| e.tally.events == 200));
    assert_eq!(entries.len(), 101);
}

/// A word for a number, without digits.
fn letters(mut n: u32) -> String {
    let mut word = String::new();
    loop {
        word.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
        if n == 0 {
            return word;
        }
    }
}
