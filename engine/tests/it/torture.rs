//! Inputs meant to break things. Nothing panics, nothing is lost in silence, every message says what and where.
//!
//! | what comes in | where it is tried |
//! |---|---|
//! | nothing, one byte, no final line feed | `limits::an_empty_input_has_no_lines_and_says_so`, `limits::one_byte_is_one_line_and_so_is_a_line_without_end` |
//! | nothing, packed and as a member | here |
//! | a line of a gigabyte | here, in a process of its own |
//! | NUL bytes | `limits::lines_of_nul_bytes_are_set_aside_and_their_neighbours_are_not`, `limits::a_hole_of_nul_bytes_swallows_neither_the_line_behind_it_nor_the_one_before` |
//! | colours of a terminal | here; `masks::control_characters_are_shown_and_colours_left_out` |
//! | every byte value | `limits::every_byte_value_may_stand_in_a_line`, `grouping::no_bytes_break_anything` |
//! | half a letter where a chunk, a line's bound or an example ends | here; where a read ends: `encodings::legacy_encodings_are_detected_and_decoded_however_they_arrive` |
//! | cut gz, zst, bz2, xz, lz4 | `packings::wherever_a_packing_is_cut_it_is_told_and_what_came_before_is_counted`, and cut where it begins: `inputs::a_packed_input_cut_within_its_first_bytes_is_told_as_well` |
//! | cut zip and tar | here; `packings::a_cut_archive_gives_the_members_before_the_cut` |
//! | damaged bytes of any packing, and slow ones | `packings::a_damage_anywhere_neither_panics_nor_goes_unnoticed`; byte by byte here |
//! | a bomb of ten gigabytes in a zip, alone and in another | here; of zstd, gzip and zip in each other: `packings::a_bomb_is_read_up_to_its_bound_and_no_further` |
//! | a nest without end, members without end | `packings::packings_deeper_than_the_bound_are_left_out_and_told`, `packings::members_past_the_bound_are_left_out_and_told` |
//! | paths that are absolute, have `..` or controls; links and devices | `packings::paths_that_lead_elsewhere_are_names_only`, `packings::links_and_devices_are_left_out_and_counted` |
//! | UTF-16 and UTF-32 without a mark | `encodings::wide_encodings_are_decoded_with_a_mark_and_without`; a single line of it here |
//! | ten million distinct shapes | here, in a process of its own; in any order: `laws::a_million_distinct_shapes_are_bounded_alike_in_any_order_and_on_any_threads` |
//! | distinct shapes up to the bound, all of which go into the report; such of long lines | here, in a process of its own |
//! | a word of any length and make; times of too many digits | `masks::a_word_of_any_length_and_make_is_masked_without_using_up_the_stack`; here |

use std::{
    env, fs,
    io::{self, Cursor, Read, Write},
    process::Command,
};

use logkin_engine::{Input, Progress, Report, Settings, analyze};

use crate::{
    harness::{counts_close, run, run_with, sample, words},
    packings::{PACKERS, deflated, tar},
};

/// Where a test finds out that it is the process of its own.
const ALONE: &str = "LOGKIN_TEST_ALONE";

/// MiB that a run of any size may take in all, with the test around it: the promise of the settings as they come.
const PEAK_MIB: u64 = 100;

/// Runs `body` in a new process of this very test and gives its peak memory in MiB; `None` where the system does not tell.
fn alone(test: &str, body: fn()) -> Option<u64> {
    if env::var_os(ALONE).is_some() {
        body();
        println!("\npeak {}", peak_mib().unwrap_or_default());
        return None;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let peak = text.lines().find_map(|line| line.strip_prefix("peak ")).expect("the child ran this test");
    Some(peak.parse().unwrap()).filter(|mib| *mib > 0)
}

fn peak_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

fn analyzed(name: &str, input: impl Read + Send + 'static) -> Report {
    let settings = Settings { threads: Some(2), ..Settings::default() };
    let report = analyze(vec![Input::reader(name, input)], &settings, &Progress::default(), None).unwrap();
    counts_close(&report);
    report
}

fn problems(report: &Report) -> Vec<&str> {
    report.inputs.iter().flat_map(|input| &input.problems).map(String::as_str).collect()
}

#[test]
fn a_line_of_a_gigabyte_is_one_shortened_line_in_the_memory_of_any_other() {
    let peak = alone("torture::a_line_of_a_gigabyte_is_one_shortened_line_in_the_memory_of_any_other", || {
        let line = io::repeat(b'x').take(1 << 30);
        let report = analyzed("long", (&b"before\n"[..]).chain(line).chain(&b"\nafter\n"[..]));
        let totals = report.totals;
        assert_eq!((totals.lines, totals.shortened, totals.bytes), (3, 1, (1 << 30) + 14));
        assert_eq!(problems(&report), [""; 0]);
    });
    assert!(peak.is_none_or(|mib| mib < PEAK_MIB), "{peak:?} MiB");
}

/// Lines as they are read, each with words that no other has.
struct Distinct {
    next: u64,
    end: u64,
    rest: Cursor<Vec<u8>>,
}

impl Read for Distinct {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.position() == self.rest.get_ref().len() as u64 {
            let mut text = Vec::with_capacity(64 << 10);
            let numbers = self.next..self.end.min(self.next + 1_000);
            self.next = numbers.end;
            for n in numbers {
                writeln!(text, "user {} asked for {} in {n} ms", words(n % 7), words(n))?;
            }
            self.rest = Cursor::new(text);
        }
        self.rest.read(buffer)
    }
}

#[test]
fn ten_million_distinct_shapes_are_counted_in_bounded_memory_and_their_joining_is_told() {
    let peak =
        alone("torture::ten_million_distinct_shapes_are_counted_in_bounded_memory_and_their_joining_is_told", || {
            let report = analyzed("free text", Distinct { next: 0, end: 10_000_000, rest: Cursor::default() });
            assert_eq!(report.totals.lines, 10_000_000);
            assert!(report.totals.shapes <= Settings::default().max_shapes as u64);
            assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
            let told = "there are more distinct shapes than the 100000 places for them hold";
            assert!(report.problems[0].starts_with(told), "{:?}", report.problems);
        });
    assert!(peak.is_none_or(|mib| mib < PEAK_MIB), "{peak:?} MiB");
}

/// Lines of six random words, always the same, made as they are read.
struct Random {
    lines: u64,
    state: u64,
    rest: Cursor<Vec<u8>>,
}

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn word(&mut self) -> String {
        (0..self.next(7) + 3).map(|_| char::from(b'a' + self.next(26) as u8)).collect()
    }
}

impl Read for Random {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.position() == self.rest.get_ref().len() as u64 && self.lines > 0 {
            self.lines -= 1;
            let words = [(); 6].map(|()| self.word()).join(" ");
            let time = format!("2026-05-01T12:{:02}:{:02}Z", self.lines / 60 % 60, self.lines % 60);
            self.rest = Cursor::new(format!("{time} INFO {words}\n").into_bytes());
        }
        self.rest.read(buffer)
    }
}

#[test]
fn as_many_shapes_as_are_kept_apart_are_clustered_in_bounded_memory_too() {
    let peak = alone("torture::as_many_shapes_as_are_kept_apart_are_clustered_in_bounded_memory_too", || {
        let report = analyzed("random words", Random { lines: 100_000, state: 1, rest: Cursor::default() });
        assert_eq!((report.clusters.len(), report.problems), (100_000, Vec::new()));
    });
    assert!(peak.is_none_or(|mib| mib < PEAK_MIB), "{peak:?} MiB");
}

/// Lines of many words, all of them random, always the same, made as they are read.
struct Long {
    lines: Random,
    words: usize,
    rest: Cursor<Vec<u8>>,
}

impl Long {
    fn new(lines: u64, words: usize) -> Self {
        Self { lines: Random { lines, state: 7, rest: Cursor::default() }, words, rest: Cursor::default() }
    }
}

impl Read for Long {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.position() == self.rest.get_ref().len() as u64 && self.lines.lines > 0 {
            self.lines.lines -= 1;
            let mut line = Vec::new();
            for _ in 0..self.words {
                line.extend_from_slice(self.lines.word().as_bytes());
                line.push(b' ');
            }
            // The value is masked, and in the example all the same.
            writeln!(line, "{:0700}", self.lines.lines)?;
            self.rest = Cursor::new(line);
        }
        self.rest.read(buffer)
    }
}

#[test]
fn long_lines_that_all_differ_stay_apart_up_to_the_bound() {
    let report = analyzed("long", Long::new(1_500, 2_500));
    assert_eq!((report.totals.shapes, report.problems), (1_500, Vec::new()));
    assert!(report.clusters.iter().all(|cluster| cluster.template.len() <= (4 << 10) + 2), "cut where nobody reads on");
}

#[test]
fn as_many_shapes_as_are_kept_apart_of_long_lines_take_no_more_memory() {
    let peak = alone("torture::as_many_shapes_as_are_kept_apart_of_long_lines_take_no_more_memory", || {
        let report = analyzed("long", Long::new(100_000, 26));
        assert_eq!(report.totals.lines, 100_000);
        let told = "a shape takes one, and one more for every 64 bytes of its text";
        assert!(report.problems.iter().all(|problem| problem.contains(told)), "{:?}", report.problems);
    });
    assert!(peak.is_none_or(|mib| mib < PEAK_MIB), "{peak:?} MiB");
}

/// A zip of one member of zeros: the same full-flushed block, which needs nothing before it, again and again. How long it is,
/// it says nowhere.
fn zip_of_zeros(gigabytes: usize) -> Vec<u8> {
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    let mut block = Vec::with_capacity(1 << 20);
    deflate.compress_vec(&vec![0; 64 << 20], &mut block, flate2::FlushCompress::Full).unwrap();
    let header = [&b"PK\x03\x04\x14\0\x08\0\x08\0"[..], &[0; 16], b"\x05\0\0\0a.log"].concat();
    // The last block is empty and says that it is the last.
    [header, block.repeat(gigabytes * 16), b"\x03\0".to_vec()].concat()
}

#[test]
fn a_zip_of_ten_gigabytes_of_zeros_is_read_up_to_its_bound_alone_and_in_another() {
    let bomb = zip_of_zeros(10);
    assert!(bomb.len() < 16 << 20, "{}", bomb.len());
    let outer = deflated(&[("first.log", b"before\n"), ("bomb.zip", &bomb), ("last.log", b"after\n")]);
    for (packed, name, lines) in [(bomb, "lines/a.log", 1), (outer, "lines/bomb.zip/a.log", 2)] {
        let run = run(packed);
        assert_eq!(run.report.totals.lines, lines);
        assert!((1 << 29..(1 << 30) + (1 << 20)).contains(&run.report.totals.bytes), "{}", run.report.totals.bytes);
        let expected = format!("{name}: unpacks to more than 500 times its size, which is the bound (`max_ratio`)");
        assert!(run.problem().starts_with(&expected), "{}", run.problem());
    }
}

#[test]
fn nothing_in_a_packing_or_an_archive_is_told_to_be_nothing() {
    for (name, pack) in PACKERS {
        let run = run(pack(b""));
        assert_eq!(run.problem(), "lines: is empty", "{name}");
    }
    for archive in [tar(&[("a.log", b"")]), deflated(&[("a.log", b"")])] {
        assert_eq!(run(archive).problem(), "lines/a.log: is empty");
    }
}

#[test]
fn a_cut_archive_says_in_which_member_and_at_which_byte() {
    let text = sample(2_000, 61);
    let members: [(&str, &[u8]); 2] = [("a.log", b"first\n"), ("b.log", text.as_bytes())];
    for (name, archive) in [("tar", tar(&members)), ("zip", deflated(&members))] {
        let half = archive.len() / 2;
        let run = run(&archive[..half]);
        let lines = run.report.inputs.last().unwrap().lines;
        let expected = format!(
            "lines/b.log: ends in the middle of its {name} data, at byte {half}; the lines before it are counted ({lines})"
        );
        assert!(lines > 500, "{name}: {lines}");
        assert_eq!(run.problem(), expected);
    }
}

#[test]
fn packed_bytes_may_come_one_by_one_whole_cut_or_damaged() {
    let text = sample(60, 62);
    for (name, pack) in PACKERS {
        let packed = pack(text.as_bytes());
        let mut damaged = packed.clone();
        damaged[packed.len() / 2] ^= 0x10;
        for bytes in [&packed[..], &packed[..packed.len() / 2], &damaged] {
            let single = run_with(
                vec![Input::reader("lines", OneByOne(Cursor::new(bytes.to_vec()), false))],
                &Settings::default(),
            );
            assert!(single == run(bytes), "{name}");
        }
    }
}

/// Gives a byte at a time, and before each of them is interrupted.
struct OneByOne(Cursor<Vec<u8>>, bool);

impl Read for OneByOne {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

#[test]
fn colours_of_a_terminal_make_no_other_kind_of_line() {
    let plain = "worker 7 lost its connection\n";
    let coloured = "\u{1b}[1;31mworker\u{1b}[0m 8 \u{1b}[38;5;208mlost\u{1b}[0m its connection\u{1b}[K\n";
    let report = run([plain, coloured].concat().repeat(50)).report;
    assert_eq!(report.clusters.len(), 1, "{:?}", report.clusters);
    assert_eq!(
        (report.clusters[0].template.as_str(), report.clusters[0].lines),
        ("worker <*> lost its connection", 100)
    );
}

#[test]
fn half_a_letter_at_any_bound_is_no_letter_of_its_own() {
    let settings = Settings::default();
    for shift in 0..4 {
        // A line past the chunk, one past the bound of a line, one past an example: each bound falls into each byte of a letter.
        for length in [1 << 20, settings.max_line_bytes, 1 << 10] {
            let letters = "€".repeat(length / 3 + 2);
            let line = format!("{}{letters}", "x".repeat(shift));
            let run = run(format!("{line}\nnext\n"));
            assert_eq!((run.report.totals.lines, problems(&run.report)), (2, vec![]), "{shift} {length}");
            for cluster in &run.report.clusters {
                let texts = cluster.examples.iter().chain([&cluster.template]);
                assert!(
                    texts.into_iter().all(|text| !text.contains('\u{fffd}')),
                    "{shift} {length}: {}",
                    cluster.template
                );
            }
        }
    }
}

#[test]
fn a_single_line_of_utf_16_without_a_mark_is_text() {
    let text = "the one line of a service that died early";
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let report = run(text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()).report;
        assert_eq!((report.clusters[0].template.as_str(), report.totals.lines), (text, 1));
        assert!(report.inputs[0].encoding.as_deref().is_some_and(|name| name.starts_with("UTF-16")));
    }
}

#[test]
fn a_time_of_too_many_digits_is_a_number() {
    for digits in 1..=40 {
        let lines = ["9", "1", "0"].map(|digit| format!("{} started\n", digit.repeat(digits)));
        let report = run(lines.concat()).report;
        assert_eq!(report.totals.lines, 3, "{digits} digits");
    }
}
