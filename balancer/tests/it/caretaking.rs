use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::{
    child,
    harness::{Balancer, Connection, eventually},
};

/// A balancer with a program of `instances`, in a folder of its own.
struct House {
    balancer: Balancer,
    dir: tempfile::TempDir,
}

fn config(dir: &Path, instances: usize, how: &[&str], more: &str) -> String {
    let words: Vec<&str> = ["listen={socket}"].iter().chain(how).copied().collect();
    let ports = vec!["0"; instances].join(", ");
    let text = format!(
        "[[listen]]\naddress = \"127.0.0.1:0\"\n[[program]]\nname = \"app\"\ncommand = {}\nports = [{ports}]\nlog_dir = {:?}\n{more}\n",
        child::command(&words),
        dir.join("logs"),
    );
    let file = dir.join("balancer.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn house(instances: usize, how: &[&str], more: &str) -> House {
    // Short, because socket paths are.
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let file = config(dir.path(), instances, how, more);
    let balancer = Balancer::try_run(&["--config", &file], dir.path()).unwrap_or_else(|log| panic!("{log}"));
    House { balancer, dir }
}

impl House {
    /// The process ids that answer, asked often enough to meet all.
    fn pids(&self) -> HashSet<i32> {
        let mut client = self.balancer.connect();
        (0..12).map(|_| client.get("/").text().parse().unwrap()).collect()
    }

    fn log(&self, instance: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(format!("logs/{instance}.log"))).unwrap_or_default()
    }
}

fn pid(id: i32) -> Pid {
    Pid::from_raw(id).unwrap()
}

fn is_gone(id: i32) -> Option<()> {
    test_kill_process(pid(id)).is_err().then_some(())
}

#[test]
fn instances_share_the_requests_once_they_are_ready() {
    let house = house(3, &[], "");
    assert_eq!(house.pids().len(), 3);
}

#[test]
fn an_instance_that_dies_is_back_without_help() {
    let house = house(2, &[], "");
    let before = house.pids();
    let victim = *before.iter().next().unwrap();
    kill_process(pid(victim), Signal::KILL).unwrap();
    let after =
        eventually("two serve again", || Some(house.pids()).filter(|pids| pids.len() == 2 && !pids.contains(&victim)));
    assert_eq!(before.intersection(&after).count(), 1, "the other one was left alone");
}

#[test]
fn kill_9_of_one_of_three_under_load_fails_no_get() {
    let house = house(3, &[], "");
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let address = house.balancer.address;
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
            thread::spawn(move || {
                let mut client = Connection::to(address);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get("/");
                    assert_eq!(answer.status, 200, "{}", answer.head);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let more = |count: usize| {
        let goal = served.load(Ordering::Relaxed) + count;
        eventually("requests are served", || (served.load(Ordering::Relaxed) >= goal).then_some(()));
    };
    for _ in 0..5 {
        more(300);
        let victim = *house.pids().iter().next().unwrap();
        kill_process(pid(victim), Signal::KILL).unwrap();
        more(300);
        eventually("three serve again", || {
            Some(house.pids()).filter(|pids| pids.len() == 3 && !pids.contains(&victim))
        });
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no request failed");
    }
}

#[test]
fn a_single_instance_that_dies_makes_requests_wait_and_not_fail() {
    let house = house(1, &[], "");
    let victim = *house.pids().iter().next().unwrap();
    kill_process(pid(victim), Signal::KILL).unwrap();
    let mut client = house.balancer.connect();
    assert_ne!(client.get("/").text(), victim.to_string());
}

#[test]
fn a_crash_loop_is_slowed_down_and_given_up_when_nobody_was_ever_ready() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let counts = dir.path().join("counts");
    let how = [format!("counts={}", counts.display()), "say=no such folder".to_owned(), "broken".to_owned()];
    let how: Vec<&str> = how.iter().map(String::as_str).collect();
    let file = config(dir.path(), 1, &how, "");
    let begun = Instant::now();
    let ended = std::process::Command::new(env!("CARGO_BIN_EXE_logkin-balancer"))
        .args(["run", "--config", &file])
        .env("XDG_RUNTIME_DIR", dir.path())
        .output()
        .unwrap();
    // 100, 200, 400 and 800 ms, each at least half.
    assert!(begun.elapsed().as_millis() >= 750, "{:?}", begun.elapsed());
    assert_eq!(std::fs::read_to_string(&counts).unwrap().lines().count(), 5);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("app-1 ended before it was ready (exit status: 7); its output is in "), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("app-1 ended each time before it was ready (exit status: 7, and said: no such folder"),
        "{said}"
    );
}

#[test]
fn a_folder_too_deep_for_sockets_is_told_before_anything_is_launched() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let deep = dir.path().join("x".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    let file = config(dir.path(), 1, &[], "");
    let said = Balancer::try_run(&["--config", &file], &deep).err().unwrap();
    assert!(said.contains("is longer than 107 bytes; set XDG_RUNTIME_DIR"), "{said}");
}

#[test]
fn an_instance_that_does_not_get_ready_gets_no_requests_and_is_started_again() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let file = config(dir.path(), 1, &["never-ready"], "start_timeout = \"300ms\"\nstop_timeout = \"5s\"");
    let log = dir.path().join("stderr");
    let mut balancer = std::process::Command::new(env!("CARGO_BIN_EXE_logkin-balancer"))
        .args(["run", "--config", &file])
        .env("XDG_RUNTIME_DIR", dir.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let said = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text).then_some(());
    eventually("it is given up", || said("app-1 was not ready after 300ms (GET /health/ready); it is started again"));
    eventually("it is started again", || said("starts again in"));
    kill_process(Pid::from_child(&balancer), Signal::TERM).unwrap();
    assert!(eventually("it ends", || balancer.try_wait().unwrap()).success());
}

#[test]
fn one_that_ignores_the_stop_signal_is_killed_at_the_deadline() {
    let mut house = house(1, &["stubborn"], "stop_timeout = \"200ms\"");
    let stubborn = *house.pids().iter().next().unwrap();
    assert_eq!(house.balancer.stop(), Some(0));
    assert!(house.balancer.log().contains("app-1 did not end after SIGTERM and is killed"));
    is_gone(stubborn).expect("it is gone");
}

#[test]
fn output_goes_to_a_file_and_with_the_name_in_front_to_the_terminal() {
    let mut house = house(1, &["say=hello"], "");
    let said = |text: &str| text.lines().any(|line| line == "hello") && text.lines().any(|line| line == "hello too");
    eventually("it is in the file", || said(&house.log("app-1")).then_some(()));
    house.balancer.stop();
    let terminal = house.balancer.log();
    assert!(terminal.contains("app-1 | hello\n") && terminal.contains("app-1 | hello too\n"), "{terminal}");
}

#[test]
fn nothing_is_left_behind_after_a_clean_end() {
    let mut house = house(2, &[], "");
    let pids = house.pids();
    assert_eq!(house.balancer.stop(), Some(0));
    for id in pids {
        is_gone(id).expect("the instance has ended");
    }
    let left: Vec<_> = house.dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "logs" || name == "balancer.toml"), "{left:?}");
}

#[test]
fn instances_do_not_outlive_a_balancer_that_is_killed() {
    let mut house = house(2, &["stubborn"], "");
    let pids = house.pids();
    house.balancer.signal(Signal::KILL);
    house.balancer.end();
    for id in pids {
        eventually("the kernel ends the instance", || is_gone(id).or_else(|| is_zombie(id)));
    }
}

/// Ended, but whoever inherited it has not noticed yet.
fn is_zombie(id: i32) -> Option<()> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.starts_with(" Z").then_some(())
}
