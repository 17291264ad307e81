//! The answers we write ourselves: small, in the form the client asked for, and saying nothing about what is behind us.

use hyper::StatusCode;

/// The form of an answer of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Html,
    Text,
}

impl Form {
    /// What a client reads that sent this `Accept`.
    pub(crate) fn asked(accept: Option<&[u8]>) -> Self {
        let accept = accept.and_then(|accept| std::str::from_utf8(accept).ok()).unwrap_or_default();
        if accept.contains("json") {
            Self::Json
        } else if accept.contains("text/html") {
            Self::Html
        } else {
            Self::Text
        }
    }
}

/// Content type and text.
pub(crate) fn render(status: StatusCode, words: &str, form: Form) -> (&'static str, String) {
    let (code, name) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
    match form {
        Form::Json => {
            let text = format!(r#"{{"type":"about:blank","title":"{name}","status":{code},"detail":"{words}"}}"#);
            ("application/problem+json", text)
        }
        Form::Html => {
            let text = format!(
                "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{code} {name}</title>\n\
                 <h1>{name}</h1>\n<p>{words}\n</html>\n"
            );
            ("text/html; charset=utf-8", text)
        }
        Form::Text => ("text/plain; charset=utf-8", format!("{code} {name}: {words}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_form_that_was_asked_for() {
        let asked = |accept: &str| render(StatusCode::BAD_GATEWAY, "gone", Form::asked(Some(accept.as_bytes())));
        assert_eq!(
            asked("application/json").1,
            r#"{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"gone"}"#
        );
        assert!(asked("text/html,*/*").1.starts_with("<!doctype html>"));
        assert_eq!(asked("*/*").1, "502 Bad Gateway: gone\n");
        assert_eq!(render(StatusCode::BAD_GATEWAY, "gone", Form::asked(None)).1, "502 Bad Gateway: gone\n");
    }
}
