use std::{
    io::{Read, Write},
    sync::atomic::Ordering,
};

use crate::{
    harness::{Balancer, eventually, read_body, read_head},
    upstream::{Upstream, answer, nobody},
};

fn one_thread(upstreams: &[&Upstream]) -> Balancer {
    let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    Balancer::with(&addresses, &["--threads", "1"])
}

#[test]
fn a_request_that_reached_nobody_goes_to_the_next_backend_whatever_its_method() {
    let upstream = Upstream::echoing();
    for _ in 0..3 {
        let balancer = Balancer::with(&[nobody(), upstream.address], &["--threads", "1"]);
        assert!(balancer.connect().post("/", b"precious").text().ends_with("precious"));
    }
}

#[test]
fn a_get_goes_to_the_next_backend_when_one_closes_without_an_answer() {
    let (bad, good) = (Upstream::closing(), Upstream::saying("good"));
    let balancer = one_thread(&[&bad, &good]);
    for _ in 0..6 {
        assert_eq!(balancer.get("/").text(), "good");
    }
    assert!(bad.requests() >= 2);
}

#[test]
fn a_put_or_delete_is_repeated_while_its_body_is_whole() {
    let (bad, good) = (Upstream::closing(), Upstream::saying("good"));
    let balancer = one_thread(&[&bad, &good]);
    let mut client = balancer.connect();
    for _ in 0..4 {
        client.send("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer().text(), "good");
    }
}

#[test]
fn a_post_that_may_have_been_executed_is_never_repeated() {
    let (bad, good) = (Upstream::closing(), Upstream::saying("good"));
    let balancer = one_thread(&[&bad, &good]);
    let statuses: Vec<u16> = (0..10).map(|_| balancer.connect().post("/", b"once").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), bad.requests(), "{statuses:?}");
    assert_eq!(bad.requests() + good.requests(), 10, "each was seen by one backend");
}

#[test]
fn no_backend_is_asked_twice_and_the_last_error_is_the_answer() {
    let bad = [Upstream::closing(), Upstream::closing(), Upstream::closing()];
    let balancer = one_thread(&[&bad[0], &bad[1], &bad[2]]);
    assert_eq!(balancer.get("/").status, 502);
    assert_eq!(bad.each_ref().map(Upstream::requests), [1, 1, 1]);
}

#[test]
fn what_died_on_a_held_connection_goes_to_another_backend_if_one_is_free() {
    let fragile = || Upstream::scripted(|head, peer| !head.starts_with("GET /die") && answer(peer, b"fragile"));
    let deaths = |upstream: &Upstream, path: &str| {
        let heads = upstream.heads.lock().unwrap();
        heads.iter().filter(|head| head.starts_with(&format!("GET {path}"))).count()
    };
    let (bad, good) = (fragile(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_fails = 0", &[bad.address, good.address]);
    for path in ["/die/1", "/die/2", "/die/3", "/die/4"] {
        // They leave a held connection to each.
        for _ in 0..2 {
            balancer.get("/");
        }
        assert_eq!(balancer.get(path).text(), "good");
        assert!(deaths(&bad, path) <= 1, "{path}");
    }
    assert!(deaths(&bad, "/die") >= 2);
    // With nobody else there, once more on a new connection.
    let alone = fragile();
    let balancer = Balancer::with_pool("max_fails = 0", &[alone.address]);
    assert_eq!((balancer.get("/").text(), balancer.get("/die").status), ("fragile", 502));
    assert_eq!(deaths(&alone, "/die"), 2);
}

#[test]
fn a_retry_that_the_budget_forbids_is_told_in_the_access_log() {
    let bad = [Upstream::closing(), Upstream::closing()];
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let servers = bad.each_ref().map(|bad| format!("[[pool.server]]\naddress = \"{}\"\n", bad.address)).concat();
    let head = format!("access_log = \"{}\"\n", log.display());
    let mut balancer = Balancer::with_file_ahead(&head, &format!("[pool]\nmax_fails = 0\n{servers}"));
    // The reserve is 500 retries, and there are 10 more each second and one for each five requests: of these many each wants one,
    // so the last would have to come after more than a minute.
    for _ in 0..1500 {
        assert_eq!(balancer.get("/").status, 502);
    }
    assert_eq!(balancer.stop(), Some(0));
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains(" retry_budget=spent flag=no_answer by=backend"), "{lines}");
    assert!(!lines.lines().next().unwrap().contains("retry_budget"), "{lines}");
}

#[test]
fn when_nobody_is_left_the_client_has_its_answer_at_once() {
    let closing = [Upstream::closing(), Upstream::closing()];
    let gone = nobody();
    for backends in [closing.each_ref().map(|bad| bad.address), [closing[0].address, gone]] {
        let servers = backends.map(|address| format!("address = \"{address}\""));
        // Nobody waits for that long.
        let balancer = Balancer::with_servers("max_fails = 0\nqueue_timeout = \"10m\"", &servers);
        assert_eq!(balancer.get("/").status, 502);
    }
    assert_eq!(closing.each_ref().map(Upstream::requests), [2, 1]);
}

#[test]
fn an_answer_that_has_begun_is_not_begun_again() {
    let bad = Upstream::scripted(|_, peer| {
        drop(peer.get_mut().write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
        ));
        false
    });
    let good = Upstream::saying("good");
    let balancer = one_thread(&[&bad, &good]);
    let mut failed = 0;
    for _ in 0..4 {
        let mut client = balancer.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        failed += usize::from(client.try_answer(false).is_err());
    }
    assert_eq!((failed, bad.requests(), good.requests()), (2, 2, 2));
}

/// A backend that sends this and dies costs no GET anything where another one answers.
fn breaking_off_costs_a_get_nothing(half: String) {
    let bad = Upstream::scripted(move |_, peer| {
        drop(peer.get_mut().write_all(half.as_bytes()));
        false
    });
    let good = Upstream::saying("good");
    let balancer = one_thread(&[&bad, &good]);
    for _ in 0..4 {
        assert_eq!(balancer.get("/").text(), "good");
    }
    assert!(bad.requests() >= 1);
}

#[test]
fn a_short_answer_that_breaks_off_costs_a_get_nothing() {
    breaking_off_costs_a_get_nothing("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf".to_owned());
}

#[test]
fn a_backend_that_dies_in_the_middle_of_200_kib_without_a_length_costs_a_get_nothing() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n19000\r\n";
    breaking_off_costs_a_get_nothing(format!("{head}{}", "x".repeat(100 << 10)));
}

#[test]
fn an_answer_beyond_what_is_taken_whole_arrives_as_it_was_sent() {
    let long = (0_u32..1 << 20).map(|number| number.to_le_bytes()[0]).collect::<Vec<_>>().repeat(3);
    let sent = long.clone();
    let upstream = Upstream::scripted(move |_, peer| {
        let out = peer.get_mut();
        out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for piece in sent.chunks(50_000) {
            out.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()).unwrap();
        }
        out.write_all(b"0\r\n\r\n").is_ok()
    });
    let balancer = one_thread(&[&upstream]);
    let mut client = balancer.connect();
    for _ in 0..2 {
        assert!(client.get("/").body == long);
    }
}

#[test]
fn what_is_not_known_to_end_soon_is_not_held_back() {
    for (kind, deadline) in [("text/event-stream", 0), ("text/plain", 10)] {
        let upstream = Upstream::scripted(move |_, peer| {
            let start =
                format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
            peer.get_mut().write_all(start.as_bytes()).unwrap();
            // Says nothing more until the balancer hangs up.
            drop(peer.read(&mut [0]));
            false
        });
        let balancer = one_thread(&[&upstream]);
        let mut client = balancer.connect();
        let begun = std::time::Instant::now();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        read_head(&mut client.0).unwrap();
        let mut start = [0; 8];
        client.0.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"3\r\none\r\n");
        assert!(begun.elapsed().as_millis() >= deadline, "{kind}");
    }
}

#[test]
fn a_held_connection_that_the_backend_has_closed_is_replaced_in_silence() {
    let upstream = Upstream::scripted(|head, peer| {
        let body = read_body(peer, head, false).unwrap();
        answer(peer, &body);
        false
    });
    let balancer = one_thread(&[&upstream]);
    let mut client = balancer.connect();
    for round in 1..=20 {
        assert_eq!(client.post("/", b"precious").text(), "precious", "round {round}");
        eventually("it is closed", || upstream.is_left().then_some(()));
    }
    assert_eq!(upstream.requests(), 20);
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 20);
}

#[test]
fn a_backend_that_speaks_no_http_is_an_error_and_not_asked_again() {
    let (bad, good) = (
        Upstream::scripted(|_, peer| peer.get_mut().write_all(b"SSH-2.0-x\r\n\r\n").is_ok()),
        Upstream::saying("good"),
    );
    let balancer = one_thread(&[&bad, &good]);
    let mut statuses: Vec<u16> = (0..4).map(|_| balancer.get("/").status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 502, 502]);
}

#[test]
fn a_status_that_was_named_leads_to_the_next_backend_and_the_last_ones_answer_is_given() {
    let (busy, good) = (Upstream::refusing(503), Upstream::saying("good"));
    let pool = "next_upstream = [\"error\", \"http_503\"]\nmax_fails = 0";
    let balancer = Balancer::with_pool(pool, &[busy.address, good.address]);
    (0..4).for_each(|_| assert_eq!(balancer.get("/").text(), "good"));
    let posts: Vec<u16> = (0..4).map(|_| balancer.connect().post("/", b"once").status).collect();
    assert!(posts.contains(&503), "{posts:?}: a POST may have been executed");
    let busy = [Upstream::refusing(503), Upstream::refusing(503)];
    let balancer = Balancer::with_pool(pool, &busy.each_ref().map(|upstream| upstream.address));
    let answer = balancer.get("/");
    assert_eq!((answer.status, answer.text()), (503, "no"));
    assert_eq!(busy.each_ref().map(Upstream::requests), [1, 1]);
}

#[test]
fn without_its_case_a_failure_is_the_answer() {
    let (bad, good) = (Upstream::closing(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("next_upstream = [\"off\"]\nmax_fails = 0", &[bad.address, good.address]);
    let statuses: Vec<u16> = (0..4).map(|_| balancer.get("/").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 2, "{statuses:?}");
}

#[test]
fn a_get_that_waits_too_long_for_its_answer_goes_to_the_next_backend() {
    let (hung, good) = (Upstream::scripted(|_, _| true), Upstream::saying("good"));
    let balancer = Balancer::with_pool("read_timeout = \"1s\"", &[hung.address, good.address]);
    assert_eq!((balancer.get("/").text(), balancer.get("/").text()), ("good", "good"));
    assert!(hung.requests() > 0);
}

#[test]
fn a_failure_is_in_the_access_log_with_its_backend() {
    let bad = Upstream::closing();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let mut balancer = Balancer::with(&[bad.address], &["--threads", "1", "--access-log", log.to_str().unwrap()]);
    assert_eq!(balancer.get("/").status, 502);
    balancer.stop();
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains(" upstream=- ") && lines.contains(&format!(" by=backend at={}", bad.address)), "{lines}");
}

#[test]
fn a_retry_is_in_the_access_log_with_its_reason() {
    let (bad, good) = (Upstream::closing(), Upstream::saying("good"));
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let more = ["--threads", "1", "--access-log", log.to_str().unwrap()];
    let mut balancer = Balancer::with(&[bad.address, good.address], &more);
    balancer.get("/");
    balancer.get("/");
    balancer.stop();
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains(&format!(" retries=1:no_answer@{}", bad.address)), "{lines}");
}
