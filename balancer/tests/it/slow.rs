use std::{
    io::{BufRead, Read, Write},
    sync::mpsc,
};

use crate::{
    bounds::{narrow, with_lines},
    compression::unpacked,
    harness::{Balancer, Connection, PATIENCE, eventually, field, read_body, read_head},
    http2::{
        Scene, USUAL,
        raw::{DATA, RESET, WINDOW_UPDATE},
    },
    upstream::{Upstream, answer},
};

/// Beginnings of requests whose bodies are to come, and the rest of each.
const HALVES: [(&str, &str); 3] = [
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", " body"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha", "lf\r\n5\r\n body\r\n0\r\n\r\n"),
    ("POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\n", "half body"),
];

#[test]
fn bodies_that_come_slowly_are_at_no_backend() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut slow: Vec<(Connection, &str)> = Vec::new();
    for (half, rest) in HALVES.iter().cycle().take(60) {
        let mut client = balancer.connect();
        client.send(half);
        slow.push((client, rest));
    }
    for (client, _) in &slow {
        eventually("what has come of it is read", || client.is_read().then_some(()));
    }
    assert_eq!(balancer.get("/").status, 200);
    assert_eq!(upstream.requests(), 1, "only who sends all of it gets there");
    for (client, rest) in &mut slow {
        client.send(*rest);
        assert!(client.answer().text().ends_with("half body"));
    }
    assert_eq!(upstream.requests(), 61);
}

#[test]
fn who_waits_to_be_told_is_told_before_a_backend_is_chosen() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    assert_eq!(upstream.requests(), 0);
    client.send("body");
    assert!(client.answer().text().ends_with("body"));
}

#[test]
fn a_body_longer_than_what_is_waited_for_goes_on_as_it_comes() {
    for framing in ["Content-Length: 300000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n493e0\r\n"] {
        let upstream = Upstream::scripted(|head, peer| {
            let length = read_body(peer, head, false).unwrap().len();
            answer(peer, length.to_string().as_bytes())
        });
        let balancer = Balancer::in_front_of(&[upstream.address]);
        let mut client = balancer.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}"));
        client.send(vec![b'x'; 65_000]);
        eventually("it is read", || client.is_read().then_some(()));
        assert_eq!(upstream.requests(), 0);
        client.send(vec![b'x'; 35_000]);
        eventually("its head is at the backend", || (upstream.requests() == 1).then_some(()));
        client.send(vec![b'x'; 200_000]);
        if framing.starts_with('T') {
            client.send("\r\n0\r\n\r\n");
        }
        assert_eq!(client.answer().text(), "300000");
    }
}

#[test]
fn a_route_says_how_much_of_a_body_is_waited_for() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::with_file(&format!(
        "[[pool.server]]\naddress = \"{}\"\n[[route]]\n[[route]]\nlocation = \"/live\"\nbuffer_requests = \"0\"\n",
        upstream.address
    ));
    for (path, requests) in [("/", 0), ("/live", 1)] {
        let mut client = balancer.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"));
        eventually("it is read", || client.is_read().then_some(()));
        if requests > 0 {
            eventually("its head is at the backend", || (upstream.requests() == requests).then_some(()));
        }
        assert_eq!(upstream.requests(), requests);
    }
}

#[test]
fn a_body_that_has_come_whole_can_be_sent_to_another_backend() {
    let (gone, here) = (Upstream::closing(), Upstream::echoing());
    let balancer = Balancer::with_pool("", &[gone.address, here.address]);
    for framing in ["Content-Length: 50000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nc350\r\n"] {
        for _ in 0..2 {
            let mut client = balancer.connect();
            client.send(format!("PUT / HTTP/1.1\r\nHost: a\r\n{framing}{}", "x".repeat(50_000)));
            if framing.starts_with('T') {
                client.send("\r\n0\r\n\r\n");
            }
            let answer = client.answer();
            assert!(answer.status == 200 && answer.text().ends_with(&"x".repeat(50_000)), "{}", answer.head);
        }
    }
    assert!(gone.requests() >= 2, "it was asked first at times");
}

#[test]
fn answers_that_are_taken_slowly_keep_no_backend() {
    let upstream = Upstream::scripted(|head, peer| {
        drop(read_body(peer, head, false));
        if head.starts_with("POST") { answer(peer, &vec![b'y'; 900_000]) } else { answer(peer, b"here") }
    });
    let server = format!("address = \"{}\"\nmax_conns = 1", upstream.address);
    let balancer = Balancer::with_servers("", &[server]);
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut client = narrow(&balancer);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        slow.push(client);
    }
    eventually("all of them are served", || (upstream.requests() == 20).then_some(()));
    assert_eq!(balancer.get("/").text(), "here");
    for mut client in slow {
        assert_eq!(client.answer().body.len(), 900_000);
    }
}

/// Text that can hardly be made smaller.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8)
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn compressed_answers_that_are_taken_slowly_keep_no_backend_and_come_whole() {
    const HEADS: [&str; 2] = ["Content-Length: 900000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\ndbba0\r\n"];
    let upstream = Upstream::scripted(|request, peer| {
        drop(read_body(peer, request, false));
        if request.starts_with("GET") {
            return answer(peer, b"here");
        }
        let is_chunked = request.contains("/chunked");
        let end = if is_chunked { "\r\n0\r\n\r\n" } else { "" };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{}", HEADS[usize::from(is_chunked)]);
        peer.get_mut().write_all(format!("{head}{}{end}", noise(900_000)).as_bytes()).is_ok()
    });
    let server = format!("[[pool.server]]\naddress = \"{}\"\nmax_conns = 1", upstream.address);
    let balancer = Balancer::with_file(&format!("{server}\n[[route]]\ncompress = true\n"));
    let mut slow = Vec::new();
    for coding in ["gzip", "zstd"].into_iter().cycle().take(8) {
        let path = if slow.len() % 4 < 2 { "/counted" } else { "/chunked" };
        let mut client = narrow(&balancer);
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\nContent-Length: 2");
        client.send(format!("{head}\r\n\r\nhi"));
        slow.push(client);
    }
    eventually("all of them are served", || (upstream.requests() == 8).then_some(()));
    assert_eq!(balancer.get("/").text(), "here");
    for mut client in slow {
        let answer = client.answer();
        assert!(answer.field("content-encoding").is_some(), "{}", answer.head);
        assert!(unpacked(&answer) == noise(900_000));
    }
}

/// Answers a GET whole, and breaks off all others after 900,000 bytes.
fn breaking_off() -> Upstream {
    Upstream::scripted(|request, peer| {
        drop(read_body(peer, request, false));
        if request.starts_with("GET") {
            return answer(peer, b"here");
        }
        let is_chunked = request.contains("/chunked");
        let framing =
            if is_chunked { "Transfer-Encoding: chunked\r\n\r\ndbba0\r\n" } else { "Content-Length: 900001\r\n\r\n" };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{framing}");
        drop(peer.get_mut().write_all(format!("{head}{}", noise(900_000)).as_bytes()));
        false
    })
}

#[test]
fn what_was_read_ahead_of_an_answer_that_breaks_off_arrives_and_the_answer_never_looks_complete() {
    let upstream = breaking_off();
    let server = format!("[[pool.server]]\naddress = \"{}\"\nmax_conns = 1", upstream.address);
    let balancer = Balancer::with_file(&format!("{server}\n[[route]]\ncompress = true\n"));
    for (path, coding) in [("/counted", "x"), ("/chunked", "x"), ("/counted", "gzip"), ("/chunked", "gzip")] {
        let mut client = narrow(&balancer);
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\nContent-Length: 2");
        client.send(format!("{head}\r\n\r\nhi"));
        assert_eq!(balancer.get("/").text(), "here", "the backend is free");
        let head = read_head(&mut client.0).unwrap();
        let (body, is_whole) = read_chunks(&mut client, &head);
        assert!(!is_whole, "{path} {coding}");
        let mut text = String::new();
        let came = match field(&head, "content-encoding") {
            Some(_) => {
                flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).map_or_else(|_| text.len(), |_| 0)
            }
            None => body.len(),
        };
        assert_eq!(came, 900_000, "{path} {coding}");
    }
}

/// The data of a body as far as it comes, and whether it ends as it should.
fn read_chunks(client: &mut Connection, head: &str) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    if let Some(length) = field(head, "content-length") {
        drop(client.0.read_to_end(&mut body));
        return (body.clone(), body.len() == length.parse::<usize>().unwrap());
    }
    loop {
        let mut size = String::new();
        if client.0.read_line(&mut size).unwrap_or(0) == 0 {
            return (body, false);
        }
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        client.0.read_exact(&mut chunk).unwrap();
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return (body, true);
        }
    }
}

#[test]
fn what_was_read_ahead_arrives_over_http_2_too_before_the_reset() {
    let scene = Scene::of(breaking_off());
    let mut client = scene.connect();
    let post: Vec<_> = [(":method", "POST")].into_iter().chain(USUAL.into_iter().skip(1)).collect();
    client.request(1, &post, true);
    client.request(3, &USUAL, true);
    let (mut came, mut reset) = (0, false);
    while !reset {
        let frame = client.next().unwrap();
        reset = frame.kind == RESET && frame.id == 1;
        if frame.kind == DATA && frame.id == 1 {
            assert_eq!(frame.flags & 1, 0, "it is not the end");
            came += frame.payload.len();
            let more = u32::try_from(frame.payload.len()).unwrap().to_be_bytes();
            client.frame(WINDOW_UPDATE, 0, 0, &more);
            client.frame(WINDOW_UPDATE, 0, 1, &more);
        }
    }
    // What is in the buffer of its sending may be lost.
    assert!((900_000 - 65_536..=900_000).contains(&came), "{came}");
}

#[test]
fn a_file_that_is_taken_too_slowly_is_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("long")).unwrap().set_len(1 << 36).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines = "worker_threads = 1\nclient_read_min_rate = \"100MiB\"\nclient_read_patience = \"1s\"\n";
    let route = format!("[[listen]]\naddress = \"127.0.0.1:0\"\n[[route]]\nroot = \"{}\"\n", folder.path().display());
    std::fs::write(file.path(), format!("{lines}{route}")).unwrap();
    let balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let mut client = narrow(&balancer);
    client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is let go though the file has more", || match client.0.read(&mut [0; 512]) {
        Ok(0) | Err(_) => Some(()),
        Ok(_) => None,
    });
}

#[test]
fn an_answer_that_is_taken_too_slowly_is_broken_off() {
    let (tell, told) = mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |_, peer| {
        peer.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n").unwrap();
        while peer.get_mut().write_all(&[b'x'; 1 << 16]).is_ok() {}
        tell.send(()).unwrap();
        false
    });
    let lines = "client_read_min_rate = \"100MiB\"\nclient_read_patience = \"1s\"";
    let balancer = with_lines(&upstream, lines, "");
    let mut client = narrow(&balancer);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is let go though it never stops", || match client.0.read(&mut [0; 512]) {
        Ok(0) | Err(_) => Some(()),
        Ok(_) => None,
    });
    told.recv_timeout(PATIENCE).expect("the backend's connection is closed");
}

#[test]
fn the_patience_with_backends_is_none_with_clients() {
    const LONG: usize = 3 << 20;
    let upstream = Upstream::scripted(|head, peer| {
        if head.starts_with("GET /never") {
            return true;
        }
        if head.starts_with("POST") {
            peer.read_exact(&mut vec![0; 200_000]).unwrap();
            return answer(peer, b"taken");
        }
        peer.get_mut().write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LONG}\r\n\r\n").as_bytes()).unwrap();
        peer.get_mut().write_all(&vec![b'x'; LONG]).is_ok()
    });
    let balancer = with_lines(&upstream, "", "read_timeout = \"1s\"\nnext_upstream_tries = 1");
    let (mut reader, mut writer) = (narrow(&balancer), balancer.connect());
    reader.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    writer.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(100_000)));
    // Each takes as long as there is patience with a backend.
    (0..3).for_each(|_| assert_eq!(balancer.get("/never").status, 504));
    writer.send("x".repeat(100_000));
    assert_eq!(writer.answer().text(), "taken");
    assert_eq!(reader.answer().body.len(), LONG);
}

#[test]
fn who_takes_an_answer_faster_than_that_is_seen_to_do_so() {
    let upstream = Upstream::scripted(move |_, peer| {
        peer.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n").unwrap();
        while peer.get_mut().write_all(&[b'x'; 1 << 16]).is_ok() {}
        false
    });
    let lines = "client_read_min_rate = \"10KiB\"\nclient_read_patience = \"2s\"";
    let balancer = with_lines(&upstream, lines, "read_timeout = \"2s\"");
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Some 160 KiB a second for five of them; a kernel that holds megabytes says nothing in all that time.
    let (_held, pause) = mpsc::sync_channel::<()>(1);
    for read in 0..100 {
        client.0.read_exact(&mut [0; 8192]).unwrap_or_else(|error| panic!("after {read} times: {error}"));
        assert!(pause.recv_timeout(std::time::Duration::from_millis(50)).is_err());
    }
    client.0.read_exact(&mut vec![0; 1 << 24]).expect("it is still there");
}
