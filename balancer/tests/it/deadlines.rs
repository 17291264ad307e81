use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use crate::{
    harness::{Balancer, Connection, PATIENCE, eventually, read_head},
    upstream::{Full, Upstream, answer},
};

/// A balancer that waits for one second where it waits.
fn impatient(upstream: &Upstream) -> Balancer {
    waiting("1s", upstream)
}

/// A balancer that waits for so long where it waits.
fn waiting(time: &str, upstream: &Upstream) -> Balancer {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "worker_threads = 1\nclient_header_timeout = \"{time}\"\ntunnel_timeout = \"{time}\"\n\
         client_read_patience = \"{time}\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\nread_timeout = \"{time}\"\n\
         [[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    Balancer::run(&["--config", file.path().to_str().unwrap()])
}

#[test]
fn no_deadline_is_over_too_early_at_whichever_moment_it_begins() {
    let upstream = Upstream::scripted(|_, peer| {
        drop(peer.read(&mut [0]));
        false
    });
    let balancer = waiting("900ms", &upstream);
    let unanswered = || assert_eq!(balancer.get("/").status, 504);
    let unasked = || assert!(balancer.connect().is_closed());
    thread::scope(|scope| {
        for number in 0..24 {
            scope.spawn(move || {
                thread::park_timeout(Duration::from_millis(number * 43));
                let begun = Instant::now();
                if number % 2 == 0 {
                    unanswered();
                } else {
                    unasked();
                }
                let took = begun.elapsed();
                assert!(took >= Duration::from_millis(900), "{took:?}");
            });
        }
    });
}

#[test]
fn a_tunnel_in_which_something_moves_within_its_deadline_stays() {
    let upstream = Upstream::scripted(|_, peer| {
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        peer.get_mut().write_all(agreed.as_bytes()).unwrap();
        let mut byte = [0];
        while peer.read_exact(&mut byte).is_ok() && peer.get_mut().write_all(&byte).is_ok() {}
        false
    });
    let balancer = waiting("900ms", &upstream);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    read_head(&mut client.0).unwrap();
    for byte in 0..60 {
        thread::park_timeout(Duration::from_millis(50));
        client.send([byte]);
        let mut back = [u8::MAX];
        client.0.read_exact(&mut back).unwrap();
        assert_eq!(back, [byte]);
    }
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
    let mut said = Vec::new();
    eventually("it is let go though it never stops", || {
        let sent = client.0.get_mut().write_all(b"X: y\r\n");
        let mut some = [0; 512];
        let read = client.0.get_mut().read(&mut some);
        said.extend_from_slice(&some[..*read.as_ref().unwrap_or(&0)]);
        (sent.is_err() || matches!(read, Ok(0))).then_some(())
    });
    assert_eq!(upstream.requests(), 0);
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 ") || crate::ENGINE != "strict", "{said}");
}

#[test]
fn the_wait_in_line_is_held_against_no_backend() {
    let upstream = Upstream::scripted(|_, peer| {
        // Well within its time, but the line is longer than that.
        std::thread::park_timeout(Duration::from_millis(100));
        answer(peer, b"in turn")
    });
    let server = format!("address = \"{}\"\nmax_conns = 1", upstream.address);
    let balancer = Balancer::with_servers("read_timeout = \"400ms\"\nqueue_timeout = \"30s\"", &[server]);
    for method in ["GET", "POST"] {
        let mut clients: Vec<Connection> = std::iter::repeat_with(|| balancer.connect()).take(12).collect();
        clients.iter_mut().for_each(|client| client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n")));
        assert!(clients.iter_mut().all(|client| client.answer().text() == "in turn"), "{}", balancer.log());
    }
    assert_eq!(upstream.requests(), 24);
}

/// A balancer in front of a backend whose queue is full, with a request that waits for it: it was there, and has no answer.
fn waiting_for(full: &Full, pool: &str, ahead: &str) -> (Balancer, Connection) {
    let pool = format!("[pool]\n{pool}\n[[pool.server]]\naddress = \"{}\"\n", full.address());
    let balancer = Balancer::with_file_ahead(ahead, &pool);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    client.0.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert!(client.0.get_mut().peek(&mut [0]).is_err(), "it has no answer yet");
    client.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    (balancer, client)
}

#[test]
fn a_unix_socket_whose_queue_is_full_is_waited_for() {
    let full = Full::new();
    let (balancer, mut client) = waiting_for(&full, "connect_timeout = \"1m\"", "");
    let _opened = full.opens("at last");
    assert_eq!(client.answer().text(), "at last");
    assert!(!balancer.log().contains("WARN"), "{}", balancer.log());
}

#[test]
fn who_has_a_full_queue_is_left_for_another_at_once_and_is_late_as_with_tcp_where_there_is_none() {
    let (full, good) = (Full::new(), Upstream::saying("good"));
    let servers = [full.address(), good.address.to_string()].map(|address| format!("address = \"{address}\""));
    // Nobody waits as long as that.
    let balancer = Balancer::with_servers("connect_timeout = \"10m\"\nmax_fails = 1", &servers);
    assert!((0..10).all(|_| balancer.get("/").text() == "good"));
    assert!(!balancer.log().contains("rests"), "{}", balancer.log());
    // However many there are of them, until that has lasted for as long as others may be late.
    let (second, third) = (Full::new(), Full::new());
    let addresses = [&full, &second, &third].map(Full::address);
    let servers = addresses.clone().map(|address| format!("address = \"{address}\""));
    let servers = [&servers[..], &[format!("address = \"{}\"", good.address)]].concat();
    let balancer = Balancer::with_servers("connect_timeout = \"200ms\"\nmax_fails = 1", &servers);
    eventually("they rest", || {
        assert_eq!(balancer.get("/").text(), "good");
        let log = balancer.log();
        addresses.iter().all(|address| log.contains(&format!("{address} fails too often and rests"))).then_some(())
    });
    let pool = "connect_timeout = \"100ms\"\nmax_fails = 2\nnext_upstream_tries = 1";
    let balancer = Balancer::with_servers(pool, &servers[..1]);
    eventually("it rests", || {
        assert_eq!(balancer.get("/").status, 504);
        balancer.log().contains(&format!("{} fails too often and rests", full.address())).then_some(())
    });
}

#[test]
fn nobody_waits_for_a_full_queue_when_its_client_has_left_or_the_balancer_stops() {
    let (full, log) = (Full::new(), tempfile::NamedTempFile::new().unwrap());
    let ahead = format!("shutdown_timeout = \"100ms\"\naccess_log = \"{}\"\n", log.path().display());
    let (mut balancer, client) = waiting_for(&full, "connect_timeout = \"10m\"", &ahead);
    let told = |what: &str| std::fs::read_to_string(log.path()).unwrap().contains(what).then_some(());
    drop(client);
    eventually("that its client has left is noticed", || told(" 499 0 "));
    let mut other = balancer.connect();
    other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it was read", || other.is_read().then_some(()));
    assert_eq!(balancer.stop(), Some(0));
    assert!(other.is_closed());
}
