use std::{collections::BTreeMap, fs, path::Path};

use logkin_engine::evaluate::label_lines;

/// A case: lines, a line `=====`, then one line per cluster: how many lines, its template.
fn check(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let (lines, expected) = text.split_once("\n=====\n").unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let labels = label_lines(lines.iter().map(|line| line.as_bytes()), 4_102_444_800, 0.5);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for cluster in &labels.clusters {
        *found.entry(labels.templates[*cluster].typed()).or_default() += 1;
    }
    let mut found: Vec<String> = found.iter().map(|(template, lines)| format!("{lines} {template}")).collect();
    let mut expected: Vec<String> = expected.lines().map(str::to_owned).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "in {}", path.display());
}

#[test]
fn lines_fall_into_the_templates_a_person_would_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/clusters");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort_unstable();
    assert!(cases.len() >= 10, "only {} cases found", cases.len());
    cases.iter().for_each(|case| check(case));
}
