//! What the log says about answers that are refused.

use std::io::Write;

use super::answers::answering;
use crate::{
    harness::{Balancer, eventually, read_head},
    upstream::Upstream,
};

/// The lines of the log about answers that were refused.
fn complaints(balancer: &Balancer) -> Vec<String> {
    balancer.log().lines().filter(|line| line.contains("refused")).map(str::to_owned).collect()
}

#[test]
fn why_an_answer_is_refused_is_in_the_log_with_backend_and_request() {
    let head = "HTTP/1.1 200 OK\r\n";
    let large = format!("{head}X: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("{head}{}\r\n", "X: y\r\n".repeat(300));
    let odd = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "more than one Content-Length"),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "no blank behind the status"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "an LF without a CR"),
        ("HTTP/1.1 102 Wait\r\nContent-Length: 2\r\n\r\nok", "the status has no body, but the head tells of one"),
        ("HTTP/2.0 200 OK\r\n\r\n", "neither HTTP/1.1 nor HTTP/1.0"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "the size of a chunk is not valid"),
        ("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "a protocol that was not asked for"),
        (&large, "its head is larger than 64KiB"),
        (&many, "its head has more than 256 fields"),
    ];
    let answers: Vec<&'static str> = odd.iter().map(|(text, _)| &*(*text).to_owned().leak()).collect();
    let upstream = answering(answers.leak());
    let start = || Balancer::with_pool("max_fails = 0\nname = \"shop\"", &[upstream.address]);
    let mut balancer = start();
    for (number, (text, why)) in odd.iter().enumerate() {
        if number % 5 == 0 {
            // No more lines than that are written in a second.
            balancer = start();
        }
        assert_eq!(balancer.get(&format!("/{number}?token=secret")).status, 502, "{text:?}");
        let said = complaints(&balancer).pop().unwrap_or_default();
        let expected = format!("WARN the answer of {} of pool shop to GET /{number} is refused: ", upstream.address);
        assert!(said.contains(&expected) && said.contains(why) && !said.contains("secret"), "{why}: {said}");
    }
}

#[test]
fn a_backend_whose_answers_are_all_refused_does_not_flood_the_log() {
    let upstream = answering(&["HTTP/1.1 200\r\n\r\n", "SSH-2.0-x\r\n"]);
    let balancer = Balancer::with_pool("max_fails = 0", &[upstream.address]);
    let mut client = balancer.connect();
    (0..100).for_each(|number| assert_eq!(client.get(&format!("/{}", number % 2)).status, 502));
    assert_eq!(complaints(&balancer).len(), 2, "{}", balancer.log());
    eventually("the others are counted", || {
        let counted = "49 more answers of ";
        (complaints(&balancer).iter().filter(|line| line.contains(counted)).count() == 2).then_some(())
    });
}

#[test]
fn an_answer_that_breaks_on_its_way_to_the_client_is_told_too() {
    let (go, gone) = std::sync::mpsc::sync_channel::<()>(1);
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::scripted(move |_, peer| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        write!(peer.get_mut(), "{head}5\r\nhello\r\n").unwrap();
        gone.lock().unwrap().recv().unwrap();
        peer.get_mut().write_all(b"no size\r\n").is_ok()
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(&mut client.0).unwrap();
    go.send(()).unwrap();
    let expected = format!("the answer of {} to GET /events is refused: the size of a chunk", upstream.address);
    eventually("it is told", || balancer.log().contains(&expected).then_some(()));
}
