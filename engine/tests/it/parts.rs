use std::collections::HashMap;

use logkin_engine::{Settings, evaluate::label_lines};

use crate::harness::{Lot, reader, run_with};

const WORDS: [&str; 16] = [
    "alpha", "bravo", "carrot", "delta", "eagle", "ferry", "grape", "house", "igloo", "jolly", "kettle", "lemon",
    "mango", "nectar", "olive", "panda",
];
const SURNAMES: [&str; 12] = ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙"];
const GIVEN: [&str; 12] = ["伟", "芳", "娜", "敏", "静", "强", "磊", "洋", "艳", "勇", "霞", "平"];
const CITIES: [&str; 10] = ["東京", "大阪", "名古屋", "札幌", "福岡", "京都", "横浜", "神戸", "仙台", "広島"];

fn one<'a>(of: &[&'a str], lot: &mut Lot) -> &'a str {
    of[lot.below(of.len() as u64) as usize]
}

/// A value of a kind: `w` a word, `n` a number, `i` an address, `m` one of three modes, `z` a Chinese name, `c` a Japanese city, `l,` and the like a list.
fn value(kind: &str, lot: &mut Lot) -> String {
    match kind {
        "w" => one(&WORDS, lot).to_owned(),
        "n" => (1 + lot.below(9000)).to_string(),
        "m" => one(&["r", "w", "rw"], lot).to_owned(),
        "i" => format!("10.0.{}.{}", lot.below(9), 1 + lot.below(250)),
        "z" => one(&SURNAMES, lot).to_owned() + &(0..=lot.below(2)).map(|_| one(&GIVEN, lot)).collect::<String>(),
        "c" => one(&CITIES, lot).to_owned(),
        list => {
            let items: Vec<&str> = (0..=lot.below(15)).map(|_| one(&WORDS, lot)).collect();
            items.join(&list[1..])
        }
    }
}

/// A line of a template, whose parts in `⟨⟩` half of the lines have.
fn filled(template: &str, lot: &mut Lot) -> String {
    let mut line = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '⟨', '⟩']) {
        line += &rest[..at];
        let sign = rest[at..].chars().next().unwrap();
        rest = &rest[at + sign.len_utf8()..];
        match sign {
            '{' => {
                let (kind, behind) = rest.split_once('}').unwrap();
                line += &value(kind, lot);
                rest = behind;
            }
            '⟨' if lot.below(2) == 0 => rest = rest.split_once('⟩').unwrap().1,
            _ => {}
        }
    }
    line + rest
}

/// How many lines each cluster has, of `count` lines for each template.
fn sizes(templates: &[&str], count: usize) -> Vec<u64> {
    let mut lot = Lot(count as u64);
    let mut lines: Vec<String> =
        (0..count).flat_map(|_| templates).map(|template| filled(template, &mut lot) + "\n").collect();
    for i in (1..lines.len()).rev() {
        lines.swap(i, lot.below(i as u64 + 1) as usize);
    }
    let mut sizes: Vec<u64> = run_with(vec![reader(lines.concat())], &Settings::default())
        .report
        .clusters
        .iter()
        .map(|cluster| cluster.lines)
        .collect();
    sizes.sort_unstable();
    sizes
}

/// Fails with those of which the templates are not the clusters, whatever their number of lines.
fn assert_exact(sets: &[[&str; 3]], counts: &[usize]) {
    let each = |set: &[&str; 3]| counts.iter().map(|count| (*count, sizes(set, *count))).collect::<Vec<_>>();
    let wrong: String = sets
        .iter()
        .flat_map(|set| each(set).into_iter().map(move |(count, sizes)| (set, count, sizes)))
        .filter(|(_, count, sizes)| *sizes != vec![*count as u64; 3])
        .map(|(set, count, sizes)| format!("{set:?} of {count}: {sizes:?}\n"))
        .collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_part_that_may_be_left_out_makes_no_other_message() {
    let sets = [
        ["Session {n} was opened⟨ for user {w}⟩", "Session {n} was closed", "Login of {w} denied"],
        ["Sent report {n} upstream⟨ ({n} retries)⟩", "Report {n} is empty", "Upstream {i} is slow"],
        ["Mirror {w} synced⟨ (stale)⟩", "Mirror {w} removed", "Mirror list has {n} entries"],
        ["Connection from {i}⟨ port {n}⟩ closed", "Listening on port {n}", "Worker {n} exited"],
        ["Deploy finished env={w}⟨ region={w}⟩ took={n}", "Deploy started env={w}", "Rollback of {n} done"],
        ["Upload of {w} failed⟨, code {n}⟩", "Upload of {w} finished", "Quota is {n} bytes"],
        ["⟨{w}: ⟩battery charge reached {n} percent", "battery of {w} replaced", "charger unplugged"],
        ["request {n} failed⟨ after {n} tries⟩", "request {n} done⟨ in {n} ms⟩", "request {n} queued"],
        ["Retrying request⟨ {n}⟩ to {w}.example.com", "Gave up on {w}.example.com", "Resolver answered {n} queries"],
        ["cannot open /a/{w}⟨: permission denied⟩", "opened /a/{w}", "closed all files"],
        ["Closed file /a/{w}⟨ forcibly⟩", "Opened file /a/{w}⟨ with mode {m}⟩", "Rotated file /a/{w}⟨ again⟩"],
        ["Stored image {n}⟨ in read mode⟩", "Dropped image {n}⟨ silently⟩", "Image {n}⟨ of {w}⟩ is broken"],
    ];
    assert_exact(&sets, &[40, 300]);
}

#[test]
fn what_says_that_something_else_happened_stays_apart() {
    let sets = [
        ["connection from {i} closed", "connection from {i} refused", "connection from {i} not closed"],
        ["job {n} finished", "job {n} nearly finished", "job {n} failed to finish"],
        ["file /a/{w} opened", "file /a/{w} opened read only", "file /a/{w} could not be opened"],
        ["checking disk {w}", "checking disk {w} failed", "checking disk {w} done"],
        ["disk {w} mounted", "disk {w} mounted readonly", "disk {w} unmounted"],
        ["backup of {n} written", "backup of {n} written partially", "backup of {n} written with errors"],
        ["closed file {n}", "closed file {n} unexpectedly", "closed file {n} without flush"],
        ["access by uid={n} user= rhost={i}", "access by uid={n} user= rhost={i} name={w}", "session {n} closed"],
    ];
    assert_exact(&sets, &[40, 300]);
}

#[test]
fn one_and_several_of_a_thing_are_one_message() {
    let few = |lot: &mut Lot| 1 + lot.below(3);
    let mut lot = Lot(1);
    let lines: String = (0..90)
        .map(|i| {
            let (entries, files) = (few(&mut lot), few(&mut lot));
            let s = |count: u64, one: &'static str, several: &'static str| if count == 1 { one } else { several };
            match i % 3 {
                0 => format!("{entries} {} cleaned\n", s(entries, "entry was", "entries were")),
                1 => format!("moved {files} {} to {i}\n", s(files, "new file", "new files")),
                _ => format!("found {entries} {} in {i} ms\n", s(entries, "match", "matches")),
            }
        })
        .collect();
    let report = run_with(vec![reader(&lines)], &Settings::default()).report;
    let mut templates: Vec<&str> = report.clusters.iter().map(|cluster| cluster.template.as_str()).collect();
    templates.sort_unstable();
    assert_eq!(templates, ["<*> entr<*> <*> cleaned", "found <*> match<*> in <*> ms", "moved <*> new file<*> to <*>"]);
}

#[test]
fn lists_of_one_item_and_of_many_are_one_message() {
    let sets = |list: &str| {
        [
            format!("sync {list}"),
            format!("{list} are unreachable"),
            "copied {n} files".to_owned(),
            list.to_owned(),
            "idle since {n} s".to_owned(),
            "stopped after {n} requests".to_owned(),
        ]
    };
    for separator in [" ", ", ", ",", "; ", " and "] {
        let set = sets(&format!("{{l{separator}}}"));
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let alone: &[[&str; 3]] = if separator == " and " { &[] } else { &[[set[3], set[4], set[5]]] };
        assert_exact(&[&[[set[0], set[1], set[2]]], alone].concat(), &[300]);
    }
}

#[test]
fn names_that_end_as_plurals_do_are_items_behind_a_number_and_a_verb() {
    const NAMES: [&str; 9] = ["anna", "hans", "ines", "james", "lucas", "mia", "paul", "rita", "thomas"];
    let line = |lot: &mut Lot| {
        let names: Vec<&str> = (0..=lot.below(15)).map(|_| one(&NAMES, lot)).collect();
        format!(
            "Members of group {} are {}\nRebalance finished in {} s\n",
            lot.below(9),
            names.join(" "),
            lot.below(99)
        )
    };
    for count in [30, 300] {
        let mut lot = Lot(count);
        let lines: String = (0..count).map(|_| line(&mut lot)).collect();
        let report = run_with(vec![reader(&lines)], &Settings::default()).report;
        assert_eq!(report.clusters.iter().map(|cluster| cluster.lines).collect::<Vec<_>>(), [count, count]);
    }
}

#[test]
fn a_front_that_some_lines_have_makes_no_two_messages_one_however_few_lines_there_are() {
    let fronts = ["*{n} ", "({w}) ", "[{w}] ", "[{n}] ", "({n}) ", "{w}: ", "{w} | ", "{n} ", "<{w}> {n} ", "#{n}: "];
    let sets: [&[&str]; 3] = [
        &[
            "Service started",
            "Service stopped",
            "Query finished in {n} ms, {n} rows",
            "Worker {n} is ready",
            "Connection to {i} lost, retrying in {n}s",
            "Cache miss for key session:{n}",
            "Wrote /var/data/{n}.dat ({n} KB)",
        ],
        &[
            "reload complete",
            "accepted peer {i}",
            "dropped peer {i}",
            "queue is empty",
            "flushed {n} pages to disk",
            "disk is almost full",
            "job {n} done",
        ],
        &[
            "leader elected",
            "leader lost",
            "node joined ring",
            "node left ring",
            "ring is stable",
            "snapshot written to disk",
            "snapshot read from disk",
            "disk scrub started",
            "disk scrub finished",
        ],
    ];
    for case in 0..fronts.len() * 24 {
        let (front, before, seed) = (fronts[case / 24], ["", "web-1 | "][case % 2], case % 24 / 2);
        let (messages, mut lot) = (sets[seed % sets.len()], Lot(seed as u64));
        let of: Vec<&str> = (0..8 + 9 * seed).map(|_| one(messages, &mut lot)).collect();
        let front = format!("{before}⟨{front}⟩");
        let lines: Vec<String> = of.iter().map(|message| filled(&(front.clone() + message), &mut lot)).collect();
        let labels = label_lines(lines.iter().map(String::as_bytes), 4_102_444_800, 0.5);
        let mut says: HashMap<usize, &str> = HashMap::new();
        for (line, (cluster, message)) in labels.clusters.iter().zip(&of).enumerate() {
            let first = says.entry(*cluster).or_insert(message);
            let template = labels.templates[*cluster].typed();
            assert_eq!(first, message, "{template} in line {line} of\n{}", lines.join("\n"));
        }
    }
}

#[test]
fn flags_in_any_order_are_one_message() {
    let line = |lot: &mut Lot| {
        let flags: Vec<String> =
            (0..=lot.below(12)).map(|_| format!("--{}={}", one(&WORDS, lot), one(&WORDS, lot))).collect();
        format!("exec {}\nkilled process {}\n", flags.join(" "), lot.below(9000))
    };
    let mut lot = Lot(1);
    let lines: String = (0..200).map(|_| line(&mut lot)).collect();
    let report = run_with(vec![reader(&lines)], &Settings::default()).report;
    assert_eq!(report.clusters.iter().map(|cluster| cluster.lines).collect::<Vec<_>>(), [200, 200]);
}

#[test]
fn two_characters_beside_names_tell_chinese_messages_apart() {
    let sets = [
        ["{z}退出", "{z}登录", "{z}注册"],
        ["{z}再次登录成功", "{z}登录成功", "{z}登录失败{n}次"],
        ["{z}未登录", "{z}已登录", "{z}登录超时"],
        ["欢迎{z}", "再见{z}", "余额{n}元"],
    ];
    assert_exact(&sets, &[60, 300]);
}

#[test]
fn few_lines_are_enough_for_places_in_japanese_sentences() {
    let sets = [["{c}行きの列車は{n}分遅れています", "{c}の気温は{n}度になりました", "在庫が{n}個を下回りました"]];
    assert_exact(&sets, &[20, 100]);
}

#[test]
fn what_stands_before_all_messages_leaves_them_apart() {
    let messages = [
        "Connection to {i} lost",
        "Connection to {i} refused",
        "Session {w} opened for {w}",
        "Session {w} closed for {w}",
        "Job {w} queued",
        "Job {w} cancelled by {w}",
        "Mounting volume {w}",
        "Volume {w} mounted",
        "Volume {w} unmounted",
        "Cannot mount volume {w}",
        "Plugin {w} loaded",
        "Index {w} is read-only",
        "Topic {w} deleted",
        "Shard {w} relocated to {i}",
    ];
    for before in ["", "cluster manager ", "cluster manager: ", "[cluster manager] ", "On node main, ", "app=x node=5 "]
    {
        let introduced = messages.map(|message| format!("{before}{message}"));
        let found = sizes(&introduced.each_ref().map(String::as_str), 40);
        assert_eq!(found, [40; 14], "behind {before:?}");
    }
}

#[test]
fn whole_messages_behind_the_name_of_a_service_are_no_reasons() {
    let messages = [
        "starting up",
        "shutdown requested",
        "database connection established",
        "cache warmed",
        "all connections closed",
        "draining connections",
        "running migrations",
        "migrations finished",
        "scheduler enabled",
        "worker pool created",
        "bye",
        "configuration reloaded",
    ];
    for services in [&["order"][..], &["order", "user", "mail"], &["order", "user", "mail", "auth", "stock", "search"]]
    {
        let lines = services.iter().flat_map(|service| messages.map(|message| format!("{service} service: {message}")));
        let lines: Vec<String> = lines.collect();
        let found = sizes(&lines.iter().map(String::as_str).collect::<Vec<_>>(), 6);
        assert_eq!(found, vec![6; lines.len()], "{services:?}");
    }
}

#[test]
fn reasons_of_failures_are_values() {
    let reasons = [
        "permission denied",
        "no such file or directory",
        "connection refused",
        "disk full",
        "quota exceeded",
        "out of memory",
        "invalid argument",
        "interrupted by user",
        "bad checksum",
        "broken pipe",
        "host is down",
        "network unreachable",
    ];
    let lines = reasons.map(|reason| format!("Job {{n}} failed: {reason}"));
    assert_eq!(sizes(&lines.each_ref().map(String::as_str), 20), [240]);
}

#[test]
fn codes_in_capitals_are_values_and_states_are_none() {
    let codes = |count: usize| -> Vec<String> {
        let letters = |i: usize| -> String {
            (0..4 + i % 5).map(|k| char::from(b'A' + ((i * 7 + k * 11 + i * k) % 26) as u8)).collect()
        };
        (0..count).map(|i| format!("Order {i} shipped with voucher {}\n", letters(i))).collect()
    };
    for count in [6, 12, 40] {
        let report = run_with(vec![reader(codes(count).concat())], &Settings::default()).report;
        assert_eq!(report.clusters.len(), 1, "{count} codes");
    }
    let states = ["RUNNING", "STOPPED", "FAILED", "PAUSED"];
    let lines: String = (0..400).map(|i| format!("Machine {i} is now {}\n", states[i % 4])).collect();
    assert_eq!(run_with(vec![reader(lines)], &Settings::default()).report.clusters.len(), 4);
}

#[test]
fn names_of_several_words_are_values_where_names_of_one_are() {
    let cities = ["Berlin", "Paris", "Oslo", "Madrid", "Rome", "Vienna", "New York", "Los Angeles"];
    let lines: String = (0..800).map(|i| format!("Weather updated for {}\n", cities[i % 8])).collect();
    let report = run_with(vec![reader(lines + "Weather feed is down\n")], &Settings::default()).report;
    assert_eq!(report.clusters.iter().map(|cluster| cluster.lines).collect::<Vec<_>>(), [800, 1]);
}

#[test]
fn dumps_of_bytes_are_one_variable_of_any_length_and_what_is_done_to_them_stays() {
    for (before, sign) in [(["recv: ", "send: "], " "), (["rx ", "tx "], ":"), (["Frame in: ", "Frame out: "], "-")] {
        let mut lot = Lot(16);
        let mut dump =
            || (0..4 + lot.below(13)).map(|_| format!("{:02x}", lot.below(256))).collect::<Vec<_>>().join(sign);
        for count in [20, 150] {
            let lines: String =
                (0..2 * count).map(|i| format!("2026-03-01T08:00:00Z INFO {}{}\n", before[i % 2], dump())).collect();
            let report = run_with(vec![reader(lines)], &Settings::default()).report;
            let found: Vec<u64> = report.clusters.iter().map(|cluster| cluster.lines).collect();
            assert_eq!(found, [count as u64; 2], "{before:?} {:?}", report.clusters[0].template);
        }
    }
}

/// What a small log says of a few dozen things that all have names: each kind in a handful of lines, with other names.
const SMALL: [&str; 16] = [
    "mail sent to {u}",
    "password changed for {u}",
    "account {u} locked",
    "account {u} unlocked",
    "profile of {u} updated",
    "cart of {u} abandoned",
    "cart of {u} restored",
    "token for {u} issued",
    "token for {u} expired",
    "role admin granted to {u}",
    "role admin revoked from {u}",
    "lock {n} acquired by {u}",
    "lock {n} released by {u}",
    "VM started",
    "VM stopped",
    "job {n} succeeded",
];

#[test]
fn names_that_stand_for_each_other_in_several_messages_are_values_in_few_lines() {
    let users = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
    for lines in [4, 5, 6] {
        let mut lot = Lot(lines);
        let text: String = (0..lines)
            .flat_map(|_| SMALL)
            .map(|said| {
                let said = said.replace("{u}", one(&users, &mut lot)).replace("{n}", &lot.below(900).to_string());
                format!("2026-05-01T10:00:00Z INFO {said}\n")
            })
            .collect();
        let report = run_with(vec![reader(text)], &Settings::default()).report;
        let found: Vec<(u64, &str)> = report.clusters.iter().map(|c| (c.events, c.template.as_str())).collect();
        assert!((16..=24).contains(&found.len()), "{found:#?}");
    }
}

#[test]
fn what_is_done_and_how_things_stand_is_not_exchanged_in_few_lines() {
    let said = [
        ("failed to {} file", ["open", "read", "write", "close", "delete"]),
        ("failed to {} socket", ["open", "read", "write", "close", "bind"]),
        ("link eth is {}", ["up", "down", "slow", "bad", "ok"]),
        ("disk sda is {}", ["full", "bad", "slow", "ok", "gone"]),
        ("service {} on main host", ["started", "stopped", "paused", "resumed", "crashed"]),
        ("worker {} on main host", ["started", "stopped", "paused", "resumed", "killed"]),
        ("client will {} at once", ["connect", "retry", "stop", "wait", "read"]),
        ("server will {} at once", ["connect", "retry", "stop", "wait", "write"]),
    ];
    let three = |words: [&'static str; 5]| words.into_iter().take(3);
    let lines = || said.into_iter().flat_map(|(said, words)| three(words).map(move |word| said.replace("{}", word)));
    let text: String = lines().chain(lines()).map(|line| line + "\n").collect();
    let report = run_with(vec![reader(text)], &Settings::default()).report;
    let found: Vec<&str> = report.clusters.iter().map(|cluster| cluster.template.as_str()).collect();
    assert_eq!(found.len(), lines().count(), "{found:#?}");
}

#[test]
fn names_of_persons_before_what_they_did_are_values() {
    let first = ["Ann", "Bob", "Carl", "Dora", "Emil", "Fay", "Gus", "Hana"];
    let last = ["Lee", "Ray", "Stone", "Hill", "Woods", "Park", "King", "Long"];
    for count in [40, 100, 1000] {
        let mut lot = Lot(count);
        let mut name = || format!("{} {}", one(&first, &mut lot), one(&last, &mut lot));
        let lines: String = (0..count)
            .map(|i| format!("{} joined the room\n{} left the room\nroom {i} is empty\n", name(), name()))
            .collect();
        let report = run_with(vec![reader(lines)], &Settings::default()).report;
        let found: Vec<(u64, &str)> = report.clusters.iter().map(|c| (c.events, c.template.as_str())).collect();
        assert_eq!(found.iter().map(|(events, _)| *events).collect::<Vec<_>>(), [count; 3], "{found:#?}");
    }
    let kinds = ["Volume", "Index", "Topic", "Shard", "Plugin", "Queue"];
    let things =
        ["Alpha", "Bravo", "Carrot", "Delta", "Eagle", "Ferry", "Grape", "House", "Igloo", "Jolly", "Kettle", "Lemon"];
    let line = |i: usize| format!("{} {} was deleted\n", kinds[i % 6], things[i % 12]);
    let report = run_with(vec![reader((0..600).map(line).collect::<String>())], &Settings::default()).report;
    assert!(report.clusters.len() >= kinds.len(), "{} clusters", report.clusters.len());
}
