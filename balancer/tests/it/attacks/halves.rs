use super::{Probe, rest};
use crate::{
    harness::{Balancer, PATIENCE, read_body},
    upstream::Upstream,
};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

const BAD_CHUNKS: [&str; 24] = [
    "0\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFF1\r\n",
    "8000000000000000\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-1\r\n",
    "g\r\n",
    "\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;a=\"\r\nhello\r\n0\r\n\r\n",
    "5; a\r\nhello\r\n0\r\n\r\n",
    "5;a\nhello\r\n0\r\n\r\n",
    "5;a\0\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\nX : a\r\n\r\n",
    "0\r\nX: a\r\n b\r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "0\r\n\n",
];

#[test]
fn chunks_that_are_not_by_the_letter_are_refused() {
    let probe = Probe::new();
    for chunks in BAD_CHUNKS {
        probe.refuses(format!("{HEAD}{chunks}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    }
    probe.refuses(format!("{HEAD}5;a={}", "x".repeat(20_000)), 400);
    probe.refuses(format!("{HEAD}0\r\nX: {}", "x".repeat(20_000)), 431);
}

#[test]
fn a_chunk_that_turns_bad_on_the_way_never_looks_complete_to_the_backend() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |head, peer| {
        tell.send(read_body(peer, head, false).is_err()).unwrap();
        false
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1", "--buffer-requests", "0"]);
    for chunks in BAD_CHUNKS {
        let mut client = balancer.connect();
        client.send(format!("{HEAD}2\r\nok\r\n"));
        crate::harness::eventually("the first chunk has gone on", || (upstream.requests() > 0).then_some(()));
        upstream.heads.lock().unwrap().clear();
        client.send(chunks);
        let answer = client.answer();
        assert!(matches!(answer.status, 400 | 431), "{chunks:?}");
        assert_eq!(answer.field("connection"), Some("close"), "{chunks:?}");
        assert_eq!(rest(&mut client), "");
        assert!(told.recv_timeout(PATIENCE).unwrap(), "{chunks:?}");
    }
}

#[test]
fn requests_in_one_piece_or_in_bytes_are_the_same_requests() {
    let probe = Probe::new();
    let text =
        format!("{HEAD}3\r\nabc\r\n0\r\nX-T: 1\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let mut whole = probe.balancer.connect();
    whole.send(&text);
    let mut slow = probe.balancer.connect();
    for byte in text.bytes() {
        slow.send([byte]);
    }
    let at = |text: String| text.lines().filter(|line| !line.starts_with("Date")).collect::<Vec<_>>().join("\n");
    let (whole, slow) = (at(rest(&mut whole)), at(rest(&mut slow)));
    assert!(whole.contains("abc") && whole.contains("GET /second"), "{whole}");
    // Chunks may be cut otherwise; the echo tells what was in them.
    assert_eq!(whole.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(slow.matches("HTTP/1.1 200 OK").count(), 2);
    assert!(slow.contains("abc") && slow.contains("GET /second"), "{slow}");
}

#[test]
fn a_body_over_the_bound_is_refused_however_it_is_framed() {
    let upstream = Upstream::echoing();
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1", "--body-limit", "1KiB"]);
    // Who announces too much need not send it.
    for body in [
        "Content-Length: 10737418240\r\n\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nx".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n100\r\n".to_owned() + &"x".repeat(256) + "\r\n301;a=b\r\n",
        format!("Transfer-Encoding: chunked\r\n\r\n{}", "100\r\n".to_owned() + &"x".repeat(256) + "\r\n").repeat(1)
            + &("100\r\n".to_owned() + &"x".repeat(256) + "\r\n").repeat(5),
    ] {
        let mut client = balancer.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("connection")), (413, Some("close")));
        assert!(client.is_closed());
    }
}

#[test]
fn a_client_that_has_said_everything_still_gets_its_answers() {
    let probe = Probe::new();
    let mut client = probe.balancer.connect();
    client.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\nGET /three HTTP/1.1\r\nHo");
    client.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    let text = rest(&mut client);
    assert!(text.contains("GET /one ") && text.contains("GET /two ") && !text.contains("/three"), "{text}");
}

#[test]
fn a_client_that_has_left_is_not_worked_for_any_longer() {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = Upstream::scripted(move |_, peer| {
        // Never answers; sees when nobody waits any more.
        drop(std::io::Read::read(peer, &mut [0]));
        tell.send(()).unwrap();
        false
    });
    let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
    let mut client = balancer.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    crate::harness::eventually("it is at the backend", || (upstream.requests() == 1).then_some(()));
    drop(client);
    told.recv_timeout(PATIENCE).expect("the backend's connection is closed");
}
