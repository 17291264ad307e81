//! What is read and what is refused, as lists; and the laws of reading.

use proptest::prelude::*;

use super::{
    Bounds, Refusal, Version,
    chunked::{Decoder, Part, mark},
    framing::Framing,
    request::{self, Request},
    response::{self, Response},
};

const BOUNDS: Bounds = Bounds { size: 4096, fields: 20, lenient_query: false };

fn request(text: &[u8]) -> Result<Option<Request>, Refusal> {
    request::Reader::default().read(text, BOUNDS)
}

fn response(text: &[u8]) -> Result<Option<Response>, Refusal> {
    response::Reader::default().read(text, false, BOUNDS)
}

/// The data of a whole chunked body and its trailers, and what is behind it.
fn unchunk(text: &[u8]) -> Result<(Vec<u8>, Vec<u8>, usize), Refusal> {
    let (mut decoder, mut at, mut data) = (Decoder::default(), 0, Vec::new());
    loop {
        match decoder.next(text, &mut at)? {
            Part::Data(piece) => data.extend_from_slice(piece.of(text)),
            Part::End => return Ok((data, decoder.trailers().to_vec(), text.len() - at)),
            Part::More => return Err(Refusal::Bad("not at its end")),
        }
    }
}

#[test]
fn requests_that_are_by_the_letter_are_read() {
    use Framing::{Chunked, Length, None};
    for (text, framing, stays) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
        ("GET / HTTP/1.1\r\nhOST:a \t\r\n\r\n", None, true),
        ("GET / HTTP/1.0\r\n\r\n", None, false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", None, false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive,, Close\r\n\r\n", None, false),
        ("M-SEARCH /x?y HTTP/1.1\r\nHost: a\r\nX-Empty:\r\n\r\n", None, true),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
        ("CONNECT a:22 HTTP/1.1\r\nHost: a:22\r\n\r\n", None, true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", Length(0), true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00012\r\n\r\n", Length(12), true),
        ("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n", Length(3), false),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Chunked, true),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tCHUNKED \r\n\r\n", Chunked, true),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{fc}\tb\r\n\r\n", None, true),
    ] {
        let read = request(text.as_bytes()).unwrap().unwrap();
        assert_eq!((read.framing, read.stays, read.length), (framing, stays, text.len()), "{text:?}");
    }
}

/// Fields that make a POST with one good Host none.
const BAD_FIELDS: &[&str] = &[
    // Lines.
    "X: a\nY: b\r\n",
    "X: a\n\r\n",
    "X: a\rY: b\r\n",
    "X: \0\r\n",
    "X: \x08\r\n",
    "X: \x7f\r\n",
    " X: a\r\n",
    "X: a\r\n b\r\n",
    "X: a\r\n\tb\r\n",
    "X : a\r\n",
    "X\t: a\r\n",
    ": a\r\n",
    "X\r\n",
    "X a\r\n",
    "X(: a\r\n",
    "X\u{e4}: a\r\n",
    "\0X: a\r\n",
    "X: a\r\r\n",
    // Host.
    "Host: a\r\n",
    "host: b\r\n",
    "Host:\r\n",
    "Content_Length: 3\r\n",
    "Transfer_Encoding: chunked\r\n",
    "HTTP/1.1: a b\x01\r\n",
    // Length.
    "Content-Length: 1\r\nContent-Length: 1\r\n",
    "Content-Length: 1\r\nContent-Length: 2\r\n",
    "Content-Length: 1, 1\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length: 1e1\r\n",
    "Content-Length: 5 5\r\n",
    "Content-Length:\r\n",
    "Content-Length: 9223372036854775808\r\n",
    "Content-Length: 1_0\r\n",
    "Content-Length: 18446744073709551617\r\n",
    "Content-Length: \u{b2}\r\n",
    "Content-Length: \"5\"\r\n",
    "Content-Length: 5;\r\n",
    // Coding.
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding:\r\n",
    "Transfer-Encoding: chunked;q=1\r\n",
    "Transfer-Encoding: \"chunked\"\r\n",
    "Transfer-Encoding: chunked,\r\n",
    "Transfer-Encoding: ,chunked\r\n",
    "Transfer-Encoding: chunked\x0b\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding: chun ked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length: 3\r\nTransfer-Encoding: gzip\r\n",
    "Transfer-Encoding: \u{17f}chunked\r\n",
    // Connection.
    "Connection: close@\r\n",
    "Connection: a b\r\n",
    "Upgrade: a\r\nUpgrade: b\r\n",
];

#[test]
fn requests_that_are_not_are_refused() {
    for text in [
        // The first line.
        "GET /\r\n",
        "GET\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET\t/\tHTTP/1.1\r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/1.1x\r\n",
        "GET / HTTP/01.1\r\n",
        "GET / HTTP/1.\r\n",
        "G(T / HTTP/1.1\r\n",
        "GET /a b HTTP/1.1\r\n",
        "GET /\x7f HTTP/1.1\r\n",
        "GET /\u{e4} HTTP/1.1\r\n",
        "GET /#a HTTP/1.1\r\n",
        "GET a HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.2\r\n",
        "GET / HTTP/9.9\r\n",
        "GET / HTTP/1.1\n",
        "\nGET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\r\n",
        "GET / HTTP/1.1\rX",
        "\x16\x03\x01",
        "GET /\0",
        "GET / ICAP/1.0\r\n",
    ] {
        assert!(request(text.as_bytes()).is_err(), "{text:?}");
    }
    for fields in BAD_FIELDS {
        assert!(request(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes()).is_err(), "{fields:?}");
    }
    for text in [
        "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
    ] {
        assert!(request(text.as_bytes()).is_err(), "{text:?}");
    }
}

/// Which bytes may stand in the place of `~`, as `read` sees it.
fn taken(template: &str, read: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (before, after) = template.split_once('~').unwrap();
    (0..=255).filter(|&byte| read(&[before.as_bytes(), &[byte], after.as_bytes()].concat())).collect()
}

#[test]
fn no_byte_too_many_is_overlooked() {
    let is_chunked = |text: &[u8]| matches!(request(text), Ok(Some(read)) if read.framing == Framing::Chunked);
    let is_five = |text: &[u8]| matches!(request(text), Ok(Some(read)) if read.framing == Framing::Length(5));
    let is_read = |text: &[u8]| matches!(request(text), Ok(Some(_)));
    let (start, end) = ("POST / HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n");
    for (field, bytes) in [
        ("~Transfer-Encoding: chunked", ""),
        ("Transfer~Encoding: chunked", "-"),
        ("Transfer-Encoding~: chunked", ""),
        ("Transfer-Encoding:~chunked", "\t "),
        ("Transfer-Encoding: chunked~", "\t "),
        ("Transfer-Encoding: chunke~", "Dd"),
        ("Transfer-Encoding: ~hunked", "Cc"),
        ("X: y~Transfer-Encoding: chunked", ""),
        ("X: y\r~Transfer-Encoding: chunked", "\n"),
    ] {
        let found = taken(&format!("{start}{field}{end}"), is_chunked);
        assert_eq!(String::from_utf8_lossy(&found), bytes, "{field}");
    }
    for (field, bytes) in [
        ("~Content-Length: 5", ""),
        ("Content-Length~: 5", ""),
        ("Content-Length:~5", "\t 0"),
        ("Content-Length: 5~", "\t "),
        ("Content-Length: ~", "5"),
    ] {
        let found = taken(&format!("{start}{field}{end}"), is_five);
        assert_eq!(String::from_utf8_lossy(&found), bytes, "{field}");
    }
    for (text, bytes) in [
        ("GET~/ HTTP/1.1\r\nHost: a\r\n\r\n", " "),
        ("GET /~HTTP/1.1\r\nHost: a\r\n\r\n", " "),
        ("GET / HTTP/1.1~\nHost: a\r\n\r\n", "\r"),
        ("GET / HTTP/1.1\r~Host: a\r\n\r\n", "\n"),
        ("GET / HTTP/1.~\r\nHost: a\r\n\r\n", "01"),
        ("GET / HTTP~1.1\r\nHost: a\r\n\r\n", "/"),
        ("GET / HTTP/1.1\r\nHost: a\r\n~\n", "\r"),
        ("GET / HTTP/1.1\r\nHost: a~b\r\n\r\n", "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"),
        (
            "~GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "!#$&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~",
        ),
    ] {
        let found = String::from_utf8_lossy(&taken(text, is_read)).replace('%', "");
        assert_eq!(found, bytes, "{text:?}");
    }
    for (chunks, bytes) in [
        ("5~\r\nhello\r\n0\r\n\r\n", ""),
        ("~5\r\nhello\r\n0\r\n\r\n", "0"),
        ("5\r~hello\r\n0\r\n\r\n", "\n"),
        ("5\r\nhello~\n0\r\n\r\n", "\r"),
        ("5\r\nhello\r~0\r\n\r\n", "\n"),
        ("5\r\nhello\r\n~\r\n\r\n", "0"),
        ("5\r\nhello\r\n0~\n\r\n", "\r"),
        ("5\r\nhello\r\n0\r\n~\n", "\r"),
    ] {
        assert_eq!(String::from_utf8_lossy(&taken(chunks, |text| unchunk(text).is_ok())), bytes, "{chunks:?}");
    }
}

#[test]
fn a_connection_with_very_many_options_is_refused() {
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n\r\n", "a,".repeat(33));
    assert!(matches!(request(text.as_bytes()), Err(Refusal::Bad(_))));
}

#[test]
fn heads_have_bounds_that_hold_before_they_have_come_whole() {
    let line = format!("GET /{} HTTP/1.1\r\n", "a".repeat(BOUNDS.size));
    assert_eq!(request(line.as_bytes()), Err(Refusal::TargetTooLong));
    assert_eq!(request(&line.as_bytes()[..BOUNDS.size + 1]), Err(Refusal::TargetTooLong));
    let field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(BOUNDS.size));
    assert_eq!(request(field.as_bytes()), Err(Refusal::HeadTooLarge));
    let fields = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: a\r\n".repeat(BOUNDS.fields));
    assert_eq!(request(fields.as_bytes()), Err(Refusal::TooManyFields));
}

#[test]
fn an_upgrade_is_one_only_when_it_is_asked_for_properly() {
    let asks = |text: &str| request(text.as_bytes()).unwrap().unwrap().upgrade.is_some();
    assert!(asks("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"));
    assert!(!asks("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"));
    assert!(!asks("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"));
    assert!(asks("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"));
    assert!(!asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"));
}

#[test]
fn answers_that_are_by_the_letter_are_read() {
    use Framing::{Chunked, Close, Length, None};
    for (text, status, framing, stays) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, Length(5), true),
        ("HTTP/1.1 200 \r\n\r\n", 200, Close, true),
        ("HTTP/1.0 404 Not\u{a0} Found\tx\r\nContent-Length: 5\r\n\r\n", 404, Length(5), false),
        ("HTTP/1.1 599 x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", 599, Chunked, false),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, None, true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, None, true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, None, true),
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 103, None, true),
    ] {
        let read = response(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (read.status, read.framing, read.stays, read.length),
            (status, framing, stays, text.len()),
            "{text:?}"
        );
    }
    let to_head = response::Reader::default().read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, BOUNDS);
    let to_head = to_head.unwrap().unwrap();
    assert_eq!((to_head.framing, to_head.length_told), (None, Some(9)));
}

#[test]
fn answers_that_are_not_are_refused() {
    for text in [
        "HTTP/1.1 200\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 099 x\r\n",
        "HTTP/1.1 600 x\r\n",
        "HTTP/1.1 2x0 x\r\n",
        "HTTP/1.2 200 OK\r\n",
        "HTTP/2.0 200 OK\r\n",
        "http/1.1 200 OK\r\n",
        "HTTP/1.1\t200 OK\r\n",
        "HTTP/1.1 200 O\0K\r\n",
        "HTTP/1.1 200 OK\n",
        "\r\nHTTP/1.1 200 OK\r\n",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 +20 OK\r\n",
        "HTTP/1.1 200 O\rK\r\n",
        "ICY 200 OK\r\n",
        "HTTP/1.1 -12 OK\r\n",
        "HTTP/1.1 200\tOK\r\n",
    ] {
        assert!(response(text.as_bytes()).is_err(), "{text:?}");
    }
    for fields in [
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\n x\r\n",
        "X: a\r\n b\r\n",
        "X : a\r\n",
        "X: a\nY: b\r\n",
        "X: a\rSet-Cookie: b\r\n",
        "X: \0\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: abc\r\n",
        "Content-Length:\r\n",
        ": a\r\n",
        "X\r\n",
        "Transfer-Encoding: x\r\n",
    ] {
        assert!(response(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes()).is_err(), "{fields:?}");
    }
    for text in [
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 x\r\nContent-Length: 1\r\n\r\n",
    ] {
        assert!(response(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn chunks_that_are_by_the_letter_are_read() {
    for (text, data, trailers, rest) in [
        ("0\r\n\r\n", "", "", 0),
        ("3\r\nabc\r\n0\r\n\r\nGET", "abc", "", 3),
        ("00003\r\nabc\r\n000\r\n\r\n", "abc", "", 0),
        ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", "", 0),
        ("1;a;b=c;d=\"e \\\"; f\"\r\nx\r\n0;z\r\nA: b\r\nC-D:\r\n\r\n", "x", "A: b\r\nC-D:\r\n", 0),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "", 0),
    ] {
        assert_eq!(unchunk(text.as_bytes()), Ok((data.into(), trailers.into(), rest)), "{text:?}");
    }
}

#[test]
fn chunks_that_are_not_are_refused() {
    for text in [
        // Sizes.
        "\r\n",
        ";a\r\n",
        " 1\r\n",
        "1 \r\n",
        "1\t\r\n",
        "+1\r\n",
        "-1\r\n",
        "0x1\r\n",
        "g\r\n",
        "1_0\r\n",
        "1\n",
        "1\r\r\n",
        "\n",
        "FFFFFFFFFFFFFFFF\r\n",
        "FFFFFFFFFFFFFFFF1\r\n",
        "8000000000000000\r\n",
        "10000000000000000\r\n",
        "00000000000000001\r\n",
        "1\0\r\n",
        // Extensions.
        "1;\r\n",
        "1 ;a\r\n",
        "1; a\r\n",
        "1;a \r\n",
        "1;a =b\r\n",
        "1;a= b\r\n",
        "1;a=\r\n",
        "1;a=\"\r\n",
        "1;a=\"b\n",
        "1;=a\r\n",
        "1;a=\"b\"c\r\n",
        "1;a\n",
        "1;a\rb\r\n",
        "1;a=\"\\\r\n",
        "1;a=\"\0\"\r\n",
        "1;;a\r\n",
        "1;a=b=c\r\n",
        "1;a\0\r\n",
        // Ends of chunks.
        "1\r\nxy\r\n",
        "1\r\nx\n",
        "1\r\nx\r\r\n",
        "1\r\nx0\r\n",
        "3\r\nab\r\n0\r\n\r\n",
        // Trailers.
        "0\r\nA b\r\n",
        "0\r\nA: b\n",
        "0\r\n\n",
        "0\r\n \r\n",
        "0\r\nA: b\r\n c\r\n",
        "0\r\nA: \0",
        "0\r\nA\r\n",
        "0\r\n: a\r\n",
        "0\r\nA: b\rc",
        "0\r\nContent-Length: 1\r\n",
        "0\r\nTransfer-Encoding: chunked\r\n",
        "0\r\nHost: a\r\n",
        "0\r\nX-Forwarded-For: 1.1.1.1\r\n",
        "0\r\nConnection: close\r\n",
        "0\r\nSet-Cookie: a\r\n",
        "0\r\nAuthorization: a\r\n",
        "0\r\nX_Real_IP: 1.1.1.1\r\n",
        "0\n\r\n",
    ] {
        let refused = unchunk(text.as_bytes());
        assert!(refused != Err(Refusal::Bad("not at its end")) && refused.is_err(), "{text:?}: {refused:?}");
    }
    let long = format!("1;a={}", "x".repeat(5000));
    assert_eq!(unchunk(long.as_bytes()), Err(Refusal::Bad("the extensions of the chunks are too long")));
    let many = "1;abcdefgh\r\nx\r\n".repeat(1000);
    assert_eq!(unchunk(many.as_bytes()), Err(Refusal::Bad("the extensions of the chunks are too long")));
    assert_eq!(unchunk(format!("0\r\nA: {}", "x".repeat(9000)).as_bytes()), Err(Refusal::TrailersTooLarge));
}

/// Pieces that heads and chunks are made of, good and bad.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "GET",
        "POST",
        " ",
        " ",
        "/",
        "*",
        "http://",
        "a",
        "HTTP/1.1",
        "HTTP/1.0",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r",
        "\n",
        "Host:",
        "Host: a",
        "Content-Length:",
        "Transfer-Encoding:",
        "chunked",
        "Connection:",
        "close",
        "0",
        "1",
        "5",
        ";",
        "=",
        "\"",
        ":",
        ",",
        "\t",
        "\0",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "HTTP/1.1 200 OK\r\n",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "X: y\r\n",
        "\u{e4}",
        "_",
        "f",
        "\r\n\r\n",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|words| words.concat().into_bytes())
}

/// Reads it in two pieces and in bytes, as it would arrive.
fn arriving<T>(
    text: &[u8],
    split: usize,
    mut read: impl FnMut(&[u8]) -> Result<Option<T>, Refusal>,
) -> Result<Option<T>, Refusal> {
    let ends: Vec<usize> =
        if split == 0 { (1..=text.len()).collect() } else { vec![split.min(text.len()), text.len()] };
    for end in ends {
        if let Some(found) = read(&text[..end])? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

proptest! {
    #[test]
    fn a_request_is_read_alike_however_its_bytes_arrive(text in soup(), split in 0_usize..60) {
        let mut reader = request::Reader::default();
        let pieces = arriving(&text, split, |text| reader.read(text, BOUNDS));
        match request(&text) {
            Ok(whole) => prop_assert_eq!(pieces, Ok(whole)),
            Err(_) => prop_assert!(pieces.is_err()),
        }
    }

    #[test]
    fn an_answer_is_read_alike_however_its_bytes_arrive(text in soup(), split in 0_usize..60) {
        let mut reader = response::Reader::default();
        let pieces = arriving(&text, split, |text| reader.read(text, false, BOUNDS));
        match response(&text) {
            Ok(whole) => prop_assert_eq!(pieces, Ok(whole)),
            Err(_) => prop_assert!(pieces.is_err()),
        }
    }

    #[test]
    fn chunks_are_read_alike_however_their_bytes_arrive(text in soup(), split in 1_usize..60) {
        let (mut decoder, mut data, mut from) = (Decoder::default(), Vec::new(), 0);
        let mut left = text.clone();
        let mut outcome = Ok(false);
        for end in [split.min(text.len()), text.len()] {
            match decoder.unwrap(&mut left, from, end) {
                Ok((piece, at, ended)) => {
                    data.extend_from_slice(piece.of(&left));
                    from = at;
                    outcome = Ok(ended);
                    if ended { break }
                }
                Err(refusal) => { outcome = Err(refusal); break }
            }
        }
        match unchunk(&text) {
            Ok((whole, trailers, rest)) => {
                prop_assert_eq!(outcome, Ok(true));
                prop_assert_eq!((data, decoder.trailers().to_vec(), text.len() - from), (whole, trailers, rest));
            }
            Err(Refusal::Bad("not at its end")) => prop_assert_eq!(outcome, Ok(false)),
            Err(refusal) => prop_assert_eq!(outcome, Err(refusal)),
        }
    }

    #[test]
    fn what_was_written_in_chunks_is_read_back(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..8)) {
        let mut text = Vec::new();
        for piece in &pieces {
            text.extend_from_slice(mark(piece.len()).bytes());
            text.extend_from_slice(piece);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"0\r\n\r\n");
        prop_assert_eq!(unchunk(&text), Ok((pieces.concat(), Vec::new(), 0)));
    }

    #[test]
    fn a_version_that_was_read_is_one_of_two(text in soup()) {
        if let Ok(Some(request)) = request(&text) {
            prop_assert!(request.length <= text.len() && text[..request.length].ends_with(b"\r\n\r\n"));
            prop_assert!(request.host.is_some() || request.version == Version::Http10);
        }
    }
}
