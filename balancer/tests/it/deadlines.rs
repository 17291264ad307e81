use std::io::{Read, Write};

use crate::{
    harness::{Balancer, PATIENCE, eventually, read_head},
    upstream::{Upstream, answer},
};

/// A balancer that waits for one second where it waits.
fn impatient(upstream: &Upstream) -> Balancer {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "worker_threads = 1\nclient_header_timeout = \"1s\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\nread_timeout = \"1s\"\n\
         [[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    Balancer::run(&["--config", file.path().to_str().unwrap()])
}

#[test]
fn a_body_that_stops_coming_is_answered_and_its_client_let_go() {
    let upstream = Upstream::echoing();
    let balancer = impatient(&upstream);
    for framing in ["Content-Length: 9\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let mut client = balancer.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}"));
        assert_eq!(client.answer().status, 408);
        assert!(client.is_closed());
    }
}

#[test]
fn a_backend_that_owes_an_answer_for_too_long_costs_one_request_and_not_the_next() {
    let upstream = Upstream::scripted(|head, peer| {
        if head.starts_with("GET /late") {
            // Says nothing until the balancer hangs up.
            drop(peer.read(&mut [0]));
            return false;
        }
        answer(peer, b"here")
    });
    let balancer = impatient(&upstream);
    let mut client = balancer.connect();
    for _ in 0..2 {
        assert_eq!(client.get("/late").status, 504);
        assert_eq!(client.get("/").text(), "here");
    }
}

#[test]
fn a_client_that_does_not_read_is_let_go_and_its_backend_with_it() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |_, peer| {
        let stream = peer.get_mut();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
        tell.send(()).unwrap();
        false
    });
    let balancer = impatient(&upstream);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(&mut client.0).unwrap();
    told.recv_timeout(PATIENCE).expect("the backend's connection is closed");
}

#[test]
fn a_head_that_comes_in_drops_has_one_deadline_for_all_of_it() {
    let upstream = Upstream::echoing();
    let balancer = impatient(&upstream);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    client.0.get_ref().set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
    eventually("it is let go though it never stops", || {
        let sent = client.0.get_mut().write_all(b"X: y\r\n");
        let read = client.0.get_mut().read(&mut [0]);
        (sent.is_err() || matches!(read, Ok(0))).then_some(())
    });
    assert_eq!(upstream.requests(), 0);
}
