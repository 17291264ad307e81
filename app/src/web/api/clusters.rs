//! Clusters of a report: list, read, their lines, exports.

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::{
        Uri,
        header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use logkin_engine::{
    record::Level,
    report::{Cluster, Levels, OverTime, explain::Explanation},
    template::Kind,
};
use serde::Serialize;

use super::{IdPath, find, reports::List, result};
use crate::{
    cli::TableFormat,
    output,
    shelf::Line,
    store::{ReportRow, State},
    web::{
        error::WebError,
        figures::rfc3339,
        query::Query,
        render::CACHE_POLICY,
        selection::{self, Selection},
        state::App,
    },
};

/// Lines answered when no `limit` is given.
const DEFAULT_LINES: u64 = 100;
/// The largest `limit` of lines.
const MAX_LINES: u64 = 1_000;

/// A cluster.
#[derive(Debug, Serialize)]
pub struct ClusterJson<'a> {
    /// Depends on the template only.
    pub id: &'a str,
    /// Slots as `<*>`.
    pub template: &'a str,
    /// What a rule shows it as.
    pub title: Option<&'a str>,
    /// Whether a rule keeps it out of lists, unless `muted=shown`.
    pub is_muted: bool,
    /// What stands in each slot, in order.
    pub slots: &'a [Kind],
    /// Lines.
    pub lines: u64,
    /// Events.
    pub events: u64,
    /// Lines / the report's lines, from 0 to 1.
    pub share: f64,
    /// The level most of its events name.
    pub level: Option<Level>,
    /// Events by level.
    pub levels: &'a Levels,
    /// RFC 3339, UTC.
    pub first_seen: Option<String>,
    /// RFC 3339, UTC.
    pub last_seen: Option<String>,
    /// Events in the steps of the report's histogram.
    pub over_time: &'a OverTime,
    /// A few of its first lines; only on the cluster itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<&'a [String]>,
}

/// One line.
#[derive(Debug, Serialize)]
pub struct LineJson {
    /// Position of its input in the report.
    pub input: usize,
    /// Number in its input, from 1.
    pub number: u64,
    /// Its text; what is not UTF-8 is U+FFFD.
    pub text: String,
    /// Its bytes.
    pub bytes: u64,
    /// Whether `text` is only its beginning.
    pub is_cut: bool,
}

impl<'a> ClusterJson<'a> {
    fn of(cluster: &'a Cluster) -> Self {
        Self {
            id: &cluster.id.0,
            template: &cluster.template,
            title: cluster.title.as_deref(),
            is_muted: cluster.is_muted,
            slots: &cluster.slots,
            lines: cluster.lines,
            events: cluster.events,
            share: cluster.share,
            level: cluster.level,
            levels: &cluster.levels,
            first_seen: cluster.first_seen_ms.map(rfc3339),
            last_seen: cluster.last_seen_ms.map(rfc3339),
            over_time: &cluster.over_time,
            examples: None,
        }
    }
}

impl LineJson {
    fn of(line: &Line) -> Self {
        Self {
            input: line.input,
            number: line.number,
            text: String::from_utf8_lossy(&line.text).into_owned(),
            bytes: line.bytes,
            is_cut: line.bytes > line.text.len() as u64,
        }
    }
}

/// `GET /api/v1/reports/{id}/clusters`
pub async fn list(Shared(app): Shared<App>, Path(id): IdPath, uri: Uri) -> Result<Response, WebError> {
    let selection = Selection::of(&Query::of(&uri, &selection::PARAMETERS)?)?;
    let row = find(&app, &id).await?;
    let bound = result(&app, &row, selection.similarity).await?;
    let (clusters, total) = selection.select(&bound.report.clusters);
    let items = clusters.into_iter().map(ClusterJson::of).collect();
    Ok(Json(List { items, next: selection.next(total), total: total as u64 }).into_response())
}

/// `GET /api/v1/reports/{id}/clusters/{cluster}`
pub async fn read(
    Shared(app): Shared<App>,
    Path((id, cluster)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, WebError> {
    let query = Query::of(&uri, &["similarity"])?;
    let row = find(&app, &id).await?;
    let bound = result(&app, &row, query.similarity()?).await?;
    let cluster = bound.cluster(&cluster).ok_or_else(|| WebError::no_cluster(&row.report.id))?;
    Ok(Json(ClusterJson { examples: Some(&cluster.examples), ..ClusterJson::of(cluster) }).into_response())
}

/// `GET /api/v1/reports/{id}/clusters/{cluster}/explanation`: why its lines are together, and what is nearest to it.
pub async fn explanation(
    Shared(app): Shared<App>,
    Path((id, cluster)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Explanation>, WebError> {
    let query = Query::of(&uri, &["similarity"])?;
    let row = find(&app, &id).await?;
    let bound = result(&app, &row, query.similarity()?).await?;
    let State::Done { attempt, .. } = &row.state else { return Err(WebError::not_done(&row.report.id)) };
    let found = app.shelf.explain(&row.report.id, *attempt, cluster, bound.report.similarity).await?;
    found.map(Json).map_err(|_| WebError::no_cluster(&row.report.id))
}

/// `GET /api/v1/reports/{id}/clusters/{cluster}/lines`: in input order, on all pages together as many as the cluster
/// has.
pub async fn lines(
    Shared(app): Shared<App>,
    Path((id, cluster)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<List<LineJson>>, WebError> {
    let query = Query::of(&uri, &["similarity", "limit", "cursor"])?;
    let limit = query.number("limit", DEFAULT_LINES, 1..=MAX_LINES)?;
    let row = find(&app, &id).await?;
    let bound = result(&app, &row, query.similarity()?).await?;
    let cluster = bound.cluster(&cluster).ok_or_else(|| WebError::no_cluster(&row.report.id))?;
    let (lines, next) = page(&app, &row, cluster, selection::cursor(&query)?, limit).await?;
    Ok(Json(List { items: lines.iter().map(LineJson::of).collect(), next, total: cluster.lines }))
}

/// A page of a cluster's lines, with the cursor of the next.
pub async fn page(
    app: &App,
    row: &ReportRow,
    cluster: &Cluster,
    skip: u64,
    limit: u64,
) -> Result<(Vec<Line>, Option<String>), WebError> {
    let State::Done { attempt, outcome, .. } = &row.state else {
        return Err(WebError::not_done(&row.report.id));
    };
    let size = usize::try_from(limit).expect("limits are small");
    let lines = app.shelf.lines((&row.report, *attempt, outcome), cluster, skip, size).await?;
    let seen = skip.saturating_add(limit);
    let next = (seen < cluster.lines).then(|| selection::format_cursor(seen));
    Ok((lines, next))
}

/// `GET /api/v1/reports/{id}/export`: the same bytes as `logkin cluster` prints.
pub async fn export(Shared(app): Shared<App>, Path(id): IdPath, uri: Uri) -> Result<Response, WebError> {
    let query = Query::of(&uri, &["format", "similarity"])?;
    let (format, kind, ending) = match query.text("format").unwrap_or("json") {
        "csv" => (TableFormat::Csv, "text/csv; charset=utf-8; header=present", "csv"),
        "json" => (TableFormat::Json, "application/json", "json"),
        "ndjson" => (TableFormat::Ndjson, "application/x-ndjson", "ndjson"),
        _ => return Err(query.wrong("format", "csv, json or ndjson")),
    };
    let row = find(&app, &id).await?;
    let bound = result(&app, &row, query.similarity()?).await?;
    let mut body = Vec::new();
    output::write(&bound.report, format, 0, output::Terminal::default(), &mut body)
        .expect("memory takes all that is written");
    let disposition = format!("attachment; filename=\"logkin-{}.{ending}\"", row.report.id);
    let head = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, &disposition), (CACHE_CONTROL, CACHE_POLICY)];
    Ok((head, body).into_response())
}
