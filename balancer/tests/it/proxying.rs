use std::{
    io::{Read, Write},
    sync::atomic::Ordering,
};

use crate::{
    harness::{Balancer, eventually, read_body, read_head},
    upstream::{Upstream, answer},
};

#[test]
fn the_backend_sees_host_and_where_the_client_came_from() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("GET /a?b=c HTTP/1.1\r\nHost: shop.example:81\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nCookie: a=b\r\n\r\n");
    let seen = client.answer().text().to_lowercase();
    assert!(seen.starts_with("get /a?b=c http/1.1\r\n"), "{seen}");
    for field in [
        "host: shop.example:81",
        "x-forwarded-for: 127.0.0.1",
        "x-real-ip: 127.0.0.1",
        "x-forwarded-proto: http",
        "cookie: a=b",
    ] {
        assert!(seen.lines().any(|line| line == field), "{field} in {seen}");
    }
    assert!(!seen.contains("6.6.6.6"), "{seen}");
}

#[test]
fn hop_by_hop_fields_stay_on_their_hop() {
    let upstream = Upstream::scripted(|_, peer| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Inner\r\nX-Inner: 1\r\nKeep-Alive: timeout=5\r\nX-Outer: 1\r\n\r\n";
        peer.get_mut().write_all(head.as_bytes()).is_ok()
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, X-Forwarded-For\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.field("x-inner"), answer.field("keep-alive"), answer.field("x-outer")), (None, None, Some("1")));
    let seen = upstream.heads.lock().unwrap()[0].to_lowercase();
    assert!(!seen.contains("x-mine") && !seen.contains("te:") && !seen.contains("connection"), "{seen}");
    assert!(seen.contains("x-forwarded-for: 127.0.0.1"), "{seen}");
}

#[test]
fn bodies_pass_both_ways_whatever_their_framing() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    assert!(client.post("/", b"counted").text().ends_with("counted"));
    for method in ["POST", "GET"] {
        client.send(format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nchun\r\n3\r\nked\r\n0\r\n\r\n"
        ));
        assert!(client.answer().text().ends_with("chunked"), "{method}");
    }
}

#[test]
fn a_chunked_answer_arrives_whole_and_one_without_length_too() {
    let upstream = Upstream::scripted(|head, peer| {
        let chunked = head.starts_with("GET /chunked");
        let text: &[u8] = if chunked {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\n\r\nonetwo"
        };
        peer.get_mut().write_all(text).is_ok() && chunked
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    assert_eq!(balancer.get("/chunked").text(), "onetwo");
    assert_eq!(balancer.get("/plain").text(), "onetwo");
}

#[test]
fn a_head_request_gets_the_length_but_no_body() {
    let upstream = Upstream::scripted(|_, peer| {
        peer.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").is_ok()
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer_to_head().field("content-length"), Some("1000000"));
    }
}

#[test]
fn a_connection_on_which_content_was_withheld_is_not_used_again() {
    let upstream = Upstream::scripted(|head, peer| {
        let told = if head.contains("/bare") { "" } else { "Content-Length: 1000000\r\n" };
        let status = if head.starts_with("GET") { "304 Not Modified" } else { "200 OK" };
        write!(peer.get_mut(), "HTTP/1.1 {status}\r\n{told}\r\n").is_ok()
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    // What it tells of may come late, as if it were the answer to the next request.
    for (request, connections) in
        [("HEAD /bare", 1), ("GET /bare", 1), ("HEAD /", 1), ("HEAD /bare", 2), ("GET /", 2), ("HEAD /bare", 3)]
    {
        client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.answer_to_head();
        assert_eq!(upstream.connections.load(Ordering::SeqCst), connections, "{request}");
    }
}

#[test]
fn a_client_that_expects_to_be_told_gets_told_to_continue() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.send("body");
    assert!(client.answer().text().ends_with("body"));
}

#[test]
fn a_body_over_the_bound_is_refused_before_it_is_sent_and_while_it_is() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::with(&[upstream.address], &["--body-limit", "1KiB"]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("401\r\n{}\r\n0\r\n\r\n", "x".repeat(0x401)));
    assert_eq!(client.answer().status, 413);
    assert_eq!(balancer.connect().post("/", &[b'x'; 1024]).status, 200);
}

#[test]
fn one_connection_carries_many_requests_and_pipelined_ones_in_order() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(upstream.connections.load(std::sync::atomic::Ordering::SeqCst), 1, "the backend connection is held");
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.answer().text().starts_with("GET /1 "));
    assert!(client.answer().text().starts_with("GET /2 "));
}

#[test]
fn an_old_client_is_told_the_version_spoken_here_and_understands_the_answer() {
    let upstream = Upstream::scripted(|head, peer| {
        drop(read_body(peer, head, false));
        let text = match head.split(' ').nth(1).unwrap() {
            "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nch\r\n4\r\nunks\r\n0\r\n\r\n",
            "/early" => {
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
            }
            _ => "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nplain",
        };
        peer.get_mut().write_all(text.as_bytes()).is_ok() && !text.starts_with("HTTP/1.0")
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    for (request, body) in [
        ("GET /plain HTTP/1.0\r\n\r\n", "plain"),
        ("GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", "plain"),
        ("GET /chunked HTTP/1.0\r\n\r\n", "chunks"),
        ("GET /early HTTP/1.0\r\n\r\n", "late"),
        ("POST /plain HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "plain"),
    ] {
        let mut client = balancer.connect();
        client.send(request);
        let answer = client.answer();
        assert!(answer.head.starts_with("HTTP/1.1 200 "), "RFC 9110, 6.2: {}", answer.head);
        let told = (answer.field("connection"), answer.field("transfer-encoding"), answer.text());
        assert_eq!(told, (Some("close"), None, body), "{request:?}");
        assert!(client.is_closed(), "{request:?}");
    }
    assert!(upstream.heads.lock().unwrap()[0].to_lowercase().contains("\nhost: 127.0.0.1:"), "HTTP/1.1 needs a Host");
}

#[test]
fn a_switch_that_is_not_as_asked_for_is_refused_and_the_log_says_so() {
    const ASKED: &str = "Connection: Upgrade\r\nUpgrade: odd\r\n";
    for (asked, agreed) in [
        ("", ASKED),
        ("Upgrade: odd\r\n", ASKED),
        ("Connection: Upgrade\r\nUpgrade: h2c\r\n", ASKED),
        (ASKED, ""),
        (ASKED, "Upgrade: odd\r\n"),
        (ASKED, "Connection: Upgrade\r\n"),
        (ASKED, "Connection: Upgrade\r\nUpgrade: other\r\n"),
        (ASKED, "Connection: Upgrade\r\nUpgrade: odd, other\r\n"),
        (ASKED, "Connection: Upgrade\r\nUpgrade: odd\r\nUpgrade: other\r\n"),
    ] {
        let upstream = Upstream::scripted(move |_, peer| {
            write!(peer.get_mut(), "HTTP/1.1 101 Switching Protocols\r\n{agreed}\r\nHTTP/1.1 200 OK\r\n\r\n").is_ok()
        });
        let balancer = Balancer::in_front_of(&[upstream.address]);
        let mut client = balancer.connect();
        client.send(format!("GET /switch HTTP/1.1\r\nHost: a\r\n{asked}\r\n"));
        assert_eq!(client.answer().status, 502, "{asked:?} {agreed:?}");
        let expected = format!("the answer of {} to GET /switch is refused: it switches ", upstream.address);
        eventually("the log says why", || balancer.log().contains(&expected).then_some(()));
    }
}

#[test]
fn an_old_request_behind_another_gets_its_own_answer() {
    let upstream = Upstream::scripted(|head, peer| {
        let large = vec![b'x'; 4 << 20];
        answer(peer, if head.starts_with("GET /large") { &large } else { b"HTTP/1.0 in the body" })
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /old HTTP/1.0\r\nHost: a\r\n\r\n");
    let first = client.answer();
    assert!(first.head.starts_with("HTTP/1.1 200 ") && first.body.iter().all(|byte| *byte == b'x'), "{}", first.head);
    let second = client.answer();
    assert!(second.head.starts_with("HTTP/1.1 200 "), "{}", second.head);
    assert_eq!((second.text(), second.field("connection")), ("HTTP/1.0 in the body", Some("close")));
    assert!(client.is_closed());
}

#[test]
fn large_bodies_stream_both_ways_in_flat_memory() {
    const SIZE: u64 = 5 << 30;
    let upstream = Upstream::scripted(|head, peer| {
        if head.starts_with("GET") {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
            let piece = vec![b'x'; 1 << 20];
            let stream = peer.get_mut();
            return stream.write_all(head.as_bytes()).is_ok()
                && (0..SIZE >> 20).all(|_| stream.write_all(&piece).is_ok());
        }
        let copied = std::io::copy(&mut peer.by_ref().take(SIZE), &mut std::io::sink()).unwrap();
        answer(peer, copied.to_string().as_bytes())
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"));
    let piece = vec![b'x'; 1 << 20];
    (0..SIZE >> 20).for_each(|_| client.send(&piece));
    assert_eq!(client.answer().text(), SIZE.to_string());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    read_head(&mut client.0).unwrap();
    assert_eq!(std::io::copy(&mut client.0.by_ref().take(SIZE), &mut std::io::sink()).unwrap(), SIZE);
    let peak = balancer.peak_memory();
    assert!(peak < 40 << 10, "{peak} KiB");
}

#[test]
fn an_answer_that_breaks_off_does_not_look_complete() {
    let upstream = Upstream::scripted(|head, peer| {
        let framing = if head.starts_with("GET /c") {
            "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked"
        } else {
            "Content-Length: 99999999"
        };
        let start = if head.starts_with("GET /c") { "3\r\none\r\n" } else { "one" };
        drop(peer.get_mut().write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{start}").as_bytes()));
        false
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    for path in ["/counted", "/length"] {
        let mut client = balancer.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(client.try_answer(false).is_err(), "{path}");
    }
}

#[test]
fn a_client_that_is_still_sending_reads_the_answer_that_came_early() {
    let upstream = Upstream::scripted(|_, peer| {
        let full = b"HTTP/1.1 507 Insufficient Storage\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfull";
        drop(peer.get_mut().write_all(full));
        // Reads on until the other side is done, as a server should that closes: a reset may overtake the answer.
        drop(peer.take(1 << 30).read_to_end(&mut Vec::new()));
        false
    });
    for more in [&[][..], &["--body-limit", "10KiB"]] {
        let balancer = Balancer::with(&[upstream.address], more);
        let status = if more.is_empty() { 507 } else { 413 };
        for _ in 0..3 {
            assert_eq!(balancer.connect().post("/", &vec![b'x'; 30 << 20]).status, status);
        }
    }
}

#[test]
fn a_websocket_is_tunnelled_once_the_backend_agrees() {
    let upstream = Upstream::scripted(|head, peer| {
        assert!(head.to_lowercase().contains("connection: upgrade\r\n"), "{head}");
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        peer.get_mut().write_all(agreed.as_bytes()).unwrap();
        let mut echo = [0; 4];
        while peer.read_exact(&mut echo).is_ok() {
            peer.get_mut().write_all(&echo).unwrap();
        }
        false
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    // Some say that there is no body, though nobody would think so.
    for more in if crate::ENGINE == "strict" { &["", "Content-Length: 0\r\n"][..] } else { &[""] } {
        let mut client = balancer.connect();
        client.send(format!(
            "GET /ws HTTP/1.1\r\nHost: a\r\n{more}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
        ));
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.field("upgrade"), answer.field("sec-websocket-accept")),
            (101, Some("websocket"), Some("x"))
        );
        for word in ["ping", "pong"] {
            client.send(word);
            let mut echo = [0; 4];
            client.0.read_exact(&mut echo).unwrap();
            assert_eq!(echo, word.as_bytes());
        }
    }
}

#[test]
fn a_switch_that_nobody_asked_for_is_an_error() {
    let upstream = Upstream::scripted(|_, peer| {
        let odd = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: odd\r\n\r\n";
        peer.get_mut().write_all(odd.as_bytes()).is_ok()
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    assert_eq!(balancer.get("/").status, 502);
}

#[test]
fn an_answer_that_asks_for_another_protocol_says_which() {
    let upstream = Upstream::scripted(|head, peer| {
        let status = head.split(['/', ' ']).nth(2).unwrap();
        let named = if head.contains("/named") { "Connection: Upgrade\r\n" } else { "" };
        let fields = format!("{named}Upgrade: one, two/2\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n");
        write!(peer.get_mut(), "HTTP/1.1 {status} Odd\r\n{fields}\r\nno").is_ok()
    });
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    for (path, expected) in
        [("/426", true), ("/426/named", true), ("/400/named", false), ("/200/named", false), ("/404", false)]
    {
        let answer = client.get(path);
        let said = (answer.field("connection"), answer.field("upgrade"), answer.field("keep-alive"));
        let is_said = (Some("upgrade"), Some("one, two/2"), None);
        assert_eq!(said, if expected { is_said } else { (None, None, None) }, "{path}");
    }
    client.send("GET /426 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let head = client.answer().head.to_lowercase();
    assert!(head.contains("upgrade: one, two/2\r\n") && head.contains("close\r\n"), "{head}");
}

#[test]
fn every_request_leaves_a_line_in_the_access_log() {
    let upstream = Upstream::echoing();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let mut balancer = Balancer::with(&[upstream.address], &["--access-log", log.to_str().unwrap()]);
    balancer.get("/one");
    let lines = eventually("the line is written within a second or so", || {
        std::fs::read_to_string(&log).ok().filter(|text| !text.is_empty())
    });
    assert!(lines.starts_with("127.0.0.1 - - [") && lines.contains("\"GET /one HTTP/1.1\" 200 "), "{lines}");
    assert!(lines.contains(&format!("upstream={} time_ms=", upstream.address)), "{lines}");
    balancer.get("/two");
    balancer.stop();
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2, "what was gathered is written at the end");
}

#[test]
fn an_upload_that_breaks_off_never_looks_complete_to_the_backend() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |head, peer| {
        tell.send(read_body(peer, head, false).is_err()).unwrap();
        false
    });
    let balancer = Balancer::with(&[upstream.address], &["--buffer-requests", "0"]);
    for framing in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let mut client = balancer.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}"));
        drop(client);
        assert!(told.recv_timeout(crate::harness::PATIENCE).unwrap(), "{framing}");
    }
}
