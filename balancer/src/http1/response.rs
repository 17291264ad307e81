//! The head of an answer (RFC 9112, 4 to 6), read as its bytes arrive, by whoever sent the request that it answers.

use super::{
    Bounds, Refusal, Span, Version,
    fields::{self, Field, Kind, ONCE, Once},
    framing::{Connection, Framing, Said},
    grammar,
    lines::Lines,
};

/// There is content in a 205 (RFC 9110, 15.3.6).
pub(crate) const CONTENT_OF_205: Refusal = Refusal::Bad("a 205 has no content, but there is some");

/// An answer's head. All spans are of the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    /// Its status, 100 to 599.
    pub status: u16,
    /// The words behind it.
    pub reason: Span,
    /// Its version.
    pub version: Version,
    /// Where its body ends.
    pub framing: Framing,
    /// The length that it tells, of a body that may not follow.
    pub length_told: Option<u64>,
    /// Whether it tells of content that does not follow, as an answer to HEAD does.
    pub withholds: bool,
    /// Whether the connection stays for another request.
    pub stays: bool,
    /// The protocol that it switches to.
    pub upgrade: Option<Span>,
    /// Whether `Connection` names fields that are not to be passed on.
    pub names: bool,
    /// Whether it tells its date.
    pub dated: bool,
    /// Bytes of the head, with the empty line after it.
    pub length: usize,
}

/// Reads heads of answers, one after the other, without new memory for each.
#[derive(Debug, Default)]
pub struct Reader {
    lines: Lines,
    line: Option<(Version, u16, Span)>,
    fields: Vec<Field>,
}

impl Reader {
    /// Reads on. `bytes` is everything from the beginning of the answer; the head once it is there whole. `to_head`: the
    /// request was a HEAD.
    ///
    /// # Errors
    ///
    /// The answer is not to be passed on, and the connection not to be used again.
    pub fn read(&mut self, bytes: &[u8], to_head: bool, bounds: Bounds) -> Result<Option<Response>, Refusal> {
        while let Some(line) = self.lines.next(bytes)? {
            if self.lines.at() > bounds.size {
                return Err(Refusal::HeadTooLarge);
            }
            match self.line {
                None => self.line = Some(status_line(bytes, line)?),
                Some(first) if line.is_empty() => return self.finish(bytes, first, to_head).map(Some),
                Some(_) if self.fields.len() == bounds.fields => return Err(Refusal::TooManyFields),
                Some(_) => self.fields.push(fields::parse(bytes, line)?),
            }
        }
        if bytes.len() > bounds.size { Err(Refusal::HeadTooLarge) } else { Ok(None) }
    }

    /// The fields of the head that was read last.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Begins with another answer.
    pub fn reset(&mut self) {
        self.lines = Lines::default();
        self.line = None;
        self.fields.clear();
    }

    fn finish(
        &self,
        bytes: &[u8],
        (version, status, reason): (Version, u16, Span),
        to_head: bool,
    ) -> Result<Response, Refusal> {
        let (mut said, mut connection) = (Said::default(), Connection::default());
        let (mut upgrade, mut dated, mut once) = (None, false, Once::of(ONCE));
        for field in &self.fields {
            match field.kind {
                Kind::ContentLength | Kind::TransferEncoding => said.note(bytes, field)?,
                Kind::Connection => connection.note(field.value.of(bytes))?,
                Kind::Upgrade if upgrade.is_some() && status == 101 => {
                    return Err(Refusal::Bad("it switches protocols with more than one Upgrade"));
                }
                Kind::Upgrade if upgrade.is_none() => upgrade = Some(field.value),
                Kind::Date => dated = true,
                Kind::ContentType | Kind::Leading | Kind::Other => once.note(field.name.of(bytes))?,
                _ => {}
            }
        }
        if status < 200 && version == Version::Http10 {
            return Err(Refusal::Bad("HTTP/1.0 has no interim answers"));
        }
        let framing = said.framing(version)?;
        let never = status < 200 || status == 204;
        // A length of nothing is what many write there; it moves no byte.
        if never && !matches!(framing, None | Some(Framing::Length(0))) {
            return Err(Refusal::Bad("the status has no body, but the head tells of one"));
        }
        // An empty one is told by chunks, too.
        if status == 205 && matches!(framing, Some(Framing::Length(1..))) {
            return Err(CONTENT_OF_205);
        }
        let is_bare = never || to_head || status == 304;
        Ok(Response {
            status,
            reason,
            version,
            framing: if is_bare { Framing::None } else { framing.unwrap_or(Framing::Close) },
            withholds: is_bare && !matches!(framing, None | Some(Framing::Length(0))),
            length_told: match framing {
                Some(Framing::Length(length)) if !never => Some(length),
                _ => None,
            },
            stays: version == Version::Http11 && !connection.close,
            upgrade: upgrade.filter(|_| connection.upgrade),
            names: connection.names,
            dated,
            length: self.lines.at(),
        })
    }
}

fn status_line(bytes: &[u8], line: Span) -> Result<(Version, u16, Span), Refusal> {
    let bad = |why| Err(Refusal::Bad(why));
    let text = line.of(bytes);
    let (Some(version), Some(b' ')) = (text.get(..8), text.get(8)) else {
        return bad("the first line is not one of an answer");
    };
    let version = Version::parse(version)?;
    let Some(([hundreds @ b'1'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9'], rest)) = text[9..].split_first_chunk()
    else {
        return bad("the status is not three digits from 100 to 599");
    };
    let [b' ', reason @ ..] = rest else {
        return bad("there is no blank behind the status, or more than three digits");
    };
    if !grammar::is_text(reason) {
        return bad("there is a control character behind the status");
    }
    let status = [hundreds, tens, ones].iter().fold(0, |status, digit| status * 10 + u16::from(**digit - b'0'));
    Ok((version, status, Span { start: line.start + 13, end: line.end }))
}
