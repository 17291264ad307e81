use std::io::Read;

use crate::{harness::Balancer, upstream::Upstream};

/// Sends it raw and gives the status and what the backend saw.
fn status(request: &str) -> (u16, usize) {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send(request);
    let status = client.answer().status;
    (status, upstream.requests())
}

#[test]
fn a_request_needs_exactly_one_valid_host() {
    for fields in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: a:99999\r\n", "Host:\r\n"] {
        assert_eq!(status(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), (400, 0), "{fields:?}");
    }
}

#[test]
fn tunnels_to_elsewhere_are_not_opened() {
    let request = "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n";
    assert_eq!(status(request), (405, 0));
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send(request);
    assert!(client.answer().field("allow").is_some_and(|methods| methods.contains("GET, HEAD")));
}

#[test]
fn the_absolute_form_reaches_our_backend_and_nobody_else() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("GET http://169.254.169.254/x HTTP/1.1\r\nHost: public\r\n\r\n");
    let seen = client.answer().text().to_lowercase();
    assert!(seen.starts_with("get /x http/1.1\r\n") && seen.contains("host: 169.254.169.254\r\n"), "{seen}");
}

#[test]
fn a_head_beyond_the_bounds_is_refused() {
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(60_000))), (431, 0));
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200))), (431, 0));
}

#[test]
fn lengths_that_contradict_or_are_none_are_refused() {
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ] {
        assert_eq!(status(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")), (400, 0), "{fields:?}");
    }
}

#[test]
fn a_second_request_cannot_hide_in_the_body_of_the_first() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGPOST / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut rest = String::new();
    drop(client.0.read_to_string(&mut rest));
    assert!(rest.matches("HTTP/1.1 200 OK").count() <= 1, "{rest}");
    assert!(upstream.heads.lock().unwrap().iter().all(|head| !head.starts_with("GPOST")));
}

#[test]
fn unknown_expectations_are_not_met() {
    assert_eq!(status("POST / HTTP/1.1\r\nHost: a\r\nExpect: gift\r\nContent-Length: 0\r\n\r\n"), (417, 0));
}

#[test]
fn unknown_transfer_codings_are_refused_and_not_dropped() {
    for fields in ["Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"]
    {
        assert_eq!(status(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n")), (501, 0), "{fields}");
    }
}

#[test]
fn a_head_that_cannot_be_read_leaves_a_line_in_the_access_log() {
    let upstream = Upstream::echoing();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let mut balancer = Balancer::with(&[upstream.address], &["--access-log", log.to_str().unwrap()]);
    for (head, status) in
        [("no http\r\n\r\n".to_owned(), 400), (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(60_000)), 431)]
    {
        let mut client = balancer.connect();
        client.send(head);
        assert_eq!(client.answer().status, status);
    }
    balancer.stop();
    let lines = std::fs::read_to_string(&log).unwrap();
    for status in ["\" 400 ", "\" 431 "] {
        assert!(lines.contains(status) && lines.contains("flag=bad_request by=client"), "{lines}");
    }
}

#[test]
fn a_client_that_never_finishes_its_head_is_let_go() {
    let upstream = Upstream::echoing();
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "client_header_timeout = \"1s\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    let balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    assert!(client.is_closed());
}
