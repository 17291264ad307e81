//! The start page: drop zone, path picker, samples, reports newest first.

use askama::Template;
use axum::{extract::State as Shared, response::Response};

use super::list::Row;
use crate::{
    samples,
    web::{
        error::WebError,
        figures::{count, size},
        render::page,
        state::App,
    },
};

/// Reports shown here; the rest is one link away.
const SHOWN: u32 = 8;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    samples: Vec<SampleRow>,
    roots: Vec<String>,
    rows: Vec<Row>,
    total: String,
    has_more: bool,
}

struct SampleRow {
    name: String,
    size: String,
}

/// `GET /`
pub async fn home(Shared(app): Shared<App>) -> Result<Response, WebError> {
    let (rows, total) = app.store.reports(None, SHOWN).await?;
    let now_ms = app.clock.now_ms();
    let sample = |sample: &samples::Sample| SampleRow { name: sample.name.clone(), size: size(sample.bytes) };
    page(&HomePage {
        samples: samples::all().iter().map(sample).collect(),
        roots: app.roots.folders().iter().map(|root| root.display().to_string()).collect(),
        has_more: total > rows.len() as u64,
        rows: rows.iter().map(|row| Row::of(row, now_ms)).collect(),
        total: count(total),
    })
}
