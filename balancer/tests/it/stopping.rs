use std::{
    io::{BufRead, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use rustix::process::Signal;

use crate::{
    harness::{Balancer, Connection, eventually, read_body},
    upstream::{Upstream, answer},
};

/// A backend whose answers wait until they are let go.
fn held() -> (Upstream, mpsc::SyncSender<()>) {
    let (release, gate) = mpsc::sync_channel(1000);
    let gate = std::sync::Mutex::new(gate);
    let upstream = Upstream::scripted(move |head, peer| {
        drop(read_body(peer, head, false));
        // Nobody lets go any more: the test is over.
        let _ = gate.lock().unwrap().recv();
        answer(peer, b"held")
    });
    (upstream, release)
}

#[test]
fn a_request_under_way_is_answered_after_sigterm() {
    let (upstream, release) = held();
    let mut balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    balancer.signal(Signal::TERM);
    eventually("the port is closed", || std::net::TcpStream::connect(balancer.address).is_err().then_some(()));
    release.send(()).unwrap();
    let answer = client.answer();
    assert_eq!((answer.status, answer.text(), answer.field("connection")), (200, "held", Some("close")));
    assert!(client.is_closed());
    assert_eq!(balancer.end().code(), Some(0));
}

#[test]
fn hangups_finish_what_is_under_way_however_many_come() {
    let (upstream, release) = held();
    let mut balancer = Balancer::hearing_hangups(&["--backend", &upstream.address.to_string()]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    balancer.signal(Signal::HUP);
    eventually("it has noticed", || balancer.log().contains("SIGHUP: finishing").then_some(()));
    balancer.signal(Signal::HUP);
    eventually("the port is closed", || std::net::TcpStream::connect(balancer.address).is_err().then_some(()));
    release.send(()).unwrap();
    assert_eq!((client.answer().status, balancer.end().code()), (200, Some(0)));
}

#[test]
fn hangups_are_nothing_to_who_was_started_to_ignore_them() {
    let upstream = Upstream::saying("hi");
    let mut balancer = Balancer::deaf_to_hangups(&["--backend", &upstream.address.to_string()]);
    balancer.signal(Signal::HUP);
    balancer.signal(Signal::USR2);
    eventually("it has seen the next signal", || balancer.log().contains("SIGUSR2").then_some(()));
    assert_eq!(balancer.get("/").text(), "hi");
    assert_eq!(balancer.stop(), Some(0));
    assert!(!balancer.log().contains("SIGHUP"), "{}", balancer.log());
}

#[test]
fn a_signal_that_asks_for_what_is_not_done_is_answered_in_the_log_only() {
    let upstream = Upstream::saying("hi");
    let balancer = Balancer::in_front_of(&[upstream.address]);
    balancer.signal(Signal::USR2);
    let refusal = "SIGUSR2: the program is not replaced while it runs; nothing is done";
    eventually("it says so", || balancer.log().contains(refusal).then_some(()));
    assert_eq!(balancer.get("/").text(), "hi");
}

#[test]
fn a_mute_backend_is_let_go_by_its_own_limit_while_all_end() {
    let upstream = Upstream::scripted(|_, peer| {
        let event = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
        peer.get_mut().write_all(event.as_bytes()).is_ok() && peer.read(&mut [0]).is_err()
    });
    let log = tempfile::NamedTempFile::new().unwrap();
    // All are told of the end half a second after the signal, which must not keep the stream: shutdown_timeout is long.
    let ahead = format!("shutdown_timeout = \"10m\"\naccess_log = \"{}\"\n", log.path().display());
    let pool = format!("[pool]\nread_timeout = \"1s\"\n[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let mut balancer = Balancer::with_file_ahead(&ahead, &pool);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut line = String::new();
    while line.trim() != "data: 1" {
        line.clear();
        client.0.read_line(&mut line).unwrap();
    }
    balancer.signal(Signal::TERM);
    drop(client.0.read_to_end(&mut Vec::new()));
    assert_eq!(balancer.end().code(), Some(0));
    let told = std::fs::read_to_string(log.path()).unwrap();
    assert!(told.contains(&format!("flag=cut by=backend at={}", upstream.address)), "{told}");
}

#[test]
fn an_idle_client_may_send_one_more_request_before_it_is_let_go() {
    let upstream = Upstream::saying("hi");
    let mut balancer = Balancer::in_front_of(&[upstream.address]);
    let mut clients = [balancer.connect(), balancer.connect()];
    for client in &mut clients {
        client.get("/");
    }
    balancer.signal(Signal::TERM);
    eventually("it has noticed", || balancer.log().contains("SIGTERM").then_some(()));
    let answer = clients[0].get("/");
    assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
    assert!(clients[0].is_closed() && clients[1].is_closed());
    assert_eq!(balancer.end().code(), Some(0));
}

#[test]
fn a_body_that_is_going_out_goes_out_completely() {
    let (upstream, release) = held();
    let mut balancer = Balancer::with(&[upstream.address], &["--buffer-requests", "0"]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    balancer.signal(Signal::TERM);
    eventually("the port is closed", || std::net::TcpStream::connect(balancer.address).is_err().then_some(()));
    client.send("half");
    release.send(()).unwrap();
    assert_eq!(client.answer().status, 200);
    assert_eq!(balancer.end().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (upstream, _release) = held();
    let mut balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    balancer.signal(Signal::INT);
    eventually("it has noticed", || balancer.log().contains("SIGINT").then_some(()));
    balancer.signal(Signal::INT);
    assert_eq!(balancer.end().code(), Some(0));
    assert!(balancer.log().contains("1 connections were cut off as that was asked for"), "{}", balancer.log());
}

#[test]
fn what_takes_too_long_is_cut_off_at_the_deadline() {
    let (upstream, _release) = held();
    let [file, log] = [(); 2].map(|()| tempfile::NamedTempFile::new().unwrap());
    let text = format!(
        "shutdown_timeout = \"100ms\"\naccess_log = \"{}\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{}\"\n",
        log.path().display(),
        upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    let mut balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    assert_eq!(balancer.stop(), Some(0));
    assert!(client.try_answer(false).is_err());
    let line = std::fs::read_to_string(log.path()).unwrap();
    assert!(line.contains(" 503 0 ") && line.contains("flag=cut by=us"), "{line}");
}

#[test]
fn half_a_head_that_stays_half_keeps_nothing_from_stopping() {
    let upstream = Upstream::saying("hi");
    let mut balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    // Who comes behind it is served behind it.
    assert_eq!(balancer.get("/").text(), "hi");
    assert_eq!(balancer.stop(), Some(0));
    assert!(!balancer.log().contains("cut off"), "{}", balancer.log());
}

#[test]
fn every_request_accepted_under_load_is_answered() {
    for _ in 0..3 {
        let upstream = Upstream::saying("hi");
        let mut balancer = Balancer::in_front_of(&[upstream.address]);
        let (address, served) = (balancer.address, Arc::new(AtomicUsize::new(0)));
        let load = |fresh: bool| {
            let served = Arc::clone(&served);
            thread::spawn(move || until_let_go(address, fresh, &served))
        };
        let clients: Vec<_> = (0..16).map(|number| load(number % 2 == 0)).collect();
        eventually("it is busy", || (served.load(Ordering::Relaxed) > 500).then_some(()));
        assert_eq!(balancer.stop(), Some(0));
        for client in clients {
            client.join().expect("every request that was taken was answered");
        }
    }
}

/// Sends requests until the balancer has said goodbye: `Connection: close`, or no listener any more.
fn until_let_go(address: std::net::SocketAddr, fresh: bool, served: &AtomicUsize) {
    let mut kept: Option<Connection> = None;
    loop {
        let mut client = match kept.take() {
            Some(client) => client,
            None => match std::net::TcpStream::connect(address) {
                Ok(stream) => Connection(std::io::BufReader::new(stream)),
                Err(_) => return,
            },
        };
        let answer = client.get("/");
        assert_eq!(answer.status, 200);
        served.fetch_add(1, Ordering::Relaxed);
        if answer.field("connection") == Some("close") {
            return;
        }
        kept = (!fresh).then_some(client);
    }
}

#[test]
fn an_address_in_use_is_named_with_what_to_do_and_nobody_is_disturbed() {
    let upstream = Upstream::saying("hi");
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_logkin-balancer"))
        .args(["run", "--listen", &balancer.address.to_string(), "--backend", &upstream.address.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "{} is in use by another program; stop that one, or choose another address with --listen",
        balancer.address
    );
    assert!(said.contains(&expected), "{said}");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(balancer.get("/").text(), "hi");
}
