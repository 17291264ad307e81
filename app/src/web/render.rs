//! A template struct to a response: status and cache policy.

use askama::Template;
use axum::{
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

use super::error::WebError;

/// Logs are private, and reports change while they run: nothing on the way may keep a page.
pub const CACHE_POLICY: &str = "private, no-store";

/// A page.
pub fn page(template: &impl Template) -> Result<Response, WebError> {
    page_with(StatusCode::OK, template)
}

/// A page with a status of its own.
pub fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, WebError> {
    let html = template.render()?;
    let head = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, CACHE_POLICY)];
    Ok((status, head, html).into_response())
}
