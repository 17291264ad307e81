use super::{Probe, rest};
use crate::{harness::Balancer, upstream::Upstream};

/// Behind each of these stands what must never be taken for a request of its own.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_length_beside_a_coding_is_refused() {
    let probe = Probe::new();
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 30\r\n",
    ] {
        probe.refuses(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n{HIDDEN}"), 400);
    }
}

#[test]
fn a_disguised_coding_is_refused() {
    let probe = Probe::new();
    for coding in [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\u{b}",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;a=b",
        "Transfer-Encoding: chunk",
        "Transfer-Encoding: \0chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding\0: chunked",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
    ] {
        probe.refuses(format!("POST / HTTP/1.1\r\nHost: a\r\n{coding}\r\n\r\n0\r\n\r\n{HIDDEN}"), 400);
    }
    for coding in ["gzip, chunked", "identity, chunked", "x, chunked"] {
        probe.refuses(
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n{HIDDEN}"),
            501,
        );
    }
}

#[test]
fn a_length_that_is_none_or_two_is_refused() {
    let probe = Probe::new();
    for length in [
        "+5",
        "-1",
        "0x5",
        "5 5",
        "1e1",
        "5,5",
        "5;",
        "",
        "five",
        "5\u{b}",
        "18446744073709551621",
        "9223372036854775808",
        "\u{665}",
        "5\r\nContent-Length: 5",
        "5\r\nContent-Length: 6",
        "5\r\nContent_Length: 6",
        "5\r\n Content-Length: 6",
    ] {
        probe.refuses(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello{HIDDEN}"), 400);
    }
}

#[test]
fn a_folded_line_and_a_blank_before_the_colon_are_refused() {
    let probe = Probe::new();
    for field in ["X: a\r\n b", "X: a\r\n\tb", "X: a\r\n ", " X: a", "\tX: a", "X : a", "X\t: a", ": a", "X", "X a"] {
        probe.refuses(format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n{HIDDEN}"), 400);
    }
}

#[test]
fn line_ends_other_than_cr_lf_and_control_characters_are_refused() {
    let probe = Probe::new();
    for request in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rX-Forwarded-For: 1.1.1.1\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\r",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{1}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{7f}\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{b} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\r: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
        "\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        probe.refuses(request, 400);
    }
}

#[test]
fn a_first_line_that_is_not_one_is_refused() {
    let probe = Probe::new();
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/\tHTTP/1.1",
        "GET / HTTP/1.10",
        "GET / http/1.1",
        "GET / HTTP/1",
        "GET / HTTP/11",
        "GET / HTTP/a.b",
        "G\u{e4}T / HTTP/1.1",
        "G@T / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET HTTP/1.1",
        "GET  HTTP/1.1",
        "GET /# HTTP/1.1",
        "GET /\u{e4} HTTP/1.1",
        "GET /%zz HTTP/1.1",
        "GET /\\ HTTP/1.1",
        "GET /<x> HTTP/1.1",
        "GET /\" HTTP/1.1",
        "GET // HTTP /1.1",
        "GET / FTP/1.1",
        "GET / HTTP/1.1\0",
        "GET http: HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http:///a HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "GET http://u@a/ HTTP/1.1",
        "GET http://a:x/ HTTP/1.1",
        "GET http://a:99999/ HTTP/1.1",
        "GET a:80 HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET http://a,b/ HTTP/1.1",
    ] {
        probe.refuses(format!("{line}\r\nHost: a\r\n\r\n{HIDDEN}"), 400);
    }
    for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.0", "HTTP/9.9"] {
        probe.refuses(format!("GET / {version}\r\nHost: a\r\n\r\n{HIDDEN}"), 505);
    }
    probe.refuses("\u{16}\u{3}\u{1}\u{2}", 400);
}

#[test]
fn old_versions_have_no_coding_and_no_second_request() {
    let probe = Probe::new();
    probe.refuses(format!("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"), 400);
    probe.refuses("GET /\r\n", 400);
    let mut client = probe.balancer.connect();
    client.send(format!(
        "POST /old HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi{HIDDEN}"
    ));
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
    assert_eq!(rest(&mut client), "");
    assert!(probe.upstream.heads.lock().unwrap().iter().all(|head| !head.contains("/hidden")));
}

#[test]
fn a_host_that_is_missing_double_or_odd_is_refused() {
    let probe = Probe::new();
    for host in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a b\r\n",
        "Host: a:99999\r\n",
        "Host:\r\n",
        "Host: a,b\r\n",
        "Host: a/b\r\n",
        "Host: u@a\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: a:b\r\n",
        "Host: \u{e4}\r\n",
        "Host: a\u{b}\r\n",
        "Host: a#\r\n",
        "Host: http://a\r\n",
        "Host: a\r\nHost:\r\n",
        "Host: a:80:80\r\n",
        "Host: a\\b\r\n",
        "Host: a%\r\n",
        "Host: %61\r\n",
        "Host: a%00b\r\n",
        "Host: a%0d%0aX:b\r\n",
    ] {
        probe.refuses(format!("GET / HTTP/1.1\r\n{host}\r\n{HIDDEN}"), 400);
    }
}

#[test]
fn a_target_leads_nowhere_but_to_our_backend() {
    let probe = Probe::new();
    for target in ["http://169.254.169.254/x", "HTTP://169.254.169.254/x"] {
        let seen = probe.passes(&format!("GET {target} HTTP/1.1\r\nHost: public\r\n\r\n"));
        assert!(seen.starts_with("get /x http/1.1\r\nhost: 169.254.169.254\r\n") && !seen.contains("public"), "{seen}");
    }
    // RFC 9110, 7.4: who trusts `https` must not get the answer of a connection without TLS.
    for target in ["https://169.254.169.254/x", "HttpS://public"] {
        probe.refuses(format!("GET {target} HTTP/1.1\r\nHost: public\r\n\r\n{HIDDEN}"), 400);
    }
    for target in ["127.0.0.1:22", "[::1]:22", "a:443"] {
        probe.refuses(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n{HIDDEN}"), 405);
    }
    for target in ["/", "http://a/", "a", "a:0x16", "*"] {
        probe.refuses(format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n{HIDDEN}"), 400);
    }
}

#[test]
fn a_path_goes_on_as_it_was_written() {
    let probe = Probe::new();
    for path in
        ["/static/..%2fadmin", "/%2e%2e/etc/passwd", "/a/../b", "/a//b", "/..;/admin", "/a%00", "//a/b", "/?a=/../b"]
    {
        let seen = probe.passes(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(seen.starts_with(&format!("get {path} http/1.1\r\n")), "{seen}");
    }
}

#[test]
fn nobody_can_name_our_fields_away_or_bring_their_own() {
    let probe = Probe::new();
    let seen = probe.passes(
        "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close, X-Forwarded-For, X-Real-IP, Cookie, Host, Forwarded\r\nCookie: a=b\r\n\
         X-Forwarded-For: 6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nFORWARDED: for=6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n\
         X_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nX-Forwarded-Port: 6666\r\nTE: trailers\r\nKeep-Alive: 6\r\nProxy-Connection: 6\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: 6\r\n\r\n",
    );
    for field in [
        "host: shop",
        "x-forwarded-for: 127.0.0.1",
        "x-real-ip: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: shop",
        "forwarded: for=127.0.0.1;host=\"shop\";proto=http",
    ] {
        assert_eq!(seen.lines().filter(|line| *line == field).count(), 1, "{field} in {seen}");
    }
    for gone in ["6.6.6.6", "evil", "https", "6666", "cookie", "connection", "te:", "keep-alive", "upgrade"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
}

#[test]
fn an_upgrade_opens_no_tunnel_before_the_backend_agrees() {
    let probe = Probe::new();
    let mut client = probe.balancer.connect();
    client.send(format!("GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n{HIDDEN}"));
    assert!(client.answer().text().starts_with("GET /first "));
    let second = client.answer();
    assert!(second.text().starts_with("GET /hidden "), "it is a request like any other: {}", second.text());
    assert!(second.text().contains("X-Forwarded-For: 127.0.0.1"), "and checked like any other");
    for odd in ["web socket", "\"x\"", "a/b/c", "a/", "/1", "a;b", "a, b c", "x\r\nUpgrade: y"] {
        probe.refuses(
            format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: {odd}\r\n\r\n{HIDDEN}"),
            400,
        );
    }
    for protocol in ["h2c", "websocket, h2c", "HTTP/2.0", "TLS/1.0"] {
        let upgrade = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAA\r\n");
        let seen = probe.passes(&format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n"));
        assert!(!seen.contains("upgrade") && !seen.contains("http2-settings"), "{seen}");
    }
}

#[test]
fn a_head_beyond_the_bounds_is_refused_while_it_comes() {
    let probe = Probe::new();
    probe.refuses(format!("GET /{}", "a".repeat(40_000)), 414);
    probe.refuses(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(40_000)), 431);
    probe.refuses(format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: y\r\n".repeat(1001)), 431);
}

#[test]
fn a_request_that_shall_go_no_further_goes_no_further() {
    let probe = Probe::new();
    let last = |method: &str, value: &str| {
        let mut client = probe.balancer.connect();
        client.send(format!("{method} /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: {value}\r\n\r\n"));
        client.answer()
    };
    assert_eq!((last("OPTIONS", "0").status, last("TRACE", "00").status, probe.upstream.requests()), (204, 405, 0));
    assert!(last("OPTIONS", "5").text().contains("Max-Forwards: 4\r\n"));
    assert!(last("GET", "0").text().contains("Max-Forwards: 0\r\n"));
    for value in ["", "-1", "1 1", "a", "1\r\nMax-Forwards: 1"] {
        probe.refuses(format!("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: {value}\r\n\r\n"), 400);
    }
}

#[test]
fn a_backend_is_told_what_a_request_came_through() {
    let probe = Probe::new();
    let seen = probe.passes("GET / HTTP/1.0\r\nHost: a\r\nVia: 1.1 other\r\n\r\n");
    assert!(seen.contains("\r\nvia: 1.1 other\r\n") && seen.contains("\r\nvia: 1.0 logkin-balancer\r\n"), "{seen}");
}

#[test]
fn what_browsers_leave_as_it_is_in_queries_is_taken_where_that_is_asked_for_and_nothing_more() {
    let strict = Probe::new();
    let upstream = Upstream::echoing();
    let text = format!(
        "lenient_query = true\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let lenient = Probe { upstream, balancer: Balancer::run(&["--config", file.path().to_str().unwrap()]) };
    let query = r"/a?b[]={1|2}&c=^`\";
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(lenient.passes(&request(query)).starts_with(&format!("get {query} http/1.1\r\n")));
    strict.refuses(request(query), 400);
    for target in ["/[?a", "/a|", "/?\"", "/?<", "/?>", "/?a#b", "/?%zz", "/?\u{e4}", "/?a\tb", "/?a\x7f", "/\\?a"] {
        lenient.refuses(request(target), 400);
        strict.refuses(request(target), 400);
    }
}

#[test]
fn what_clients_send_takes_no_backend_out() {
    let (odd, good) = (Upstream::saying("odd"), Upstream::saying("good"));
    let odd_too = Upstream::scripted(|head, peer| {
        use std::io::Write;
        let odd = head.starts_with("GET /odd");
        let answer = if odd { "HTTP/1.1 2xx NO\r\n\r\n" } else { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nodd" };
        peer.get_mut().write_all(answer.as_bytes()).is_ok() && !odd
    });
    drop(odd);
    let balancer = Balancer::with(&[odd_too.address, good.address], &["--threads", "1"]);
    for _ in 0..20 {
        let mut client = balancer.connect();
        client.send("GET /odd HTTP/1.1\r\nHost: a\r\n\r\n");
        let status = client.answer().status;
        assert!(status == 502 || status == 200);
        let mut client = balancer.connect();
        client.send("POST /odd HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
        assert_eq!(client.answer().status, 400);
    }
    let answers: Vec<String> = (0..10).map(|_| balancer.get("/").text().to_owned()).collect();
    assert_eq!(answers.iter().filter(|text| *text == "odd").count(), 5, "{answers:?}");
    assert!(!balancer.log().contains("cannot be reached"), "{}", balancer.log());
}
