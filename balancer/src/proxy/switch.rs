//! Other protocols, as far as they are agreed on: which may be asked for, and what was. Pure.

use crate::http1::fields;

/// Whether an `Upgrade` is one that a tunnel can carry: `h2c` would need us to speak it.
pub(crate) fn may_switch(protocols: &[u8]) -> bool {
    let speaks_http = |protocol: &[u8]| {
        [&b"h2c"[..], b"h2", b"http/", b"tls/"]
            .iter()
            .any(|known| protocol.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known)))
    };
    fields::options(protocols).next().is_some() && !fields::options(protocols).any(speaks_http)
}

/// Whether a protocol that was chosen is among those that were offered.
pub(crate) fn was_offered(chosen: &[u8], offered: &[u8]) -> bool {
    let mut chosen = fields::options(chosen).peekable();
    chosen.peek().is_some()
        && chosen.all(|chosen| fields::options(offered).any(|offered| offered.eq_ignore_ascii_case(chosen)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_offered_is_agreed_on() {
        assert!(was_offered(b"WebSocket", b"a, websocket") && was_offered(b"a, b", b"b, a"));
        for (chosen, offered) in [(&b"odd"[..], &b"websocket"[..]), (b"", b"a"), (b"a, b", b"a"), (b"a/2", b"a")] {
            assert!(!was_offered(chosen, offered));
        }
    }
}
