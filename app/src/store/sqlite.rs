//! SQLite in WAL mode: one file beside the blobs, many readers, one writer at a time across all processes.

use std::{fs::File, path::Path, time::Duration};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use super::{
    Claim, Error, JobProgress, Lease, NewReport, Outcome, Position, Queue, ReportId, ReportRow, Result, State, Store,
};

/// Connections of one instance. SQLite gives each a thread; more would only wait for one another.
const CONNECTIONS: u32 = 4;

/// How long a statement waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);

const COLUMNS: &str = "SELECT r.id, r.name, r.created_ms, r.origins, r.settings, r.finished_ms, r.attempt, r.outcome, \
     r.error, j.owner, j.bytes_read, j.bytes_total, j.lines \
     FROM reports r LEFT JOIN jobs j ON j.report_id = r.id ";

/// The embedded store.
#[derive(Debug)]
pub(super) struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    /// Opens `logkin.db` in the folder, creating and migrating it under a lock, since SQLite's own would let two
    /// processes begin the same migration.
    pub(super) async fn open(data_dir: &Path) -> Result<Self> {
        let action = "open the database in the data directory";
        let lock_path = data_dir.join("logkin.lock");
        let lock = tokio::task::spawn_blocking(move || {
            let file = File::options().create(true).truncate(false).write(true).open(lock_path)?;
            file.lock()?;
            Ok::<_, std::io::Error>(file)
        });
        let lock = lock.await.map_err(failed(action))?.map_err(failed(action))?;
        let options = SqliteConnectOptions::new()
            .filename(data_dir.join("logkin.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new().min_connections(1).max_connections(CONNECTIONS).connect_with(options);
        let pool = pool.await.map_err(failed(action))?;
        sqlx::migrate!("migrations/sqlite").run(&pool).await.map_err(failed(action))?;
        drop(lock);
        Ok(Self { pool })
    }

    /// Ends a job the lease still holds, in one transaction with what becomes of its report.
    async fn end(&self, lease: &Lease, action: &'static str, end: End<'_>) -> Result<bool> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed(action))?;
        let held = sqlx::query("DELETE FROM jobs WHERE report_id = ? AND owner = ? AND attempt = ?")
            .bind(lease.report.as_str())
            .bind(&lease.owner)
            .bind(lease.attempt)
            .execute(&mut *tx);
        if held.await.map_err(failed(action))?.rows_affected() == 0 {
            return Ok(false);
        }
        let report =
            sqlx::query("UPDATE reports SET finished_ms = ?, attempt = ?, outcome = ?, error = ? WHERE id = ?")
                .bind(end.now_ms)
                .bind(lease.attempt)
                .bind(end.outcome)
                .bind(end.error)
                .bind(lease.report.as_str())
                .execute(&mut *tx);
        report.await.map_err(failed(action))?;
        tx.commit().await.map_err(failed(action))?;
        Ok(true)
    }
}

struct End<'a> {
    now_ms: i64,
    outcome: Option<String>,
    error: Option<&'a str>,
}

#[async_trait]
impl Store for Sqlite {
    async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(|_| ()).map_err(failed("reach the database"))
    }

    async fn create(&self, report: &NewReport) -> Result<()> {
        let action = "keep the report";
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed(action))?;
        let row = sqlx::query("INSERT INTO reports (id, name, created_ms, origins, settings) VALUES (?, ?, ?, ?, ?)")
            .bind(report.id.as_str())
            .bind(&report.name)
            .bind(report.created_ms)
            .bind(to_json(&report.origins))
            .bind(to_json(&report.settings))
            .execute(&mut *tx);
        row.await.map_err(failed(action))?;
        let bytes = report.origins.iter().map(|o| o.bytes).sum::<u64>();
        let job = sqlx::query("INSERT INTO jobs (report_id, created_ms, bytes_total) VALUES (?, ?, ?)")
            .bind(report.id.as_str())
            .bind(report.created_ms)
            .bind(bytes.cast_signed())
            .execute(&mut *tx);
        job.await.map_err(failed(action))?;
        tx.commit().await.map_err(failed(action))
    }

    async fn report(&self, id: &ReportId) -> Result<Option<ReportRow>> {
        let action = "read the report";
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE r.id = ?"));
        let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&self.pool).await.map_err(failed(action))?;
        row.map(|row| report(&row)).transpose().map_err(failed(action))
    }

    async fn reports(&self, after: Option<&Position>, limit: u32) -> Result<(Vec<ReportRow>, u64)> {
        let action = "list the reports";
        let mut tx = self.pool.begin().await.map_err(failed(action))?;
        let sql =
            format!("{COLUMNS} WHERE (r.created_ms, r.id) < (?, ?) ORDER BY r.created_ms DESC, r.id DESC LIMIT ?");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.map_or(i64::MAX, |p| p.created_ms))
            .bind(after.map_or("", |p| p.id.as_str()))
            .bind(limit)
            .fetch_all(&mut *tx);
        let rows = rows.await.map_err(failed(action))?;
        let total: i64 =
            sqlx::query_scalar("SELECT count(*) FROM reports").fetch_one(&mut *tx).await.map_err(failed(action))?;
        let rows = rows.iter().map(report).collect::<sqlx::Result<_>>().map_err(failed(action))?;
        Ok((rows, total.cast_unsigned()))
    }

    async fn delete(&self, id: &ReportId) -> Result<bool> {
        let gone = sqlx::query("DELETE FROM reports WHERE id = ?").bind(id.as_str()).execute(&self.pool).await;
        Ok(gone.map_err(failed("delete the report"))?.rows_affected() > 0)
    }

    async fn claim(&self, owner: &str, now_ms: i64, lease_until_ms: i64) -> Result<Option<Claim>> {
        let action = "claim a job";
        // Most of the time there is nothing to do, and looking must not take the write lock.
        let free = "SELECT report_id FROM jobs WHERE owner IS NULL OR lease_until_ms < ? \
                    ORDER BY created_ms, report_id LIMIT 1";
        let any = sqlx::query(free).bind(now_ms).fetch_optional(&self.pool).await.map_err(failed(action))?;
        if any.is_none() {
            return Ok(None);
        }
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed(action))?;
        let job = sqlx::query(
            "UPDATE jobs SET deaths = deaths + (owner IS NOT NULL), owner = ?, attempt = attempt + 1, \
             lease_until_ms = ?, bytes_read = 0, lines = 0 \
             WHERE report_id = (SELECT report_id FROM jobs WHERE owner IS NULL OR lease_until_ms < ? \
             ORDER BY created_ms, report_id LIMIT 1) RETURNING report_id, attempt, deaths",
        );
        let job = job.bind(owner).bind(lease_until_ms).bind(now_ms).fetch_optional(&mut *tx);
        let Some(job) = job.await.map_err(failed(action))? else { return Ok(None) };
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE r.id = ?"));
        let row = sqlx::query(sql).bind(job.get::<String, _>("report_id")).fetch_one(&mut *tx);
        let report = report(&row.await.map_err(failed(action))?).map_err(failed(action))?.report;
        tx.commit().await.map_err(failed(action))?;
        let lease = Lease { report: report.id.clone(), owner: owner.to_owned(), attempt: job.get("attempt") };
        Ok(Some(Claim { lease, report, deaths: job.get("deaths") }))
    }

    async fn heartbeat(&self, lease: &Lease, lease_until_ms: i64, progress: JobProgress) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE jobs SET lease_until_ms = ?, bytes_read = ?, bytes_total = max(bytes_total, ?), lines = ? \
             WHERE report_id = ? AND owner = ? AND attempt = ?",
        )
        .bind(lease_until_ms)
        .bind(progress.bytes_read.cast_signed())
        .bind(progress.bytes_total.cast_signed())
        .bind(progress.lines.cast_signed())
        .bind(lease.report.as_str())
        .bind(&lease.owner)
        .bind(lease.attempt)
        .execute(&self.pool);
        Ok(done.await.map_err(failed("prolong a lease"))?.rows_affected() > 0)
    }

    async fn give_back(&self, lease: &Lease) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE jobs SET owner = NULL, lease_until_ms = 0 WHERE report_id = ? AND owner = ? AND attempt = ?",
        )
        .bind(lease.report.as_str())
        .bind(&lease.owner)
        .bind(lease.attempt)
        .execute(&self.pool);
        Ok(done.await.map_err(failed("give a job back"))?.rows_affected() > 0)
    }

    async fn finish(&self, lease: &Lease, now_ms: i64, outcome: &Outcome) -> Result<bool> {
        self.end(lease, "keep the result", End { now_ms, outcome: Some(to_json(outcome)), error: None }).await
    }

    async fn fail(&self, lease: &Lease, now_ms: i64, error: &str) -> Result<bool> {
        self.end(lease, "keep the failure", End { now_ms, outcome: None, error: Some(error) }).await
    }

    async fn release(&self, owner: &str) -> Result<u64> {
        let sql = "UPDATE jobs SET owner = NULL, lease_until_ms = 0, deaths = deaths + 1 WHERE owner = ?";
        let done = sqlx::query(sql).bind(owner).execute(&self.pool).await;
        Ok(done.map_err(failed("release old leases"))?.rows_affected())
    }

    async fn queue(&self) -> Result<Queue> {
        let action = "count the jobs";
        let row = sqlx::query("SELECT count(*) AS jobs, count(owner) AS running FROM jobs").fetch_one(&self.pool).await;
        let row = row.map_err(failed(action))?;
        let (jobs, running) = (row.get::<i64, _>("jobs").cast_unsigned(), row.get::<i64, _>("running").cast_unsigned());
        Ok(Queue { waiting: jobs - running, running })
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

fn report(row: &SqliteRow) -> sqlx::Result<ReportRow> {
    let id: String = row.try_get("id")?;
    let report = NewReport {
        id: id.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
        name: row.try_get("name")?,
        created_ms: row.try_get("created_ms")?,
        origins: from_json(row.try_get("origins")?)?,
        settings: from_json(row.try_get("settings")?)?,
    };
    let number = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    let state = match row.try_get::<Option<i64>, _>("finished_ms")? {
        None if row.try_get::<Option<&str>, _>("owner")?.is_none() => State::Queued,
        None => State::Running(JobProgress {
            bytes_read: number("bytes_read")?,
            bytes_total: number("bytes_total")?,
            lines: number("lines")?,
        }),
        Some(finished_ms) => match row.try_get::<Option<&str>, _>("outcome")? {
            Some(outcome) => {
                State::Done { finished_ms, attempt: row.try_get("attempt")?, outcome: from_json(outcome)? }
            }
            None => State::Failed { finished_ms, error: row.try_get("error")? },
        },
    };
    Ok(ReportRow { report, state })
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("rows have string keys and no failing parts")
}

fn from_json<T: DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|e| sqlx::Error::Decode(Box::new(e)))
}

/// SQLite's result code for a full disk.
const SQLITE_FULL: &str = "13";

fn failed<E: std::error::Error + Send + Sync + 'static>(action: &'static str) -> impl FnOnce(E) -> Error {
    move |source| {
        let source: Box<dyn std::error::Error + Send + Sync> = Box::new(source);
        let database = source.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        let is_full = database.and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == SQLITE_FULL);
        Error { action, is_full, source }
    }
}
