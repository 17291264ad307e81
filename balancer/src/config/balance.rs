//! How backends are chosen, in nginx's words.

use std::str::FromStr;

use crate::select::key::KeyOf;

/// How backends are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Who works on the fewest requests for its weight.
    LeastConn,
    /// The better one of two drawn by lot, by recent latency and requests.
    Random,
    /// The same for the same key.
    Hash(KeyOf),
}

impl FromStr for Balance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["round_robin"] => Ok(Self::RoundRobin),
            ["least_conn"] => Ok(Self::LeastConn),
            ["random"] | ["random", "two"] | ["random", "two", "least_time"] => Ok(Self::Random),
            ["ip_hash"] => Ok(Self::Hash(KeyOf::Network)),
            ["hash", key] | ["hash", key, "consistent"] => key_of(key).map(Self::Hash),
            _ => Err(format!(
                "`{text}` is no way to choose; write round_robin, least_conn, random, ip_hash or hash with a key, such as \
                 hash $request_uri"
            )),
        }
    }
}

/// One of nginx's variables.
fn key_of(variable: &str) -> Result<KeyOf, String> {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rest = |prefix| variable.strip_prefix(prefix).filter(|name| is_name(name));
    if let Some(name) = rest("$http_") {
        return Ok(KeyOf::Field(name.to_ascii_lowercase().replace('_', "-")));
    }
    if let Some(name) = rest("$cookie_") {
        return Ok(KeyOf::Cookie(name.to_owned()));
    }
    match variable {
        "$request_uri" => Ok(KeyOf::Uri),
        "$remote_addr" => Ok(KeyOf::Address),
        _ => Err(format!(
            "`{variable}` is no key; write $request_uri, $remote_addr, $http_NAME for a field or $cookie_NAME for a cookie"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_s_words_are_read() {
        for (text, balance) in [
            ("round_robin", Balance::RoundRobin),
            ("least_conn", Balance::LeastConn),
            ("random two least_time", Balance::Random),
            ("ip_hash", Balance::Hash(KeyOf::Network)),
            ("hash $request_uri consistent", Balance::Hash(KeyOf::Uri)),
            ("hash $remote_addr", Balance::Hash(KeyOf::Address)),
            ("hash $http_x_User", Balance::Hash(KeyOf::Field("x-user".into()))),
            ("hash $cookie_session", Balance::Hash(KeyOf::Cookie("session".into()))),
        ] {
            assert_eq!(text.parse(), Ok(balance), "{text}");
        }
        for text in ["", "fastest", "hash", "hash $http_", "hash x", "hash $arg_x", "hash $cookie_a;b"] {
            assert!(text.parse::<Balance>().unwrap_err().contains("write "), "{text}");
        }
    }
}
