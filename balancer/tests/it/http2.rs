use std::{
    io::{Read, Write},
    process::Command,
    sync::{Arc, Mutex, mpsc},
};

use rustix::process::Signal;

use self::raw::{CONTINUATION, DATA, GOAWAY, HEADERS, RESET, Raw, SETTINGS, WINDOW_UPDATE, block, status};
use crate::{
    harness::{Balancer, PATIENCE, connect_from, eventually, read_body, read_head},
    metrics::{self, page, value},
    tls::{
        Authority,
        clients::{run, text},
        speaking,
    },
    upstream::{Upstream, answer},
};

/// A client that writes frames by hand.
pub(crate) mod raw;
/// Frames by the letter of RFC 9113, and others.
mod frames;
/// What attackers send over it.
mod attacks;
/// Answers that take their time to go out, and heads that never end.
mod endings;

/// A balancer that speaks HTTP/2, and whom to trust.
pub(crate) struct Scene {
    pub(crate) authority: Authority,
    pub(crate) upstream: Upstream,
    pub(crate) balancer: Balancer,
}

impl Scene {
    pub(crate) fn of(upstream: Upstream) -> Self {
        Self::with(upstream, &[])
    }

    pub(crate) fn with(upstream: Upstream, more: &[&str]) -> Self {
        let authority = Authority::new();
        let own = authority.sign("own", &["localhost"]);
        let balancer = speaking(&upstream, &[&own], more);
        Self { authority, upstream, balancer }
    }

    /// With places for so many connections, and as many requests.
    fn with_places(upstream: Upstream, most: usize) -> Self {
        Self::with_keys(upstream, &format!("worker_connections = {most}\nmetrics_listen = \"127.0.0.1:0\"\n"))
    }

    /// With these keys at the top of its file.
    pub(crate) fn with_keys(upstream: Upstream, keys: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let server = format!("[[pool.server]]\naddress = \"{}\"\n", upstream.address);
        let listen = "[[listen]]\naddress = \"127.0.0.1:0\"\n";
        std::fs::write(file.path(), format!("{keys}{listen}{server}")).unwrap();
        Self::with(upstream, &["--config", file.path().to_str().unwrap()])
    }

    pub(crate) fn connect(&self) -> Raw {
        Raw::to(self.balancer.tls, &self.authority)
    }
}

/// A balancer that speaks HTTP/2 before whatever is at this address, and whom to trust.
pub(crate) fn speaking_to(backend: &str) -> (Authority, Balancer) {
    let authority = Authority::new();
    let [pem, key] = authority.sign("own", &["localhost"]);
    let flags = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &pem, "--tls-key", &key, "--backend", backend];
    let balancer = Balancer::run(&flags);
    (authority, balancer)
}

/// What every request has.
pub(crate) const USUAL: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")];

fn usual(method: &'static str, path: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
}

#[test]
fn a_request_goes_on_as_one_of_http_1_1_and_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let mut scene = Scene::with(Upstream::echoing(), &["--access-log", log.to_str().unwrap()]);
    let mut client = scene.connect();
    let more = [("cookie", "a=b"), ("x", "y"), ("cookie", "c=d"), ("te", "trailers"), ("x-forwarded-for", "6.6.6.6")];
    client.request(1, &[&usual("GET", "/p?q")[..], &more].concat(), true);
    let seen = client.answer(1).unwrap().to_lowercase();
    assert!(seen.starts_with("get /p?q http/1.1\r\nhost: localhost\r\n"), "{seen}");
    for line in ["cookie: a=b; c=d", "x: y", "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: https"] {
        assert_eq!(seen.lines().filter(|seen| *seen == line).count(), 1, "{line} in {seen}");
    }
    assert!(!seen.contains("te:") && !seen.contains("6.6.6.6") && !seen.contains("transfer-encoding"), "{seen}");
    client.request(3, &usual("GET", "/%zz"), true);
    assert_eq!(client.status(3), 400);
    client.request(5, &[&usual("GET", "/q")[..], &[("x", " y")]].concat(), true);
    assert_eq!(client.status(5), 400);
    drop(client);
    scene.balancer.stop();
    let lines = std::fs::read_to_string(log).unwrap();
    for told in ["\"GET /p?q HTTP/2.0\" 200 ", "\"GET /%zz HTTP/2.0\" 400 ", "\"GET /q HTTP/2.0\" 400 "] {
        assert!(lines.contains(told), "{told} in {lines}");
    }
}

#[test]
fn many_requests_are_under_way_at_a_time_and_none_waits_for_another() {
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = Mutex::new(gone);
    let scene = Scene::of(Upstream::scripted(move |head, peer| {
        if head.starts_with("GET /slow") {
            let _ = gone.lock().unwrap().recv();
        }
        answer(peer, head.as_bytes())
    }));
    let mut client = scene.connect();
    client.request(1, &usual("GET", "/slow"), true);
    for id in (3..203).step_by(2) {
        client.request(id, &usual("GET", "/fast"), true);
        assert!(client.answer(id).unwrap().starts_with("GET /fast "));
    }
    go.send(()).unwrap();
    assert!(client.answer(1).unwrap().starts_with("GET /slow "));
}

#[test]
fn one_address_has_half_of_the_places_for_requests_and_a_newcomer_gets_one() {
    const REFUSED_STREAM: u32 = 7;
    let upstream = Upstream::scripted(|head, peer| head.starts_with("GET /held") || answer(peer, b"hi"));
    let scene = Scene::with_places(upstream, 8);
    let mut greedy = [scene.connect(), scene.connect()];
    for client in &mut greedy {
        client.request(1, &usual("GET", "/held"), true);
        client.request(3, &usual("GET", "/held"), true);
    }
    eventually("four are under way", || (scene.upstream.requests() == 4).then_some(()));
    for client in &mut greedy {
        client.request(5, &usual("GET", "/"), true);
        assert_eq!(client.answer(5), Err(REFUSED_STREAM));
    }
    let page = page(metrics::address(&scene.balancer));
    assert_eq!(value(&page, "logkin_balancer_http2_streams_refused_total"), Some("2"));
    let from = ([127, 0, 0, 7], 0).into();
    let mut newcomer = Raw::over(connect_from(from, scene.balancer.tls), &scene.authority);
    newcomer.request(1, &usual("GET", "/"), true);
    assert_eq!(newcomer.answer(1).as_deref(), Ok("hi"));
    drop(greedy);
    eventually("its places come back", || {
        let mut again = scene.connect();
        again.request(1, &usual("GET", "/"), true);
        again.answer(1).ok()
    });
}

#[test]
fn a_connection_that_rests_leaves_for_who_comes() {
    let scene = Scene::with_places(Upstream::saying("hi"), 1);
    let mut clients = [(); 2].map(|()| {
        let mut client = scene.connect();
        client.request(1, &usual("GET", "/"), true);
        assert_eq!(client.answer(1).as_deref(), Ok("hi"));
        client
    });
    assert!(clients[0].until(|_| false).is_none(), "it is closed");
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    let scene = Scene::of(Upstream::scripted(|head, peer| {
        let mut body = Vec::new();
        if head.to_lowercase().contains("transfer-encoding") {
            while !body.ends_with(b"\r\n\r\n") || !body.windows(3).any(|end| end == b"0\r\n") {
                let mut byte = [0];
                peer.read_exact(&mut byte).unwrap();
                body.push(byte[0]);
            }
        } else {
            body = read_body(peer, head, false).unwrap();
        }
        let text = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Gone\r\nX-Gone: 1\r\n\r\n{:x}\r\n{}\r\n0\r\nX-Sum: 7\r\nX-Gone: 1\r\n\r\n",
            body.len(),
            String::from_utf8(body).unwrap()
        );
        peer.get_mut().write_all(text.as_bytes()).is_ok()
    }));
    let mut client = scene.connect();
    client.request(1, &usual("POST", "/"), false);
    client.frame(DATA, 0, 1, b"hello");
    client.frame(HEADERS, 5, 1, &block(&[("x-sum", "8"), ("expires", "0")]));
    let seen = client.answer(1).unwrap();
    assert_eq!(seen, "5\r\nhello\r\n0\r\nx-sum: 8\r\n\r\n");
    assert!(client.trailed, "the backend's trailers came as such");
    client.request(3, &[&usual("POST", "/")[..], &[("content-length", "5")]].concat(), false);
    client.frame(DATA, 0, 3, b"hel");
    client.frame(DATA, 1, 3, b"lo");
    assert_eq!(client.answer(3).unwrap(), "hello");
}

#[test]
fn answers_without_a_body_and_of_ours_are_whole() {
    let scene = Scene::of(Upstream::scripted(|head, peer| {
        let text = match head.split(' ').nth(1).unwrap() {
            "/204" | "*" => "HTTP/1.1 204 No Content\r\n\r\n",
            "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "/early" => "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "/odd" => "HTTP/1.1 2000\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        };
        peer.get_mut().write_all(text.as_bytes()).is_ok()
    }));
    for (method, path, statuses, body) in [
        ("HEAD", "/", &[200][..], ""),
        ("GET", "/204", &[204], ""),
        ("GET", "/304", &[304], ""),
        ("GET", "/early", &[103, 200], ""),
        ("GET", "/odd", &[502], "502 Bad Gateway: the application's answer could not be understood\n"),
        ("HEAD", "/odd", &[502], ""),
        ("OPTIONS", "*", &[204], ""),
    ] {
        let mut client = scene.connect();
        client.request(1, &usual(method, path), true);
        assert_eq!(client.answer(1).as_deref(), Ok(body), "{method} {path}");
        assert_eq!(client.statuses, statuses, "{method} {path}");
    }
}

#[test]
fn a_request_is_tried_again_like_any_other() {
    let (closing, good) = (Upstream::closing(), Upstream::saying("good"));
    let scene = Scene::with(good, &["--backend", &closing.address.to_string()]);
    let mut client = scene.connect();
    for id in (1..21).step_by(2) {
        client.request(id, &USUAL, true);
        assert_eq!(client.answer(id).as_deref(), Ok("good"));
    }
    assert!(closing.requests() > 0);
}

#[test]
fn a_client_that_takes_nothing_holds_its_backend_back_and_costs_no_memory() {
    let (tell, told) = mpsc::sync_channel(100);
    let scene = Scene::of(Upstream::scripted(move |head, peer| {
        let stream = peer.get_mut();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n").unwrap();
        if head.starts_with("GET /big") {
            let whole = (0..100).all(|_| stream.write_all(&[b'x'; 1_000_000]).is_ok());
            tell.send(whole).unwrap();
        }
        false
    }));
    let mut client = scene.connect();
    let before = scene.balancer.peak_memory();
    for id in (1..101).step_by(2) {
        client.request(id, &usual("GET", "/big"), true);
    }
    eventually("all are at the backend", || (scene.upstream.requests() == 50).then_some(()));
    // The windows are those of the standard, 64 KiB for all; nothing more comes before they are opened.
    let mut got = 0;
    while got < 65_535 {
        let frame = client.next().unwrap();
        got += if frame.kind == DATA { frame.payload.len() } else { 0 };
    }
    assert!(told.try_recv().is_err(), "no backend has got rid of all of it");
    let grown = scene.balancer.peak_memory() - before;
    // As `check` tells them: of each answer 1 MiB and a buffer of 128 KiB are read ahead, and `h2` holds 64 KiB of it; heads
    // have 64 KiB for that of the answer and less than as much for those of the request. How much of it is filled depends on
    // who is faster. The answers are 5 GB.
    let most = 50 * (1024 + 128 + 64 + 2 * 64);
    assert!(grown < most, "{grown} KiB of {most}");
    drop(client);
    for _ in 0..50 {
        assert!(!told.recv_timeout(PATIENCE).unwrap(), "its backend is let go with it");
    }
}

#[test]
fn a_client_that_resets_is_not_worked_for_any_longer() {
    let (tell, told) = mpsc::sync_channel(1);
    let scene = Scene::of(Upstream::scripted(move |_, peer| {
        // Never answers; sees when nobody waits any more.
        drop(peer.read(&mut [0]));
        tell.send(()).unwrap();
        false
    }));
    let mut client = scene.connect();
    client.request(1, &USUAL, true);
    eventually("it is at the backend", || (scene.upstream.requests() == 1).then_some(()));
    client.frame(RESET, 0, 1, &8_u32.to_be_bytes());
    client.flush();
    told.recv_timeout(PATIENCE).expect("the backend's connection is closed");
}

#[test]
fn what_is_under_way_is_answered_after_sigterm_and_the_client_is_told_to_go() {
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = Mutex::new(gone);
    let mut scene = Scene::of(Upstream::scripted(move |_, peer| {
        let _ = gone.lock().unwrap().recv();
        answer(peer, b"late")
    }));
    let mut client = scene.connect();
    let mut idle = scene.connect();
    client.request(1, &USUAL, true);
    eventually("it is at the backend", || (scene.upstream.requests() == 1).then_some(()));
    scene.balancer.signal(Signal::TERM);
    assert!(client.until(|frame| frame.kind == GOAWAY).is_some(), "it is told before its answer");
    assert!(idle.until(|frame| frame.kind == GOAWAY).is_some());
    go.send(()).unwrap();
    assert_eq!(client.answer(1).as_deref(), Ok("late"));
    while client.next().is_some() {}
    while idle.next().is_some() {}
    assert_eq!(scene.balancer.end().code(), Some(0));
    assert!(!scene.balancer.log().contains("cut off"), "{}", scene.balancer.log());
}

#[test]
fn who_rests_and_answers_nothing_keeps_nothing_from_stopping() {
    let mut scene = Scene::of(Upstream::saying("hi"));
    let [mut client, mut deaf] = [scene.connect(), scene.connect()];
    for client in [&mut client, &mut deaf] {
        client.request(1, &USUAL, true);
        assert_eq!(client.answer(1).as_deref(), Ok("hi"));
    }
    assert_eq!(scene.balancer.stop(), Some(0));
    assert!(!scene.balancer.log().contains("cut off"), "{}", scene.balancer.log());
}

#[test]
fn a_connection_that_rests_too_long_is_told_to_go_and_one_that_is_busy_is_not() {
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = Mutex::new(gone);
    let upstream = Upstream::scripted(move |_, peer| {
        let _ = gone.lock().unwrap().recv();
        answer(peer, b"late")
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "client_header_timeout = \"1s\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"127.0.0.1:1\"\n";
    std::fs::write(file.path(), text).unwrap();
    let authority = Authority::new();
    let [pem, key] = authority.sign("own", &["localhost"]);
    let flags = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &pem, "--tls-key", &key, "--threads", "1"];
    let balancer =
        Balancer::with(&[upstream.address], &[&flags[..], &["--config", file.path().to_str().unwrap()]].concat());
    let mut busy = Raw::to(balancer.tls, &authority);
    busy.request(1, &USUAL, true);
    eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    let mut resting = Raw::to(balancer.tls, &authority);
    let told = resting.until(|frame| frame.kind == GOAWAY).expect("it is told");
    assert_eq!(told.payload[4..8], [0; 4], "without blame");
    while resting.next().is_some() {}
    go.send(()).unwrap();
    assert_eq!(busy.answer(1).as_deref(), Ok("late"));
}

#[test]
fn who_does_not_speak_it_is_answered_in_http_1_1() {
    let scene = Scene::of(Upstream::saying("hi"));
    for offered in [vec![], vec![b"http/1.1".to_vec()]] {
        let mut config = scene.authority.client(tokio_rustls::rustls::ALL_VERSIONS);
        config.alpn_protocols = offered;
        let mut client = crate::tls::Client::to(scene.balancer.tls, "localhost", Arc::new(config));
        client.0.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert!(read_head(&mut client.0).unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn a_host_of_another_certificate_is_misdirected() {
    let (authority, upstream) = (Authority::new(), Upstream::saying("hi"));
    let own = authority.sign("own", &["localhost"]);
    let other = authority.sign("other", &["other.example"]);
    let balancer = speaking(&upstream, &[&own, &other], &[]);
    let mut client = Raw::to(balancer.tls, &authority);
    client.request(1, &[USUAL[0], USUAL[1], (":authority", "other.example"), USUAL[3]], true);
    assert_eq!(client.status(1), 421);
    client.request(3, &USUAL, true);
    assert_eq!(client.answer(3).as_deref(), Ok("hi"), "the connection is good for its own");
    assert_eq!(upstream.requests(), 1);
}

#[test]
fn curl_and_h2load_are_answered() {
    let scene = Scene::of(Upstream::echoing());
    let url = format!("https://localhost:{}/", scene.balancer.tls.port());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![b'x'; 3_000_000]).unwrap();
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--http2",
        "-w",
        "%{http_version} %{response_code} %{size_download}",
        "-o",
        "/dev/null",
        "--cacert",
    ]);
    curl.arg(scene.authority.root()).args(["-X", "POST", "-H", "Expect: 100-continue", "-T"]).arg(file.path());
    if let Some(output) = run(curl.arg(&url), "curl", "") {
        let said = text(&output);
        assert!(said.starts_with("2 200 300"), "{said}");
    }
    let mut load = Command::new("h2load");
    if let Some(output) = run(load.args(["-n", "2000", "-c", "4", "-m", "32", &url]), "nghttp2-client", "") {
        let said = text(&output);
        assert!(said.contains("2000 succeeded, 0 failed") && said.contains("2000 2xx"), "{said}");
    }
}

/// A balancer that answers before bodies have come, in every way there is.
fn hasty(folder: &tempfile::TempDir) -> Scene {
    let upstream = Upstream::scripted(|_, peer| {
        peer.get_mut().write_all(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno").unwrap();
        drop(peer.read_to_end(&mut Vec::new()));
        false
    });
    let file = folder.path().join("file.toml");
    let head = "client_max_body_size = \"3000000\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = ";
    let routes = "[[route]]\n[[route]]\nlocation = \"/limited\"\n[route.limit_req]\nrate = \"1r/m\"\n\
                  [[route]]\nlocation = \"/file\"\nroot = ";
    let (server, root) = (upstream.address, folder.path().display());
    std::fs::write(&file, format!("{head}\"{server}\"\n{routes}\"{root}\"\n")).unwrap();
    Scene::with(upstream, &["--config", file.to_str().unwrap()])
}

#[test]
fn curl_reads_answers_that_come_before_its_body_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let scene = hasty(&folder);
    let [large, larger] = [2_000_000, 4_000_000].map(|size| {
        let path = folder.path().join(size.to_string());
        std::fs::write(&path, vec![b'x'; size]).unwrap();
        path
    });
    let statuses = [("/", &large, "413"), ("/", &larger, "413"), ("/file", &large, "405"), ("/limited", &large, "429")];
    for round in 0..4 {
        for (path, body, status) in statuses {
            let mut curl = Command::new("curl");
            curl.args(["-sS", "--http2", "-o", "/dev/null", "-w", "%{response_code}", "--cacert"]);
            curl.arg(scene.authority.root()).arg("-T").arg(body);
            let url = format!("https://localhost:{}{path}", scene.balancer.tls.port());
            let Some(output) = run(curl.arg(url), "curl", "") else { return };
            let is_first = round == 0 && path == "/limited";
            assert!(is_first || text(&output) == status, "{round} {path}: {}", text(&output));
        }
    }
}

#[test]
fn what_comes_behind_an_answer_is_taken_and_its_stream_is_not_reset() {
    let folder = tempfile::tempdir().unwrap();
    let scene = hasty(&folder);
    let mut client = scene.connect();
    client.request(1, &usual("PUT", "/file"), false);
    assert_eq!(client.status(1), 405);
    let mut window = 256 * 1024;
    for sent in 0..40 {
        while window < 16_384 {
            let frame = client.next().unwrap();
            assert_ne!(frame.kind, RESET, "after {sent} pieces");
            if frame.kind == WINDOW_UPDATE && frame.id == 1 {
                window += u32::from_be_bytes(frame.payload.try_into().unwrap());
            }
        }
        client.frame(DATA, u8::from(sent == 39), 1, &[b'x'; 16_384]);
        window -= 16_384;
    }
    client.request(3, &usual("GET", "/file/none"), true);
    let after = client.until(|frame| frame.id == 3 || frame.kind == RESET).unwrap();
    assert_eq!(after.kind, HEADERS, "the stream has ended without a reset");
}

#[test]
fn a_body_whose_end_is_told_behind_its_answer_is_not_reset() {
    let scene = Scene::of(Upstream::scripted(|_, peer| answer(peer, b"hi")));
    let mut client = scene.connect();
    // Its windows are those that were told, from there on: its own by settings, and that of the connection by the update behind them.
    client.until(|frame| frame.kind == WINDOW_UPDATE && frame.id == 0).unwrap();
    client.request(1, &[&usual("POST", "/")[..], &[("content-length", "96000")]].concat(), false);
    (0..6).for_each(|_| client.frame(DATA, 0, 1, &[b'x'; 16_000]));
    assert_eq!(client.answer(1).as_deref(), Ok("hi"));
    client.request(3, &USUAL, true);
    let mut kinds = Vec::new();
    while let Some(frame) = client.next() {
        kinds.push(frame.kind);
        if frame.id == 3 && frame.flags & 1 == 1 {
            break;
        }
    }
    assert!(!kinds.contains(&RESET), "{kinds:?}");
    client.frame(DATA, 1, 1, b"");
    client.request(5, &USUAL, true);
    let after = client.until(|frame| frame.id == 5 || frame.kind == RESET).unwrap();
    assert_eq!(after.kind, HEADERS);
}

#[test]
fn an_answer_is_taken_whole_by_who_reads_slowly_and_speaks_behind_our_end() {
    const LENGTH: usize = 300_000;
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = Mutex::new(gone);
    let mut scene = Scene::of(Upstream::scripted(move |_, peer| {
        write!(peer.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").unwrap();
        let _ = gone.lock().unwrap().recv();
        peer.get_mut().write_all(&[b'x'; LENGTH]).is_ok()
    }));
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&scene.balancer.tls.into()).unwrap();
    let (mut client, mut idle) = (Raw::over(socket.into(), &scene.authority), scene.balancer.connect());
    client.request(1, &USUAL, true);
    [0, 1].iter().for_each(|id| client.frame(WINDOW_UPDATE, 0, *id, &(1_u32 << 20).to_be_bytes()));
    client.until(|frame| frame.kind == HEADERS).unwrap();
    scene.balancer.signal(Signal::TERM);
    assert!(idle.is_closed(), "all are let go");
    go.send(()).unwrap();
    let mut taken = 0;
    while taken < LENGTH {
        let Some(frame) = client.next() else { panic!("{taken} of {LENGTH}") };
        taken += if frame.kind == DATA { frame.payload.len() } else { 0 };
        client.frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes());
    }
    drop(client);
    assert!(scene.balancer.end().success());
}

#[test]
fn settings_are_answered_and_bounds_are_told() {
    let scene = Scene::of(Upstream::saying("hi"));
    let mut client = scene.connect();
    let told = client.until(|frame| frame.kind == SETTINGS && frame.flags == 0).unwrap().payload;
    let settings: Vec<(u8, u32)> =
        told.chunks(6).map(|pair| (pair[1], u32::from_be_bytes(pair[2..].try_into().unwrap()))).collect();
    assert!(settings.contains(&(3, 128)) && settings.contains(&(6, 32 * 1024)), "{settings:?}");
    client.frame(HEADERS, 1, 1, &block(&USUAL)[..8]);
    client.frame(CONTINUATION, 4, 1, &block(&USUAL)[8..]);
    assert_eq!(client.answer(1).as_deref(), Ok("hi"));
    assert_eq!(status(&[0x48, 3, b'4', b'2', b'1']), 421);
}

#[test]
fn a_route_changes_the_fields_of_answers_and_the_cookie_comes_along() {
    let upstream = Upstream::saying("here");
    let file = tempfile::NamedTempFile::new().unwrap();
    let head = "[[listen]]\naddress = \"127.0.0.1:0\"\n[pool.sticky]\ncookie = \"stay\"\n[[pool.server]]\naddress = ";
    let route = "[[route]]\n[route.response_headers]\nset = { X-Set = \"$request_method\" }\n";
    std::fs::write(file.path(), format!("{head}\"{}\"\n{route}", upstream.address)).unwrap();
    let scene = Scene::with(upstream, &["--config", file.path().to_str().unwrap()]);
    let url = format!("https://localhost:{}/", scene.balancer.tls.port());
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--http2", "--include", "--cacert"]).arg(scene.authority.root());
    let Some(output) = run(curl.arg(&url), "curl", "") else { return };
    let seen = text(&output);
    let is_there = |line: &str| seen.lines().any(|seen| seen.starts_with(line));
    assert!(is_there("HTTP/2 200") && is_there("x-set: GET") && is_there("set-cookie: stay="), "{seen}");
    assert!(seen.ends_with("here"), "{seen}");
}
