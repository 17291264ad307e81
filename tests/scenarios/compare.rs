use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use e2e::{Finished, logkin, run, sample_file};
use serde_json::Value;
use tempfile::TempDir;

fn compare(folder: &Path, arguments: &[&str]) -> Finished {
    run(Command::new(logkin()).current_dir(folder).arg("compare").args(arguments), b"")
}

fn write(folder: &TempDir, name: &str, lines: &[(usize, &str)]) -> PathBuf {
    let path = folder.path().join(name);
    let text: String = lines
        .iter()
        .flat_map(|(n, line)| (0..*n).map(move |i| format!("2024-05-01T12:00:{:02}Z {line} {i}\n", i % 60)))
        .collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// A side as it was, and one with a new error, less of one kind, and more of another.
fn two_sides() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let old =
        [(2000, "INFO request served"), (300, "WARN slow query"), (200, "INFO cache warmed"), (90, "DEBUG old path")];
    let new = [
        (4000, "INFO request served"),
        (100, "WARN slow query"),
        (2500, "INFO cache warmed"),
        (3, "ERROR disk is full"),
    ];
    write(&folder, "old.log", &old);
    write(&folder, "new.log", &new);
    folder
}

#[test]
fn what_changed_is_told_and_a_new_error_fails_the_gate() {
    let folder = two_sides();
    let out = compare(folder.path(), &["old.log", "new.log"]);
    assert_eq!(out.code, Some(1), "{}", out.stderr);
    let told: Vec<Vec<&str>> =
        out.stdout.lines().skip(1).take(4).map(|line| line.split_whitespace().take(3).collect()).collect();
    assert_eq!(
        told,
        [["new", "few", "0"], ["more", "200", "7.72%"], ["gone", "90", "3.47%"], ["less", "300", "11.58%"]]
    );
    assert!(out.stdout.ends_with(
        "0 new, 1 more, 1 gone, 1 less, 1 alike, 1 on one side only with too few events to tell; new errors: 1\n"
    ));
}

#[test]
fn the_gate_is_what_one_says_it_is() {
    let folder = two_sides();
    let code = |arguments: &[&str]| compare(folder.path(), arguments).code;
    assert_eq!(code(&["old.log", "new.log", "--fail-on", "none"]), Some(0));
    assert_eq!(code(&["old.log", "new.log", "--min-events", "4"]), Some(0));
    assert_eq!(code(&["new.log", "old.log"]), Some(0), "an error that is gone is no new one");
    assert_eq!(code(&["new.log", "old.log", "--fail-on", "new"]), Some(1));
    assert_eq!(code(&["old.log", "old.log", "--fail-on", "any"]), Some(0));
    assert_eq!(code(&["old.log", "new.log", "--fail-on", "any", "--min-events", "4"]), Some(1));
}

#[test]
fn what_cannot_be_compared_exits_with_2_and_what_cannot_be_read_with_1() {
    let folder = two_sides();
    fs::write(folder.path().join("blank.log"), "\n\n").unwrap();
    for (arguments, said) in [
        (&["old.log"][..], "only old.log is given"),
        (&[], "two sides were expected"),
        (&["blank.log", "new.log"], "BASE holds no event"),
        (&["old.log", "no-such.log"], "OTHER cannot be read: nothing to read: no-such.log"),
        (&["-", "-"], "given for both sides"),
        (&["*.lgo", "old.log"], "BASE cannot be read"),
        (&["old.log", "new.log", "third.log"], "`--other third.log`"),
        (&["--base", "old.log", "new.log"], "new.log may be of BASE or of OTHER"),
        (&["--base", "old.log"], "two sides were expected"),
    ] {
        let out = compare(folder.path(), arguments);
        assert_eq!(out.code, Some(2), "{arguments:?}");
        assert!(out.stderr.contains(said), "{arguments:?}: {}", out.stderr);
    }
    let out = compare(folder.path(), &["old.log", "old.log", "--other", "no-such.log"]);
    assert_eq!((out.code, out.stderr.matches("no-such.log").count()), (Some(1), 1), "{}", out.stderr);
}

#[test]
fn the_help_names_one_path_for_each_side() {
    let out = compare(Path::new("."), &["--help"]);
    assert!(out.stdout.contains("[BASE] [OTHER]\n"), "{}", out.stdout);
}

#[test]
fn sides_may_be_named_by_flags_alone() {
    let folder = two_sides();
    assert_eq!(compare(folder.path(), &["--base", "old.log", "--other", "old.log"]).code, Some(0));
}

#[test]
fn a_side_may_be_a_folder_a_glob_and_more() {
    let folder = tempfile::tempdir().unwrap();
    for day in 1..4 {
        write(&folder, &format!("before/{day}.log"), &[(100, "INFO request served")]);
        write(&folder, &format!("after/{day}.log"), &[(100, "INFO request served")]);
    }
    write(&folder, "more.log", &[(50, "INFO request served")]);
    let out = compare(folder.path(), &["before", "after/[12].log", "--other", "more.log", "--format", "json"]);
    let found: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|_| panic!("{}", out.stderr));
    let side = |name: &str| {
        (found[name]["inputs"].as_array().unwrap().len(), found[name]["totals"]["events"].as_u64().unwrap())
    };
    assert_eq!((out.code, side("base"), side("other")), (Some(0), (3, 300), (3, 250)));
    assert_eq!(found["clusters"][0]["change"], "same");
}

#[test]
fn every_dress_of_a_comparison_is_well_formed() {
    let folder = two_sides();
    let dressed = |format| compare(folder.path(), &["old.log", "new.log", "--format", format]).stdout;
    let clusters = serde_json::from_str::<Value>(&dressed("json")).unwrap()["clusters"].as_array().unwrap().len();
    let rows: Vec<Value> = dressed("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((clusters, rows.len(), dressed("csv").lines().count()), (5, 5, 6));
    assert!(
        rows[1]["q"].as_f64().unwrap() < 0.01 && rows[1]["base"]["per_hour"].as_f64().unwrap() > 1000.0,
        "{}",
        rows[1]
    );
    assert_eq!(dressed("markdown").lines().filter(|line| line.starts_with('|')).count(), 4 + 2);
}

#[test]
fn a_log_split_by_lot_is_not_taken_for_two() {
    let folder = tempfile::tempdir().unwrap();
    let text = sample_file("billing.log").text();
    let mut state = 7_u64;
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { &mut one } else { &mut two }.extend_from_slice(line);
    }
    fs::write(folder.path().join("one.log"), one).unwrap();
    fs::write(folder.path().join("two.log"), two).unwrap();
    let out = compare(folder.path(), &["one.log", "two.log", "--min-events", "8", "--fail-on", "any"]);
    assert_eq!(out.code, Some(0), "{}", out.stdout);
}
