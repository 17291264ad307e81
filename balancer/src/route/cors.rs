//! Which other sites may read a route's answers (the Fetch standard, 3.3), and the question that browsers ask before. Pure.

/// What a route grants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// Origins such as `https://shop.example`; `*` is any.
    pub origins: Vec<String>,
    /// Whether cookies may come along; never for any origin.
    pub credentials: bool,
    /// What is said of methods, request fields, answer fields and time; nothing where it is empty.
    pub methods: String,
    /// Fields that requests may have.
    pub headers: String,
    /// Fields of answers that scripts may read.
    pub expose: String,
    /// Seconds for which browsers need not ask again.
    pub max_age: Option<u64>,
}

/// What only the route says, in lower case.
pub const OURS: &[u8] = b"access-control-";

/// All of them that answers have, as a list.
pub(crate) const NAMES: &[u8] = b"access-control-allow-origin,access-control-allow-credentials,access-control-allow-methods,\
    access-control-allow-headers,access-control-max-age,access-control-expose-headers,access-control-allow-private-network,";

impl Cors {
    /// Writes the lines about an origin; for a question before a request, with what it asks about.
    pub fn write(&self, out: &mut Vec<u8>, origin: Option<&[u8]>, is_question: bool) {
        let is_any = self.origins.iter().any(|known| known == "*");
        if !is_any {
            // Said to all: what is kept for one origin is not for another.
            line(out, "Vary", b"Origin");
        }
        let granted = origin.filter(|origin| is_any || self.origins.iter().any(|known| known.as_bytes() == *origin));
        let Some(origin) = granted else { return };
        line(out, "Access-Control-Allow-Origin", if is_any { b"*" } else { origin });
        if self.credentials {
            line(out, "Access-Control-Allow-Credentials", b"true");
        }
        if is_question {
            line(out, "Access-Control-Allow-Methods", self.methods.as_bytes());
            line(out, "Access-Control-Allow-Headers", self.headers.as_bytes());
            if let Some(age) = self.max_age {
                line(out, "Access-Control-Max-Age", age.to_string().as_bytes());
            }
        } else {
            line(out, "Access-Control-Expose-Headers", self.expose.as_bytes());
        }
    }

    /// Takes what a backend says about it out of a head that begins at `start`, and writes what holds.
    pub fn apply(&self, head: &mut Vec<u8>, start: usize, origin: Option<&[u8]>) {
        let old = head.split_off(start);
        for (number, line) in old.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let is_ours = line.get(..OURS.len()).is_some_and(|name| name.eq_ignore_ascii_case(OURS));
            if number == 0 || line != b"\r\n" && !is_ours {
                head.extend_from_slice(line);
            }
        }
        self.write(head, origin, false);
        head.extend_from_slice(b"\r\n");
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !value.is_empty() {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(cors: &Cors, origin: &str) -> String {
        let mut head = b"HTTP/1.1 200 OK\r\naccess-control-allow-origin: *\r\nA: b\r\n\r\n".to_vec();
        cors.apply(&mut head, 0, Some(origin.as_bytes()));
        String::from_utf8(head).unwrap().strip_prefix("HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().to_owned()
    }

    #[test]
    fn an_origin_that_is_known_is_granted_and_others_are_told_nothing() {
        let origins = vec!["https://a.example".to_owned(), "https://b.example".to_owned()];
        let cors = Cors { origins, credentials: true, ..Cors::default() };
        let granted = "Vary: Origin\r\nAccess-Control-Allow-Origin: https://b.example\r\nAccess-Control-Allow-Credentials: true\r\n\r\n";
        assert_eq!(said(&cors, "https://b.example"), granted);
        for origin in ["https://c.example", "null", "https://a.example.evil", "*"] {
            assert_eq!(said(&cors, origin), "Vary: Origin\r\n\r\n");
        }
    }

    #[test]
    fn any_origin_is_a_star_and_needs_no_vary() {
        let cors = Cors { origins: vec!["*".to_owned()], expose: "X-A".to_owned(), ..Cors::default() };
        assert_eq!(said(&cors, "null"), "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: X-A\r\n\r\n");
    }
}
