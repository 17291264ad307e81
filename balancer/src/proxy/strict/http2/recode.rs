//! Heads of requests on their way to `h2`: read here, judged by the letter, and written anew so that `h2` keeps nothing of
//! them. By itself it ends the connection for what is wrong with one field, leaves some of it out without a word (a fragment
//! of `:path`, pseudo-fields among trailers), and holds a whole read for each field that a client wants kept. Pure.

use crate::{
    hpack::{self, Decoder, Field, Garbled, OVERHEAD},
    http1::{Refusal, fields},
};

/// What requests have, and what answers have, of which `h2` knows that no request has it.
const PSEUDO: [&[u8]; 6] = [b":method", b":scheme", b":authority", b":path", b":status", b":protocol"];

/// What stands in the place of those that cannot go on (RFC 7541, Appendix A): without them `h2` would not let us answer.
const SOME: [(&[u8], u8); 3] = [(b":method", 0x82), (b":path", 0x84), (b":scheme", 0x87)];

/// Decodes the heads of a connection, and codes them anew.
#[derive(Debug)]
pub(super) struct Recoder {
    decoder: Decoder,
    block: Block,
}

/// A head as it is written anew.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    /// How large it is (RFC 9113, 6.5.2), and may be without this.
    size: usize,
    most: usize,
    is_trailer: bool,
    refusal: Option<Refusal>,
}

impl Recoder {
    /// Each may be as large as this, without it.
    pub(super) fn new(most: usize) -> Self {
        let block = Block { bytes: Vec::new(), size: 0, most, is_trailer: false, refusal: None };
        Self { decoder: Decoder::new(most), block }
    }

    /// A head begins, or trailers.
    pub(super) fn begin(&mut self, is_trailer: bool) {
        self.decoder.begin();
        self.block.bytes.clear();
        (self.block.size, self.block.is_trailer, self.block.refusal) = (0, is_trailer, None);
    }

    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), Garbled> {
        let block = &mut self.block;
        self.decoder.read(bytes, |field| block.take(&field))
    }

    /// It has ended: what is written of it, and why it is refused that has it.
    pub(super) fn end(&mut self) -> Result<(&[u8], Option<Refusal>), Garbled> {
        self.decoder.end()?;
        Ok((&self.block.bytes, self.block.refusal))
    }

    /// Holds no more memory than what has to be known for the next one.
    pub(super) fn rest(&mut self) {
        self.decoder.rest();
        self.block.bytes = Vec::new();
    }
}

impl Block {
    fn take(&mut self, field: &Field<'_>) {
        self.size = self.size.saturating_add(field.length + OVERHEAD);
        let checked = if self.size >= self.most { Err(Refusal::HeadTooLarge) } else { check(field, self.is_trailer) };
        match checked {
            Ok(()) => hpack::put(&mut self.bytes, field),
            Err(refusal) => {
                self.refusal.get_or_insert(refusal);
                let some = SOME.iter().find(|(name, _)| *name == field.name && !self.is_trailer);
                self.bytes.extend(some.map(|(_, some)| some));
            }
        }
    }
}

/// What `h2` says nothing about, or more than is due (RFC 9113, 8.2.1 and 8.3).
fn check(field: &Field<'_>, is_trailer: bool) -> Result<(), Refusal> {
    let bad = |why| Err(Refusal::Bad(why));
    let (name, value) = (field.name, field.value);
    if name.first() == Some(&b':') {
        return match name {
            _ if is_trailer => bad("there is a pseudo-field among the trailers"),
            _ if !PSEUDO.contains(&name) => bad("there is a pseudo-field that no request has"),
            _ if !value.iter().all(u8::is_ascii_graphic) => bad("there is a letter in the head that may not be there"),
            b":method" if field.number == 0 && !fields::is_token(value) => bad("the method of the request is none"),
            b":status" => bad("there is a pseudo-field that no request has"),
            b":path" if value.contains(&b'#') => bad("the path of the request has a fragment"),
            _ => Ok(()),
        };
    }
    if !fields::is_token(name) || name.iter().any(u8::is_ascii_uppercase) {
        return bad("there is a name in the head that no field has");
    }
    let is_text = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
    if value.iter().all(is_text) { Ok(()) } else { bad("there is a letter in the head that may not be there") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields with their names and values as they are; what is written of them, and whether they are refused.
    fn taken(fields: &[(&str, &str)], is_trailer: bool) -> (Vec<u8>, Option<Refusal>) {
        let mut heads = Recoder::new(400);
        heads.begin(is_trailer);
        for (name, value) in fields {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            let length = name.len() + value.len();
            heads.block.take(&Field { number: 0, known: 0, name, value, length });
        }
        let (bytes, refusal) = heads.end().unwrap();
        (bytes.to_vec(), refusal)
    }

    #[test]
    fn what_no_field_has_is_refused_and_left_out() {
        for (name, value) in [
            ("X", "y"),
            ("x y", "z"),
            ("", "y"),
            ("x:", "y"),
            ("x\r\ny", "z"),
            ("x", "a\r\nb: c"),
            ("x", "a\0"),
            ("x", "\x7f"),
            (":x", "y"),
            (":method", "GET / HTTP/1.1\r\n"),
            (":authority", "a b"),
            (":method", ""),
            (":method", "G(T"),
            (":status", "abc"),
        ] {
            let (bytes, refusal) = taken(&[("a", "b"), (name, value)], false);
            let some = if name == ":method" { &[0x82][..] } else { &[] };
            assert_eq!(bytes, [&[0, 1, b'a', 1, b'b'], some].concat(), "{name:?}");
            assert!(matches!(refusal, Some(Refusal::Bad(_))), "{name:?}");
        }
        for (name, value) in [("x-y_z", "a\tb \u{e9}"), ("x", ""), (":path", "/?a"), (":authority", "a:1")] {
            assert_eq!(taken(&[(name, value)], false).1, None, "{name:?}");
        }
    }

    #[test]
    fn a_path_that_cannot_go_on_has_another_in_its_place_and_trailers_have_none() {
        for path in ["/a#b", "/a b", &"/x".repeat(300)] {
            let (bytes, refusal) = taken(&[(":path", path)], false);
            assert!(bytes == [0x84] && refusal.is_some(), "{path}");
            let (bytes, refusal) = taken(&[(":path", path)], true);
            assert!(bytes.is_empty() && refusal.is_some(), "{path}");
        }
        assert!(taken(&[(":path", "/")], true).1.is_some());
    }

    #[test]
    fn a_head_is_as_large_as_it_may_be_and_no_more_is_written() {
        let value = "y".repeat(67);
        let fields = [("x", value.as_str()); 10];
        let (bytes, refusal) = taken(&fields[..3], false);
        assert_eq!((bytes.len(), refusal), (3 * 71, None));
        let (bytes, refusal) = taken(&fields, false);
        assert_eq!((bytes.len(), refusal), (3 * 71, Some(Refusal::HeadTooLarge)));
        let long = "/x".repeat(300);
        let (bytes, _) =
            taken(&[(":path", &long), (":method", "GET"), (":scheme", "https"), (":authority", "a")], false);
        assert_eq!(bytes, [0x84, 0x82, 0x87]);
    }
}
