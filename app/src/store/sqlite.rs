//! SQLite in WAL mode: one file beside the blobs, many readers, one writer at a time across all processes.
//!
//! An instance writes over one connection and reads over others, so that reading never waits for a writer. Reads are
//! single statements. A connection is written to again only after its transaction was committed: whatever else became
//! of it (no room, a lock that was not free in time, a caller that went away), it is closed.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    ConnectOptions, Row, SqliteConnection, SqlitePool,
    query::Query,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteQueryResult, SqliteRow,
        SqliteSynchronous,
    },
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

use crate::clock::Clock;

use super::{
    Claim, Error, JobProgress, Lease, NewReport, Outcome, Position, Queue, ReportId, ReportRow, Result, State, Store,
};

/// Connections an instance reads over. SQLite gives each a thread; more would only wait for one another.
const READERS: u32 = 4;

/// How long a write waits for those of other processes, and again for those of this one.
const BUSY: Duration = Duration::from_secs(10);

const COLUMNS: &str = "SELECT r.id, r.name, r.created_ms, r.origins, r.settings, r.finished_ms, r.attempt, r.outcome, \
     r.error, j.owner, j.bytes_read, j.bytes_total, j.lines \
     FROM reports r LEFT JOIN jobs j ON j.report_id = r.id ";

/// The embedded store.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    inode: (u64, u64),
    options: SqliteConnectOptions,
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
}

/// A transaction that may write. Dropped before [`Write::commit`], it takes its connection along.
struct Write<'a> {
    home: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
    action: &'static str,
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
            Ok::<_, io::Error>(file)
        });
        let lock = lock.await.map_err(failed(action))?.map_err(failed(action))?;
        let path = data_dir.join("logkin.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let mut writer = options.clone().create_if_missing(true).connect().await.map_err(failed(action))?;
        sqlx::migrate!("migrations/sqlite").run(&mut writer).await.map_err(failed(action))?;
        drop(lock);
        let reading = SqliteConnectOptions::new().filename(&path).busy_timeout(BUSY).pragma("query_only", "ON");
        let readers = SqlitePoolOptions::new().min_connections(1).max_connections(READERS).acquire_timeout(BUSY);
        let readers = readers.connect_with(reading).await.map_err(failed(action))?;
        let inode = inode(&path).map_err(failed(action))?;
        Ok(Self { path, inode, options, writer: Mutex::new(Some(writer)), readers })
    }

    /// Waits for the right to write, among our own and then among all processes.
    async fn write(&self, action: &'static str) -> Result<Write<'_>> {
        let free = timeout(BUSY, self.writer.lock()).await;
        let mut home = free.map_err(|_| failed(action)(sqlx::Error::PoolTimedOut))?;
        let mut connection = match home.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(failed(action))?,
        };
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.map_err(failed(action))?;
        Ok(Write { home, connection, action })
    }

    /// A transaction of one statement; whether it changed anything.
    async fn change(&self, action: &'static str, statement: Statement<'_>) -> Result<bool> {
        let mut tx = self.write(action).await?;
        let changed = tx.run(statement).await?.rows_affected() > 0;
        tx.commit().await?;
        Ok(changed)
    }

    /// Ends a job the lease still holds, in one transaction with what becomes of its report.
    async fn end(&self, lease: &Lease, action: &'static str, end: End<'_>) -> Result<bool> {
        let mut tx = self.write(action).await?;
        let held = sqlx::query("DELETE FROM jobs WHERE report_id = ? AND owner = ? AND attempt = ?")
            .bind(lease.report.as_str())
            .bind(&lease.owner)
            .bind(lease.attempt);
        let is_held = tx.run(held).await?.rows_affected() > 0;
        if is_held {
            let report =
                sqlx::query("UPDATE reports SET finished_ms = ?, attempt = ?, outcome = ?, error = ? WHERE id = ?")
                    .bind(end.now_ms)
                    .bind(lease.attempt)
                    .bind(end.outcome)
                    .bind(end.error)
                    .bind(lease.report.as_str());
            tx.run(report).await?;
        }
        tx.commit().await?;
        Ok(is_held)
    }
}

type Statement<'q> = Query<'q, sqlx::Sqlite, SqliteArguments>;

impl Write<'_> {
    async fn run(&mut self, statement: Statement<'_>) -> Result<SqliteQueryResult> {
        statement.execute(&mut self.connection).await.map_err(failed(self.action))
    }

    async fn row(&mut self, query: Statement<'_>) -> Result<Option<SqliteRow>> {
        query.fetch_optional(&mut self.connection).await.map_err(failed(self.action))
    }

    async fn commit(mut self) -> Result<()> {
        self.run(sqlx::query("COMMIT")).await?;
        *self.home = Some(self.connection);
        Ok(())
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
        let action = "reach the database";
        if inode(&self.path).map_err(failed(action))? != self.inode {
            return Err(failed(action)(io::Error::other("another file is in its place; start this instance again")));
        }
        sqlx::query("SELECT 1 FROM reports LIMIT 1")
            .fetch_optional(&self.readers)
            .await
            .map(|_| ())
            .map_err(failed(action))
    }

    async fn create(&self, report: &NewReport) -> Result<()> {
        let mut tx = self.write("keep the report").await?;
        let row = sqlx::query("INSERT INTO reports (id, name, created_ms, origins, settings) VALUES (?, ?, ?, ?, ?)")
            .bind(report.id.as_str())
            .bind(&report.name)
            .bind(report.created_ms)
            .bind(to_json(&report.origins))
            .bind(to_json(&report.settings));
        tx.run(row).await?;
        let bytes = report.origins.iter().map(|o| o.bytes).sum::<u64>();
        let job = sqlx::query("INSERT INTO jobs (report_id, created_ms, bytes_total) VALUES (?, ?, ?)")
            .bind(report.id.as_str())
            .bind(report.created_ms)
            .bind(bytes.cast_signed());
        tx.run(job).await?;
        tx.commit().await
    }

    async fn report(&self, id: &ReportId) -> Result<Option<ReportRow>> {
        let action = "read the report";
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE r.id = ?"));
        let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&self.readers).await.map_err(failed(action))?;
        row.map(|row| report(&row)).transpose().map_err(failed(action))
    }

    async fn reports(&self, after: Option<&Position>, limit: u32) -> Result<(Vec<ReportRow>, u64)> {
        let action = "list the reports";
        // One statement, so that rows and total are of one moment; the total comes even without rows.
        let sql = format!(
            "SELECT * FROM (SELECT count(*) AS total FROM reports) LEFT JOIN ({COLUMNS} WHERE (r.created_ms, r.id) < \
             (?, ?) ORDER BY r.created_ms DESC, r.id DESC LIMIT ?) ON TRUE ORDER BY created_ms DESC, id DESC"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.map_or(i64::MAX, |p| p.created_ms))
            .bind(after.map_or("", |p| p.id.as_str()))
            .bind(limit)
            .fetch_all(&self.readers);
        let rows = rows.await.map_err(failed(action))?;
        let total = rows.first().map_or(0, |row| row.get::<i64, _>("total"));
        let rows = rows.iter().filter(|row| row.get::<Option<&str>, _>("id").is_some()).map(report);
        Ok((rows.collect::<sqlx::Result<_>>().map_err(failed(action))?, total.cast_unsigned()))
    }

    async fn delete(&self, id: &ReportId) -> Result<bool> {
        self.change("delete the report", sqlx::query("DELETE FROM reports WHERE id = ?").bind(id.as_str())).await
    }

    async fn claim(&self, owner: &str, clock: &Clock, lasts: Duration) -> Result<Option<Claim>> {
        let action = "claim a job";
        // Most of the time there is nothing to do, and looking must not take the write lock.
        let free = "SELECT report_id FROM jobs WHERE owner IS NULL OR lease_until_ms < ? \
                    ORDER BY created_ms, report_id LIMIT 1";
        let any = sqlx::query(free).bind(clock.now_ms()).fetch_optional(&self.readers).await.map_err(failed(action))?;
        if any.is_none() {
            return Ok(None);
        }
        let mut tx = self.write(action).await?;
        // The time is taken now: the wait for the right to write may have been longer than a lease.
        let now_ms = clock.now_ms();
        let job = sqlx::query(
            "UPDATE jobs SET deaths = deaths + (owner IS NOT NULL AND owner <> ?1), owner = ?1, attempt = attempt + 1, \
             lease_until_ms = ?2, bytes_read = 0, lines = 0 \
             WHERE report_id = (SELECT report_id FROM jobs WHERE owner IS NULL OR lease_until_ms < ?3 \
             ORDER BY created_ms, report_id LIMIT 1) RETURNING report_id, attempt, deaths",
        );
        let job = tx.row(job.bind(owner).bind(until(now_ms, lasts)).bind(now_ms)).await?;
        let Some(job) = job else {
            tx.commit().await?;
            return Ok(None);
        };
        let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE r.id = ?"));
        let row = tx.row(sqlx::query(sql).bind(job.get::<String, _>("report_id"))).await?;
        let row = row.ok_or_else(|| failed(action)(sqlx::Error::RowNotFound))?;
        let report = report(&row).map_err(failed(action))?.report;
        tx.commit().await?;
        let lease = Lease { report: report.id.clone(), owner: owner.to_owned(), attempt: job.get("attempt") };
        Ok(Some(Claim { lease, report, deaths: job.get("deaths") }))
    }

    async fn heartbeat(&self, lease: &Lease, clock: &Clock, lasts: Duration, progress: JobProgress) -> Result<bool> {
        let mut tx = self.write("prolong a lease").await?;
        let job = sqlx::query(
            "UPDATE jobs SET lease_until_ms = ?, bytes_read = ?, bytes_total = max(bytes_total, ?), lines = ? \
             WHERE report_id = ? AND owner = ? AND attempt = ?",
        )
        .bind(until(clock.now_ms(), lasts))
        .bind(progress.bytes_read.cast_signed())
        .bind(progress.bytes_total.cast_signed())
        .bind(progress.lines.cast_signed())
        .bind(lease.report.as_str())
        .bind(&lease.owner)
        .bind(lease.attempt);
        let is_ours = tx.run(job).await?.rows_affected() > 0;
        tx.commit().await?;
        Ok(is_ours)
    }

    async fn outlive(&self, lease: &Lease) -> Result<()> {
        let job = sqlx::query("UPDATE jobs SET deaths = max(deaths - 1, 0) WHERE report_id = ? AND attempt > ?")
            .bind(lease.report.as_str())
            .bind(lease.attempt);
        self.change("take back a death", job).await.map(|_| ())
    }

    async fn give_back(&self, lease: &Lease) -> Result<bool> {
        let job = sqlx::query(
            "UPDATE jobs SET owner = NULL, lease_until_ms = 0 WHERE report_id = ? AND owner = ? AND attempt = ?",
        )
        .bind(lease.report.as_str())
        .bind(&lease.owner)
        .bind(lease.attempt);
        self.change("give a job back", job).await
    }

    async fn finish(&self, lease: &Lease, now_ms: i64, outcome: &Outcome) -> Result<bool> {
        self.end(lease, "keep the result", End { now_ms, outcome: Some(to_json(outcome)), error: None }).await
    }

    async fn fail(&self, lease: &Lease, now_ms: i64, error: &str) -> Result<bool> {
        self.end(lease, "keep the failure", End { now_ms, outcome: None, error: Some(error) }).await
    }

    async fn release(&self, owner: &str) -> Result<u64> {
        let sql = "UPDATE jobs SET owner = NULL, lease_until_ms = 0, deaths = deaths + 1 WHERE owner = ?";
        let mut tx = self.write("release old leases").await?;
        let jobs = tx.run(sqlx::query(sql).bind(owner)).await?.rows_affected();
        tx.commit().await?;
        Ok(jobs)
    }

    async fn queue(&self) -> Result<Queue> {
        let sql = "SELECT count(*) AS jobs, count(owner) AS running FROM jobs";
        let row = sqlx::query(sql).fetch_one(&self.readers).await.map_err(failed("count the jobs"))?;
        let (jobs, running) = (row.get::<i64, _>("jobs").cast_unsigned(), row.get::<i64, _>("running").cast_unsigned());
        Ok(Queue { waiting: jobs - running, running })
    }

    async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take() {
            // The last one to close a database tidies it up; one that cannot leaves that to the next who opens it.
            let _ = sqlx::Connection::close(writer).await;
        }
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

fn until(now_ms: i64, lasts: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
}

/// A file's file system and its number there: which file it is, whatever its name.
fn inode(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

/// SQLite's result codes for a full disk: SQLITE_FULL, and SQLITE_IOERR_SHMSIZE for the file that readers share.
const NO_ROOM: [&str; 2] = ["13", "4874"];

fn failed<E: std::error::Error + Send + Sync + 'static>(action: &'static str) -> impl FnOnce(E) -> Error {
    move |source| {
        let source: Box<dyn std::error::Error + Send + Sync> = Box::new(source);
        let database = source.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        let is_full = database.and_then(sqlx::error::DatabaseError::code).is_some_and(|code| NO_ROOM.contains(&&*code));
        Error { action, is_full, source }
    }
}

#[cfg(test)]
mod tests;
