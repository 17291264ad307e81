use crate::{
    harness::{Answer, Balancer, read_body},
    upstream::{Upstream, answer},
};

/// What is good HTTP for everybody.
const REQUESTS: [&str; 16] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a/b;c=d?e=f&g=%20h HTTP/1.1\r\nHost: a.example:8080\r\nAccept: */*\r\nUser-Agent: x/1\r\nCookie: a=b; c=d\r\n\r\n",
    "GET http://inner/x?y HTTP/1.1\r\nHost: inner\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\nx-b:\t\u{fc} \r\nX-Empty:\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Gone, keep-alive\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
];

/// What differs from one second to the next, or is given by one engine only.
const ASIDE: [&str; 3] = ["date:", "x-request-id:", "traceparent:"];

/// A head's lines in an order of their own, names in lower case, without those.
fn sorted(head: &str) -> Vec<String> {
    let mut lines = head.trim_end().lines();
    let first = lines.next().unwrap().to_owned();
    let plain = |line: &str| line.split_once(": ").map(|(name, value)| format!("{}: {value}", name.to_lowercase()));
    let compared = |line: &String| !ASIDE.iter().any(|name| line.starts_with(name));
    let mut fields: Vec<String> = lines.filter_map(plain).filter(compared).collect();
    fields.sort();
    [vec![first], fields].concat()
}

/// What the backend got and what the client got.
fn exchange(
    engine: &str,
    request: &str,
    script: fn(&str) -> &'static [u8],
) -> (Vec<String>, Vec<u8>, Vec<String>, Vec<u8>) {
    let (tell, told) = std::sync::mpsc::sync_channel(4);
    let upstream = Upstream::scripted(move |head, peer| {
        let body = read_body(peer, head, false).unwrap();
        tell.send(body).unwrap();
        std::io::Write::write_all(peer.get_mut(), script(head)).is_ok()
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1", "--engine", engine]);
    let mut client = balancer.connect();
    client.send(request);
    let Answer { head, body, .. } = client.answer();
    let seen = upstream.heads.lock().unwrap()[0].clone();
    (sorted(&seen), told.recv().unwrap(), sorted(&head), body)
}

#[test]
fn both_engines_pass_the_same_request_on() {
    for request in REQUESTS {
        let by = |engine| exchange(engine, request, |_| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(by("strict"), by("hyper"), "{request:?}");
    }
}

#[test]
fn both_engines_pass_the_same_answer_on() {
    let answers: [fn(&str) -> &'static [u8]; 6] = [
        |_| b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok",
        |_| b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        |_| b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
        |_| b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
        |_| {
            b"HTTP/1.1 500 Internal Server Error\r\nConnection: X-Gone, keep-alive\r\nX-Gone: 1\r\nContent-Length: 0\r\n\r\n"
        },
        |_| b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\nDate: Sat, 28 Nov 2026 17:00:00 GMT\r\n\r\n",
    ];
    for script in answers {
        let by = |engine| exchange(engine, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", script);
        assert_eq!(by("strict"), by("hyper"));
    }
}

#[test]
fn hyper_is_there_for_those_who_ask_for_it() {
    let upstream = Upstream::scripted(|_, peer| answer(peer, b"hi"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let backend = upstream.address;
    let text = format!(
        "engine = \"hyper\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{backend}\"\n"
    );
    std::fs::write(file.path(), text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_logkin-balancer"))
        .args(["check", "--config", file.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let balancer = Balancer::with(&[backend], &["--engine", "hyper"]);
    assert_eq!(balancer.get("/").text(), "hi");
}
