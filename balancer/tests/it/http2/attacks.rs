use std::{
    io::Read,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Instant,
};

use super::{
    Scene, USUAL,
    raw::{CONTINUATION, DATA, GOAWAY, HEADERS, RESET, Raw, SETTINGS, WINDOW_UPDATE, block},
    usual,
};
use crate::{
    harness::{PATIENCE, eventually, read_body},
    metrics::{self, page, value},
    upstream::{Upstream, answer},
};

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A request with these fields behind the usual ones, or instead of them.
fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&USUAL[..], more].concat()
}

fn instead(place: usize, field: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    let mut fields = USUAL.to_vec();
    fields[place] = field;
    fields
}

#[test]
fn pseudo_headers_and_fields_that_are_no_good_refuse_their_request_and_no_other() {
    let scene = Scene::of(Upstream::echoing());
    for fields in [
        with(&[(":path", "/hidden")]),
        with(&[(":authority", "evil")]),
        with(&[(":method", "POST")]),
        with(&[("x", "y"), (":x", "y")]),
        with(&[(":status", "200")]),
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("keep-alive", "5")]),
        with(&[("proxy-connection", "x")]),
        with(&[("upgrade", "h2c")]),
        with(&[("te", "gzip")]),
        USUAL[1..].to_vec(),
        [&USUAL[..1], &USUAL[2..]].concat(),
        USUAL[..3].to_vec(),
        instead(3, (":path", "")),
        instead(0, (":method", "G T")),
        instead(2, (":authority", "a b")),
    ] {
        let mut client = scene.connect();
        client.request(1, &fields, true);
        assert_eq!(client.status(1), 400, "{fields:?}");
        assert_eq!(scene.upstream.requests(), 0, "{fields:?}");
    }
    let mut client = scene.connect();
    for id in (1..1000).step_by(4) {
        client.request(id, &with(&[("connection", "close")]), true);
        assert_eq!(client.status(id), 400);
        client.request(id + 2, &USUAL, true);
        assert!(client.answer(id + 2).is_ok(), "the connection stays, however many there are");
    }
}

#[test]
fn line_ends_and_letters_that_no_field_has_reach_nobody() {
    let scene = Scene::of(Upstream::echoing());
    for fields in [
        with(&[("x", "a\r\nx-forwarded-for: 6.6.6.6")]),
        with(&[("x", "a\nb")]),
        with(&[("x", "a\0b")]),
        with(&[("x\r\ny", "a")]),
        with(&[("X", "a")]),
        with(&[("x y", "a")]),
        with(&[("", "a")]),
        with(&[("x:", "a")]),
        with(&[("x", "a\u{7f}")]),
        with(&[(":status", "9999")]),
        instead(0, (":method", "")),
        instead(0, (":method", "G(T")),
        instead(3, (":path", "/ HTTP/1.1\r\nHost: evil\r\n\r\nGET /hidden")),
        instead(2, (":authority", "a\r\nx: y")),
        instead(0, (":method", "GET / HTTP/1.1\r\n\r\n")),
    ] {
        let mut client = scene.connect();
        client.request(1, &fields, true);
        assert_eq!(client.status(1), 400, "{fields:?}");
        assert_eq!(scene.upstream.requests(), 0, "{fields:?}");
        client.request(3, &[("nonsense", "")], true);
        assert_eq!(client.status(3), 400, "the connection stays");
    }
}

#[test]
fn a_path_that_is_too_long_is_answered_wherever_it_stands() {
    let scene = Scene::of(Upstream::echoing());
    let long = "/x".repeat(20_000);
    for order in [[0, 1, 2, 3], [3, 0, 1, 2], [0, 3, 1, 2]] {
        let mut fields = order.map(|place| USUAL[place]);
        fields.iter_mut().filter(|(name, _)| *name == ":path").for_each(|(_, value)| *value = &long);
        let (mut client, head) = (scene.connect(), block(&fields));
        let mut pieces: Vec<&[u8]> = head.chunks(16_384).collect();
        let last = pieces.pop().unwrap();
        for (number, piece) in pieces.iter().enumerate() {
            client.frame(if number == 0 { HEADERS } else { CONTINUATION }, u8::from(number == 0), 1, piece);
        }
        client.frame(CONTINUATION, 4, 1, last);
        assert_eq!(client.status(1), 431, "{order:?}");
        client.request(3, &USUAL, true);
        assert!(client.answer(3).is_ok(), "the connection stays");
    }
}

/// A client may have 4 KiB of fields kept, and holds no more with them.
#[test]
fn fields_that_are_kept_hold_no_more_than_themselves() {
    let scene = Scene::of(Upstream::saying("hi"));
    // `:path: /`, to be kept, and much beside it that is not.
    let long = "y".repeat(15_000);
    let head = [block(&USUAL[..3]), b"\x44\x01/".to_vec(), block(&[("x", &long)])].concat();
    let fill = |client: &mut Raw| {
        for id in (1..220).step_by(2) {
            client.frame(HEADERS, 5, id, &head);
            assert_eq!(client.answer(id).as_deref(), Ok("hi"));
        }
    };
    let mut clients: Vec<Raw> = (0..11).map(|_| scene.connect()).collect();
    fill(&mut clients[0]);
    let before = scene.balancer.memory();
    clients[1..].iter_mut().for_each(fill);
    let each = (scene.balancer.memory().saturating_sub(before)) / 10;
    assert!(each < 512, "{each} KiB for each client");
}

#[test]
fn what_could_be_read_in_two_ways_behind_us_is_answered_with_400() {
    let scene = Scene::of(Upstream::echoing());
    for (fields, status) in [
        (with(&[("host", "evil")]), 400),
        (with(&[("host", "localhost"), ("host", "localhost")]), 400),
        ([&USUAL[..2], &USUAL[3..], &[("host", "a b")]].concat(), 400),
        ([&USUAL[..2], &USUAL[3..]].concat(), 400),
        (with(&[("x", " y")]), 400),
        (with(&[("x", "y\t")]), 400),
        (with(&[("content_length", "5")]), 400),
        (with(&[("transfer_encoding", "chunked")]), 400),
        (instead(1, (":scheme", "http")), 400),
        (instead(3, (":path", "/%zz")), 400),
        (instead(3, (":path", "/a\\b")), 400),
        (instead(3, (":path", "/a#b")), 400),
        (instead(3, (":path", "/?a#")), 400),
        (instead(2, (":authority", "a:99999")), 400),
        (instead(2, (":authority", "u@localhost")), 400),
        (with(&[("expect", "gift")]), 417),
        (vec![(":method", "CONNECT"), (":authority", "127.0.0.1:22")], 405),
    ] {
        let mut client = scene.connect();
        client.request(1, &fields, true);
        assert_eq!(client.status(1), status, "{fields:?}");
        assert_eq!(scene.upstream.requests(), 0, "{fields:?}");
        client.request(3, &[("nonsense", "")], true);
        assert_eq!(client.status(3), 400, "the connection stays");
    }
}

#[test]
fn a_length_that_is_not_that_of_the_data_is_never_taken_for_a_whole_request() {
    let whole = std::sync::Arc::new(AtomicUsize::new(0));
    let counting = std::sync::Arc::clone(&whole);
    let scene = Scene::of(Upstream::scripted(move |head, peer| {
        let Ok(body) = read_body(peer, head, false) else { return false };
        counting.fetch_add(1, Ordering::SeqCst);
        answer(peer, &body)
    }));
    let posting = |length| [&usual("POST", "/")[..], &[("content-length", length)]].concat();
    for (length, pieces) in [("5", &["hell"][..]), ("5", &["hello", "G"]), ("5", &["hello!"]), ("5", &[])] {
        let mut client = scene.connect();
        client.request(1, &posting(length), pieces.is_empty());
        for (number, piece) in pieces.iter().enumerate() {
            client.frame(DATA, u8::from(number + 1 == pieces.len()), 1, piece.as_bytes());
        }
        let answered = client.answer(1);
        assert!(
            answered.is_err() || client.statuses.last().is_some_and(|status| *status >= 400),
            "{length} {pieces:?}"
        );
    }
    for length in ["+5", "5, 5", "-1", "0x5", "99999999999999999999"] {
        let mut client = scene.connect();
        client.request(1, &posting(length), false);
        client.frame(DATA, 1, 1, b"hello");
        assert!(client.answer(1).is_err() || client.statuses.last().is_some_and(|status| *status >= 400), "{length}");
    }
    assert_eq!(whole.load(Ordering::SeqCst), 0, "no backend has seen one whole");
    // No length is believed before the stream has ended, whenever that is.
    let asked = scene.upstream.requests();
    for length in ["0", "000"] {
        let mut client = scene.connect();
        client.request(1, &posting(length), false);
        client.request(3, &usual("GET", "/"), true);
        assert!(client.answer(3).is_ok(), "what came first has been looked at");
        client.frame(DATA, 1, 1, b"x");
        assert!(client.answer(1).is_err(), "there is nothing that it could be taken for");
    }
    whole.store(0, Ordering::SeqCst);
    let trailers = |name: &str, value: &str| (HEADERS, 5, block(&[(name, value)]));
    for (kind, flags, last) in [
        (DATA, 0, b"G".to_vec()),
        (DATA, 1, b"G".to_vec()),
        (HEADERS, 4, block(&[("x", "y")])),
        trailers("connection", "close"),
        trailers("X", "y"),
        trailers("x", " y"),
        trailers("x\"", "y"),
        trailers("host", "evil"),
        trailers("authorization", "me"),
        trailers("content_length", "7"),
        trailers(":path", "/hidden"),
        trailers("x", &"y".repeat(9000)),
        (HEADERS, 5, block(&[("x", "y"); 101])),
    ] {
        let mut client = scene.connect();
        client.request(1, &posting("5"), false);
        client.frame(DATA, 0, 1, b"hello");
        client.request(3, &usual("GET", "/"), true);
        assert!(client.answer(3).is_ok(), "what came first has been looked at");
        client.frame(kind, flags, 1, &last);
        let answered = client.answer(1);
        assert!(answered.is_err() || client.statuses.last().is_some_and(|status| *status >= 400), "{last:?}");
    }
    assert_eq!(whole.load(Ordering::SeqCst), 13, "those on the other stream");
    assert_eq!(scene.upstream.requests(), asked + 15, "nothing else was passed on");
    for length in ["0", "00"] {
        let mut client = scene.connect();
        client.request(1, &posting(length), false);
        client.frame(DATA, 1, 1, b"");
        assert!(client.answer(1).is_ok(), "nothing has come");
        client.request(3, &posting(length), true);
        assert!(client.answer(3).is_ok(), "nothing will come");
    }
}

#[test]
fn trailers_that_could_be_read_in_two_ways_end_no_request() {
    let scene = Scene::of(Upstream::echoing());
    for field in [
        ("x", " y"),
        ("x", "y\t"),
        ("connection", "close"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("content_length", "5"),
        ("host", "evil"),
        (":path", "/hidden"),
        (":status", "200"),
    ] {
        let mut client = scene.connect();
        client.request(1, &usual("POST", "/"), false);
        client.frame(DATA, 0, 1, b"hello");
        client.frame(HEADERS, 5, 1, &block(&[field]));
        let answered = client.answer(1);
        assert!(answered.is_err() || client.statuses == [400], "{field:?}: {answered:?} {:?}", client.statuses);
        assert_eq!(scene.upstream.requests(), 0, "{field:?}");
    }
}

#[test]
fn a_body_with_trailers_that_are_none_is_not_waited_for() {
    let scene = Scene::of(Upstream::scripted(|head, peer| read_body(peer, head, false).is_ok()));
    let mut client = scene.connect();
    // Its windows are those that were told, from there on: its own by settings, and that of the connection by the update behind them.
    client.until(|frame| frame.kind == WINDOW_UPDATE && frame.id == 0).unwrap();
    client.request(1, &usual("POST", "/"), false);
    (0..5).for_each(|_| client.frame(DATA, 0, 1, &[b'x'; 16_000]));
    client.frame(HEADERS, 5, 1, &block(&[("x", " y")]));
    let answered = client.answer(1);
    assert!(answered == Err(PROTOCOL_ERROR) || client.statuses == [400], "{answered:?} {:?}", client.statuses);
}

/// It sends these frames again and again, and is told to be calm or let go; others are answered meanwhile.
fn is_calmed(scene: &Scene, mut client: Raw, mut frames: impl FnMut(&mut Raw, u32)) {
    let begun = Instant::now();
    let mut round = 0;
    loop {
        for _ in 0..100 {
            frames(&mut client, round);
            round += 1;
        }
        if !client.try_send() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{round} rounds and no end");
        if round >= 100_000 {
            break;
        }
    }
    let mut end = None;
    while let Some(frame) = client.next() {
        if frame.kind == GOAWAY {
            end = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
        }
    }
    assert!(matches!(end, None | Some(ENHANCE_YOUR_CALM)), "{end:?}");
    let mut other = scene.connect();
    other.request(1, &USUAL, true);
    assert!(other.answer(1).is_ok());
}

#[test]
fn requests_that_are_reset_at_once_are_bounded() {
    let scene = Scene::with(Upstream::echoing(), &["--metrics-listen", "127.0.0.1:0"]);
    let head = block(&USUAL);
    is_calmed(&scene, scene.connect(), |client, round| {
        client.frame(HEADERS, 5, 1 + 2 * round, &head);
        client.frame(RESET, 0, 1 + 2 * round, &8_u32.to_be_bytes());
    });
    assert!(scene.upstream.requests() < 1000, "{}", scene.upstream.requests());
    let floods =
        value(&page(metrics::address(&scene.balancer)), "logkin_balancer_http2_floods_total").map(str::to_owned);
    assert_eq!(floods.as_deref(), Some("1"));
}

#[test]
fn as_many_requests_as_are_under_way_may_be_reset_at_once() {
    let scene = Scene::of(Upstream::echoing());
    let (head, mut client) = (block(&USUAL), scene.connect());
    for id in (1..200).step_by(2) {
        client.frame(HEADERS, 5, id, &head);
        client.frame(RESET, 0, id, &8_u32.to_be_bytes());
    }
    client.request(201, &USUAL, true);
    assert!(client.answer(201).is_ok());
}

#[test]
fn requests_that_make_us_reset_them_are_bounded() {
    let scene = Scene::of(Upstream::scripted(|_, peer| {
        drop(peer.read(&mut [0]));
        false
    }));
    let head = block(&USUAL);
    let mut client = scene.connect();
    for round in 0..2000 {
        client.frame(HEADERS, 5, 1 + 2 * round, &head);
        client.frame(WINDOW_UPDATE, 0, 1 + 2 * round, &[0; 4]);
    }
    let end = client.until(|frame| frame.kind == GOAWAY);
    assert!(end.is_none_or(|end| end.payload[7] != 0));
    assert!(scene.upstream.requests() < 500, "{}", scene.upstream.requests());
}

#[test]
fn frames_that_ask_for_nothing_are_bounded() {
    let scene = Scene::of(Upstream::echoing());
    is_calmed(&scene, scene.connect(), |client, _| client.frame(6, 0, 0, &[7; 8]));
    is_calmed(&scene, scene.connect(), |client, _| client.frame(SETTINGS, 0, 0, &[]));
    is_calmed(&scene, scene.connect(), |client, _| client.frame(2, 0, 3, &[0, 0, 0, 0, 1]));
    is_calmed(&scene, scene.connect(), |client, _| client.frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]));
    is_calmed(&scene, scene.connect(), |client, _| client.frame(0xfa, 0, 0, &[]));
    let mut client = scene.connect();
    client.request(1, &usual("POST", "/"), false);
    is_calmed(&scene, client, |client, _| client.frame(DATA, 0, 1, &[]));
}

#[test]
fn a_head_without_end_is_bounded() {
    let scene = Scene::of(Upstream::echoing());
    let before = scene.balancer.peak_memory();
    let mut client = scene.connect();
    client.frame(HEADERS, 0, 1, &block(&USUAL));
    let more = block(&[("x", &"y".repeat(1000))]);
    is_calmed(&scene, client, |client, _| client.frame(CONTINUATION, 0, 1, &more));
    let mut client = scene.connect();
    client.frame(HEADERS, 0, 1, &block(&USUAL));
    is_calmed(&scene, client, |client, _| client.frame(CONTINUATION, 0, 1, &[]));
    assert!(scene.upstream.heads.lock().unwrap().iter().all(|head| !head.contains("x: y")));
    let grown = scene.balancer.peak_memory() - before;
    assert!(grown < 16 << 10, "{grown} KiB");
}

#[test]
fn a_head_that_unfolds_beyond_the_bounds_is_refused() {
    let scene = Scene::of(Upstream::echoing());
    let before = scene.balancer.peak_memory();
    // One field goes into the table, and is named by a byte each time after that.
    let mut bomb = block(&USUAL);
    bomb.extend_from_slice(&[0x40, 1, b'x', 127, 0x81, 30]);
    bomb.extend_from_slice(&[b'y'; 127 + 1 + 30 * 128]);
    bomb.extend_from_slice(&[0xbe; 10_000]);
    for id in (1..41).step_by(2) {
        let mut client = scene.connect();
        client.frame(HEADERS, 5, id, &bomb);
        let status = client.status(id);
        assert!(status == 431 || status == 0, "{status}");
    }
    let mut client = scene.connect();
    let many: Vec<(&str, &str)> = (0..200).map(|_| ("x", "y")).collect();
    client.request(1, &[&USUAL[..], &many].concat(), true);
    assert_eq!(client.status(1), 431);
    assert_eq!(scene.upstream.requests(), 0);
    let grown = scene.balancer.peak_memory() - before;
    assert!(grown < 16 << 10, "{grown} KiB");
}

#[test]
fn bodies_that_nobody_reads_are_held_back_at_the_client() {
    let (_go, gone) = mpsc::sync_channel::<()>(1);
    let gone = Mutex::new(gone);
    let upstream = Upstream::scripted(move |_, _| {
        // Reads nothing as long as it matters.
        let _ = gone.lock().unwrap().recv();
        false
    });
    let scene = Scene::with(upstream, &["--buffer-requests", "0"]);
    let before = scene.balancer.peak_memory();
    let mut client = scene.connect();
    let piece = [b'x'; 16_000];
    for id in (1..41).step_by(2) {
        client.request(id, &usual("POST", "/"), false);
    }
    eventually("all are at the backend", || (scene.upstream.requests() == 20).then_some(()));
    // As much as the windows allow, which nobody opens again: a megabyte for all.
    for round in 0..65 {
        client.frame(DATA, 0, 1 + 2 * (round % 20), &piece);
    }
    client.flush();
    let mut other = scene.connect();
    other.request(1, &[USUAL[0], USUAL[1], USUAL[2], (":path", "/%zz")], true);
    assert_eq!(other.status(1), 400, "others are answered");
    let grown = scene.balancer.peak_memory() - before;
    assert!(grown < 16 << 10, "{grown} KiB");
}

#[test]
fn a_head_that_stays_away_ends_its_connection_at_its_deadline() {
    let scene = Scene::with_keys(Upstream::saying("hi"), "client_header_timeout = \"1s\"\n");
    let part = block(&USUAL);
    let length = u8::try_from(part.len()).unwrap();
    for sent in [
        // Without the flag for its end; without its end.
        [&[0, 0, length, HEADERS, 1, 0, 0, 0, 1], &part[..]].concat(),
        [&[0, 0, length + 1, HEADERS, 5, 0, 0, 0, 1], &part[..]].concat(),
        vec![0, 0],
    ] {
        let mut client = scene.connect();
        client.until(|frame| (frame.kind, frame.flags) == (SETTINGS, 1)).unwrap();
        client.send(&sent);
        assert!(client.until(|frame| frame.kind == GOAWAY).is_none(), "it is given no more time");
    }
}
