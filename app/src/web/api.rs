//! `/api/v1`: what programs get. The types in these files are a promise, written down in `openapi.json`.

use std::sync::Arc;

use axum::{
    extract::Path,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::{error::WebError, state::App};
use crate::{
    shelf::Bound,
    store::{ReportId, ReportRow, State},
};

pub mod reports;
pub mod clusters;

/// The part of an address that names a report.
pub type IdPath = Path<String>;

/// A report by the id of an address.
pub async fn find(app: &App, id: &str) -> Result<ReportRow, WebError> {
    let id: ReportId = id.parse().map_err(|_| WebError::no_report())?;
    app.store.report(&id).await?.ok_or_else(WebError::no_report)
}

/// The result of a report that is done, at a similarity in thousandths or as the analysis gave it.
pub async fn result(app: &App, row: &ReportRow, similarity: Option<u16>) -> Result<Arc<Bound>, WebError> {
    match &row.state {
        State::Done { attempt, .. } => Ok(app.shelf.report(&row.report.id, *attempt, similarity).await?),
        State::Queued | State::Running(_) | State::Failed { .. } => Err(WebError::not_done(&row.report.id)),
    }
}

/// `GET /openapi.json`: this API, for programs that write programs.
pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("../../openapi.json")).into_response()
}
