//! One conformance suite, run against every store there is.

use std::{sync::Arc, time::Duration};

use logkin::{
    clock::Clock,
    store::{
        self, Claim, JobProgress, JobSettings, Lease, NewReport, Origin, Outcome, Place, Queue, ReportId, State, Store,
    },
};
use logkin_engine::report::Totals;
use tempfile::TempDir;

const NOW: i64 = 1_000_000;
const LEASE: i64 = 5_000;
const LASTS: Duration = Duration::from_millis(LEASE as u64);

async fn fresh() -> (TempDir, Arc<dyn Store>) {
    let dir = tempfile::tempdir().unwrap();
    let store = store::open(dir.path()).await.unwrap();
    (dir, store)
}

fn report(created_ms: i64) -> NewReport {
    let origin = Origin { name: "a.log".to_owned(), bytes: 10, place: Place::Upload };
    let settings = JobSettings::at(created_ms);
    NewReport { id: ReportId::random(), name: "a.log".to_owned(), created_ms, origins: vec![origin], settings }
}

async fn queued(store: &dyn Store, created_ms: i64) -> NewReport {
    let report = report(created_ms);
    store.create(&report).await.unwrap();
    report
}

async fn claimed(store: &dyn Store, owner: &str, now: i64) -> Option<Lease> {
    claim(store, owner, now).await.map(|claim| claim.lease)
}

async fn claim(store: &dyn Store, owner: &str, now: i64) -> Option<Claim> {
    store.claim(owner, &at(now), LASTS).await.unwrap()
}

fn at(now: i64) -> Clock {
    Clock::by_hand(now).0
}

fn outcome() -> Outcome {
    Outcome { totals: Totals { lines: 7, ..Totals::default() }, marks: vec![None] }
}

#[tokio::test]
async fn a_report_is_read_as_it_was_kept() {
    let (_dir, store) = fresh().await;
    let kept = queued(&*store, NOW).await;
    let read = store.report(&kept.id).await.unwrap().unwrap();
    assert_eq!((read.report, read.state), (kept, State::Queued));
    assert!(store.report(&ReportId::random()).await.unwrap().is_none());
}

#[tokio::test]
async fn reports_are_listed_newest_first_page_by_page() {
    let (_dir, store) = fresh().await;
    for at in [3, 1, 2, 2, 5] {
        queued(&*store, at).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (rows, total) = store.reports(after.as_ref(), 2).await.unwrap();
        assert_eq!(total, 5);
        let Some(last) = rows.last() else { break };
        after = Some(last.position());
        seen.extend(rows.into_iter().map(|row| row.report.created_ms));
    }
    assert_eq!(seen, [5, 3, 2, 2, 1]);
}

#[tokio::test]
async fn a_job_is_held_by_one_and_the_oldest_comes_first() {
    let (_dir, store) = fresh().await;
    let (second, first) = (queued(&*store, 2).await, queued(&*store, 1).await);
    assert_eq!(claimed(&*store, "a", NOW).await.unwrap().report, first.id);
    assert_eq!(claimed(&*store, "b", NOW).await.unwrap().report, second.id);
    assert_eq!(claimed(&*store, "c", NOW).await, None);
    assert_eq!(store.queue().await.unwrap(), Queue { waiting: 0, running: 2 });
}

#[tokio::test]
async fn a_lease_that_ran_out_is_anothers_and_the_old_holder_can_write_nothing() {
    let (_dir, store) = fresh().await;
    let kept = queued(&*store, NOW).await;
    let old = claimed(&*store, "a", NOW).await.unwrap();
    assert_eq!(claimed(&*store, "b", NOW + LEASE).await, None);
    let new = claim(&*store, "b", NOW + LEASE + 1).await.unwrap();
    assert_eq!((new.lease.attempt, new.deaths), (old.attempt + 1, 1));
    assert!(!store.heartbeat(&old, &at(NOW + 8 * LEASE), LASTS, JobProgress::default()).await.unwrap());
    assert!(!store.give_back(&old).await.unwrap());
    assert!(!store.fail(&old, NOW, "no").await.unwrap());
    assert!(!store.finish(&old, NOW, &outcome()).await.unwrap());
    assert!(matches!(store.report(&kept.id).await.unwrap().unwrap().state, State::Running(_)));
    assert!(store.finish(&new.lease, NOW, &outcome()).await.unwrap());
    let State::Done { attempt, outcome, .. } = store.report(&kept.id).await.unwrap().unwrap().state else { panic!() };
    assert_eq!((attempt, outcome.totals.lines), (2, 7));
}

#[tokio::test]
async fn a_heartbeat_prolongs_the_lease_and_tells_how_far_it_is() {
    let (_dir, store) = fresh().await;
    let kept = queued(&*store, NOW).await;
    let lease = claimed(&*store, "a", NOW).await.unwrap();
    let far = JobProgress { bytes_read: 4, bytes_total: 10, lines: 2 };
    assert!(store.heartbeat(&lease, &at(NOW + 2 * LEASE), LASTS, far).await.unwrap());
    assert_eq!(claimed(&*store, "b", NOW + 2 * LEASE).await, None);
    assert_eq!(store.report(&kept.id).await.unwrap().unwrap().state, State::Running(far));
}

#[tokio::test]
async fn a_job_given_back_is_free_at_once_and_nobody_died() {
    let (_dir, store) = fresh().await;
    queued(&*store, NOW).await;
    let lease = claimed(&*store, "a", NOW).await.unwrap();
    assert!(store.give_back(&lease).await.unwrap());
    let next = claim(&*store, "b", NOW).await.unwrap();
    assert_eq!((next.lease.attempt, next.deaths), (2, 0));
}

#[tokio::test]
async fn a_restarted_instance_frees_what_it_held() {
    let (_dir, store) = fresh().await;
    queued(&*store, NOW).await;
    claimed(&*store, "a", NOW).await.unwrap();
    assert_eq!(store.release("b").await.unwrap(), 0);
    assert_eq!(store.release("a").await.unwrap(), 1);
    assert_eq!(claim(&*store, "b", NOW).await.unwrap().deaths, 1);
}

#[tokio::test]
async fn a_deleted_report_takes_its_job_along() {
    let (_dir, store) = fresh().await;
    let kept = queued(&*store, NOW).await;
    let lease = claimed(&*store, "a", NOW).await.unwrap();
    assert!(store.delete(&kept.id).await.unwrap());
    assert!(!store.delete(&kept.id).await.unwrap());
    assert!(!store.heartbeat(&lease, &at(NOW), LASTS, JobProgress::default()).await.unwrap());
    assert_eq!(store.queue().await.unwrap(), Queue::default());
}

#[tokio::test]
async fn many_may_open_and_migrate_at_once_and_each_job_is_claimed_once() {
    let dir = tempfile::tempdir().unwrap();
    let stores = futures_util::future::join_all((0..6).map(|_| store::open(dir.path()))).await;
    let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
    for at in 0..12 {
        queued(&*stores[0], at).await;
    }
    let owners: Vec<String> = (0..24).map(|n| format!("owner-{n}")).collect();
    let claims = owners.iter().zip(stores.iter().cycle()).map(|(owner, store)| claimed(&**store, owner, NOW));
    let held: Vec<_> = futures_util::future::join_all(claims).await.into_iter().flatten().collect();
    let distinct: std::collections::HashSet<_> = held.iter().map(|lease| lease.report.as_str().to_owned()).collect();
    assert_eq!((held.len(), distinct.len()), (12, 12));
}

#[tokio::test]
async fn no_death_is_counted_for_a_holder_that_lives() {
    let (_dir, store) = fresh().await;
    queued(&*store, NOW).await;
    let first = claimed(&*store, "a", NOW).await.unwrap();
    let own = claim(&*store, "a", NOW + LEASE + 1).await.unwrap();
    assert_eq!((own.deaths, own.lease.attempt), (0, first.attempt + 1));
    assert_eq!(claim(&*store, "b", NOW + 2 * LEASE + 2).await.unwrap().deaths, 1);
    store.outlive(&own.lease).await.unwrap();
    assert_eq!(claim(&*store, "c", NOW + 3 * LEASE + 3).await.unwrap().deaths, 1);
}

#[tokio::test]
async fn a_store_whose_folder_was_taken_away_is_not_ready() {
    let (dir, store) = fresh().await;
    store.ping().await.unwrap();
    let path = dir.path().join("logkin.db");
    std::fs::rename(&path, dir.path().join("elsewhere.db")).unwrap();
    assert!(store.ping().await.is_err());
    std::fs::write(&path, "").unwrap();
    assert!(store.ping().await.unwrap_err().to_string().contains("another file is in its place"));
}
