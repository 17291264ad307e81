use std::{
    io::{BufReader, Read, Write},
    net::Shutdown,
    sync::mpsc,
};

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::{
    harness::{Answer, Balancer, Connection, PATIENCE, eventually, read_body, read_head},
    upstream::{Upstream, answer},
};

/// A balancer of one thread with these lines in its file, some of them under `[pool]`.
pub(crate) fn with_lines(upstream: &Upstream, lines: &str, of_pool: &str) -> Balancer {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "worker_threads = 1\n{lines}\n[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\n{of_pool}\n\
         [[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    Balancer::run(&["--config", file.path().to_str().unwrap()])
}

/// A client whose kernel takes hardly anything before it is read.
pub(crate) fn narrow(balancer: &Balancer) -> Connection {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&balancer.address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    Connection(BufReader::new(socket.into()))
}

const ASKING: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A backend that agrees to a tunnel, echoes in it, and tells when it has ended.
fn tunnelling() -> (Upstream, mpsc::Receiver<()>) {
    let (tell, told) = mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |_, peer| {
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        peer.get_mut().write_all(agreed.as_bytes()).unwrap();
        let mut echo = [0; 4];
        while peer.read_exact(&mut echo).is_ok() {
            peer.get_mut().write_all(&echo).unwrap();
        }
        tell.send(()).unwrap();
        false
    });
    (upstream, told)
}

fn echoes(client: &mut Connection) {
    client.send("ping");
    let mut echo = [0; 4];
    client.0.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"ping");
}

#[test]
fn a_client_that_has_connected_and_says_nothing_holds_what_a_waiting_one_does_and_no_desk() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    assert_eq!(balancer.get("/").status, 200);
    let before = balancer.peak_memory();
    let silent: Vec<_> = (0..400).map(|_| balancer.connect()).collect();
    // Who comes behind them is served behind them.
    assert_eq!(balancer.get("/").status, 200);
    let each = (balancer.peak_memory() - before) * 1024 / silent.len() as u64;
    assert!(each < 6 * 1024, "{each} bytes");
}

/// Clients that each send the beginning of a head, about this long, and wait.
fn half_heads(balancer: &Balancer, length: usize) -> Vec<Connection> {
    let mut waiting: Vec<_> = (0..1500).map(|_| balancer.connect()).collect();
    for client in &mut waiting {
        client.send(format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(length)));
    }
    // Who comes behind them is served behind them.
    assert_eq!(balancer.get("/").status, 200);
    waiting
}

#[test]
fn who_has_sent_half_a_head_holds_about_as_much_and_it_goes_back_when_they_have_gone() {
    raise_file_limit();
    let upstream = Upstream::saying("hi");
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    drop(half_heads(&balancer, 1));
    let before = balancer.memory();
    // Memory that others have used before is not clean, and counts from the beginning.
    for _ in 0..3 {
        let waiting = half_heads(&balancer, 500);
        let each = (balancer.memory().saturating_sub(before)) * 1024 / waiting.len() as u64;
        assert!(each < 16 * 1024, "{each} bytes");
    }
    let waiting = half_heads(&balancer, 30_000);
    let held = balancer.memory();
    assert!(held - before > 20_000, "{before} KiB, and {held} with them");
    drop(waiting);
    // As requests go on: the allocator looks for what is free now and then.
    let mut other = balancer.connect();
    let has_gone_back = |_| other.get("/").text() == "hi" && balancer.memory() < before + (held - before) / 2;
    assert!((0..30_000).any(has_gone_back), "{} KiB", balancer.memory());
}

#[test]
fn a_tunnel_in_which_nothing_moves_ends_at_its_deadline() {
    let (upstream, told) = tunnelling();
    let balancer = with_lines(&upstream, "tunnel_timeout = \"1s\"", "");
    let mut client = balancer.connect();
    client.send(ASKING);
    assert_eq!(client.answer().status, 101);
    echoes(&mut client);
    assert!(client.is_closed());
    told.recv_timeout(PATIENCE).expect("the backend's side ends too");
}

#[test]
fn a_tunnel_is_known_when_it_stops_and_cut_off_at_the_deadline() {
    let (upstream, told) = tunnelling();
    let mut balancer = with_lines(&upstream, "shutdown_timeout = \"2s\"", "");
    let mut client = balancer.connect();
    client.send(ASKING);
    assert_eq!(client.answer().status, 101);
    balancer.signal(Signal::TERM);
    eventually("the port is closed", || std::net::TcpStream::connect(balancer.address).is_err().then_some(()));
    echoes(&mut client);
    assert!(client.0.read(&mut [0]).is_ok_and(|read| read == 0));
    told.recv_timeout(PATIENCE).expect("the backend's side ends too");
    assert_eq!(balancer.end().code(), Some(0));
    assert!(balancer.log().contains("1 connections were cut off at the deadline"), "{}", balancer.log());
}

#[test]
fn a_tunnel_that_is_done_keeps_nothing_from_stopping_and_is_in_the_log_with_its_bytes() {
    let (upstream, told) = tunnelling();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let mut balancer = with_lines(&upstream, &format!("access_log = \"{}\"", log.display()), "");
    let mut client = balancer.connect();
    client.send(ASKING);
    assert_eq!(client.answer().status, 101);
    echoes(&mut client);
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    assert!(client.is_closed(), "half of it closes, then the other half");
    told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(balancer.stop(), Some(0));
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains("\"GET /ws HTTP/1.1\" 101 4 ") && !lines.contains("flag="), "{lines}");
}

#[test]
fn behind_an_interim_answer_nothing_is_tried_again() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let upstream = || {
        Upstream::scripted(move |head, peer| {
            if head.starts_with("GET /warm") {
                return answer(peer, b"warm");
            }
            let status =
                if head.starts_with("GET /busy") { "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" } else { "" };
            drop(write!(peer.get_mut(), "{early}{status}"));
            false
        })
    };
    let upstreams = [upstream(), upstream()];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let balancer = Balancer::with_pool("next_upstream = [\"error\", \"http_503\"]\nmax_fails = 0", &addresses);
    // Over new connections, and over held ones, whose end says nothing about the backend otherwise.
    for (path, last) in [("/", 502), ("/", 502), ("/warm", 0), ("/warm", 0), ("/", 502), ("/busy", 503)] {
        let mut client = balancer.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        if last == 0 {
            assert_eq!(client.answer().text(), "warm");
        } else {
            assert_eq!((client.answer().status, client.answer().status), (103, last), "{path}");
        }
    }
    assert_eq!(upstreams.iter().map(Upstream::requests).sum::<usize>(), 6);
}

#[test]
fn a_client_that_reads_no_interim_answers_is_let_go_and_its_backend_with_it() {
    // Nearly all there is to read is interim answers, and more of it than kernels hold for a client.
    let upstream = Upstream::scripted(move |_, peer| {
        let early = format!("HTTP/1.1 103 Early Hints\r\nX: {}\r\n\r\n", "x".repeat(60_000));
        for _ in 0..8 {
            drop(peer.get_mut().write_all(early.as_bytes()));
        }
        peer.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_ok()
    });
    let balancer = with_lines(&upstream, "", "read_timeout = \"1s\"");
    let mut client = narrow(&balancer);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100));
    eventually("a request is at the backend", || (upstream.requests() > 0).then_some(()));
    eventually("the backend's connection is closed", || upstream.is_left().then_some(()));
    assert!(upstream.requests() < 100);
}

#[test]
fn a_backend_that_reads_no_body_is_late_and_the_client_is_not() {
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::scripted(move |head, peer| {
        if head.starts_with("POST") {
            // Neither reads nor answers as long as it matters.
            let _ = gone.lock().unwrap().recv();
            return false;
        }
        answer(peer, b"here")
    });
    let balancer = with_lines(&upstream, "", "read_timeout = \"1s\"");
    let mut client = balancer.connect();
    let mut writer = client.0.get_ref().try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        writer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
        while writer.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let late = client.answer();
    assert_eq!((late.status, late.field("connection")), (504, Some("close")));
    go.send(()).unwrap();
    assert_eq!(balancer.get("/").text(), "here");
    drop((client, balancer));
    writing.join().unwrap();
}

#[test]
fn a_close_leaves_the_answer_readable_though_the_client_has_sent_more() {
    let upstream = Upstream::scripted(|head, peer| {
        drop(read_body(peer, head, false));
        answer(peer, &vec![b'y'; 3 << 20])
    });
    let balancer = with_lines(&upstream, "", "");
    for framing in ["Content-Length: 200000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n30d40\r\n"] {
        let mut client = balancer.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{framing}{}", "x".repeat(200_000)));
        if framing.starts_with('T') {
            client.send("\r\n0\r\n\r\n");
        }
        client.send(vec![b'z'; 100_000]);
        let answer = client.answer();
        assert_eq!((answer.body.len(), answer.field("connection")), (3 << 20, Some("close")));
        assert_eq!(client.0.read(&mut [0]).unwrap(), 0, "no reset");
    }
}

#[test]
fn what_connection_names_and_what_may_not_come_last_is_in_no_trailers() {
    let trailers = "X-Sum: 7\r\nX-Mine: 1\r\nExpires: 0\r\nX-Last: 8\r\nIf-Match: a\r\n\r\n";
    let upstream = Upstream::scripted(move |_, peer| {
        let mut seen = String::new();
        while !seen.ends_with("\r\n0\r\n\r\n") && !seen.ends_with("X-Last: 8\r\n\r\n") {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            seen.push(char::from(byte[0]));
        }
        let text = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Mine\r\n\r\n{:x}\r\n{seen}\r\n0\r\n{trailers}",
            seen.len()
        );
        peer.get_mut().write_all(text.as_bytes()).is_ok()
    });
    let balancer = with_lines(&upstream, "", "");
    let mut client = balancer.connect();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{trailers}"
    ));
    let mut text = String::new();
    client.0.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("X-Sum: 7\r\nX-Last: 8\r\n\r\n").count(), 2, "{text}");
    assert!(!text.contains("Mine") && !text.contains("Expires") && !text.contains("If-Match"), "{text}");
}

#[test]
fn trailers_are_bounded_by_number_as_heads_are() {
    let trailers = |most: usize| format!("0\r\n{}\r\n", "X:\r\n".repeat(most));
    let upstream = Upstream::scripted(move |head, peer| {
        let most = head.split(' ').nth(1).and_then(|path| path[1..].parse().ok()).unwrap_or_default();
        if head.starts_with("POST") {
            let mut seen = String::new();
            while !seen.ends_with("\r\n\r\n") && std::io::BufRead::read_line(peer, &mut seen).is_ok_and(|read| read > 0)
            {
            }
        }
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        peer.get_mut().write_all(format!("{head}{}", trailers(most)).as_bytes()).is_ok()
    });
    let balancer = with_lines(&upstream, "", "");
    let ask = |request: &str| {
        let mut client = balancer.connect();
        client.send(request);
        client.answer().status
    };
    let post =
        |most| ask(&format!("POST /0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}", trailers(most)));
    assert_eq!((post(100), post(101)), (200, 431));
    let get = |most| ask(&format!("GET /{most} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!((get(256), get(257)), (200, 502));
}

#[test]
fn a_body_that_comes_too_slowly_is_answered_and_its_client_let_go() {
    let upstream = Upstream::echoing();
    let lines = "client_body_min_rate = \"100KiB\"\nclient_body_patience = \"1s\"";
    let balancer = with_lines(&upstream, lines, "");
    // A part that comes at once buys no time for the rest.
    for at_once in [0, 10_000_000] {
        let mut client = balancer.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n");
        client.send(vec![b'x'; at_once]);
        client.0.get_ref().set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
        let answer = eventually("it is told though it never stops", || {
            drop(client.0.get_mut().write_all(b"x"));
            client.try_answer(false).ok()
        });
        assert_eq!((answer.status, answer.field("connection")), (408, Some("close")));
    }
    assert_eq!(balancer.connect().post("/", &vec![b'x'; 1 << 20]).status, 200, "nobody else is bothered");
}

#[test]
fn a_body_that_waits_for_its_backend_is_not_too_slow() {
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::scripted(move |head, peer| {
        gone.lock().unwrap().recv().unwrap();
        let length = read_body(peer, head, false).unwrap().len();
        answer(peer, length.to_string().as_bytes())
    });
    let lines = "client_body_min_rate = \"10MiB\"\nclient_body_patience = \"3s\"\nclient_header_timeout = \"4s\"";
    let balancer = with_lines(&upstream, lines, "");
    // More than the patience has passed when this one is closed, with less than 30 MiB in all kernels' buffers.
    let mut clock = balancer.connect();
    let mut client = balancer.connect();
    let mut writer = client.0.get_ref().try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        writer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n").unwrap();
        writer.write_all(&vec![b'x'; 30_000_000]).unwrap();
    });
    assert!(clock.is_closed());
    go.send(()).unwrap();
    assert_eq!(client.answer().text(), "30000000");
    writing.join().unwrap();
}

#[test]
fn an_address_with_all_the_connections_it_may_have_gets_no_more_until_one_ends() {
    let upstream = Upstream::saying("hi");
    let balancer = with_lines(&upstream, "limit_conn = 2", "");
    let mut held = [balancer.connect(), balancer.connect()];
    for client in &mut held {
        assert_eq!(client.get("/").text(), "hi");
    }
    let mut third = balancer.connect();
    assert!(matches!(third.0.read(&mut [0]), Ok(0) | Err(_)), "closed without a word");
    drop(held);
    eventually("there is a place again", || {
        let mut client = balancer.connect();
        let sent = client.0.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        (sent.is_ok() && client.try_answer(false).is_ok()).then_some(())
    });
}

#[test]
fn when_all_places_are_taken_the_longest_idle_leaves_for_who_comes() {
    let upstream = Upstream::saying("hi");
    let balancer = with_lines(&upstream, "worker_connections = 3", "");
    let mut clients: Vec<Connection> = Vec::new();
    for _ in 0..5 {
        let mut client = balancer.connect();
        assert_eq!(client.get("/").text(), "hi");
        clients.push(client);
    }
    assert!(clients.drain(..2).all(|mut first| first.is_closed()));
    assert!(clients.iter_mut().all(|client| client.get("/").text() == "hi"));
    assert_eq!(balancer.log().matches("the longest idle are closed").count(), 1, "{}", balancer.log());
}

#[test]
fn who_is_busy_keeps_its_place_until_it_is_idle() {
    let (go, gone) = mpsc::sync_channel::<()>(1);
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::scripted(move |head, peer| {
        if head.starts_with("GET /slow") {
            gone.lock().unwrap().recv().unwrap();
        }
        answer(peer, b"hi")
    });
    let balancer = with_lines(&upstream, "worker_connections = 1", "");
    let mut busy = balancer.connect();
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || (upstream.requests() == 1).then_some(()));
    let mut newcomer = balancer.connect();
    newcomer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    go.send(()).unwrap();
    assert_eq!(busy.answer().text(), "hi");
    assert_eq!(newcomer.answer().text(), "hi");
    assert!(busy.is_closed());
}

#[test]
fn a_long_head_behind_a_body_is_read_though_very_many_buffers_are_out() {
    const HOLDERS: usize = 520;
    raise_file_limit();
    let upstream = Upstream::scripted(|head, peer| {
        if head.starts_with("GET /hold") {
            let stream = peer.get_mut();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n").unwrap();
            while stream.write_all(&[b'x'; 1 << 17]).is_ok() {}
            return false;
        }
        let body = read_body(peer, head, false).unwrap();
        answer(peer, &[head.as_bytes(), &body].concat())
    });
    let balancer = with_lines(&upstream, "buffer_requests = \"0\"", "");
    let holders: Vec<Connection> = (0..HOLDERS)
        .map(|_| {
            let mut client = narrow(&balancer);
            client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    for mut holder in holders.iter().map(|holder| BufReader::new(holder.0.get_ref().try_clone().unwrap())) {
        read_head(&mut holder).unwrap();
    }
    let long = "y".repeat(25_000);
    let second = format!("GET /second HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n");
    // With the body comes as much as there is room for, or all of it.
    for (number, with) in [4096, second.len()].into_iter().enumerate() {
        let mut client = balancer.connect();
        client.send(format!("POST /{number} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
        let first = format!("POST /{number} ");
        eventually("its head is at the backend", || {
            upstream.heads.lock().unwrap().iter().any(|head| head.starts_with(&first)).then_some(())
        });
        client.send(format!("3\r\nabc\r\n0\r\n\r\n{}", &second[..with]));
        assert!(client.answer().text().ends_with("abc"), "{with}");
        client.send(&second[with..]);
        assert!(client.answer().text().contains(&long), "{with}");
    }
}

#[test]
fn a_client_gets_no_more_requests_than_its_rate_and_others_do() {
    let upstream = Upstream::saying("hi");
    let balancer = with_lines(&upstream, "[limit_req]\nrate = \"1r/m\"\nburst = 2", "");
    let mut client = balancer.connect();
    let statuses: Vec<u16> = (0..4).map(|_| client.get("/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429], "the connection stays");
    let refused = client.get("/");
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait) && refused.field("connection").is_none(), "{}", refused.head);
    assert_eq!(balancer.connect_from("127.0.0.9:0".parse().unwrap()).get("/").status, 200);
    assert_eq!(upstream.requests(), 4);
}

#[test]
fn a_rate_of_a_route_is_for_its_requests_only() {
    let upstream = Upstream::saying("hi");
    let routes = "[[route]]\n[[route]]\nlocation = \"/login\"\n[route.limit_req]\nrate = \"1r/m\"\n";
    let balancer = Balancer::with_file(&format!("[[pool.server]]\naddress = \"{}\"\n{routes}", upstream.address));
    let statuses = ["/login", "/", "/login", "/"].map(|path| balancer.get(path).status);
    assert_eq!(statuses, [200, 200, 429, 200]);
}

#[test]
fn what_one_rate_refuses_counts_for_no_other() {
    let upstream = Upstream::saying("hi");
    let rates = |all: u32, route: u32| {
        format!(
            "[limit_req]\nrate = \"1r/m\"\nburst = {all}\n[[pool.server]]\naddress = \"{}\"\n[[route]]\n[[route]]\n\
             location = \"/login\"\n[route.limit_req]\nrate = \"1r/m\"\nburst = {route}\n",
            upstream.address
        )
    };
    let balancer = Balancer::with_file(&rates(1, 0));
    let statuses = ["/login", "/login", "/login", "/", "/"].map(|path| balancer.get(path).status);
    assert_eq!(statuses, [200, 429, 429, 200, 429]);
}

#[test]
fn a_rate_of_a_route_bounds_its_files_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "0123456789").unwrap();
    let root = folder.path().display();
    let balancer = Balancer::with_file(&format!("[[route]]\nroot = \"{root}\"\n[route.limit_req]\nrate = \"1r/m\"\n"));
    assert_eq!(["/a.txt", "/a.txt"].map(|path| balancer.get(path).status), [200, 429]);
}

#[test]
fn idle_clients_take_no_descriptor_from_a_request() {
    let upstream = Upstream::saying("hi");
    let backend = upstream.address.to_string();
    let balancer = Balancer::with_descriptors(200, &["--threads", "1", "--backend", &backend]);
    let idle: Vec<Connection> = (0..190).map(|_| balancer.connect()).collect();
    assert!((0..20).all(|_| balancer.get("/").status == 200), "{}", balancer.log());
    assert!(balancer.log().contains("worker_connections is 100, not 16384"), "{}", balancer.log());
    drop(idle);
}

#[test]
fn where_no_connection_is_left_for_a_backend_that_is_nobodys_failure_there() {
    let (release, released) = mpsc::sync_channel::<()>(100);
    let released = std::sync::Mutex::new(released);
    let upstream = Upstream::scripted(move |_, peer| {
        let _ = released.lock().unwrap().recv();
        answer(peer, b"hi")
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "worker_threads = 1\nerror_log_level = \"debug\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n\
         [pool.health_check]\ninterval = \"10ms\"\nfails = 1\n\
         [[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    let mut balancer = Balancer::with_descriptors(80, &["--config", file.path().to_str().unwrap()]);
    let mut clients: Vec<Connection> = (0..40).map(|_| balancer.connect()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    eventually("there is none left", || {
        balancer.log().contains("no connection to a backend can be made").then_some(())
    });
    eventually("nor for a check", || {
        let log = balancer.log();
        (log.matches("could not be checked again").count() >= 3)
            .then(|| assert_eq!(log.matches("could not be checked:").count(), 1, "{log}"))
    });
    (0..40).for_each(|_| release.send(()).unwrap());
    let answers: Vec<Answer> = clients.iter_mut().map(Connection::answer).collect();
    let got = |status, retry_after| {
        answers.iter().filter(|got| (got.status, got.field("retry-after")) == (status, retry_after)).count()
    };
    let (answered, refused) = (got(200, None), got(503, Some("1")));
    assert!(answered > 0 && refused > 0 && answered + refused == 40, "{answered} answered, {refused} refused");
    assert_eq!(balancer.get("/").status, 200, "nobody was put out for it");
    assert_eq!(balancer.stop(), Some(0));
}

#[test]
fn connections_that_are_held_for_nobody_give_way() {
    const MANY: usize = 22;
    let gate = std::sync::Arc::new(std::sync::Barrier::new(MANY));
    let all_at_once = || {
        let gate = std::sync::Arc::clone(&gate);
        Upstream::scripted(move |_, peer| {
            gate.wait();
            answer(peer, b"hi")
        })
    };
    let (one, other) = (all_at_once(), all_at_once());
    let file = tempfile::NamedTempFile::new().unwrap();
    let pool = |name: &str, upstream: &Upstream| {
        format!("[[pool]]\nname = \"{name}\"\n[[pool.server]]\naddress = \"{}\"\n", upstream.address)
    };
    let route = |name: &str| format!("[[route]]\nlocation = \"/{name}\"\npool = \"{name}\"\n");
    let listen = "worker_threads = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n";
    let text = [listen.to_owned(), pool("one", &one), pool("other", &other), route("one"), route("other")].concat();
    std::fs::write(file.path(), text).unwrap();
    let balancer = Balancer::with_descriptors(80, &["--config", file.path().to_str().unwrap()]);
    let mut clients: Vec<Connection> = (0..MANY).map(|_| balancer.connect()).collect();
    for path in ["/one", "/other"] {
        clients.iter_mut().for_each(|client| client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")));
        let statuses: Vec<u16> = clients.iter_mut().map(|client| client.answer().status).collect();
        assert!(statuses.iter().all(|status| *status == 200), "{path}: {statuses:?}");
    }
}

/// These tests hold both ends of many connections.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}
