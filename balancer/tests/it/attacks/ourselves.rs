use super::Probe;
use crate::{
    harness::{Balancer, Connection, eventually},
    upstream::{Upstream, nobody},
};

#[test]
fn an_answer_of_ours_repeats_nothing_and_tells_nothing_about_us() {
    let balancer = Balancer::with(&[nobody()], &["--threads", "1"]);
    for request in [
        "GET /%0d%0aSet-Cookie:evil HTTP/1.1\r\nHost: evil\r\nX: evil\r\n\r\n",
        "GET /evil HTTP/1.1\r\nHost: evil evil\r\n\r\n",
        "GET /evil HTTP/1.1\r\nHost: evil\r\nExpect: evil\r\n\r\n",
        "evil\r\n",
        "CONNECT evil:22 HTTP/1.1\r\nHost: evil\r\n\r\n",
        "GET /evil HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nTransfer-Encoding: evil\r\n\r\n",
    ] {
        let mut client = balancer.connect();
        client.send(request);
        let answer = client.answer();
        assert!(answer.status >= 400);
        let said = format!("{}{}", answer.head, answer.text()).to_lowercase();
        for word in ["evil", "server:", "via:", "logkin", "127.0.0.1", "hyper"] {
            assert!(!said.contains(word), "{word} in {said}");
        }
    }
}

#[test]
fn an_expectation_without_a_body_waits_for_nothing() {
    let probe = Probe::new();
    let seen = probe.passes("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    assert!(!seen.contains("expect"), "{seen}");
    let seen = probe.passes("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    assert!(seen.ends_with("\r\n\r\nhi"), "who has begun to send is not told to: {seen}");
}

#[test]
fn heads_that_never_end_cost_no_more_than_their_bound() {
    const CLIENTS: usize = 400;
    let upstream = Upstream::echoing();
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    balancer.get("/");
    let before = balancer.peak_memory();
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", format!("X: {}\r\n", "x".repeat(300)).repeat(100));
    let clients: Vec<Connection> = (0..CLIENTS)
        .map(|_| {
            let mut client = balancer.connect();
            client.send(&head);
            client
        })
        .collect();
    // Whoever comes after all of them is answered, so all of them were read.
    eventually("it answers others", || (balancer.get("/").status == 200).then_some(()));
    let grown = balancer.peak_memory() - before;
    assert!(grown < CLIENTS as u64 * 64, "{grown} KiB for {CLIENTS} clients");
    drop(clients);
}

#[test]
fn a_thousand_requests_ahead_of_their_answers_are_answered_in_order() {
    let probe = Probe::new();
    let mut client = probe.balancer.connect();
    let mut writer = Connection(std::io::BufReader::new(client.0.get_ref().try_clone().unwrap()));
    let writing = std::thread::spawn(move || {
        for number in 0..1000 {
            writer.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
        }
    });
    for number in 0..1000 {
        let answer = client.answer();
        assert!(answer.text().starts_with(&format!("GET /{number} ")), "{number}");
    }
    writing.join().unwrap();
}
