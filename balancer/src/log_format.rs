//! The form of a line of the access log: nginx's variables between plain text, taken apart once. Pure.
//!
//! Values of clients come in escaped, without quotes or what could end a line, so no form lets them write lines of their own.

use std::str::FromStr;

/// nginx's own form.
const COMBINED: &str =
    "$remote_addr - - [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// What a line can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// The client's address.
    RemoteAddr,
    /// When the answer had gone out.
    TimeLocal,
    /// The first line of the request.
    Request,
    /// The status of the answer.
    Status,
    /// Bytes of its body.
    BodyBytesSent,
    /// `Referer`.
    HttpReferer,
    /// `User-Agent`.
    HttpUserAgent,
    /// Seconds from the head to the end of the answer.
    RequestTime,
    /// The backend that answered, by its name.
    Upstream,
    /// What the request is known by.
    RequestId,
    /// Why it was tried again, each time.
    Retries,
    /// How it ended otherwise than by a complete answer, or why we answered.
    Flag,
    /// Whose doing that was.
    By,
}

/// The variables by their names.
const VARIABLES: [(&str, Variable); 13] = [
    ("remote_addr", Variable::RemoteAddr),
    ("time_local", Variable::TimeLocal),
    ("request", Variable::Request),
    ("status", Variable::Status),
    ("body_bytes_sent", Variable::BodyBytesSent),
    ("http_referer", Variable::HttpReferer),
    ("http_user_agent", Variable::HttpUserAgent),
    ("request_time", Variable::RequestTime),
    ("upstream", Variable::Upstream),
    ("request_id", Variable::RequestId),
    ("retries", Variable::Retries),
    ("flag", Variable::Flag),
    ("by", Variable::By),
];

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// What is filled in.
    Value(Variable),
}

/// The form of all lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// Its parts in their order.
    pub pieces: Vec<Piece>,
    /// Whether values stand in strings of JSON.
    pub json: bool,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "combined" => Ok(Self { pieces: pieces(COMBINED)?, json: false }),
            "json" => Ok(Self { pieces: json(), json: true }),
            text if text.contains(['\n', '\r']) => Err("there is the end of a line in it; write one line".to_owned()),
            text => Ok(Self { pieces: pieces(text)?, json: false }),
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut parts = text.split('$');
    let mut pieces = vec![Piece::Text(parts.next().unwrap_or_default().to_owned())];
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) else {
            let known: Vec<String> = VARIABLES.iter().map(|(known, _)| format!("${known}")).collect();
            return Err(format!("`${name}` is not known; write combined, json, or text with {}", known.join(", ")));
        };
        pieces.extend([Piece::Value(*variable), Piece::Text(rest.to_owned())]);
    }
    Ok(pieces)
}

/// An object with all that there is; numbers are numbers.
fn json() -> Vec<Piece> {
    let is_number = |variable| matches!(variable, Variable::Status | Variable::BodyBytesSent | Variable::RequestTime);
    let mut pieces = Vec::new();
    for (name, variable) in VARIABLES {
        let (start, quote) = (if pieces.is_empty() { "{" } else { "," }, if is_number(variable) { "" } else { "\"" });
        pieces.push(Piece::Text(format!("{start}\"{name}\":{quote}")));
        pieces.push(Piece::Value(variable));
        pieces.push(Piece::Text(quote.to_owned()));
    }
    pieces.push(Piece::Text("}".to_owned()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_text_and_variables() {
        let format: LogFormat = "a $status$by.".parse().unwrap();
        let (text, value) = (|text: &str| Piece::Text(text.to_owned()), Piece::Value);
        let expected = [text("a "), value(Variable::Status), text(""), value(Variable::By), text(".")];
        assert_eq!(format, LogFormat { pieces: expected.to_vec(), json: false });
    }

    #[test]
    fn what_is_not_known_is_named() {
        for odd in ["$nothing", "$", "$statuses", "$$"] {
            assert!(odd.parse::<LogFormat>().unwrap_err().contains("is not known; write combined"), "{odd}");
        }
        assert!("a\nb".parse::<LogFormat>().is_err());
    }
}
