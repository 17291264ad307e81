//! Conditions that requests make (RFC 9110, 13): whether a file is still the one that a client knows. Pure.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// By what a file is known as the same. Two files of one path that have the same tag have the same bytes, unless one was
/// put in the place of the other with its time and its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    /// With its quotes, and strong.
    pub tag: String,
    /// In whole seconds, as HTTP tells it.
    pub modified: SystemTime,
}

impl Validators {
    /// Of a file, or of what it is in a coding, which is something else.
    #[must_use]
    pub fn new(modified: SystemTime, length: u64, coding: Option<&str>, now: SystemTime) -> Self {
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        // What seems to come from the future is as of now (RFC 9110, 8.8.2.1).
        let told = modified.min(now).duration_since(UNIX_EPOCH).unwrap_or_default();
        let (dash, coding) = coding.map_or(("", ""), |coding| ("-", coding));
        // As in nginx, but to the nanosecond: what is written twice in a second differs.
        let tag = format!("\"{:x}-{length:x}{dash}{coding}\"", since.as_nanos());
        Self { tag, modified: UNIX_EPOCH + Duration::from_secs(told.as_secs()) }
    }
}

/// What a request makes conditions of.
#[derive(Debug, Default)]
pub struct Conditions<'a> {
    if_match: Option<Cow<'a, [u8]>>,
    if_none_match: Option<Cow<'a, [u8]>>,
    if_modified_since: Option<&'a [u8]>,
    if_unmodified_since: Option<&'a [u8]>,
    if_range: Option<&'a [u8]>,
    range: Option<&'a [u8]>,
}

/// What follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They hold.
    Go,
    /// The client has it.
    NotModified,
    /// They do not hold.
    Failed,
}

impl<'a> Conditions<'a> {
    /// Those of a request; `all` finds the values of its fields of a name.
    pub fn of<I: Iterator<Item = &'a [u8]>>(all: impl Fn(&'static str) -> I) -> Self {
        let list = |name| {
            let mut values = all(name);
            let first = values.next()?;
            let rest: Vec<&[u8]> = values.collect();
            Some(if rest.is_empty() {
                Cow::Borrowed(first)
            } else {
                Cow::Owned([&[first], &rest[..]].concat().join(&b", "[..]))
            })
        };
        // What may stand once and stands twice says nothing.
        let only = |name| {
            let mut values = all(name);
            values.next().filter(|_| values.next().is_none())
        };
        Self {
            if_match: list("if-match"),
            if_none_match: list("if-none-match"),
            if_modified_since: only("if-modified-since"),
            if_unmodified_since: only("if-unmodified-since"),
            if_range: only("if-range"),
            range: only("range"),
        }
    }

    /// Whether they hold of a file that is there, for a GET or a HEAD (RFC 9110, 13.2.2).
    #[must_use]
    pub fn check(&self, file: &Validators) -> Outcome {
        let is_later = |date: Option<&[u8]>| date.and_then(time).map(|date| file.modified > date);
        match (&self.if_match, is_later(self.if_unmodified_since)) {
            (Some(tags), _) if !has(tags, |tag| tag == file.tag.as_bytes()) => return Outcome::Failed,
            (None, Some(true)) => return Outcome::Failed,
            _ => {}
        }
        let weakly = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag) == file.tag.as_bytes();
        match (&self.if_none_match, is_later(self.if_modified_since)) {
            (Some(tags), _) if has(tags, weakly) => Outcome::NotModified,
            (None, Some(false)) => Outcome::NotModified,
            _ => Outcome::Go,
        }
    }

    /// The range, if there is one and the file is the one that it is of (RFC 9110, 13.1.5).
    #[must_use]
    pub fn range(&self, file: &Validators, now: SystemTime) -> Option<&'a [u8]> {
        let is_same = match self.if_range {
            None => true,
            Some(tag) if tag.starts_with(b"\"") || tag.starts_with(b"W/") => tag == file.tag.as_bytes(),
            // Of what was written in this second, there may be more to come in it.
            Some(date) => {
                time(date) == Some(file.modified)
                    && now.duration_since(file.modified).is_ok_and(|age| age.as_secs() > 1)
            }
        };
        self.range.filter(|_| is_same)
    }

    /// Whether a part may be asked for.
    #[must_use]
    pub fn has_range(&self) -> bool {
        self.range.is_some()
    }
}

/// A date in one of the three forms that there are (RFC 9110, 5.6.7).
fn time(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()
}

/// Whether a list of tags, or `*`, has one that `is_it`. Of a list with something else in it, what comes before that counts.
fn has(list: &[u8], is_it: impl Fn(&[u8]) -> bool) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    loop {
        rest = rest.trim_ascii_start();
        if let Some(behind) = rest.strip_prefix(b",") {
            rest = behind;
            continue;
        }
        let start = if rest.starts_with(b"W/") { 2 } else { 0 };
        if rest.get(start) != Some(&b'"') {
            return false;
        }
        let Some(length) = rest[start + 1..].iter().position(|&byte| byte == b'"') else { return false };
        let (tag, behind) = rest.split_at(start + length + 2);
        if is_it(tag) {
            return true;
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sunday, 06-Nov-94 08:49:38 GMT";

    fn file() -> Validators {
        let modified = httpdate::parse_http_date(THEN).unwrap();
        Validators { tag: "\"a\"".to_owned(), modified }
    }

    fn conditions<'a>(fields: &'a [(&str, &str)]) -> Conditions<'a> {
        Conditions::of(|name| {
            let named = fields.iter().filter(move |(known, _)| *known == name);
            named.map(|(_, value)| value.as_bytes())
        })
    }

    #[test]
    fn conditions_hold_in_the_order_of_the_standard() {
        use Outcome::{Failed, Go, NotModified};
        for (fields, expected) in [
            (&[][..], Go),
            (&[("if-none-match", "\"a\"")][..], NotModified),
            (&[("if-none-match", "W/\"a\"")], NotModified),
            (&[("if-none-match", "\"x\", W/\"y,z\" ,\"a\"")], NotModified),
            (&[("if-none-match", "\"x\""), ("if-none-match", "\"a\"")], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (&[("if-none-match", "\"x,\"a\"")], Go),
            (&[("if-none-match", "a")], Go),
            (&[("if-none-match", "")], Go),
            (&[("if-none-match", "w/\"a\"")], Go),
            (&[("if-match", "\"a\"")], Go),
            (&[("if-match", "*")], Go),
            (&[("if-match", "W/\"a\"")], Failed),
            (&[("if-match", "\"x\"")], Failed),
            (&[("if-modified-since", THEN)], NotModified),
            (&[("if-modified-since", AFTER)], NotModified),
            (&[("if-modified-since", "Sun Nov  6 08:49:38 1994")], NotModified),
            (&[("if-modified-since", BEFORE)], Go),
            (&[("if-modified-since", "yesterday")], Go),
            (&[("if-modified-since", THEN), ("if-modified-since", THEN)], Go),
            (&[("if-unmodified-since", THEN)], Go),
            (&[("if-unmodified-since", BEFORE)], Failed),
            (&[("if-unmodified-since", "yesterday")], Go),
            // A tag tells more than a date.
            (&[("if-none-match", "\"x\""), ("if-modified-since", THEN)], Go),
            (&[("if-match", "\"a\""), ("if-unmodified-since", BEFORE)], Go),
            // Whether it is the right one comes before whether the client has it.
            (&[("if-match", "\"x\""), ("if-none-match", "\"a\"")], Failed),
            (&[("if-match", "\"a\""), ("if-none-match", "\"a\"")], NotModified),
            (&[("if-unmodified-since", THEN), ("if-modified-since", THEN)], NotModified),
        ] {
            assert_eq!(conditions(fields).check(&file()), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_range_is_of_the_file_that_it_names() {
        let later = file().modified + Duration::from_secs(60);
        let range = ("range", "bytes=0-1");
        for (fields, now, expected) in [
            (&[range][..], later, true),
            (&[range, range], later, false),
            (&[range, ("if-range", "\"a\"")], later, true),
            (&[range, ("if-range", "W/\"a\"")], later, false),
            (&[range, ("if-range", "\"x\"")], later, false),
            (&[range, ("if-range", THEN)], later, true),
            (&[range, ("if-range", THEN)], file().modified + Duration::from_secs(1), false),
            (&[range, ("if-range", AFTER)], later, false),
            (&[range, ("if-range", BEFORE)], later, false),
            (&[("if-range", "\"a\"")], later, false),
        ] {
            assert_eq!(conditions(fields).range(&file(), now).is_some(), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_tag_depends_on_time_length_and_coding() {
        let at = |nanos| UNIX_EPOCH + Duration::from_nanos(nanos);
        let tags: std::collections::HashSet<String> =
            [(at(1), 1, None), (at(2), 1, None), (at(1), 2, None), (at(1), 1, Some("gzip"))]
                .map(|(modified, length, coding)| Validators::new(modified, length, coding, at(9)).tag)
                .into();
        assert_eq!(tags.len(), 4);
        let told = |now| Validators::new(at(2_500_000_000), 1, None, at(now)).modified;
        assert_eq!((told(3_000_000_000), told(1_500_000_000)), (at(2_000_000_000), at(1_000_000_000)));
    }

    proptest! {
        #[test]
        fn a_tag_is_found_in_any_list_that_has_it_and_nothing_breaks_the_search(
            before in proptest::collection::vec("(W/)?\"[!#-~]{0,5}\"", 0..5),
            noise in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let has_it = |list: &[u8]| has(list, |tag| tag == b"\"a\"");
            let list = format!("{},\"a\"", before.join(" , "));
            prop_assert!(has_it(list.as_bytes()));
            has_it(&noise);
        }
    }
}
