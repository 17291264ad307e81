//! Every route on one page, grouped by reader.

use std::time::Duration;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{get, post},
};
use tower_http::timeout::TimeoutLayer;

use super::{
    api::{self, clusters, reports},
    assets,
    error::WebError,
    pages::{browse, cluster, home, list, report, upload},
    probes,
    state::App,
};

/// How long anything but an upload may take. Uploads have a bound of their own, on how long they may pause.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every route.
pub fn all() -> Router<App> {
    let timed = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, PATIENCE);
    Router::new()
        .merge(pages())
        .merge(api())
        .merge(probes())
        .layer(timed)
        .merge(uploads())
        .fallback(|| async { WebError::no_page() })
}

fn pages() -> Router<App> {
    Router::new()
        .route("/", get(home::home))
        .route("/browse", get(browse::browse))
        .route("/reports/{id}", get(report::report))
        .route("/reports/{id}/delete", post(list::delete))
        .route("/reports/{id}/clusters/{cluster}", get(cluster::cluster))
        .route("/assets/{name}", get(assets::asset))
}

fn api() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(api::openapi))
        .route("/api/v1/reports/{id}", get(reports::read).delete(reports::delete))
        .route("/api/v1/reports/{id}/clusters", get(clusters::list))
        .route("/api/v1/reports/{id}/clusters/{cluster}", get(clusters::read))
        .route("/api/v1/reports/{id}/clusters/{cluster}/explanation", get(clusters::explanation))
        .route("/api/v1/reports/{id}/clusters/{cluster}/lines", get(clusters::lines))
        .route("/api/v1/reports/{id}/export", get(clusters::export))
}

fn probes() -> Router<App> {
    Router::new()
        .route("/health/live", get(probes::live))
        .route("/health/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics))
}

fn uploads() -> Router<App> {
    Router::new()
        .route("/reports", get(list::list).post(upload::upload))
        .route("/api/v1/reports", get(reports::list).post(reports::create))
        .layer(DefaultBodyLimit::disable())
}
