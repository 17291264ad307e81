use std::{fs, path::Path};

use logkin_engine::{report::Cluster, template::Template};
use proptest::prelude::*;

use crate::harness::{in_object, run};

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
    if std::env::var_os("LOGKIN_BLESS").is_some() {
        fs::write(path, format!("{lines}=====\n{}\n", found.join("\n"))).unwrap();
        return;
    }
    assert!(found == expected, "in {}\n{}\n", path.display(), found.join("\n"));
    report.clusters.iter().for_each(matches_its_examples);
}

/// The lines of an event, joined, match the template, from where the header of the first ends; without the headers of the
/// others, where they have some.
fn matches_its_examples(cluster: &Cluster) {
    let template = Template::of_typed(&cluster.template);
    for example in cluster.examples.iter().filter(|example| example.len() < 1 << 10) {
        let first = example.lines().next().unwrap();
        let bare =
            |columns| joined(example.lines().enumerate().map(|(at, line)| behind(first, line, columns * at.min(1))));
        assert!((0..8).any(|columns| matches(&template, &bare(columns))), "{}\n{example}", cluster.template);
    }
}

/// What stands behind so many columns of a line, if it begins as the first one does.
fn behind<'l>(first: &str, line: &'l str, columns: usize) -> &'l str {
    let is_headed = first.as_bytes().get(..4).is_some_and(|begin| line.as_bytes().starts_with(begin));
    let cut = |line: &'l str, _| line.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    if is_headed { (0..columns).fold(line, cut).trim_start_matches("#011") } else { line }
}

fn joined<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    let parts: Vec<&str> = lines.map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join(" ⏎ ")
}

/// Whether the event matches from somewhere on.
fn matches(template: &Template, event: &str) -> bool {
    let mut starts = (0..=event.len()).filter(|at| event.is_char_boundary(*at)).map(|at| &event[at..]);
    let fits = |said: &str| template.spans(said.as_bytes()).is_some();
    // Where the first line says nothing behind its header, the event begins with the next one.
    starts.any(|said| fits(said) || said.strip_prefix("⏎").is_some_and(fits))
}

#[test]
fn lines_that_belong_together_are_one_event_and_no_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/events");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort_unstable();
    cases.iter().for_each(|case| check(case));
}

/// What may stand before each line of a log.
const HEADERS: [&str; 8] = [
    "web-1  | ",
    "0|shop  | ",
    "web-7d9f8c6b5d-x2k9p shop ",
    "[pod/web-0/shop] ",
    "2026-05-01T10:00:00.0Z stderr F ",
    "May  1 10:00:00 host7 shop[12]: ",
    "05-01 10:00:00.000  123  456 E Shop: ",
    "2026-05-01 10:00:00,000 ERROR [main] demo.shop.Web - ",
];

#[test]
fn a_trace_with_a_header_on_each_line_is_the_same_event_as_without() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/events");
    let found = |text: &str| {
        // What is a header at the front of a line may be read as part of the message behind another.
        let said = |template: String| {
            let header =
                ["ERROR:root:", "panic: ", "info: ", "fail: "].into_iter().find(|header| template.starts_with(header));
            template[header.map_or(0, str::len)..].to_owned()
        };
        let clusters = run(text).report.clusters.into_iter();
        let rows = clusters.map(|c| (c.events, said(c.template)));
        // A line that is blank is set aside, one with a header is not.
        let mut rows: Vec<(u64, String)> = rows.filter(|(_, template)| !template.is_empty()).collect();
        rows.sort_unstable();
        rows
    };
    let mut wrong = Vec::new();
    for name in ["java", "python", "go", "rust", "dotnet", "node"] {
        let case = fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
        let (lines, _) = case.split_once("=====\n").unwrap();
        for header in HEADERS {
            let headed: String = lines.lines().map(|line| format!("{header}{line}\n")).collect();
            let (bare, headed) = (found(lines), found(&headed));
            if bare != headed {
                wrong.push(format!("{name} behind {header:?}\n{bare:#?}\n{headed:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_said_is_read_alike_whoever_says_it() {
    let said = |i: usize| match i % 3 {
        0 => format!("2026-05-01T10:00:{:02}: order {i} is packed", i % 60),
        1 => format!("2026-05-01T10:00:{:02}: no answer from 10.0.0.{i}", i % 60),
        _ => format!("2026-05-01T10:00:{:02}: ERROR disk {i} is full", i % 60),
    };
    let writers: [[&str; 3]; 7] = [
        ["0|shop   | ", "1|mailer | ", "12|worker | "],
        ["shop-7d9f8c6b5d-x2k9p app ", "shop-7d9f8c6b5d-m4n2v istio-proxy ", "mail-6bbf9c7d4f-zq8rt app "],
        ["default agent-qzrt5 agent ", "kube-system agent-m4n2v agent ", "default shop-7d9f8c6b5d-x2k9p app "],
        ["[pod/shop-0/app] ", "[pod/shop-1/app] ", "[pod/mailer-0/app] "],
        ["web    | ", "db     | ", "worker | "],
        ["web      | ", "db-1     | ", "worker-1 | "],
        ["web-1 | ", "db-1 | ", "worker-1 | "],
    ];
    for writers in writers {
        for count in [30, 900] {
            let line = |i: usize| format!("{}{}\n", writers[i / 3 % 3], said(i));
            let report = run((0..count).map(line).collect::<String>()).report;
            let mut found: Vec<_> = report
                .clusters
                .iter()
                .map(|c| (c.template.as_str(), c.over_time.counts().iter().sum::<u64>()))
                .collect();
            found.sort_unstable();
            let each = count as u64 / 3;
            let expected = [("disk <*> is full", each), ("no answer from <*>", each), ("order <*> is packed", each)];
            assert_eq!(found, expected, "{writers:?}");
        }
    }
}

#[test]
fn words_before_bars_that_are_no_names_of_writers_stay() {
    let rows = |count: usize, row: fn(usize) -> String| -> Vec<String> {
        let log: String = (0..count).map(|i| row(i) + "\n").collect();
        let mut templates: Vec<_> = run(log).report.clusters.into_iter().map(|c| c.template).collect();
        templates.sort_unstable();
        templates
    };
    let what = |i: usize| ["created", "packed", "refused"][i % 3];
    let done = rows(300, |i| format!("{:8}| order {i}", ["created", "packed", "refused"][i % 3]));
    assert_eq!(done.len(), 3, "{done:?}");
    assert!((0..3).all(|i| done.iter().any(|template| template.starts_with(what(i)))), "{done:?}");
    let moved = rows(300, |i| format!("{:6}| order {i}", ["open", "close"][i % 2]));
    assert!(moved.iter().all(|template| template != "order <*>"), "{moved:?}");
    // A table, each of whose rows is there once or twice.
    let table = rows(6, |i| format!("{:8}| on", ["host", "cache", "mirror"][i % 3]));
    assert!(table.iter().all(|template| template != "on"), "{table:?}");
    // One column, which nothing is padded to.
    let column = rows(300, |i| format!("{} | order {i}", ["open", "shut", "sent"][i % 3]));
    assert!(column.iter().all(|template| template != "order <*>"), "{column:?}");
    // As many as there are lines.
    let numbered = rows(300, |i| format!("item{i} | order {}", i % 7));
    assert!(numbered.iter().all(|template| template != "order <*>"), "{numbered:?}");
    let levels = run((0..300).map(|i| format!("{:8}| order {i}\n", ["INFO", "WARNING"][i % 2])).collect::<String>());
    let each: Vec<_> = levels.report.clusters.iter().flat_map(|c| c.levels.each()).collect();
    assert_eq!(each.iter().map(|(_, events)| *events).filter(|events| *events > 0).collect::<Vec<_>>(), [150, 150]);
}

/// Events, templates and levels.
fn kinds(text: &str) -> Vec<String> {
    let report = run(text).report;
    let mut kinds: Vec<String> =
        report.clusters.iter().map(|c| format!("{} {:?} {}", c.events, c.levels, c.template)).collect();
    kinds.sort_unstable();
    kinds
}

/// What may stand before the first line of each event, with the seconds and the level to be put in; with a date first.
const UNDATED: [&str; 9] = [
    "2026-05-01 08:00:SS LEVEL ",
    "08:00:SS LEVEL ",
    "08:00:SS,250 LEVEL ",
    "[08:00:SS LEVEL] ",
    "[08:00:SS] [worker-1/LEVEL]: ",
    "[   SS.250000] LEVEL ",
    "LEVEL ",
    "[LEVEL] ",
    "LEVEL: ",
];

/// Events of one line and of several.
const EVENTS: [(&str, &str); 12] = [
    ("ERROR", "order 7 refused"),
    ("ERROR", "demo.shop.StockException: article 7\n\tat demo.shop.Stock.take(Stock.java:12)"),
    ("INFO", "order 8 packed"),
    ("ERROR", "thread 'main' panicked at src/main.rs:12:41:\ncalled `f()` on an `Err` value: 10\nnote: run with it"),
    ("INFO", "shop 3 opened"),
    ("INFO", "query 5 ran:\n    SELECT *\n    FROM orders\n    WHERE id = 12"),
    ("WARN", "disk 9 is nearly full"),
    (
        "ERROR",
        "panic: runtime error: out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/demo/main.go:42 +0x1d",
    ),
    ("ERROR", "order 9 refused"),
    (
        "ERROR",
        "TypeError: no price of 7\n    at pick (/srv/demo/shop.js:12:13)\n    at async Server.handle (/srv/a.js:1:3)",
    ),
    ("ERROR", "job 3 failed\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 8, in run\nKeyError: 3"),
    ("INFO", "shop 4 closed"),
];

#[test]
fn a_header_without_a_date_begins_an_event_as_one_with_a_date_does() {
    let found = |header: &str, times: usize| {
        let event = |(at, (level, said)): (usize, (&str, &str))| {
            header.replace("SS", &format!("{:02}", at % 60)).replace("LEVEL", level) + said + "\n"
        };
        let text: String = EVENTS.into_iter().cycle().take(EVENTS.len() * times).enumerate().map(event).collect();
        let report = run(text).report;
        let mut kinds: Vec<String> =
            report.clusters.iter().map(|c| format!("{} {} {}", c.events, c.lines, c.template)).collect();
        kinds.sort_unstable();
        (report.totals.events, kinds)
    };
    for header in UNDATED {
        let once = found(header, 1).0;
        assert_eq!(once, EVENTS.len() as u64, "{header:?}");
        assert_eq!(found(header, 5), found(UNDATED[0], 5), "{header:?}");
    }
}

#[test]
fn levels_that_are_set_to_the_right_begin_events() {
    let line = |n: usize| match n % 4 {
        0 => format!("WARNING disk {n} is full\n"),
        1 => format!("   INFO order {n} packed\n"),
        2 => format!("  ERROR order {n} refused\n"),
        _ => format!("WARNING disk {n} is slow\n"),
    };
    for lines in [4, 40] {
        let text: String = (0..lines).map(line).collect();
        assert_eq!(run(text).report.totals.events, lines as u64);
    }
}

#[test]
fn an_exception_that_reads_like_a_level_is_of_the_event_before_it() {
    let text = "ERROR: order 7 refused\nError: no such article\n    at pick (/srv/demo/shop.js:12:13)\n\
                ERROR: job 3 failed\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 8, in run\n\
                error: [Errno 111] refused\nINFO: order 8 packed\n";
    for times in [1, 5] {
        assert_eq!(run(text.repeat(times)).report.totals.events, 3 * times as u64);
    }
}

#[test]
fn what_stands_below_a_header_with_nothing_behind_it_is_the_message() {
    let heads = [
        "2026-05-01 10:00:SS INFO demo.shop.Svc:",
        "2026-05-01 10:00:SS INFO  [main] demo.shop.Svc",
        "[2026/05/01 10:00:SS.123456,  3] ../shop/auth/auth.c:189(auth_check)",
    ];
    let said = |n: usize| match n % 4 {
        0 => format!("user {n} logged in"),
        1 => "cache cleared".to_owned(),
        2 => format!("order {n} refused by 10.0.0.{n}"),
        _ => format!("disk {n} is full"),
    };
    for head in heads {
        let event = |n: usize| format!("{}\n  {}\n", head.replace("SS", &format!("{n:02}")), said(n));
        let report = run((0..40).map(event).collect::<String>()).report;
        let kinds: Vec<_> = report.clusters.iter().map(|c| (c.events, c.template.as_str())).collect();
        assert_eq!(kinds.iter().map(|(events, _)| *events).collect::<Vec<_>>(), [10; 4], "{kinds:#?}");
    }
}

#[test]
fn an_object_of_json_over_several_lines_is_what_it_is_on_one() {
    let fields = |n: usize| match n % 3 {
        0 => format!("\"level\": \"error\",\n  \"msg\": \"order {n} failed\",\n  \"at\": {{\n    \"shop\": {n}\n  }}"),
        1 => format!("\"msg\": \"order {n} packed\",\n  \"time\": \"2026-05-01T10:00:00Z\""),
        _ => format!("\"order\": {n},\n  \"owner\": \"anna\""),
    };
    let wide: String = (0..60_000).map(|n| format!("{{\n  {}\n}}\n", fields(n))).collect();
    let narrow: String = (0..60_000).map(|n| format!("{{{}}}\n", fields(n).replace('\n', ""))).collect();
    assert!(wide.len() > 3 << 20);
    assert_eq!(kinds(&wide), kinds(&narrow));
    let listed: String = (0..9).map(|n| format!("  {{\n    {}\n  }},\n", fields(n).replace('\n', "\n  "))).collect();
    let short: String = narrow.split_inclusive('\n').take(9).collect();
    assert_eq!(kinds(&format!("{listed}[]\n")), kinds(&format!("{short}[]\n")));
}

#[test]
fn what_a_container_runtime_wrote_in_pieces_is_one_line() {
    let said = |n: usize| match n % 3 {
        0 => format!("2026-05-01 10:00:00 ERROR order {n} failed because of this"),
        1 => format!("{{\"level\":\"warn\",\"msg\":\"order {n} is late\"}}"),
        _ => format!("order {n} packed in no time"),
    };
    let line = |n: usize, tag: char, text: &str| format!("2026-05-01T10:00:00.{n:05}Z stdout {tag} {text}\n");
    let whole: String = (0..40_000).map(|n| line(n, 'F', &said(n))).collect();
    let cut = |n: usize| {
        let (said, at) = (said(n), 9 + n % 7);
        line(n, 'P', &said[..at]) + &line(n, 'P', &said[at..at + 5]) + &line(n, 'F', &said[at + 5..])
    };
    let pieces: String = (0..40_000).map(cut).collect();
    assert!(pieces.len() > 3 << 20);
    assert_eq!(kinds(&pieces), kinds(&whole));
}

#[test]
fn what_docker_writes_in_objects_is_read_as_what_other_runtimes_write_in_lines() {
    let said = |n: usize| match n % 4 {
        0 => format!("2026-04-30 10:00:00 ERROR order {n} failed"),
        1 => format!("{{\"level\":\"warn\",\"msg\":\"order \\\"{n}\\\" is late\",\"shop\":{n}}}"),
        2 => format!("\x1b[32mINFO\x1b[0m \"order\" {n}\tpacked"),
        _ => format!("Traceback (most recent call last):\n  File \"/srv/a.py\", line {n}, in f\nKeyError: {n}"),
    };
    let said: Vec<String> = (0..20_000).map(said).collect();
    let each =
        |write: &dyn Fn(&str) -> String| -> String { said.iter().flat_map(|said| said.lines()).map(write).collect() };
    let lines = each(&|line| format!("2026-05-01T10:00:00.5Z stderr F {line}\n"));
    let objects = each(&|line| in_object(&format!("{line}\n")));
    let pieces = each(&|line| match line.split_at_checked(9).filter(|_| line.starts_with("2026")) {
        Some((first, last)) => in_object(first) + &in_object(&format!("{last}\r\n")),
        None => in_object(&format!("{line}\r\n")),
    });
    assert!(objects.len() > 2 << 20);
    assert_eq!(kinds(&objects), kinds(&lines));
    let of_pieces = run(&pieces).report;
    assert_eq!((of_pieces.totals.events, of_pieces.totals.lines), (20_000, pieces.lines().count() as u64));
    let report = run(&objects).report;
    let templates: Vec<&str> = report.clusters.iter().map(|cluster| cluster.template.as_str()).collect();
    assert_eq!(report.totals.events, 20_000, "{templates:?}");
    assert!(
        templates.iter().any(|template| template.starts_with("Traceback (most recent call last): ⏎ File")),
        "{templates:?}"
    );
    assert_eq!(report.inputs[0].formats[0].form, "cri");
    assert_eq!(report.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["shop"]);
    let failed = report.clusters.iter().find(|cluster| cluster.template.contains("failed")).unwrap();
    assert_eq!(failed.first_seen_ms, Some(1_777_543_200_000), "the time that the line says itself");
}

#[test]
fn lines_in_colours_are_the_same_events_as_without() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/events");
    let mut wrong = Vec::new();
    for case in fs::read_dir(folder).unwrap() {
        let path = case.unwrap().path();
        let case = fs::read_to_string(&path).unwrap();
        let (lines, _) = case.split_once("=====\n").unwrap();
        let coloured: String = lines.lines().map(|line| format!("\x1b[1;31m{line}\x1b[0m\n")).collect();
        if kinds(lines) != kinds(&coloured) {
            wrong.push(format!("{}\n{:#?}", path.display(), kinds(&coloured)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let line = |n: usize| {
        let level = ["\x1b[32mINFO\x1b[0m", "\x1b[33mWARN\x1b[0m "][n % 2];
        format!("{level} [\x1b[36mmain\x1b[0m] order {n} packed\n")
    };
    assert_eq!(
        kinds(&(0..200).map(line).collect::<String>()),
        kinds(&(0..200).map(|n| format!("{} [main] order {n} packed\n", ["INFO", "WARN "][n % 2])).collect::<String>())
    );
}

/// Lines that may be of the inside of an event, in any order.
fn pieces() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        3 => "2026-05-01 10:00:0[0-9] (ERROR|INFO) [a-c ]{1,9}(Traceback .most recent call last.:|select|java.lang.Error: x|)",
        3 => "[ \t]{1,4}(at a\\.B\\$[0-9]{1,3}\\.c\\(D\\.java:[0-9]\\)|at f \\(x.js:1:2\\)|\\.\\.\\. 2 more|File \"/a/b\\.py\", line [0-9], in f|/a/b\\.go:7 \\+0x1)",
        2 => "(Caused by: |)[a-c]{1,3}\\.[A-C]Exception: [a-c<*>⏎ ]{0,5}",
        1 => "Traceback \\(most recent call last\\):|KeyError: [0-9]|The above exception was the direct cause|goroutine 1 \\[x\\]:",
        1 => "(panic: x|thread 'main' panicked at a/b.rs:1:2:|note: x|stack backtrace:|main\\.f\\(0x[0-9]\\)|#[0-9] /a\\(1\\): f\\(x\\))",
        3 => "2026-05-01T10:00:0[0-9]Z std(out|err) F (\tat a\\.B\\.c\\(D\\.java:[0-9]\\)|Caused by: a\\.CError: x|a\\.BError|Traceback \\(most recent call last\\):|  File \"/a\", line 1, in f|[a-c]{1,3}|)",
        1 => "[ \t]{0,3}[]{}()|+a-c<*>⏎ -]{0,8}",
    ];
    prop::collection::vec(line, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn counts_close_and_events_match_their_templates_whatever_the_lines(lines in pieces()) {
        let run = run(lines.join("\n"));
        for cluster in &run.report.clusters {
            let found = run.recording().lines(&cluster.shapes, 0, usize::MAX).unwrap();
            prop_assert_eq!(found.len() as u64, cluster.lines);
            matches_its_examples(cluster);
        }
    }
}
