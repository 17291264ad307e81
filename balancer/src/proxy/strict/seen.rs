//! A request as values of fields see it: what variables stand for.

use crate::{
    http1::{fields::Field, request::Request},
    proxy::client::Client,
    route::{Route, edits::Variable},
    select::key,
};

/// A request and its client.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) client: &'a Client,
    pub(super) request: &'a Request,
    pub(super) bytes: &'a [u8],
    pub(super) fields: &'a [Field],
}

impl<'a> Seen<'a> {
    /// Its first field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all its fields of this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        let named = self.fields.iter().filter(move |field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
        named.map(move |field| field.value.of(bytes))
    }

    /// Whether a browser asks before a request to another site (the Fetch standard, 3.3.2).
    pub(super) fn is_question(&self) -> bool {
        let is_there = |name| self.field(name).is_some();
        self.request.method.of(self.bytes) == b"OPTIONS"
            && is_there("origin")
            && is_there("access-control-request-method")
    }

    /// Changes the head of a request for a backend.
    pub(super) fn edit_request(&self, route: &Route, head: &mut Vec<u8>) {
        route.request.apply(head, 0, |out, variable| self.put(out, variable));
    }

    /// Changes the head of an answer.
    pub(super) fn edit_answer(&self, route: &Route, head: &mut Vec<u8>) {
        if let Some(cors) = &route.cors {
            cors.apply(head, 0, self.field("origin"));
        }
        route.answer.apply(head, 0, |out, variable| self.put(out, variable));
    }

    fn put(&self, out: &mut Vec<u8>, variable: &Variable) {
        let (host, target) = self.request.place(self.bytes);
        let server = self.client.server;
        match variable {
            Variable::Host => out.extend(host.iter().map(u8::to_ascii_lowercase)),
            Variable::RemoteAddr => out.extend_from_slice(self.client.source().name.as_bytes()),
            Variable::Scheme => out.extend_from_slice(if self.client.is_secure() { b"https" } else { b"http" }),
            Variable::ServerAddr => out.extend_from_slice(server.ip().to_string().as_bytes()),
            Variable::ServerPort => out.extend_from_slice(server.port().to_string().as_bytes()),
            Variable::Method => out.extend_from_slice(self.request.method.of(self.bytes)),
            Variable::Target => out.extend_from_slice(target),
            Variable::Query => {
                let mark = memchr::memchr(b'?', target);
                out.extend_from_slice(mark.map_or(&b""[..], |mark| &target[mark + 1..]));
            }
            Variable::Field(name) => out.extend_from_slice(self.field(name).unwrap_or_default()),
            Variable::Cookie(name) => {
                let found = self.all("cookie").find_map(|value| key::cookie(value, name));
                out.extend_from_slice(found.unwrap_or_default());
            }
        }
    }
}
