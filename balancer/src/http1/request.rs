//! The head of a request (RFC 9112, 2 to 6), read as its bytes arrive.

use super::{
    Bounds, Refusal, Span, Version,
    fields::{self, ASKED_ONCE, Field, Kind, Once},
    framing::{Connection, Framing, Said},
    grammar,
    lines::Lines,
    target::{self, Target},
};

/// A request's head. All spans are of the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Span,
    /// What it is for.
    pub target: Target,
    /// The target as it was written.
    pub target_text: Span,
    /// Its version.
    pub version: Version,
    /// The value of its `Host`; HTTP/1.0 may go without.
    pub host: Option<Span>,
    /// Where its body ends.
    pub framing: Framing,
    /// Whether the connection stays for another request.
    pub stays: bool,
    /// The protocols that it asks to switch to.
    pub upgrade: Option<Span>,
    /// Whether the client waits to be told to send the body.
    pub expects: bool,
    /// Whether `Connection` names fields that are not to be passed on.
    pub names: bool,
    /// Bytes of the head, with what came before it and the empty line after it.
    pub length: usize,
}

impl Request {
    /// The host that it is for, without a port, and the path and query as they were written. The target's host wins
    /// over `Host` (RFC 9112, 3.2.2); without either it is empty.
    #[must_use]
    pub fn place<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let (authority, path) = match self.target {
            Target::Absolute { authority, path, .. } => (Some(authority), path.of(bytes)),
            Target::Authority(authority) => (Some(authority), &b"/"[..]),
            Target::Origin(path) => (self.host, path.of(bytes)),
            Target::Asterisk => (self.host, &b"*"[..]),
        };
        (authority.map_or(&b""[..], |authority| without_port(authority.of(bytes))), path)
    }
}

/// The host in what may name a port too.
pub(crate) fn without_port(authority: &[u8]) -> &[u8] {
    let colon = authority.iter().rposition(|&byte| byte == b':');
    // Not one within the brackets of an address.
    let end = colon.filter(|&colon| !authority[colon..].contains(&b']')).unwrap_or(authority.len());
    &authority[..end]
}

/// It asks for other protocols twice, or for what are none (RFC 9110, 7.8).
pub(crate) const UPGRADES: Refusal = Refusal::Bad("the request has more than one Upgrade");
pub(crate) const BAD_UPGRADE: Refusal = Refusal::Bad("the Upgrade of the request is not valid");

/// A TRACE comes with a body (RFC 9110, 9.3.8).
pub(crate) const TRACE_BODY: Refusal = Refusal::Bad("a TRACE has no body");

#[derive(Debug, Clone, Copy)]
struct Line {
    method: Span,
    target: Target,
    target_text: Span,
    version: Version,
}

/// Reads heads of requests, one after the other, without new memory for each.
#[derive(Debug, Default)]
pub struct Reader {
    lines: Lines,
    line: Option<Line>,
    fields: Vec<Field>,
    /// Whether there was an empty line before the request.
    was_empty: bool,
}

impl Reader {
    /// Reads on. `bytes` is everything from the beginning of the request; the head once it is there whole.
    ///
    /// # Errors
    ///
    /// The request is not to be taken; there is no telling where another one begins.
    pub fn read(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Option<Request>, Refusal> {
        while let Some(line) = self.lines.next(bytes)? {
            if self.lines.at() > bounds.size {
                return Err(self.too_large());
            }
            match (self.line, line.is_empty()) {
                // One empty line before a request is passed over (RFC 9112, 2.2).
                (None, true) if !self.was_empty => self.was_empty = true,
                (None, _) => self.line = Some(request_line(bytes, line, bounds.lenient_query)?),
                (Some(first), true) => return self.finish(bytes, first).map(Some),
                (Some(_), false) if self.fields.len() == bounds.fields => return Err(Refusal::TooManyFields),
                (Some(_), false) => self.fields.push(fields::parse(bytes, line)?),
            }
        }
        if bytes.len() > bounds.size { Err(self.too_large()) } else { Ok(None) }
    }

    /// The fields of the head that was read last.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Whether nothing of a request has come yet.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.line.is_none() && self.lines == Lines::default()
    }

    /// Begins with another request.
    pub fn reset(&mut self) {
        self.lines = Lines::default();
        self.line = None;
        self.fields.clear();
        self.was_empty = false;
    }

    fn too_large(&self) -> Refusal {
        if self.line.is_none() { Refusal::TargetTooLong } else { Refusal::HeadTooLarge }
    }

    fn finish(&self, bytes: &[u8], line: Line) -> Result<Request, Refusal> {
        let (mut said, mut connection) = (Said::default(), Connection::default());
        let (mut host, mut upgrade, mut expects, mut once) = (None, None, false, Once::of(ASKED_ONCE));
        for field in &self.fields {
            let value = field.value.of(bytes);
            match field.kind {
                Kind::Host if host.is_some() => return Err(Refusal::Bad("the request has more than one Host")),
                Kind::Host if !target::is_host(value) => {
                    return Err(Refusal::Bad("the Host of the request is not valid"));
                }
                Kind::Host => host = Some(field.value),
                Kind::ContentLength | Kind::TransferEncoding => said.note(bytes, field)?,
                Kind::Connection => connection.note(value)?,
                Kind::Upgrade if upgrade.is_some() => return Err(UPGRADES),
                Kind::Upgrade if !fields::are_protocols(value) => return Err(BAD_UPGRADE),
                Kind::Upgrade => upgrade = Some(field.value),
                Kind::Expect => expects = true,
                Kind::ContentType | Kind::Leading | Kind::Other => once.note(field.name.of(bytes))?,
                _ => {}
            }
        }
        let current = line.version == Version::Http11;
        if host.is_none() && current {
            return Err(Refusal::Bad("the request has no Host"));
        }
        let framing = said.framing(line.version)?.unwrap_or(Framing::None);
        if framing != Framing::None && line.method.of(bytes) == b"TRACE" {
            return Err(TRACE_BODY);
        }
        Ok(Request {
            method: line.method,
            target: line.target,
            target_text: line.target_text,
            version: line.version,
            host,
            framing,
            // A proxy does not keep connections of HTTP/1.0 (RFC 9112, C.2.2).
            stays: current && !connection.close,
            upgrade: upgrade
                .filter(|_| connection.upgrade && current && matches!(framing, Framing::None | Framing::Length(0))),
            expects: expects && current,
            names: connection.names,
            length: self.lines.at(),
        })
    }
}

fn request_line(bytes: &[u8], line: Span, lenient_query: bool) -> Result<Line, Refusal> {
    const BAD_LINE: Refusal = Refusal::Bad("the first line is not one of a request");
    let mut words = line.of(bytes).split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BAD_LINE);
    };
    if !grammar::is_token(method) {
        return Err(BAD_LINE);
    }
    let version = Version::parse(version)?;
    let name = Span { start: line.start, end: line.start + method.len() };
    let target_text = Span { start: name.end + 1, end: name.end + 1 + target.len() };
    let target = Target::parse(method, bytes, target_text, lenient_query)?;
    Ok(Line { method: name, target, target_text, version })
}
