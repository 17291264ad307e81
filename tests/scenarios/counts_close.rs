use std::process::Command;

use e2e::{Api, Sample, Service, logkin, run, samples};
use serde_json::Value;

use crate::page::{self, Row};

/// What `logkin cluster` says of a sample.
fn told_by_the_command(sample: &Sample) -> Value {
    let out = run(Command::new(logkin()).args(["cluster", "--format", "json"]).arg(&sample.path), b"");
    assert_eq!(out.code, Some(0), "{}: {}", sample.name, out.stderr);
    serde_json::from_str(&out.stdout).unwrap()
}

/// Id, template and lines of each cluster, in order.
fn rows(clusters: &[Value]) -> Vec<Row> {
    let text = |cluster: &Value, key| cluster[key].as_str().unwrap_or_else(|| panic!("{key} in {cluster}")).to_owned();
    let row = |cluster: &Value| Row {
        id: text(cluster, "id"),
        template: text(cluster, "template"),
        lines: cluster["lines"].as_u64().unwrap(),
    };
    clusters.iter().map(row).collect()
}

/// Uploads a sample and gives the id of its finished report.
fn analysed(api: &Api, sample: &Sample) -> String {
    let report = api.analyse(&sample.name, &std::fs::read(&sample.path).unwrap());
    assert_eq!(report["totals"]["lines"], sample.lines, "{}", sample.name);
    report["id"].as_str().unwrap().to_owned()
}

#[test]
fn lines_in_clusters_and_lines_set_aside_are_the_lines_of_the_file() {
    for sample in samples() {
        let report = told_by_the_command(&sample);
        let clustered: u64 = rows(report["clusters"].as_array().unwrap()).iter().map(|row| row.lines).sum();
        let aside = report["totals"]["set_aside"].as_u64().unwrap();
        assert_eq!(clustered + aside, sample.lines, "{}", sample.name);
        assert_eq!(report["totals"]["events"], sample.events, "{}", sample.name);
        assert!(
            aside * 10 < sample.lines || sample.name == "apt-history.log",
            "{} sets {aside} lines aside",
            sample.name
        );
    }
}

#[test]
fn the_command_the_api_and_the_page_agree() {
    let service = Service::up(3).start();
    let api = service.api();
    for sample in samples() {
        let (told, id) = (told_by_the_command(&sample), analysed(&api, &sample));
        let told = rows(told["clusters"].as_array().unwrap());
        assert_eq!(rows(&api.clusters(&id)), told, "the API on {}", sample.name);
        assert_eq!(page::rows(&api, &id), told, "the page on {}", sample.name);
    }
}

#[test]
fn the_lines_behind_a_cluster_are_exactly_its_count() {
    let service = Service::up(2).start();
    let api = service.api();
    for sample in samples() {
        let id = analysed(&api, &sample);
        let mut seen = 0;
        for row in rows(&api.clusters(&id)) {
            let lines = api.lines(&id, &row.id);
            assert_eq!(lines.len() as u64, row.lines, "{} of {}", row.template, sample.name);
            seen += row.lines;
        }
        assert_eq!(seen + api.report(&id)["totals"]["set_aside"].as_u64().unwrap(), sample.lines, "{}", sample.name);
    }
}
