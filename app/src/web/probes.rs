//! What the balancer and monitoring ask.

use axum::{
    extract::State as Shared,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use super::{error::WebError, state::App};

/// `GET /health/live`: the process answers.
pub async fn live() -> &'static str {
    "live\n"
}

/// `GET /health/ready`: 200 when new requests are welcome: the store is open and we are not stopping.
pub async fn ready(Shared(app): Shared<App>) -> (StatusCode, String) {
    if app.shutdown.has_begun() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    match app.store.ping().await {
        Ok(()) => (StatusCode::OK, format!("ready: {}\n", app.name)),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {error}\n")),
    }
}

/// `GET /metrics`: OpenMetrics text.
pub async fn metrics(Shared(app): Shared<App>) -> Result<Response, WebError> {
    let queue = app.store.queue().await?;
    let text = app.metrics.text(queue).expect("memory takes all that is written");
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
