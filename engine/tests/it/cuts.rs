//! Broader and narrower: views of one analysis at different similarities.

use std::collections::HashMap;

use logkin_engine::{Hierarchy, Progress, Report, Settings, analyze, gather, report::Cluster};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::harness::{counts_close, reader, sample, words};

/// Sentences of few words, so that many are alike.
fn sentence() -> impl Strategy<Value = String> {
    let word = select(vec![
        "user", "alice", "bob", "carol", "dave", "erin", "logged", "in", "out", "from", "10.0.0.1", "job", "failed",
        "started", "for", "=", ":", ",", "(", ")", "4711", "true", "用户", "/var/log", "by", "peer",
    ]);
    vec(word, 0..7).prop_map(|words| words.join(" "))
}

fn surveyed(lines: &[String], threads: usize) -> Hierarchy {
    let settings = Settings { threads: Some(threads), ..Settings::default() };
    gather(vec![reader(lines.join("\n") + "\n")], &settings, &Progress::default(), None).unwrap().into_hierarchy()
}

/// Each cluster of `narrow` is all or part of one of `broad`, and their figures add up.
fn assert_nested(narrow: &Report, broad: &Report) {
    let above: HashMap<u64, &Cluster> =
        broad.clusters.iter().flat_map(|cluster| cluster.shapes.iter().map(move |shape| (*shape, cluster))).collect();
    let mut parts: HashMap<&str, (usize, u64, u64)> = HashMap::new();
    for cluster in &narrow.clusters {
        let whole = above[&cluster.shapes[0]];
        assert!(
            cluster.shapes.iter().all(|shape| above[shape].id == whole.id),
            "{} is in several clusters at {}",
            cluster.template,
            broad.similarity
        );
        let part = parts.entry(&whole.id.0).or_default();
        *part = (part.0 + cluster.shapes.len(), part.1 + cluster.lines, part.2 + cluster.events);
    }
    for cluster in &broad.clusters {
        assert_eq!(parts[cluster.id.0.as_str()], (cluster.shapes.len(), cluster.lines, cluster.events));
    }
}

fn ids_differ(report: &Report) {
    let mut ids: Vec<&str> = report.clusters.iter().map(|cluster| cluster.id.0.as_str()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "two clusters of one report have the same id");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn cuts_nest(lines in vec(sentence(), 1..60), a in 0.0..=1.0, b in 0.0..=1.0) {
        let hierarchy = surveyed(&lines, 1).whole();
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        for (narrow, broad) in [(high, low), (1.0, high), (low, 0.0), (high, 0.5_f64.min(high))] {
            let (narrow, broad) = (hierarchy.cut(narrow), hierarchy.cut(broad));
            for report in [&narrow, &broad] {
                counts_close(report);
                ids_differ(report);
            }
            assert_nested(&narrow, &broad);
        }
    }

    #[test]
    fn the_order_of_lines_and_the_threads_change_no_cut(
        (lines, shuffled) in vec(sentence(), 1..60).prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle())),
        similarity in 0.0..=1.0,
    ) {
        let cut = |lines: &[String], threads| {
            let mut report = surveyed(lines, threads).whole().cut(similarity);
            report.inputs.clear();
            report.clusters.iter_mut().for_each(|cluster| cluster.examples.clear());
            report
        };
        prop_assert_eq!(cut(&lines, 1), cut(&shuffled, 3));
    }

    #[test]
    fn a_template_matches_all_lines_of_its_cluster_at_every_similarity(lines in vec(sentence(), 1..40), similarity in 0.0..=1.0) {
        for cluster in surveyed(&lines, 1).cut(similarity).clusters {
            let template = logkin_engine::template::Template::of_text(&cluster.template);
            for line in &cluster.examples {
                let message = logkin_engine::format::read(line.as_bytes(), 0).message;
                prop_assert!(template.spans(message).is_some(), "{:?} is no {:?}", line, cluster.template);
            }
        }
    }
}

#[test]
fn at_0_everything_is_one_cluster_and_at_1_only_what_reads_the_same() {
    let text = sample(3000, 5);
    let hierarchy =
        gather(vec![reader(&text)], &Settings::default(), &Progress::default(), None).unwrap().into_hierarchy();
    assert_eq!(hierarchy.cut(0.0).clusters.len(), 1);
    let all = hierarchy.cut(1.0);
    assert!(all.clusters.len() as u64 <= all.totals.shapes && all.clusters.len() >= hierarchy.cut(0.5).clusters.len());
}

#[test]
fn an_explanation_says_what_was_joined_and_what_is_nearest() {
    let mut lines: Vec<String> = (0..30).map(|n| format!("user {} logged in", words(n * 7919 + 1000))).collect();
    lines.extend(["user list is full".to_owned(), "disk sda1 is full".to_owned(), "disk sdb1 is full".to_owned()]);
    let hierarchy = surveyed(&lines, 1);
    let report = hierarchy.cut(0.5);
    let users = report.clusters.iter().find(|c| c.template == "user <*> logged in").unwrap();
    let told = hierarchy.explain(&users.id.0[..9], 0.5).unwrap();
    assert_eq!((told.lines, told.shapes, told.joins), (30, 30, 1));
    assert_eq!((told.last_joins[0].shapes, told.last_joins[0].step), (30, logkin_engine::cluster::Step::Words));
    assert_eq!(told.slots[0].texts, 30);
    let nearest = told.nearest.unwrap();
    assert!(nearest.similarity < 0.5, "{nearest:?}");
    let broad = hierarchy.cut(nearest.similarity);
    let shared = broad.clusters.iter().find(|c| c.shapes.contains(&users.shapes[0])).unwrap();
    let other = report.clusters.iter().find(|c| c.id == nearest.id).unwrap();
    assert!(other.shapes.iter().all(|shape| shared.shapes.contains(shape)), "what is nearest is joined there");
    assert_eq!(hierarchy.explain(&users.id.0.to_uppercase(), 0.5).unwrap().id, users.id, "an id may come in capitals");
    assert!(hierarchy.explain("", 0.5).unwrap_err().to_string().starts_with("3 clusters have an id"));
    assert!(hierarchy.explain("no", 0.5).unwrap_err().to_string().starts_with("no cluster is called `no`"));
    assert_eq!(hierarchy.explain(&users.template, 0.5).unwrap().id, users.id, "a template is what people see");
}

#[test]
fn a_cut_of_what_was_written_and_read_is_what_an_analysis_at_that_similarity_gives() {
    let text = sample(3000, 6);
    let run = |similarity| {
        let settings = Settings { similarity, ..Settings::default() };
        analyze(vec![reader(&text)], &settings, &Progress::default(), None).unwrap()
    };
    let mut packed = Vec::new();
    let hierarchy =
        gather(vec![reader(&text)], &Settings::default(), &Progress::default(), None).unwrap().into_hierarchy();
    hierarchy.whole().write(&mut packed).unwrap();
    let hierarchy = Hierarchy::read(&packed[..]).unwrap();
    for similarity in [1.0, 0.9, 0.75, 0.5, 0.3, 0.1, 0.0] {
        assert_eq!(hierarchy.cut(similarity), run(similarity), "at {similarity}");
    }
    for cut in [1, packed.len() / 2, packed.len() - 1] {
        assert!(Hierarchy::read(&packed[..cut]).is_err(), "{cut} of {} bytes", packed.len());
    }
}

#[test]
fn a_hundred_thousand_shapes_are_cut_anew_in_a_moment_and_kept_in_little_room() {
    let lines: Vec<String> = (0..100_000)
        .map(|n| format!("{} of {} said {} to {}", words(n % 300), words(n % 17), words(n), words(n % 1000)))
        .collect();
    let hierarchy = surveyed(&lines, 2);
    let mut packed = Vec::new();
    hierarchy.write(&mut packed).unwrap();
    assert!(packed.len() < 16 << 20, "{} bytes", packed.len());
    let broad = Hierarchy::read(&packed[..]).unwrap().cut(0.8);
    assert_nested(&broad, &hierarchy.cut(0.5));
}

#[test]
fn the_examples_of_an_explanation_are_read_by_the_form_of_their_input() {
    let line = |n: u64| format!("2026-05-01T12:00:{:02}Z INFO w{n} user {} left", n % 60, words(n * 7919 + 1000));
    let text: String = (0..30).map(|n| line(n) + "\n").collect();
    let line_format = "{time} {level} {worker} {message}".parse().unwrap();
    let settings = Settings { line_format, ..Settings::default() };
    let found = gather(vec![reader(text)], &settings, &Progress::default(), None).unwrap().into_hierarchy();
    let report = found.cut(0.5);
    assert_eq!(report.clusters[0].template, "user <*> left");
    let told = found.explain(&report.clusters[0].id.0, 0.5).unwrap();
    let mut expected = [0, 1, 2].map(|n| words(n * 7919 + 1000));
    expected.sort_unstable();
    assert_eq!(told.slots[0].examples, expected);
}
