//! A file that is written to while it is read.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
};

use logkin_engine::{Follow, follow::Seen};
use tempfile::TempDir;

struct Log {
    folder: TempDir,
    follow: Follow,
}

impl Log {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let follow = Follow::new(folder.path().join("x.log"), 1000);
        Self { folder, follow }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("x.log")
    }

    fn append(&self, text: &str) -> File {
        let mut file = File::options().append(true).create(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn beside(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn read(&mut self) -> (String, Seen) {
        let mut lines = Vec::new();
        let seen = self.follow.read(&mut lines).unwrap();
        (String::from_utf8(lines).unwrap(), seen)
    }

    fn lines(&mut self) -> String {
        self.read().0
    }

    fn finish(self) -> String {
        let mut lines = Vec::new();
        self.follow.finish(&mut lines);
        String::from_utf8(lines).unwrap()
    }
}

#[test]
fn lines_come_when_they_are_complete() {
    let mut log = Log::new();
    assert_eq!(log.lines(), "", "a file that is not there is waited for");
    assert!(!log.follow.is_open());
    log.append("one\ntw");
    assert_eq!(log.lines(), "one\n");
    assert_eq!(log.lines(), "");
    log.append("o");
    assert_eq!(log.lines(), "");
    log.append("\nthree\nfour");
    assert_eq!(log.lines(), "two\nthree\n");
    assert_eq!(log.finish(), "four\n", "the end completes it");
}

#[test]
fn a_file_renamed_away_is_read_to_its_end_and_the_new_one_from_its_beginning() {
    let mut log = Log::new();
    let mut old = log.append("one\n");
    assert_eq!(log.lines(), "one\n");
    fs::rename(log.path(), log.folder.path().join("x.log.1")).unwrap();
    old.write_all(b"two\n").unwrap();
    assert_eq!(log.lines(), "two\n", "nothing is in its place yet");
    log.append("three\n");
    old.write_all(b"fo").unwrap();
    let (lines, seen) = log.read();
    assert_eq!((lines.as_str(), seen.rotated), ("three\n", true));
    old.write_all(b"ur\nfi").unwrap();
    assert_eq!(log.lines(), "four\n", "its writer has not noticed");
    drop(old);
    let rest: String = (0..50).map(|_| log.lines()).collect();
    assert_eq!(rest, "fi\n", "given up in the end");
    log.append("six\n");
    assert_eq!(log.lines(), "six\n");
}

#[test]
fn many_rotations_between_two_readings_lose_only_what_was_never_in_the_place() {
    let mut log = Log::new();
    log.append("0\n");
    assert_eq!(log.lines(), "0\n");
    for n in 1..10 {
        fs::rename(log.path(), log.folder.path().join(format!("x.log.{n}"))).unwrap();
        log.append(&format!("{n}\nhalf of {n}"));
        assert!(log.lines().starts_with(&format!("{n}\n")) || n > 4);
    }
    assert!(log.finish().contains("half of 9\n"));
}

#[test]
fn a_file_cut_to_nothing_is_read_from_its_beginning() {
    let mut log = Log::new();
    let file = log.append("one\ntwo\nthr");
    assert_eq!(log.lines(), "one\ntwo\n");
    file.set_len(0).unwrap();
    log.append("four\n");
    let (lines, seen) = log.read();
    assert_eq!((lines.as_str(), seen.truncated), ("thr\nfour\n", true));
}

#[test]
fn a_file_cut_and_grown_past_where_it_was_read_to_is_known_for_another() {
    let mut log = Log::new();
    let file = log.append("2024-05-01 one\n");
    assert_eq!(log.lines(), "2024-05-01 one\n");
    file.set_len(0).unwrap();
    log.append("2024-05-02 two\n2024-05-02 three\n");
    let (lines, seen) = log.read();
    assert_eq!((lines.as_str(), seen.truncated), ("2024-05-02 two\n2024-05-02 three\n", true));
}

#[test]
fn the_hole_that_a_writer_with_a_position_of_its_own_leaves_is_no_line() {
    let mut log = Log::new();
    fs::write(log.path(), "one\ntwo\n").unwrap();
    assert_eq!(log.lines(), "one\ntwo\n");
    let mut file = File::options().write(true).open(log.path()).unwrap();
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(1 << 20)).unwrap();
    file.write_all(b"three\n").unwrap();
    assert_eq!(log.lines(), "three\n");
}

#[test]
fn a_file_removed_and_made_anew_is_another_even_with_the_same_number() {
    let mut log = Log::new();
    for n in 0..20 {
        log.append(&format!("file {n}\n"));
        assert_eq!(log.lines(), format!("file {n}\n"));
        fs::remove_file(log.path()).unwrap();
        if n % 2 == 0 {
            assert_eq!(log.lines(), "");
        }
    }
}

#[test]
fn a_line_without_end_is_held_in_part_and_counts_once() {
    let mut log = Log::new();
    for _ in 0..20 {
        log.append(&"x".repeat(300_000));
        assert_eq!(log.lines(), "");
    }
    log.append("x\nshort\n");
    let lines = log.lines();
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.lines().next().is_some_and(|line| (1001..1100).contains(&line.len())), "{}", lines.len());
}

#[test]
fn a_large_file_comes_in_pieces_and_all_of_it() {
    let mut log = Log::new();
    let text = "a line of a log that is there before anyone looks\n".repeat(200_000);
    log.append(&text);
    let (mut all, mut readings) = (String::new(), 0);
    loop {
        let (lines, seen) = log.read();
        all += &lines;
        readings += 1;
        if !seen.more {
            break;
        }
    }
    assert!(all == text && readings > 2, "{readings}");
}

#[test]
fn what_can_not_be_followed_says_why_and_may_become_a_file() {
    let mut log = Log::new();
    fs::create_dir(log.path()).unwrap();
    let error = log.follow.read(&mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "is a folder; a file was expected");
    fs::remove_dir(log.path()).unwrap();
    log.append("one\n");
    assert_eq!(log.lines(), "one\n");
}

#[test]
fn a_file_that_came_and_went_between_two_looks_is_read_as_well() {
    let mut log = Log::new();
    let at = |name: &str| log.folder.path().join(name);
    let (current, first, second, other) = (log.path(), at("x.log.1"), at("x.log.2"), at("x.log.pos"));
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    let mut old = File::create(at("x.log.3")).unwrap();
    old.write_all(b"zero\n").unwrap();
    old.set_modified(long_ago).unwrap();
    log.append("one\n").set_modified(long_ago + std::time::Duration::from_secs(1)).unwrap();
    assert_eq!(log.lines(), "one\n");
    fs::rename(&current, &first).unwrap();
    log.append("two\n");
    fs::rename(&first, &second).unwrap();
    fs::rename(&current, &first).unwrap();
    fs::write(other, "what someone else keeps\n").unwrap();
    log.append("three\n");
    assert_eq!(log.lines(), "two\nthree\n");
    assert_eq!(log.lines(), "");
}

#[test]
fn a_file_beside_it_that_is_named_like_a_rotated_one_is_anothers() {
    let mut log = Log::new();
    log.append("one\n").set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    log.beside("x.log-2", "of another program\n");
    log.beside("x.log.pos", "3\n");
    let (first, current) = (log.folder.path().join("x.log.1"), log.path());
    assert_eq!(log.lines(), "one\n");
    fs::rename(&current, &first).unwrap();
    log.append("two\n");
    assert_eq!(log.lines(), "two\n");
    fs::remove_file(&current).unwrap();
    log.beside("x.log-3", "of another one\n");
    log.append("three\n");
    assert_eq!(log.lines(), "three\n", "what was removed says nothing of others");
}
