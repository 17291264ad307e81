//! The answers we write ourselves, as hyper takes them.

use std::rc::Rc;

use hyper::{
    Response,
    header::{self, HeaderValue},
};

use super::body::{AnswerBody, Content};
use crate::proxy::{
    answer::{Form, render},
    client::Client,
    entry::Entry,
    error::{ProxyError, Side},
};

/// The answer to a request that failed. `accept` is what the client said it reads.
pub(crate) fn failure(
    error: ProxyError,
    accept: Option<&HeaderValue>,
    client: &Rc<Client>,
    mut entry: Entry,
) -> Response<AnswerBody> {
    let facts = error.facts();
    let (kind, text) = render(facts.status, facts.words, Form::asked(accept.map(HeaderValue::as_bytes)));
    entry.answer_failure(error);
    let mut response = Response::new(AnswerBody::new(Content::text(text), Rc::clone(client), entry));
    *response.status_mut() = facts.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if facts.side == Side::Client {
        // What it has sent besides can be anything.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(methods) = error.allow() {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
