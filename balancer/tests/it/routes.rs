use std::io::{Read, Write};

use crate::{
    harness::{Answer, Balancer},
    upstream::{Upstream, nobody},
};

/// A file with these pools of one backend each, and these routes.
fn file(pools: &[(&str, std::net::SocketAddr)], routes: &str) -> String {
    let pool = |(name, address): &(&str, std::net::SocketAddr)| {
        format!("[[pool]]\nname = \"{name}\"\n[[pool.server]]\naddress = \"{address}\"\n")
    };
    format!("{}{routes}", pools.iter().map(pool).collect::<String>())
}

fn get(balancer: &Balancer, host: &str, target: &str) -> Answer {
    let mut client = balancer.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.answer()
}

const ROUTES: &str = "[[route]]
server_name = [\"shop.example\", \"*.shop.example\"]
pool = \"shop\"
[[route]]
server_name = [\"shop.example\"]
location = \"/api\"
pool = \"api\"
";

#[test]
fn host_and_path_choose_the_pool() {
    let (shop, api) = (Upstream::saying("shop"), Upstream::saying("api"));
    let balancer = Balancer::with_file(&file(&[("shop", shop.address), ("api", api.address)], ROUTES));
    for (host, target, expected) in [
        ("shop.example", "/", "shop"),
        ("SHOP.example:8080", "/apis", "shop"),
        ("shop.example", "/api/x?y", "api"),
        ("shop.example", "/%61pi", "api"),
        ("www.shop.example", "/api", "shop"),
        ("other.example", "http://shop.example/api", "api"),
    ] {
        assert_eq!(get(&balancer, host, target).text(), expected, "{host} {target}");
    }
    assert!(api.heads.lock().unwrap().iter().any(|head| head.starts_with("GET /%61pi HTTP/1.1")), "as it was written");
}

#[test]
fn a_name_that_begins_with_a_dot_is_that_host_and_all_below_it() {
    let (shop, rest) = (Upstream::saying("shop"), Upstream::saying("rest"));
    let routes = "[[route]]\nserver_name = [\".Shop.example\"]\npool = \"shop\"\n[[route]]\npool = \"rest\"\n";
    let balancer = Balancer::with_file(&file(&[("shop", shop.address), ("rest", rest.address)], routes));
    for (host, expected) in
        [("shop.example", "shop"), ("a.b.SHOP.example", "shop"), ("myshop.example", "rest"), ("example", "rest")]
    {
        assert_eq!(get(&balancer, host, "/").text(), expected, "{host}");
    }
}

#[test]
fn a_request_of_no_route_reaches_nobody() {
    let upstream = Upstream::saying("here");
    let route = "[[route]]\nserver_name = [\"a.example\"]\nlocation = \"/x\"\npool = \"a\"\n";
    let balancer = Balancer::with_file(&file(&[("a", upstream.address)], route));
    for (host, target, status) in [
        ("a.example", "/y", 404),
        ("b.example", "/x", 421),
        ("a.example", "/x//y", 400),
        ("a.example", "/x/../y", 400),
        ("a.example", "/y/%2e%2e/x", 400),
        ("a.example", "/x%2fy", 400),
    ] {
        assert_eq!(get(&balancer, host, target).status, status, "{host} {target}");
    }
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn the_connection_stays_for_another_route() {
    let (shop, api) = (Upstream::saying("shop"), Upstream::saying("api"));
    let balancer = Balancer::with_file(&file(&[("shop", shop.address), ("api", api.address)], ROUTES));
    let mut client = balancer.connect();
    for (target, expected) in [("/", "shop"), ("/api", "api"), ("/", "shop"), ("/api/x", "api")] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n\r\n"));
        assert_eq!(client.answer().text(), expected);
    }
    assert_eq!((shop.requests(), api.requests()), (2, 2));
}

#[test]
fn each_pool_has_its_own_terms_and_its_trouble_to_itself() {
    let here = Upstream::saying("here");
    let routes = "[[route]]\npool = \"here\"\n[[route]]\nlocation = \"/gone\"\npool = \"gone\"\n";
    let gone = format!("[[pool]]\nname = \"gone\"\nqueue = 0\n[[pool.server]]\naddress = \"{}\"\n", nobody());
    let balancer = Balancer::with_file(&format!("{gone}{}", file(&[("here", here.address)], routes)));
    assert!(matches!(get(&balancer, "a", "/gone").status, 502 | 503));
    assert_eq!(get(&balancer, "a", "/").text(), "here");
    assert_eq!(get(&balancer, "a", "/gone").status, 503);
    assert_eq!(get(&balancer, "a", "/").text(), "here");
}

#[test]
fn a_single_pool_needs_no_name_to_have_routes() {
    let upstream = Upstream::saying("here");
    let servers = format!("[pool]\n[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    let balancer = Balancer::with_file(&format!("{servers}[[route]]\nlocation = \"/app\"\n"));
    assert_eq!(get(&balancer, "a", "/app/x").text(), "here");
    assert_eq!(get(&balancer, "a", "/").status, 404);
}

/// A balancer with one route to this backend, with these lines.
fn with_route(upstream: &Upstream, lines: &str) -> Balancer {
    let pool = format!("[pool]\n[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    Balancer::with_file(&format!("{pool}[[route]]\n{lines}\n"))
}

#[test]
fn a_route_changes_the_fields_of_requests() {
    let upstream = Upstream::echoing();
    let set = "set = { X-Where = \"$scheme://$host$request_uri\", X-Gone = \"$cookie_no\", x-twice = \"$http_x_a\" }";
    let balancer = with_route(&upstream, &format!("[route.request_headers]\n{set}\nremove = [\"x-debug\"]"));
    let mut client = balancer.connect();
    client.send(
        "POST /a?b HTTP/1.1\r\nHost: h:1\r\nX-Debug: 1\r\nX-Gone: 1\r\nX-Twice: 1\r\nX-A: v\r\nX-TWICE: 2\r\nContent-Length: 2\r\n\r\nhi",
    );
    let seen = client.answer().text().to_lowercase();
    assert!(seen.contains("\r\nx-where: http://h/a?b\r\n") && seen.ends_with("\r\n\r\nhi"), "{seen}");
    assert!(seen.contains("\r\nx-twice: v\r\n") && seen.matches("x-twice").count() == 1, "{seen}");
    assert!(!seen.contains("x-debug") && !seen.contains("x-gone"), "{seen}");
}

#[test]
fn a_route_changes_the_fields_of_answers() {
    let upstream = Upstream::scripted(|_, peer| {
        let head = "HTTP/1.1 200 OK\r\nX-Powered-By: it\r\nX-A: old\r\nContent-Length: 2\r\n\r\nok";
        peer.get_mut().write_all(head.as_bytes()).is_ok()
    });
    let lines = "[route.response_headers]\nset = { X-A = \"new\" }\nadd = { X-B = \"$request_method\" }\nremove = [\"X-Powered-By\"]";
    let balancer = with_route(&upstream, lines);
    let mut client = balancer.connect();
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.field("x-a"), answer.field("x-b"), answer.text()), (Some("new"), Some("GET"), "ok"));
        assert!(!answer.head.contains("X-Powered-By") && answer.head.matches("X-A").count() == 1, "{}", answer.head);
    }
}

#[test]
fn what_a_route_says_nobody_says_in_trailers() {
    // With `_` too, which is the same to programs that get fields as variables.
    let trailers = "X-A: theirs\r\nX_A: theirs\r\nX-Debug: 1\r\nx_debug: 1\r\nAccess-Control-Allow-Origin: *\r\n\
                    Access_Control_Allow_Origin: *\r\nX-Last: 8\r\n\r\n";
    let upstream = Upstream::scripted(move |_, peer| {
        let mut seen = String::new();
        while !seen.ends_with("X-Last: 8\r\n\r\n") {
            let mut byte = [0];
            peer.read_exact(&mut byte).unwrap();
            seen.push(char::from(byte[0]));
        }
        let seen = seen.replace("X-", "Seen-X-");
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        peer.get_mut().write_all(format!("{head}{:x}\r\n{seen}\r\n0\r\n{trailers}", seen.len()).as_bytes()).is_ok()
    });
    let edits = |head: &str| format!("[route.{head}_headers]\nset = {{ X-A = \"ours\" }}\nremove = [\"x-debug\"]\n");
    let cors = "[route.cors]\nallow_origin = [\"https://a.example\"]\n";
    let balancer = with_route(&upstream, &format!("{}{}{cors}", edits("request"), edits("response")));
    let mut client = balancer.connect();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{trailers}"
    ));
    let mut text = String::new();
    client.0.read_to_string(&mut text).unwrap();
    let cors = "Access-Control-Allow-Origin: *\r\nAccess_Control_Allow_Origin: *\r\n";
    assert!(text.contains(&format!("0\r\n{cors}Seen-X-Last: 8\r\n")), "of the request: {text}");
    assert!(text.ends_with("\r\n0\r\nX-Last: 8\r\n\r\n"), "of the answer: {text}");
}

#[test]
fn questions_about_other_sites_are_answered_in_front() {
    let upstream = Upstream::saying("here");
    let cors = "[route.cors]\nallow_origin = [\"https://a.example\"]\nallow_methods = [\"PUT\"]\nmax_age = \"1h\"";
    let balancer = with_route(&upstream, cors);
    let mut client = balancer.connect();
    let mut ask = |method: &str, more: &str| {
        client.send(format!("{method} / HTTP/1.1\r\nHost: h\r\n{more}\r\n"));
        client.answer()
    };
    let question = "Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n";
    let told = ask("OPTIONS", question);
    assert_eq!((told.status, told.field("access-control-allow-origin")), (204, Some("https://a.example")));
    assert_eq!(
        (told.field("access-control-allow-methods"), told.field("access-control-max-age")),
        (Some("PUT"), Some("3600"))
    );
    assert!(told.field("x-request-id").is_some_and(|id| id.len() == 32), "{told:?}");
    let refused = ask("OPTIONS", &question.replace("a.example", "b.example"));
    assert_eq!((refused.status, refused.field("access-control-allow-origin")), (204, None));
    assert_eq!(upstream.requests(), 0);
    let answer = ask("GET", "Origin: https://a.example\r\n");
    assert_eq!((answer.text(), answer.field("access-control-allow-origin")), ("here", Some("https://a.example")));
    assert_eq!((answer.field("vary"), ask("OPTIONS", "").text()), (Some("Origin"), "here"));
}

#[test]
fn what_a_route_does_to_cookies_leaves_ours() {
    const SETS: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: theirs=1\r\nContent-Length: 2\r\n\r\nhi";
    let upstream = Upstream::scripted(|_, peer| peer.get_mut().write_all(SETS.as_bytes()).is_ok());
    let pool = format!("[pool.sticky]\ncookie = \"ours\"\n[[pool.server]]\naddress = \"{}\"\n", upstream.address);
    for (edits, expected) in [
        ("set = { Set-Cookie = \"route=1\" }", "route ours"),
        ("remove = [\"set-cookie\"]", "ours"),
        ("set = { Set_Cookie = \"route=1\" }", "ours"),
        ("add = { Set-Cookie = \"route=1\" }", "theirs route ours"),
        ("set = { X-A = \"b\" }", "theirs ours"),
        ("", "theirs ours"),
    ] {
        let balancer = Balancer::with_file(&format!("{pool}[[route]]\n[route.response_headers]\n{edits}\n"));
        let head = balancer.get("/").head;
        let cookies = head.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ")?.split('=').next());
        assert_eq!(cookies.collect::<Vec<_>>().join(" "), expected, "{edits}");
    }
}
