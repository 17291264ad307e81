//! The access log: one line per request, nginx's combined format with what happened at the backends behind it, or as the
//! user has it.
//!
//! Each thread gathers lines in a buffer of its own and writes them in large pieces: when the buffer is nearly full,
//! every second, and at the end. When the file is opened anew, what is gathered goes to the new one. A file that cannot be written loses its lines and is reported once; requests go on.

use std::{
    borrow::Cow,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    http1::fields,
    log_file::{Contents, LogFile},
    log_format::{LogFormat, Piece, Told, Variable},
    outlet::Lost,
};

/// Bytes a thread gathers before it writes.
const PIECE: usize = 64 * 1024;
/// What its file is full of.
pub(crate) const CONTENTS: Contents = Contents { name: "access log", queue: 64, note: None };
/// Most bytes of a target, referrer or user agent that go into a line.
pub(crate) const LONGEST_FIELD: usize = 2048;

/// What was asked, in the words of the log: kept until the answer has gone out.
#[derive(Debug)]
pub(crate) struct Asked {
    text: String,
    /// Where the request ends and the rest begins.
    request: usize,
    /// The fields that the form asks for.
    fields: Vec<String>,
    https: bool,
}

impl Asked {
    pub(crate) fn new(
        method: &[u8],
        target: &[u8],
        version: &str,
        referrer: Option<&[u8]>,
        user_agent: Option<&[u8]>,
    ) -> Self {
        let mut text = String::with_capacity(128);
        push_escaped(&mut text, method);
        text.push(' ');
        push_escaped(&mut text, target);
        text.push(' ');
        text.push_str(version);
        let request = text.len();
        push_escaped(&mut text, referrer.unwrap_or(b"-"));
        text.push_str("\" \"");
        push_escaped(&mut text, user_agent.unwrap_or(b"-"));
        Self { text, request, fields: Vec::new(), https: false }
    }

    /// With these fields, and how the client spoke.
    pub(crate) fn with<'a>(mut self, fields: impl Iterator<Item = Option<Cow<'a, [u8]>>>, https: bool) -> Self {
        self.https = https;
        self.fields.extend(fields.map(|value| escaped(&value.unwrap_or(Cow::Borrowed(b"-")))));
        self
    }

    /// A head that could not be read: what the words of its first line say, as far as there are any. `version`: in which it
    /// came, if that is known.
    pub(crate) fn unread(head: &[u8], version: Option<&str>) -> Self {
        let head = head.trim_ascii_start();
        let line = head.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ').map(|word| &word[..word.len().min(UNREAD)]);
        let mut word = || words.next().filter(|word| !word.is_empty());
        let (method, target) = (word().unwrap_or(b"-"), word().unwrap_or(b"-"));
        let told = || word().and_then(|word| std::str::from_utf8(word).ok()).filter(|word| is_version(word));
        Self::new(method, target, version.or_else(told).unwrap_or("-"), None, None)
    }
}

/// Bytes of a word of a head that could not be read.
const UNREAD: usize = 512;

fn is_version(word: &str) -> bool {
    let number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    word.strip_prefix("HTTP/")
        .is_some_and(|rest| !rest.is_empty() && rest.len() < 8 && rest.as_bytes().iter().all(number))
}

/// What a line says about its request.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) client: &'a str,
    pub(crate) asked: &'a Asked,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    /// The backend that answered; `None` when we did.
    pub(crate) upstream: Option<&'a str>,
    pub(crate) took: Duration,
    /// How long it waited for a backend.
    pub(crate) queued: Duration,
    /// Why it came to that backend.
    pub(crate) chosen: &'a str,
    /// Backends that were asked, if the form tells of them.
    pub(crate) tries: &'a [Try],
    /// Fields of the answer that the form asks for.
    pub(crate) sent: &'a [String],
    /// Why it was tried again, once per retry.
    pub(crate) retries: &'a [Retry],
    /// Whether it would have been once more, but for the bound on retries.
    pub(crate) budget_spent: bool,
    /// How it ended otherwise than by a complete answer, or why we answered.
    pub(crate) flag: &'a str,
    /// Whose doing that was.
    pub(crate) by: &'a str,
    /// The backend at which it failed, if it is that.
    pub(crate) at: Option<&'a str>,
    /// What the request is known by.
    pub(crate) id: Option<&'a str>,
}

/// Why it was tried again.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) reason: &'static str,
    /// The backend that had been asked.
    pub(crate) after: String,
}

/// One backend that was asked.
#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) address: String,
    /// As it answered, or as we do for it; 0 where it is the client's doing that it has not.
    pub(crate) status: u16,
    /// When there was a connection to it, and the head of its answer, from when it was asked on.
    pub(crate) connected: Option<Duration>,
    pub(crate) began: Option<Duration>,
    pub(crate) took: Duration,
}

/// One thread's end of the log.
#[derive(Debug)]
pub(crate) struct AccessLog {
    file: Option<Arc<AccessLogFile>>,
    buffer: String,
    time: String,
    iso: String,
    failed: bool,
}

/// The file that all threads append to.
#[derive(Debug)]
pub(crate) struct AccessLogFile {
    pub(crate) file: LogFile,
    /// The form of its lines, if it is not ours.
    pub(crate) format: Option<LogFormat>,
}

impl AccessLog {
    pub(crate) fn new(file: Option<Arc<AccessLogFile>>) -> Self {
        let buffer = String::with_capacity(if file.is_some() { PIECE } else { 0 });
        let mut log = Self { file, buffer, time: String::new(), iso: String::new(), failed: false };
        log.set_time(&jiff::Zoned::now());
        log
    }

    pub(crate) fn is_on(&self) -> bool {
        self.file.is_some()
    }

    /// Sets the time of the lines to come. Once a second is enough, and saves the formatting.
    pub(crate) fn set_time(&mut self, now: &jiff::Zoned) {
        self.time.clear();
        // A string takes everything that is written to it.
        let _ = write!(self.time, "{}", now.strftime("%d/%b/%Y:%H:%M:%S %z"));
        self.iso.clear();
        let _ = write!(self.iso, "{}", now.strftime("%Y-%m-%dT%H:%M:%S%:z"));
    }

    /// The form of its lines, if it is not ours.
    pub(crate) fn format(&self) -> Option<&LogFormat> {
        self.file.as_ref()?.format.as_ref()
    }

    /// What its form asks for of the fields of an answer with this head.
    pub(crate) fn sent(&self, head: &[u8]) -> Vec<String> {
        let find = |told: &Told| escaped(&told.find(fields::written(head)).unwrap_or(Cow::Borrowed(b"-")));
        self.format().map_or_else(Vec::new, |format| format.sent.iter().map(find).collect())
    }

    /// Adds a line; returns how many lines were lost because the file could not be written.
    pub(crate) fn add(&mut self, line: &Line<'_>) -> u64 {
        let Some(file) = &self.file else { return 0 };
        match &file.format {
            None => render(&mut self.buffer, &self.time, line),
            Some(format) => render_as(format, &mut self.buffer, [&self.time, &self.iso], line),
        }
        let full = self.buffer.len() + 3 * LONGEST_FIELD > PIECE;
        if full { self.flush() } else { 0 }
    }

    /// Writes what was gathered; returns how many lines were lost.
    pub(crate) fn flush(&mut self) -> u64 {
        let (Some(file), false) = (&self.file, self.buffer.is_empty()) else { return 0 };
        let result = file.file.write(self.buffer.as_bytes());
        self.buffer.clear();
        match result {
            Ok(()) => {
                self.failed = false;
                0
            }
            Err(Lost { lines, why, .. }) => {
                if !std::mem::replace(&mut self.failed, true) {
                    tracing::error!(error = %why, "the access log cannot be written: {why}; its lines are lost until it can");
                }
                lines
            }
        }
    }
}

fn render(out: &mut String, time: &str, line: &Line<'_>) {
    let (request, who) = line.asked.text.split_at(line.asked.request);
    let micros = u64::try_from(line.took.as_micros()).unwrap_or(u64::MAX);
    let fraction = micros % 1000;
    for part in [line.client, " - - [", time, "] \"", request, "\" "] {
        out.push_str(part);
    }
    out.push_str(itoa::Buffer::new().format(line.status));
    out.push(' ');
    out.push_str(itoa::Buffer::new().format(line.bytes));
    for part in [" \"", who, "\" upstream=", line.upstream.unwrap_or("-"), " time_ms="] {
        out.push_str(part);
    }
    out.push_str(itoa::Buffer::new().format(micros / 1000));
    out.push_str(match fraction {
        0..10 => ".00",
        10..100 => ".0",
        _ => ".",
    });
    out.push_str(itoa::Buffer::new().format(fraction));
    if !line.queued.is_zero() {
        let _ = write!(out, " queued_ms={}", line.queued.as_millis());
    }
    if !line.chosen.is_empty() && line.chosen != "turn" {
        let _ = write!(out, " chosen={}", line.chosen);
    }
    if !line.retries.is_empty() {
        // Writing into a string does not fail.
        let _ = write!(out, " retries={}", line.retries.len());
        for (number, Retry { reason, after }) in line.retries.iter().enumerate() {
            let _ = write!(out, "{}{reason}@{after}", if number == 0 { ':' } else { ',' });
        }
    }
    if line.budget_spent {
        out.push_str(" retry_budget=spent");
    }
    if !line.flag.is_empty() {
        let _ = write!(out, " flag={}", line.flag);
    }
    if !line.by.is_empty() {
        let _ = write!(out, " by={}", line.by);
    }
    if let Some(at) = line.at {
        let _ = write!(out, " at={at}");
    }
    if let Some(id) = line.id {
        let _ = write!(out, " id={id}");
    }
    out.push('\n');
}

fn render_as(format: &LogFormat, out: &mut String, times: [&str; 2], line: &Line<'_>) {
    for piece in &format.pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Value(variable) => push_value(out, *variable, times, line, format.json),
        }
    }
    out.push('\n');
}

fn push_value(out: &mut String, variable: Variable, [time, iso]: [&str; 2], line: &Line<'_>, json: bool) {
    let (request, who) = line.asked.text.split_at(line.asked.request);
    // No quote is in either: they are escaped.
    let (referrer, agent) = who.split_once("\" \"").unwrap_or((who, "-"));
    let word = |number: usize| request.split(' ').nth(number).unwrap_or("-");
    let tries = |tell: &dyn Fn(&Try) -> String| line.tries.iter().map(tell).collect::<Vec<_>>().join(", ");
    let told;
    let text = match variable {
        Variable::RemoteAddr => line.client,
        Variable::TimeLocal => time,
        Variable::TimeIso => iso,
        Variable::Request => request,
        Variable::Method => word(0),
        Variable::Target => word(1),
        Variable::Path => path(word(1)),
        Variable::Query => or_none(word(1).split_once('?').map_or("", |(_, query)| query)),
        Variable::RemoteUser => "-",
        Variable::Msec => return out.push_str(&seconds(since_1970())),
        Variable::Protocol => word(2),
        Variable::Scheme if line.asked.https => "https",
        Variable::Scheme => "http",
        Variable::HttpReferer => referrer,
        Variable::HttpUserAgent => agent,
        Variable::Field(number) => line.asked.fields.get(number).map_or("-", String::as_str),
        Variable::SentField(number) => line.sent.get(number).map_or("-", String::as_str),
        Variable::Upstream => line.upstream.unwrap_or("-"),
        Variable::RequestId => line.id.unwrap_or("-"),
        Variable::RetryBudget if line.budget_spent => "spent",
        Variable::RetryBudget => "-",
        Variable::Flag => or_none(line.flag),
        Variable::By => or_none(line.by),
        Variable::Chosen => or_none(line.chosen),
        Variable::Status => return out.push_str(itoa::Buffer::new().format(line.status)),
        Variable::BodyBytesSent => return out.push_str(itoa::Buffer::new().format(line.bytes)),
        Variable::RequestTime => return out.push_str(&seconds(line.took)),
        Variable::QueueTime => return out.push_str(&seconds(line.queued)),
        Variable::Retries
        | Variable::UpstreamAddr
        | Variable::UpstreamStatus
        | Variable::UpstreamConnectTime
        | Variable::UpstreamHeaderTime
        | Variable::UpstreamTime => {
            let after = |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), seconds);
            told = match variable {
                Variable::UpstreamAddr => tries(&|asked| asked.address.clone()),
                Variable::UpstreamStatus => {
                    tries(&|asked| if asked.status == 0 { "-".to_owned() } else { asked.status.to_string() })
                }
                Variable::UpstreamConnectTime => tries(&|asked| after(asked.connected)),
                Variable::UpstreamHeaderTime => tries(&|asked| after(asked.began)),
                Variable::UpstreamTime => tries(&|asked| seconds(asked.took)),
                _ => line.retries.iter().map(|retry| retry.reason).collect::<Vec<_>>().join(","),
            };
            or_none(&told)
        }
    };
    for part in text.split_inclusive(['\\', '"']) {
        match part.as_bytes().last() {
            Some(b'\\' | b'"') if json => {
                let (plain, mark) = part.split_at(part.len() - 1);
                out.push_str(plain);
                out.push('\\');
                out.push_str(mark);
            }
            _ => out.push_str(part),
        }
    }
}

/// The path in a target, which may be a whole URI.
fn path(target: &str) -> &str {
    let target = target.split_once('?').map_or(target, |(before, _)| before);
    match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
        _ => target,
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// A value of a field as a line has it.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    push_escaped(&mut text, bytes);
    text
}

/// As nginx does it: what could end the field or the line, or is no plain text, is written as `\xHH`.
fn push_escaped(out: &mut String, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(LONGEST_FIELD)];
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
    for piece in bytes.chunk_by(|left, right| is_plain(left) && is_plain(right)) {
        match std::str::from_utf8(piece) {
            Ok(text) if piece.iter().all(is_plain) => out.push_str(text),
            _ => piece.iter().for_each(|byte| {
                let _ = write!(out, "\\x{byte:02X}");
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static RETRIES: LazyLock<[Retry; 1]> =
        LazyLock::new(|| [Retry { reason: "connect", after: "instance-8812".to_owned() }]);

    fn line(asked: &Asked) -> Line<'_> {
        Line {
            client: "127.0.0.1",
            asked,
            status: 200,
            bytes: 5,
            upstream: Some("instance-8811"),
            took: Duration::from_micros(1_204),
            queued: Duration::ZERO,
            chosen: "turn",
            tries: &[],
            sent: &[],
            retries: &*RETRIES,
            budget_spent: false,
            flag: "",
            by: "",
            at: None,
            id: Some("7f"),
        }
    }

    #[test]
    fn a_line_is_the_combined_format_and_what_the_backends_did() {
        let asked = Asked::new(b"GET", b"/a?b=c", "HTTP/1.1", None, Some(b"curl/8"));
        let mut out = String::new();
        render(&mut out, "20/Nov/2026:10:00:00 +0000", &line(&asked));
        assert_eq!(
            out,
            "127.0.0.1 - - [20/Nov/2026:10:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 5 \"-\" \"curl/8\" \
             upstream=instance-8811 time_ms=1.204 retries=1:connect@instance-8812 id=7f\n"
        );
    }

    #[test]
    fn a_line_has_the_form_that_was_asked_for() {
        let asked = Asked::new(b"GET", b"/", "HTTP/1.1", None, Some(b"a\" \\\n{b"));
        let as_said = |format: &str| {
            let mut out = String::new();
            render_as(&format.parse().unwrap(), &mut out, ["t", "i"], &line(&asked));
            out
        };
        let combined = "127.0.0.1 - - [t] \"GET / HTTP/1.1\" 200 5 \"-\" \"a\\x22 \\x5C\\x0A{b\"\n";
        assert_eq!(as_said("combined"), combined);
        assert_eq!(as_said("$status:$request_time $upstream ($retries)$by"), "200:0.001 instance-8811 (connect)-\n");
        let json = as_said("json");
        for part in [
            "{\"remote_addr\":\"127.0.0.1\",\"time_local\":\"t\",\"time_iso8601\":\"i\",\"request\":\"GET / HTTP/1.1\",",
            "\"request_method\":\"GET\",\"request_uri\":\"/\",\"server_protocol\":\"HTTP/1.1\",\"scheme\":\"http\",",
            "\"status\":200,\"body_bytes_sent\":5,\"http_referer\":\"-\",\"http_user_agent\":\"a\\\\x22 \\\\x5C\\\\x0A{b\",",
            "\"request_time\":0.001,\"upstream\":\"instance-8811\",\"upstream_addr\":\"-\",\"upstream_status\":\"-\",",
            "\"queue_time\":0.000,\"chosen\":\"turn\",\"request_id\":\"7f\",\"retries\":\"connect\",\"retry_budget\":\"-\",\"flag\":\"-\",\"by\":\"-\",\"host\":\"-\"}\n",
        ] {
            assert!(json.contains(part), "{part} is not in {json}");
        }
    }

    #[test]
    fn path_and_query_are_told_as_they_were_written() {
        for (target, expected) in [
            ("/a%20b/?c=/d?e", "/a%20b/ c=/d?e c=/d?e"),
            ("/a?", "/a - -"),
            ("/http://b/c", "/http://b/c - -"),
            ("http://a.example/b?c", "/b c c"),
            ("http://a.example?c", "/ c c"),
            ("*", "* - -"),
        ] {
            let (asked, mut out) = (Asked::new(b"GET", target.as_bytes(), "HTTP/1.1", None, None), String::new());
            render_as(&"$uri $args ${query_string}".parse().unwrap(), &mut out, ["t", "i"], &line(&asked));
            assert_eq!(out, format!("{expected}\n"), "{target}");
        }
    }

    #[test]
    fn a_client_cannot_write_lines_of_its_own() {
        let asked = Asked::new(b"GET", b"/", "HTTP/1.1", None, Some(b"a\" 200 \\ \xff\tb"));
        let mut out = String::new();
        render(&mut out, "t", &line(&asked));
        assert!(out.contains(r#""a\x22 200 \x5C \xFF\x09b""#), "{out}");
    }
}
