//! One cluster: its template, over time, and exactly its lines.

use askama::Template;
use axum::{
    extract::{Path, State as Shared},
    http::Uri,
    response::Response,
};
use logkin_engine::{record::Level, report::Cluster};

use super::report::suffix;
use crate::{
    output::visible,
    shelf::Line,
    web::{
        api::{self, clusters},
        chart::{self, Chart},
        error::WebError,
        figures::{count, counted, moment, percent, size},
        marked::{self, Bit},
        query::Query,
        render::page,
        selection,
        state::App,
    },
};

/// Lines on a page.
const PAGE: u64 = 100;

#[derive(Template)]
#[template(path = "cluster.html")]
struct ClusterPage {
    report: String,
    report_name: String,
    /// What an address of this view ends with, as only parameter.
    view: String,
    id: String,
    /// What a rule calls it.
    title: Option<String>,
    bits: Vec<Bit>,
    lines: String,
    count: String,
    events: Option<String>,
    share: String,
    level: Option<&'static str>,
    levels: Vec<(&'static str, String)>,
    first_seen: Option<String>,
    last_seen: Option<String>,
    chart: Option<Chart>,
    shown: Result<Lines, WebError>,
}

struct Lines {
    rows: Vec<LineRow>,
    has_inputs: bool,
    first: String,
    last: String,
    total: String,
    previous: Option<String>,
    next: Option<String>,
}

struct LineRow {
    input: String,
    number: String,
    text: String,
    cut: Option<String>,
}

/// `GET /reports/{id}/clusters/{cluster}`
pub async fn cluster(
    Shared(app): Shared<App>,
    Path((id, cluster)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, WebError> {
    let query = Query::of(&uri, &["similarity", "cursor"])?;
    let similarity = query.similarity()?;
    let skip = selection::cursor(&query)?;
    let row = api::find(&app, &id).await?;
    let bound = api::result(&app, &row, similarity).await?;
    let cluster = bound.cluster(&cluster).ok_or_else(|| WebError::no_cluster(&row.report.id))?;
    // A file that changed takes only its lines away, not what was found out about them.
    let shown = clusters::page(&app, &row, cluster, skip, PAGE).await;
    let names: Vec<&str> = bound.report.inputs.iter().map(|input| input.name.as_str()).collect();
    let shown = shown.map(|(lines, next)| Lines::of(&lines, &names, (skip, cluster.lines), next));
    let frame = bound.report.histogram.as_ref();
    page(&ClusterPage {
        report: row.report.id.to_string(),
        report_name: row.report.name.clone(),
        view: suffix(similarity),
        chart: frame.and_then(|frame| chart::chart(frame, &cluster.over_time.counts())),
        shown,
        ..ClusterPage::head(cluster)
    })
}

impl ClusterPage {
    fn head(cluster: &Cluster) -> Self {
        Self {
            report: String::new(),
            report_name: String::new(),
            view: String::new(),
            id: cluster.id.0.clone(),
            title: cluster.title.clone(),
            bits: marked::template(cluster),
            lines: counted(cluster.lines, "line"),
            count: count(cluster.lines),
            events: (cluster.events != cluster.lines).then(|| count(cluster.events)),
            share: percent(cluster.share),
            level: cluster.level.map(Level::name),
            levels: cluster.levels.each().rev().map(|(level, n)| (level.name(), count(n))).collect(),
            first_seen: cluster.first_seen_ms.map(moment),
            last_seen: cluster.last_seen_ms.map(moment),
            chart: None,
            shown: Err(WebError::no_page()),
        }
    }
}

impl Lines {
    fn of(lines: &[Line], names: &[&str], (skip, total): (u64, u64), next: Option<String>) -> Self {
        let row = |line: &Line| {
            let hidden = line.bytes - line.text.len() as u64;
            LineRow {
                input: names.get(line.input).map(|name| visible(name).into_owned()).unwrap_or_default(),
                number: count(line.number),
                text: marked::line(&line.text),
                cut: (hidden > 0).then(|| size(hidden)),
            }
        };
        // A cursor past the end, which no page gives, is an empty page with a way back to the last lines.
        let skip = skip.min(total);
        let back = selection::format_cursor(skip.saturating_sub(PAGE));
        Self {
            rows: lines.iter().map(row).collect(),
            has_inputs: names.len() > 1,
            first: count(if lines.is_empty() { 0 } else { skip + 1 }),
            last: count(skip + lines.len() as u64),
            total: counted(total, "line"),
            previous: (skip > 0).then_some(back),
            next,
        }
    }
}
