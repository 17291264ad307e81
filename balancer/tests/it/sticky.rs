use crate::{
    harness::{Answer, Balancer, Connection, eventually},
    upstream::{Absent, Upstream},
};

const POOL: &str = "[pool.sticky]\ncookie = \"route\"\nkey = \"sixteen letters or more\"";

fn ask(client: &mut Connection, cookie: &str) -> Answer {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; {cookie}\r\n\r\n"));
    client.answer()
}

/// The part of `Set-Cookie` that comes back.
fn cookie(answer: &Answer) -> Option<String> {
    Some(answer.field("set-cookie")?.split(';').next().unwrap().to_owned())
}

#[test]
fn a_client_stays_where_it_was_and_learns_nothing_of_it() {
    let upstreams = [Upstream::saying("a"), Upstream::saying("b"), Upstream::saying("c")];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let balancer = Balancer::with_pool(POOL, &addresses);
    let mut client = balancer.connect();
    let cookies: Vec<(String, String)> = (0..3)
        .map(|_| {
            let first = client.get("/");
            let set = first.field("set-cookie").unwrap();
            assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
            assert!(addresses.iter().all(|address| !set.contains(&address.port().to_string())), "{set}");
            (first.text().to_owned(), cookie(&first).unwrap())
        })
        .collect();
    // Another balancer with the same key knows them too.
    for balancer in [&balancer, &Balancer::with_pool(POOL, &addresses)] {
        let mut client = balancer.connect();
        for (name, cookie) in cookies.iter().cycle().take(12) {
            let answer = ask(&mut client, cookie);
            assert_eq!((answer.text(), answer.field("set-cookie")), (name.as_str(), None));
        }
    }
}

#[test]
fn a_cookie_that_is_none_of_ours_is_replaced() {
    let upstreams = [Upstream::saying("a"), Upstream::saying("b")];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let balancer = Balancer::with_pool(POOL, &addresses);
    let mut client = balancer.connect();
    let long = "x".repeat(8000);
    let plain = addresses[0].to_string();
    for forged in [&long, &plain, "", "00000000000000000000000000000000"] {
        let answers = [ask(&mut client, &format!("route={forged}")), ask(&mut client, &format!("route={forged}"))];
        assert!(answers.iter().all(|answer| answer.status == 200 && cookie(answer).is_some()), "{forged}");
        assert_ne!(answers[0].text(), answers[1].text(), "{forged}");
    }
}

#[test]
fn a_client_whose_backend_is_gone_gets_another_one_and_its_cookie() {
    let (good, absent) = (Upstream::saying("good"), Absent::new());
    let (gone, back) = (absent.address, absent.listen());
    std::thread::spawn(move || {
        let mut peer = std::io::BufReader::new(back.accept().unwrap().0);
        drop(back);
        crate::harness::read_head(&mut peer).unwrap();
        crate::upstream::answer(&mut peer, b"once")
    });
    let balancer = Balancer::with_pool(POOL, &[gone, good.address]);
    let mut client = balancer.connect();
    let first = client.get("/");
    assert_eq!(first.text(), "once");
    let answer = ask(&mut client, &cookie(&first).unwrap());
    assert_eq!(answer.text(), "good");
    eventually("it is known to be gone", || cookie(&ask(&mut client, &cookie(&first).unwrap())));
}
