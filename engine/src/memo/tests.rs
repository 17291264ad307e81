use proptest::prelude::*;

use super::*;
use crate::format::Layout;

/// A day before what is written here without a year may be of this year or of the last one.
const REFERENCE: i64 = 1_796_799_600;

/// Pieces of lines in which digits decide something, and some in which they do not.
const PIECES: [&str; 79] = [
    "2024-05-01 12:00:01,250",
    "2024-05-01T12:00:01Z",
    "2024-05-01 12:00:01 +0200",
    "12/Oct/2024:13:55:36 +0000",
    "Dec 10 06:55:46",
    "Dec 10 06:55:46 2005",
    "Sun Dec 04 04:47:44 2005",
    "[10.30 16:49:06]",
    "081109 203615",
    "20171223-22:15:29:606",
    "1117838570",
    "1117838570.25",
    "2005-06-03-15.42.50.675872",
    "10:11:12 PM",
    "I0102 15:04:05.000000    1234 file.go:123]",
    "<34>1",
    "<134>",
    "03-17 16:13:38.811  1702  2395",
    "INFO",
    "ERROR",
    "[error]",
    "D",
    "host7",
    "sshd[24200]:",
    "kernel:",
    "com.example.Pool",
    "-",
    "|",
    "sha256",
    "sha512",
    "uint16",
    "log4j",
    "0x1f00",
    "0xab",
    "0xAB.com:8080",
    "0xab.com=1",
    "0xAB.x.y:Got",
    "0xAB,x.y.z:Got",
    "Sun 04 Dec 2005 12:10:05 AM UTC",
    "2024-05-01 12:00:01.25",
    "2024-05-01 12:00:01,25",
    "5x1f00",
    "redis:6379",
    "web:80",
    "10.0.0.1:8080",
    "1.2.3.4",
    "/10.0.0.1:80",
    "fe80::1",
    "00:1b:44:11:3a:b7",
    "key1=5",
    "HTTP/1.1",
    "v1.2.3",
    "12ms",
    "4e5",
    "1.5e-07",
    "blk_-1608999687919862906",
    "9f4ef63",
    "true.00",
    "/var/log/a1.log:12",
    "a1/b2",
    "x@h1.example.org",
    "<*>7",
    "user1",
    "took",
    "日志12",
    "(12)",
    "a.7",
    "stdout F 1",
    "2024年05月01日 12时00分01秒",
    "2024年5月1日 上午9:05:07",
    "[1234:5678:0501/120001.123456:ERROR:file.cc(12)]",
    "I240501 12:00:01.123456 12 file.go:34",
    "1 2024-05-01T12:00:01Z host7 app 12 - -",
    "queries: info:",
    "{\"msg\":\"a 1\",\"level\":\"info\"}",
    "@cee: {\"event\":\"up\"}",
    "at=info",
    "1h30m",
    "12µs",
];

fn lines() -> impl Strategy<Value = Vec<String>> {
    let piece = prop_oneof![9 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned), 1 => "[ -~]{1,6}"];
    let joint = prop::sample::select(&[" ", " ", " ", "  ", ": ", "", ",", "\t"][..]);
    let line = prop::collection::vec((piece, joint), 1..8)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, joint)| piece + joint).collect::<String>());
    prop::collection::vec(line, 1..6)
}

/// The line with other digits where `random` says so.
fn with_other_digits(line: &str, random: &[u8]) -> String {
    let mut random = random.iter().cycle();
    let mut other = |c: char| match random.next() {
        Some(number @ 0..128) if c.is_ascii_digit() => char::from(b'0' + number % 10),
        _ => c,
    };
    let line: String = line.chars().map(&mut other).collect();
    with_other_widths(&line, &mut random)
}

/// The line with numbers of other widths where there may be addresses.
fn with_other_widths<'a>(line: &str, random: &mut impl Iterator<Item = &'a u8>) -> String {
    let parts = line.split_inclusive([' ', '=', ',', '/', ':', '(', ')']);
    let part = |part: &str| {
        if part.matches('.').count() < 3 {
            return part.to_owned();
        }
        let numbers = part.split_inclusive('.').map(|number| match random.next() {
            Some(n @ 0..64) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("{}{number}", n % 25),
            Some(64..128) if number.len() > 2 && number.as_bytes()[1].is_ascii_digit() => number[1..].to_owned(),
            _ => number.to_owned(),
        });
        numbers.collect()
    };
    parts.map(part).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn what_is_remembered_of_a_line_is_what_reading_it_tells(
        lines in lines(),
        random in prop::collection::vec(prop::collection::vec(any::<u8>(), 64), 8),
    ) {
        let all: Vec<String> = (0..random.len()).flat_map(|i| {
            let random = &random[i];
            lines.iter().map(move |line| if i < 2 { line.clone() } else { with_other_digits(line, random) })
        }).collect();
        let layout = Arc::new(Layout::vote(all.iter().map(String::as_bytes), REFERENCE));
        let (mut memo, mut learner) = (Memo::new(), Reader::default());
        memo.layout = Arc::clone(&layout);
        memo.reference = REFERENCE;
        learner.begin(&layout, REFERENCE);
        for line in &all {
            let line = line.as_bytes();
            memo.look_at([line].into_iter());
            let Some(found) = memo.of(0, line, &mut learner) else { continue };
            // Nothing that was read before helps it.
            let mut reader = Reader::default();
            reader.begin(&layout, REFERENCE);
            let record = reader.read(line);
            let mut shaper = Shaper::default();
            let shape = shaper.shape(record.message);
            prop_assert_eq!(found.record, record);
            prop_assert_eq!(found.shape, shape);
            prop_assert_eq!(found.known.key, Key::of(shape));
            prop_assert_eq!(reader.ways[found.way], 1);
        }
    }
}
