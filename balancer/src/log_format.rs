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
    /// The same in the form of ISO 8601.
    TimeIso,
    /// The first line of the request.
    Request,
    /// Its method.
    Method,
    /// Its target.
    Target,
    /// Its version.
    Protocol,
    /// `http` or `https`, as the client speaks.
    Scheme,
    /// The status of the answer.
    Status,
    /// Bytes of its body.
    BodyBytesSent,
    /// `Referer`.
    HttpReferer,
    /// `User-Agent`.
    HttpUserAgent,
    /// Another field of the request, by its number among those of the form.
    Field(usize),
    /// A field of the answer, by its number among those of the form.
    SentField(usize),
    /// Seconds from the head to the end of the answer.
    RequestTime,
    /// The backend that answered, by its name.
    Upstream,
    /// The addresses of all backends that were asked.
    UpstreamAddr,
    /// How each of them answered.
    UpstreamStatus,
    /// How many seconds each of them took.
    UpstreamTime,
    /// How many seconds the request waited for a backend.
    QueueTime,
    /// Why it came to the last of them.
    Chosen,
    /// What the request is known by.
    RequestId,
    /// Why it was tried again, each time.
    Retries,
    /// Whether it would have been tried again if the budget of retries had not been spent.
    RetryBudget,
    /// How it ended otherwise than by a complete answer, or why we answered.
    Flag,
    /// Whose doing that was.
    By,
}

/// The variables by their names; those of fields come besides.
const VARIABLES: [(&str, Variable); 24] = [
    ("remote_addr", Variable::RemoteAddr),
    ("time_local", Variable::TimeLocal),
    ("time_iso8601", Variable::TimeIso),
    ("request", Variable::Request),
    ("request_method", Variable::Method),
    ("request_uri", Variable::Target),
    ("server_protocol", Variable::Protocol),
    ("scheme", Variable::Scheme),
    ("status", Variable::Status),
    ("body_bytes_sent", Variable::BodyBytesSent),
    ("http_referer", Variable::HttpReferer),
    ("http_user_agent", Variable::HttpUserAgent),
    ("request_time", Variable::RequestTime),
    ("upstream", Variable::Upstream),
    ("upstream_addr", Variable::UpstreamAddr),
    ("upstream_status", Variable::UpstreamStatus),
    ("upstream_response_time", Variable::UpstreamTime),
    ("queue_time", Variable::QueueTime),
    ("chosen", Variable::Chosen),
    ("request_id", Variable::RequestId),
    ("retries", Variable::Retries),
    ("retry_budget", Variable::RetryBudget),
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
    /// The fields of requests that are told, in lower case and with `_` for `-`.
    pub fields: Vec<String>,
    /// Those of answers.
    pub sent: Vec<String>,
}

/// Whether a field of a message has this name of a variable.
pub(crate) fn is_called(field: &[u8], name: &str) -> bool {
    let plain = |letter: &u8| if *letter == b'-' { b'_' } else { letter.to_ascii_lowercase() };
    field.len() == name.len() && field.iter().map(plain).eq(name.bytes())
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut format = Self { pieces: Vec::new(), json: text == "json", fields: Vec::new(), sent: Vec::new() };
        match text {
            "combined" => format.read(COMBINED)?,
            "json" => format.pieces = json(format.variable("host")?),
            text if text.contains(['\n', '\r']) => {
                return Err("there is the end of a line in it; write one line".to_owned());
            }
            text => format.read(text)?,
        }
        Ok(format)
    }
}

impl LogFormat {
    /// Whether a line tells of each backend that was asked.
    pub(crate) fn tells_tries(&self) -> bool {
        self.pieces.iter().any(|piece| {
            use Variable::{UpstreamAddr, UpstreamStatus, UpstreamTime};
            matches!(piece, Piece::Value(UpstreamAddr | UpstreamStatus | UpstreamTime))
        })
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let mut parts = text.split('$');
        self.pieces.push(Piece::Text(parts.next().unwrap_or_default().to_owned()));
        for part in parts {
            let end = part.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            let variable = self.variable(name)?;
            self.pieces.extend([Piece::Value(variable), Piece::Text(rest.to_owned())]);
        }
        Ok(())
    }

    fn variable(&mut self, name: &str) -> Result<Variable, String> {
        if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
            return Ok(*variable);
        }
        let (list, field) = match (name.strip_prefix("sent_http_"), name.strip_prefix("http_"), name) {
            (Some(field), _, _) => (&mut self.sent, field),
            (None, Some(field), _) => (&mut self.fields, field),
            (None, None, "host") => (&mut self.fields, name),
            (None, None, _) => (&mut self.fields, ""),
        };
        if field.is_empty() {
            let known: Vec<String> = VARIABLES.iter().map(|(known, _)| format!("${known}")).collect();
            let known = known.join(", ");
            return Err(format!(
                "`${name}` is not known; write combined, json, or text with {known}, $host, $http_NAME, $sent_http_NAME"
            ));
        }
        let field = field.to_ascii_lowercase();
        let number = list.iter().position(|known| *known == field).unwrap_or_else(|| {
            list.push(field);
            list.len() - 1
        });
        Ok(if name.starts_with("sent_") { Variable::SentField(number) } else { Variable::Field(number) })
    }
}

/// An object with all that there is, and the host; numbers are numbers.
fn json(host: Variable) -> Vec<Piece> {
    let is_number = |variable| {
        matches!(variable, Variable::Status | Variable::BodyBytesSent | Variable::RequestTime | Variable::QueueTime)
    };
    let mut pieces = Vec::new();
    let all = VARIABLES.into_iter().chain([("host", host)]);
    for (name, variable) in all {
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
        assert_eq!((format.pieces.as_slice(), format.json), (&expected[..], false));
    }

    #[test]
    fn fields_are_told_by_their_names() {
        let format: LogFormat = "$http_x_a $sent_http_x_b $host $http_X_A".parse().unwrap();
        assert_eq!((format.fields, format.sent), (vec!["x_a".to_owned(), "host".to_owned()], vec!["x_b".to_owned()]));
        assert_eq!(format.pieces[7], Piece::Value(Variable::Field(0)));
        assert!(is_called(b"X-A", "x_a") && !is_called(b"X-AB", "x_a"));
    }

    #[test]
    fn what_is_not_known_is_named() {
        for odd in ["$nothing", "$", "$statuses", "$$", "$http_", "$sent_http_"] {
            assert!(odd.parse::<LogFormat>().unwrap_err().contains("is not known; write combined"), "{odd}");
        }
        assert!("a\nb".parse::<LogFormat>().is_err());
    }
}
