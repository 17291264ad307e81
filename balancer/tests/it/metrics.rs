use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    process::Command,
};

use crate::{
    harness::{Balancer, Connection, eventually, read_body},
    tls::clients::{run, text},
    upstream::{Upstream, answer, nobody},
};

/// A balancer that tells its numbers, and where.
fn metered(servers: &[String], pool: &str) -> (Balancer, SocketAddr) {
    let servers: String = servers.iter().map(|server| format!("[[pool.server]]\n{server}\n")).collect();
    let head = "worker_threads = 2\nmetrics_listen = \"127.0.0.1:0\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{head}[pool]\n{pool}\n{servers}")).unwrap();
    let balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let address = address(&balancer);
    (balancer, address)
}

/// Where it tells its numbers.
pub(crate) fn address(balancer: &Balancer) -> SocketAddr {
    let said = balancer.log();
    let address = said.split_once("the metrics are at http://").and_then(|(_, rest)| rest.split_once("/metrics"));
    address.unwrap().0.parse().unwrap()
}

fn at(address: SocketAddr) -> String {
    format!("address = \"{address}\"")
}

pub(crate) fn page(address: SocketAddr) -> String {
    let answer = Connection::to(address).get("/metrics");
    assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    answer.text().to_owned()
}

/// The value of a sample, as it is written.
pub(crate) fn value<'a>(page: &'a str, sample: &str) -> Option<&'a str> {
    page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
}

/// Waits until the samples have these values: a request is counted a moment after its answer has gone out.
#[track_caller]
fn becomes(address: SocketAddr, samples: &[(String, &str)]) {
    eventually("everything is counted", || {
        let page = page(address);
        samples.iter().all(|(sample, expected)| value(&page, sample) == Some(*expected)).then_some(())
    });
}

#[test]
fn readers_that_say_nothing_take_few_descriptors_and_are_closed() {
    let upstream = Upstream::saying("hi");
    let backend = upstream.address.to_string();
    let flags = ["--threads", "1", "--backend", &backend, "--metrics-listen", "127.0.0.1:0"];
    let balancer = Balancer::with_descriptors(64, &flags);
    let metrics = address(&balancer);
    let mut reader = Connection::to(metrics);
    assert_eq!(reader.get("/metrics").status, 200);
    let open = || std::fs::read_dir(format!("/proc/{}/fd", balancer.pid().as_raw_nonzero())).unwrap().count();
    let before = open();
    let readers: Vec<Connection> = (0..80).map(|_| Connection::to(metrics)).collect();
    eventually("they come in", || (open() > before).then_some(()));
    let clients: Vec<Connection> = (0..30).map(|_| balancer.connect()).collect();
    assert!((0..10).all(|_| balancer.get("/").status == 200), "{}", balancer.log());
    assert!(open() <= before + 3 + 32 + 1, "{} and {before} before", open());
    assert!(reader.is_closed(), "it has read, and says nothing more");
    drop((readers, clients));
    assert_eq!(Connection::to(metrics).get("/metrics").status, 200);
}

#[test]
fn old_clients_read_the_metrics_too() {
    let (_balancer, metrics) = metered(&[at(nobody())], "");
    let mut client = Connection::to(metrics);
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("transfer-encoding")), (200, None));
    assert_eq!(answer.field("content-length"), Some(&*answer.body.len().to_string()));
    assert!(answer.text().contains("logkin_balancer_client_connections") && client.is_closed());
}

#[test]
fn requests_are_counted_by_pool_and_backend() {
    let upstream = Upstream::scripted(|head, peer| {
        drop(crate::harness::read_body(peer, head, false));
        if head.starts_with("GET /no ") {
            use std::io::Write;
            return peer.get_mut().write_all(b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno").is_ok();
        }
        answer(peer, b"hello")
    });
    let (balancer, metrics) = metered(&[at(upstream.address)], "");
    for path in ["/", "/", "/no"] {
        balancer.get(path);
    }
    balancer.connect().post("/", b"body");
    let mut client = balancer.connect();
    client.send("GET / HTTP/9\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    let backend = format!("pool=\"default\",backend=\"{}\"", upstream.address);
    let of = |name: &str, more: &str| format!("logkin_balancer_{name}{{{backend}{more}}}");
    becomes(
        metrics,
        &[
            ("logkin_balancer_requests_total{pool=\"default\",class=\"2xx\"}".to_owned(), "3"),
            ("logkin_balancer_requests_total{pool=\"default\",class=\"4xx\"}".to_owned(), "1"),
            ("logkin_balancer_requests_total{pool=\"\",class=\"4xx\"}".to_owned(), "1"),
            ("logkin_balancer_failures_total{kind=\"bad_request\"}".to_owned(), "1"),
            (of("backend_responses_total", ",class=\"2xx\""), "3"),
            (of("backend_responses_total", ",class=\"4xx\""), "1"),
            (of("backend_sent_bytes_total", ""), "4"),
            (of("backend_received_bytes_total", ""), "17"),
            (of("backend_first_byte_seconds_count", ""), "4"),
            (of("backend_request_seconds_bucket", ",le=\"+Inf\""), "4"),
            (of("backend_up", ""), "1"),
            (of("backend_state", ",state=\"serving\""), "1"),
            (of("backend_in_flight", ""), "0"),
        ],
    );
}

#[test]
fn files_are_of_no_pool_and_compressed_answers_are_counted_as_they_came_and_as_they_went() {
    let upstream = Upstream::scripted(|_, peer| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2000\r\n\r\n";
        std::io::Write::write_all(peer.get_mut(), [head.as_bytes(), &[b'x'; 2000]].concat().as_slice()).is_ok()
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "0123456789").unwrap();
    let routes = format!(
        "[[route]]\ncompress = true\n[[route]]\nlocation = \"/files/\"\nalias = \"{}\"\n",
        folder.path().display()
    );
    let (balancer, metrics) = metered(&[format!("{}\n{routes}", at(upstream.address))], "");
    assert_eq!(balancer.get("/files/a.txt").text(), "0123456789");
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    let went = client.answer().body.len();
    assert!(went < 100);
    let backend = format!("pool=\"default\",backend=\"{}\"", upstream.address);
    becomes(
        metrics,
        &[
            ("logkin_balancer_requests_total{pool=\"\",class=\"2xx\"}".to_owned(), "1"),
            ("logkin_balancer_requests_total{pool=\"default\",class=\"2xx\"}".to_owned(), "1"),
            ("logkin_balancer_response_body_bytes_total".to_owned(), (went + 10).to_string().as_str()),
            (format!("logkin_balancer_backend_received_bytes_total{{{backend}}}"), "2000"),
        ],
    );
}

#[test]
fn failures_retries_and_waits_are_counted_by_why() {
    let (closing, good) = (Upstream::closing(), Upstream::saying("hi"));
    let gone = nobody();
    let servers = [at(closing.address), at(gone), format!("{}\nbackup = true", at(good.address))];
    let (balancer, metrics) = metered(&servers, "max_fails = 0");
    assert_eq!(balancer.get("/").text(), "hi");
    let backend = |address| format!("pool=\"default\",backend=\"{address}\"");
    becomes(
        metrics,
        &[
            ("logkin_balancer_retries_total{pool=\"default\",reason=\"no_answer\"}".to_owned(), "1"),
            ("logkin_balancer_retries_total{pool=\"default\",reason=\"connect\"}".to_owned(), "1"),
            (format!("logkin_balancer_backend_failures_total{{{},kind=\"no_answer\"}}", backend(closing.address)), "1"),
            (format!("logkin_balancer_backend_failures_total{{{},kind=\"connect\"}}", backend(gone)), "1"),
            (format!("logkin_balancer_backend_state{{{},state=\"ejected\"}}", backend(gone)), "1"),
            (format!("logkin_balancer_backend_up{{{}}}", backend(gone)), "0"),
        ],
    );
    let (balancer, metrics) = metered(&[at(gone)], "queue_timeout = \"10ms\"");
    // The first one finds out that nobody is there; both wait for somebody to come.
    assert_eq!((balancer.get("/").status, balancer.get("/").status), (502, 503));
    let of_pool = |name: &str| format!("logkin_balancer_{name}{{pool=\"default\"}}");
    becomes(metrics, &[(of_pool("queue_wait_seconds_count"), "2"), (of_pool("queue_length"), "0")]);
}

#[test]
fn a_client_that_leaves_is_no_answer_of_its_backend() {
    let upstream = Upstream::scripted(move |head, peer| {
        drop(read_body(peer, head, false));
        // Never answers.
        std::io::Read::read(peer, &mut [0]).is_err()
    });
    let (balancer, metrics) = metered(&[at(upstream.address)], "");
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    client.reset();
    let backend = format!("pool=\"default\",backend=\"{}\"", upstream.address);
    let of = |name: &str, more: &str| format!("logkin_balancer_{name}{{{backend}{more}}}");
    becomes(
        metrics,
        &[
            ("logkin_balancer_requests_cut_total".to_owned(), "1"),
            ("logkin_balancer_requests_total{pool=\"default\",class=\"4xx\"}".to_owned(), "1"),
            (of("backend_responses_total", ",class=\"4xx\""), "0"),
            (of("backend_request_seconds_count", ""), "0"),
            (of("backend_sent_bytes_total", ""), "4"),
        ],
    );
}

#[test]
fn a_body_that_is_sent_again_is_counted_once_from_its_client_and_for_each_backend() {
    let closing = Upstream::scripted(|head, peer| read_body(peer, head, false).is_err());
    let refusing = Upstream::refusing(503);
    let good = Upstream::saying("hi");
    let servers = [at(closing.address), at(refusing.address), format!("{}\nbackup = true", at(good.address))];
    let pool = "max_fails = 0\nnext_upstream = [\"error\", \"timeout\", \"http_503\"]\nnext_upstream_tries = 3";
    let (balancer, metrics) = metered(&servers, pool);
    let mut client = balancer.connect();
    client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.answer().text(), "hi");
    let of = |name: &str, address, more: &str| {
        format!("logkin_balancer_backend_{name}{{pool=\"default\",backend=\"{address}\"{more}}}")
    };
    becomes(
        metrics,
        &[
            ("logkin_balancer_request_body_bytes_total".to_owned(), "4"),
            (of("sent_bytes_total", closing.address, ""), "4"),
            (of("sent_bytes_total", refusing.address, ""), "4"),
            (of("sent_bytes_total", good.address, ""), "4"),
            (of("responses_total", closing.address, ",class=\"5xx\""), "0"),
            (of("responses_total", refusing.address, ",class=\"5xx\""), "1"),
            (of("responses_total", good.address, ",class=\"2xx\""), "1"),
        ],
    );
}

#[test]
fn the_page_of_metrics_is_what_prometheus_reads() {
    let upstream = Upstream::saying("hi");
    let (balancer, metrics) = metered(&[at(upstream.address)], "");
    balancer.get("/");
    let page = page(metrics);
    check(&page);
    let Some(output) = run(Command::new("promtool").args(["check", "metrics"]), "prometheus", &page) else { return };
    assert!(output.status.success() && text(&output).is_empty(), "{}", text(&output));
}

/// Each family once with help and type before its samples, each sample once, histograms that add up.
fn check(page: &str) {
    let (mut families, mut samples) = (BTreeMap::new(), BTreeSet::new());
    let mut family = "";
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').expect("a text follows").0;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(families.insert(name, kind).is_none(), "{name} twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok() && samples.insert(sample), "{line}");
            let name = sample.split('{').next().unwrap();
            let suffix = name.strip_prefix(family).unwrap();
            let is_times = families[family] == "histogram";
            assert!(
                if is_times { ["_bucket", "_sum", "_count"].contains(&suffix) } else { suffix.is_empty() },
                "{line}"
            );
        }
    }
    assert!(families.len() > 20, "{families:?}");
}

#[test]
fn every_metric_is_on_the_page_of_operations_and_no_other() {
    let upstream = Upstream::saying("hi");
    let (_balancer, metrics) = metered(&[at(upstream.address)], "");
    let page = page(metrics);
    let told: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let paper = std::fs::read_to_string(path).unwrap();
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let words = paper.split(|letter| !is_part(letter)).filter(|word| word.starts_with("logkin_balancer_"));
    assert_eq!(told, words.collect());
}

#[test]
fn only_metrics_are_read_there() {
    let upstream = Upstream::saying("hi");
    let (_balancer, metrics) = metered(&[at(upstream.address)], "");
    let mut client = Connection::to(metrics);
    assert_eq!((client.get("/").status, client.get("/metrics?x").status), (404, 200));
    assert_eq!(client.post("/metrics", b"").status, 405);
}
