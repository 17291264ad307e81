//! What one log has that another has not.

use logkin_engine::{
    Partial, Progress, Rules, Settings,
    compare::{
        Change, Comparison, Difference, compare,
        significance::{Bar, judge},
    },
    gather,
};
use proptest::prelude::*;

use crate::harness::{reader, sample, words};

fn side(text: &str) -> Partial {
    gather(vec![reader(text)], &Settings::default(), &Progress::default(), None).unwrap()
}

/// Both read alike, as the program does it.
fn compared(base_text: &str, other: &str) -> Comparison {
    let base = side(base_text);
    let settings = Settings { line_format: base.line_format(), ..Settings::default() };
    let other = gather(vec![reader(other)], &settings, &Progress::default(), None).unwrap();
    if base.reads_like(&other) {
        return compare(base, other, Bar::default());
    }
    let settings = Settings { line_format: other.line_format(), ..Settings::default() };
    let base = gather(vec![reader(base_text)], &settings, &Progress::default(), None).unwrap();
    compare(base, other, Bar::default())
}

#[test]
fn lines_that_one_side_has_few_of_are_read_as_on_the_other() {
    let line = |n: usize, message: &str| format!("2024-05-01 12:00:{:02} INFO {message} {n}\n", n % 60);
    let others = |n: usize| format!("May  1 12:00:01 host1 shop[{n}]: order {n} packed\n");
    let log = |few: usize| -> String {
        (0..300).map(others).chain((0..few).map(|n| line(n, "success: payment of"))).collect()
    };
    for (base, other) in [(2, 200), (200, 2), (1, 40)] {
        let comparison = compared(&log(base), &log(other));
        let kinds: Vec<_> = comparison.clusters.iter().map(|c| (c.base.lines, c.other.lines)).collect();
        assert_eq!(kinds.len(), 2, "{comparison:#?}");
        assert!(kinds.contains(&(base as u64, other as u64)), "{kinds:?}");
    }
}

#[test]
fn a_line_format_that_fits_hardly_any_line_is_told_of_the_side_that_it_does_not_fit() {
    let log = |between: &str| (0..200).map(|n| format!("web{between} job {n} done\n")).collect::<String>();
    let settings = Settings { line_format: "{host}: {message}".parse().unwrap(), ..Settings::default() };
    let side = |text: &str| gather(vec![reader(text)], &settings, &Progress::default(), None).unwrap();
    for (base, other, [in_base, in_other]) in [(":", "", [0, 1]), ("", ":", [1, 0]), ("", "", [1, 1])] {
        let comparison = compare(side(&log(base)), side(&log(other)), Bar::default());
        for (side, notes) in [(comparison.base, in_base), (comparison.other, in_other)] {
            let found = &side.inputs[0].notes;
            assert_eq!(found.len(), notes, "{found:?}");
            assert!(
                found.iter().all(|note| note.contains("fits 0 of 200 lines") && note.contains("'web job ")),
                "{found:?}"
            );
        }
    }
}

#[test]
fn errors_among_statements_are_new_and_the_rest_is_alike() {
    let line = |i: usize, kind: &str| format!("2024-05-01 12:00:{:02}.123 UTC [{i}] {kind} {i}\n", i % 60);
    let kinds = ["LOG:  duration", "DETAIL:  parameters", "STATEMENT:  SELECT"];
    let base: String = (0..300).map(|i| line(i, kinds[i % 3])).collect();
    let other = format!("{base}{}{}", line(1, "ERROR:  deadlock detected"), line(2, "FATAL:  out of memory"));
    let comparison = compared(&base, &other);
    assert_eq!(comparison.clusters.iter().filter(|cluster| cluster.is_new_error()).count(), 2, "{comparison:#?}");
    assert_eq!(
        comparison.clusters.iter().filter(|cluster| cluster.change == Change::Same).count(),
        3,
        "{comparison:#?}"
    );
}

#[test]
fn what_only_one_kind_of_message_begins_with_is_no_header() {
    let line = |n: usize, message: &str| format!("1937{}:S 20 Nov 2026 10:36:{:02}.218 - {message}\n", n % 3, n % 60);
    let keys = |n: usize| line(n, &format!("DB {}: {n} keys ({} volatile) in 256 slots HT.", n % 2, n % 7));
    let other = |n: usize| line(n, ["Client closed connection", "Fork was done", "Accepted it", "Saved all"][n % 4]);
    let log = |keyed: usize, others: usize| -> String {
        (0..keyed.max(others))
            .flat_map(|n| [(n < keyed).then(|| keys(n)), (n < others).then(|| other(n))])
            .flatten()
            .collect()
    };
    for (base, with) in [((40, 6), (38, 400)), ((38, 400), (40, 6)), ((300, 20), (10, 900)), ((4, 30), (3000, 100))] {
        let comparison = compared(&log(base.0, base.1), &log(with.0, with.1));
        let keys: Vec<_> = comparison.clusters.iter().filter(|one| one.template.contains("keys (")).collect();
        let lines: Vec<_> = keys.iter().map(|one| (one.base.lines, one.other.lines)).collect();
        assert_eq!(lines, [(base.0 as u64, with.0 as u64)], "{keys:#?}");
        assert!(keys[0].template.starts_with("DB <*>: "), "{}", keys[0].template);
    }
}

#[test]
fn names_before_lines_are_read_alike_on_both_sides() {
    let line = |n: usize, named: bool| format!("{}order {n} packed\n", if named { "shop-1  | " } else { "" });
    let log = |named: usize| -> String { (0..1000).map(|n| line(n, n % 1000 < named)).collect() };
    for (base, other) in [(920, 880), (880, 920), (1000, 600), (600, 1000)] {
        let comparison = compared(&log(base), &log(other));
        assert!(!comparison.clusters.iter().any(|one| one.change == Change::New), "{base} {other}: {comparison:#?}");
    }
}

#[test]
fn what_the_sides_would_vote_apart_is_read_alike() {
    let threaded = |job: usize| format!("2024-05-01 10:00:{:02} INFO [main] job {job} is done\n", job % 60);
    let plain = |job: usize| format!("2024-05-01 10:00:{:02} INFO job {job} waits\n", job % 60);
    let all: String = (0..200).map(threaded).collect();
    let half: String = (0..200).map(|job| if job % 2 == 0 { threaded(job) } else { plain(job) }).collect();
    for (base, other) in [(&all, &half), (&half, &all)] {
        let comparison = compared(base, other);
        let kinds: Vec<_> = comparison.clusters.iter().map(|c| (c.change, c.base.lines + c.other.lines)).collect();
        assert!(
            kinds.iter().any(|(change, lines)| *lines == 300 && !matches!(change, Change::New | Change::Gone)),
            "{comparison:#?}"
        );
        assert_eq!(kinds.len(), 2, "{comparison:#?}");
    }
}

/// Numbers that look drawn by lot, always the same for a seed.
fn lots(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// A log with a few common kinds of line and many rare ones.
fn log(lots: &mut impl FnMut(u64) -> u64, lines: u64) -> Vec<String> {
    let line = |lots: &mut dyn FnMut(u64) -> u64| match lots(10) {
        0..5 => format!("request {} done", lots(1000)),
        5..8 => format!("ERROR cache miss for {}", lots(1000)),
        // One kind for each length, half as many of each longer one.
        _ => format!("rare {}", "and rarer ".repeat(1 + lots(u64::MAX >> 34).leading_zeros() as usize % 12)),
    };
    (0..lines).map(|_| line(lots)).collect()
}

fn turned(change: Change) -> Change {
    match change {
        Change::New => Change::Gone,
        Change::Gone => Change::New,
        Change::More => Change::Less,
        Change::Less => Change::More,
        Change::Same => Change::Same,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn swapping_the_sides_swaps_new_and_gone_more_and_less(
        counts in prop::collection::vec(prop_oneof![(0u64..5, 0u64..5), (0u64..5000, 0u64..5000)], 0..60),
    ) {
        let swapped: Vec<_> = counts.iter().map(|(a, b)| (*b, *a)).collect();
        for (one, other) in judge(&counts, Bar::default()).iter().zip(judge(&swapped, Bar::default())) {
            prop_assert_eq!((one.change, one.is_finding), (turned(other.change), other.is_finding));
            prop_assert!((one.p - other.p).abs() <= 1e-9 * one.p.max(1e-300), "{} {}", one.p, other.p);
        }
    }

    #[test]
    fn a_thing_compared_with_itself_has_no_findings(counts in prop::collection::vec(0u64..1_000_000, 0..60)) {
        let counts: Vec<_> = counts.iter().map(|n| (*n, *n)).collect();
        prop_assert!(judge(&counts, Bar::default()).iter().all(|j| j.change == Change::Same && !j.is_finding && j.p == 1.0));
    }

    #[test]
    fn a_finding_is_more_than_chance_and_a_probability_is_one(
        counts in prop::collection::vec((0u64..3000, 0u64..3000), 1..40),
    ) {
        for judged in judge(&counts, Bar::default()) {
            prop_assert!((0.0..=1.0).contains(&judged.p) && (0.0..=1.0).contains(&judged.q));
            prop_assert!(!judged.is_finding || judged.q <= 0.01);
        }
    }
}

#[test]
fn halves_of_one_log_drawn_by_lot_rarely_differ() {
    let mut findings = 0;
    for seed in 0..300 {
        let mut lots = lots(seed);
        let share = [2, 3, 10][seed as usize % 3];
        let mut counts = vec![(0, 0); 60];
        for _ in 0..4000 {
            // A few kinds of line make most of a log, and most kinds have few lines.
            let kind = (60.0 / (1.0 + lots(60) as f64)).floor() as usize % 60;
            let (base, other) = &mut counts[kind];
            if lots(share) == 0 { *other += 1 } else { *base += 1 }
        }
        findings += usize::from(judge(&counts, Bar::default()).iter().any(|judged| judged.is_finding));
    }
    // The bar is at one in a hundred.
    assert!(findings <= 6, "{findings} of 300 had findings");
}

#[test]
fn halves_of_a_real_looking_log_have_no_findings_in_whole_runs() {
    for seed in 0..10 {
        let mut lots = lots(seed);
        let (mut base, mut other) = (String::new(), String::new());
        for line in log(&mut lots, 3000) {
            let side = if lots(2) == 0 { &mut base } else { &mut other };
            *side += &line;
            *side += "\n";
        }
        let found: Vec<_> = compared(&base, &other).clusters.into_iter().filter(|c| c.is_finding).collect();
        assert!(found.is_empty(), "{seed}: {found:?}");
    }
}

#[test]
fn what_is_new_gone_more_and_less_is_found_with_its_counts() {
    let text = |lines: &[(usize, &str)]| {
        lines.iter().flat_map(|(n, line)| (0..*n).map(move |i| format!("{line} {i}\n"))).collect::<String>()
    };
    let base = text(&[
        (2000, "INFO request served"),
        (300, "WARN slow query"),
        (200, "INFO cache warmed"),
        (90, "DEBUG old path"),
    ]);
    let other = text(&[
        (4000, "INFO request served"),
        (100, "WARN slow query"),
        (2500, "INFO cache warmed"),
        (3, "ERROR no disk"),
    ]);
    let found = compared(&base, &other);
    let told: Vec<_> = found
        .clusters
        .iter()
        .map(|c| (c.change, c.is_finding, c.base.events, c.other.events, c.template.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Change::New, false, 0, 3, "no disk <*>"),
            (Change::More, true, 200, 2500, "cache warmed <*>"),
            (Change::Gone, true, 90, 0, "old path <*>"),
            (Change::Less, true, 300, 100, "slow query <*>"),
            (Change::Same, false, 2000, 4000, "request served <*>"),
        ]
    );
    assert!(found.clusters[0].is_new_error() && found.clusters[0].matters());
    assert_eq!((found.base.totals.lines, found.other.totals.lines), (2590, 6603));
    let swapped = compared(&other, &base);
    let turned_back: Vec<_> = found.clusters.iter().map(|c| (turned(c.change), c.is_finding, &c.id)).collect();
    let swapped: Vec<_> = swapped.clusters.iter().map(|c| (c.change, c.is_finding, &c.id)).collect();
    assert!(swapped.iter().all(|one| turned_back.contains(one)), "{swapped:?}");
}

#[test]
fn the_sides_add_up_to_one_clustering_of_both_even_where_shapes_are_joined() {
    let (one, two) = (sample(2000, 1), (0..3000).map(|n| format!("user {} left\n", words(n * n))).collect::<String>());
    for max_shapes in [100_000, 20] {
        let settings = Settings { max_shapes, ..Settings::default() };
        let side = |text: &str| gather(vec![reader(text)], &settings, &Progress::default(), None).unwrap();
        let found = compare(side(&one), side(&two), Bar::default());
        let mut both = side(&one);
        both.merge(side(&two));
        let both = both.into_report();
        assert_eq!(found.clusters.len() as u64, both.totals.clusters);
        for cluster in &both.clusters {
            let difference = found.clusters.iter().find(|d| d.id == cluster.id).unwrap();
            assert_eq!(difference.base.lines + difference.other.lines, cluster.lines);
        }
        for side in [&found.base, &found.other] {
            let of =
                |counts: fn(&logkin_engine::compare::Difference) -> u64| found.clusters.iter().map(counts).sum::<u64>();
            let is_base = std::ptr::eq(side, &found.base);
            let lines = if is_base { of(|d| d.base.lines) } else { of(|d| d.other.lines) };
            assert_eq!(side.totals.lines, lines + side.totals.set_aside);
        }
    }
}

#[test]
fn stack_traces_are_errors_whatever_their_level() {
    let trace = "Traceback (most recent call last):\n";
    let found = compared("job 1 done\n", &format!("job 2 done\n{trace}"));
    assert!(found.clusters[0].is_new_error(), "{:?}", found.clusters);
}

#[test]
fn a_stack_trace_below_a_line_of_any_level_is_an_error() {
    let job = |n: usize| format!("2024-05-01 10:00:{:02} INFO job {n} done\n", n % 60);
    let base: String = (0..60).map(job).collect();
    let traces = [
        "java.lang.IllegalStateException: no seat left\n\tat org.shop.Hall.seat(Hall.java:12)\n",
        "Error: no seat left\n    at seat (/srv/hall.js:12:3)\n",
        "Traceback (most recent call last):\n  File \"hall.py\", line 12, in seat\nValueError: no seat left\n",
    ];
    for trace in traces {
        let found = compared(&base, &format!("{base}{}{trace}", job(61)));
        assert!(found.clusters.iter().any(Difference::is_new_error), "{trace}: {:#?}", found.clusters);
    }
    let found = compared(&base, &format!("{base}{}    and its 12 parts\n", job(61)));
    assert!(!found.clusters.iter().any(Difference::is_new_error), "{:#?}", found.clusters);
}

#[test]
fn titles_and_mutes_of_rules_hold_for_a_comparison() {
    let rules =
        "[[rule]]\nrename = \"disk <*> failed\"\ntitle = \"A disk is broken\"\n[[rule]]\nmute = \"cache <*> lost\"\n";
    let rules = Rules::parse("rules.toml", rules).unwrap();
    let settings = Settings { rules: Some(rules.into()), ..Settings::default() };
    let read = |text: &str| gather(vec![reader(text)], &settings, &Progress::default(), None).unwrap();
    let other = "INFO up\nERROR disk 1 failed\nERROR disk 2 failed\nERROR cache 3 lost\n";
    let comparison = compare(read("INFO up\n"), read(other), Bar::default());
    let of = |template: &str| comparison.clusters.iter().find(|one| one.template == template).unwrap();
    let (disk, cache) = (of("disk <*> failed"), of("cache <*> lost"));
    assert_eq!((disk.title.as_deref(), disk.is_muted, disk.matters()), (Some("A disk is broken"), false, true));
    assert_eq!((cache.title.as_deref(), cache.is_muted, cache.matters()), (None, true, false));
    assert!(cache.is_new_error(), "it is judged as any other");
}

#[test]
fn requests_that_fail_on_one_side_alone_are_a_new_error() {
    let log = |status: u16| -> String {
        let at = |i: u32| format!("[10/Oct/2023:13:{:02}:{:02} +0000]", i / 60, i % 60);
        (0..200).map(|i| format!("10.0.0.{} - - {} \"GET /a/{i} HTTP/1.1\" {status} {i}\n", i % 9, at(i))).collect()
    };
    let (base, other) = (log(200), [log(200), log(500)].concat());
    let found = compared(&base, &other);
    let new: Vec<_> = found.clusters.iter().filter(|one| one.is_new_error()).map(|one| one.other.events).collect();
    assert_eq!(new, [200], "{:?}", found.clusters);
}
