//! The form of a line of the access log: nginx's variables between plain text, taken apart once. Pure.
//!
//! Values of clients come in escaped, without quotes or what could end a line, so no form lets them write lines of their own.

use std::{borrow::Cow, str::FromStr};

use crate::{http1::request, select::key};

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
    /// The same in seconds since 1970, to the millisecond.
    Msec,
    /// The user whom the client says it is; no credentials are read, so nobody is told, as in nginx's own form.
    RemoteUser,
    /// The first line of the request.
    Request,
    /// Its method.
    Method,
    /// Its target.
    Target,
    /// The path in that, as it was written.
    Path,
    /// The query in that.
    Query,
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
    /// Another field of the request, or a cookie, by its number among those of the form.
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
    /// After how many seconds there was a connection to each of them.
    UpstreamConnectTime,
    /// And the head of its answer.
    UpstreamHeaderTime,
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

/// The variables by their names; those of fields and cookies come besides.
const VARIABLES: [(&str, Variable); 26] = [
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
    ("upstream_connect_time", Variable::UpstreamConnectTime),
    ("upstream_header_time", Variable::UpstreamHeaderTime),
    ("upstream_response_time", Variable::UpstreamTime),
    ("queue_time", Variable::QueueTime),
    ("chosen", Variable::Chosen),
    ("request_id", Variable::RequestId),
    ("retries", Variable::Retries),
    ("retry_budget", Variable::RetryBudget),
    ("flag", Variable::Flag),
    ("by", Variable::By),
];

/// More of nginx's, that say what others say too, and are not in JSON.
const MORE: [(&str, Variable); 5] = [
    ("remote_user", Variable::RemoteUser),
    ("msec", Variable::Msec),
    ("uri", Variable::Path),
    ("args", Variable::Query),
    ("query_string", Variable::Query),
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
    /// What is told of the fields of requests.
    pub fields: Vec<Told>,
    /// And of those of answers.
    pub sent: Vec<Told>,
}

/// What is told of the fields of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The host that it is for, in lower case and without a port.
    Host,
    /// The first with this name, in lower case.
    Field(String),
    /// The cookie of this name.
    Cookie(String),
}

impl Told {
    /// Finds it among fields, each with its name and value.
    pub(crate) fn find<'a>(&self, mut fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<Cow<'a, [u8]>> {
        let is_called = |field: &[u8], name: &str| field.eq_ignore_ascii_case(name.as_bytes());
        let mut field = |name| fields.find(|(field, _)| is_called(field, name)).map(|(_, value)| value);
        match self {
            Self::Host => field("host").map(host),
            Self::Field(name) => field(name).map(Cow::Borrowed),
            Self::Cookie(name) => {
                let cookies = fields.filter(|(field, _)| is_called(field, "cookie"));
                let mut values = cookies.map(|(_, value)| value);
                values.find_map(|value| key::cookie(value, name)).map(Cow::Borrowed)
            }
        }
    }
}

/// A host as `$host` has it.
pub(crate) fn host(authority: &[u8]) -> Cow<'_, [u8]> {
    request::without_port(authority).to_ascii_lowercase().into()
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
            text if !text.contains('$') => {
                return Err(format!(
                    "`{text}` has no variable; write combined, json, or text with some, such as $status"
                ));
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
            use Variable::{UpstreamAddr, UpstreamConnectTime, UpstreamHeaderTime, UpstreamStatus, UpstreamTime};
            matches!(
                piece,
                Piece::Value(UpstreamAddr | UpstreamStatus | UpstreamConnectTime | UpstreamHeaderTime | UpstreamTime)
            )
        })
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let mut parts = text.split('$');
        self.pieces.push(Piece::Text(parts.next().unwrap_or_default().to_owned()));
        for part in parts {
            let end = || part.find(|letter| !is_of_name(letter)).unwrap_or(part.len());
            let (name, rest) = match part.strip_prefix('{') {
                Some(braced) => braced
                    .split_once('}')
                    .ok_or_else(|| format!("the brace of `${part}` is not closed; write `}}` behind the name"))?,
                None => part.split_at(end()),
            };
            let variable = self.variable(name)?;
            self.pieces.extend([Piece::Value(variable), Piece::Text(rest.to_owned())]);
        }
        Ok(())
    }

    fn variable(&mut self, name: &str) -> Result<Variable, String> {
        let all = VARIABLES.iter().chain(&MORE);
        if let Some((_, variable)) = all.clone().find(|(known, _)| *known == name) {
            return Ok(*variable);
        }
        let after = |start| name.strip_prefix(start).filter(|rest| !rest.is_empty() && rest.chars().all(is_of_name));
        // As routes and keys have it: a field with `_` in its name is another one, which anybody may send beside.
        let field = |name: &str| Told::Field(name.to_ascii_lowercase().replace('_', "-"));
        let (list, told) = match (after("sent_http_"), after("http_"), after("cookie_")) {
            (Some(name), _, _) => (&mut self.sent, field(name)),
            (_, Some(name), _) => (&mut self.fields, field(name)),
            (_, _, Some(name)) => (&mut self.fields, Told::Cookie(name.to_owned())),
            _ if name == "host" => (&mut self.fields, Told::Host),
            _ => {
                let known = all.fold(String::new(), |list, (known, _)| list + "$" + known + ", ");
                return Err(format!(
                    "`${name}` is not known; write combined, json, or text with {known}$host, $http_NAME, $sent_http_NAME, $cookie_NAME"
                ));
            }
        };
        let number = list.iter().position(|known| *known == told).unwrap_or_else(|| {
            list.push(told);
            list.len() - 1
        });
        Ok(if name.starts_with("sent_") { Variable::SentField(number) } else { Variable::Field(number) })
    }
}

/// Whether names of variables may have this letter.
fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
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
        let format: LogFormat = "$http_x_a $sent_http_x_b $host $http_X_A $cookie_Id".parse().unwrap();
        let field = |name: &str| Told::Field(name.to_owned());
        let fields = vec![field("x-a"), Told::Host, Told::Cookie("Id".to_owned())];
        assert_eq!((format.fields, format.sent), (fields, vec![field("x-b")]));
        assert_eq!(format.pieces[7], Piece::Value(Variable::Field(0)));
        let find = |names: &[&'static str]| {
            let found = field("x-a").find(names.iter().map(|name| (name.as_bytes(), name.as_bytes())));
            found.map(|found| String::from_utf8(found.into_owned()).unwrap())
        };
        assert_eq!(find(&["X_A", "X-AB", "X-A", "x-a"]).as_deref(), Some("X-A"));
        assert_eq!(find(&["X_A", "X-AB"]), None);
    }

    #[test]
    fn names_may_stand_in_braces() {
        let [braced, plain]: [LogFormat; 2] =
            ["${status}s${by}${http_x_a}", "$status|$by$http_x_a"].map(|form| form.parse().unwrap());
        assert_eq!(braced.pieces[2], Piece::Text("s".to_owned()));
        assert_eq!((&braced.pieces[3..], braced.fields), (&plain.pieces[3..], plain.fields));
        for odd in ["${status", "${a$status}"] {
            assert!(
                odd.parse::<LogFormat>().unwrap_err().contains("is not closed; write `}` behind the name"),
                "{odd}"
            );
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for odd in ["$nothing", "$", "$statuses", "$$", "$http_", "$sent_http_", "$cookie_", "${}", "${http_a-b}"] {
            assert!(odd.parse::<LogFormat>().unwrap_err().contains("is not known; write combined"), "{odd}");
        }
        assert!("a\nb".parse::<LogFormat>().is_err());
    }
}
