use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    harness::{Balancer, eventually, read_body},
    upstream::{Upstream, answer},
};

/// A backend that closes without an answer until it is told otherwise.
fn closing_until_told() -> (Upstream, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&well);
    let upstream = Upstream::scripted(move |head, peer| {
        drop(read_body(peer, head, false));
        asked.load(Ordering::SeqCst) && answer(peer, b"well")
    });
    (upstream, well)
}

fn rests(balancer: &Balancer, upstream: &Upstream) -> bool {
    balancer.log().contains(&format!("{} fails too often and rests", upstream.address))
}

#[test]
fn too_many_failures_in_the_window_take_a_backend_out_and_one_request_brings_it_back() {
    let ((bad, well), good) = (closing_until_told(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_fails = 2\nfail_timeout = \"1s\"", &[bad.address, good.address]);
    eventually("it is out", || {
        assert_eq!(balancer.get("/").text(), "good");
        rests(&balancer, &bad).then_some(())
    });
    assert_eq!(bad.requests(), 2);
    well.store(true, Ordering::SeqCst);
    eventually("it has rested", || balancer.log().contains("has rested and gets one request").then_some(()));
    eventually("it is back", || (balancer.get("/").text() == "well").then_some(()));
    eventually("that is told", || balancer.log().contains("gets requests again").then_some(()));
}

#[test]
fn a_trial_that_fails_is_the_only_request_of_its_time() {
    let ((bad, _), good) = (closing_until_told(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_fails = 1\nfail_timeout = \"1s\"", &[bad.address, good.address]);
    eventually("two trials fail", || {
        assert_eq!(balancer.get("/").text(), "good");
        (balancer.log().matches("has failed again and rests on").count() == 2).then_some(())
    });
    assert_eq!(bad.requests(), 3, "the first failure, and the two trials");
}

#[test]
fn one_client_takes_nobody_out_with_what_nobody_answers() {
    let script = |text: &'static [u8]| {
        move |head: &str, peer: &mut crate::upstream::Peer| {
            drop(read_body(peer, head, false));
            !head.contains("/poison") && answer(peer, text)
        }
    };
    let upstreams = [Upstream::scripted(script(b"a")), Upstream::scripted(script(b"b"))];
    let pool = "max_fails = 1\nqueue_timeout = \"0s\"";
    let balancer = Balancer::with_pool(pool, &upstreams.each_ref().map(|upstream| upstream.address));
    for _ in 0..10 {
        assert_eq!(balancer.get("/poison").status, 502);
        assert_eq!(balancer.connect().post("/poison", b"x").status, 502);
    }
    assert!(!balancer.log().contains("rests"), "{}", balancer.log());
}

#[test]
fn what_a_client_breaks_off_is_not_held_against_its_backend() {
    let (slow, good) = (Upstream::scripted(|_, _| true), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_fails = 1", &[slow.address, good.address]);
    let half = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(100_000));
    for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", &half] {
        for _ in 0..10 {
            let before = slow.requests() + good.requests();
            let mut client = balancer.connect();
            client.send(request);
            eventually("it has come", || (slow.requests() + good.requests() > before).then_some(()));
        }
    }
    assert!(!balancer.log().contains("rests"), "{}", balancer.log());
}

#[test]
fn when_all_are_out_they_are_asked_anyway() {
    let (bad, well) = closing_until_told();
    let balancer = Balancer::with_pool("max_fails = 1\nfail_timeout = \"1h\"\nqueue_timeout = \"0s\"", &[bad.address]);
    for number in [2, 3] {
        let from = format!("127.0.0.{number}:0").parse().unwrap();
        assert_eq!(balancer.connect_from(from).get("/").status, 502);
    }
    eventually("it is out", || rests(&balancer, &bad).then_some(()));
    assert_eq!(balancer.get("/").status, 502);
    assert_eq!(bad.requests(), 3, "it was asked anyway");
    well.store(true, Ordering::SeqCst);
    assert_eq!(balancer.get("/").text(), "well");
    eventually("it is back", || balancer.log().contains("gets requests again").then_some(()));
}

#[test]
fn a_backend_that_answers_with_errors_only_is_out_while_the_others_answer_well() {
    let (bad, good) = (Upstream::refusing(500), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_errors = 3", &[bad.address, good.address]);
    let mut client = balancer.connect();
    eventually("it is out", || {
        client.get("/");
        balancer.log().contains("answers with errors only").then_some(())
    });
    assert!((0..10).all(|_| client.get("/").text() == "good"));
}

#[test]
fn errors_that_all_answer_with_take_nobody_out() {
    let bad = [Upstream::refusing(500), Upstream::refusing(503)];
    let balancer = Balancer::with_pool("max_errors = 3", &bad.each_ref().map(|upstream| upstream.address));
    let mut client = balancer.connect();
    (0..30).for_each(|_| assert!(client.get("/").status >= 500));
    assert_eq!(bad.each_ref().map(Upstream::requests), [15, 15]);
}
