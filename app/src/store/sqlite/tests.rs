use super::*;
use crate::store::{JobSettings, Origin, Place};

const LASTS: Duration = Duration::from_secs(5);

async fn fresh() -> (tempfile::TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path()).await.unwrap();
    (dir, store)
}

fn report(name: &str) -> NewReport {
    let origin = Origin { name: "a.log".to_owned(), bytes: 10, place: Place::Upload };
    let settings = JobSettings::at(0);
    NewReport { id: ReportId::random(), name: name.to_owned(), created_ms: 0, origins: vec![origin], settings }
}

/// Lets the connection that writes find no more room: SQLite's own bound ends in the same SQLITE_FULL, which rolls the
/// transaction back behind the caller's back.
async fn fill(store: &Sqlite) {
    let mut home = store.writer.lock().await;
    sqlx::query("PRAGMA max_page_count = 1").execute(home.as_mut().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_leaves_no_transaction_behind() {
    let (dir, store) = fresh().await;
    let other = Sqlite::open(dir.path()).await.unwrap();
    let kept = report("kept");
    store.create(&kept).await.unwrap();
    fill(&store).await;
    let error = store.create(&report(&"large ".repeat(100_000))).await.unwrap_err();
    assert!(error.is_full, "{error}");
    assert_eq!(store.reports(None, 9).await.unwrap().1, 1);
    let next = report("next");
    store.create(&next).await.unwrap();
    assert!(other.delete(&kept.id).await.unwrap());
    assert!(store.report(&kept.id).await.unwrap().is_none());
    assert!(store.delete(&next.id).await.unwrap());
    assert!(other.report(&next.id).await.unwrap().is_none());
    assert_eq!(store.reports(None, 9).await.unwrap(), (Vec::new(), 0));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_transaction_behind() {
    let (dir, store) = fresh().await;
    let other = Sqlite::open(dir.path()).await.unwrap();
    let mut tx = store.write("test").await.unwrap();
    tx.run(sqlx::query("DELETE FROM reports")).await.unwrap();
    drop(tx);
    other.create(&report("a")).await.unwrap();
    store.create(&report("b")).await.unwrap();
    assert_eq!(other.reports(None, 9).await.unwrap().1, 2);
}

#[tokio::test]
async fn reading_does_not_wait_for_a_writer_and_leases_begin_when_they_are_granted() {
    let (dir, store) = fresh().await;
    let other = Sqlite::open(dir.path()).await.unwrap();
    store.create(&report("a")).await.unwrap();
    let (clock, hands) = Clock::by_hand(1_000);
    let writing = other.write("test").await.unwrap();
    let claiming = store.claim("a", &clock, LASTS);
    let rest = async {
        for _ in 0..100 {
            assert_eq!(store.reports(None, 9).await.unwrap().1, 1);
        }
        store.ping().await.unwrap();
        hands.advance_ms(60_000);
        writing.commit().await.unwrap();
    };
    let (claim, ()) = tokio::join!(claiming, rest);
    assert!(claim.unwrap().is_some());
    assert!(other.claim("b", &clock, LASTS).await.unwrap().is_none());
}
