//! What RFC 9113 asks of the fields of one head, in their order. Whatever `h2` would reset a stream for is refused here, so that it
//! gets an answer and a line in the log. Pure.

use http::uri::{Authority, PathAndQuery, Scheme};

use crate::{
    hpack::Field,
    http1::{Refusal, fields},
};

/// What requests have (8.3.1).
const PSEUDO: [&[u8]; 4] = [METHOD, SCHEME, b":authority", PATH];
const METHOD: &[u8] = b":method";
const SCHEME: &[u8] = b":scheme";
const PATH: &[u8] = b":path";

/// Fields that mean something for one connection of HTTP/1.1 only (8.2.2).
const OF_CONNECTIONS: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// What a head is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// A request, and whether it has no body.
    Request { is_all: bool },
    /// Its end.
    Trailers,
}

/// What has come of a head.
#[derive(Debug)]
pub(super) struct Rules {
    of: Of,
    /// Which of the pseudo-fields.
    pseudo: [bool; PSEUDO.len()],
    is_connect: bool,
    /// Whether another field has come: no pseudo-field may follow.
    has_fields: bool,
    length: Option<u64>,
}

impl Rules {
    pub(super) fn new(of: Of) -> Self {
        Self { of, pseudo: Default::default(), is_connect: false, has_fields: false, length: None }
    }

    /// Whether a field may be there.
    pub(super) fn take(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        if field.name.first() == Some(&b':') {
            return self.take_pseudo(field.name, field.value);
        }
        self.has_fields = true;
        if !fields::is_token(field.name) || field.name.iter().any(u8::is_ascii_uppercase) {
            return bad("there is a name in the head that no field has");
        }
        let is_text = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
        if !field.value.iter().all(is_text) {
            return bad("there is a letter in the head that may not be there");
        }
        // 8.2.1.
        if field.value.trim_ascii().len() < field.value.len() {
            return bad("there is a blank around the value of a field");
        }
        if OF_CONNECTIONS.contains(&field.name) || field.name == b"te" && field.value != b"trailers" {
            return bad("there is a field in the head that HTTP/2 does not have");
        }
        if field.name == b"content-length" && self.of != Of::Trailers {
            self.take_length(field.value)?;
        }
        Ok(())
    }

    /// Whether it is one, which has another form.
    pub(super) fn is_connect(&self) -> bool {
        self.is_connect
    }

    /// Whether all is there that has to be.
    pub(super) fn end(&self) -> Result<(), Refusal> {
        let Of::Request { is_all } = self.of else { return Ok(()) };
        let [method, scheme, _, path] = self.pseudo;
        match (method, self.is_connect, scheme, path) {
            (false, ..) => bad("the request has no method"),
            // 8.5.
            (_, true, true, _) | (_, true, _, true) => bad("a CONNECT has neither scheme nor path"),
            (_, false, false, _) => bad("the request has no scheme"),
            (_, false, _, false) => bad("the request has no path"),
            _ if is_all && self.length.is_some_and(|length| length > 0) => {
                bad("the Content-Length tells of a body that does not follow")
            }
            _ => Ok(()),
        }
    }

    fn take_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if self.of == Of::Trailers {
            return bad("there is a pseudo-field among the trailers");
        }
        let Some(place) = PSEUDO.iter().position(|known| *known == name) else {
            return bad("there is a pseudo-field that no request has");
        };
        if self.has_fields {
            return bad("there is a pseudo-field behind a field");
        }
        if std::mem::replace(&mut self.pseudo[place], true) {
            return bad("there is a pseudo-field twice");
        }
        match name {
            METHOD if !fields::is_token(value) => bad("the method of the request is none"),
            METHOD => {
                self.is_connect = value == b"CONNECT";
                Ok(())
            }
            _ if !value.iter().all(u8::is_ascii_graphic) => bad("there is a letter in the head that may not be there"),
            SCHEME if value.is_empty() || Scheme::try_from(value).is_err() => bad("the scheme of the request is none"),
            SCHEME => Ok(()),
            PATH if value.contains(&b'#') => bad("the path of the request has a fragment"),
            PATH if value.is_empty() || PathAndQuery::try_from(value).is_err() => {
                bad("the path of the request is none")
            }
            PATH => Ok(()),
            _ if Authority::try_from(value).is_err() => bad("the host of the request is none"),
            _ => Ok(()),
        }
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        // As many digits as h2 takes, which are more than anybody needs.
        let digits = value.iter().all(u8::is_ascii_digit).then_some(value).filter(|digits| digits.len() < 20);
        let length = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if self.length.is_some() {
            return bad("there is more than one Content-Length");
        }
        self.length = length;
        if length.is_none() { bad("the Content-Length is not valid") } else { Ok(()) }
    }
}

fn bad<T>(why: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Bad(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(of: Of, fields: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut rules = Rules::new(of);
        for (name, value) in fields {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            rules.take(&Field { number: 0, known: 0, name, value, length: name.len() + value.len() })?;
        }
        rules.end()
    }

    fn of_request(pseudo: &[(&str, &str)], fields: &[(&str, &str)]) -> Result<(), Refusal> {
        checked(Of::Request { is_all: true }, &[pseudo, fields].concat())
    }

    const USUAL: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")];

    #[test]
    fn fields_that_none_has_are_refused_wherever_they_are() {
        for field in [
            ("X", "y"),
            ("x y", "z"),
            ("", "y"),
            ("x:", "y"),
            ("x\r\ny", "z"),
            ("x", "a\r\nb: c"),
            ("x", "a\0"),
            ("x", "\x7f"),
            ("x", " y"),
            ("x", "y\t"),
            (":x", "y"),
            (":status", "200"),
            (":protocol", "websocket"),
            ("connection", "x"),
            ("keep-alive", "x"),
            ("proxy-connection", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("te", "gzip"),
            ("te", "trailers, deflate"),
        ] {
            assert!(of_request(&USUAL, &[field]).is_err(), "{field:?}");
            assert!(checked(Of::Trailers, &[field]).is_err(), "{field:?}");
        }
        for field in [("x-y_z", "a\tb \u{e9}"), ("x", ""), ("te", "trailers"), ("cookie", "a=b"), ("host", "a")] {
            assert_eq!(of_request(&USUAL, &[field, field]), Ok(()), "{field:?}");
            assert_eq!(checked(Of::Trailers, &[field]), Ok(()), "{field:?}");
        }
        assert!(checked(Of::Trailers, &USUAL[3..]).is_err());
    }

    #[test]
    fn pseudo_fields_come_first_once_and_as_they_are_written() {
        for at in 0..USUAL.len() {
            let mut without = USUAL.to_vec();
            without.remove(at);
            // The host may be named by a field.
            assert_eq!(of_request(&without, &[]).is_ok(), at == 2, "{at}");
            assert!(of_request(&USUAL, &USUAL[at..=at]).is_err(), "{at}");
            assert!(of_request(&without, &[("x", "y"), USUAL[at]]).is_err(), "{at}");
            for value in ["", "a b", "a\r\nb", "/#b", "\u{e9}", "<>"] {
                let with = [&without[..], &[(USUAL[at].0, value)]].concat();
                assert!(of_request(&with, &[]).is_err(), "{at} {value:?}");
            }
        }
        let mut turned = USUAL;
        turned.reverse();
        assert_eq!(of_request(&turned, &[]), Ok(()));
        assert_eq!(of_request(&[(":method", "CONNECT"), (":authority", "a:1")], &[]), Ok(()));
        assert!(of_request(&[&[(":method", "CONNECT")], &USUAL[2..]].concat(), &[]).is_err());
        assert_eq!(of_request(&[("", ""); 0], &[]), bad("the request has no method"));
    }

    #[test]
    fn a_length_is_one_number_and_of_what_follows() {
        let with = |is_all, values: &[&'static str]| {
            let lengths: Vec<_> = values.iter().map(|value| ("content-length", *value)).collect();
            checked(Of::Request { is_all }, &[&USUAL[..], &lengths].concat())
        };
        for value in ["0", "00", "5", "0005", "9999999999999999999"] {
            assert_eq!(with(false, &[value]), Ok(()), "{value}");
            assert_eq!(with(true, &[value]).is_ok(), value.trim_matches('0').is_empty(), "{value}");
        }
        for values in [&[""][..], &["+5"], &["5, 5"], &["a"], &["18446744073709551616"], &["5", "5"], &["5", "6"]] {
            assert!(with(false, values).is_err(), "{values:?}");
        }
    }
}
