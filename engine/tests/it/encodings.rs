//! Text in any usual encoding, however its bytes arrive; line ends.

use std::{
    fs,
    io::{self, Cursor, Read},
};

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, WINDOWS_1251, WINDOWS_1252};
use logkin_engine::{Input, Settings};

use crate::harness::{gzip, run, run_with, sample};

/// Gives one byte less than a power of two at a time.
struct Odd<R>(R, usize);

impl<R: Read> Read for Odd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = buffer.len().min(self.1);
        self.0.read(&mut buffer[..few])
    }
}

fn repeated(lines: &[&str], n: usize) -> String {
    (0..n).map(|i| format!("2024-05-01T12:00:00Z INFO {} {i}\n", lines[i % lines.len()])).collect()
}

fn legacy() -> Vec<(&'static Encoding, String)> {
    let chinese = ["数据库连接失败，正在重试", "用户登录成功", "磁盘空间不足，请及时清理"];
    let taiwan = ["資料庫連線失敗，正在重試", "使用者登入成功", "磁碟空間不足，請儘速清理"];
    let japanese =
        ["データベースへの接続に失敗しました", "ユーザーがログインしました", "ディスクの空き容量が不足しています"];
    let korean = ["데이터베이스 연결에 실패했습니다", "사용자가 로그인했습니다", "디스크 공간이 부족합니다"];
    let russian =
        ["Не удалось подключиться к базе данных", "Пользователь вошёл в систему", "Недостаточно места на диске"];
    let french =
        ["Échec de la connexion à la base de données", "L’accès a été refusé à l’hôte", "Tâche terminée à présent"];
    vec![
        (GB18030, repeated(&chinese, 9_000)),
        (BIG5, repeated(&taiwan, 9_000)),
        (SHIFT_JIS, repeated(&japanese, 9_000)),
        (EUC_JP, repeated(&japanese, 9_000)),
        (EUC_KR, repeated(&korean, 9_000)),
        (WINDOWS_1251, repeated(&russian, 9_000)),
        (WINDOWS_1252, repeated(&french, 9_000)),
    ]
}

#[test]
fn legacy_encodings_are_detected_and_decoded_however_they_arrive() {
    for (encoding, text) in legacy() {
        let (bytes, _, lossy) = encoding.encode(&text);
        assert!(!lossy, "{}", encoding.name());
        let plain = run(&text);
        let decoded = run(&bytes);
        assert_eq!(decoded.report.inputs[0].encoding.as_deref(), Some(encoding.name()));
        assert!(decoded.report.inputs[0].problems.is_empty(), "{:?}", decoded.report.inputs[0]);
        assert_eq!((&decoded.report.clusters, decoded.report.totals), (&plain.report.clusters, plain.report.totals));
        for step in [701, 4_097] {
            let odd = Odd(Cursor::new(bytes.to_vec()), step);
            assert!(run_with(vec![Input::reader("lines", odd)], &Settings::default()) == decoded);
        }
    }
}

#[test]
fn an_encoding_that_shows_late_is_found_there_and_the_file_is_read_again_only_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("late.log");
    let ascii = "worker started and is waiting for work\n".repeat(60_000);
    let chinese = repeated(&["数据库连接失败，正在重试", "用户登录成功"], 2_000);
    let bytes = [ascii.as_bytes(), &GB18030.encode(&chinese).0].concat();
    fs::write(&path, &bytes).unwrap();
    let run = run_with(vec![Input::file(&path).named("lines")], &Settings::default());
    assert_eq!(run.report.inputs[0].encoding.as_deref(), Some("gb18030"));
    let whole = [ascii.as_bytes(), chinese.as_bytes()].concat();
    let lines: Vec<_> = run.recording().labels().map(|l| l.unwrap().0).collect();
    assert_eq!(lines.len(), 62_000);
    let mut recording = run.recording();
    let (mut kept, mut in_place) = (0, 0);
    for at in lines {
        let (start, length) = (at.offset as usize, at.length as usize);
        match recording.text(at).unwrap() {
            Some(text) => {
                kept += 1;
                assert_eq!(text, whole[start..start + length]);
            }
            None => {
                in_place += 1;
                assert_eq!(bytes[start..start + length], whole[start..start + length]);
            }
        }
    }
    assert!(kept >= 2_000 && in_place > 20_000, "{kept} kept, {in_place} in place");
}

#[test]
fn wide_encodings_are_decoded_with_a_mark_and_without() {
    let text = repeated(&["数据库连接失败", "service started", "caf\u{e9} \u{1f600} open"], 3_000);
    let plain = run(&text).report;
    let marked = format!("\u{feff}{text}");
    for text in [&text, &marked] {
        let utf_16 = |unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let utf_32 = |unit: fn(u32) -> [u8; 4]| text.chars().flat_map(|c| unit(u32::from(c))).collect::<Vec<u8>>();
        for (bytes, name) in [
            (utf_16(u16::to_le_bytes), "UTF-16LE"),
            (utf_16(u16::to_be_bytes), "UTF-16BE"),
            (utf_32(u32::to_le_bytes), "UTF-32LE"),
            (utf_32(u32::to_be_bytes), "UTF-32BE"),
        ] {
            let run = run(gzip(&bytes));
            assert_eq!(run.report.inputs[0].encoding.as_deref(), Some(name));
            assert_eq!((&run.report.clusters, run.report.totals), (&plain.clusters, plain.totals), "{name}");
            assert!(run.report.inputs[0].problems.is_empty());
        }
    }
}

#[test]
fn what_cannot_be_decoded_is_shown_as_such_and_counted() {
    let mut bytes: Vec<u8> = "\u{feff}one\ntwo\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.extend_from_slice(&[0x00, 0xd8, b'x', 0, b'\n', 0, b'y']);
    let run = run(bytes);
    assert_eq!(run.report.totals.lines, 4);
    let expected =
        "lines: was read as UTF-16LE and has byte sequences that are no letter in it: 2; each is shown as U+FFFD";
    assert_eq!(run.problem(), expected);
}

#[test]
fn utf_8_with_broken_letters_stays_as_it_is() {
    let mut bytes = "2024-05-01 数据库连接失败\n".repeat(2_000).into_bytes();
    bytes.extend_from_slice(b"cut \xe6\x95\nended \xff\n");
    let run = run(&bytes);
    assert_eq!(run.report.inputs[0].encoding, None);
    assert_eq!(run.report.totals.bytes, bytes.len() as u64);
    let ascii =
        [b"plain text\n".repeat(20_000), b"some \x8e\xff bytes\n".to_vec(), b"plain text\n".repeat(20_000)].concat();
    assert_eq!(crate::harness::run(ascii).report.inputs[0].encoding, None, "two bytes are no encoding");
}

#[test]
fn lines_of_two_encodings_in_one_file_are_both_read_and_it_is_told() {
    let chinese = ["数据库连接失败，正在重试", "用户登录成功", "磁盘空间不足，请及时清理"];
    let plain = run(repeated(&chinese, 60)).report;
    for legacy in [20, 40, 52] {
        let text = repeated(&chinese, 60);
        let at = text.match_indices('\n').nth(legacy - 1).unwrap().0 + 1;
        let (first, second) = text.split_at(at);
        for (bytes, utf_8) in [
            ([&GB18030.encode(first).0, second.as_bytes()].concat(), 60 - legacy),
            ([first.as_bytes(), &GB18030.encode(second).0].concat(), legacy),
        ] {
            let mixed = run(bytes);
            assert_eq!(mixed.report.clusters, plain.clusters, "{legacy} {utf_8}");
            let told = format!("lines: was read as gb18030, but for lines that are UTF-8: {utf_8}");
            assert_eq!(mixed.problem(), told);
        }
    }
}

#[test]
fn bytes_that_are_no_utf_8_late_in_a_file_are_told() {
    let text = repeated(&["数据库连接失败，正在重试", "用户登录成功"], 3_000);
    let late = run([text.as_bytes(), &GB18030.encode("磁盘空间不足\n").0].concat());
    assert_eq!(late.report.totals.lines, 3_001);
    let told = "lines: was read as UTF-8 and has messages with bytes that are none: 1; they are shown as U+FFFD";
    assert_eq!(late.report.inputs[0].notes, [told], "a few are no failure of the run");
}

#[test]
fn carriage_returns_end_lines_where_there_are_no_line_feeds() {
    let text = sample(20_000, 41).replace('\r', "");
    let plain = run(&text).report;
    for end in ["\r", "\r\n"] {
        let turned = run(text.replace('\n', end)).report;
        assert_eq!(turned.totals.lines, 20_000);
        assert_eq!(turned.clusters, plain.clusters);
    }
    let wide: Vec<u8> = text.replace('\n', "\r").encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(run(wide).report.clusters, plain.clusters);
}

#[test]
fn a_progress_bar_is_one_line() {
    let text = "copying 1%\rcopying 57%\rcopying 100%\ndone\n";
    assert_eq!(run(text).report.totals.lines, 2);
}

#[test]
fn a_file_of_carriage_returns_is_read_again_where_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.log");
    let text = "one\rserver 2 failed\rthree\r".repeat(9_000);
    fs::write(&path, &text).unwrap();
    let run = run_with(vec![Input::file(&path)], &Settings::default());
    assert_eq!((run.report.totals.lines, run.text.len()), (27_000, 8));
    let second = run.recording().labels().nth(1).unwrap().unwrap().0;
    assert_eq!(&text[second.offset as usize..][..second.length as usize], "server 2 failed");
}

#[test]
fn progress_that_is_written_over_itself_is_read_as_what_it_came_to() {
    let steps =
        |n: usize| (0..n % 9).map(|step| format!("\rlayer {n}: {step}0% {}>", "=".repeat(step))).collect::<String>();
    for end in ["\n", "\r\n"] {
        let log: String = (0..200).map(|n| format!("pull {n}{end}{}\rlayer {n}: 100% done{end}", steps(n))).collect();
        let report = run(&log).report;
        let mut found: Vec<_> = report.clusters.iter().map(|c| (c.template.as_str(), c.lines)).collect();
        found.sort_unstable();
        assert_eq!(found, [("layer <*>: <*> done", 200), ("pull <*>", 200)]);
    }
    // Nothing is hidden by what is written over it.
    let report = run("disk 7 is full\rall is well\n".repeat(20)).report;
    assert!(report.clusters[0].template.starts_with("disk <*> is full"), "{}", report.clusters[0].template);
}
