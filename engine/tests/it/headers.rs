use std::{fs, sync::Arc};

use jiff::Timestamp;
use logkin_engine::{
    Progress, Settings, analyze,
    format::{self, Layout, LineFormat, Reader},
    record::{Level, Record},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::harness::{Run, reader, run, run_with};

/// What a record says, in one line.
fn said(record: &Record<'_>) -> String {
    let time = record.time.map_or("-".to_owned(), |time| Timestamp::from_millisecond(time).unwrap().to_string());
    let level = record.level.map_or("-".to_owned(), |level| format!("{level:?}"));
    format!("> {time} {level} {}", String::from_utf8_lossy(record.message))
}

/// The templates of a log.
fn templates(log: String) -> Vec<String> {
    run(log).report.clusters.into_iter().map(|cluster| cluster.template).collect()
}

fn reference() -> i64 {
    "2024-06-30T00:00:00Z".parse::<Timestamp>().unwrap().as_second()
}

/// Each pair of lines: a log line; then `> `, its time (or `-`), its level (or `-`) and its message.
#[test]
fn headers_are_told_from_messages() {
    let cases = include_str!("cases/headers.txt");
    let lines: Vec<&str> = cases.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 80, "only {} lines found", lines.len());
    for pair in lines.chunks(2) {
        let record = format::read(pair[0].as_bytes(), reference());
        assert_eq!(said(&record), pair[1], "of {:?}", pair[0]);
    }
}

#[test]
fn a_time_without_a_year_is_the_latest_not_after_tomorrow() {
    let at = |reference: &str| {
        let reference: Timestamp = reference.parse().unwrap();
        format::read(b"Dec 31 23:59:59 host app: x", reference.as_second()).time.unwrap() / 1000 / 86_400 / 365
    };
    assert_eq!(at("2024-12-31T12:00:00Z"), at("2025-01-01T00:00:00Z"));
    assert_eq!(at("2025-12-30T00:00:00Z"), at("2024-12-31T12:00:00Z"));
    assert_eq!(at("2025-12-31T00:00:00Z"), at("2024-12-31T12:00:00Z") + 1);
}

#[test]
fn a_date_and_a_time_of_day_in_two_columns_are_one_time() {
    for between in ["\t", ",", ", ", ";", "|", " | ", " - ", "  ", "] [", "][", "\",\""] {
        for date in ["2024-05-01", "2024/05/01", "01.05.2024", "01/May/2024", "20240501"] {
            let (before, close, sign) = match between.chars().next() {
                Some(']') => ("[", "]", " "),
                Some('"') => ("\"", "\"", ","),
                _ => ("", "", if between == "  " { " " } else { between }),
            };
            if date == "20240501" && (between.starts_with([']', '"', '-']) || between == " - ") {
                continue;
            }
            let line = |i: usize| {
                format!("{before}{date}{between}10:20:{:02}{close}{sign}INFO{sign}job {i} is done\n", i % 60)
            };
            for count in [2, 60] {
                let report = run((0..count).map(line).collect::<String>()).report;
                let times: Vec<_> = report.clusters.iter().map(|c| (c.first_seen_ms, c.template.as_str())).collect();
                assert_eq!(times.len(), 1, "{}: {times:?}", line(0));
                assert_eq!(times[0].0, Some(1_714_558_800_000), "{}: {times:?}", line(0));
                assert!(times[0].1.starts_with("job <*> is"), "{}: {times:?}", line(0));
            }
        }
    }
}

#[test]
fn a_time_that_cannot_be_stands_where_times_do_and_tells_nothing() {
    for header in ["{} INFO ", "[{}] ", "{},250 - shop.jobs - INFO - "] {
        let line = |i: usize| {
            let time = match i % 20 {
                7 => "2024-13-01 10:20:30",
                13 => "2024-05-01 25:20:30",
                _ => "2024-05-01 10:20:30",
            };
            format!("{}job {i} is done\n", header.replace("{}", time))
        };
        let report = run((0..200).map(line).collect::<String>()).report;
        let found: Vec<_> = report.clusters.iter().map(|c| (c.template.as_str(), c.lines)).collect();
        assert_eq!(found, [("job <*> is done", 200)], "{header}");
        assert_eq!(report.clusters[0].over_time.counts().iter().sum::<u64>(), 180, "{header}");
    }
}

/// Each file: `= ` and a form, for each that is found; then pairs of lines as in `headers.txt`.
#[test]
fn the_lines_of_an_input_together_tell_how_they_begin() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cases/layouts");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10);
    let mut wrong = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (forms, lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("= "));
        let logged: Vec<&[u8]> = lines.iter().step_by(2).map(|line| line.as_bytes()).collect();
        // A vote wants more lines than are good to read.
        let voters = logged.iter().copied().cycle().take(logged.len() * 20);
        let layout = Layout::vote(voters, reference());
        let found: Vec<String> = layout.forms().map(|form| format!("= {form}")).collect();
        if found != forms {
            wrong += &format!("{}: {found:#?}\n", file.display());
        }
        let mut reader = Reader::default();
        reader.begin(&Arc::new(layout), reference());
        for pair in lines.chunks(2) {
            let record = said(&reader.read(pair[0].as_bytes()));
            if record != pair[1] {
                wrong += &format!("{}: {}\n  {record}\n  not\n  {}\n", file.display(), pair[0], pair[1]);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_year_and_the_half_of_the_day_are_no_part_of_what_is_remembered_of_a_day() {
    for lines in [
        ["12/Oct/2024:13:55:36 INFO a", "12/Oct/2023:13:55:36 INFO b", "12/Oct/2022:14:55:36 INFO c"],
        ["12.10.2024 11:00:00.25 INFO a", "12.10.2024 11:00:00,25 INFO b", "12.10.2024 11:00:01.75 INFO c"],
        ["Sun 04 Dec 2005 12:10:05 AM UTC a", "Sun 04 Dec 2005 01:00:00 AM UTC b", "Sun 04 Dec 2005 12:00:00 AM UTC c"],
        ["10/12/2024 01:30:00 PM INFO a", "10/12/2024 12:30:00 PM INFO b", "10/12/2024 12:30:00 AM INFO c"],
    ] {
        let lines = lines.map(str::as_bytes);
        let mut reader = Reader::default();
        reader.begin(&Arc::new(Layout::vote(lines.iter().copied().cycle().take(60), reference())), reference());
        for line in lines {
            assert_eq!(said(&reader.read(line)), said(&format::read(line, reference())));
        }
    }
}

#[test]
fn the_report_says_how_lines_begin_and_how_many_of_them() {
    let line = |n: u64| format!("2024-05-01 10:00:{:02},250 - shop.jobs - INFO - job {n} queued\n", n % 60);
    let text: String = (0..95).map(line).chain((0..5).map(|n| format!("no header {n}\n"))).collect();
    let summary = &run(&text).report.inputs[0];
    let formats: Vec<_> = summary.formats.iter().map(|share| (share.form.as_str(), share.lines)).collect();
    assert_eq!(formats, [("{time} - {component} - {level} - {message}", 95), ("plain", 5)]);
}

#[test]
fn the_report_names_how_lines_are_read_that_no_form_fits() {
    for (header, name) in [
        ("I0501 12:00:01.123456    1234 file.go:123] ", "klog"),
        ("2024-05-01T12:00:01.123456789Z stdout F ", "cri"),
        ("INFO:shop.cart:", "{level}:{component}:{message}"),
    ] {
        let formats =
            run((0..50).map(|i| format!("{header}job {i} done\n")).collect::<String>()).report.inputs.remove(0).formats;
        assert_eq!(formats.iter().map(|share| share.form.as_str()).collect::<Vec<_>>(), [name]);
    }
    let formats = run("E12 2024-05-01 10:00:00 INFO job 1 done\n".repeat(2)).report.inputs.remove(0).formats;
    assert_eq!(formats.iter().map(|share| share.form.as_str()).collect::<Vec<_>>(), ["other"]);
}

#[test]
fn levels_and_loggers_with_nothing_but_colons_between_them_are_header() {
    for (header, form) in [
        ("LEVEL:NAME:", "{level}:{component}:{message}"),
        ("2024-05-01 10:00:00,250:LEVEL:NAME:", "{time}:{level}:{component}:{message}"),
        ("2024-05-01 10:00:00,250:NAME:LEVEL:", "{time}:{component}:{level}:{message}"),
    ] {
        for names in [&["root"][..], &["root", "asyncio"], &["root", "shop.cart", "__main__"]] {
            let line = |i: usize| {
                let level = ["INFO", "DEBUG", "WARNING", "ERROR"][i % 4];
                let header = header.replace("NAME", names[i % names.len()]).replace("LEVEL", level);
                format!("{header}job {i} is done: at step:{}\n", i % 7)
            };
            let report = run((0..120).map(line).collect::<String>()).report;
            let [cluster] = &report.clusters[..] else { panic!("{header}: {:?}", report.clusters) };
            assert_eq!(cluster.template, "job <*> is done: at step:<*>", "{header}");
            assert_eq!(cluster.levels.each().map(|(_, events)| events).sum::<u64>(), 120, "{header}");
            let formats: Vec<_> = report.inputs[0].formats.iter().map(|share| share.form.as_str()).collect();
            assert_eq!(formats, [form]);
        }
    }
}

#[test]
fn a_channel_and_its_level_are_no_part_of_the_message_however_few_lines_there_are() {
    let said = |i: usize| match i % 4 {
        0 => format!("ERROR: Payment of {i} EUR refused"),
        1 => "DEBUG: Cache cleared".to_owned(),
        2 => format!("NOTICE: Order {i} was packed"),
        _ => "ALERT: Disk is full".to_owned(),
    };
    for count in [4, 8, 400] {
        let line = |i: usize| format!("[2026-11-20 10:00:{:02}] production.{}\n", i % 60, said(i));
        let clusters = run((0..count).map(line).collect::<String>()).report.clusters;
        let mut found: Vec<_> = clusters.iter().map(|c| (c.template.as_str(), c.level, c.lines)).collect();
        found.sort_unstable();
        let each = count as u64 / 4;
        let expected = [
            ("Cache cleared", Some(Level::Debug), each),
            ("Disk is full", Some(Level::Fatal), each),
            ("Order <*> was packed", Some(Level::Notice), each),
            ("Payment of <*> EUR refused", Some(Level::Error), each),
        ];
        assert_eq!(found, expected);
    }
}

#[test]
fn headers_of_known_families_are_forms() {
    for (line, form, levels) in [
        (
            "2024-05-01T10:00:00.000+0000 7f1c2d3e4700 {} osd.3 e12 tick N",
            "{time} {thread} {level} {message}",
            [(" 1", Level::Info), ("-1", Level::Error), ("10", Level::Trace)],
        ),
        (
            "2024-05-01 10:00:00.123456+0200 0x1a2b     {} 0x0      123    0    kernel: tick N",
            "{time} {thread} {level} {thread-2} {number} {number-2} {component}: {message}",
            [("Default    ", Level::Notice), ("Error      ", Level::Error), ("Fault      ", Level::Fatal)],
        ),
        (
            "@4000000066323{}7b075bca00 osd.3 e12 tick N",
            "{time} {message}",
            [("0", Level::Info), ("1", Level::Info), ("a", Level::Info)],
        ),
    ] {
        let line = |n: usize| line.replace("{}", levels[n % 3].0).replace('N', &n.to_string()) + "\n";
        let report = run((0..300).map(line).collect::<String>()).report;
        let forms: Vec<_> = report.inputs[0].formats.iter().map(|share| (share.form.as_str(), share.lines)).collect();
        assert_eq!(forms, [(form, 300)]);
        let [cluster] = &report.clusters[..] else { panic!("{form}: {:?}", report.clusters) };
        assert!(cluster.template.ends_with("tick <*>") && cluster.first_seen_ms.is_some(), "{}", cluster.template);
        if form.contains("{level}") {
            let found: Vec<_> = cluster.levels.each().collect();
            let mut levels = levels.map(|(_, level)| (level, 100));
            levels.sort_unstable();
            assert_eq!(found, levels);
        }
    }
}

#[test]
fn requests_in_tables_are_told_apart_as_those_of_access_logs() {
    let table = |fields: &str, count: usize, line: &dyn Fn(usize, u32) -> String| {
        let rows = (0..count).map(|n| line(n, [200, 200, 500, 404, 200][n % 5])).collect::<Vec<_>>();
        format!("#Software: some\n#Fields: {fields}\n{}\n", rows.join("\n"))
    };
    let iis = |count: usize| {
        let fields =
            "date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) sc-status time-taken";
        table(fields, count, &|n, status| {
            let agent = ["Mozilla/5.0+(Windows+NT+10.0)", "curl/8"][n % 2];
            format!("2024-05-01 10:00:{:02} 10.0.0.5 GET /a/{n} id={n} 443 10.0.1.{n} {agent} {status} {n}", n % 60)
        })
    };
    let edge = |count: usize| {
        let fields = "date time x-edge c-ip cs-method cs-uri-stem sc-status cs-uri-query cs-protocol-version";
        table(fields, count, &|n, status| {
            format!("2024-05-01\t10:00:{:02}\tFRA{n}\t10.0.1.{n}\tGET\t/a/{n}\t{status}\t-\tHTTP/2.0", n % 60)
        })
    };
    for count in [30, 400] {
        for (text, version) in [(iis(count), "HTTP/-"), (edge(count), "HTTP/2.0")] {
            let report = run(&text).report;
            assert_eq!(report.inputs[0].formats[0].form, "w3c");
            let mut found: Vec<_> = report
                .clusters
                .iter()
                .filter(|cluster| cluster.lines > 1)
                .map(|cluster| {
                    let timed = cluster.over_time.counts().iter().sum::<u64>();
                    let level = cluster.levels.each().next().map(|(level, _)| level);
                    (cluster.template.clone(), level, timed, cluster.lines)
                })
                .collect();
            found.sort();
            let of = |class: &str, level, share: usize| {
                let lines = (count * share / 5) as u64;
                (format!("\"GET <*> {version}\" {class}<*>"), level, lines, lines)
            };
            let expected = [of("2", None, 3), of("4", Some(Level::Warn), 1), of("5", Some(Level::Error), 1)];
            assert_eq!(found, expected, "{text}");
        }
    }
    let report = run(iis(400)).report;
    let names: Vec<&str> = report.columns.iter().map(|column| column.name.as_str()).collect();
    assert!(names.contains(&"cs(User-Agent)") && !names.contains(&"sc-status"), "{names:?}");
}

#[test]
fn a_line_format_that_is_given_is_followed() {
    let text = "2024-05-01 10:00:00 web1 job 7 done\n2024-05-01 10:00:01 db2 job 8 done\n";
    let with = |format: &str| {
        let settings = Settings { line_format: format.parse().unwrap(), ..Settings::default() };
        let report = run_with(vec![reader(text)], &settings).report;
        report.clusters.into_iter().map(|cluster| cluster.template).collect::<Vec<_>>()
    };
    assert_eq!(with("{time} {host} {message}"), ["job <*> done"]);
    assert_eq!(with("plain"), ["<*> <*> <*> job <*> done"]);
    let forms = Layout::of_text("[{time}] {{{level}}} {message}").unwrap().forms().collect::<Vec<_>>();
    assert_eq!(forms, ["[{time}] {{{level}}} {message}"]);
}

#[test]
fn a_line_format_that_fits_hardly_any_line_is_told_with_one_that_it_does_not_fit() {
    let text: String = (0..200).map(|n| format!("{} job {n} done\n", if n % 40 == 7 { "[a]" } else { "a:" })).collect();
    let notes = |format: &str| {
        let settings = Settings { line_format: format.parse().unwrap(), ..Settings::default() };
        let Run { report, .. } = run_with(vec![reader(&text)], &settings);
        assert!(report.inputs[0].problems.is_empty());
        report.inputs.into_iter().flat_map(|input| input.notes).collect::<Vec<_>>()
    };
    let [note] = &notes("[{host}] {message}")[..] else { panic!("{:?}", notes("[{host}] {message}")) };
    for part in ["'[{host}] {message}' fits 5 of 200 lines", "does not fit 'a: job 0 done'", "auto"] {
        assert!(note.contains(part), "{note}");
    }
    for format in ["{host}: {message}", "plain", "auto"] {
        assert_eq!(notes(format), [""; 0], "{format}");
    }
}

#[test]
fn a_line_format_that_is_wrong_is_refused_in_words() {
    let refused = |format: &str| format.parse::<LineFormat>().unwrap_err().to_string();
    for (format, word) in [
        ("json", "no line format 'json'"),
        ("{time}", "no {message}"),
        ("{time} {message} {level}", "goes on behind {message}"),
        ("{time", "brace without its other at byte 0"),
        ("a} {message}", "brace without its other at byte 1"),
        ("{a b} {message}", "'a b'"),
        ("{host}{level} {message}", "{host} and another field"),
        ("{host} {host} {message}", "{host} twice"),
    ] {
        assert!(refused(format).contains(word), "{format}: {}", refused(format));
    }
}

#[test]
fn fields_of_json_lines_are_counted() {
    let line = |n: u64| format!("{{\"msg\":\"done\",\"user\":{{\"id\":{n}}},\"ok\":{}}}\n", n.is_multiple_of(3));
    let text: String = (0..3000).map(line).collect();
    let report = run(&text).report;
    assert_eq!(report.clusters.len(), 1);
    let [ok, id] = &report.columns[..] else { panic!("{:?}", report.columns) };
    assert_eq!((ok.name.as_str(), ok.lines, ok.distinct, ok.complete), ("ok", 3000, 2, true));
    let values: Vec<_> = ok.values.iter().map(|value| (value.value.as_str(), value.lines)).collect();
    assert_eq!(values, [("false", 2000), ("true", 1000)]);
    assert_eq!((id.name.as_str(), id.lines, id.complete), ("user.id", 3000, false));
    assert!((2500..3500).contains(&id.distinct), "{}", id.distinct);
}

#[test]
fn json_without_a_message_is_grouped_by_its_keys() {
    let text = "{\"user\":\"alice\",\"ms\":1}\n{\"user\":\"bob\",\"ms\":22}\n{\"path\":\"/x\",\"ms\":3}\n";
    let mut templates: Vec<_> = run(text).report.clusters.into_iter().map(|cluster| cluster.template).collect();
    templates.sort();
    assert_eq!(templates, ["path=<*> ms=<*>", "user=<*> ms=<*>"]);
}

fn line() -> impl Strategy<Value = String> {
    let words = || select(vec!["job", "7", "done", "[a]", "[b c]", "x:", "-", "k=v", "INFO", "2024-05-01", "10:00:00"]);
    let front = select(vec![
        "2024-05-01 10:00:00,250 INFO [main] ",
        "2024-05-01 10:00:01,250 WARN [io-3] a.b.C: ",
        "May  1 10:00:00 web1 sshd[7]: ",
        "INFO [x] 2024-05-02 11:00:00,250 ",
        "[10:00:00] [note] ",
        "[10:00:00: ERROR/w-1] ",
        "2024-05-01 10:00:00;WARN;w-1;",
        "INFO[0001] ",
        "[2024-05-01 10:00:00] {a.py:7} INFO - ",
        "E, [2024-05-01T10:00:00 #7] ERROR -- a.B: ",
        "2024-05-01 10:00:00 [info] <0.7.0> ",
        "{\"msg\":\"hi\",\"a\":1} ",
        "level=info msg=hi ",
        "",
    ]);
    (front, vec(words(), 0..6)).prop_map(|(front, words)| format!("{front}{}", words.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_lines_changes_no_record(lines in vec(line(), 0..60), seed in any::<u64>()) {
        let mut shuffled = lines.clone();
        shuffled.sort_by_key(|line| line.bytes().fold(seed, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)));
        let layout = |lines: &[String]| Layout::vote(lines.iter().map(String::as_bytes), reference());
        let (one, other) = (layout(&lines), layout(&shuffled));
        prop_assert_eq!(&one, &other);
        let records = |layout: Layout, lines: &[String]| {
            let mut reader = Reader::default();
            reader.begin(&Arc::new(layout), reference());
            let mut all: Vec<String> = lines.iter().map(|line| format!("{line} {}", said(&reader.read(line.as_bytes())))).collect();
            all.sort();
            all
        };
        prop_assert_eq!(records(one, &lines), records(other, &shuffled));
    }

    #[test]
    fn what_was_voted_reads_any_line_without_harm(lines in vec(line(), 0..40), bytes in vec(any::<u8>(), 0..120)) {
        let layout = Layout::vote(lines.iter().map(String::as_bytes), reference());
        let mut reader = Reader::default();
        reader.begin(&Arc::new(layout), reference());
        prop_assert!(reader.read(&bytes).message.len() <= 4 * bytes.len() + 8);
        for form in Layout::vote(lines.iter().map(String::as_bytes), reference()).forms() {
            prop_assert!(form.parse::<LineFormat>().is_ok(), "{}", form);
        }
    }
}

#[test]
fn a_word_that_says_what_happened_is_part_of_the_message() {
    let pairs = [
        ("2024-05-01 12:00:01 INFO ", "success: payment", "failure: payment"),
        ("2024-05-01 12:00:01 INFO ", "[BEGIN] job", "[END] job"),
        ("2024-05-01T12:00:01Z ", "[PASS] case", "[FAIL] case"),
        ("2024-05-01 12:00:01 INFO ", "Added - object", "Removed - object"),
        ("May  1 12:00:00 fw kernel: ", "[UFW ALLOW] IN=eth0 SPT=", "[UFW BLOCK] IN=eth0 SPT="),
    ];
    for (header, one, other) in pairs {
        let log: String = (0..200).map(|i| format!("{header}{} {i}\n", if i % 2 == 0 { one } else { other })).collect();
        let report = analyze(vec![reader(&log)], &Settings::default(), &Progress::default(), None).unwrap();
        let lines: Vec<u64> = report.clusters.iter().map(|cluster| cluster.lines).collect();
        assert_eq!(lines, [100, 100], "{one}: {:?}", report.clusters.iter().map(|c| &c.template).collect::<Vec<_>>());
    }
}

#[test]
fn a_word_that_every_line_has_may_say_what_happened() {
    for (header, word) in [
        ("2024-05-01 12:00:01 INFO ", "success: "),
        ("2024-05-01 12:00:01 INFO ", "[BEGIN] "),
        ("May  1 12:00:00 fw kernel: ", "[UFW ALLOW] "),
        ("2024-05-01 12:00:01 INFO ", "Added - "),
    ] {
        let log: String = (0..200).map(|i| format!("{header}{word}object {i}\n")).collect();
        assert_eq!(templates(log), [format!("{word}object <*>")]);
    }
}

#[test]
fn names_of_loggers_threads_and_programs_are_no_part_of_the_message() {
    let logs = [
        ["2024-05-01 12:00:01 INFO [main] com.acme.Foo: job", "2024-05-01 12:00:01 INFO [worker] com.acme.Bar: job"],
        ["May  1 12:00:00 host1 sshd: job", "May  1 12:00:00 host1 cron: job"],
        ["05-01 12:00:00.000  100  200 I PowerManager: job", "05-01 12:00:00.000  100  200 I Zygote: job"],
    ];
    for kinds in logs {
        let log: String = (0..200).map(|i| format!("{} {i}\n", kinds[i % 2])).collect();
        let report = analyze(vec![reader(&log)], &Settings::default(), &Progress::default(), None).unwrap();
        assert_eq!(
            report.clusters.len(),
            1,
            "{kinds:?}: {:?}",
            report.clusters.iter().map(|c| &c.template).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_level_where_others_have_a_component_is_one() {
    let log: String = (0..100)
        .map(|i| {
            let kind = ["LOG:  duration", "DETAIL:  parameters", "STATEMENT:  SELECT", "ERROR:  deadlock"][i % 4];
            format!("2024-05-01 12:00:01.123 UTC [{i}] {kind} {i}\n")
        })
        .collect();
    let report = analyze(vec![reader(&log)], &Settings::default(), &Progress::default(), None).unwrap();
    let errors = report.clusters.iter().filter(|cluster| cluster.level == Some(Level::Error));
    assert_eq!(errors.map(|cluster| cluster.lines).sum::<u64>(), 25, "{:?}", report.clusters);
}

#[test]
fn words_that_the_same_messages_stand_behind_are_names_of_components() {
    let messages = ["pool is empty", "cart 7 was saved after 12 ms", "retrying", "gave up waiting for db3"];
    for header in [
        "2024-05-01 12:00:01 | INFO | {} | ",
        "2024-05-01 12:00:01|INFO|{}|",
        "2024-05-01 12:00:01;INFO;{};",
        "2024-05-01 12:00:01,INFO,{},",
        "2024-05-01 12:00:01\tINFO\t{}\t",
        "2024-05-01 12:00:01 - INFO - {} - ",
        "2024-05-01 12:00:01 INFO {}: ",
        "2024-05-01 12:00:01 INFO [{}] ",
        "[2024-05-01 12:00:01] [INFO] [{}] - ",
        "2024-05-01 12:00:01 INFO ({}) ",
        "2024-05-01 12:00:01 INFO {{}} ",
        "2024-05-01 12:00:01 INFO <{}> ",
        "May  1 12:00:01 {} : ",
    ] {
        let name = |i: usize| ["billing", "search", "stock"][i % 3];
        let line = |i: usize| format!("{}{}\n", header.replace("{}", name(i)), messages[i / 3 % 4]);
        let templates = templates((0..240).map(line).collect());
        assert_eq!(templates.len(), 4, "{header}: {templates:?}");
    }
}

#[test]
fn one_word_before_several_messages_names_a_component_where_it_is_set_off() {
    let messages = ["pool is empty", "cart 7 was saved after 12 ms", "retrying with 3 workers", "gave up on db3"];
    for header in [
        "2024-05-01 12:00:01 | INFO | ring | ",
        "2024-05-01 12:00:01|INFO|ring|",
        "2024-05-01 12:00:01;INFO;ring;",
        "2024-05-01 12:00:01,INFO,ring,",
        "2024-05-01 12:00:01\tINFO\tring\t",
        "2024-05-01 12:00:01\tINFO\tring\t1234\t",
        "2024-05-01 12:00:01 - INFO - ring - ",
        "2024-05-01 12:00:01 INFO ring: ",
    ] {
        for count in [12, 30, 300] {
            let found = templates((0..count).map(|i| format!("{header}{}\n", messages[i % 4])).collect());
            assert_eq!(found.len(), 4, "{header}: {found:?}");
            assert!(!found.iter().any(|template| template.contains("ring") || template.starts_with('<')), "{found:?}");
        }
    }
}

#[test]
fn a_word_before_messages_that_stand_without_it_behind_other_headers_names_a_component() {
    for header in ["2024-05-01T12:00:01Z | info ring: ", "2024-05-01T12:00:01Z | info | ring | "] {
        for count in [10, 30, 300] {
            let message = |i: usize| ["entry {} expired", "opening ledger {}"][i % 2].replace("{}", &i.to_string());
            let line = |i: usize| format!("{header}{}\nMay  1 12:00:01 host ringd[{i}]: {}\n", message(i), message(i));
            let found = templates((0..count).map(line).collect());
            assert_eq!(found, ["entry <*> expired", "opening ledger <*>"], "{header}");
        }
    }
}

#[test]
fn words_that_name_what_was_done_to_things_are_no_components() {
    for header in
        ["2024-05-01 12:00:01 | INFO | {} | ", "2024-05-01 12:00:01 INFO [{}] ", "2024-05-01 12:00:01 INFO {}: "]
    {
        let verb = |i: usize| ["open", "close"][i % 2];
        let thing = |i: usize| ["gate", "door", "window", "hatch"][i / 2 % 4];
        let line = |i: usize| format!("{}{} {i}\n", header.replace("{}", verb(i)), thing(i));
        let templates = templates((0..240).map(line).collect());
        let with = |verb: &str| templates.iter().any(|template| template.contains(verb));
        assert!(with("open") && with("close"), "{header}: {templates:?}");
    }
}

#[test]
fn components_that_only_a_blank_sets_off_are_taken_off() {
    let messages = [
        "Connection opened",
        "Query took 12 ms",
        "Retrying after 3 failures",
        "Cache miss for 7",
        "Token was refreshed",
        "Snapshot was written",
        "Shutting down now",
    ];
    for names in [["app.db", "app.web", "app.auth"], ["node-exporter", "kube-proxy", "worker"]] {
        for header in ["2026-11-20 10:00:00 INFO", "2026-11-20T10:00:00Z [INFO]"] {
            let line = |i: usize| format!("{header} {} {}\n", names[i % 3], messages[i / 3 % 7]);
            let found = templates((0..420).map(line).collect());
            assert_eq!(found.len(), 7, "{header} {names:?}: {found:?}");
        }
    }
}

#[test]
fn verbs_behind_levels_stay_in_the_message() {
    let things = ["server", "the cache", "worker 3", "listener on port 80", "HTTP server", "jobs of Ann"];
    for verbs in [["Starting", "Stopping"], ["starting", "stopping"], ["create", "delete"], ["Re-opening", "closing"]] {
        let line = |i: usize| format!("2026-11-20 10:00:00 INFO {} {}\n", verbs[i % 2], things[i / 2 % 6]);
        let found = templates((0..240).map(line).collect());
        assert!(verbs.iter().all(|verb| found.iter().any(|template| template.contains(verb))), "{found:?}");
    }
}
