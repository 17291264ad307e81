use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use e2e::{Process, cpu_ticks, interrupt, logkin, run, sample_file, until};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use serde_json::Value;

fn append(path: &Path, text: &str) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn follow(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(logkin());
    command.current_dir(folder).args(["cluster", "--follow", "--interval", "50ms"]).args(arguments);
    command
}

/// The last state that was printed.
fn state(following: &Process) -> Option<Value> {
    following.output().lines().rev().find_map(|line| serde_json::from_str(line).ok())
}

fn wait_for_lines(following: &Process, lines: u64) -> Value {
    until(&format!("{lines} lines are counted"), || state(following).filter(|s| s["totals"]["lines"] == lines))
}

#[test]
fn every_line_of_a_log_that_is_rotated_while_it_is_followed_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("x.log");
    let mut following = Process::start(&mut follow(folder.path(), &["x.log", "later.log"]));
    append(&log, "job 1 done\nERROR disk 7 is full\nhalf a li");
    wait_for_lines(&following, 2);
    append(&log, "ne\n");
    wait_for_lines(&following, 3);
    for n in 0..3 {
        fs::rename(&log, folder.path().join(format!("x.log.{n}"))).unwrap();
        append(&log, &"job 2 done\n".repeat(10));
        wait_for_lines(&following, 13 + 10 * n);
    }
    // Copied and cut to nothing, as logrotate does for programs that keep their file open.
    fs::copy(&log, folder.path().join("copy")).unwrap();
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, "job 3 done\n");
    append(&folder.path().join("later.log"), "job 4 done\nno line feed");
    wait_for_lines(&following, 35);
    interrupt(following.pid());
    assert_eq!(following.wait().code(), Some(0), "{}", following.output());
    let last = wait_for_lines(&following, 36);
    assert_eq!(last["clusters"][0]["lines"], 33, "{last}");
}

#[test]
fn nothing_to_do_costs_next_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("x.log"), "job 1 done\n");
    let mut following = Process::start(&mut follow(folder.path(), &["x.log"]));
    wait_for_lines(&following, 1);
    let (began, before) = (std::time::Instant::now(), cpu_ticks(following.pid()));
    until("three seconds are over", || (began.elapsed().as_secs() >= 3).then_some(()));
    // A hundredth of a second each.
    let used = cpu_ticks(following.pid()) - before;
    assert!(used <= 6, "{used} ticks in three seconds");
    assert_eq!(following.output().lines().count(), 1, "the same state is not told twice");
    assert_eq!(following.stop().code(), Some(0), "SIGTERM ends it as Ctrl-C does");
}

#[test]
fn a_file_that_is_not_there_yet_is_told_once_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut following = Process::start(&mut follow(folder.path(), &["x.log"]));
    let told = || following.output().matches("x.log: is not there yet; waiting for it").count();
    until("it says that it waits", || (told() == 1).then_some(()));
    append(&folder.path().join("x.log"), "job 1 done\n");
    wait_for_lines(&following, 1);
    assert_eq!(told(), 1, "{}", following.output());
    assert_eq!(following.stop().code(), Some(0));
}

#[test]
fn a_pipe_is_followed_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let out = run(&mut follow(folder.path(), &["-", "--format", "csv"]), b"job 1 done\njob 2 done\nthe end");
    assert_eq!((out.code, out.stdout.lines().count()), (Some(0), 3), "{}{}", out.stdout, out.stderr);
}

#[test]
fn on_a_terminal_the_table_is_drawn_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("x.log");
    append(&log, "job 1 done\n");
    let terminal = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap());
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 12, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let mut command = follow(folder.path(), &["x.log"]);
    let slave = File::options().read(true).write(true).open(&name).unwrap();
    command.env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null()).stderr(Stdio::null()).stdout(slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let screen = Arc::new(Mutex::new(String::new()));
    let (shown, mut from) = (Arc::clone(&screen), terminal.try_clone().unwrap());
    let reader = thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut bytes) {
            shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
    });
    let sees = |text: &str| until(text, || screen.lock().unwrap().contains(text).then_some(()));
    sees("1 line in 1 cluster");
    let sample = sample_file("redis.log");
    fs::write(&log, [b"job 1 done\n", &sample.text()[..]].concat()).unwrap();
    let lines = format!("{} lines in ", sample.lines + 1);
    sees(&lines);
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // Nobody else has the other end open.
    reader.join().unwrap();
    let screen = screen.lock().unwrap().clone();
    let (boards, last) = screen.split_once("\x1b[?25h").unwrap();
    let second = boards.rsplit("\x1b[?2026h").next().unwrap();
    assert!(second.contains("\x1b[5A") && second.matches('\n').count() < 12, "{boards:?}");
    assert!(second.contains("not shown") && second.contains(&lines), "{second:?}");
    assert!(last.contains('…') && last.matches('\n').count() > 12 && last.contains(&lines), "{last:?}");
}
