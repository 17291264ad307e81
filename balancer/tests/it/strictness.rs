use std::io::{Read, Write};

use crate::{
    harness::{Balancer, eventually},
    upstream::Upstream,
};

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
fn fields_that_could_be_taken_for_others_and_protocols_that_are_none_are_refused() {
    for field in ["Content_Length: 5", "Transfer_Encoding: chunked", "Connection: close close"] {
        assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")), (400, 0), "{field}");
    }
    for upgrade in ["a\r\nUpgrade: b", "a b"] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {upgrade}\r\n\r\n");
        assert_eq!(status(&request), (400, 0), "{upgrade}");
    }
    assert_eq!(status("TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"), (400, 0));
}

#[test]
fn whoever_claims_to_speak_for_others_is_not_believed_in_any_spelling() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\nX-Real_IP: 6.6.6.6\r\nX-Forwarded-Any: 6.6.6.6\r\n\r\n");
    let seen = client.answer();
    assert!(!seen.text().contains("6.6.6.6"), "{}", seen.text());
}

#[test]
fn trailers_that_frame_or_route_are_refused() {
    let twins = if crate::ENGINE == "strict" { &["Content_Type", "Set_Cookie", "Proxy_Connection"][..] } else { &[] };
    for name in ["Content-Length", "Host", "Transfer-Encoding", "Authorization"].iter().chain(twins) {
        let upstream = Upstream::saying("hi");
        let balancer = Balancer::in_front_of(&[upstream.address]);
        let mut client = balancer.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTrailer: {name}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{name}: 1\r\n\r\n"));
        assert_eq!(client.answer().status, 400, "{name}");
    }
}

#[test]
fn an_answer_of_two_types_is_none() {
    let upstream = Upstream::scripted(|_, peer| {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi";
        peer.get_mut().write_all(head.as_bytes()).is_ok()
    });
    assert_eq!(Balancer::in_front_of(&[upstream.address]).get("/").status, 502);
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
fn who_asks_for_two_things_at_once_is_refused() {
    for (field, value) in [
        ("Authorization", "Basic YTpi"),
        ("content-type", "text/plain"),
        ("Content-Range", "bytes 0-0/1"),
        ("Range", "bytes=0-0"),
        ("If-Range", "\"a\""),
        ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Origin", "https://a.example"),
    ] {
        let once = format!("{field}: {value}\r\n");
        let asked = |fields: &str| status(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!((asked(&once), asked(&once.repeat(2))), ((200, 1), (400, 0)), "{field}");
        // To programs that get fields as variables it is the same.
        let twin = format!("{once}{}: {value}\r\n", field.replace('-', "_"));
        assert_eq!(asked(&twin), (400, 0), "{field}");
    }
}

#[test]
fn unknown_expectations_are_not_met() {
    assert_eq!(status("POST / HTTP/1.1\r\nHost: a\r\nExpect: gift\r\nContent-Length: 0\r\n\r\n"), (417, 0));
    assert_eq!(status("POST / HTTP/1.0\r\nHost: a\r\nExpect: gift\r\nContent-Length: 0\r\n\r\n"), (417, 0));
    let twice = "Expect: 100-continue\r\nExpect: 100-continue\r\n";
    assert_eq!(status(&format!("POST / HTTP/1.1\r\nHost: a\r\n{twice}Content-Length: 0\r\n\r\n")), (417, 0));
}

#[test]
fn unknown_transfer_codings_are_refused_and_not_dropped() {
    for fields in ["Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"]
    {
        let upstream = Upstream::echoing();
        let balancer = Balancer::in_front_of(&[upstream.address]);
        let mut client = balancer.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("connection")), (501, Some("close")), "{fields}");
        assert!(client.is_closed() && upstream.requests() == 0, "{fields}");
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
fn a_client_that_leaves_in_the_middle_of_its_body_is_logged_as_one_that_has_left() {
    let upstream = Upstream::echoing();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let mut balancer = Balancer::with(&[upstream.address], &["--access-log", log.to_str().unwrap()]);
    for (path, part) in [("/short", 1), ("/long", 100_000)] {
        let mut client = balancer.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(part)));
        eventually("it is read", || client.is_read().then_some(()));
    }
    balancer.stop();
    let lines = std::fs::read_to_string(&log).unwrap();
    assert_eq!(lines.matches(" HTTP/1.1\" 499 ").count(), 2, "{lines}");
    assert_eq!(lines.matches("by=client").count(), 2, "{lines}");
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
    if crate::ENGINE == "strict" {
        assert_eq!(client.answer().status, 408);
    }
    assert!(client.is_closed());
}
