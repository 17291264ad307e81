//! Events of many lines in files of many chunks: where a chunk ends decides nothing.

use logkin_engine::Settings;

use crate::harness::{in_object, reader, run, run_with};

/// Which lines of a log have headers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Headers {
    None,
    First,
    FirstUndated,
    Each,
    Names,
    /// In objects, as Docker writes lines.
    Objects,
    /// Each in a colour.
    Colours,
}

impl Headers {
    /// A line without a header, as it stands in such a log.
    fn written(self, line: &str, time: &str) -> String {
        match self {
            _ if line.is_empty() => "\n".to_owned(),
            Self::Each => format!("{time}host shop[7]: {line}\n"),
            Self::Names => format!("shop-7  | {line}\n"),
            Self::Objects => in_object(&format!("{line}\n")),
            Self::Colours => format!("\x1b[31m{line}\x1b[0m\n"),
            Self::None | Self::First | Self::FirstUndated => format!("{line}\n"),
        }
    }
}

const ALL_HEADERS: [Headers; 7] = [
    Headers::None,
    Headers::First,
    Headers::FirstUndated,
    Headers::Each,
    Headers::Names,
    Headers::Objects,
    Headers::Colours,
];

/// A trace of a few sorts, and how many lines that are not blank it has: by its number, which it tells.
fn event(n: usize, headers: Headers) -> (String, u64) {
    let header = format!("2026-05-01 10:{:02}:{:02} ", n / 60 % 60, n % 60);
    if !matches!(headers, Headers::None | Headers::First | Headers::FirstUndated) {
        let (text, lines) = event(n, Headers::None);
        return (text.lines().map(|line| headers.written(line, &header)).collect(), lines);
    }
    let header = match headers {
        Headers::First => header,
        Headers::FirstUndated => header["2026-05-01 ".len()..].to_owned(),
        _ => String::new(),
    };
    let mut text = match n % 5 {
        0 => format!("{header}ERROR order {n} failed\njava.lang.IllegalStateException: order {n}\n"),
        1 => format!("{header}ERROR order {n} failed\nTraceback (most recent call last):\n"),
        2 => return (format!("{header}INFO order {n} packed\n"), 1),
        3 => return (format!("{header}INFO connection {n} closed\n\n"), 1),
        _ => format!("{header}ERROR order {n} failed\njava.lang.RuntimeException: in {n}\n"),
    };
    let frames = n % 37;
    for at in 0..=frames {
        match n % 5 {
            1 => text.push_str(&format!("  File \"/srv/demo/a.py\", line {n}, in f{}\n    run({at})\n", at % 3)),
            _ => text.push_str(&format!("\tat demo.shop.Shop.f{}(Shop.java:{n})\n", at % 3)),
        }
    }
    if n % 5 == 1 {
        text.push_str(&format!(
            "KeyError: {n}\n\nDuring handling of the above exception, another exception occurred:\n\n"
        ));
        text.push_str("Traceback (most recent call last):\n  File \"/srv/demo/a.py\", line 7, in g\nValueError\n");
    }
    let lines = text.lines().filter(|line| !line.is_empty()).count() as u64;
    (text, lines)
}

#[test]
fn no_event_is_torn_where_chunks_end_on_any_number_of_threads() {
    for headers in ALL_HEADERS {
        let events: Vec<(String, u64)> = (0..20_000).map(|n| event(n, headers)).collect();
        let text: String = events.iter().map(|(text, _)| text.as_str()).collect();
        assert!(text.len() > 5 << 20);
        let one = run_with(vec![reader(&text)], &Settings { threads: Some(1), ..Settings::default() });
        assert_eq!(one.report.totals.events, events.len() as u64, "{headers:?}");
        assert_eq!(one.report.totals.set_aside, text.lines().filter(|line| line.is_empty()).count() as u64);
        let more = run_with(vec![reader(&text)], &Settings { threads: Some(5), ..Settings::default() });
        assert!(one == more);
    }
}

/// The text of a trace, by its number.
type Trace = fn(usize) -> String;

/// What programs in a few languages write of an error, without headers: more or fewer lines by the number.
const LANGUAGES: [(&str, Trace); 8] = [
    ("Java", |n| {
        let frames = "\tat demo.shop.Shop.sell(Shop.java:1)\n".repeat(1 + n % 29);
        format!(
            "java.lang.IllegalStateException: order {n}\n{frames}Caused by: java.io.IOException: disk {n}\n{frames}\t... 3 more\n"
        )
    }),
    ("Python", |n| {
        let frames = "  File \"/srv/demo/a.py\", line 1, in f\n    run()\n".repeat(1 + n % 23);
        let trace = |error| format!("Traceback (most recent call last):\n{frames}{error}\n");
        let chain = "During handling of the above exception, another exception occurred:";
        format!("{}\n{chain}\n\n{}", trace("KeyError: 'a'\nwhich has\n  three lines"), trace("demo.Wrong: this"))
    }),
    ("Go", |n| {
        let frames = "main.(*Store).pick(0xc000012345, 0x5)\n\t/srv/demo/store.go:31 +0x1d\n".repeat(1 + n % 41);
        let rest = "goroutine 34 [chan receive]:\nmain.(*Pool).wait(...)\n\t/srv/demo/pool.go:8\ncreated by main.main in goroutine 1\n\t/srv/demo/main.go:9 +0x44\n";
        let first = if n % 3 == 0 { "panic: shelf 3 [recovered]\n\t" } else { "" };
        format!(
            "{first}panic: order {n}\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 1 [running]:\n{frames}\n{rest}exit status 2\n"
        )
    }),
    ("Rust", |n| {
        let frame = |at| format!("  {at:2}: demo::shop::sell\n             at /srv/demo/shop.rs:{at}:9\n");
        let frames: String = (0..n % 31).map(frame).collect();
        format!(
            "thread 'main' panicked at src/main.rs:1:2:\norder {n}\nof two lines\nstack backtrace:\n{frames}note: run with more\n"
        )
    }),
    ("Node", |n| {
        let frames = "    at sell (/srv/demo/shop.js:1:2)\n".repeat(1 + n % 33);
        format!(
            "/srv/demo/shop.js:{n}\n    throw new Error('x');\n    ^\n\nError: order {n}\n{frames}\nNode.js v22.1.0\n"
        )
    }),
    (".NET", |n| {
        let frames = "   at Demo.Orders.Check(Order order) in /src/Demo/Orders.cs:line 41\n".repeat(1 + n % 27);
        let end = "--- End of stack trace from previous location ---\n";
        format!("System.InvalidOperationException: Order {n}\n ---> System.IO.IOException: full\n{frames}{end}{frames}")
    }),
    ("Ruby", |n| {
        let frames = "\tfrom /srv/demo/order.rb:31:in 'sell'\n".repeat(1 + n % 35);
        format!("/srv/demo/order.rb:12:in 'label': order {n} (NoMethodError)\n{frames}")
    }),
    ("PHP", |n| {
        let frame = |at| format!("#{at} /srv/demo/cart.php({n}): Cart->sell(Array)\n");
        let frames: String = (0..n % 25).map(frame).collect();
        format!(
            "PHP Fatal error:  Uncaught DomainException: cart {n} in /srv/demo/cart.php:31\nStack trace:\n{frames}#{} {{main}}\n  thrown in /srv/demo/cart.php on line 31\n",
            n % 25
        )
    }),
];

/// A log of these traces, with other lines between: one before each, of which it may be, and two behind.
fn log(trace: Trace, headers: Headers, events: std::ops::Range<usize>) -> String {
    let said = |n| {
        [format!("ERROR order {n} failed\n"), trace(n), format!("INFO order {n} packed\nINFO connection {n} closed\n")]
    };
    let headed = |n: usize, at: usize, line: &str| {
        let time = format!("2026-05-01 10:{:02}:{:02} ", n / 60 % 60, n % 60);
        let is_first = at != 1 && !line.is_empty();
        match headers {
            Headers::First if is_first => format!("{time}{line}\n"),
            Headers::FirstUndated if is_first => format!("{}{line}\n", &time["2026-05-01 ".len()..]),
            _ => headers.written(line, &time),
        }
    };
    let parts = |n| said(n).into_iter().enumerate().map(move |(at, part)| (n, at, part));
    let lines =
        |(n, at, part): (usize, usize, String)| -> String { part.lines().map(|line| headed(n, at, line)).collect() };
    events.flat_map(parts).map(lines).collect()
}

#[test]
fn a_trace_of_any_language_is_as_many_events_in_a_large_file_as_in_a_small_one() {
    let mut wrong = Vec::new();
    for (language, trace) in LANGUAGES {
        for headers in ALL_HEADERS {
            let events = |n, threads| {
                let settings = Settings { threads: Some(threads), ..Settings::default() };
                run_with(vec![reader(log(trace, headers, 0..n))], &settings).report.totals.events
            };
            let small = events(60, 1);
            let large = events(1800, 5);
            if large != small * 30 || small % 60 != 0 {
                wrong.push(format!("{language} {headers:?}: {small} of 60, {large} of 1800"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_line_format_that_is_given_has_the_name_in_it_wherever_an_input_is_cut() {
    let trace = "Traceback (most recent call last):\n  File \"/srv/a.py\", line 1, in f\nKeyError: 1\n";
    let text: String = (0..9000)
        .flat_map(|_| ["job failed\n", trace])
        .flat_map(str::lines)
        .map(|line| format!("shop-1  | {line}\n"))
        .collect();
    let events = |format: &str| {
        let settings = Settings { line_format: format.parse().unwrap(), ..Settings::default() };
        run_with(vec![reader(&text)], &settings).report.totals.events
    };
    assert!(text.len() > 1 << 20);
    assert_eq!(events("auto"), 18_000);
    assert_eq!(events("plain"), 36_000);
    assert_eq!(events("{component} | {message}"), 18_000);
}

#[test]
fn the_lines_of_an_event_are_of_its_cluster_and_found_again() {
    let events: Vec<(String, u64)> = (0..3000).map(|n| event(n, Headers::First)).collect();
    let text: String = events.iter().map(|(text, _)| text.as_str()).collect();
    let run = run(&text);
    let mut recording = run.recording();
    let labels: Vec<Option<u64>> = recording.labels().map(|label| label.unwrap().1).collect();
    let mut at = 0;
    for (text, lines) in &events {
        let mut of_event = labels[at..].iter().zip(text.lines());
        let shapes: Vec<u64> = of_event.by_ref().take(text.lines().count()).filter_map(|(shape, _)| *shape).collect();
        assert_eq!(shapes.len() as u64, *lines);
        assert!(shapes.windows(2).all(|two| two[0] == two[1]), "{text}");
        at += text.lines().count();
    }
    for cluster in &run.report.clusters {
        assert_eq!(recording.lines(&cluster.shapes, 0, usize::MAX).unwrap().len() as u64, cluster.lines);
    }
}

#[test]
fn a_dump_without_end_is_one_event_in_each_chunk_at_most() {
    let dump = "\tat demo.shop.Shop.f(Shop.java:1)\n".repeat(200_000);
    let report = run(format!("2026-05-01 10:00:00 ERROR failed\n{dump}2026-05-01 10:00:01 INFO ended\n")).report;
    assert_eq!(report.totals.lines, 200_002);
    let chunks = dump.len() as u64 / (200_000 * 33 / (200_000 / (16 << 10))) + 2;
    assert!(report.totals.events <= 2 + chunks, "{} events", report.totals.events);
}

/// What a program writes of an error that says this, is of that name, and was found in that function.
type Said = fn(&str, &str, &str) -> String;

/// The languages with the names of two exceptions each; where there are none, with what the language says of two panics.
const EXCEPTIONS: [(&str, [&str; 2], Said); 9] = [
    ("Java", ["java.lang.IllegalStateException", "java.io.IOException"], |said, name, called| {
        format!("{name}: {said}\n\tat a.b.C.{called}(E.java:10)\n\tat a.b.C.main(E.java:20)\n")
    }),
    ("Java, a cause", ["java.lang.IllegalStateException", "java.io.IOException"], |said, name, called| {
        format!(
            "java.lang.Error: {said}\n\tat a.b.D.d(E.java:10)\nCaused by: {name}: {said} too\n\tat a.b.C.{called}(E.java:10)\n\t... 3 more\n"
        )
    }),
    ("Python", ["ValueError", "demo.Wrong"], |said, name, called| {
        format!(
            "Traceback (most recent call last):\n  File \"/srv/a.py\", line 1, in {called}\n    run()\n{name}: {said}\n"
        )
    }),
    ("Go", ["", "close of closed channel: "], |said, name, called| {
        format!(
            "panic: {name}{said}\n\ngoroutine 1 [running]:\nmain.{called}(0xc000012345, 0x5)\n\t/srv/a.go:31 +0x1d\nexit status 2\n"
        )
    }),
    ("Rust", ["", "index out of bounds: "], |said, name, called| {
        format!(
            "thread 'main' panicked at src/main.rs:1:2:\n{name}{said}\nstack backtrace:\n   0: demo::{called}\n             at ./src/main.rs:1:2\n"
        )
    }),
    (".NET", ["System.InvalidOperationException", "System.IO.IOException"], |said, name, called| {
        format!(
            "Unhandled exception. {name}: {said}\n   at Demo.Orders.{called}(Order order) in /src/Orders.cs:line 41\n"
        )
    }),
    ("Node", ["TypeError", "RangeError"], |said, name, called| {
        format!("{name}: {said}\n    at {called} (/srv/shop.js:1:2)\n    at Shop.main (/srv/shop.js:3:4)\n")
    }),
    ("Ruby", ["ArgumentError", "KeyError"], |said, name, called| {
        format!("/srv/a.rb:12:in '{called}': {said} ({name})\n\tfrom /srv/a.rb:31:in 'main'\n")
    }),
    ("PHP", ["DomainException", "LogicException"], |said, name, called| {
        format!(
            "PHP Fatal error:  Uncaught {name}: {said} in /srv/a.php:31\nStack trace:\n#0 /srv/a.php(1): Cart->{called}(Array)\n#1 {{main}}\n  thrown in /srv/a.php on line 31\n"
        )
    }),
];

#[test]
fn traces_of_one_exception_and_the_same_frames_are_one_cluster_whatever_they_say() {
    let all: [&[&str]; 4] = [
        &["value was 5 in cache", "value was 5 in cache"],
        &["value was 5 in cache", "value was 6789 in cache"],
        &["Something bad happened", "value was 5 in cache"],
        &["Something bad happened", "value was 5 in cache", "empty", "it has (no) lines: cannot go on"],
    ];
    let mut wrong = Vec::new();
    for (language, names, text) in EXCEPTIONS {
        for said in all {
            let kinds = [(names[0], "sell"), (names[0], "buy"), (names[1], "sell")];
            let events: String =
                said.iter().flat_map(|said| kinds.map(|(name, called)| text(said, name, called))).collect();
            let clusters = run(&events).report.clusters;
            let found: Vec<(u64, &str)> = clusters.iter().map(|c| (c.events, c.template.as_str())).collect();
            if found.iter().map(|(events, _)| *events).collect::<Vec<_>>() != [said.len() as u64; 3] {
                wrong.push(format!("{language} {said:?}: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Templates of a log in which each trace stands behind a line that says what failed.
fn behind(heads: &[&str]) -> Vec<String> {
    let (_, names, text) = EXCEPTIONS[0];
    let event = |head: &&str| format!("2026-05-01 10:00:00 ERROR {head}\n{}", text("disk full", names[0], "sell"));
    let events: String = heads.iter().map(event).collect();
    run(&events).report.clusters.into_iter().map(|cluster| cluster.template).collect()
}

#[test]
fn lines_before_a_trace_that_differ_in_a_word_are_one_message_and_states_are_none() {
    let trace = "java.lang.IllegalStateException: disk full ⏎ at a.b.C.sell(E.java:<*>) ⏎ at a.b.C.main(E.java:<*>)";
    for said in ["<*> could not be served", "Job <*> has ended badly", "cannot load order of <*>"] {
        let heads = ["alice", "bob"].map(|name| said.replace("<*>", name));
        assert_eq!(behind(&heads.each_ref().map(String::as_str)), [format!("{said} ⏎ {trace}")]);
    }
    assert_eq!(behind(&["VM started with problems", "VM stopped with problems"]).len(), 2);
}

#[test]
fn what_an_exception_says_tells_it_from_others_where_there_are_no_frames() {
    let event = |said: &str| format!("2026-05-01 10:00:00 ERROR job failed\njava.io.IOException: {said}\n");
    let events = [event("disk full"), event("connection reset by peer")].concat().repeat(3);
    assert_eq!(run(&events).report.clusters.len(), 2);
}
