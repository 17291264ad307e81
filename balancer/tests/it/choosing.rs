use std::collections::HashMap;

use crate::{
    harness::{Balancer, eventually},
    upstream::{Upstream, nobody},
};

#[test]
fn requests_go_round() {
    let upstreams = [Upstream::saying("a"), Upstream::saying("b"), Upstream::saying("c")];
    let addresses: Vec<_> = upstreams.iter().map(|upstream| upstream.address).collect();
    let balancer = Balancer::with(&addresses, &["--threads", "1"]);
    let mut client = balancer.connect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for _ in 0..30 {
        *counts.entry(client.get("/").text().to_owned()).or_default() += 1;
    }
    assert_eq!(counts, ["a", "b", "c"].map(|name| (name.to_owned(), 10)).into());
}

#[test]
fn a_backend_out_of_reach_gets_nothing_until_it_is_back() {
    let (upstream, gone) = (Upstream::saying("a"), nobody());
    let balancer = Balancer::with(&[upstream.address, gone], &["--threads", "1"]);
    for _ in 0..10 {
        assert_eq!(balancer.get("/").text(), "a");
    }
    assert!(balancer.log().contains(&format!("{gone} cannot be reached")));
    let back = std::net::TcpListener::bind(gone).unwrap();
    eventually("it is asked again", || balancer.log().contains(&format!("{gone} can be reached again")).then_some(()));
    drop(back);
}

#[test]
fn when_nobody_is_ready_the_client_is_asked_to_come_back() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let gone = nobody();
    let text = format!(
        "[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\nqueue_timeout = \"50ms\"\n[[pool.server]]\naddress = \"{gone}\"\n"
    );
    std::fs::write(file.path(), text).unwrap();
    let balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    assert_eq!(balancer.get("/").status, 502);
    let answer = eventually("the pool knows", || Some(balancer.get("/")).filter(|answer| answer.status == 503));
    assert_eq!((answer.field("retry-after"), answer.field("cache-control")), (Some("1"), Some("no-store")));
}

#[test]
fn a_request_waits_for_a_backend_that_is_about_to_come_back() {
    let gone = nobody();
    let balancer = Balancer::with(&[gone], &[]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    eventually("it is noticed", || balancer.log().contains("cannot be reached").then_some(()));
    let back = std::net::TcpListener::bind(gone).unwrap();
    std::thread::spawn(move || {
        for stream in back.incoming().flatten() {
            let mut peer = std::io::BufReader::new(stream);
            while let Ok(head) = crate::harness::read_head(&mut peer) {
                drop(crate::harness::read_body(&mut peer, &head, false));
                crate::upstream::answer(&mut peer, b"back");
            }
        }
    });
    assert_eq!(client.answer().text(), "back");
}
