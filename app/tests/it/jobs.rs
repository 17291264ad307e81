//! What a worker does with its lease.

use std::time::Duration;

use logkin::{
    blobs::{Key, Part},
    jobs::{MAX_DEATHS, Step},
    store::{NewReport, State},
};

use crate::harness::{TestApp, three_kinds};

const LEASE: Duration = Duration::from_secs(5);

async fn uploaded(app: &TestApp) -> NewReport {
    let mut arrival = app.intake.arrival();
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>(three_kinds().into())]);
    arrival.file("a.log", body).await.unwrap();
    arrival.queue().await.unwrap()
}

fn result(app: &TestApp, report: &NewReport, attempt: i64) -> Vec<Vec<u8>> {
    Part::ALL
        .iter()
        .map(|part| std::fs::read(app.blobs.path(&Key::Result(report.id.clone(), attempt, *part))).unwrap())
        .collect()
}

#[tokio::test]
async fn a_dead_owners_job_is_finished_by_another_with_the_same_bytes() {
    let app = TestApp::idle().await;
    let undisturbed = uploaded(&app).await;
    app.hands.advance_ms(1);
    let disturbed = uploaded(&app).await;
    assert_eq!(app.jobs("a").step(&app.shutdown).await.unwrap(), Step::Finished);
    let dead = app.store.claim("dead", &app.clock, LEASE).await.unwrap().unwrap();
    assert_eq!(dead.report.id, disturbed.id);
    assert_eq!(app.jobs("b").step(&app.shutdown).await.unwrap(), Step::Idle);
    app.hands.advance_ms(5_001);
    assert_eq!(app.jobs("b").step(&app.shutdown).await.unwrap(), Step::Finished);
    assert_eq!(result(&app, &undisturbed, 1), result(&app, &disturbed, 2));
}

#[tokio::test]
async fn a_restarted_instance_does_its_old_job_again_without_waiting_for_the_lease() {
    let app = TestApp::idle().await;
    let report = uploaded(&app).await;
    app.store.claim("a", &app.clock, LEASE).await.unwrap().unwrap();
    app.shutdown.spawn(app.jobs("a").run(app.shutdown.clone()));
    let done = app.settled(&format!("/api/v1/reports/{}", report.id)).await;
    assert_eq!(done["status"], "done");
}

#[tokio::test]
async fn a_job_that_brings_its_instances_down_is_given_up_with_a_word() {
    let app = TestApp::idle().await;
    let report = uploaded(&app).await;
    for _ in 0..MAX_DEATHS {
        app.store.claim("doomed", &app.clock, LEASE).await.unwrap().unwrap();
        app.store.release("doomed").await.unwrap();
    }
    assert_eq!(app.jobs("b").step(&app.shutdown).await.unwrap(), Step::Failed);
    let State::Failed { error, .. } = app.store.report(&report.id).await.unwrap().unwrap().state else { panic!() };
    assert!(error.contains(&format!("given up: {MAX_DEATHS} instances ended")), "{error}");
}

#[tokio::test]
async fn a_worker_that_stops_gives_its_job_back_and_leaves_no_file() {
    let app = TestApp::idle().await;
    let report = uploaded(&app).await;
    let before = app.kept();
    app.shutdown.begin();
    assert_eq!(app.jobs("a").step(&app.shutdown).await.unwrap(), Step::GivenBack);
    assert_eq!(app.store.report(&report.id).await.unwrap().unwrap().state, State::Queued);
    assert_eq!((app.kept(), app.drafts()), (before, 0));
}

#[tokio::test]
async fn results_of_attempts_that_lost_are_removed_by_the_one_that_won() {
    let app = TestApp::idle().await;
    let report = uploaded(&app).await;
    app.store.claim("dead", &app.clock, LEASE).await.unwrap().unwrap();
    let stray = app.blobs.draft().unwrap();
    stray.commit(&Key::Result(report.id.clone(), 1, Part::Labels)).unwrap();
    app.hands.advance_ms(5_001);
    assert_eq!(app.jobs("b").step(&app.shutdown).await.unwrap(), Step::Finished);
    assert!(app.blobs.file(&Key::Result(report.id.clone(), 1, Part::Labels)).is_err());
    assert!(app.blobs.file(&Key::Result(report.id, 2, Part::Labels)).is_ok());
}
