//! Heads of requests on their way to `h2`: read here, judged by the [`rules`](super::rules), and written anew so that `h2` keeps
//! nothing of them. By itself it resets a stream, or ends the connection, for what is wrong with one field, leaves some of it out
//! without a word (a fragment of `:path`, pseudo-fields among trailers), and holds a whole read for each field that a client wants
//! kept. In the place of a head that is refused it gets a short one, and lets us answer. Pure.

use super::rules::{Of, Rules};
use crate::{
    hpack::{self, Decoder, Field, Garbled, OVERHEAD},
    http1::{Refusal, Span},
};

/// Instead of the method, and of the path, where there is none (RFC 7541, Appendix A), and the scheme.
const SOME_METHOD: &[u8] = b"\x82";
const SOME_PATH: &[u8] = b"\x84";
const HTTPS: &[u8] = b"\x87";

/// Decodes the heads of a connection, and codes them anew.
#[derive(Debug)]
pub(super) struct Recoder {
    decoder: Decoder,
    written: Vec<u8>,
    /// Where in it the method is, and the path.
    method: Span,
    path: Span,
    /// How large the head is (RFC 9113, 6.5.2), and may be without this.
    size: usize,
    most: usize,
    rules: Rules,
    of: Of,
    refusal: Option<Refusal>,
}

/// A head that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Odd {
    pub(super) refusal: Refusal,
    /// Whether `h2` has the method that was asked for, and the path; else others.
    pub(super) has_method: bool,
    pub(super) has_path: bool,
}

impl Recoder {
    /// Each may be as large as this, without it.
    pub(super) fn new(most: usize) -> Self {
        let (of, decoder) = (Of::Trailers, Decoder::new(most));
        let (written, method, path) = Default::default();
        Self { decoder, written, method, path, size: 0, most, rules: Rules::new(of), of, refusal: None }
    }

    /// A head begins.
    pub(super) fn begin(&mut self, of: Of) {
        self.decoder.begin();
        self.written.clear();
        (self.method, self.path) = Default::default();
        (self.size, self.rules, self.of, self.refusal) = (0, Rules::new(of), of, None);
    }

    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), Garbled> {
        let Self { decoder, written, method, path, size, most, rules, refusal, .. } = self;
        decoder.read(bytes, |field: Field<'_>| {
            // Nothing of it is of use any more; those behind it have to know what they say, and that is read.
            if refusal.is_some() {
                return;
            }
            *size += field.length + OVERHEAD;
            let checked = if *size >= *most { Err(Refusal::HeadTooLarge) } else { rules.take(&field) };
            if let Err(why) = checked {
                *refusal = Some(why);
                return;
            }
            let start = written.len();
            hpack::put(written, &field);
            match field.name {
                b":method" => *method = Span { start, end: written.len() },
                b":path" => *path = Span { start, end: written.len() },
                _ => {}
            }
        })
    }

    /// It has ended: what is written of it, and why it is refused that has it.
    pub(super) fn end(&mut self) -> Result<(&[u8], Option<Odd>), Garbled> {
        self.decoder.end()?;
        let Some(refusal) = self.refusal.or_else(|| self.rules.end().err()) else { return Ok((&self.written, None)) };
        let (has_method, has_path) = (!self.method.is_empty() && !self.rules.is_connect(), !self.path.is_empty());
        let written = &self.written;
        self.written = match self.of {
            Of::Trailers => Vec::new(),
            Of::Request { .. } => [
                if has_method { self.method.of(written) } else { SOME_METHOD },
                HTTPS,
                if has_path { self.path.of(written) } else { SOME_PATH },
            ]
            .concat(),
        };
        Ok((&self.written, Some(Odd { refusal, has_method, has_path })))
    }

    /// Holds no more memory than what has to be known for the next one.
    pub(super) fn rest(&mut self) {
        self.decoder.rest();
        self.written = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Of = Of::Request { is_all: true };
    const USUAL: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "https"), (":path", "/")];

    /// Fields as they are written where nothing is kept of them.
    fn written(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in fields {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            hpack::put(&mut out, &Field { number: 0, known: 0, name, value, length: name.len() + value.len() });
        }
        out
    }

    fn read(recoder: &mut Recoder, of: Of, head: &[u8]) -> (Vec<u8>, Option<Odd>) {
        recoder.begin(of);
        head.chunks(7).for_each(|piece| recoder.read(piece).unwrap());
        let (bytes, odd) = recoder.end().unwrap();
        (bytes.to_vec(), odd)
    }

    #[test]
    fn a_good_head_is_written_as_it_is_and_another_with_what_is_good_about_its_first_line() {
        let mut recoder = Recoder::new(400);
        let mut read = |of, fields: &[(&str, &str)]| read(&mut recoder, of, &written(fields));
        let usual = [(":method", "HEAD"), (":scheme", "https"), (":path", "/a")];
        let [method, path] = [0, 2].map(|at| written(&usual[at..=at]));
        let with = |field| [&usual[..], &[field]].concat();
        assert_eq!(read(REQUEST, &with(("a", "b"))), (written(&with(("a", "b"))), None));
        let refusal = Refusal::Bad("there is a name in the head that no field has");
        let odd = |has_method, has_path| Some(Odd { refusal, has_method, has_path });
        assert_eq!(read(REQUEST, &with(("A", "b"))), ([&method, HTTPS, &path].concat(), odd(true, true)));
        assert_eq!(read(REQUEST, &with(("a", "b"))), (written(&with(("a", "b"))), None), "another one");
        assert_eq!(read(Of::Trailers, &[("A", "b")]), (Vec::new(), odd(false, false)));
        assert_eq!(read(Of::Trailers, &[("a", "b")]), (written(&[("a", "b")]), None));
        let none = [SOME_METHOD, HTTPS, SOME_PATH].concat();
        for first in [&[("A", "b"), (":path", "/#")][..], &[(":method", "CONNECT"), ("A", "b")]] {
            assert_eq!(
                read(REQUEST, &[first, &usual].concat()),
                (none.clone(), odd(false, false)),
                "the first reason is it"
            );
        }
        let (bytes, odd) = read(REQUEST, &usual[1..]);
        assert_eq!(bytes, [SOME_METHOD, HTTPS, &path].concat());
        assert_eq!(odd.map(|odd| odd.refusal), Some(Refusal::Bad("the request has no method")));
    }

    #[test]
    fn no_more_is_held_of_a_head_that_is_too_large_however_much_of_it_comes() {
        let (mut recoder, value) = (Recoder::new(400), "y".repeat(67));
        let usual = written(&USUAL);
        // Each counts 100, and those that are always there 129.
        for (count, is_large) in [(2, false), (3, true), (5000, true)] {
            let fields = written(&vec![("x", value.as_str()); count]);
            let (bytes, odd) = read(&mut recoder, REQUEST, &[&usual[..], &fields].concat());
            assert_eq!(odd.map(|odd| odd.refusal), is_large.then_some(Refusal::HeadTooLarge), "{count}");
            assert_eq!(bytes.len() < usual.len(), is_large, "{count}");
            assert!(recoder.written.capacity() < 1024, "{count}");
        }
        let (bytes, odd) = read(&mut recoder, REQUEST, &[0x82; 100_000]);
        assert!(bytes == b"\x82\x87\x84" && odd.is_some() && recoder.written.capacity() < 100);
    }

    #[test]
    fn what_is_kept_of_a_refused_head_is_known_to_those_behind_it() {
        let mut recoder = Recoder::new(400);
        let odd = [&b"\x82\x87\x84\x40\x01X\x01y"[..], b"\x40\x01a\x01b"].concat();
        assert!(read(&mut recoder, REQUEST, &odd).1.is_some());
        let (bytes, refusal) = read(&mut recoder, REQUEST, b"\x82\x87\x84\xbe");
        assert_eq!((bytes, refusal), (b"\x82\x87\x84\x00\x01a\x01b".to_vec(), None));
    }
}
