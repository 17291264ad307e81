//! Lines made of fields: what says in them what happened, and the columns that the others become.

use logkin_engine::{record::Level, report::Cluster};

use crate::harness::run;

/// Templates and their lines, sorted.
fn clusters(text: &str) -> Vec<(String, u64)> {
    let mut found: Vec<_> = run(text).report.clusters.into_iter().map(|c| (c.template, c.lines)).collect();
    found.sort();
    found
}

#[test]
fn an_action_with_few_values_tells_lines_without_a_message_apart() {
    let users = ["anna", "bert", "carol", "dmitri", "eve", "frank", "george", "heidi"];
    let at = |i: usize| format!("2026-05-01T12:{:02}:{:02}Z", i / 60 % 60, i % 60);
    let action = |i: usize| if i.is_multiple_of(3) { "delete" } else { "create" };
    let logfmt: String = (0..300)
        .map(|i| format!("ts={} level=info action={} user={} id={i}\n", at(i), action(i), users[i % 8]))
        .collect();
    let json: String = (0..300)
        .map(|i| {
            format!("{{\"ts\":\"{}\",\"action\":\"{}\",\"user\":\"{}\",\"id\":{i}}}\n", at(i), action(i), users[i % 8])
        })
        .collect();
    for text in [logfmt, json] {
        let expected = [("create action=<*> user=<*> id=<*>", 200), ("delete action=<*> user=<*> id=<*>", 100)];
        assert_eq!(clusters(&text), expected.map(|(template, lines)| (template.to_owned(), lines)));
    }
}

#[test]
fn more_fields_than_are_columns_are_told() {
    let line = |from: usize| (from..from + 60).map(|n| format!("\"field{n}\":{n}")).collect::<Vec<_>>().join(",");
    let run = run(format!("{{\"msg\":\"a\",{}}}\n{{\"msg\":\"b\",{}}}\n", line(0), line(60)));
    assert!(run.report.columns.len() <= 64);
    let told = "lines have more different fields than are counted as columns";
    assert!(run.report.notes.iter().any(|note| note.starts_with(told)), "{:?}", run.report.notes);
    assert!(run.report.problems.is_empty(), "{:?}", run.report.problems);
}

#[test]
fn pairs_behind_a_header_are_fields() {
    let router = |n: usize| {
        let what = if n.is_multiple_of(3) { "at=error code=H12 desc=\"Request timeout\"" } else { "at=info" };
        format!("2024-05-01T10:00:00.5+00:00 heroku[router]: {what} method=GET path=\"/{n}\" dyno=web.1 status=200\n")
    };
    let report = run((0..300).map(router).collect::<String>()).report;
    let mut found: Vec<_> =
        report.clusters.iter().map(|c| (c.template.as_str(), c.levels.each().collect::<Vec<_>>())).collect();
    found.sort_unstable();
    let fields = "GET successful method=<*> path=<*> dyno=<*> status=<*>";
    assert_eq!(found, [(fields, vec![(Level::Info, 200)]), ("Request timeout", vec![(Level::Error, 100)])]);
    let mut columns: Vec<_> = report.columns.iter().map(|column| column.name.as_str()).collect();
    columns.sort_unstable();
    assert_eq!(columns, ["code", "dyno", "method", "path", "status"]);
    assert_eq!(report.inputs[0].formats.len(), 1, "{:?}", report.inputs[0].formats);
    assert!(report.clusters.iter().all(|cluster| cluster.first_seen_ms == Some(1_714_557_600_500)));
    let line = |n: usize| format!("2024-05-01T10:00:00.5Z stderr F level=warn msg=\"job {n} is late\" shop=a\n");
    let report = run((0..300).map(line).collect::<String>()).report;
    assert_eq!(report.clusters[0].template, "job <*> is late");
    assert_eq!(report.columns[0].name, "shop");
}

#[test]
fn records_of_audit_have_their_time_and_are_told_apart_by_their_type() {
    let record = |n: usize| {
        let stamp = format!("msg=audit({}.{:03}:{n})", 1_714_550_000 + n, n % 1000);
        let call = format!("arch=c000003e syscall=2 success=no exit=-13 pid={n} comm=\"cat\"\u{1d}ARCH=x86_64");
        let said = "msg='op=PAM:authentication acct=\"root\" terminal=pts/0 res=failed'";
        format!(
            "type=SYSCALL {stamp}: {call}\ntype=CWD {stamp}: cwd=\"/srv/{n}\"\n\
             type=USER_AUTH {stamp}: pid={n} uid=1000 {said}\ntype=USER_ACCT {stamp}: pid={n} uid=1000 {said}\n\
             type=AVC {stamp}: avc:  denied  {{ read }} for  pid={n}\n"
        )
    };
    let report = run((0..50).map(record).collect::<String>()).report;
    let mut found: Vec<_> = report.clusters.iter().map(|c| (c.template.as_str(), c.lines)).collect();
    found.sort_unstable();
    let said = "type=<*> pid=<*> uid=<*> op=<*> acct=<*> terminal=<*> res=<*>";
    let expected = [
        "CWD type=<*> cwd=<*>".to_owned(),
        "SYSCALL type=<*> arch=<*> syscall=<*> success=<*> exit=<*> pid=<*> comm=<*> ARCH=<*>".to_owned(),
        format!("USER_ACCT {said}"),
        format!("USER_AUTH {said}"),
        "avc: denied { read } for pid=<*>".to_owned(),
    ];
    assert_eq!(found, expected.each_ref().map(|template| (template.as_str(), 50)));
    let times = |c: &Cluster| (c.first_seen_ms, c.last_seen_ms);
    assert!(report.clusters.iter().all(|c| times(c) == (Some(1_714_550_000_000), Some(1_714_550_049_049))));
}

#[test]
fn lines_without_a_message_are_apart_by_the_class_of_their_status_which_is_their_level() {
    let line = |n: usize| {
        let (method, status) = [("GET", 200), ("POST", 404), ("GET", 503)][n % 3];
        format!(
            "{{\"method\":\"{method}\",\"uri\":\"/a/{n}\",\"status\":{status}}}\n\
             {{\"request\":\"{method} /a/{n} HTTP/1.1\",\"status\":\"{status}\"}}\n"
        )
    };
    let report = run((0..300).map(line).collect::<String>()).report;
    let mut found: Vec<_> =
        report.clusters.iter().map(|c| (c.template.as_str(), c.levels.each().collect::<Vec<_>>())).collect();
    found.sort_unstable();
    let expected = [
        ("GET server_error method=<*> uri=<*> status=<*>", vec![(Level::Error, 100)]),
        ("GET server_error request=<*> status=<*>", vec![(Level::Error, 100)]),
        ("GET successful method=<*> uri=<*> status=<*>", vec![]),
        ("GET successful request=<*> status=<*>", vec![]),
        ("POST client_error method=<*> uri=<*> status=<*>", vec![(Level::Warn, 100)]),
        ("POST client_error request=<*> status=<*>", vec![(Level::Warn, 100)]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_name_of_an_event_says_more_than_its_type() {
    let name = |n: usize| if n.is_multiple_of(3) { "TerminateInstances" } else { "RunInstances" };
    let line = |n: usize| {
        let at = format!("2026-05-01T12:{:02}:{:02}Z", n / 60, n % 60);
        format!("{{\"eventTime\":\"{at}\",\"eventType\":\"AwsApiCall\",\"eventName\":\"{}\",\"id\":{n}}}\n", name(n))
    };
    let fields = "eventType=<*> eventName=<*> id=<*>";
    let expected = [(format!("RunInstances {fields}"), 200), (format!("TerminateInstances {fields}"), 100)];
    assert_eq!(clusters(&(0..300).map(line).collect::<String>()), expected);
}
