use std::io::Write;

use rustix::process::Signal;

use super::{CONTINUATION, DATA, HEADERS, RESET, Raw, SETTINGS, Scene, USUAL, WINDOW_UPDATE, block, usual};
use crate::{
    harness::{eventually, read_body},
    upstream::{Upstream, answer},
};

/// A client that takes at most a few KiB ahead of what it reads, with windows for far more.
fn slow(scene: &Scene) -> Raw {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&scene.balancer.tls.into()).unwrap();
    let mut client = Raw::over(socket.into(), &scene.authority);
    client.frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
    client
}

#[test]
fn an_answer_is_under_way_until_it_has_gone_out_and_a_stop_waits_for_it() {
    const ANSWERS: u32 = 60;
    const LENGTH: usize = 50_000;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let upstream = Upstream::scripted(|_, peer| answer(peer, &[b'x'; LENGTH]));
    let mut scene = Scene::with(upstream, &["--access-log", log.to_str().unwrap()]);
    let (mut client, mut other) = (slow(&scene), scene.connect());
    let ids = (0..ANSWERS).map(|number| 2 * number + 1);
    for id in ids.clone() {
        client.request(id, &USUAL, true);
    }
    client.flush();
    eventually("all are at the backend", || (scene.upstream.requests() == ANSWERS as usize).then_some(()));
    other.request(1, &usual("GET", "/other"), true);
    assert!(other.answer(1).is_ok());
    scene.balancer.signal(Signal::USR1);
    let told = || std::fs::read_to_string(&log).unwrap();
    eventually("the other one is told", || told().contains("GET /other ").then_some(()));
    assert!(told().lines().count() < ANSWERS as usize / 2, "who has got nothing has not got all");
    let mut idle = scene.balancer.connect();
    scene.balancer.signal(Signal::TERM);
    assert!(idle.is_closed(), "all are let go");
    let mut taken = vec![0; ANSWERS as usize];
    while taken.iter().any(|taken| *taken < LENGTH) {
        let frame = client.next().unwrap_or_else(|| panic!("{taken:?}"));
        if frame.kind == DATA {
            taken[frame.id as usize / 2] += frame.payload.len();
        }
    }
    drop(client);
    drop(other);
    assert!(scene.balancer.end().success());
    assert_eq!(told().matches(" 200 50000 ").count(), ANSWERS as usize + 1, "{}", told());
}

#[test]
fn a_client_that_leaves_before_its_answer_has_gone_out_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let upstream = Upstream::scripted(|_, peer| answer(peer, &[b'x'; 50_000]));
    let mut scene = Scene::with(upstream, &["--access-log", log.to_str().unwrap()]);
    let mut client = slow(&scene);
    for id in (1..121).step_by(2) {
        client.request(id, &USUAL, true);
    }
    // Of one nobody wants to hear any more, and then of none.
    eventually("all are at the backend", || (scene.upstream.requests() == 60).then_some(()));
    client.frame(RESET, 0, 119, &8_u32.to_be_bytes());
    client.flush();
    let told = |what: &str| std::fs::read_to_string(&log).unwrap().matches(what).count();
    eventually("it is told", || {
        scene.balancer.signal(Signal::USR1);
        (told("flag=cut by=client") == 1).then_some(())
    });
    drop(client);
    assert_eq!(scene.balancer.stop(), Some(0));
    assert!(told("flag=cut by=client") > 30 && told(" 200 ") == 60, "{}", std::fs::read_to_string(&log).unwrap());
}

#[test]
fn a_refused_head_is_told_whether_its_answer_is_taken_or_not() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let keys = format!("client_read_patience = \"1s\"\naccess_log = \"{}\"\n", log.path().display());
    let scene = Scene::with_keys(Upstream::echoing(), &keys);
    let mut client = scene.connect();
    // It lets us send nothing but heads.
    client.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    client.request(1, &usual("GET", "/odd#"), true);
    client.request(3, &[&usual("GET", "/odd")[..], &[("X", "y")]].concat(), true);
    client.flush();
    let told = || std::fs::read_to_string(log.path()).unwrap();
    eventually("both are told", || {
        scene.balancer.signal(Signal::USR1);
        (told().lines().count() == 2).then_some(())
    });
    assert!(
        told().contains("\"GET - HTTP/2.0\" 400 0 ") && told().contains("\"GET /odd HTTP/2.0\" 400 0 "),
        "{}",
        told()
    );
}

#[test]
fn a_head_that_does_not_end_ends_its_connection_whatever_else_that_does() {
    let upstream = Upstream::scripted(|_, peer| {
        let event = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
        peer.get_mut().write_all(event.as_bytes()).is_ok() && std::io::Read::read(peer, &mut [0]).is_err()
    });
    let scene = Scene::with_keys(upstream, "client_header_timeout = \"1s\"\n");
    let mut client = scene.connect();
    client.request(1, &USUAL, true);
    assert!(client.until(|frame| frame.kind == DATA).is_some());
    client.frame(HEADERS, 1, 3, &block(&USUAL));
    assert!(client.until(|_| false).is_none(), "it is closed");
    eventually("the backend is let go with it", || scene.upstream.is_left().then_some(()));
}

#[test]
fn of_a_head_that_says_the_same_again_and_again_nothing_is_kept() {
    let scene = Scene::of(Upstream::echoing());
    let mut clients = [(); 8].map(|()| scene.connect());
    clients.iter_mut().for_each(|client| {
        client.request(1, &USUAL, true);
        assert!(client.answer(1).is_ok());
    });
    let before = scene.balancer.peak_memory();
    // `:method: GET` in a byte, in fewer pieces than are taken for a flood: 19 MB of it, and all heads end behind that.
    for client in &mut clients {
        client.frame(HEADERS, 1, 3, &block(&USUAL));
        (0..150).for_each(|_| client.frame(CONTINUATION, 0, 3, &[0x82; 16_000]));
        client.flush();
    }
    for client in &mut clients {
        client.frame(CONTINUATION, 4, 3, &[]);
        assert_eq!(client.status(3), 400);
    }
    let grown = scene.balancer.peak_memory() - before;
    assert!(grown < 8 * 1024, "{grown} KiB");
    for client in &mut clients {
        client.request(5, &USUAL, true);
        assert!(client.answer(5).is_ok(), "the connection stays");
    }
}

#[test]
fn what_is_refused_is_told_with_what_was_asked_for_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let mut scene = Scene::with(Upstream::echoing(), &["--access-log", log.to_str().unwrap()]);
    let mut client = scene.connect();
    let post = [&usual("POST", "/trailed")[..], &[("content-length", "5")]].concat();
    client.request(1, &post, false);
    client.frame(DATA, 0, 1, b"hello");
    client.frame(HEADERS, 5, 1, &block(&[("x", " y")]));
    assert_eq!(client.answer(1).as_deref(), Ok("400 Bad Request: there is a blank around the value of a field\n"));
    client.request(3, &usual("POST", "/chunked"), false);
    client.frame(HEADERS, 5, 3, &block(&[(":path", "/")]));
    assert_eq!(client.answer(3).as_deref(), Ok("400 Bad Request: there is a pseudo-field among the trailers\n"));
    // An answer to HEAD has no body, whatever is wrong with the head.
    let long = "y".repeat(40_000);
    for (id, path, more, status) in
        [(5, "/odd", ("X", "y"), 400), (7, "/two", ("host", "b"), 400), (9, "/long", ("x", long.as_str()), 431)]
    {
        let head = block(&[&usual("HEAD", path)[..], &[more]].concat());
        let mut pieces: Vec<&[u8]> = head.chunks(16_384).collect();
        let last = pieces.pop().unwrap();
        for (number, piece) in pieces.iter().enumerate() {
            client.frame(if number == 0 { HEADERS } else { CONTINUATION }, u8::from(number == 0), id, piece);
        }
        client.frame(if pieces.is_empty() { HEADERS } else { CONTINUATION }, 5, id, last);
        assert_eq!((client.answer(id).as_deref(), client.statuses[..] == [status]), (Ok(""), true), "{path}");
    }
    client.request(11, &[(":method", "PUT"), ("x", "y")], true);
    assert_eq!(client.status(11), 400);
    drop(client);
    assert_eq!(scene.balancer.stop(), Some(0));
    let lines = std::fs::read_to_string(log).unwrap();
    for told in [
        "\"POST /trailed HTTP/2.0\" 400 ",
        "\"POST /chunked HTTP/2.0\" 400 ",
        "\"HEAD /odd HTTP/2.0\" 400 0 ",
        "\"HEAD /two HTTP/2.0\" 400 0 ",
        "\"HEAD /long HTTP/2.0\" 431 0 ",
        "\"PUT - HTTP/2.0\" 400 ",
    ] {
        assert!(lines.contains(told), "{told} in {lines}");
    }
    assert!(!lines.contains("499"), "{lines}");
}

#[test]
fn what_comes_for_requests_that_were_refused_costs_the_others_nothing() {
    let upstream = Upstream::scripted(|head, peer| read_body(peer, head, false).is_ok_and(|body| answer(peer, &body)));
    let scene = Scene::with_places(upstream, 8);
    let mut client = scene.connect();
    for id in (1..257).step_by(2) {
        client.request(id, &usual("POST", "/"), false);
    }
    client.flush();
    // Four are let in. The others are in flight with their data as they are refused.
    let mut refused = 0;
    while refused < 124 {
        refused += usize::from(client.until(|frame| frame.kind == RESET).is_some());
    }
    for _ in 0..3 {
        for id in (1..257).step_by(2) {
            client.frame(DATA, 0, id, b"some");
        }
    }
    for id in (1..257).step_by(2) {
        client.frame(DATA, 1, id, b"");
    }
    let (mut bodies, mut ended) = (String::new(), 0);
    while ended < 4 {
        let frame = client.until(|frame| frame.kind == DATA).unwrap();
        bodies.push_str(std::str::from_utf8(&frame.payload).unwrap());
        ended += usize::from(frame.flags & 1);
    }
    assert_eq!(bodies, "somesomesome".repeat(4));
    let mut ids = (257..).step_by(2);
    eventually("the connection stays, and there is room again", || {
        let id = ids.next()?;
        client.request(id, &usual("POST", "/"), true);
        client.answer(id).ok()
    });
}
