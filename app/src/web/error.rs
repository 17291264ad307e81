//! `WebError`: status, words and a way onward for whatever went wrong. How it is dressed, as a page or as
//! `application/problem+json` (RFC 9457), is decided in [`super::layers`] by what was asked.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{intake, roots, shelf, store};

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebError {
    /// Its status.
    pub status: StatusCode,
    /// What is wrong, what was expected, what to do.
    pub detail: String,
    /// Where to go from here: address and words.
    pub onward: Vec<(String, &'static str)>,
}

impl WebError {
    /// With a way home.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), onward: vec![("/".to_owned(), "start page")] }
    }

    /// Another way onward, shown first.
    #[must_use]
    pub fn onward(mut self, href: impl Into<String>, words: &'static str) -> Self {
        self.onward.insert(0, (href.into(), words));
        self
    }

    /// 400: the request is not well formed.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: no such address.
    pub fn no_page() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this address")
    }

    /// 404: no such report.
    pub fn no_report() -> Self {
        let detail = "there is no report with this id; it may have been deleted, or the address was cut short";
        Self::new(StatusCode::NOT_FOUND, detail).onward("/reports", "all reports")
    }

    /// 404: no such cluster.
    pub fn no_cluster(report: &store::ReportId) -> Self {
        Self::new(StatusCode::NOT_FOUND, "this report has no cluster with this id")
            .onward(format!("/reports/{report}"), "the report")
    }

    /// 409: the report has no result (yet).
    pub fn not_done(report: &store::ReportId) -> Self {
        let detail = "this report has no result; wait until its status is done, and see its error when it failed";
        Self::new(StatusCode::CONFLICT, detail).onward(format!("/reports/{report}"), "the report")
    }

    /// 500, with the reason in the log and not on the page.
    fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "request failed: {error}");
        let detail = "logkin could not do this; the reason is in its log, under the request id of this answer";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for WebError {
    fn from(error: store::Error) -> Self {
        if error.is_full {
            let action = error.action;
            let detail = format!(
                "cannot {action}: there is no room left on the disk of the data directory; free some space and try again"
            );
            return Self::new(StatusCode::INSUFFICIENT_STORAGE, detail);
        }
        tracing::error!(%error, "the store does not answer: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer; try again in a moment")
    }
}

impl From<roots::Error> for WebError {
    fn from(error: roots::Error) -> Self {
        use roots::Error as E;
        let status = match &error {
            E::Outside { .. } | E::Parent(_) => StatusCode::FORBIDDEN,
            E::Missing(_) | E::Folder(_) | E::NotAFolder(_) | E::Special(_) | E::Unreadable { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        };
        Self::new(status, error.to_string()).onward("/browse", "files that may be opened")
    }
}

impl From<intake::Error> for WebError {
    fn from(error: intake::Error) -> Self {
        use intake::Error as E;
        let detail = error.to_string();
        match error {
            E::NoRoom => Self::new(StatusCode::INSUFFICIENT_STORAGE, detail).onward("/reports", "reports to delete"),
            E::Incomplete { reason, .. } => {
                tracing::info!(reason, "upload incomplete: {reason}");
                Self::bad_request(detail)
            }
            E::Idle => Self::new(StatusCode::REQUEST_TIMEOUT, detail),
            E::Nothing => Self::bad_request(detail),
            E::TooMany => Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
            E::NoSample { .. } | E::Empty { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
            E::Path(error) => error.into(),
            E::Store(error) => error.into(),
            E::Disk(error) => Self::internal(&error),
        }
    }
}

impl From<shelf::Error> for WebError {
    fn from(error: shelf::Error) -> Self {
        match &error {
            shelf::Error::Changed(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            shelf::Error::Path(roots::Error::Outside { .. }) => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            shelf::Error::Path(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            shelf::Error::Gone => Self::no_report(),
            shelf::Error::Disk(error) => Self::internal(error),
        }
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::internal(&error)
    }
}
