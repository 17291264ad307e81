use std::{
    io::Read,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use e2e::{Api, Browser, Service, bytes_read, cpu_ticks, samples, until};

use crate::{load, page};

/// A log of `times` times all samples, long enough to be killed in the middle of.
fn write_large(path: &Path, times: usize) {
    let once: Vec<u8> = samples().iter().flat_map(e2e::Sample::text).collect();
    std::fs::write(path, once.repeat(times)).unwrap();
}

/// The whole result of a report, as `logkin cluster --format json` would print it.
fn result(api: &Api, id: &str) -> String {
    api.finished(id);
    let export = api.get(&format!("/api/v1/reports/{id}/export?format=json"));
    assert_eq!(export.status, 200, "{}", export.body);
    export.body
}

fn opened(api: &Api, path: &Path) -> String {
    let answer = api.open_path(path.to_str().unwrap());
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// How far each instance has read, to see later which one reads on.
fn reads(service: &Service) -> Vec<(u32, u64)> {
    service.instances().into_iter().map(|pid| (pid, bytes_read(pid))).collect()
}

/// The instance that has read at least `bytes` since `before`: the one that analyses. Its own reading is looked at and
/// not the progress it reports, which is stored too seldom to hit a moment of a fast analysis.
fn at_work(before: &[(u32, u64)], bytes: u64) -> Option<u32> {
    before.iter().find(|&&(pid, read)| bytes_read(pid) >= read + bytes).map(|&(pid, _)| pid)
}

#[test]
fn another_instance_finishes_what_a_killed_one_began_with_the_same_result_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("large.log");
    write_large(&log, 24);
    let service = Service::up(3).root(folder.path()).start();
    let api = service.api();
    let undisturbed = result(&api, &opened(&api, &log));
    let size = log.metadata().unwrap().len();
    let mut ids = Vec::new();
    for percent in [1, 15, 30, 50, 70, 90, 99] {
        let before = reads(&service);
        let id = opened(&api, &log);
        let victim = until("the analysis has come so far", || at_work(&before, size * percent / 100));
        service.kill_instance(victim);
        assert!(result(&api, &id) == undisturbed, "another result when killed at {percent} %");
        service.wait_for_instances(3, &[victim]);
        ids.push(id);
    }
    let output = service.stop();
    let hit = ids.iter().filter(|id| output.contains(&format!("analysing report {id}, attempt 2"))).count();
    assert!(hit >= 3, "only {hit} of 7 analyses were still running when their instance was killed");
}

#[test]
fn the_page_of_a_report_whose_instance_dies_becomes_the_table_by_itself() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("large.log");
    write_large(&log, 24);
    let service = Service::up(2).root(folder.path()).start();
    let before = reads(&service);
    let id = opened(&service.api(), &log);
    browser.open(&format!("{}/reports/{id}", service.url()), 1200, 800);
    let victim = until("the analysis is under way", || at_work(&before, 1 << 20));
    service.kill_instance(victim);
    browser.wait_for(page::ROWS);
    let shown = browser.all_text(page::LINES).iter().map(|text| page::number(text)).next();
    assert_eq!(shown, service.api().clusters(&id)[0]["lines"].as_u64());
}

/// Gives `before`, then runs `event` once, then gives `after`.
struct Interrupted<'a> {
    before: &'a [u8],
    event: Option<Box<dyn FnOnce() + Send + 'a>>,
    after: &'a [u8],
}

impl Read for Interrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.before.is_empty()
            && let Some(event) = self.event.take()
        {
            event();
        }
        if self.before.is_empty() { self.after.read(buffer) } else { self.before.read(buffer) }
    }
}

#[test]
fn an_upload_whose_instance_dies_is_refused_in_words_and_never_half_a_file() {
    let text: Vec<u8> = samples()[0].text().repeat(20);
    let (before, after) = text.split_at(text.len() / 2);
    let service = Service::up(1).start();
    let api = service.api();
    let victim = service.instances()[0];
    let event: Box<dyn FnOnce() + Send> = Box::new(|| {
        service.kill_instance(victim);
        until("the instance is gone", || (!service.instances().contains(&victim)).then_some(()));
    });
    let answer = api.try_upload("half.log", Interrupted { before, event: Some(event), after }, text.len() as u64);
    if let Ok(answer) = answer {
        assert!(matches!(answer.status, 502..=504), "{answer:?}");
        assert!(answer.body.len() > 20, "an error says what to do: {answer:?}");
    }
    service.wait_for_instances(1, &[victim]);
    let reports =
        until("the service is back", || api.try_get("/api/v1/reports").ok().filter(|answer| answer.status == 200));
    assert_eq!(reports.json()["total"], 0, "{}", reports.body);
    let whole = api.analyse("whole.log", &text);
    assert_eq!(whole["totals"]["bytes"], text.len());
}

#[test]
fn under_load_a_killed_instance_fails_no_get_and_comes_back_into_rotation() {
    let service = Service::up(3).start();
    let report = service.api().analyse("sample.log", &samples()[0].text());
    let id = report["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/reports/{id}");
    let (end, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failures = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..4).map(|_| scope.spawn(|| load::get_until(&end, &answered, &service.api(), &path))).collect();
        for _ in 0..3 {
            let (victim, seen) = (service.instances()[0], answered.load(Ordering::Relaxed));
            until("the load runs", || (answered.load(Ordering::Relaxed) > seen + 200).then_some(()));
            service.kill_instance(victim);
            service.wait_for_instances(3, &[victim]);
            let back = service.instances().into_iter().max().unwrap();
            let began = cpu_ticks(back);
            until("the new instance works for the clients", || (cpu_ticks(back) > began + 30).then_some(()));
        }
        end.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(failures, Vec::<String>::new(), "of {} requests", answered.load(Ordering::Relaxed));
}
