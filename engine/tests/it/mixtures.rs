use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use logkin_engine::{Partial, Report, Settings, record::Level};

use crate::harness::{Lot, reader, run_with};

/// Headers of lines as the loggers of the world write them: codes of strftime, and `{level}` (`{LEVEL}`, padded `{LEVEL5}`, its
/// letter `{L}`), `{ms}` three digits, `{n}` another number each time, `{message}`.
fn formats() -> Vec<&'static str> {
    let formats: Vec<&str> = include_str!("cases/formats.txt").lines().collect();
    assert!(formats.len() >= 40, "only {} formats found", formats.len());
    formats
}

const KINDS: [(&str, Level); 3] = [("User ", Level::Info), ("Slow ", Level::Warn), ("Could ", Level::Error)];

/// Lines of three kinds.
fn lines(format: &str, count: usize, lot: &mut Lot) -> Vec<String> {
    (0..count).map(|i| line(format, i, lot)).collect()
}

fn line(format: &str, i: usize, lot: &mut Lot) -> String {
    let names = ["anna", "bert", "carol", "dmitri", "eve", "frank", "george", "heidi", "ivan", "judy", "karl", "lena"];
    let (level, message) = match i % 3 {
        0 => {
            let (name, a, b, port) =
                (names[lot.below(12) as usize], lot.below(256), lot.below(256), lot.below(60_000) + 1024);
            ("INFO", format!("User {name} logged in from 10.0.{a}.{b} port {port}"))
        }
        1 => {
            ("WARN", format!("Slow query on table {}s took {} ms", names[lot.below(12) as usize], lot.below(9000) + 10))
        }
        _ => (
            "ERROR",
            format!(
                "Could not connect to web{:02}:{} after {} attempts: timeout",
                lot.below(90),
                lot.below(9000) + 1000,
                lot.below(9)
            ),
        ),
    };
    let first: Timestamp = "2024-05-01T12:00:00Z".parse().unwrap();
    let time = first + (i as i64 * 7).seconds();
    let mut line = time.strftime(format).to_string();
    for (field, value) in [
        ("{level}", level.to_lowercase()),
        ("{LEVEL}", level.to_owned()),
        ("{LEVEL5}", format!("{level:5}")),
        ("{L}", level[..1].to_owned()),
        ("{ms}", format!("{:03}", lot.below(1000))),
    ] {
        line = line.replace(field, &value);
    }
    while let Some(at) = line.find("{n}") {
        line.replace_range(at..at + 3, &(lot.below(90) + 10).to_string());
    }
    line.replace("{message}", &message)
}

fn report(lines: &[String]) -> Report {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    run_with(vec![reader(&text)], &Settings::default()).report
}

fn shuffle(lines: &mut [String], lot: &mut Lot) {
    for i in (1..lines.len()).rev() {
        lines.swap(i, lot.below(i as u64 + 1) as usize);
    }
}

/// What the report has instead of the three kinds alone; empty when it has them.
fn others(report: &Report) -> String {
    let found: Vec<&str> = report.clusters.iter().map(|cluster| cluster.template.as_str()).collect();
    let three = found.len() == 3 && KINDS.iter().all(|(begin, _)| found.iter().any(|one| one.starts_with(begin)));
    if three { String::new() } else { format!("  {}\n", found.join("\n  ")) }
}

#[test]
fn the_headers_of_each_format_are_left_out_and_their_levels_read() {
    let mut wrong = String::new();
    for format in formats() {
        let report = report(&lines(format, 120, &mut Lot(1)));
        wrong += &others(&report);
        if format.to_lowercase().contains("{l") {
            let found: BTreeMap<&str, Option<Level>> = report
                .clusters
                .iter()
                .map(|cluster| (cluster.template.split_inclusive(' ').next().unwrap(), cluster.level))
                .collect();
            if found != KINDS.into_iter().map(|(begin, level)| (begin, Some(level))).collect() {
                wrong += &format!("{format}: {found:?}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_message_under_two_formats_in_one_file_is_one() {
    let formats = formats();
    let mut wrong = String::new();
    for (i, one) in formats.iter().enumerate() {
        for step in [1, 2, 5, 9, 14, 20] {
            let other = formats[(i + step) % formats.len()];
            let mut lot = Lot(step as u64);
            let log = [lines(one, 120, &mut lot), lines(other, 12, &mut lot)].concat();
            let others = others(&report(&log));
            if !others.is_empty() {
                wrong += &format!("{one}\n{other}\n{others}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_message_under_five_formats_in_one_file_is_one_however_many_lines_each_has() {
    let formats = formats();
    let mut lot = Lot(5);
    let mut wrong = String::new();
    for round in 0..60 {
        let (mut used, mut log) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let format = formats[lot.below(formats.len() as u64) as usize];
            let count = [20, 60, 300, 2000][lot.below(if round % 4 == 0 { 4 } else { 3 }) as usize];
            used.push(format);
            log.extend(lines(format, count, &mut lot));
        }
        if round % 2 == 1 {
            shuffle(&mut log, &mut lot);
        }
        let others = others(&report(&log));
        if !others.is_empty() {
            wrong += &format!("{}\n{others}", used.join("\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn messages_under_twenty_formats_in_one_file_are_the_same_kinds_in_any_order() {
    let formats = formats();
    let mut lot = Lot(20);
    for first in [0, 11, 22] {
        let used: Vec<&str> = formats.iter().cycle().skip(first).take(20).copied().collect();
        let mut log: Vec<String> = used.iter().flat_map(|format| lines(format, 150, &mut lot)).collect();
        for order in 0..3 {
            let others = others(&report(&log));
            assert!(others.is_empty(), "{}\norder {order}\n{others}", used.join("\n"));
            shuffle(&mut log, &mut lot);
        }
    }
}

/// A word by itself may be a program's name or what happened; a letter may be a level or anything.
#[test]
fn what_a_header_may_leave_before_a_message_is_no_other_message_where_it_recurs_without() {
    let unclear = [
        "%H:%M:%S.{ms} {L} shop: {message}",
        "%d/%b/%Y:%H:%M:%S +0000 shop {LEVEL} {message}",
        "%Y-%m-%d %H:%M:%S {LEVEL} shop {message}",
        "{LEVEL} shop: {message}",
        "{message}",
    ];
    let clear = [
        "%Y-%m-%d %H:%M:%S,{ms} {LEVEL5} [pool-{n}] org.demo.Shop - {message}",
        "%b %e %H:%M:%S web1 shop[{n}]: {message}",
    ];
    let mut lot = Lot(7);
    let mut wrong = String::new();
    for count in [12, 30, 300, 3000] {
        for one in 0..unclear.len() {
            let formats = [unclear[one], unclear[(one + 1) % 5], unclear[(one + 2) % 5], clear[0], clear[1]];
            let log: Vec<String> = formats.iter().flat_map(|format| lines(format, count, &mut lot)).collect();
            let report = report(&log);
            let lines: Vec<u64> = report.clusters.iter().map(|cluster| cluster.lines).collect();
            if lines != [5 * count as u64 / 3; 3] {
                wrong += &format!("{count} {}\n{:?}\n", formats.join("\n"), counts(&report));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Six lines under each header, so that a message has two under it, with names of parts of a program that vary from line to line.
#[test]
fn names_of_parts_of_a_program_before_a_message_make_no_others_in_thirty_lines() {
    let named = ["{level} com.acme.{part} {message}", "{LEVEL} {part}: {message}", "{LEVEL} {part} {message}"];
    let clear = [
        "%Y-%m-%d %H:%M:%S,{ms} {LEVEL5} [pool-{n}] org.demo.Shop - {message}",
        "%b %e %H:%M:%S web1 shop[{n}]: {message}",
        "%Y/%m/%d %H:%M:%S {message}",
        "{message}",
    ];
    let mut wrong = String::new();
    for case in 0..60 {
        let mut lot = Lot(case);
        let named = format!("%Y-%m-%dT%H:%M:%SZ {}", named[case as usize % 3]);
        let mut log: Vec<String> = clear.iter().flat_map(|format| lines(format, 6, &mut lot)).collect();
        // Each part of the program says something that another says too.
        for (i, part) in ["Net", "Pool", "Store", "Pool", "Net", "Pool"].iter().enumerate() {
            log.push(line(&named.replace("{part}", part), i, &mut lot));
        }
        shuffle(&mut log, &mut lot);
        let report = report(&log);
        if report.clusters.iter().map(|cluster| cluster.lines).collect::<Vec<_>>() != [10; 3] {
            wrong += &format!("{named}\n{:?}\n", counts(&report));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What kinds there are, and how many lines each has.
fn counts(report: &Report) -> BTreeMap<&str, u64> {
    report.clusters.iter().map(|cluster| (cluster.template.as_str(), cluster.lines)).collect()
}

#[test]
fn a_format_that_begins_further_on_is_read_as_if_it_were_the_first() {
    let formats = formats();
    let mut lot = Lot(7);
    for (first, second, third) in [(0, 9, 20), (3, 14, 8), (25, 5, 12), (30, 17, 2), (11, 40, 6)] {
        let parts = [first, second, third].map(|format| lines(formats[format % formats.len()], 25_000, &mut lot));
        let mut found = Vec::new();
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0]] {
            let log = order.map(|part| parts[part].join("\n") + "\n").concat();
            let reports = [1, 2, 16].map(|threads| {
                let settings = Settings { threads: Some(threads), ..Settings::default() };
                run_with(vec![reader(&log)], &settings)
            });
            assert!(reports[0] == reports[1] && reports[1] == reports[2], "{first} {second} {third}");
            let mut live = Partial::new(&Settings::default());
            let input = live.input("lines");
            for piece in log.split_inclusive('\n').collect::<Vec<_>>().chunks(997) {
                live.add(input, piece.concat().as_bytes());
            }
            let [run, ..] = reports;
            assert_eq!(counts(&live.into_report()), counts(&run.report), "{first} {second} {third}");
            found.push(run.report);
        }
        assert_eq!(others(&found[0]), "", "{first} {second} {third}");
        assert!(found.iter().all(|report| counts(report) == counts(&found[0])), "{first} {second} {third}");
    }
}

/// Names of one to four words, by how they are written.
fn person(lot: &mut Lot, single: bool) -> String {
    let first = ["Anna", "Bert", "Carla", "Dieter", "Emil", "Frida", "Hanna", "Igor", "Lena", "Otto", "Rosa", "Uwe"];
    let last = ["Meyer", "Novak", "Tanaka", "Okafor", "Rossi", "O'Neil", "Kim", "van Dyke", "Brown", "Silva"];
    let middle = ["Maria ", "J. ", "van der ", "de la "];
    let first = first[lot.below(12) as usize];
    if single && lot.below(2) == 0 {
        return first.to_owned();
    }
    let middle = if !single && lot.below(10) < 3 { middle[lot.below(4) as usize] } else { "" };
    format!("{first} {middle}{}", last[lot.below(10) as usize])
}

/// The templates of `count` lines of three kinds, each with a name of a person in place of `{}`.
fn with_persons(kinds: [&str; 3], count: usize, single: bool, lower: bool) -> Vec<String> {
    let mut lot = Lot(count as u64);
    let line = |i: usize| {
        let name = person(&mut lot, single);
        let name = if lower { name.to_lowercase().replace("van ", "").replace('\'', "") } else { name };
        format!("2024-05-01 12:{:02}:{:02} INFO {}", i / 60 % 60, i % 60, kinds[i % 3].replace("{}", &name))
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    let mut found: Vec<String> = report(&lines).clusters.into_iter().map(|cluster| cluster.template).collect();
    found.sort();
    found
}

#[test]
fn names_of_persons_have_any_number_of_words() {
    for count in [300, 900, 2400] {
        let kinds = ["badge of {} expired", "employee {} checked in", "visitor {} signed the book"];
        assert_eq!(with_persons(kinds, count, false, false), kinds.map(|kind| kind.replace("{}", "<*>")), "{count}");
    }
}

#[test]
fn what_is_not_so_stays_apart_from_what_is_among_names_of_one_word_and_two() {
    let kinds = ["user {} logged in", "user {} logged out", "user {} not logged in"];
    for (count, lower) in [(300, false), (900, false), (2400, false), (300, true), (900, true), (2400, true)] {
        assert_eq!(with_persons(kinds, count, true, lower), kinds.map(|kind| kind.replace("{}", "<*>")), "{count}");
    }
}
