//! Parts of a whole: lines as they come, and partial results added up.

use logkin_engine::{Partial, Progress, Report, Settings, gather};
use proptest::prelude::*;

use crate::harness::{counts_close, reader, run_with, sample, words};

/// All but what tells the inputs apart.
fn clusters(report: &Report) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut report = report.clone();
    report.inputs.clear();
    report.clusters.iter_mut().for_each(|c| c.examples.clear());
    report
}

/// Lines of a few sorts; some are words without end.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        4 => "(alpha|beta) [a-z]{1,6} [0-9]{1,4} (up|down)",
        1 => (0u64..1000).prop_map(|n| format!("user {} has left", words(n))),
        1 => Just(String::new()),
        1 => "2024-05-0[1-9]T12:00:00Z (WARN|ERROR) disk [0-9] is full",
    ];
    prop::collection::vec(line, 0..120)
}

fn gathered(lines: &[String], settings: &Settings) -> Partial {
    let bytes: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    gather(vec![reader(bytes)], settings, &Progress::default(), None).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    // How lines begin is voted by the first piece, so it has to be told here.
    #[test]
    fn lines_added_as_they_come_make_the_report_of_all_lines_at_once(
        lines in lines(),
        cuts in prop::collection::vec(1usize..30, 1..10),
        line_format in prop_oneof![Just("plain"), Just("{time} {level} {message}")],
    ) {
        let settings = Settings { line_format: line_format.parse().unwrap(), ..Settings::default() };
        let mut live = Partial::new(&settings);
        let input = live.input("lines");
        let (mut rest, mut cuts) = (&lines[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (some, others) = rest.split_at(rest.len().min(cuts.next().unwrap()));
            live.add(input, some.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().as_bytes());
            counts_close(&live.report());
            rest = others;
        }
        let mut whole = gathered(&lines, &settings).into_report();
        whole.inputs.iter_mut().for_each(|input| input.problems.clear());
        let mut live = live.into_report();
        // How lines begin is not known before there are some.
        [&mut live, &mut whole].into_iter().flat_map(|r| &mut r.inputs).for_each(|input| input.formats.clear());
        prop_assert_eq!(live, whole);
    }

    #[test]
    fn partial_results_add_up_in_any_order_and_grouping(
        parts in prop::collection::vec(lines(), 3),
        max_shapes in prop_oneof![Just(100_000), 1usize..40],
    ) {
        let settings = Settings { max_shapes, ..Settings::default() };
        let [a, b, c] = [0, 1, 2];
        let of = |part: usize| gathered(&parts[part], &settings);
        let sum = |mut one: Partial, other: Partial| { one.merge(other); one };
        let left = sum(sum(of(a), of(b)), of(c)).into_report();
        let right = sum(of(a), sum(of(b), of(c))).into_report();
        let turned = sum(of(c), sum(of(b), of(a))).into_report();
        counts_close(&left);
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(clusters(&left), clusters(&turned));
    }
}

#[test]
fn what_is_gathered_and_merged_is_what_one_run_over_both_finds() {
    let (one, two) = (sample(3000, 1), sample(2000, 2));
    let settings = Settings::default();
    let mut sum = gather(vec![reader(&one)], &settings, &Progress::default(), None).unwrap();
    sum.merge(gather(vec![reader(&two)], &settings, &Progress::default(), None).unwrap());
    assert_eq!(sum.into_report(), run_with(vec![reader(&one), reader(&two)], &settings).report);
}

#[test]
fn a_large_text_added_at_once_is_folded_like_a_small_one() {
    let text = sample(60_000, 7);
    let mut live = Partial::new(&Settings { threads: Some(2), ..Settings::default() });
    let input = live.input("lines");
    live.add(input, text.as_bytes());
    assert_eq!(live.report(), run_with(vec![reader(&text)], &Settings::default()).report);
}

#[test]
fn what_an_input_is_its_first_lines_tell() {
    let mut live = Partial::new(&Settings::default());
    let (binary, text) = (live.input("wtmp"), live.input("x.log"));
    live.add(binary, &[b"\x7fELF\x02\x01\0\0\0\0\n".as_slice(), &[0, 1, 2, 3].repeat(9)].concat());
    live.add(text, b"job 1 done\n");
    live.add(binary, b"looks like text\n");
    live.add(text, b"\x01\x02\x03\x04\n");
    let report = live.report();
    counts_close(&report);
    assert_eq!((report.totals.lines, report.totals.set_aside, report.clusters.len()), (5, 3, 2));
    assert_eq!(report.inputs[0].problems.len(), 1, "{:?}", report.inputs);
}
