use super::{
    Scene, USUAL,
    raw::{CONTINUATION, DATA, GOAWAY, HEADERS, RESET, SETTINGS, WINDOW_UPDATE, block},
    usual,
};
use crate::upstream::Upstream;

const PRIORITY: u8 = 2;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

/// A frame: its kind, flags, stream and payload.
type Sent = (u8, u8, u32, Vec<u8>);

fn head() -> Vec<u8> {
    block(&USUAL)
}

fn post() -> Vec<u8> {
    block(&usual("POST", "/"))
}

/// A setting.
fn set(number: u8, value: u32) -> Vec<u8> {
    [&[0, number], &value.to_be_bytes()[..]].concat()
}

/// With which code the first stream or the connection ends after these frames. What is wrong with one stream may be taken to
/// be wrong with all (RFC 9113, 5.4).
fn ends_with(scene: &Scene, frames: &[Sent]) -> u32 {
    let mut client = scene.connect();
    frames.iter().for_each(|(kind, flags, id, payload)| client.frame(*kind, *flags, *id, payload));
    let end = client.until(|frame| frame.kind == GOAWAY || frame.kind == RESET && frame.id == 1).unwrap();
    if end.kind == GOAWAY {
        while client.next().is_some() {}
    }
    let code = if end.kind == GOAWAY { &end.payload[4..8] } else { &end.payload[..4] };
    u32::from_be_bytes(code.try_into().unwrap())
}

/// That code, or the general one, which is the library's.
#[track_caller]
fn ends(scene: &Scene, what: &str, code: u32, frames: &[Sent]) {
    let seen = ends_with(scene, frames);
    let is_ours = [FRAME_SIZE_ERROR, COMPRESSION_ERROR].contains(&code);
    assert!(seen == code || seen == PROTOCOL_ERROR && !is_ours, "{what}: {seen}");
}

/// RFC 9113, 3.4.
#[test]
fn a_preface_without_settings_ends_the_connection_and_reaches_nobody() {
    let scene = Scene::of(Upstream::saying("hi"));
    let ahead: [Sent; 4] = [
        (HEADERS, 5, 1, head()),
        (PING, 0, 0, vec![0; 8]),
        (SETTINGS, 1, 0, vec![]),
        (WINDOW_UPDATE, 0, 0, vec![0, 0, 1, 0]),
    ];
    for first in ahead {
        let mut client = scene.connect().unsettled();
        for (kind, flags, id, payload) in [&first, &(SETTINGS, 0, 0, vec![]), &(HEADERS, 5, 3, head())] {
            client.frame(*kind, *flags, *id, payload);
        }
        let end = client.until(|frame| frame.kind == GOAWAY || frame.kind == HEADERS).unwrap();
        assert_eq!((end.kind, &end.payload[4..8]), (GOAWAY, &PROTOCOL_ERROR.to_be_bytes()[..]), "{first:?}");
    }
    assert_eq!(scene.upstream.requests(), 0);
}

/// RFC 9113, 4.2, 6: lengths, streams and values that no frame has.
#[test]
fn frames_that_are_not_by_the_letter_end_their_connection() {
    let scene = Scene::of(Upstream::saying("hi"));
    let cases: Vec<(&str, u32, Vec<Sent>)> = vec![
        ("a frame that is too long", FRAME_SIZE_ERROR, vec![(PING, 0, 0, vec![0; 16_385])]),
        ("data of no stream", PROTOCOL_ERROR, vec![(DATA, 1, 0, vec![0])]),
        ("a head of no stream", PROTOCOL_ERROR, vec![(HEADERS, 5, 0, head())]),
        ("a stream of the server's", PROTOCOL_ERROR, vec![(HEADERS, 5, 2, head())]),
        ("an older stream", PROTOCOL_ERROR, vec![(HEADERS, 5, 5, head()), (HEADERS, 5, 3, head())]),
        ("data of a stream that is not", PROTOCOL_ERROR, vec![(DATA, 1, 1, vec![0])]),
        ("a reset of a stream that is not", PROTOCOL_ERROR, vec![(RESET, 0, 1, vec![0; 4])]),
        ("a window of a stream that is not", PROTOCOL_ERROR, vec![(WINDOW_UPDATE, 0, 1, vec![0, 0, 0, 1])]),
        ("a reset of no stream", PROTOCOL_ERROR, vec![(RESET, 0, 0, vec![0; 4])]),
        ("a reset of three bytes", FRAME_SIZE_ERROR, vec![(HEADERS, 4, 1, post()), (RESET, 0, 1, vec![0; 3])]),
        (
            "more padding than frame",
            PROTOCOL_ERROR,
            vec![(HEADERS, 4, 1, post()), (DATA, 9, 1, vec![6, 0, 0, 0, 0, 0])],
        ),
        ("a head with more padding than frame", PROTOCOL_ERROR, vec![(HEADERS, 13, 1, [vec![200], head()].concat())]),
        ("settings of a stream", PROTOCOL_ERROR, vec![(SETTINGS, 0, 1, vec![])]),
        ("half a setting", FRAME_SIZE_ERROR, vec![(SETTINGS, 0, 0, vec![0; 3])]),
        ("an acknowledgement with a setting", FRAME_SIZE_ERROR, vec![(SETTINGS, 1, 0, set(3, 1))]),
        ("a push that is neither on nor off", PROTOCOL_ERROR, vec![(SETTINGS, 0, 0, set(2, 2))]),
        ("a window that is too large", FLOW_CONTROL_ERROR, vec![(SETTINGS, 0, 0, set(4, 1 << 31))]),
        ("frames that are too short", PROTOCOL_ERROR, vec![(SETTINGS, 0, 0, set(5, 16_383))]),
        ("frames that are too long", PROTOCOL_ERROR, vec![(SETTINGS, 0, 0, set(5, 1 << 24))]),
        ("a promise of the client's", PROTOCOL_ERROR, vec![(PUSH_PROMISE, 4, 1, [vec![0, 0, 0, 2], head()].concat())]),
        ("a ping of a stream", PROTOCOL_ERROR, vec![(PING, 0, 1, vec![0; 8])]),
        ("a ping of six bytes", FRAME_SIZE_ERROR, vec![(PING, 0, 0, vec![0; 6])]),
        ("a farewell of a stream", PROTOCOL_ERROR, vec![(GOAWAY, 0, 1, vec![0; 8])]),
        ("a window of three bytes", FRAME_SIZE_ERROR, vec![(WINDOW_UPDATE, 0, 0, vec![0; 3])]),
        ("no more window", PROTOCOL_ERROR, vec![(WINDOW_UPDATE, 0, 0, vec![0; 4])]),
        ("more window than there is", FLOW_CONTROL_ERROR, vec![(WINDOW_UPDATE, 0, 0, vec![0x7f, 0xff, 0xff, 0xff]); 2]),
        ("a continuation of nothing", PROTOCOL_ERROR, vec![(CONTINUATION, 4, 1, head())]),
        ("a continuation of a whole head", PROTOCOL_ERROR, vec![(HEADERS, 4, 1, post()), (CONTINUATION, 4, 1, vec![])]),
        ("a continuation of another head", PROTOCOL_ERROR, vec![(HEADERS, 1, 1, head()), (CONTINUATION, 4, 3, vec![])]),
        ("a ping in the middle of a head", PROTOCOL_ERROR, vec![(HEADERS, 1, 1, head()), (PING, 0, 0, vec![0; 8])]),
        ("data in the middle of a head", PROTOCOL_ERROR, vec![(HEADERS, 0, 1, head()), (DATA, 1, 1, vec![])]),
        ("a field of no table", COMPRESSION_ERROR, vec![(HEADERS, 5, 1, [head(), vec![0xff, 0xff, 0x7f]].concat())]),
        ("field zero", COMPRESSION_ERROR, vec![(HEADERS, 5, 1, [head(), vec![0x80]].concat())]),
        ("half a field", COMPRESSION_ERROR, vec![(HEADERS, 5, 1, [head(), vec![0, 5, b'x']].concat())]),
        (
            "a table that is too large",
            COMPRESSION_ERROR,
            vec![(HEADERS, 5, 1, [vec![0x3f, 0xe2, 0x1f], head()].concat())],
        ),
    ];
    for (what, code, frames) in &cases {
        ends(&scene, what, *code, frames);
    }
    assert_eq!(cases.len(), 35);
}

/// RFC 9113, 5.1, 5.4.2, 8.1: what is wrong with one request ends that one.
#[test]
fn what_is_wrong_with_a_stream_ends_it_and_reaches_nobody() {
    let scene = Scene::of(Upstream::echoing());
    let whole_head = || (HEADERS, 4, 1, post());
    for (what, code, frames) in [
        ("no more window", PROTOCOL_ERROR, vec![whole_head(), (WINDOW_UPDATE, 0, 1, vec![0; 4])]),
        (
            "more window than there is",
            FLOW_CONTROL_ERROR,
            vec![whole_head(), (WINDOW_UPDATE, 0, 1, vec![0x7f, 0xff, 0xff, 0xff])],
        ),
        ("trailers that are not the end", PROTOCOL_ERROR, vec![whole_head(), (HEADERS, 4, 1, block(&[("x", "y")]))]),
    ] {
        ends(&scene, what, code, &frames);
    }
    assert_eq!(scene.upstream.requests(), 0);
}

/// RFC 9113, 5.1: nothing comes behind the end of a request.
#[test]
fn what_comes_behind_the_end_of_a_request_belongs_to_none() {
    let scene = Scene::of(Upstream::scripted(|_, peer| std::io::Read::read(peer, &mut [0]).is_err()));
    for frame in [(DATA, 1, 1, vec![0]), (HEADERS, 5, 1, block(&[("x", "y")]))] {
        ends(&scene, "something behind the end", STREAM_CLOSED, &[(HEADERS, 5, 1, head()), frame]);
    }
}

/// RFC 9113, 4.1, 5.5, 6: what is to be passed over is.
#[test]
fn what_nobody_has_to_understand_is_passed_over() {
    let scene = Scene::of(Upstream::echoing());
    let mut client = scene.connect();
    client.frame(0x42, 0xff, 0, &[1, 2, 3]);
    client.frame(SETTINGS, 0, 0, &set(0x99, 7));
    client.frame(PING, 0xfe & !1, 0, &[7; 8]);
    client.frame(PRIORITY, 0, 9, &[0, 0, 0, 0, 1]);
    // Padding and a priority, and both again for the body.
    let padded = [&[3, 0, 0, 0, 0, 7][..], &post(), &[0; 3]].concat();
    client.frame(HEADERS, 0x2c, 1, &padded);
    client.frame(DATA, 9, 1, &[&[4][..], b"body", &[0; 4]].concat());
    assert!(client.answer(1).unwrap().contains("body"));
    let mut pieces = scene.connect();
    pieces.frame(HEADERS, 1, 1, &[]);
    for piece in head().chunks(20) {
        pieces.frame(CONTINUATION, 0, 1, piece);
    }
    pieces.frame(CONTINUATION, 4, 1, &[]);
    assert!(pieces.answer(1).unwrap().starts_with("GET / HTTP/1.1"));
}
