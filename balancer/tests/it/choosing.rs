use std::collections::HashMap;

use crate::{
    harness::{Balancer, Connection, eventually},
    upstream::{Absent, Upstream, nobody},
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
    let (upstream, absent) = (Upstream::saying("a"), Absent::new());
    let gone = absent.address;
    let balancer = Balancer::with(&[upstream.address, gone], &["--threads", "1"]);
    for _ in 0..10 {
        assert_eq!(balancer.get("/").text(), "a");
    }
    eventually("that is told", || balancer.log().contains(&format!("{gone} cannot be reached")).then_some(()));
    let back = absent.listen();
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
    let absent = Absent::new();
    let balancer = Balancer::with(&[absent.address], &[]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    eventually("it is noticed", || balancer.log().contains("cannot be reached").then_some(()));
    let back = absent.listen();
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

/// Three backends that say a, b and c, with what is said about each.
fn abc(pool: &str, said: [&str; 3]) -> (Balancer, [Upstream; 3]) {
    let upstreams = [Upstream::saying("a"), Upstream::saying("b"), Upstream::saying("c")];
    let servers: Vec<String> = upstreams
        .iter()
        .zip(said)
        .map(|(upstream, said)| format!("address = \"{}\"\n{said}", upstream.address))
        .collect();
    (Balancer::with_servers(pool, &servers), upstreams)
}

/// Who answers so many requests.
fn answers(balancer: &Balancer, count: usize) -> String {
    let mut client = balancer.connect();
    (0..count).map(|_| client.get("/").text().to_owned()).collect()
}

#[test]
fn weights_give_nginx_s_order() {
    let (balancer, _upstreams) = abc("", ["weight = 5", "", ""]);
    assert_eq!(answers(&balancer, 14), "aabacaaaabacaa");
}

#[test]
fn a_backup_is_asked_when_none_of_the_others_can_be_and_who_is_down_never() {
    let upstream = Upstream::saying("a");
    let gone = nobody();
    let servers = [
        format!("address = \"{gone}\""),
        format!("address = \"{}\"\nbackup = true", upstream.address),
        "address = \"127.0.0.1:1\"\ndown = true".to_owned(),
    ];
    let balancer = Balancer::with_servers("", &servers);
    assert_eq!(answers(&balancer, 5), "aaaaa");
    let (balancer, _upstreams) = abc("", ["backup = true", "", "down = true"]);
    assert_eq!(answers(&balancer, 5), "bbbbb");
}

#[test]
fn a_name_stands_for_its_addresses() {
    let upstream = Upstream::saying("a");
    let name = format!("localhost:{}", upstream.address.port());
    let balancer = Balancer::run(&["--threads", "1", "--backend", &name]);
    assert_eq!(answers(&balancer, 5), "aaaaa");
    let address = format!("localhost/{}", upstream.address);
    eventually("it is told by both", || balancer.log().contains(&format!("{address} gets requests")).then_some(()));
}

#[test]
fn flags_say_as_much_of_a_backend_as_the_file() {
    let upstreams = [Upstream::saying("a"), Upstream::saying("b")];
    let [a, b] = upstreams.each_ref().map(|upstream| upstream.address);
    let flags = ["--threads", "1", "--backend", &format!("{a} weight=2"), "--backend", &format!("{b} max_fails=1")];
    assert_eq!(answers(&Balancer::run(&flags), 6), "abaaba");
}

#[test]
fn who_works_on_the_fewest_requests_is_asked() {
    let (busy, free) = (Upstream::scripted(|_, _| true), Upstream::saying("free"));
    let balancer = Balancer::with_pool("balance = \"least_conn\"", &[busy.address, free.address]);
    let mut held = balancer.connect();
    held.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("one request is held", || (busy.requests() == 1).then_some(()));
    let mut client = balancer.connect();
    assert!((0..10).all(|_| client.get("/").text() == "free"));
    assert_eq!(busy.requests(), 1);
}

#[test]
fn who_is_slow_gets_little_when_two_are_drawn_by_lot() {
    let slow = Upstream::scripted(|_, peer| {
        // As long as it takes to be noticed; it is never waited for in vain.
        std::thread::park_timeout(std::time::Duration::from_millis(30));
        crate::upstream::answer(peer, b"slow")
    });
    let fast = Upstream::saying("fast");
    let balancer = Balancer::with_pool("balance = \"random\"", &[slow.address, fast.address]);
    let mut client = balancer.connect();
    let slows = (0..100).filter(|_| client.get("/").text() == "slow").count();
    assert!(slows <= 10, "{slows} of 100");
}

#[test]
fn who_comes_back_begins_with_little_beside_one_that_has_served_for_a_moment() {
    let (absent, good) = (Absent::new(), Upstream::saying("good"));
    let slow = "slow_start = \"3s\"";
    let servers = [absent.address, good.address].map(|address| format!("address = \"{address}\"\n{slow}"));
    let balancer = Balancer::with_servers("", &servers);
    eventually("it is noticed", || {
        assert_eq!(balancer.get("/").text(), "good");
        balancer.log().contains("cannot be reached").then_some(())
    });
    assert_eq!(answers(&balancer, 300), "good".repeat(300), "a moment");
    let back = Upstream::saying_at(absent.listen(), "back");
    eventually("it can be reached", || balancer.log().contains("can be reached again").then_some(()));
    let share = answers(&balancer, 60).matches("back").count();
    assert!(share < 24 && back.requests() == share, "{share} of 60");
}

/// A backend that closes on its first requests, as many as that, and is well then.
fn failing_at_first(failures: usize) -> Upstream {
    let left = std::sync::atomic::AtomicUsize::new(failures);
    let decrease = |left: usize| left.checked_sub(1);
    Upstream::scripted(move |head, peer| {
        use std::sync::atomic::Ordering::SeqCst;
        drop(crate::harness::read_body(peer, head, false));
        left.fetch_update(SeqCst, SeqCst, decrease).is_err() && crate::upstream::answer(peer, b"well")
    })
}

#[test]
fn one_failure_or_a_rest_keeps_nobody_out_for_longer_when_two_are_drawn_by_lot() {
    for pool in ["balance = \"random\"", "balance = \"random\"\nmax_fails = 1\nfail_timeout = \"1s\""] {
        let (bad, good) = (failing_at_first(1), Upstream::saying("good"));
        let balancer = Balancer::with_pool(pool, &[bad.address, good.address]);
        let mut client = balancer.connect();
        eventually("it has failed", || {
            assert_eq!(client.get("/").text(), "good");
            (bad.requests() == 1).then_some(())
        });
        let failed = std::time::Instant::now();
        eventually("it answers half of the requests", || {
            let wells = (0..10).filter(|_| client.get("/").text() == "well").count();
            (wells >= 3).then_some(())
        });
        assert!(failed.elapsed() < std::time::Duration::from_secs(10), "{:?}", failed.elapsed());
    }
}

#[test]
fn a_network_keeps_its_backend() {
    let (balancer, _upstreams) = abc("balance = \"ip_hash\"", [""; 3]);
    let from = |third: u8, last: u8| {
        let client = std::net::SocketAddr::from(([127, 0, third, last], 0));
        balancer.connect_from(client).get("/").text().to_owned()
    };
    let seen: std::collections::HashSet<String> = (0..30)
        .map(|third| {
            let first = from(third, 1);
            assert!((2..5).all(|last| from(third, last) == first), "127.0.{third}.0/24");
            first
        })
        .collect();
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_key_keeps_its_backend_and_requests_without_one_go_round() {
    for (way, head) in [
        ("hash $http_x_user", "/ HTTP/1.1\r\nHost: a\r\nX-User: KEY\r\n\r\n"),
        ("hash $cookie_user", "/ HTTP/1.1\r\nHost: a\r\nCookie: b=c; user=KEY\r\n\r\n"),
        ("hash $request_uri consistent", "/KEY HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let (balancer, _upstreams) = abc(&format!("balance = \"{way}\""), [""; 3]);
        let mut client = balancer.connect();
        let mut ask = |key: usize| {
            client.send(format!("GET {}", head.replace("KEY", &key.to_string())));
            client.answer().text().to_owned()
        };
        let first: Vec<String> = (0..30).map(&mut ask).collect();
        assert_eq!((0..30).map(&mut ask).collect::<Vec<_>>(), first, "{way}");
        assert!(["a", "b", "c"].iter().all(|name| first.iter().any(|text| text == name)), "{way}: {first:?}");
        if way != "hash $request_uri consistent" {
            assert_eq!(answers(&balancer, 6), "abcabc", "{way}");
        }
    }
}

/// A backend that answers when it is told, and how many requests it had at once.
fn telling() -> (Upstream, std::sync::mpsc::SyncSender<()>, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering, mpsc};
    let (tell, told) = mpsc::sync_channel::<()>(100);
    let (told, now, peak) = (Mutex::new(told), AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let most = Arc::clone(&peak);
    let upstream = Upstream::scripted(move |head, peer| {
        drop(crate::harness::read_body(peer, head, false));
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        told.lock().unwrap().recv_timeout(crate::harness::PATIENCE).unwrap();
        now.fetch_sub(1, Ordering::SeqCst);
        crate::upstream::answer(peer, b"told")
    });
    (upstream, tell, peak)
}

#[test]
fn a_backend_has_no_more_requests_at_once_than_it_may_and_the_others_wait_for_it() {
    let (upstream, tell, peak) = telling();
    let server = format!("{} max_conns=2", upstream.address);
    let balancer = Balancer::run(&["--threads", "2", "--backend", &server]);
    let mut clients: Vec<_> = (0..12).map(|_| balancer.connect()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("two are there", || (upstream.requests() == 2).then_some(()));
    (0..12).for_each(|_| tell.send(()).unwrap());
    assert!(clients.iter_mut().all(|client| client.answer().text() == "told"));
    assert_eq!((peak.load(std::sync::atomic::Ordering::SeqCst), upstream.requests()), (2, 12));
}

#[test]
fn when_the_line_is_full_the_next_one_is_sent_away_and_nobody_waits_for_ever() {
    let (upstream, tell, _) = telling();
    let server = format!("address = \"{}\"\nmax_conns = 1", upstream.address);
    let balancer = Balancer::with_servers("queue = 1\nqueue_timeout = \"1s\"", &[server]);
    let mut first = balancer.connect();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is there", || (upstream.requests() == 1).then_some(()));
    let mut others = [balancer.connect(), balancer.connect()];
    others.iter_mut().for_each(|client| client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    let mut words = others.each_mut().map(|client| {
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
        answer.text().to_owned()
    });
    words.sort();
    assert!(words[0].contains("too busy for too long") && words[1].contains("too many requests wait"), "{words:?}");
    tell.send(()).unwrap();
    assert_eq!((first.answer().text(), upstream.requests()), ("told", 1));
}

/// Waits in line until it leaves like this; what the log says of it. Nothing of it was at the backend.
fn left_in_line(leave: impl Fn(Connection)) -> String {
    let (upstream, tell, _) = telling();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("access.log");
    let server = format!("{} max_conns=1", upstream.address);
    let balancer = Balancer::run(&["--threads", "1", "--backend", &server, "--access-log", log.to_str().unwrap()]);
    let mut first = balancer.connect();
    first.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is there", || (upstream.requests() == 1).then_some(()));
    let mut second = balancer.connect();
    second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it was read", || second.is_read().then_some(()));
    leave(second);
    let line = eventually("it is noticed", || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.lines().find(|line| line.contains("/second")).map(str::to_owned)
    });
    tell.send(()).unwrap();
    assert_eq!(first.answer().text(), "told");
    tell.send(()).unwrap();
    assert_eq!(balancer.get("/third").text(), "told");
    let heads = upstream.heads.lock().unwrap();
    assert!(!heads.iter().any(|head| head.contains("/second")), "{heads:?}");
    line
}

#[test]
fn who_leaves_the_line_is_not_sent_on() {
    let line = left_in_line(Connection::reset);
    assert!(line.contains(" 499 0 ") && line.contains("flag=cut by=client"), "{line}");
}

#[test]
fn who_closes_in_the_line_is_not_sent_on() {
    let line = left_in_line(drop);
    assert!(line.contains(" 499 0 ") && line.contains("flag=cut by=client"), "{line}");
    assert!(line.contains("queued_ms=") || crate::ENGINE != "strict", "{line}");
}

#[test]
fn who_could_not_be_served_elsewhere_waits_beside_the_line_for_who_is_busy() {
    let (busy, tell, _) = telling();
    let bad = Upstream::closing();
    let servers = [format!("address = \"{}\"\nmax_conns = 1", busy.address), format!("address = \"{}\"", bad.address)];
    let balancer = Balancer::with_servers("max_fails = 0\nqueue_timeout = \"25s\"", &servers);
    let mut first = balancer.connect();
    first.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is there", || (busy.requests() == 1).then_some(()));
    let mut second = balancer.connect();
    second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it has failed at the other one", || (bad.requests() == 1).then_some(()));
    tell.send(()).unwrap();
    tell.send(()).unwrap();
    assert_eq!((first.answer().text(), second.answer().text()), ("told", "told"));
}
