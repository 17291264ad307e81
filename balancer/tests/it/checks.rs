use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    harness::{Balancer, eventually},
    upstream::{Full, Upstream, answer, nobody},
};

#[test]
fn a_backend_that_fails_its_checks_gets_nothing_until_it_passes_them() {
    let well = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&well);
    let checked = Upstream::scripted(move |head, peer| {
        use std::io::Write;
        if head.starts_with("GET /up") && !asked.load(Ordering::SeqCst) {
            return peer.get_mut().write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").is_ok();
        }
        answer(peer, b"checked")
    });
    let other = Upstream::saying("other");
    let pool = "[pool.health_check]\nuri = \"/up\"\ninterval = \"10ms\"\nfails = 2\npasses = 2";
    let balancer = Balancer::with_pool(pool, &[checked.address, other.address]);
    let mut client = balancer.connect();
    let texts = [client.get("/").text().to_owned(), client.get("/").text().to_owned()];
    assert!(texts.contains(&"checked".to_owned()), "{texts:?}");
    well.store(false, Ordering::SeqCst);
    eventually("it is out", || balancer.log().contains("fails its checks").then_some(()));
    assert!((0..10).all(|_| client.get("/").text() == "other"));
    well.store(true, Ordering::SeqCst);
    eventually("it is back", || (client.get("/").text() == "checked").then_some(()));
    eventually("that is told", || balancer.log().contains("passes its checks again").then_some(()));
}

#[test]
fn who_passes_its_checks_again_does_not_rest_for_failures_of_before() {
    let (well, other) = (Arc::new(AtomicBool::new(true)), Upstream::saying("other"));
    let asked = Arc::clone(&well);
    let checked = Upstream::scripted(move |head, peer| {
        head.starts_with("GET /up") && asked.load(Ordering::SeqCst) && answer(peer, b"well")
    });
    let check = "[pool.health_check]\nuri = \"/up\"\ninterval = \"10ms\"\nfails = 2\npasses = 2";
    let pool = format!("max_fails = 2\nfail_timeout = \"1h\"\n{check}");
    let balancer = Balancer::with_pool(&pool, &[checked.address, other.address]);
    let told = |what: &str| balancer.log().contains(what).then_some(());
    let failed = || checked.heads.lock().unwrap().iter().filter(|head| head.starts_with("GET / ")).count();
    let fails = |times: usize| {
        // At rest it would not be asked.
        eventually("it fails", || {
            assert_eq!(balancer.get("/").text(), "other");
            (failed() == times).then_some(())
        });
    };
    fails(1);
    well.store(false, Ordering::SeqCst);
    eventually("it is out", || told("fails its checks"));
    well.store(true, Ordering::SeqCst);
    eventually("it is back", || told("passes its checks again"));
    fails(2);
    fails(3);
    eventually("it rests", || told("fails too often and rests"));
}

#[test]
fn a_check_names_its_host_and_its_answer_is_read_like_any() {
    let upstream = Upstream::scripted(|head, peer| {
        use std::io::Write;
        assert!(!head.starts_with("GET /up") || head.contains("\r\nHost: app.example\r\n"), "{head}");
        peer.get_mut().write_all(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi").is_ok()
    });
    let other = Upstream::saying("other");
    let pool = "[pool.health_check]\nuri = \"/up\"\nhost = \"app.example\"\ninterval = \"10ms\"";
    let balancer = Balancer::with_pool(pool, &[upstream.address, other.address]);
    let out = || balancer.log().contains(&format!("{} fails its checks", upstream.address)).then_some(());
    // The other one answers checks with whatever they ask for.
    eventually("who is not understood is out", out);
    assert!((0..10).all(|_| balancer.get("/").text() == "other"));
}

#[test]
fn without_a_path_a_connection_is_the_check_and_no_request_has_to_fail_for_it() {
    let (gone, good) = (nobody(), Upstream::saying("good"));
    let balancer = Balancer::with_pool("[pool.health_check]\ninterval = \"10ms\"", &[gone, good.address]);
    eventually("it is out", || balancer.log().contains(&format!("{gone} fails its checks")).then_some(()));
    assert!((0..10).all(|_| balancer.get("/").text() == "good"));
    assert!(!balancer.log().contains(&format!("{gone} cannot be reached")));
}

#[test]
fn a_unix_socket_whose_queue_is_full_for_a_while_fails_no_check() {
    let (full, other) = (Full::new(), Upstream::saying("other"));
    let servers = [full.address(), other.address.to_string()].map(|address| format!("address = \"{address}\""));
    let check = "[pool.health_check]\nuri = \"/up\"\ninterval = \"10ms\"\ntimeout = \"1m\"\nfails = 1";
    let balancer = Balancer::with_servers(check, &servers);
    eventually("checks are made", || (other.requests() > 20).then_some(()));
    let _opened = full.opens("busy");
    eventually("it is asked", || (balancer.get("/").text() == "busy").then_some(()));
    assert!(!balancer.log().contains("fails its checks"), "{}", balancer.log());
}
