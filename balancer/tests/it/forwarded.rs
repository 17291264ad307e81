use std::{
    io::{ErrorKind, Read},
    net::SocketAddr,
    process::Command,
};

use crate::{
    harness::{Balancer, Connection, eventually, field},
    tls::{Authority, clients},
    upstream::{Upstream, nobody},
};

/// A balancer of one thread with these lines in its file, which listens at `listen` besides.
fn balancer(backend: SocketAddr, lines: &str, listen: &str, more: &[&str]) -> Balancer {
    let file = tempfile::NamedTempFile::new().unwrap();
    let listen = format!("[[listen]]\naddress = \"127.0.0.1:0\"\n{listen}\n");
    let server = format!("[[pool.server]]\naddress = \"{backend}\"\n");
    std::fs::write(file.path(), format!("worker_threads = 1\n{lines}\n{listen}{server}")).unwrap();
    let flags = ["--config", file.path().to_str().unwrap()];
    Balancer::run(&flags.iter().chain(more).copied().collect::<Vec<_>>())
}

const TRUSTING: &str = "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]";

fn introduced(upstream: &Upstream, lines: &str) -> Balancer {
    balancer(upstream.address, lines, "proxy_protocol = true", &[])
}

/// Whether the other side has closed without a word; unread bytes make that a reset.
fn is_over(client: &mut Connection) -> bool {
    let read = client.0.read(&mut [0]);
    matches!(&read, Ok(0)) || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

/// What a backend sees of a request with these lines in its head.
fn seen(client: &mut Connection, lines: &str) -> String {
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
    client.answer().text().to_owned()
}

#[test]
fn a_listed_proxy_is_believed_from_right_to_left() {
    let upstream = Upstream::echoing();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut balancer = balancer(upstream.address, TRUSTING, "", &["--access-log", log.path().to_str().unwrap()]);
    let mut client = balancer.connect();
    let told = "X-Forwarded-For: 1.1.1.1, 6.6.6.6\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Host: shop.example\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n";
    let head = seen(&mut client, told);
    assert_eq!(field(&head, "x-forwarded-for"), Some("6.6.6.6, 10.0.0.2, 127.0.0.1"));
    assert_eq!(field(&head, "x-real-ip"), Some("6.6.6.6"));
    assert_eq!(
        field(&head, "forwarded"),
        Some("for=6.6.6.6, for=10.0.0.2, for=127.0.0.1;host=\"shop.example\";proto=https")
    );
    assert_eq!(
        (field(&head, "x-forwarded-proto"), field(&head, "x-forwarded-host")),
        (Some("https"), Some("shop.example"))
    );
    let next = seen(&mut client, "");
    assert_eq!(field(&next, "x-forwarded-for"), Some("127.0.0.1"), "nothing is left of the request before");
    let odd = seen(
        &mut client,
        "X-Forwarded-For: 6.6.6.6, _hidden\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a b\r\n",
    );
    assert_eq!((field(&odd, "x-forwarded-for"), field(&odd, "x-forwarded-proto")), (Some("127.0.0.1"), Some("http")));
    assert_eq!(field(&odd, "x-forwarded-host"), Some("a"));
    balancer.stop();
    let lines = std::fs::read_to_string(log.path()).unwrap();
    assert!(lines.starts_with("6.6.6.6 - - ") && lines.contains("\n127.0.0.1 - - "), "{lines}");
}

#[test]
fn who_is_not_listed_is_not_believed() {
    let upstream = Upstream::echoing();
    let balancer = balancer(upstream.address, "trusted_proxies = [\"10.0.0.0/8\"]", "", &[]);
    let mut client = balancer.connect();
    let head = seen(&mut client, "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: mine\r\n");
    assert_eq!((field(&head, "x-forwarded-for"), field(&head, "x-forwarded-proto")), (Some("127.0.0.1"), Some("http")));
    assert_ne!(field(&head, "x-request-id"), Some("mine"));
}

#[test]
fn a_proxy_introduces_its_client_in_either_version() {
    let upstream = Upstream::echoing();
    let balancer = introduced(&upstream, TRUSTING);
    let second = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x06\x06\x06\x06\x05\x05\x05\x05\0\x01\0\x02", &b""[..]].concat();
    for header in [b"PROXY TCP4 6.6.6.6 5.5.5.5 1 2\r\n".to_vec(), second] {
        let mut client = Connection::to(balancer.tls);
        // Byte by byte, and the request at its heels.
        let (start, end) = header.split_at(header.len() - 1);
        start.iter().for_each(|byte| client.send([*byte]));
        client.send([end, b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"].concat());
        let head = client.answer().text().to_owned();
        assert_eq!(field(&head, "x-forwarded-for"), Some("6.6.6.6"), "whom it introduces is not listed");
        assert_eq!(field(&seen(&mut client, ""), "x-real-ip"), Some("6.6.6.6"));
    }
    let mut client = Connection::to(balancer.tls);
    client.send("PROXY UNKNOWN\r\n");
    let head = seen(&mut client, "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(field(&head, "x-forwarded-for"), Some("127.0.0.1"), "nobody says that");
    assert_eq!(field(&head, "x-forwarded-proto"), Some("http"));
}

#[test]
fn what_is_no_introduction_is_closed_without_a_word() {
    let upstream = Upstream::echoing();
    let balancer = introduced(&upstream, &format!("{TRUSTING}\n[tls]\nhandshake_timeout = \"1s\""));
    for odd in
        ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY TCP4 6.6.6.6 5.5.5.5 1\r\n", "\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0"]
    {
        let mut client = Connection::to(balancer.tls);
        client.send(odd);
        assert!(is_over(&mut client), "{odd:?}");
    }
    let mut late = Connection::to(balancer.tls);
    late.send("PROXY TCP4 ");
    assert!(late.is_closed(), "it takes too long");
    for why in ["does not begin with a PROXY header", "version 1 is not valid", "version 2 is not valid"] {
        let expected = format!("WARN 127.0.0.1 introduces nobody at {} and is closed: its", balancer.tls);
        let told = |line: &str| line.replace("closed: it ", "closed: its ").contains(&expected) && line.contains(why);
        assert!(balancer.log().lines().any(told), "{why}: {}", balancer.log());
    }
    let strangers = introduced(&upstream, "trusted_proxies = [\"10.0.0.1\"]");
    assert!(Connection::to(strangers.tls).is_closed(), "it is not listed");
    let expected = format!("WARN 127.0.0.1 is no listed proxy and may not introduce clients at {}", strangers.tls);
    let log = strangers.log();
    assert!(log.lines().any(|line| line.contains(&expected) && line.contains("list it in trusted_proxies")), "{log}");
    assert_eq!(upstream.requests(), 0);
}

#[test]
fn a_header_of_the_second_version_may_have_2048_bytes() {
    let upstream = Upstream::echoing();
    let balancer = introduced(&upstream, TRUSTING);
    let introduce = |size: u16| {
        let (rest, value) = ((size - 16).to_be_bytes(), (size - 31).to_be_bytes());
        let start = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &rest[..], b"\x06\x06\x06\x06\x05\x05\x05\x05\0\x01\0\x02"];
        let mut client = Connection::to(balancer.tls);
        client.send([&start.concat(), &b"\x04"[..], &value, &vec![b'x'; usize::from(size - 31)]].concat());
        client
    };
    let head = seen(&mut introduce(2048), "");
    assert_eq!(field(&head, "x-real-ip"), Some("6.6.6.6"));
    assert!(is_over(&mut introduce(2049)));
    assert!(balancer.log().contains("its PROXY header is longer than 2048 bytes"), "{}", balancer.log());
}

#[test]
fn whoever_only_looks_whether_somebody_listens_is_no_trouble() {
    let upstream = Upstream::echoing();
    let balancer = introduced(&upstream, TRUSTING);
    let client = Connection::to(balancer.tls);
    client.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    assert!({ client }.is_closed());
    assert!(!balancer.log().contains("WARN"), "{}", balancer.log());
}

#[test]
fn refused_connections_are_counted_by_the_key_that_is_the_reason() {
    let upstream = Upstream::echoing();
    let (metrics, of) = ("metrics_listen = \"127.0.0.1:0\"\nlimit_conn = 1", "logkin_balancer_client_connections");
    for (listed, sent, counted) in [
        ("10.0.0.1", "", "trusted_proxies"),
        ("127.0.0.1", "GET / HTTP/1.1\r\n\r\n", "proxy_protocol"),
        ("127.0.0.1", "PROXY TCP4 6.6.6.6 5.5.5.5 1 2\r\n", "limit_conn"),
    ] {
        let balancer = introduced(&upstream, &format!("trusted_proxies = [\"{listed}\"]\n{metrics}"));
        let mut first = Connection::to(balancer.tls);
        if counted == "limit_conn" {
            first.send("PROXY TCP4 6.6.6.6 5.5.5.5 1 2\r\n");
            seen(&mut first, "");
        }
        let mut client = Connection::to(balancer.tls);
        client.send(sent);
        assert!(is_over(&mut client), "{counted}");
        drop(first);
        let expected = format!("\n{of}_refused_total{{reason=\"{counted}\"}} ");
        let log = balancer.log();
        let address = log.split_once("the metrics are at http://").unwrap().1.split_once("/metrics").unwrap().0;
        let address: SocketAddr = address.parse().unwrap();
        eventually("it is counted, and nobody is there any more", || {
            let page = Connection::to(address).get("/metrics");
            (page.text().contains(&expected) && page.text().contains(&format!("\n{of} 0\n"))).then_some(())
        });
    }
}

#[test]
fn whom_a_proxy_introduces_has_places_of_its_own() {
    let upstream = Upstream::saying("hi");
    let balancer = introduced(&upstream, &format!("{TRUSTING}\nlimit_conn = 1"));
    let introduce = |address: &str| {
        let mut client = Connection::to(balancer.tls);
        client.send(format!("PROXY TCP4 {address} 5.5.5.5 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.try_answer(false).ok().map(|_| client)
    };
    let (first, second) = (introduce("6.6.6.6"), introduce("7.7.7.7"));
    assert!(first.is_some() && second.is_some() && introduce("6.6.6.6").is_none());
    drop(first);
    eventually("its place is free", || introduce("6.6.6.6"));
}

#[test]
fn a_request_has_one_id_everywhere() {
    let upstream = Upstream::echoing();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut balancer = balancer(upstream.address, TRUSTING, "", &["--access-log", log.path().to_str().unwrap()]);
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: from-before\r\n\r\n");
    let answer = client.answer();
    assert_eq!(
        (answer.field("x-request-id"), field(answer.text(), "x-request-id")),
        (Some("from-before"), Some("from-before"))
    );
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\nX_Request_Id: c\r\n\r\n");
    let answer = client.answer();
    let made = answer.field("x-request-id").unwrap().to_owned();
    assert_eq!((made.len(), field(answer.text(), "x-request-id")), (32, Some(made.as_str())));
    assert!(!answer.text().contains("X_Request_Id"), "{}", answer.text());
    balancer.stop();
    let lines = std::fs::read_to_string(log.path()).unwrap();
    assert!(lines.contains(" id=from-before\n") && lines.contains(&format!(" id={made}\n")), "{lines}");
}

#[test]
fn our_own_answers_have_the_id_too_and_it_can_be_left_out() {
    let with = balancer(nobody(), "[pool]\nqueue_timeout = \"1s\"", "", &[]);
    assert_eq!(with.get("/").field("x-request-id").map(str::len), Some(32));
    let upstream = Upstream::echoing();
    let without = balancer(upstream.address, "request_id = false\ntrace_context = false", "", &[]);
    let mut client = without.connect();
    let head = seen(&mut client, "X-Request-Id: mine\r\ntraceparent: mine\r\n");
    assert_eq!((field(&head, "x-request-id"), field(&head, "traceparent")), (Some("mine"), Some("mine")));
}

#[test]
fn a_trace_goes_on_or_begins() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::in_front_of(&[upstream.address]);
    let mut client = balancer.connect();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let head = seen(&mut client, &format!("traceparent: {parent}\r\ntracestate: a=b\r\n"));
    assert_eq!((field(&head, "traceparent"), field(&head, "tracestate")), (Some(parent), Some("a=b")));
    for odd in ["odd", "a=b,a=c", "a=b\r\ntracestate: c=d,a=b"] {
        let head = seen(&mut client, &format!("traceparent: {parent}\r\ntracestate: {odd}\r\n"));
        assert_eq!((field(&head, "traceparent"), field(&head, "tracestate")), (Some(parent), None));
    }
    let of_connection = format!("Connection: traceparent\r\ntraceparent: {parent}\r\ntracestate: a=b\r\n");
    let twice = format!("traceparent: {parent}\r\ntraceparent: {parent}\r\n");
    for odd in ["traceparent: odd\r\ntracestate: a=b\r\n", &twice, &of_connection, ""] {
        let head = seen(&mut client, odd);
        let begun = field(&head, "traceparent").unwrap();
        assert!(begun.len() == 55 && begun.ends_with("-01") && begun != parent, "{begun}");
        assert_eq!(field(&head, "tracestate"), None);
    }
}

#[test]
fn a_client_that_stays_and_its_id_come_over_http2_too() {
    let (authority, upstream) = (Authority::new(), Upstream::saying("hi"));
    let [pem, key] = authority.sign("own", &["localhost"]);
    let lines = "[pool.sticky]\ncookie = \"route\"";
    let flags = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &pem, "--tls-key", &key];
    let balancer = balancer(upstream.address, lines, "", &flags);
    let mut curl = Command::new("curl");
    curl.args(["-sSi", "--http2", "--cacert"]).arg(authority.root());
    let url = format!("https://localhost:{}/", balancer.tls.port());
    let Some(output) = clients::run(curl.arg(url), "curl", "") else { return };
    let said = clients::text(&output);
    assert!(said.starts_with("HTTP/2 200") && said.contains("set-cookie: route=") && said.ends_with("hi"), "{said}");
    assert!(said.contains("x-request-id: "), "{said}");
}
