//! Sticky clients: a cookie names the backend that a client was at first. What it holds is sealed: made from the backend's
//! name with a key (HMAC-SHA256), so that nobody can read the name out of it or make one. Pure.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// The cookie's value: 128 bits in hexadecimal.
pub type Token = [u8; 32];

/// Which sites a browser sends the cookie from (RFC 6265bis, 5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Ours only.
    Strict,
    /// Ours, and links to us.
    #[default]
    Lax,
    /// All; browsers ask for `secure` then.
    None,
}

/// The cookie, and the key that seals it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sticky {
    /// Its name.
    pub cookie: String,
    /// The key. Balancers with the same one know each other's cookies.
    pub key: Vec<u8>,
    /// How long browsers keep it; until they are closed without it.
    pub expires: Option<Duration>,
    /// Whether it is sent over TLS only, given without TLS too: something before the balancer speaks it.
    pub secure: bool,
    /// From where it is sent.
    pub same_site: SameSite,
}

impl std::fmt::Debug for Sticky {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Sticky").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

impl Sticky {
    /// What the cookie holds for a backend.
    #[must_use]
    pub fn token(&self, backend: &str) -> Token {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(b"sticky backend ");
        mac.update(backend.as_bytes());
        let mut token = [0; 32];
        for (pair, byte) in token.chunks_exact_mut(2).zip(mac.finalize().into_bytes()) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        token
    }

    /// The value of `Set-Cookie`, for a client that came over TLS or not.
    #[must_use]
    pub fn set(&self, token: &Token, over_tls: bool) -> String {
        let token = String::from_utf8_lossy(token);
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        let mut value = format!("{}={token}; Path=/; HttpOnly; SameSite={same_site}", self.cookie);
        if let Some(expires) = self.expires {
            value.push_str("; Max-Age=");
            value.push_str(&expires.as_secs().to_string());
        }
        if self.secure || over_tls {
            value.push_str("; Secure");
        }
        value
    }
}

/// The token in a cookie's value, if it can be one.
#[must_use]
pub fn read(value: &[u8]) -> Option<Token> {
    value.try_into().ok()
}

/// Whether two are the same; takes as long for any two.
#[must_use]
pub fn is_same(one: &Token, other: &Token) -> bool {
    one.iter().zip(other).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sticky(key: &str) -> Sticky {
        Sticky {
            cookie: "route".to_owned(),
            key: key.into(),
            expires: None,
            secure: false,
            same_site: SameSite::default(),
        }
    }

    #[test]
    fn a_token_depends_on_the_backend_and_the_key_and_names_neither() {
        let token = sticky("one key of many").token("127.0.0.1:8811");
        assert_eq!(token, sticky("one key of many").token("127.0.0.1:8811"));
        assert_ne!(token, sticky("one key of many").token("127.0.0.1:8812"));
        assert_ne!(token, sticky("another key").token("127.0.0.1:8811"));
        assert!(token.iter().all(u8::is_ascii_hexdigit));
        assert_eq!(read(&token), Some(token));
        assert_eq!((read(b""), read(&[b'0'; 8192])), (None, None));
    }

    #[test]
    fn scripts_do_not_see_the_cookie_and_other_sites_do_not_send_it() {
        let (mut sticky, token) = (sticky("k"), [b'0'; 32]);
        assert_eq!(sticky.set(&token, false), format!("route={}; Path=/; HttpOnly; SameSite=Lax", "0".repeat(32)));
        assert!(sticky.set(&token, true).ends_with("; SameSite=Lax; Secure"), "what came over TLS stays with it");
        (sticky.expires, sticky.secure, sticky.same_site) = (Some(Duration::from_secs(60)), true, SameSite::None);
        assert!(sticky.set(&token, false).ends_with("; HttpOnly; SameSite=None; Max-Age=60; Secure"));
    }
}
