use std::{
    fs,
    io::Read,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use e2e::{Api, Service, samples, until};

use crate::load;

/// 99th of 100 of `times`.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// How long each of `count` GETs of `path` takes; each has to succeed.
fn timed(api: &Api, path: &str, count: usize) -> Vec<Duration> {
    let once = |_| {
        let began = Instant::now();
        assert_eq!(api.get(path).status, 200);
        began.elapsed()
    };
    (0..count).map(once).collect()
}

/// A log of `times` times all samples.
fn large(times: usize) -> Vec<u8> {
    samples().iter().flat_map(e2e::Sample::text).collect::<Vec<u8>>().repeat(times)
}

#[test]
fn while_one_instance_analyses_a_large_log_the_pages_of_others_are_served() {
    let service = Service::up(3).start();
    let api = service.api();
    let small = api.analyse("small.log", &samples()[0].text());
    let path = format!("/reports/{}", small["id"].as_str().unwrap());
    let answer = api.upload("large.log", &large(15));
    assert_eq!(answer.status, 202, "stored is enough to be accepted");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(api.report(&id)["status"], "done", "the answer to the upload waited for the analysis");
    let (end, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let reader = scope.spawn(|| load::get_until(&end, &answered, &api, &path));
        api.finished(&id);
        end.store(true, Ordering::Relaxed);
        assert_eq!(reader.join().unwrap(), Vec::<String>::new());
    });
    assert!(
        answered.load(Ordering::Relaxed) > 10,
        "only {} pages while the analysis ran",
        answered.load(Ordering::Relaxed)
    );
}

#[test]
fn the_balancer_of_up_tells_its_metrics_at_an_address_of_their_own() {
    let service = Service::up(2).more(&["--metrics-listen", "127.0.0.1:0"]).start();
    let url = service.said("the metrics are at ");
    let metrics = Api::new(url.trim_end_matches("/metrics"));
    assert_eq!(service.api().get("/").status, 200);
    until("the request is counted", || {
        let told = metrics.get("/metrics").body;
        told.lines()
            .any(|line| line.starts_with("logkin_balancer_requests_total{") && line.ends_with(" 1"))
            .then_some(())
    });
    assert!(
        !service.api().get("/metrics").body.contains("logkin_balancer_"),
        "the page's own are those of an instance"
    );
}

#[test]
fn a_report_is_found_on_every_instance_and_after_a_restart_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let first = Service::up(3).data(folder.path()).start();
    let id = first.api().analyse("kept.log", &samples()[0].text())["id"].as_str().unwrap().to_owned();
    let told = first.api().clusters(&id);
    for _ in 0..9 {
        assert_eq!(first.api().clusters(&id), told);
    }
    first.stop();
    let again = Service::up(3).data(folder.path()).start();
    for _ in 0..9 {
        assert_eq!(again.api().clusters(&id), told);
    }
}

#[test]
#[ignore = "a measurement: run it alone on the release build with `just bench`"]
fn measure_pages_beside_a_large_analysis() {
    let service = Service::up(3).start();
    let api = service.api();
    let small = api.analyse("small.log", &samples()[0].text());
    let path = format!("/reports/{}", small["id"].as_str().unwrap());
    timed(&api, &path, 300);
    let idle = p99(timed(&api, &path, 1000));
    let answer = api.upload("large.log", &large(100));
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let mut busy = Vec::new();
    while api.report(&id)["status"] != "done" {
        busy.extend(timed(&api, &path, 20));
    }
    let pages = busy.len();
    let busy = p99(busy);
    println!(
        "page p99: idle {idle:?}, beside an analysis {busy:?} ({pages} pages), ratio {:.2}",
        busy.as_secs_f64() / idle.as_secs_f64()
    );
}

/// Memory of `pid`'s own, shared pages counted in parts, in KiB.
fn pss_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// Bytes `pid` has sent towards the disk.
fn written(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0)
}

#[test]
#[ignore = "a measurement: writes a gibibyte; run it alone on the release build with `just bench`"]
fn measure_memory_and_disk_of_a_gibibyte_upload() {
    let mut service = Service::up(3).start();
    let api = service.api();
    api.analyse("small.log", &samples()[0].text());
    let mut all = service.instances();
    all.push(service.process().pid());
    let memory = || all.iter().copied().map(pss_kib).sum::<u64>();
    let (idle, wrote) = (memory(), all.iter().copied().map(written).sum::<u64>());
    let text = large(1);
    let (length, done) = (1_u64 << 30, AtomicBool::new(false));
    let (answer, most) = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(memory());
                thread::park_timeout(Duration::from_millis(20));
            }
            most
        });
        let answer = api.try_upload("gibibyte.log", Endless { text: &text, at: 0 }.take(length), length).unwrap();
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let stored = all.iter().copied().map(written).sum::<u64>() - wrote;
        println!("bytes written when accepted: {:.3} of the upload", stored as f64 / length as f64);
        api.finished(&id);
        done.store(true, Ordering::Relaxed);
        (answer, watcher.join().unwrap())
    });
    assert_eq!(answer.status, 202);
    println!(
        "memory of all processes: idle {} MiB, at most {} MiB, added {} MiB",
        idle >> 10,
        most >> 10,
        (most - idle) >> 10
    );
}

/// `text` again and again.
struct Endless<'a> {
    text: &'a [u8],
    at: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.text[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at = (self.at + count) % self.text.len();
        Ok(count)
    }
}
