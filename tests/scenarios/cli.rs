use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
};

use e2e::{logkin, run, sample_file, samples};
use serde_json::Value;

fn cluster() -> Command {
    let mut command = Command::new(logkin());
    command.arg("cluster");
    command
}

#[test]
fn a_log_can_come_through_a_pipe() {
    let sample = sample_file("store.jsonl");
    let piped = run(cluster().args(["--format", "json"]), &sample.text());
    let report: Value = serde_json::from_str(&piped.stdout).unwrap();
    assert_eq!((piped.code, report["totals"]["lines"].as_u64()), (Some(0), Some(sample.lines)), "{}", piped.stderr);
}

#[test]
fn a_dash_is_standard_input_and_packed_bytes_are_unpacked_there_too() {
    let sample = sample_file("nginx-access.log.1.gz");
    let piped = run(cluster().args(["-", "--format", "json"]), &std::fs::read(&sample.path).unwrap());
    let report: Value = serde_json::from_str(&piped.stdout).unwrap();
    assert_eq!(report["totals"]["lines"], sample.lines);
}

#[test]
fn a_line_format_that_fits_no_line_is_told_with_a_line_and_the_way_out() {
    let lines = "2026-05-01 10:00:00 INFO job 1 done\n".repeat(9);
    let out = run(cluster().args(["--line-format", "[{time}] {message}"]), lines.as_bytes());
    let said = "'[{time}] {message}' fits 0 of 9 lines";
    assert_eq!((out.code, out.stderr.lines().count()), (Some(0), 1), "{}", out.stderr);
    for part in [said, "does not fit '2026-05-01 10:00:00 INFO job 1 done'", "auto, which finds it"] {
        assert!(out.stderr.contains(part), "{}", out.stderr);
    }
}

#[test]
fn many_files_make_one_report() {
    let samples = samples();
    let out = run(cluster().args(["--format", "json"]).args(samples.iter().map(|sample| &sample.path)), b"");
    let report: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!(report["totals"]["lines"], samples.iter().map(|sample| sample.lines).sum::<u64>());
    assert_eq!(report["inputs"].as_array().map(Vec::len), Some(samples.len()));
}

#[test]
fn a_folder_and_a_glob_that_the_shell_left_alone_are_their_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("old")).unwrap();
    let sample = sample_file("redis.log");
    for name in ["x.log", "x.log.1", "old/y.log", "old/.hidden.log"] {
        fs::copy(&sample.path, folder.path().join(name)).unwrap();
    }
    let names = |argument: &str| {
        let out = run(cluster().current_dir(&folder).args(["--format", "json", argument]), b"");
        let report: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|_| panic!("{}", out.stderr));
        let inputs = report["inputs"].as_array().unwrap().clone();
        assert_eq!((out.code, &report["totals"]["lines"]), (Some(0), &Value::from(inputs.len() as u64 * sample.lines)));
        inputs.iter().map(|input| input["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("."), ["./old/y.log", "./x.log.1", "./x.log"]);
    assert_eq!(names("**/*.log"), ["old/y.log", "x.log"]);
    assert_eq!(names("x.*"), ["x.log.1", "x.log"]);
}

#[test]
fn where_there_is_nothing_to_read_it_says_so_and_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for (argument, said) in
        [(".", "is an empty folder"), ("*.lgo", "matches no file"), ("nope", "nope: cannot be opened: No such file")]
    {
        for command in ["cluster", "label"] {
            let out = run(Command::new(logkin()).arg(command).current_dir(&folder).arg(argument), b"");
            assert_eq!((out.code, out.stdout.as_str()), (Some(2), ""), "{command}: {}", out.stderr);
            assert!(out.stderr.contains(said), "{}", out.stderr);
        }
    }
}

#[test]
fn a_file_named_twice_is_read_once_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.log"), "job 17 done\n").unwrap();
    let out = run(cluster().current_dir(&folder).args(["--format", "json", "a.log", "./a.log", "."]), b"");
    let report: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!((out.code, &report["totals"]["lines"]), (Some(0), &Value::from(1)), "{}", out.stderr);
    assert!(out.stderr.contains("./a.log: is the same file as a.log; it is read once"), "{}", out.stderr);
}

#[test]
fn what_holds_no_line_of_text_is_said_to_and_exits_with_1() {
    for bytes in [&[0; 5][..], &[0; 5000], b"\n\n"] {
        let out = run(&mut cluster(), bytes);
        assert_eq!(out.code, Some(1), "{}", out.stderr);
        assert!(out.stderr.contains("standard input: has "), "{}", out.stderr);
    }
}

#[test]
fn what_is_worth_knowing_of_all_lines_is_said_and_exits_with_0() {
    let fields: Vec<String> = (0..80).map(|n| format!("\"field{n}\":{n}")).collect();
    let out = run(&mut cluster(), format!("{{\"msg\":\"a\",{}}}\n", fields.join(",")).as_bytes());
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    assert!(out.stderr.contains("lines have more different fields than are counted as columns"), "{}", out.stderr);
}

#[test]
fn labels_of_an_archive_name_the_member_of_each_line() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.log", "b.log"] {
        fs::write(folder.path().join(name), "job 17 done\njob 18 done\n").unwrap();
    }
    assert!(
        Command::new("tar").current_dir(&folder).args(["cf", "x.tar", "a.log", "b.log"]).status().unwrap().success()
    );
    let label = |format: &str| {
        run(Command::new(logkin()).current_dir(&folder).args(["label", "--format", format, "x.tar"]), b"").stdout
    };
    let rows: Vec<Value> = label("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let places: Vec<_> =
        rows.iter().map(|row| (row["member"].as_str().unwrap(), row["line"].as_u64().unwrap())).collect();
    assert_eq!(places, [("x.tar/a.log", 1), ("x.tar/a.log", 2), ("x.tar/b.log", 1), ("x.tar/b.log", 2)]);
    let csv = label("csv");
    assert!(csv.starts_with("line,cluster,template,member\n") && csv.contains(",x.tar/b.log\n"), "{csv}");
}

#[test]
fn labels_that_are_no_table_are_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.truth.csv"), "Content,EventTemplate\na 1,a <*>\n\"a 2,a <*>\n").unwrap();
    let out = run(Command::new(logkin()).current_dir(&folder).args(["evaluate", "x.truth.csv"]), b"");
    assert_eq!(out.code, Some(2), "{}", out.stdout);
    assert!(out.stderr.contains("x.truth.csv:3: a quote of this row is never closed"), "{}", out.stderr);
}

#[test]
fn ten_thousand_files_are_read_with_few_open_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..10_000 {
        fs::write(folder.path().join(format!("{n}.log")), "job 17 done\n").unwrap();
    }
    let limited = format!("ulimit -n 32; exec {} cluster --format json .", logkin().display());
    let out = run(Command::new("sh").current_dir(&folder).args(["-c", &limited]), b"");
    let report: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|_| panic!("{}", out.stderr));
    assert_eq!((out.code, report["clusters"][0]["lines"].as_u64()), (Some(0), Some(10_000)));
}

#[test]
fn a_bound_that_is_met_is_told_and_the_lines_are_counted() {
    let out = run(cluster().args(["--max-line-bytes", "1KiB", "--max-shapes", "10"]), &[b'x'; 5000]);
    assert!(out.stdout.contains("1 too long and read in part"), "{}", out.stdout);
    let out = run(cluster().args(["--max-line-bytes", "a lot"]), b"x");
    assert_eq!(out.code, Some(2));
    assert!(out.stderr.contains("such as 64KiB"), "{}", out.stderr);
}

#[test]
fn every_dress_of_the_table_is_well_formed() {
    let sample = sample_file("redis.log");
    let dressed = |format| run(cluster().args(["--format", format]).arg(&sample.path), b"").stdout;
    let clusters = serde_json::from_str::<Value>(&dressed("json")).unwrap()["clusters"].as_array().unwrap().len();
    assert!(clusters > 5, "{clusters} clusters");
    let rows: Vec<Value> = dressed("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), clusters);
    assert_eq!(dressed("csv").lines().count(), clusters + 1);
    assert_eq!(dressed("markdown").lines().filter(|line| line.starts_with('|')).count(), clusters + 2);
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_program_quietly() {
    let input: Vec<u8> = sample_file("dpkg.log").text();
    for arguments in [["cluster", "--format", "ndjson"], ["label", "--format", "csv"]] {
        let mut child = Command::new(logkin())
            .args(arguments)
            .arg(sample_file("dpkg.log").path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        let status = child.wait().unwrap();
        assert!(!first.is_empty() && input.len() > first.len());
        assert_eq!(complaint, "", "{arguments:?} ended with {status}");
        assert_ne!(status.code(), Some(101), "{arguments:?} panicked");
    }
}

#[test]
fn no_colour_is_sent_where_none_is_wanted() {
    let sample = sample_file("postgresql.log");
    let out = run(cluster().env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1").arg(&sample.path), b"");
    assert!(!out.stdout.contains('\u{1b}') && !out.stderr.contains('\u{1b}'));
    let piped = run(cluster().arg(&sample.path), b"");
    assert!(!piped.stdout.contains('\u{1b}'), "a pipe is not a terminal");
}

#[test]
fn label_gives_one_row_per_line_in_order() {
    let sample = sample_file("metrics.logfmt");
    let out = run(Command::new(logkin()).args(["label", "--format", "ndjson"]).arg(&sample.path), b"");
    let rows: Vec<Value> = out.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<u64> = rows.iter().filter_map(|row| row["line"].as_u64()).collect();
    assert_eq!(numbers.len() as u64, sample.lines, "{}", out.stderr);
    assert!(numbers.iter().copied().eq(1..=sample.lines), "rows are not in the order of the lines");
}

#[test]
fn what_is_typed_wrong_is_named_and_exits_with_2() {
    for (arguments, named) in [(&["clutser"][..], "clutser"), (&["cluster", "--format", "yaml"], "yaml")] {
        let out = run(Command::new(logkin()).args(arguments), b"");
        assert_eq!(out.code, Some(2), "{arguments:?}: {}", out.stderr);
        assert!(out.stderr.contains(named), "{arguments:?}: {}", out.stderr);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_once_and_the_others_are_counted() {
    let sample = sample_file("metrics.logfmt");
    let out = run(cluster().args(["--format", "json", "no-such.log"]).arg(&sample.path), b"");
    let report: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!((out.code, &report["totals"]["lines"]), (Some(1), &Value::from(sample.lines)));
    assert_eq!(out.stderr.matches("no-such.log").count(), 1, "{}", out.stderr);
}

#[test]
fn output_that_cannot_be_written_is_a_failure_help_too() {
    for arguments in [&["--help"][..], &["cluster", "--help"], &["--version"], &["cluster", "-"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut child = Command::new(logkin());
        child.args(arguments).stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        drop(child.stdin.take().map(|mut input| input.write_all(b"a line\n")));
        let out = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains("cannot write the output"), "{arguments:?}: {told}");
    }
}

#[test]
fn the_table_says_how_many_lines_each_rule_touched() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[[rule]]\nname = 'noise'\nmute = 'warm'\n\n[[rule]]\nignore = 'cold <*>'\n").unwrap();
    let out = run(cluster().arg("--rules").arg(&rules), b"warm\ncold 1\ncold 2\nhot\n");
    assert!(out.stdout.ends_with("\nrules: noise (1 line), rule 2 (2 lines)\n"), "{}{}", out.stdout, out.stderr);
}

#[test]
fn a_file_without_a_command_is_answered_with_the_command_for_it() {
    let sample = sample_file("redis.log");
    let out = run(Command::new(logkin()).arg(&sample.path), b"");
    let way_out = format!("logkin cluster {}", sample.path.display());
    assert!(out.code == Some(2) && out.stderr.contains(&way_out), "{}", out.stderr);
    let out = run(Command::new(logkin()).arg("clutser"), b"");
    assert!(out.code == Some(2) && !out.stderr.contains("kinds of line"), "{}", out.stderr);
}
