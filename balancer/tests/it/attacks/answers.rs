use std::{
    io::{Read, Write},
    sync::atomic::Ordering,
};

use rustix::process::Signal;

use super::{Probe, is_bad_gateway, rest};
use crate::{
    harness::{Balancer, eventually, read_body, read_head},
    upstream::{Upstream, answer},
};

/// A backend that answers `GET /N` with the Nth of these, and everything else properly.
pub(super) fn answering(odd: &'static [&'static str]) -> Upstream {
    Upstream::scripted(move |head, peer| {
        let number = head.strip_prefix("GET /").and_then(|rest| rest.split([' ', '?']).next()?.parse::<usize>().ok());
        match number {
            Some(number) => peer.get_mut().write_all(odd[number].as_bytes()).is_ok(),
            None => answer(peer, b"fine"),
        }
    })
}

/// Each is answered with 502, nothing of it reaches the client, and its connection is used for nothing else.
#[track_caller]
fn are_refused(odd: &'static [&'static str]) {
    let probe = Probe::of(answering(odd));
    for (number, text) in odd.iter().enumerate() {
        let connections = probe.upstream.connections.load(Ordering::SeqCst);
        let mut client = probe.balancer.connect();
        is_bad_gateway(&client.get(&format!("/{number}")), text);
        let next = client.get("/next");
        assert_eq!((next.status, next.text()), (200, "fine"), "{text:?}");
        let fresh = probe.upstream.connections.load(Ordering::SeqCst) - connections;
        assert!(fresh >= 1, "{text:?}: its connection was used again");
    }
}

#[test]
fn an_answer_that_is_not_by_the_letter_goes_to_nobody() {
    are_refused(&[
        "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "SSH-2.0-x\r\n",
        "<html>\r\n",
    ]);
}

#[test]
fn an_answer_whose_end_can_be_read_in_two_ways_goes_to_nobody() {
    are_refused(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 205 Reset Content\r\n\r\nhello",
        "HTTP/1.0 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]);
}

#[test]
fn an_answer_that_says_twice_what_it_is_or_where_to_go_goes_to_nobody() {
    are_refused(&[
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-type: text/html\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nETag: \"b\"\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nLast-Modified: a\r\nLast-Modified: b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 206 Part\r\nContent-Range: bytes 0-0/2\r\nContent-Range: bytes 1-1/2\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Location: /a\r\nContent-Location: /b\r\nContent-Length: 0\r\n\r\n",
    ]);
}

#[test]
fn what_many_write_twice_goes_on() {
    let twice = "HTTP/1.1 200 OK\r\nServer: a\r\nServer: b\r\nDate: c\r\nDate: d\r\nContent-Length: 2\r\n\r\nhi";
    let upstream = answering(vec![twice].leak());
    let answer = Balancer::in_front_of(&[upstream.address]).get("/0");
    assert_eq!(
        (answer.text(), answer.head.matches("Server: ").count(), answer.head.matches("Date: ").count()),
        ("hi", 2, 2)
    );
}

#[test]
fn chunks_that_are_not_by_the_letter_go_to_nobody() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bodies = [
        "5 \r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFF5\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\r\nhello\r\n0\r\n\r\n",
        "\r\n",
        "5\r\nhello\r\n0\r\nX\r\n\r\n",
        "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: a\n\r\n",
        "g\r\n",
    ];
    let odd: Vec<&'static str> = bodies.iter().map(|body| &*format!("{HEAD}{body}").leak()).collect();
    are_refused(odd.leak());
}

#[test]
fn what_comes_behind_an_answer_is_nobodys_answer() {
    for (head, body) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ""),
    ] {
        let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        let upstream = Upstream::scripted(move |head_seen, peer| {
            let first = head_seen.starts_with("GET /first");
            let text =
                if first { format!("{head}{evil}") } else { "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine".into() };
            peer.get_mut().write_all(text.as_bytes()).is_ok()
        });
        let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
        assert_eq!(balancer.get("/first").text(), body);
        assert_eq!(balancer.get("/second").text(), "fine", "{head}");
        assert_eq!(upstream.connections.load(Ordering::SeqCst), 2, "its connection is not used again: {head}");
    }
}

#[test]
fn what_comes_later_on_an_idle_connection_is_nobodys_answer() {
    let upstream = Upstream::scripted(|head, peer| {
        let first = head.starts_with("GET /first");
        answer(peer, if first { b"one" } else { b"two" });
        if first {
            peer.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil").unwrap();
            // Until the balancer hangs up.
            drop(peer.read(&mut [0]));
        }
        !first
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    assert_eq!(balancer.get("/first").text(), "one");
    eventually("the connection is dropped", || upstream.is_left().then_some(()));
    assert_eq!(balancer.get("/second").text(), "two");
}

#[test]
fn a_get_gets_no_answer_that_came_before_it() {
    const FIRST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    for (method, answered, stray) in [
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 408 Late\r\nConnection: close\r\n\r\n"),
        ("HEAD", FIRST, "evil"),
        ("HEAD", FIRST, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    ] {
        let (go, gone) = std::sync::mpsc::sync_channel::<()>(1);
        let gone = std::sync::Mutex::new(gone);
        let upstream = Upstream::scripted(move |head, peer| {
            if head.contains(" /next ") {
                return answer(peer, b"fine");
            }
            peer.get_mut().write_all(answered.as_bytes()).unwrap();
            // Once the client has that, the connection is idle.
            gone.lock().unwrap().recv().unwrap();
            peer.get_mut().write_all(stray.as_bytes()).is_ok()
        });
        let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
        let mut client = balancer.connect();
        client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.answer_to_head().status, 200);
        go.send(()).unwrap();
        eventually("the backend has said more", || upstream.is_unread().then_some(()));
        assert_eq!(client.get("/next").text(), "fine", "{stray:?}");
        assert_eq!(upstream.connections.load(Ordering::SeqCst), 2, "{stray:?}");
    }
}

#[test]
fn an_answer_that_lasts_until_the_end_does_not_look_whole_when_it_is_cut_off() {
    let upstream = Upstream::scripted(|_, peer| {
        peer.get_mut().write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").unwrap();
        // Says nothing more until the balancer hangs up.
        drop(peer.read(&mut [0]));
        false
    });
    let mut balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    read_head(&mut client.0).unwrap();
    let mut start = [0; 3];
    client.0.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"one");
    balancer.signal(Signal::TERM);
    eventually("it has noticed", || balancer.log().contains("SIGTERM").then_some(()));
    // The second one does not wait for answers.
    balancer.signal(Signal::TERM);
    assert!(client.0.read(&mut [0]).is_err(), "no end of a body");
    balancer.end();
}

#[test]
fn interim_answers_are_passed_on_and_have_a_bound() {
    let upstream = Upstream::scripted(|head, peer| {
        let many = if head.starts_with("GET /many") { 1000 } else { 2 };
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(many);
        drop(peer.get_mut().write_all(early.as_bytes()));
        drop(peer.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n"));
        answer(peer, b"late")
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..2 {
        let early = client.answer();
        assert_eq!((early.status, early.field("link")), (103, Some("</a>")));
    }
    assert_eq!(client.answer().text(), "late");
    // Whoever says that this is its last request is told, too.
    let mut last = balancer.connect();
    last.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!([last.answer().status, last.answer().status, last.answer().status], [103, 103, 200]);
    client.send("GET /many HTTP/1.1\r\nHost: a\r\n\r\n");
    let statuses: Vec<u16> =
        std::iter::from_fn(|| client.try_answer(false).ok()).map(|answer| answer.status).take(9).collect();
    assert_eq!(statuses, [103, 103, 103, 103, 103, 103, 103, 103, 502]);
}

#[test]
fn an_early_answer_ends_a_request_whose_body_is_still_coming() {
    let upstream = Upstream::scripted(|_, peer| answer(peer, b"early"));
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1", "--buffer-requests", "0"]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nbegun");
    let early = client.answer();
    assert_eq!((early.text(), early.field("connection")), ("early", Some("close")));
    client.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(&mut client), "");
    assert_eq!(balancer.get("/").text(), "early");
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 2, "what may still be in it is not used again");
}

#[test]
fn a_final_answer_to_an_expectation_leaves_nothing_behind() {
    for status in ["417 Expectation Failed", "200 OK"] {
        let upstream = Upstream::scripted(move |head, peer| {
            assert!(!head.to_lowercase().contains("expect:"), "{head}");
            let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            peer.get_mut().write_all(text.as_bytes()).is_ok()
        });
        let balancer = Balancer::with(&[upstream.address], &["--threads", "1", "--buffer-requests", "0"]);
        let mut client = balancer.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        let mut last = client.answer();
        if last.status == 100 {
            last = client.answer();
        }
        assert_eq!((last.status.to_string().as_str(), last.field("connection")), (&status[..3], Some("close")));
        client.send("GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n");
        client.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(rest(&mut client), "");
        assert_eq!(upstream.requests(), 1);
    }
}

#[test]
fn trailers_pass_and_framing_hidden_in_them_does_not() {
    let upstream = Upstream::scripted(|head, peer| {
        drop(read_body(peer, head, false));
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n";
        peer.get_mut().write_all(text.as_bytes()).is_ok()
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let text = rest(&mut client);
    assert!(text.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"), "{text}");
}

#[test]
fn a_tunnel_carries_what_was_said_before_it_was_open() {
    let upstream = Upstream::scripted(|_, peer| {
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\nhello";
        peer.get_mut().write_all(agreed.as_bytes()).unwrap();
        let mut said = [0; 5];
        peer.read_exact(&mut said).unwrap();
        peer.get_mut().write_all(&said).unwrap();
        false
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\nearly");
    assert_eq!(client.answer().status, 101);
    assert_eq!(rest(&mut client), "helloearly");
    let other = Upstream::scripted(|_, peer| {
        let other = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
        peer.get_mut().write_all(other.as_bytes()).is_ok()
    });
    let balancer = Balancer::with(&[other.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n");
    assert_eq!(client.answer().status, 502, "nobody asked for that one");
}
