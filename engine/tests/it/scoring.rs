use logkin_engine::evaluate::{read_truth, score};

fn scores(truth: &[&str], clusters: &[usize], templates: &[&str]) -> [f64; 4] {
    let scores = score(truth, clusters, templates).unwrap();
    [scores.ga, scores.fga, scores.pa, scores.fta]
}

fn close(found: [f64; 4], expected: [f64; 4]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }
}

const TRUTH: [&str; 10] = ["a <*>", "a <*>", "a <*>", "a <*>", "b", "b", "b", "c <*> d", "c <*> d", "e"];

#[test]
fn equal_labels_score_one() {
    close(scores(&TRUTH, &[0, 0, 0, 0, 1, 1, 1, 2, 2, 3], &TRUTH), [1.0; 4]);
}

#[test]
fn a_merged_group_costs_its_lines() {
    let merged: Vec<&str> = TRUTH.iter().map(|template| if *template == "e" { "b" } else { template }).collect();
    close(scores(&TRUTH, &[0, 0, 0, 0, 1, 1, 1, 2, 2, 1], &merged), [0.6, 4.0 / 7.0, 0.9, 4.0 / 7.0]);
}

#[test]
fn a_split_line_costs_its_group() {
    let mut split = TRUTH;
    split[0] = "a 1";
    close(scores(&TRUTH, &[9, 0, 0, 0, 1, 1, 1, 2, 2, 3], &split), [0.6, 2.0 / 3.0, 0.9, 8.0 / 9.0]);
}

#[test]
fn lines_without_a_template_count_for_templates_only() {
    close(scores(&["a", "NULL"], &[0, 0], &["a", "x"]), [1.0, 1.0, 0.5, 1.0]);
    assert!(score(&["a"], &[0, 1], &["a"]).is_none());
    assert!(score::<usize, &str>(&[], &[], &[]).is_none());
}

#[test]
fn truth_is_read_by_the_names_of_its_columns() {
    let truth = read_truth(&b"\xef\xbb\xbfLineId,Content,EventTemplate\n1,\"a 1\nb\",a <*>\n2,,x\n"[..]).unwrap();
    assert_eq!(truth.contents, ["a 1\nb", ""]);
    assert_eq!(truth.templates, ["a <*>", "x"]);
    let missing = read_truth(&b"a,b\n1,2\n"[..]).unwrap_err().to_string();
    assert!(missing.starts_with("no column EventTemplate"), "{missing}");
}

#[test]
fn labels_that_are_no_table_are_refused_with_their_line() {
    let header = "LineId,Content,EventTemplate\n1,a 1,a <*>\n";
    for (rows, line, told) in [
        ("2,a 2\n", 3, "2 cells where the header has 3"),
        ("2,\"a\nb\",x\n3,a 2, and b,x\n", 5, "4 cells where the header has 3"),
        ("2,\"a 2,a <*>\n3,a 3,a <*>\n", 3, "never closed"),
        ("2,a 2,\"a <*>", 3, "never closed"),
    ] {
        let error = read_truth(format!("{header}{rows}").as_bytes()).unwrap_err();
        assert_eq!(error.line(), Some(line), "{rows:?}: {error}");
        assert!(error.to_string().contains(told), "{rows:?}: {error}");
    }
    assert_eq!(read_truth(format!("{header}2,\"a \"\"2\"\"\",x").as_bytes()).unwrap().contents, ["a 1", "a \"2\""]);
}
