//! All reports, newest first; and forgetting one.

use askama::Template;
use axum::{
    extract::{Path, State as Shared},
    http::Uri,
    response::{Redirect, Response},
};

use crate::{
    store::{ReportRow, State},
    web::{
        api::{IdPath, reports},
        error::WebError,
        figures::{ago, count, counted, moment, rfc3339, size},
        query::Query,
        render::page,
        state::App,
    },
};

/// Reports on a page.
const PAGE: u64 = 50;

/// One row of a list of reports.
pub struct Row {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// `queued`, `running`, `done`, `failed`.
    pub status: &'static str,
    /// How long ago it was created.
    pub age: String,
    /// When it was created, for people.
    pub created: String,
    /// When it was created, for programs.
    pub created_at: String,
    /// Size of its inputs.
    pub size: String,
    /// What came out.
    pub outcome: String,
}

impl Row {
    /// A row as seen now.
    pub fn of(row: &ReportRow, now_ms: i64) -> Self {
        let report = &row.report;
        let (status, outcome) = match &row.state {
            State::Queued => ("queued", "waiting".to_owned()),
            State::Running(progress) => ("running", format!("{} so far", counted(progress.lines, "line"))),
            State::Done { outcome, .. } => {
                let totals = outcome.totals;
                ("done", format!("{} in {}", counted(totals.lines, "line"), counted(totals.clusters, "cluster")))
            }
            State::Failed { .. } => ("failed", "no result".to_owned()),
        };
        Self {
            id: report.id.to_string(),
            name: report.name.clone(),
            status,
            age: ago(now_ms, report.created_ms),
            created: moment(report.created_ms),
            created_at: rfc3339(report.created_ms),
            size: size(report.origins.iter().map(|o| o.bytes).sum()),
            outcome,
        }
    }
}

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    rows: Vec<Row>,
    total: String,
    next: Option<String>,
    is_first: bool,
}

/// `GET /reports`
pub async fn list(Shared(app): Shared<App>, uri: Uri) -> Result<Response, WebError> {
    let query = Query::of(&uri, &["cursor"])?;
    let (rows, next, total) = reports::page(&app, &query, PAGE).await?;
    let now_ms = app.clock.now_ms();
    let rows = rows.iter().map(|row| Row::of(row, now_ms)).collect();
    page(&ReportsPage { rows, total: count(total), next, is_first: query.text("cursor").is_none() })
}

/// `POST /reports/{id}/delete`
pub async fn delete(Shared(app): Shared<App>, Path(id): IdPath) -> Result<Redirect, WebError> {
    reports::remove(&app, &id).await?;
    Ok(Redirect::to("/reports"))
}
