//! The plain form: a file, a path or a sample, and then the report's page.

use axum::{
    extract::{Request, State as Shared},
    response::Redirect,
};

use crate::web::{
    error::WebError,
    receive::{self, Door},
    state::App,
};

/// `POST /reports`
pub async fn upload(Shared(app): Shared<App>, request: Request) -> Result<Redirect, WebError> {
    let report = receive::report(&app, request, Door::Page).await?;
    Ok(Redirect::to(&format!("/reports/{}", report.id)))
}
