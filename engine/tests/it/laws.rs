//! What holds for every input.

use logkin_engine::{Report, Settings};
use proptest::prelude::*;

use crate::harness::{Run, counts_close, reader, run, run_with, sample, words};

/// Lines as they come, with everything that a line may hold.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = prop_oneof![
        4 => "(alpha|beta) [a-z]{1,6} [0-9]{1,4} (up|down)".prop_map(String::into_bytes),
        1 => "[ \t]{0,3}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>().prop_filter("no line feed", |b| *b != b'\n'), 0..60)
            .prop_filter("an event of one line", |line| !matches!(&line[..], [b'{' | b'[' | b'(']))
            .boxed(),
        1 => "[中文日志 ]{1,20}".prop_map(String::into_bytes),
        1 => "[-+.:@=,()0-9a-f<*> /]{0,12}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(line, 0..200)
}

/// What must not depend on the order of the lines: all but the examples and the summary of the input.
fn unordered(report: &Report) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut report = report.clone();
    report.inputs.clear();
    report.clusters.iter_mut().for_each(|c| c.examples.clear());
    report
}

fn with_threads(bytes: &[u8], threads: usize) -> Run {
    run_with(vec![reader(bytes)], &Settings { threads: Some(threads), ..Settings::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn counts_close_and_the_recording_has_every_line(lines in lines()) {
        let run = run(lines.join(&b'\n'));
        let labels = run.recording().labels().count() as u64;
        prop_assert_eq!(labels, run.report.totals.lines);
        for cluster in &run.report.clusters {
            let found = run.recording().lines(&cluster.shapes, 0, usize::MAX).unwrap();
            prop_assert_eq!(found.len() as u64, cluster.lines);
        }
    }

    #[test]
    fn the_order_of_lines_changes_no_cluster_and_no_count(
        (lines, shuffled) in lines().prop_flat_map(|l| (Just(l.clone()), Just(l).prop_shuffle())),
        max_shapes in 1usize..40,
    ) {
        // A plain line in front, so that the first bytes say text both times.
        let bytes = |lines: &[Vec<u8>]| [vec![b'#'; 8192], lines.join(&b'\n'), b"\n".to_vec()].join(&b'\n');
        let settings = Settings { max_shapes, ..Settings::default() };
        let [a, b] = [&lines, &shuffled].map(|lines| run_with(vec![reader(bytes(lines))], &settings).report);
        prop_assert_eq!(unordered(&a), unordered(&b));
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let text = sample(120_000, 8);
    let one = with_threads(text.as_bytes(), 1);
    let json = serde_json::to_vec(&one.report).unwrap();
    for threads in [2, 16] {
        let more = with_threads(text.as_bytes(), threads);
        assert_eq!(serde_json::to_vec(&more.report).unwrap(), json);
        assert!(more == one, "the recordings of 1 and {threads} threads differ");
    }
}

#[test]
fn a_run_within_a_pool_uses_it_and_gives_the_same() {
    let text = sample(60_000, 9);
    let outside = run(&text);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| run(&text)) == outside);
    }
}

#[test]
fn runs_that_share_a_pool_do_not_wait_for_each_other_for_ever() {
    let text = sample(60_000, 12);
    let alone = run(&text);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| pool.install(|| run(&text)))).collect();
            for run in runs {
                assert!(run.join().unwrap() == alone);
            }
        });
    }
}

#[test]
fn the_histogram_has_every_event_that_says_when_it_was() {
    let text = sample(30_000, 13);
    let report = run(&text).report;
    let timed = text.lines().filter(|l| l.starts_with("2024")).count() as u64;
    let histogram = report.histogram.unwrap();
    assert_eq!(histogram.counts.iter().sum::<u64>(), timed);
    assert!(histogram.start_ms % histogram.step_ms == 0 && histogram.counts.len() <= 150);
    let mut sums = vec![0; histogram.counts.len()];
    for cluster in &report.clusters {
        for (sum, count) in sums.iter_mut().zip(cluster.over_time.counts()) {
            *sum += count;
        }
    }
    assert_eq!(sums, histogram.counts);
}

#[test]
fn a_report_is_the_same_after_it_was_written_and_read() {
    let report = run(sample(3000, 10)).report;
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn a_million_distinct_shapes_are_bounded_alike_in_any_order_and_on_any_threads() {
    let mut lines: Vec<String> =
        (0..1_000_000).map(|n| format!("job {} of {} ended", words(n % 40), words(n))).collect();
    lines.extend((0..100).map(|n| format!("{} is a kind of its own", words(n))));
    let settings = |threads| Settings { max_shapes: 2000, threads: Some(threads), ..Settings::default() };
    let first = run_with(vec![reader(lines.join("\n"))], &settings(1));
    assert!(first.report.totals.shapes <= 2000);
    assert!(first.report.totals.shapes >= 100, "only what is too many is joined");
    assert_eq!(first.report.problems.len(), 1, "{:?}", first.report.problems);
    let second = run_with(vec![reader(lines.join("\n"))], &settings(4));
    assert!(first == second);

    lines.reverse();
    let (front, back) = lines.split_at(300_000);
    let inputs = vec![reader(back.join("\n")), reader(front.join("\n"))];
    let reversed = run_with(inputs, &settings(2));
    counts_close(&reversed.report);
    let bytes = |report: &Report| {
        let mut report = report.clone();
        report.totals.bytes = 0;
        format!("{:?}", unordered(&report))
    };
    assert!(bytes(&first.report) == bytes(&reversed.report));
    for cluster in reversed.report.clusters.iter().take(5) {
        let found = reversed.recording().lines(&cluster.shapes, 0, usize::MAX).unwrap();
        assert_eq!(found.len() as u64, cluster.lines);
    }
}
