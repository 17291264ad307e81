use std::{fs, path::Path};

use logkin_engine::{Settings, format, report::Cluster, template::Template};

use crate::harness::run;

/// A case: lines, a line `=====`, then one line per cluster: how many events, how many lines, its template.
fn check(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let (lines, expected) = text.split_once("=====\n").unwrap();
    let report = run(lines).report;
    let row = |c: &Cluster| format!("{} {} {}", c.events, c.lines, c.template);
    let mut found: Vec<String> = report.clusters.iter().map(row).collect();
    let mut expected: Vec<String> = expected.lines().map(str::to_owned).collect();
    found.sort_unstable();
    expected.sort_unstable();
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, format!("{lines}=====\n{}\n", found.join("\n"))).unwrap();
        return;
    }
    assert!(found == expected, "in {}\n{}\n", path.display(), found.join("\n"));
    report.clusters.iter().for_each(matches_its_examples);
}

/// The lines of an event, joined, match the template.
fn matches_its_examples(cluster: &Cluster) {
    let template = Template::of_typed(&cluster.template);
    for example in cluster.examples.iter().filter(|example| example.len() < 1 << 10) {
        let mut lines = example.lines().filter(|line| !line.trim().is_empty());
        let first = format::read(lines.next().unwrap().as_bytes(), Settings::default().reference_time).message;
        let rest = lines.map(|line| format!(" ⏎ {}", line.trim()));
        let event = [String::from_utf8_lossy(first).into_owned(), rest.collect()].concat();
        assert!(template.spans(event.as_bytes()).is_some(), "{}\n{event}", cluster.template);
    }
}

#[test]
fn lines_that_belong_together_are_one_event_and_no_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/events");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort_unstable();
    cases.iter().for_each(|case| check(case));
}
