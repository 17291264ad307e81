use std::{
    fs,
    io::Read,
    os::{
        fd::OwnedFd,
        unix::{fs::symlink, net::UnixDatagram},
    },
    process::Command,
};

use e2e::{Answer, Api, Process, Service, logkin, logkin_balancer, run, sample_file};
use serde_json::Value;

/// A refusal a person can act on: the status, and words about `named`.
fn refused(answer: &Answer, status: u16, named: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.content_type.starts_with("application/problem+json"), "{}", answer.content_type);
    assert!(answer.body.contains(named), "{} does not say {named}", answer.body);
}

#[test]
fn an_empty_file_is_a_report_of_nothing() {
    let service = Service::serve().start();
    let api = service.api();
    let report = api.analyse("empty.log", b"");
    assert_eq!((&report["totals"]["lines"], &report["totals"]["clusters"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(api.clusters(report["id"].as_str().unwrap()), Vec::<Value>::new());
    let page = api.get(&format!("/reports/{}", report["id"].as_str().unwrap()));
    assert_eq!(page.status, 200);
}

#[test]
fn a_binary_file_is_counted_to_its_last_line() {
    let bytes: Vec<u8> = (0..400_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').count() as u64;
    let service = Service::serve().start();
    let api = service.api();
    let report = api.analyse("core.bin", &bytes);
    let clustered: u64 =
        api.clusters(report["id"].as_str().unwrap()).iter().map(|c| c["lines"].as_u64().unwrap()).sum();
    assert_eq!(report["totals"]["lines"], lines);
    assert_eq!(clustered + report["totals"]["set_aside"].as_u64().unwrap(), lines);
}

#[test]
fn a_hundred_megabytes_without_a_line_feed_are_one_line() {
    let service = Service::up(1).start();
    let api = service.api();
    let length = 100 << 20;
    let answer = api.try_upload("endless.log", std::io::repeat(b'x').take(length), length).unwrap();
    let report = api.finished(answer.json()["id"].as_str().unwrap());
    assert_eq!((&report["totals"]["lines"], &report["totals"]["bytes"]), (&Value::from(1), &Value::from(length)));
}

#[test]
fn a_truncated_gzip_gives_what_could_be_read_and_says_so() {
    let whole = fs::read(sample_file("nginx-access.log.1.gz").path).unwrap();
    let half = &whole[..whole.len() / 2];
    let service = Service::serve().start();
    let report = service.api().analyse("access.log.gz", half);
    let lines = report["totals"]["lines"].as_u64().unwrap();
    assert!((1..sample_file("nginx-access.log.1.gz").lines).contains(&lines), "{lines}");
    assert!(report.to_string().contains("gzip"), "nothing is said about the gzip: {report}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.gz");
    fs::write(&path, half).unwrap();
    let out = run(Command::new(logkin()).arg("cluster").arg(&path), b"");
    assert_eq!(out.code, Some(1), "done, with findings: {}", out.stderr);
    assert!(out.stderr.contains("half.gz") && !out.stdout.is_empty(), "{}", out.stderr);
}

#[test]
fn paths_lead_nowhere_outside_the_allowed_roots() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = outside.path().join("secret.log");
    fs::write(&secret, "do not show\n").unwrap();
    fs::write(inside.path().join("open.log"), "hello 1\n").unwrap();
    symlink(&secret, inside.path().join("link.log")).unwrap();
    symlink(outside.path(), inside.path().join("door")).unwrap();
    let service = Service::serve().root(inside.path()).start();
    let api = service.api();
    let name = |folder: &tempfile::TempDir| folder.path().file_name().unwrap().to_string_lossy().into_owned();
    let around = format!("{}/../{}/secret.log", inside.path().display(), name(&outside));
    let inner = |last: &str| inside.path().join(last).display().to_string();
    refused(&api.open_path(&around), 403, "..");
    let outside = [
        secret.display().to_string(),
        inner("link.log"),
        inner("door/secret.log"),
        "/etc/passwd".into(),
        "/proc/self/environ".into(),
    ];
    for path in outside {
        let answer = api.open_path(&path);
        refused(&answer, 403, "allow-root");
        assert!(!answer.body.contains("do not show"));
    }
    assert_eq!(api.open_path(&inner("open.log")).status, 202);
    refused(&api.open_path(&inner("missing.log")), 422, "missing.log");
}

#[test]
fn an_unknown_report_is_not_found_as_json_and_as_a_page() {
    let service = Service::up(1).start();
    let api = service.api();
    for path in ["/api/v1/reports/nope", "/api/v1/reports/nope/clusters", "/api/v1/reports/nope/clusters/x/lines"] {
        refused(&api.get(path), 404, "nope");
    }
    for path in ["/reports/nope", "/no/such/page"] {
        let page = api.get(path);
        assert_eq!((page.status, page.content_type.starts_with("text/html")), (404, true), "{path}: {}", page.body);
    }
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    for command in [["serve", "--listen", &address, "--data-dir"], ["up", "--listen", &address, "--data-dir"]] {
        let out = run(Command::new(logkin()).args(command).arg(folder.path()), b"");
        assert_eq!(out.code, Some(2), "{}", out.stderr);
        assert!(
            out.stderr.contains(&address) && out.stderr.contains("in use") && out.stderr.contains("--listen"),
            "{}",
            out.stderr
        );
    }
}

#[test]
fn a_ready_line_that_standard_output_does_not_take_ends_no_service() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    let unread = || std::io::pipe().unwrap().1.into();
    for command in [&["serve"][..], &["up", "--first-port", "0", "--instances", "1"]] {
        for stdout in [full(), unread()] {
            let folder = tempfile::tempdir().unwrap();
            let mut logkin = Command::new(logkin());
            logkin.args(command).args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
            let mut service = Process::start_with_output(&mut logkin, stdout);
            let said = service.line_after("logkin: ");
            assert!(said.contains("the standard output does not take that: "), "{said}");
            let url = said.split(' ').find(|word| word.starts_with("http://")).unwrap().trim_end_matches([';', '/']);
            assert_eq!(Api::new(url).get("/health/ready").status, 200, "{said}");
            assert!(service.stop().success(), "{}", service.output());
            assert_eq!(service.output().matches("standard output").count(), 1, "{}", service.output());
        }
    }
}

#[test]
fn what_a_program_says_of_its_end_comes_in_one_piece() {
    let commands =
        [(logkin(), &["cluster", "no-such-file"][..]), (logkin_balancer(), &["check", "--config", "no-such-file"])];
    for (program, arguments) in commands {
        // A packet for each write.
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let mut command = Command::new(&program);
        command.args(arguments).stderr(OwnedFd::from(theirs));
        assert_eq!(command.status().unwrap().code(), Some(2));
        let mut packet = [0; 1000];
        let bytes = ours.recv(&mut packet).unwrap();
        let said = String::from_utf8_lossy(&packet[..bytes]);
        assert!(said.contains("no-such-file") && said.ends_with('\n'), "{said:?}");
    }
}

#[test]
fn a_second_up_on_the_same_ports_says_so_and_leaves_the_first_alone() {
    let first = Service::up(2).start();
    let before = first.instances();
    let address = first.url().trim_start_matches("http://");
    let folder = tempfile::tempdir().unwrap();
    let out = run(
        Command::new(logkin()).args(["up", "--listen", address, "--first-port", "0", "--data-dir"]).arg(folder.path()),
        b"",
    );
    assert_eq!(out.code, Some(2), "{}", out.stderr);
    assert!(out.stderr.contains(address), "{}", out.stderr);
    assert_eq!(first.api().get("/health/ready").status, 200);
    assert_eq!(first.instances(), before);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken");
    fs::write(&file, "a file where a folder is expected").unwrap();
    for place in [file.clone(), file.join("below"), "/proc/logkin".into()] {
        for command in
            [["serve", "--listen", "127.0.0.1:0", "--data-dir"], ["up", "--listen", "127.0.0.1:0", "--data-dir"]]
        {
            let out = run(Command::new(logkin()).args(command).arg(&place), b"");
            assert_eq!(out.code, Some(2), "{}: {}", place.display(), out.stderr);
            assert!(out.stderr.contains(&place.display().to_string()), "{}", out.stderr);
        }
    }
}

#[test]
fn what_is_hostile_in_a_log_is_shown_and_never_run() {
    let service = Service::serve().start();
    let report = service
        .api()
        .analyse("evil.log", b"<script>alert(1)</script> user 17 \x1b[31mred\x1b[0m\n".repeat(3).as_slice());
    let page = service.api().get(&format!("/reports/{}", report["id"].as_str().unwrap()));
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<script>alert") && !page.body.contains('\u{1b}'), "{}", page.body);
}
