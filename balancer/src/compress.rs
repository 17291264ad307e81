//! Which answers are compressed on their way, and how their heads say so: by type, length and what the client takes. Pure.
//!
//! An answer that is coded already, is a part of something, or shall not be changed by anybody on the way stays as it is.

use self::accepted::Accepted;

pub mod accepted;
pub mod encoder;

/// A way to make bytes fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// All of them, the one we like best first.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// What HTTP calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Most memory that the coding of one body takes, with what has come out and not gone on.
    #[must_use]
    pub fn memory(self) -> usize {
        match self {
            Self::Zstd => 1536 * 1024,
            Self::Gzip => 512 * 1024,
        }
    }

    /// How the name of a file goes on that holds another one in it.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// What is compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compress {
    /// Types of content, in lower case and without parameters.
    pub types: Vec<String>,
    /// Bytes below which it is not worth it; an answer that does not tell its length is taken to be long.
    pub min_length: u64,
}

impl Default for Compress {
    fn default() -> Self {
        let types = [
            "text/html",
            "text/css",
            "text/plain",
            "text/csv",
            "text/markdown",
            "text/xml",
            "text/javascript",
            "application/javascript",
            "application/json",
            "application/x-ndjson",
            "application/problem+json",
            "application/ld+json",
            "application/manifest+json",
            "application/xml",
            "application/rss+xml",
            "application/atom+xml",
            "application/wasm",
            "image/svg+xml",
        ];
        Self { types: types.map(str::to_owned).to_vec(), min_length: 1024 }
    }
}

/// What is known of an answer before its body.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`.
    pub kind: Option<&'a [u8]>,
    /// Its `ETag`.
    pub tag: Option<&'a [u8]>,
    /// How long its body is, if that is known.
    pub length: Option<u64>,
    /// Whether something about it says that its bytes have to stay.
    pub is_sealed: bool,
}

impl<'a> Candidate<'a> {
    /// Of the fields of its head, with their values.
    pub fn of(status: u16, length: Option<u64>, fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut candidate = Self { status, kind: None, tag: None, length, is_sealed: false };
        for (name, value) in fields {
            if name.eq_ignore_ascii_case(b"content-type") {
                candidate.kind.get_or_insert(value);
            } else if name.eq_ignore_ascii_case(b"etag") {
                candidate.tag.get_or_insert(value);
            } else {
                candidate.is_sealed |= seals(name, value);
            }
        }
        candidate
    }

    /// Whether a list of tags names its tag as [`mark`] makes it weak.
    #[must_use]
    pub fn is_weak_in(&self, tags: &[u8]) -> bool {
        let strong = self.tag.filter(|tag| tag.starts_with(b"\""));
        strong.is_some_and(|strong| memchr::memmem::find_iter(tags, strong).any(|at| tags[..at].ends_with(b"W/")))
    }
}

/// How an answer goes to its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it is, like to everybody.
    Untouched,
    /// As it is, to this client.
    Plain,
    /// Compressed.
    Coded(Coding),
}

impl Verdict {
    /// The coding, if there is one.
    #[must_use]
    pub fn coding(self) -> Option<Coding> {
        match self {
            Self::Untouched | Self::Plain => None,
            Self::Coded(coding) => Some(coding),
        }
    }
}

impl Compress {
    /// How an answer goes to a client that takes this.
    #[must_use]
    pub fn judge(&self, answer: Candidate<'_>, accepted: &Accepted) -> Verdict {
        // A part of what is compressed for others when it goes as a whole says so too (RFC 9110, 15.3.7).
        if answer.status == 206 && answer.kind.is_some_and(|kind| self.has(kind)) {
            return Verdict::Plain;
        }
        // Parts are not put together again if some of them are coded; the others have no body.
        if answer.is_sealed || !(200..600).contains(&answer.status) || matches!(answer.status, 204..=206 | 304) {
            return Verdict::Untouched;
        }
        let coding = accepted.best(|_| true);
        if answer.length == Some(0) {
            return Verdict::Untouched;
        }
        if !accepted.takes_plain()
            && let Some(coding) = coding
        {
            return Verdict::Coded(coding);
        }
        if !answer.kind.is_some_and(|kind| self.has(kind))
            || answer.length.is_some_and(|length| length < self.min_length)
        {
            return Verdict::Untouched;
        }
        coding.map_or(Verdict::Plain, Verdict::Coded)
    }

    /// How the answer would go that its client has already: a 304 tells the same of it (RFC 9110, 15.4.5). It may not tell
    /// the type; then `is_weak` says that the client knows it by a tag that we have made weak.
    #[must_use]
    pub fn judge_known(&self, answer: Candidate<'_>, accepted: &Accepted, is_weak: bool) -> Verdict {
        // Some tell the length of the body that a 304 has not.
        let known = Candidate { status: 200, length: answer.length.filter(|length| *length > 0), ..answer };
        if known.kind.is_some() || known.is_sealed {
            return self.judge(known, accepted);
        }
        accepted.best(|_| is_weak).map_or(Verdict::Plain, Verdict::Coded)
    }

    fn has(&self, kind: &[u8]) -> bool {
        let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        self.types.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(kind))
    }
}

/// Whether a field of an answer says that its bytes have to stay: they are coded or a part, nobody on the way may change
/// them, or it vouches for them.
#[must_use]
pub fn seals(name: &[u8], value: &[u8]) -> bool {
    const SEALS: [&[u8]; 6] =
        [b"content-encoding", b"content-range", b"content-md5", b"content-digest", b"repr-digest", b"digest"];
    SEALS.into_iter().any(|seal| name.eq_ignore_ascii_case(seal)) || forbids(name, value)
}

/// Whether a field of a request or an answer forbids changes on the way (RFC 9111, 5.2.1.6 and 5.2.2.6).
#[must_use]
pub fn forbids(name: &[u8], value: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"cache-control") && has_word(value, b"no-transform")
}

/// Whether a list has this element, in any case.
fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|element| element.trim_ascii().eq_ignore_ascii_case(word))
}

/// Writes into a head, which ends with its empty line, what a verdict says: a tag that was strong tells no longer that
/// every byte is the same, and parts of what is coded as it goes are not to be had.
pub fn mark(head: &mut Vec<u8>, verdict: Verdict) {
    if verdict == Verdict::Untouched {
        return;
    }
    let old = std::mem::take(head);
    let mut varies = false;
    for (number, line) in old.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        let value = line.get(name.len() + 1..).unwrap_or_default().trim_ascii();
        let is = |other: &[u8]| number > 0 && name.eq_ignore_ascii_case(other);
        let is_coded = verdict.coding().is_some();
        varies |= is(b"vary") && (has_word(value, b"*") || has_word(value, b"accept-encoding"));
        if line == b"\r\n" || is_coded && is(b"accept-ranges") {
            continue;
        }
        if is_coded && is(b"etag") && value.starts_with(b"\"") {
            for part in [b"ETag: W/", value, b"\r\n"] {
                head.extend_from_slice(part);
            }
        } else {
            head.extend_from_slice(line);
        }
    }
    // Who has it already is not told again in what (RFC 9110, 15.4.5).
    let is_known = head.get(9..12) == Some(b"304");
    if let Some(coding) = verdict.coding().filter(|_| !is_known) {
        head.extend_from_slice(b"Content-Encoding: ");
        head.extend_from_slice(coding.name().as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if !varies {
        head.extend_from_slice(b"Vary: Accept-Encoding\r\n");
    }
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, kind: &str, length: Option<u64>, accept: &str) -> Verdict {
        let accepted = Accepted::read([accept.as_bytes()].into_iter());
        let candidate = Candidate { status, kind: Some(kind.as_bytes()), tag: None, length, is_sealed: false };
        Compress::default().judge(candidate, &accepted)
    }

    #[test]
    fn what_is_listed_and_long_enough_is_compressed_as_the_client_takes_it() {
        let zstd = Verdict::Coded(Coding::Zstd);
        for (status, kind, length, accept, expected) in [
            (200, "text/html; charset=utf-8", None, "gzip, zstd", zstd),
            (404, "TEXT/HTML", Some(1024), "gzip", Verdict::Coded(Coding::Gzip)),
            (200, "text/html", Some(1024), "br", Verdict::Plain),
            (200, "text/html", Some(1023), "zstd", Verdict::Untouched),
            (200, "text/html", Some(1023), "zstd, identity;q=0", zstd),
            (200, "text/event-stream", None, "zstd", Verdict::Untouched),
            (200, "image/png", None, "zstd", Verdict::Untouched),
            (200, "image/png", None, "zstd, *;q=0", zstd),
            (200, "image/png", None, "identity;q=0", Verdict::Untouched),
            (200, "text/html", Some(0), "zstd, identity;q=0", Verdict::Untouched),
            (204, "text/html", None, "zstd", Verdict::Untouched),
            (206, "text/html", None, "zstd", Verdict::Plain),
            (206, "image/png", None, "zstd", Verdict::Untouched),
            (304, "text/html", None, "zstd", Verdict::Untouched),
        ] {
            assert_eq!(judged(status, kind, length, accept), expected, "{status} {kind} {length:?} {accept}");
        }
    }

    #[test]
    fn what_has_to_stay_says_so() {
        for (name, value, expected) in [
            ("Content-Encoding", "gzip", true),
            ("content-range", "bytes 0-1/2", true),
            ("Cache-Control", "public, No-Transform", true),
            ("Cache-Control", "public", false),
            ("Content-Digest", "sha-256=:x:", true),
            ("X-Cache-Control", "no-transform", false),
        ] {
            assert_eq!(seals(name.as_bytes(), value.as_bytes()), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_client_is_told_of_what_it_has_as_it_was_told_before() {
        let gzip = Verdict::Coded(Coding::Gzip);
        let known = |fields: &[(&str, &str)], accept: &str, is_weak: bool| {
            let accepted = Accepted::read([accept.as_bytes()].into_iter());
            let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            Compress::default().judge_known(Candidate::of(304, Some(0), fields), &accepted, is_weak)
        };
        for (fields, accept, is_weak, expected) in [
            (&[][..], "gzip", true, gzip),
            (&[], "gzip", false, Verdict::Plain),
            (&[], "", true, Verdict::Plain),
            (&[("content-type", "text/html")], "gzip", false, gzip),
            (&[("Content-Type", "text/html")], "", true, Verdict::Plain),
            (&[("Content-Type", "image/png")], "gzip", false, Verdict::Untouched),
            (&[("Cache-Control", "no-transform")], "gzip", true, Verdict::Untouched),
        ] {
            assert_eq!(known(fields, accept, is_weak), expected, "{fields:?} {accept} {is_weak}");
        }
        let tagged = |tag: &'static str| Candidate::of(304, None, [(&b"ETag"[..], tag.as_bytes())].into_iter());
        for (tag, tags, expected) in [
            ("\"a\"", "W/\"a\"", true),
            ("\"a\"", "\"a\", W/\"a\"", true),
            ("\"a\"", "\"a\"", false),
            ("\"a\"", "W/\"b\", \"a\"", false),
            ("W/\"a\"", "W/\"a\"", false),
            ("a", "W/a", false),
        ] {
            assert_eq!(tagged(tag).is_weak_in(tags.as_bytes()), expected, "{tag} in {tags}");
        }
    }

    fn marked(fields: &str, verdict: Verdict) -> String {
        let mut head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
        mark(&mut head, verdict);
        String::from_utf8(head).unwrap().strip_prefix("HTTP/1.1 200 OK\r\n").unwrap().to_owned()
    }

    #[test]
    fn a_head_tells_the_coding_and_that_the_bytes_are_not_the_same_for_everybody() {
        let gzip = Verdict::Coded(Coding::Gzip);
        assert_eq!(
            marked("etag: \"a\"\r\nAccept-Ranges: bytes\r\nX: y\r\n", gzip),
            "ETag: W/\"a\"\r\nX: y\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n\r\n"
        );
        assert_eq!(
            marked("ETag: W/\"a\"\r\n", gzip),
            "ETag: W/\"a\"\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n\r\n"
        );
        assert_eq!(
            marked("ETag: \"a\"\r\nVary: X\r\n", Verdict::Plain),
            "ETag: \"a\"\r\nVary: X\r\nVary: Accept-Encoding\r\n\r\n"
        );
        for vary in ["vary: x, ACCEPT-encoding\r\n", "Vary: *\r\n"] {
            assert_eq!(marked(vary, Verdict::Plain), format!("{vary}\r\n"));
        }
        assert_eq!(marked("X: y\r\n", Verdict::Untouched), "X: y\r\n\r\n");
    }
}
