use std::{
    io::{BufRead, Read, Write},
    process::Command,
    sync::{Mutex, mpsc},
};

use crate::{
    harness::{Answer, Balancer, Connection, field, read_head},
    tls::clients::{run, text},
    upstream::{Peer, Upstream, answer},
};

/// A balancer with these lines before its only backend.
fn in_front_of(upstream: &Upstream, lines: &str) -> Balancer {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rest = "[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\n[[pool.server]]\naddress = ";
    std::fs::write(file.path(), format!("worker_threads = 1\n{lines}\n{rest}\"{}\"\n", upstream.address)).unwrap();
    Balancer::run(&["--config", file.path().to_str().unwrap()])
}

fn page() -> String {
    "a line of a page\n".repeat(1000)
}

/// A backend that answers with this head and the page.
fn saying(head: &'static str) -> Upstream {
    Upstream::scripted(move |request, peer| {
        let page = page();
        let body = if request.starts_with("HEAD") || head.contains(" 304 ") { "" } else { &page };
        let head = format!("HTTP/1.1 {head}Content-Length: {}\r\n\r\n", page.len());
        peer.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat()).is_ok()
    })
}

fn ask(client: &mut Connection, method: &str, fields: &str) -> Answer {
    client.send(format!("{method} / HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
    if method == "HEAD" { client.answer_to_head() } else { client.answer() }
}

pub(crate) fn unpacked(answer: &Answer) -> String {
    let mut text = String::new();
    match answer.field("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap(),
        Some("zstd") => zstd::stream::read::Decoder::new(&answer.body[..]).unwrap().read_to_string(&mut text).unwrap(),
        _ => return answer.text().to_owned(),
    };
    text
}

#[test]
fn an_answer_comes_in_the_coding_that_its_client_takes_most_gladly() {
    let upstream = saying("200 OK\r\nContent-Type: text/html\r\nETag: \"a\"\r\nAccept-Ranges: bytes\r\n");
    let balancer = in_front_of(&upstream, "compress = true");
    let mut client = balancer.connect();
    for (accept, coding) in [
        ("", None),
        ("Accept-Encoding: gzip, deflate, br, zstd\r\n", Some("zstd")),
        ("Accept-Encoding: gzip\r\n", Some("gzip")),
        ("Accept-Encoding: br\r\nAccept-Encoding: GZIP\r\n", Some("gzip")),
        ("Accept-Encoding: zstd;q=0.1, gzip;q=0.2\r\n", Some("gzip")),
        ("Accept-Encoding: gzip;q=0\r\n", None),
        ("Accept-Encoding: gzip;q=0.5, identity\r\n", None),
        ("Accept-Encoding: identity;q=0, gzip;q=0.1\r\n", Some("gzip")),
        ("Accept-Encoding: *\r\n", Some("zstd")),
        ("Accept-Encoding: *;q=0\r\n", None),
    ] {
        let answer = ask(&mut client, "GET", accept);
        assert_eq!((answer.status, answer.field("content-encoding")), (200, coding), "{accept}");
        assert_eq!((unpacked(&answer), answer.field("vary")), (page(), Some("Accept-Encoding")), "{accept}");
        let tag = if coding.is_some() { "W/\"a\"" } else { "\"a\"" };
        assert_eq!(answer.field("etag"), Some(tag), "{accept}");
        assert_eq!(answer.field("content-length").is_some(), coding.is_none(), "{accept}");
        assert_eq!(answer.field("accept-ranges").is_some(), coding.is_none(), "{accept}");
        assert!(coding.is_none() || answer.body.len() < page().len() / 20, "{accept}");
    }
    let head = ask(&mut client, "HEAD", "Accept-Encoding: gzip\r\n");
    assert_eq!((head.field("content-encoding"), head.field("content-length")), (Some("gzip"), None));
    assert_eq!(ask(&mut client, "GET", "").text(), page(), "the connection stays");
}

#[test]
fn what_has_to_stay_as_it_is_stays_so() {
    for (head, request) in [
        ("200 OK\r\nContent-Type: image/png\r\n", ""),
        ("200 OK\r\n", ""),
        ("200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\n", ""),
        ("200 OK\r\nContent-Type: text/html\r\nCache-Control: public, no-transform\r\n", ""),
        ("200 OK\r\nContent-Type: text/html\r\nRepr-Digest: sha-256=:x:\r\n", ""),
        (
            "206 Partial Content\r\nContent-Type: text/html\r\nContent-Range: bytes 0-16999/17000\r\n",
            "Range: bytes=0-\r\n",
        ),
        ("304 Not Modified\r\nContent-Type: image/png\r\nETag: \"a\"\r\n", ""),
        ("200 OK\r\nContent-Type: text/html\r\n", "Cache-Control: no-transform\r\n"),
    ] {
        let upstream = saying(head);
        let balancer = in_front_of(&upstream, "compress = true");
        let answer = ask(&mut balancer.connect(), "GET", &format!("Accept-Encoding: gzip, zstd\r\n{request}"));
        let coding = head.contains("br").then_some("br");
        // A whole one would be coded, and says that it is not the same for everybody.
        let varies = head.starts_with("206").then_some("Accept-Encoding");
        assert_eq!((answer.field("content-encoding"), answer.field("vary")), (coding, varies), "{head}");
        assert!(head.contains("304") || answer.text() == page(), "{head}");
        assert_eq!(answer.field("content-length"), Some("17000"), "{head}");
    }
    let upstream = saying("200 OK\r\nContent-Type: text/html\r\n");
    let balancer = in_front_of(&upstream, "compress = true");
    let mut old = balancer.connect();
    old.send("GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(old.answer().text(), page());
}

#[test]
fn what_is_not_modified_is_told_of_as_the_whole_was() {
    // The first is how most backends write it.
    for head in ["304 No\r\nETag: \"a\"\r\n", "304 No\r\nETag: \"a\"\r\nContent-Type: text/html\r\n"] {
        let upstream = saying(head);
        let balancer = in_front_of(&upstream, "compress = true");
        let mut client = balancer.connect();
        let mut ask = |fields: &str| ask(&mut client, "GET", fields);
        let coded = ask("Accept-Encoding: gzip\r\nIf-None-Match: \"b\", W/\"a\"\r\n");
        assert_eq!((coded.status, coded.field("etag")), (304, Some("W/\"a\"")));
        assert_eq!((coded.field("vary"), coded.field("content-encoding")), (Some("Accept-Encoding"), None));
        let sent = upstream.heads.lock().unwrap()[0].clone();
        assert_eq!(field(&sent, "if-none-match"), Some("\"b\", W/\"a\""), "backends compare weakly");
        let plain = ask("If-None-Match: \"a\"\r\n");
        assert_eq!((plain.field("etag"), plain.field("vary")), (Some("\"a\""), Some("Accept-Encoding")));
    }
}

#[test]
fn fields_that_a_route_sets_decide_about_compression() {
    let upstream = saying("200 OK\r\nContent-Type: text/html\r\nETag: \"a\"\r\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.html"), page()).unwrap();
    let root = folder.path().display();
    for (set, coding, vary, tag) in [
        ("set = { Cache-Control = \"no-transform\" }", None, None, None),
        ("set = { Content-Type = \"image/png\" }", None, None, None),
        ("set = { Vary = \"Origin\" }", Some("gzip"), Some("Accept-Encoding"), None),
        ("set = { ETag = \"\\\"own\\\"\" }", Some("gzip"), Some("Accept-Encoding"), Some("W/\"own\"")),
    ] {
        let lines = format!("response_headers = {{ {set} }}\ncompress = true\n");
        let balancer = in_front_of(
            &upstream,
            &format!("[[route]]\n{lines}[[route]]\nlocation = \"/files/\"\nalias = \"{root}\"\n{lines}"),
        );
        for path in ["/", "/files/page.html"] {
            let mut client = balancer.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"));
            let answer = client.answer();
            assert_eq!((answer.field("content-encoding"), answer.field("vary")), (coding, vary), "{set} {path}");
            assert!(tag.is_none() || answer.field("etag") == tag, "{}", answer.head);
            assert_eq!(unpacked(&answer), page());
        }
    }
}

#[test]
fn the_file_says_what_is_compressed_and_a_route_says_it_better() {
    let upstream = saying("200 OK\r\nContent-Type: text/x-own; charset=utf-8\r\n");
    let coding = |lines: &str, path: &str| {
        let balancer = in_front_of(&upstream, lines);
        let mut client = balancer.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"));
        client.answer().field("content-encoding").map(str::to_owned)
    };
    let gzip = Some("gzip".to_owned());
    assert_eq!((coding("", "/"), coding("compress = true", "/")), (None, None));
    assert_eq!(coding("[compress]\ntypes = [\"Text/X-Own\"]", "/"), gzip);
    assert_eq!(coding("[compress]\ntypes = [\"text/x-own\"]\nmin_length = \"17001\"", "/"), None);
    assert_eq!(coding("[compress]\ntypes = [\"text/x-own\"]\nmin_length = \"17000\"", "/"), gzip);
    let routes = "[compress]\ntypes = [\"text/x-own\"]\n[[route]]\n[[route]]\nlocation = \"/off\"\ncompress = false\n[[route]]\nlocation = \"/more\"\n[route.compress]\nmin_length = \"1MiB\"\n";
    assert_eq!((coding(routes, "/"), coding(routes, "/off"), coding(routes, "/more")), (gzip, None, None));
}

/// Reads chunks until what has come, unpacked, is this.
fn read_until(client: &mut Connection, decoder: &mut dyn FnMut(&[u8]) -> Vec<u8>, expected: &str) {
    let mut seen = Vec::new();
    while seen != expected.as_bytes() {
        let mut size = String::new();
        client.0.read_line(&mut size).unwrap();
        let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
        client.0.read_exact(&mut chunk).unwrap();
        chunk.truncate(chunk.len() - 2);
        seen.extend(decoder(&chunk));
    }
}

/// A backend that sends events, one whenever it is told to.
fn telling(kind: &'static str) -> (Upstream, mpsc::SyncSender<&'static str>) {
    let (tell, told) = mpsc::sync_channel::<&str>(1);
    let told = Mutex::new(told);
    let upstream = Upstream::scripted(move |_, peer| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer.get_mut().write_all(head.as_bytes()).unwrap();
        while let Ok(event) = told.lock().unwrap().recv() {
            write!(peer.get_mut(), "{:x}\r\n{event}\r\n", event.len()).unwrap();
        }
        peer.get_mut().write_all(b"0\r\n\r\n").is_ok()
    });
    (upstream, tell)
}

#[test]
fn a_compressed_stream_arrives_piece_by_piece() {
    for (kind, coding) in
        [("text/event-stream", "gzip"), ("text/event-stream", "zstd"), ("application/x-ndjson", "gzip")]
    {
        let (upstream, tell) = telling(kind);
        let balancer = in_front_of(&upstream, &format!("[compress]\ntypes = [\"{kind}\"]"));
        let mut client = balancer.connect();
        client.send(format!("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: {coding}\r\n\r\n"));
        let (mut gzip, mut other) =
            (flate2::write::GzDecoder::new(Vec::new()), zstd::stream::write::Decoder::new(Vec::new()).unwrap());
        let mut decode = |bytes: &[u8]| {
            if coding == "gzip" {
                gzip.write_all(bytes).unwrap();
                gzip.flush().unwrap();
                std::mem::take(gzip.get_mut())
            } else {
                other.write_all(bytes).unwrap();
                other.flush().unwrap();
                std::mem::take(other.get_mut())
            }
        };
        // The head comes before there is anything to say.
        let head = read_head(&mut client.0).unwrap();
        assert_eq!(field(&head, "content-encoding"), Some(coding));
        for event in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
            tell.send(event).unwrap();
            read_until(&mut client, &mut decode, event);
        }
        drop(tell);
        let mut size = String::new();
        client.0.read_line(&mut size).unwrap();
        assert!(usize::from_str_radix(size.trim(), 16).is_ok_and(|size| size < 32), "the end of the coding: {size}");
    }
}

#[test]
fn events_go_on_as_they_are_unless_they_are_listed() {
    let (upstream, tell) = telling("text/event-stream");
    let balancer = in_front_of(&upstream, "compress = true");
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    let head = read_head(&mut client.0).unwrap();
    assert_eq!((field(&head, "content-encoding"), field(&head, "vary")), (None, None));
    tell.send("data: one\n\n").unwrap();
    read_until(&mut client, &mut <[u8]>::to_vec, "data: one\n\n");
}

/// Writes a long answer of lines that differ; says how many bytes it has.
fn long(peer: &mut Peer, lines: usize) -> bool {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
    peer.get_mut().write_all(head.as_bytes()).unwrap();
    for number in 0..lines {
        let text = format!("{number:08} a line of a long answer\n").repeat(100);
        if write!(peer.get_mut(), "{:x}\r\n{text}\r\n", text.len()).is_err() {
            return false;
        }
    }
    peer.get_mut().write_all(b"0\r\nX-Sum: 7\r\n\r\n").is_ok()
}

#[test]
fn a_long_answer_is_compressed_in_little_memory_and_whole() {
    let upstream = Upstream::scripted(|_, peer| long(peer, 20_000));
    let balancer = in_front_of(&upstream, "compress = true");
    for accept in ["gzip", "zstd"] {
        let answer = ask(&mut balancer.connect(), "GET", &format!("Accept-Encoding: {accept}\r\n"));
        let text = unpacked(&answer);
        assert_eq!((text.len(), text.lines().count()), (20_000 * 100 * 33, 2_000_000), "{accept}");
        assert!(text.ends_with("00019999 a line of a long answer\n"));
    }
    assert!(balancer.peak_memory() < 64 * 1024, "{} KiB", balancer.peak_memory());
}

#[test]
fn a_client_that_reads_nothing_holds_back_the_backend() {
    let (count, counted) = mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |_, peer| {
        peer.get_mut().set_write_timeout(Some(std::time::Duration::from_secs(1))).unwrap();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
        peer.get_mut().write_all(head.as_bytes()).unwrap();
        let noise: String = (0..9973_u64).map(|n| char::from(b'!' + (n.wrapping_mul(n) % 89) as u8)).collect();
        let mut sent = 0_usize;
        while sent < 1 << 30
            && write!(peer.get_mut(), "{:x}\r\n{noise}{sent}\r\n", noise.len() + sent.to_string().len()).is_ok()
        {
            sent += noise.len();
        }
        count.send(sent).unwrap();
        false
    });
    let balancer = in_front_of(&upstream, "compress = true");
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    assert!(counted.recv().unwrap() < 1 << 30, "it has been taken whole");
    assert!(balancer.peak_memory() < 64 * 1024, "{} KiB", balancer.peak_memory());
}

#[test]
fn curl_unpacks_what_it_gets() {
    let upstream = Upstream::scripted(|_, peer| answer(peer, page().as_bytes()));
    let json = "[[route]]\n[route.response_headers]\nset = { X-Route = \"1\" }\n";
    let balancer = in_front_of(&upstream, &format!("compress = true\n{json}"));
    let typed = saying("200 OK\r\nContent-Type: application/json\r\n");
    let other = in_front_of(&typed, &format!("compress = true\n{json}"));
    for (balancer, coding) in [(&balancer, false), (&other, true)] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--compressed", "-D", "/dev/stderr", &format!("http://{}/", balancer.address)]);
        let Some(output) = run(&mut curl, "curl", "") else { return };
        let head = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(String::from_utf8_lossy(&output.stdout), page());
        assert_eq!(head.contains("content-encoding"), coding, "{}", text(&output));
        assert!(head.contains("x-route: 1"), "{head}");
    }
}
