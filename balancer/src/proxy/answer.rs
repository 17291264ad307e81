//! The answers we write ourselves: small, in the form the client asked for, and saying nothing about what is behind us.

use std::rc::Rc;

use hyper::{
    Response, StatusCode,
    header::{self, HeaderValue},
};

use super::{
    body::{AnswerBody, Content},
    client::Client,
    entry::Entry,
    error::ProxyError,
};

/// Seconds after which a client may try again when no backend is ready.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The answer to a request that failed. `accept` is what the client said it reads.
pub(crate) fn failure(
    error: ProxyError,
    accept: Option<&HeaderValue>,
    client: &Rc<Client>,
    mut entry: Entry,
) -> Response<AnswerBody> {
    let facts = error.facts();
    let (kind, text) = render(facts.status, facts.words, accept);
    entry.status = facts.status.as_u16();
    entry.flag = facts.flag;
    entry.by = facts.side.name();
    entry.upstream = None;
    let mut response = Response::new(AnswerBody::new(Content::text(text), Rc::clone(client), entry));
    *response.status_mut() = facts.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if facts.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn render(status: StatusCode, words: &str, accept: Option<&HeaderValue>) -> (HeaderValue, String) {
    let accept = accept.and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (code, name) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
    if accept.contains("json") {
        let text = format!(r#"{{"type":"about:blank","title":"{name}","status":{code},"detail":"{words}"}}"#);
        (HeaderValue::from_static("application/problem+json"), text)
    } else if accept.contains("text/html") {
        let text = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{code} {name}</title>\n\
             <h1>{name}</h1>\n<p>{words}\n</html>\n"
        );
        (HeaderValue::from_static("text/html; charset=utf-8"), text)
    } else {
        (HeaderValue::from_static("text/plain; charset=utf-8"), format!("{code} {name}: {words}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_form_that_was_asked_for() {
        let asked = |accept| render(StatusCode::BAD_GATEWAY, "gone", Some(&HeaderValue::from_static(accept)));
        assert_eq!(
            asked("application/json").1,
            r#"{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"gone"}"#
        );
        assert!(asked("text/html,*/*").1.starts_with("<!doctype html>"));
        assert_eq!(asked("*/*").1, "502 Bad Gateway: gone\n");
        assert_eq!(render(StatusCode::BAD_GATEWAY, "gone", None).1, "502 Bad Gateway: gone\n");
    }
}
