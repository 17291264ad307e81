//! Reports: create, list, read, delete.

use axum::{
    Json,
    extract::{Path, Request, State as Shared},
    http::{StatusCode, Uri, header::LOCATION},
    response::{IntoResponse, Response},
};
use logkin_engine::{
    Report,
    report::{Histogram, InputSummary, RulesUsed, SetAside, Totals},
};
use serde::Serialize;

use super::{IdPath, find, result};
use crate::{
    store::{Place, Position, ReportId, ReportRow, State},
    web::{
        error::WebError,
        figures::rfc3339,
        query::Query,
        receive::{self, Door},
        state::App,
    },
};

/// Reports answered when no `limit` is given.
const DEFAULT_LIMIT: u64 = 50;
/// The largest `limit`.
const MAX_LIMIT: u64 = 500;

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// Those of this page.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: u64,
}

/// A report.
#[derive(Debug, Serialize)]
pub struct ReportJson {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// `queued`, `running`, `done`, `failed`.
    pub status: &'static str,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC; null until done or failed.
    pub finished_at: Option<String>,
    /// Its page.
    pub url: String,
    /// Bytes of its inputs as they lie on the disk.
    pub bytes: u64,
    /// Where they come from.
    pub origins: Vec<OriginJson>,
    /// How far the analysis is.
    pub progress: ProgressJson,
    /// Null until done.
    pub totals: Option<Totals>,
    /// Why it failed; null unless it did.
    pub error: Option<String>,
    /// Only on the report itself, and when done.
    #[serde(flatten)]
    pub detail: Option<DetailJson>,
}

/// Where bytes come from.
#[derive(Debug, Serialize)]
pub struct OriginJson {
    /// For people.
    pub name: String,
    /// `upload`, `sample`, `path`.
    pub kind: &'static str,
    /// The path, for that kind.
    pub path: Option<String>,
    /// Bytes as they lie on the disk.
    pub bytes: u64,
}

/// How far an analysis is.
#[derive(Debug, Serialize)]
pub struct ProgressJson {
    /// Bytes read of the inputs as they lie on the disk.
    pub bytes_read: u64,
    /// Bytes there are; 0 when not known.
    pub bytes_total: u64,
    /// Lines so far.
    pub lines: u64,
    /// From 0 to 1.
    pub fraction: f64,
}

/// What a finished report says besides its clusters.
#[derive(Debug, Serialize)]
pub struct DetailJson {
    /// How alike the lines of a cluster are, from 0 to 1.
    pub similarity: f64,
    /// What was read.
    pub inputs: Vec<InputSummary>,
    /// The corrections that were applied; null without.
    pub rules: Option<RulesUsed>,
    /// What limits the report as a whole.
    pub problems: Vec<String>,
    /// What is worth knowing of the report as a whole though nothing is wrong.
    pub notes: Vec<String>,
    /// Lines in no cluster, by reason.
    pub set_aside: Vec<SetAside>,
    /// Events over time.
    pub histogram: Option<Histogram>,
}

impl ReportJson {
    /// Without detail.
    pub fn of(row: &ReportRow) -> Self {
        let report = &row.report;
        let bytes = report.origins.iter().map(|o| o.bytes).sum();
        let (status, progress, finished_ms, totals, error) = match &row.state {
            State::Queued => ("queued", (0, bytes, 0), None, None, None),
            State::Running(p) => ("running", (p.bytes_read, p.bytes_total, p.lines), None, None, None),
            State::Done { finished_ms, outcome, .. } => {
                let totals = outcome.totals;
                ("done", (bytes, bytes, totals.lines), Some(*finished_ms), Some(totals), None)
            }
            State::Failed { finished_ms, error } => {
                ("failed", (0, bytes, 0), Some(*finished_ms), None, Some(error.clone()))
            }
        };
        Self {
            id: report.id.to_string(),
            name: report.name.clone(),
            status,
            created_at: rfc3339(report.created_ms),
            finished_at: finished_ms.map(rfc3339),
            url: format!("/reports/{}", report.id),
            bytes,
            origins: report.origins.iter().map(OriginJson::of).collect(),
            progress: ProgressJson::of(progress, status == "done"),
            totals,
            error,
            detail: None,
        }
    }
}

impl OriginJson {
    fn of(origin: &crate::store::Origin) -> Self {
        let (kind, path) = match &origin.place {
            Place::Upload => ("upload", None),
            Place::Sample => ("sample", None),
            Place::Path(path) => ("path", Some(path.display().to_string())),
        };
        Self { name: origin.name.clone(), kind, path, bytes: origin.bytes }
    }
}

impl ProgressJson {
    #[expect(clippy::cast_precision_loss, reason = "a fraction for a progress bar")]
    fn of((bytes_read, bytes_total, lines): (u64, u64, u64), is_done: bool) -> Self {
        let fraction = match bytes_total {
            _ if is_done => 1.0,
            0 => 0.0,
            total => (bytes_read as f64 / total as f64).min(1.0),
        };
        Self { bytes_read, bytes_total, lines, fraction }
    }
}

impl DetailJson {
    fn of(report: &Report) -> Self {
        Self {
            similarity: report.similarity,
            inputs: report.inputs.clone(),
            rules: report.rules.clone(),
            problems: report.problems.clone(),
            notes: report.notes.clone(),
            set_aside: report.set_aside.clone(),
            histogram: report.histogram.clone(),
        }
    }
}

/// `POST /api/v1/reports`: 202 as soon as what was sent is safe.
pub async fn create(Shared(app): Shared<App>, request: Request) -> Result<Response, WebError> {
    let report = receive::report(&app, request, Door::Api).await?;
    let row = ReportRow { report, state: State::Queued };
    let location = format!("/api/v1/reports/{}", row.report.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(ReportJson::of(&row))).into_response())
}

/// `GET /api/v1/reports`: newest first.
pub async fn list(Shared(app): Shared<App>, uri: Uri) -> Result<Json<List<ReportJson>>, WebError> {
    let query = Query::of(&uri, &["limit", "cursor"])?;
    let limit = query.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    let (rows, next, total) = page(&app, &query, limit).await?;
    Ok(Json(List { items: rows.iter().map(ReportJson::of).collect(), next, total }))
}

/// A page of the list of reports, with the cursor of the next and the total.
pub async fn page(app: &App, query: &Query, limit: u64) -> Result<(Vec<ReportRow>, Option<String>, u64), WebError> {
    let after = match query.text("cursor") {
        None => None,
        Some(text) => Some(position(text).ok_or_else(|| query.wrong("cursor", "the `next` of an earlier answer"))?),
    };
    let size = usize::try_from(limit).expect("limits are small");
    let limit = u32::try_from(limit).expect("limits are small");
    let (mut rows, total) = app.store.reports(after.as_ref(), limit + 1).await?;
    let has_more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| has_more).map(|row| {
        let Position { created_ms, id } = row.position();
        format!("{created_ms:x}-{id}")
    });
    Ok((rows, next, total))
}

fn position(cursor: &str) -> Option<Position> {
    let (created, id) = cursor.split_once('-')?;
    Some(Position { created_ms: i64::from_str_radix(created, 16).ok()?, id: id.parse().ok()? })
}

/// `GET /api/v1/reports/{id}`
pub async fn read(Shared(app): Shared<App>, Path(id): IdPath, uri: Uri) -> Result<Json<ReportJson>, WebError> {
    let query = Query::of(&uri, &["similarity"])?;
    let row = find(&app, &id).await?;
    let mut json = ReportJson::of(&row);
    if matches!(row.state, State::Done { .. }) {
        let bound = result(&app, &row, query.similarity()?).await?;
        json.totals = Some(bound.report.totals);
        json.detail = Some(DetailJson::of(&bound.report));
    }
    Ok(Json(json))
}

/// `DELETE /api/v1/reports/{id}`: also stops the analysis.
pub async fn delete(Shared(app): Shared<App>, Path(id): IdPath) -> Result<StatusCode, WebError> {
    remove(&app, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a report and its bytes: first the row, so that nobody finds half of it.
pub async fn remove(app: &App, id: &str) -> Result<(), WebError> {
    let id = find(app, id).await?.report.id;
    let is_forgotten = match app.store.delete(&id).await {
        // Without room not even that can be written; the report's own bytes make some.
        Err(error) if error.is_full => {
            free(app, &id).await;
            app.store.delete(&id).await?
        }
        answer => answer?,
    };
    if !is_forgotten {
        return Err(WebError::no_report());
    }
    free(app, &id).await;
    Ok(())
}

async fn free(app: &App, id: &ReportId) {
    let (blobs, id) = (app.blobs.clone(), id.clone());
    let removed = tokio::task::spawn_blocking(move || blobs.remove(&id).map_err(|error| (id, error))).await;
    if let Ok(Err((id, error))) = removed {
        tracing::warn!(report = %id, %error, "cannot remove all of report {id}: {error}");
    }
}
