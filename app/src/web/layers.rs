//! What every request passes on its way in and out, outermost first: request id, access trace and count; security
//! headers; compression; errors dressed as page or problem; panic guard; whose name we answer to; same origin.

use std::{any::Any, time::Instant};

use askama::Template;
use axum::{
    Json, Router,
    extract::{MatchedPath, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, csrf::CsrfLayer};

use super::{
    error::WebError,
    render::{CACHE_POLICY, page_with},
    state::App,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a request id taken over from whoever is in front of us.
const MAX_REQUEST_ID: usize = 64;

/// Nothing but our own files; no script or style inside pages, no frames around them.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// Lays everything around the routes.
pub fn dress(routes: Router<App>, app: &App) -> Router<App> {
    let csrf = CsrfLayer::new().with_rejection_response(|_| {
        let detail = "this request came from a page of another site and was not carried out; open logkin's own page";
        WebError::new(StatusCode::FORBIDDEN, detail).into_response()
    });
    routes
        .layer(csrf)
        .layer(from_fn_with_state(app.clone(), known_host))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| panicked(&*panic)))
        .layer(from_fn(dress_errors))
        .layer(CompressionLayer::new())
        .layer(from_fn(secure))
        .layer(from_fn_with_state(app.clone(), trace))
}

/// Gives every request an id, and writes and counts its end.
async fn trace(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let mut response = next.run(request).await;
    let (status, seconds) = (response.status().as_u16(), begun.elapsed().as_secs_f64());
    app.metrics.request(method_label(&method), &route, status, seconds);
    let duration_ms = seconds * 1000.0;
    tracing::debug!(request_id = id, %method, path, status, duration_ms, "{method} {path} {status}");
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |text: &&str| {
        !text.is_empty() && text.len() <= MAX_REQUEST_ID && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_plain);
    given.map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// A client may invent methods; the metric may not grow with them.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(CACHE_POLICY));
    response
}

/// Refuses names that are not ours, so that a foreign page cannot reach us by having its own name point here.
async fn known_host(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).map(HeaderValue::to_str);
    match host {
        Some(Ok(host)) if app.hosts.allow(host) => next.run(request).await,
        // Only programs leave it out; a browser never does.
        None => next.run(request).await,
        Some(_) => {
            let detail = "this name is not one of this instance's; use localhost or its address, \
                          or start logkin with --allow-host NAME";
            WebError::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let words = panic.downcast_ref::<&str>().map(ToString::to_string);
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = words, "a request panicked: {words}");
    let detail = "logkin broke down over this request; this is a bug, its log says where";
    WebError::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    title: &'a str,
    detail: &'a str,
    onward: &'a [(String, &'static str)],
}

/// RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    onward: Vec<Onward<'a>>,
}

#[derive(Serialize)]
struct Onward<'a> {
    href: &'a str,
    title: &'static str,
}

/// Turns an error into what was asked for: programs get a problem document, people a page.
async fn dress_errors(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let wants_page = wants_page(&path, request.headers());
    let mut response = next.run(request).await;
    let (status, allow) = (response.status(), response.headers().get(ALLOW).cloned());
    let error = match response.extensions_mut().remove::<WebError>() {
        Some(error) => error,
        None if status == StatusCode::METHOD_NOT_ALLOWED => {
            WebError::new(status, "this address does not answer that method; the Allow header says which it does")
        }
        // Ours carry their words; what is left is an address that could not be taken apart.
        None if status == StatusCode::BAD_REQUEST => {
            WebError::bad_request("the address is not well formed: what is written with % has to be UTF-8")
        }
        None => return response,
    };
    let mut dressed = dressed(&error, &path, wants_page);
    if let Some(allow) = allow {
        dressed.headers_mut().insert(ALLOW, allow);
    }
    dressed
}

fn dressed(error: &WebError, path: &str, wants_page: bool) -> Response {
    let title = error.status.canonical_reason().unwrap_or("Error");
    let status = error.status.as_u16();
    if wants_page {
        let page = ErrorPage { status, title, detail: &error.detail, onward: &error.onward };
        return page_with(error.status, &page).unwrap_or_else(|_| error.status.into_response());
    }
    let onward = error.onward.iter().map(|(href, title)| Onward { href, title }).collect();
    let problem = Problem { r#type: "about:blank", title, status, detail: &error.detail, instance: path, onward };
    let mut response = (error.status, Json(problem)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accepts_html =
        || headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|text| text.contains("text/html"));
    !path.starts_with("/api/") && accepts_html()
}
