//! What a route changes about the fields of a head: set, add, remove. They are applied to heads that are written already,
//! so that a route without any costs nothing. Pure.

use std::str::FromStr;

use crate::http1::fields::{self, Standing};

/// Changes of one head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits {
    /// These take the place of all that have their names; without a value there is none.
    pub set: Vec<(Name, Value)>,
    /// These come besides.
    pub add: Vec<(Name, Value)>,
    /// These are left out.
    pub remove: Vec<Name>,
}

impl Edits {
    /// Adds to a list what nobody else may say, in trailers neither.
    pub(crate) fn claim(&self, list: &mut Vec<u8>) {
        for Name(name) in self.set.iter().map(|(name, _)| name).chain(&self.remove) {
            list.extend_from_slice(name.as_bytes());
            list.push(b',');
        }
    }
}

/// The name of a field that a route may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl FromStr for Name {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match fields::standing(name.as_bytes()) {
            Standing::Free => Ok(Self(name.to_owned())),
            Standing::Bound => Err(format!(
                "`{name}` tells where a message ends, whom it is for, or what belongs to one connection; that is the balancer's, leave it out"
            )),
            Standing::None => Err(format!("`{name}` is no name of a field; write one such as X-Frame-Options")),
        }
    }
}

/// A value with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(Variable),
}

/// What nginx calls so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `$host`: the host without its port.
    Host,
    /// `$remote_addr`: the client's address.
    RemoteAddr,
    /// `$scheme`: `http` or `https`.
    Scheme,
    /// `$server_addr`: the address that the client came to.
    ServerAddr,
    /// `$server_port`: its port.
    ServerPort,
    /// `$request_method`.
    Method,
    /// `$request_uri`: path and query as they were written.
    Target,
    /// `$args`: the query.
    Query,
    /// `$http_NAME`: a field of the request.
    Field(String),
    /// `$cookie_NAME`: a cookie of the request.
    Cookie(String),
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "host" => Self::Host,
            "remote_addr" => Self::RemoteAddr,
            "scheme" => Self::Scheme,
            "server_addr" => Self::ServerAddr,
            "server_port" => Self::ServerPort,
            "request_method" => Self::Method,
            "request_uri" => Self::Target,
            "args" => Self::Query,
            _ => match (name.strip_prefix("http_"), name.strip_prefix("cookie_")) {
                (Some(field), _) if !field.is_empty() => Self::Field(field.replace('_', "-")),
                (_, Some(cookie)) if !cookie.is_empty() => Self::Cookie(cookie.to_owned()),
                _ => {
                    return Err(format!(
                        "`${name}` is not known; write $host, $remote_addr, $scheme, $server_addr, $server_port, \
                         $request_method, $request_uri, $args, $http_NAME or $cookie_NAME, and $$ for a dollar"
                    ));
                }
            },
        })
    }
}

impl FromStr for Value {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte.is_ascii_control()) || text.trim() != text {
            return Err(format!("{text:?} is no value of a field; write one line without blanks around it"));
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find('$') {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            rest = &rest[at + 1..];
            if let Some(tail) = rest.strip_prefix('$') {
                pieces.push(Piece::Text("$".to_owned()));
                rest = tail;
                continue;
            }
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
            pieces.push(Piece::Variable(rest[..end].parse()?));
            rest = &rest[end..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Ok(Self(pieces))
    }
}

impl Value {
    fn write(&self, out: &mut Vec<u8>, put: &impl Fn(&mut Vec<u8>, &Variable)) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => put(out, variable),
            }
        }
    }
}

impl Edits {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }

    /// Changes a head that begins at `start`, with its first line, and ends with its empty line at the end of `head`.
    /// `put` writes the value of a variable.
    pub fn apply(&self, head: &mut Vec<u8>, start: usize, put: impl Fn(&mut Vec<u8>, &Variable)) {
        if self.is_empty() {
            return;
        }
        let old = head.split_off(start);
        for (number, line) in old.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            if number == 0 || line != b"\r\n" && !self.drops(name) {
                head.extend_from_slice(line);
            }
        }
        for (name, value) in self.set.iter().chain(&self.add) {
            let line = head.len();
            head.extend_from_slice(name.0.as_bytes());
            head.extend_from_slice(b": ");
            let empty = head.len();
            value.write(head, &put);
            if head.len() == empty {
                head.truncate(line);
            } else {
                head.extend_from_slice(b"\r\n");
            }
        }
        head.extend_from_slice(b"\r\n");
    }

    fn drops(&self, name: &[u8]) -> bool {
        let set = self.set.iter().map(|(name, _)| name);
        set.chain(&self.remove).any(|ours| fields::is_taken_for(name, ours.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> String {
        let pairs = |list: &[(&str, &str)]| {
            list.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let remove = remove.iter().map(|name| name.parse().unwrap()).collect();
        let edits = Edits { set: pairs(set), add: pairs(add), remove };
        let mut head =
            b"before:GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nx_One: 4\r\nX-Two: 3\r\n\r\n".to_vec();
        let put = |out: &mut Vec<u8>, variable: &Variable| {
            let value: &[u8] = match variable {
                Variable::Host => b"a",
                Variable::Field(name) if name == "x-y" => b"field",
                Variable::Cookie(name) if name == "s" => b"crumb",
                _ => b"",
            };
            out.extend_from_slice(value);
        };
        edits.apply(&mut head, 7, put);
        String::from_utf8(head).unwrap().strip_prefix("before:GET / HTTP/1.1\r\nHost: a\r\n").unwrap().to_owned()
    }

    #[test]
    fn fields_are_set_added_and_removed() {
        assert_eq!(edited(&[("X-ONE", "new")], &[], &[]), "X-Two: 3\r\nX-ONE: new\r\n\r\n");
        assert_eq!(
            edited(&[], &[("X-One", "new")], &["x-two"]),
            "X-One: 1\r\nx-one: 2\r\nx_One: 4\r\nX-One: new\r\n\r\n"
        );
        assert_eq!(edited(&[("X-One", "")], &[], &[]), "X-Two: 3\r\n\r\n");
    }

    #[test]
    fn variables_have_their_values_and_a_field_without_one_is_not_there() {
        let value = "$host$$-$http_x_y,$cookie_s.$args";
        assert_eq!(edited(&[("X-One", value), ("X-Two", "$args")], &[], &[]), "X-One: a$-field,crumb.\r\n\r\n");
        for value in ["$", "$nothing", "$http_", "a\r\nb", "a\0", " a", "${host}"] {
            assert!(value.parse::<Value>().is_err(), "{value:?}");
        }
    }

    #[test]
    fn what_frames_a_message_or_belongs_to_a_connection_is_not_to_be_changed() {
        for name in [
            "Content-Length",
            "transfer-encoding",
            "Connection",
            "Keep-Alive",
            "TE",
            "Upgrade",
            "Host",
            "Trailer",
            "Expect",
            "Transfer_Encoding",
            "X-Forwarded-For",
            "x_real_ip",
            "Forwarded",
            "Proxy-Connection",
            "",
            "a b",
            "a:",
            "\u{e4}",
        ] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
        }
        assert!("X-Frame-Options".parse::<Name>().is_ok());
    }
}
