use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use crate::{
    harness::{Balancer, eventually, read_body},
    upstream::{Absent, Upstream, answer},
};

/// A backend that closes without an answer until it is told otherwise.
fn closing_until_told() -> (Upstream, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&well);
    let upstream = Upstream::scripted(move |head, peer| {
        drop(read_body(peer, head, false));
        asked.load(Ordering::SeqCst) && answer(peer, b"well")
    });
    (upstream, well)
}

/// A client's address.
fn from(number: u8) -> SocketAddr {
    ([127, 0, 0, number], 0).into()
}

fn is_erring(balancer: &Balancer) -> bool {
    balancer.log().contains("answers with errors only")
}

fn rests(balancer: &Balancer, upstream: SocketAddr) -> bool {
    balancer.log().contains(&format!("{upstream} fails too often and rests"))
}

#[test]
fn too_many_failures_in_the_window_take_a_backend_out_and_one_request_brings_it_back() {
    let ((bad, well), good) = (closing_until_told(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_fails = 2\nfail_timeout = \"1s\"", &[bad.address, good.address]);
    eventually("it is out", || {
        assert_eq!(balancer.get("/").text(), "good");
        rests(&balancer, bad.address).then_some(())
    });
    assert_eq!(bad.requests(), 2);
    well.store(true, Ordering::SeqCst);
    eventually("it has rested", || balancer.log().contains("has rested and gets one request").then_some(()));
    eventually("it is back", || (balancer.get("/").text() == "well").then_some(()));
    eventually("that is told", || balancer.log().contains("gets requests again").then_some(()));
}

#[test]
fn who_is_back_does_not_rest_for_failures_of_before_and_does_where_it_fails_after_each_return() {
    let (good, absent) = (Upstream::saying("good"), Absent::new());
    let (mut dying, address) = (absent.dies_when_asked(), absent.address);
    let balancer = Balancer::with_pool("max_fails = 2\nfail_timeout = \"1h\"", &[address, good.address]);
    let told = |what: &str| balancer.log().matches(&format!("{address} {what}")).count();
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        eventually(what, || {
            assert_eq!(balancer.get("/").text(), "good");
            is_so().then_some(())
        });
    };
    for returns in 1..=2 {
        until("it fails one", &|| dying.is_finished());
        // At rest it would not be asked.
        until("it is asked again, and is gone", &|| told("cannot be reached") == returns);
        dying = absent.dies_when_asked();
        until("it is back", &|| told("can be reached again") == returns);
    }
    until("it rests", &|| rests(&balancer, address));
}

#[test]
fn how_long_a_backend_rests_is_told_as_the_file_has_it() {
    for (written, ms) in [("500ms", 500), ("1500ms", 1500), ("90s", 90_000), ("2m", 120_000)] {
        let (bad, good) = (Upstream::closing(), Upstream::saying("good"));
        let pool = format!("max_fails = 1\nfail_timeout = \"{written}\"");
        let balancer = Balancer::with_pool(&pool, &[bad.address, good.address]);
        let told = |log: &str| log.contains(&format!("rests for {written}")) && log.contains(&format!("rest_ms={ms}"));
        eventually("it is told", || {
            assert_eq!(balancer.get("/").text(), "good");
            told(&balancer.log()).then_some(())
        });
    }
}

#[test]
fn a_trial_that_fails_is_the_only_request_of_its_time() {
    let ((bad, _), good) = (closing_until_told(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_fails = 1\nfail_timeout = \"1s\"", &[bad.address, good.address]);
    eventually("two trials fail", || {
        assert_eq!(balancer.get("/").text(), "good");
        (balancer.log().matches("has failed again and rests on").count() == 2).then_some(())
    });
    assert_eq!(bad.requests(), 3, "the first failure, and the two trials");
}

#[test]
fn a_backend_rests_on_when_what_cannot_be_repeated_fails_for_two_clients() {
    let ((bad, _), good) = (closing_until_told(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("fail_timeout = \"1s\"", &[bad.address, good.address]);
    let post = |number| balancer.connect_from(from(number)).post("/", b"x").status;
    let told = |what: &str| balancer.log().matches(what).count();
    eventually("it rests", || {
        assert!((1..=5).all(|number| [200, 502].contains(&post(number))));
        (told("fails too often and rests") == 1).then_some(())
    });
    eventually("two trials fail", || {
        assert!((1..=5).all(|number| [200, 502].contains(&post(number))));
        (told("has failed again and rests on") == 2).then_some(())
    });
    assert!(bad.requests() <= 3 + 2 * 2 + 2, "{} requests, those under way with them", bad.requests());
}

#[test]
fn nobody_keeps_a_backend_out_by_holding_its_trial() {
    let (is_well, good) = (Arc::new(AtomicBool::new(false)), Upstream::saying("good"));
    let seen = Arc::clone(&is_well);
    let bad = Upstream::scripted(move |head, peer| {
        drop(read_body(peer, head, false));
        match seen.load(Ordering::SeqCst) {
            false => false,
            // Until its client leaves.
            true if head.contains("/long") => peer.read(&mut [0]).is_err(),
            true => answer(peer, b"well"),
        }
    });
    let balancer = Balancer::with_pool("max_fails = 1\nfail_timeout = \"1s\"", &[bad.address, good.address]);
    eventually("it rests", || {
        assert_eq!(balancer.get("/").text(), "good");
        rests(&balancer, bad.address).then_some(())
    });
    is_well.store(true, Ordering::SeqCst);
    eventually("it has rested", || balancer.log().contains("has rested and gets one request").then_some(()));
    // Of one client's, sent until one is the trial, no other is; the next one is another client's.
    let (before, mut held) = (bad.requests(), Vec::new());
    eventually("one client has the trial", || {
        let mut client = balancer.connect_from(from(9));
        client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
        held.push(client);
        (bad.requests() > before).then_some(())
    });
    let sent = good.requests() + held.len();
    for client in &mut held {
        client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("the others are at the other one", || (good.requests() + 1 >= sent).then_some(()));
    assert_eq!(bad.requests(), before + 1, "and has it once");
    eventually("another one brings it back", || (balancer.get("/").text() == "well").then_some(()));
}

/// A backend that holds `/hold` until it is let go, and closes without an answer to anything while it is not well.
fn holding(text: &'static str, is_well: bool) -> (Upstream, Arc<AtomicBool>, mpsc::SyncSender<()>) {
    let (is_well, (release, held)) = (Arc::new(AtomicBool::new(is_well)), mpsc::sync_channel(1));
    let (asked, held) = (Arc::clone(&is_well), Mutex::new(held));
    let upstream = Upstream::scripted(move |head, peer| {
        if head.starts_with("GET /hold") {
            let _ = held.lock().unwrap().recv();
        }
        asked.load(Ordering::SeqCst) && answer(peer, text.as_bytes())
    });
    (upstream, is_well, release)
}

#[test]
fn what_still_hangs_at_a_backend_keeps_no_trial_from_it() {
    for balance in ["least_conn", "random"] {
        let (bad, is_well, _kept) = holding("well", false);
        let (good, _, release) = holding("good", true);
        let pool = format!("balance = \"{balance}\"\nmax_fails = 1\nfail_timeout = \"1s\"");
        let balancer = Balancer::with_pool(&pool, &[bad.address, good.address]);
        let mut held: Vec<_> = (0..2).map(|_| balancer.connect()).collect();
        for (client, count) in held.iter_mut().zip(1..) {
            client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
            eventually("it is held", || (bad.requests() + good.requests() == count).then_some(()));
        }
        assert_eq!((bad.requests(), good.requests()), (1, 1), "{balance}");
        eventually("it rests", || {
            assert_eq!(balancer.get("/").text(), "good");
            rests(&balancer, bad.address).then_some(())
        });
        release.send(()).unwrap();
        is_well.store(true, Ordering::SeqCst);
        eventually("it is back", || (balancer.get("/").text() == "well").then_some(()));
    }
}

#[test]
fn one_client_takes_nobody_out_with_what_nobody_answers() {
    let script = |text: &'static [u8]| {
        move |head: &str, peer: &mut crate::upstream::Peer| {
            drop(read_body(peer, head, false));
            !head.contains("/poison") && answer(peer, text)
        }
    };
    let upstreams = [Upstream::scripted(script(b"a")), Upstream::scripted(script(b"b"))];
    let pool = "max_fails = 1\nqueue_timeout = \"0s\"";
    let balancer = Balancer::with_pool(pool, &upstreams.each_ref().map(|upstream| upstream.address));
    for _ in 0..10 {
        assert_eq!(balancer.get("/poison").status, 502);
        assert_eq!(balancer.connect().post("/poison", b"x").status, 502);
    }
    assert!(!balancer.log().contains("rests"), "{}", balancer.log());
}

#[test]
fn as_many_clients_as_max_fails_take_a_backend_out_with_what_cannot_be_repeated() {
    let (bad, _) = closing_until_told();
    let balancer = Balancer::with_pool("max_fails = 2\nfail_timeout = \"1h\"", &[bad.address]);
    let post = |number| assert_eq!(balancer.connect_from(from(number)).post("/", b"x").status, 502);
    // The first client's failure waits for another client's, and counts then.
    (0..5).for_each(|_| post(1));
    assert!(!rests(&balancer, bad.address), "it is one client");
    post(2);
    eventually("it is out", || rests(&balancer, bad.address).then_some(()));
    assert_eq!(bad.requests(), 6);
}

#[test]
fn what_a_client_breaks_off_is_not_held_against_its_backend() {
    let (slow, good) = (Upstream::scripted(|_, _| true), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_fails = 1", &[slow.address, good.address]);
    let half = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(100_000));
    for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", &half] {
        for _ in 0..10 {
            let before = slow.requests() + good.requests();
            let mut client = balancer.connect();
            client.send(request);
            eventually("it has come", || (slow.requests() + good.requests() > before).then_some(()));
        }
    }
    assert!(!balancer.log().contains("rests"), "{}", balancer.log());
}

#[test]
fn what_a_backend_makes_of_half_a_body_is_not_held_against_it() {
    for answer in ["", "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"] {
        let saying = |answer: &'static str| {
            Upstream::scripted(move |head, peer| {
                let answer = if head.starts_with("POST") { answer } else { "HTTP/1.1 204 Yes\r\n\r\n" };
                peer.get_mut().write_all(answer.as_bytes()).unwrap();
                false
            })
        };
        let (hasty, good) = (saying(answer), saying("HTTP/1.1 201 Done\r\nContent-Length: 0\r\n\r\n"));
        let balancer = Balancer::with_pool("max_fails = 1\nmax_errors = 2", &[hasty.address, good.address]);
        let half = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(100_000));
        for number in 2..14 {
            let mut client = balancer.connect_from(from(number));
            client.send(&half);
            let failing = if answer.is_empty() { 502 } else { 503 };
            let status = client.answer().status;
            assert!([201, failing].contains(&status) || crate::ENGINE != "strict", "{status}");
        }
        (0..4).for_each(|_| assert_eq!(balancer.get("/").status, 204));
        assert!(hasty.requests() > 6, "it is asked still");
        assert!(!balancer.log().contains("rests"), "{}", balancer.log());
    }
}

#[test]
fn backends_that_fail_together_rest_and_a_page_that_nobody_answers_has_none_rest() {
    let dropping = || Upstream::scripted(|_, _| false);
    let (dead, good) = ([dropping(), dropping(), dropping()], Upstream::saying("good"));
    let all: Vec<SocketAddr> = dead.iter().chain([&good]).map(|upstream| upstream.address).collect();
    let balancer = Balancer::with_pool("fail_timeout = \"1h\"", &all);
    let mut clients = (2..250).map(from);
    eventually("all three rest", || {
        balancer.connect_from(clients.next().unwrap()).get("/");
        dead.iter().all(|upstream| rests(&balancer, upstream.address)).then_some(())
    });
    assert!((0..10).all(|_| balancer.get("/").text() == "good"));

    let picky = || Upstream::scripted(|head, peer| !head.starts_with("GET /broken") && answer(peer, b"well"));
    let backends = [picky(), picky()];
    let balancer = Balancer::with_pool("", &[backends[0].address, backends[1].address]);
    for client in (2..30).map(from) {
        assert_eq!(balancer.connect_from(client).get("/broken").status, 502);
        // Enough for each of them to answer.
        (0..4).for_each(|_| assert_eq!(balancer.get("/").text(), "well"));
    }
    assert!(!balancer.log().contains("rests"), "{}", balancer.log());
}

#[test]
fn a_backend_that_takes_no_more_of_bodies_rests() {
    if crate::ENGINE != "strict" {
        // The library does not tell who stands still.
        return;
    }
    let (_held, until) = mpsc::sync_channel::<()>(1);
    let until = Mutex::new(until);
    let frozen = Upstream::scripted(move |_, _| until.lock().unwrap().recv().is_ok());
    let balancer = Balancer::with_pool("max_fails = 1\nread_timeout = \"1s\"", &[frozen.address]);
    let clients: Vec<_> = (2..5)
        .map(|number| {
            let mut client = balancer.connect_from(from(number));
            std::thread::spawn(move || client.post("/", &vec![b'x'; 30 << 20]).status)
        })
        .collect();
    assert!(clients.into_iter().all(|client| client.join().unwrap() == 504));
    eventually("it rests", || rests(&balancer, frozen.address).then_some(()));
}

#[test]
fn when_all_are_out_they_are_asked_anyway() {
    let (bad, well) = closing_until_told();
    let balancer = Balancer::with_pool("max_fails = 1\nfail_timeout = \"1h\"\nqueue_timeout = \"0s\"", &[bad.address]);
    for number in [2, 3] {
        assert_eq!(balancer.connect_from(from(number)).get("/").status, 502);
    }
    eventually("it is out", || rests(&balancer, bad.address).then_some(()));
    assert_eq!(balancer.get("/").status, 502);
    assert_eq!(bad.requests(), 3, "it was asked anyway");
    well.store(true, Ordering::SeqCst);
    assert_eq!(balancer.get("/").text(), "well");
    eventually("it is back", || balancer.log().contains("gets requests again").then_some(()));
}

#[test]
fn those_that_are_out_are_asked_where_all_that_serve_have_failed() {
    let ((one, one_well), (other, other_well)) = (closing_until_told(), closing_until_told());
    other_well.store(true, Ordering::SeqCst);
    let pool = "max_fails = 1\nfail_timeout = \"1h\"";
    let balancer = Balancer::with_pool(pool, &[one.address, other.address]);
    eventually("one is out", || {
        assert_eq!(balancer.get("/").text(), "well");
        rests(&balancer, one.address).then_some(())
    });
    one_well.store(true, Ordering::SeqCst);
    other_well.store(false, Ordering::SeqCst);
    // The other one still serves and is asked first, over connections of before too.
    for _ in 0..3 {
        assert_eq!(balancer.get("/").text(), "well");
    }
}

#[test]
fn a_backend_that_answers_with_errors_only_is_out_while_the_others_answer_well() {
    let (bad, good) = (Upstream::refusing(500), Upstream::saying("good"));
    let balancer = Balancer::with_pool("max_errors = 3", &[bad.address, good.address]);
    let mut client = balancer.connect();
    eventually("it is out", || {
        for number in 1..=3 {
            // Everybody has met both.
            let mut one = balancer.connect_from(from(number));
            (0..2).for_each(|_| drop(one.get("/")));
        }
        is_erring(&balancer).then_some(())
    });
    assert!((0..10).all(|_| client.get("/").text() == "good"));
}

/// One that answers 500 where it is asked for that.
fn failing_where_asked() -> Upstream {
    Upstream::scripted(|head, peer| {
        let status = if head.starts_with("GET /500") { "500 Failed" } else { "200 OK" };
        write!(peer.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").is_ok()
    })
}

#[test]
fn one_client_takes_nobody_out_with_a_page_that_fails_and_several_do() {
    let upstreams = [failing_where_asked(), failing_where_asked()];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let balancer = Balancer::with_pool("max_errors = 3\nbalance = \"hash $request_uri consistent\"", &addresses);
    let mut client = balancer.connect_from(from(1));
    assert!((0..50).all(|_| client.get("/500").status == 500));
    assert_eq!(balancer.connect_from(from(2)).get("/500").status, 500);
    let asked = upstreams.each_ref().map(Upstream::requests);
    assert_eq!(asked.into_iter().max(), Some(51), "{asked:?}: the same is asked for the same");
    assert!(!is_erring(&balancer), "{}", balancer.log());
    assert_eq!(balancer.connect_from(from(3)).get("/500").status, 500);
    eventually("it is out", || is_erring(&balancer).then_some(()));
}

#[test]
fn errors_that_all_answer_with_take_nobody_out() {
    let bad = [Upstream::refusing(500), Upstream::refusing(503)];
    let balancer = Balancer::with_pool("max_errors = 3", &bad.each_ref().map(|upstream| upstream.address));
    let mut client = balancer.connect();
    (0..30).for_each(|_| assert!(client.get("/").status >= 500));
    assert_eq!(bad.each_ref().map(Upstream::requests), [15, 15]);
}
