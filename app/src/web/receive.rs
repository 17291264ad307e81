//! Receiving a new report, in whatever form it comes: multipart, a raw body, JSON, or a plain form. Files go to the
//! intake as they arrive, without a bound; everything else is small and bounded.

use axum::{
    body::{Body, to_bytes},
    extract::{
        FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use futures_util::StreamExt;
use serde::Deserialize;

use self::feed::{Feed, Progress};
use super::{error::WebError, query::Query, state::App};
use crate::{intake, store::NewReport};

mod feed;

/// Bytes of a JSON document, a form, or a text field.
const SMALL: usize = 64 << 10;

/// Parts of a form; files have a bound of their own in the intake.
const MAX_PARTS: usize = 1_000;

/// Who asks, which decides what a body without a telling type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A form on a page.
    Page,
    /// A program.
    Api,
}

/// What JSON, forms and text fields may say; exactly one of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    path: Option<String>,
    sample: Option<String>,
}

/// Receives a report and queues it.
pub async fn report(app: &App, request: Request, door: Door) -> Result<NewReport, WebError> {
    let query = Query::of(request.uri(), &["name"])?;
    let report = match (content_type(request.headers()).as_str(), query.text("name"), door) {
        ("multipart/form-data", ..) => multipart(app, request).await?,
        (_, Some(name), Door::Api) => raw(app, name, request.into_body()).await?,
        ("application/json", ..) => {
            let asked = serde_json::from_slice(&small(request.into_body()).await?).map_err(|error| {
                WebError::bad_request(format!(
                    "the JSON document is not understood: {error}; expected {{\"path\": …}} or {{\"sample\": …}}; \
                     to upload a JSON log, add ?name= to the address"
                ))
            })?;
            fetch(app, asked).await?
        }
        ("application/x-www-form-urlencoded", None, Door::Page) => fetch(app, form(request).await?).await?,
        (_, None, Door::Api) => raw(app, "upload", request.into_body()).await?,
        (other, _, Door::Page) => {
            let detail = format!("the form came as `{other}`; expected multipart/form-data");
            return Err(WebError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
    };
    app.wake.notify_one();
    Ok(report)
}

async fn raw(app: &App, name: &str, body: Body) -> Result<NewReport, WebError> {
    let mut arrival = app.intake.arrival();
    arrival.file(name, body.into_data_stream()).await?;
    queue(app, arrival).await
}

async fn multipart(app: &App, request: Request) -> Result<NewReport, WebError> {
    let progress = Progress::default();
    let request = request.map(|body| Body::from_stream(Feed::new(body, progress.clone())));
    let mut parts = Multipart::from_request(request, &()).await.map_err(|e| WebError::bad_request(e.body_text()))?;
    let mut arrival = app.intake.arrival();
    let mut asked = Asked::default();
    let mut count = 0;
    while let Some(field) = parts.next_field().await.map_err(|error| broken(&error, &progress))? {
        progress.made();
        count += 1;
        if count > MAX_PARTS {
            let detail = format!("the form has more than {MAX_PARTS} parts; send fewer");
            return Err(WebError::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        match (field.name().unwrap_or_default(), field.file_name()) {
            (_, Some("")) => {}
            (_, Some(name)) => {
                let name = name.to_owned();
                arrival.file(&name, field.inspect(|_| progress.made())).await?;
            }
            ("path", None) => asked.path = Some(text(field, &progress).await?).filter(|t| !t.is_empty()),
            ("sample", None) => asked.sample = Some(text(field, &progress).await?).filter(|t| !t.is_empty()),
            (other, None) => return Err(WebError::bad_request(format!("unknown field `{other}` in the form"))),
        }
    }
    if arrival.files() == 0 && (asked.path.is_some() || asked.sample.is_some()) {
        return fetch(app, asked).await;
    }
    queue(app, arrival).await
}

fn broken(error: &MultipartError, progress: &Progress) -> WebError {
    if progress.is_overdue() {
        return WebError::bad_request(
            "the form is not well formed: no part of it begins where one should; the boundary in Content-Type has to be \
             the one in the body, and the head of a part is short",
        );
    }
    WebError::bad_request(format!("the form is not well formed or was cut short: {}", error.body_text()))
}

async fn queue(app: &App, arrival: intake::Arrival) -> Result<NewReport, WebError> {
    let report = arrival.queue().await?;
    app.metrics.uploaded(report.origins.iter().map(|o| o.bytes).sum());
    Ok(report)
}

async fn fetch(app: &App, asked: Asked) -> Result<NewReport, WebError> {
    match (asked.path, asked.sample) {
        (Some(path), None) => Ok(app.intake.path(&path).await?),
        (None, Some(sample)) => Ok(app.intake.sample(&sample).await?),
        (None, None) => Err(intake::Error::Nothing.into()),
        (Some(_), Some(_)) => Err(WebError::bad_request("both a path and a sample are given; give one")),
    }
}

async fn form(request: Request) -> Result<Asked, WebError> {
    let bytes = small(request.into_body()).await?;
    // The decoder of addresses is the decoder of forms.
    let uri = format!("/?{}", String::from_utf8_lossy(&bytes)).parse();
    let uri = uri.map_err(|_| WebError::bad_request("the form is not well formed"))?;
    let fields = Query::of(&uri, &["path", "sample"])?;
    let field = |name| fields.text(name).map(str::to_owned);
    Ok(Asked { path: field("path"), sample: field("sample") })
}

async fn text(mut field: Field<'_>, progress: &Progress) -> Result<String, WebError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|e| WebError::bad_request(e.body_text()))? {
        progress.made();
        if bytes.len() + chunk.len() > SMALL {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| WebError::bad_request("a field of the form is not UTF-8"))
}

async fn small(body: Body) -> Result<axum::body::Bytes, WebError> {
    to_bytes(body, SMALL).await.map_err(|_| too_large())
}

fn too_large() -> WebError {
    let detail = format!("the document is larger than {SMALL} bytes or was cut short; to upload a log, add ?name=");
    WebError::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

fn content_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
