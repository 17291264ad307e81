//! Whom to believe about where a request comes from, and what follows from what is told. Pure.
//!
//! The connection's own address is known; who is before it is told by fields that anybody can write. Each entry was written
//! by the one after it, so the search goes from right to left and ends at the first one that is not ours.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use serde::Deserialize;

use crate::http1::fields::is_token;

/// Most proxies between a client and us; whoever is told beyond them is not looked at.
pub const MOST_HOPS: usize = 32;

/// Some addresses that begin alike; those of IPv4 as they are written in IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    mask: u128,
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.bits
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is no network; write an address or one such as 10.0.0.0/8");
        let (address, length) = text.split_once('/').map_or((text, None), |(left, right)| (left, Some(right)));
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse::<u32>().ok().filter(|length| *length <= most).ok_or_else(expected)?,
            None => most,
        };
        let mask = u128::MAX.checked_shl(most - length).unwrap_or(0);
        if bits(address) & !mask != 0 {
            return Err(format!("`{text}` has bits behind its first {length}; write the first address of the network"));
        }
        Ok(Self { bits: bits(address) & mask, mask })
    }
}

/// Which field tells who is before a proxy. Only one: a proxy that writes one of them may pass on the others as its
/// clients have sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum RealIpHeader {
    /// `X-Forwarded-For`.
    #[default]
    #[serde(rename = "X-Forwarded-For")]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Real-IP`: one address.
    #[serde(rename = "X-Real-IP")]
    XRealIp,
}

impl RealIpHeader {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
            Self::XRealIp => "X-Real-IP",
        }
    }
}

/// The proxies that are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Where they are.
    pub networks: Vec<Network>,
    /// What they write.
    pub header: RealIpHeader,
}

impl Trust {
    /// Whether somebody with this address is believed.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.has(address))
    }

    /// Who is before `peer`, the client first, by the values of the field in their order. Empty when it is the client
    /// itself, as far as anybody can be believed. An entry that is no address ends the search.
    pub fn before<'a>(&self, peer: IpAddr, values: impl DoubleEndedIterator<Item = &'a [u8]>) -> Vec<IpAddr> {
        let mut entries = values.rev().flat_map(|value| self.entries(value));
        let (mut hops, mut teller) = (Vec::new(), peer);
        while hops.len() < MOST_HOPS
            && self.has(teller)
            && let Some(Some(address)) = entries.next()
        {
            hops.push(address);
            teller = address;
        }
        hops.reverse();
        hops
    }

    /// The entries of one value, the last one first; `None` stands for one that is no address. Empty ones are none at all
    /// (RFC 9110, 5.6.1.2).
    fn entries<'a>(&self, value: &'a [u8]) -> Box<dyn Iterator<Item = Option<IpAddr>> + 'a> {
        match self.header {
            RealIpHeader::XForwardedFor => Box::new(value.rsplit(|&byte| byte == b',').filter(is_there).map(node)),
            RealIpHeader::XRealIp => Box::new(std::iter::once(node(value))),
            RealIpHeader::Forwarded => Box::new(elements(value).filter(is_there).map(element)),
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whether there is something in an element of a list.
fn is_there(element: &&[u8]) -> bool {
    !element.trim_ascii().is_empty()
}

/// An address, with or without a port, the newer kind in brackets or not.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    Some(text.parse().ok().or_else(with_port).or_else(bare)?.to_canonical())
}

/// The elements of a list with quotes, the last one first. They are found from that end too: a quote that a client opens and
/// never closes would otherwise swallow what a proxy writes behind it, and with that who the client is. What a proxy has
/// written is whole, so its quotes are found from their end as well as from their beginning, whatever stands before.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(comma) = last_comma(text) else { return Some(text) };
        rest = Some(&text[..comma]);
        Some(&text[comma + 1..])
    })
}

/// The last comma outside of quotes.
fn last_comma(text: &[u8]) -> Option<usize> {
    let is_escaped = |at: usize| text[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1;
    let mut quoted = false;
    (0..text.len()).rev().find(|&at| {
        quoted ^= text[at] == b'"' && !(quoted && is_escaped(at));
        !quoted && text[at] == b','
    })
}

/// The address in one element of `Forwarded`, which has to have it once (RFC 7239, 4 and 6).
fn element(text: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in quoted_split(text, b';')?.into_iter().filter(is_there) {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        // Blanks around pairs are written by many, those around the sign by nobody.
        let (name, value) = (pair[..equals].trim_ascii_start(), pair[equals + 1..].trim_ascii_end());
        if name.eq_ignore_ascii_case(b"for") {
            let value = match value.strip_prefix(b"\"") {
                Some(inner) => unquoted(inner.strip_suffix(b"\"")?)?,
                None => Some(value).filter(|value| is_token(value))?.to_vec(),
            };
            if found.replace(node(without_hidden_port(&value))?).is_some() {
                return None;
            }
        }
    }
    found
}

/// Leaves out a port of which only a name is told.
fn without_hidden_port(node: &[u8]) -> &[u8] {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    match node.iter().rposition(|&byte| byte == b':') {
        Some(colon) if node[colon + 1..].starts_with(b"_") && node[colon + 1..].iter().all(is_of_name) => {
            &node[..colon]
        }
        _ => node,
    }
}

/// What stands between two quotes means; `None` if another one is among it.
fn unquoted(inner: &[u8]) -> Option<Vec<u8>> {
    let (mut text, mut bytes) = (Vec::new(), inner.iter());
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => return None,
            b'\\' => text.push(*bytes.next()?),
            _ => text.push(byte),
        }
    }
    Some(text)
}

/// Splits where a byte stands outside of quotes; `None` if those do not close.
fn quoted_split(text: &[u8], at: u8) -> Option<Vec<&[u8]>> {
    let (mut quoted, mut escaped) = (false, false);
    let split = text.split(|&byte| {
        let is_literal = escaped;
        escaped = quoted && !is_literal && byte == b'\\';
        quoted ^= byte == b'"' && !is_literal;
        !quoted && byte == at
    });
    let parts = split.collect();
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(header: RealIpHeader) -> Trust {
        let networks = ["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"].map(|text| text.parse().unwrap());
        Trust { networks: networks.to_vec(), header }
    }

    fn before(header: RealIpHeader, peer: &str, values: &[&str]) -> String {
        let hops = trust(header).before(peer.parse().unwrap(), values.iter().map(|value| value.as_bytes()));
        hops.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_client_is_the_first_one_from_the_right_that_is_not_listed() {
        let before = |peer, values: &[&str]| before(RealIpHeader::XForwardedFor, peer, values);
        assert_eq!(before("10.0.0.1", &["1.1.1.1, 6.6.6.6", "10.0.0.2"]), "6.6.6.6 10.0.0.2");
        assert_eq!(before("10.0.0.1", &["10.0.0.3,10.0.0.2"]), "10.0.0.3 10.0.0.2", "all are listed");
        assert_eq!(before("::ffff:10.0.0.1", &["6.6.6.6:81"]), "6.6.6.6");
        assert_eq!(before("2001:db8::1", &["[2001:dead::1]:443"]), "2001:dead::1");
        assert_eq!(before("6.6.6.6", &["127.0.0.1"]), "", "not listed");
    }

    #[test]
    fn an_entry_that_is_no_address_ends_the_search() {
        for odd in ["unknown", "1.1.1", "01.1.1.1", "::1::", "1.1.1.1.", "_x", "\u{ff}", "[::1", "1.1.1.1:99999"] {
            let value = format!("6.6.6.6, {odd}, 10.0.0.2");
            assert_eq!(before(RealIpHeader::XForwardedFor, "10.0.0.1", &[&value]), "10.0.0.2", "{odd}");
        }
    }

    #[test]
    fn empty_entries_are_none() {
        for header in [RealIpHeader::XForwardedFor, RealIpHeader::Forwarded] {
            let of = |address: &str| {
                if header == RealIpHeader::Forwarded { format!("for={address}") } else { address.into() }
            };
            let values = [format!(" , ,{}, ", of("1.1.1.1")), String::new(), format!(",{}, ,", of("10.9.9.9"))];
            assert_eq!(before(header, "10.0.0.1", &values.each_ref().map(String::as_str)), "1.1.1.1 10.9.9.9");
        }
    }

    #[test]
    fn no_more_than_so_many_are_looked_at() {
        let value = ["10.0.0.2"; 1000].join(",");
        let hops = before(RealIpHeader::XForwardedFor, "10.0.0.1", &[&value]);
        assert_eq!(hops.split(' ').count(), MOST_HOPS);
    }

    #[test]
    fn forwarded_is_read_with_its_quotes() {
        let before = |values: &[&str]| before(RealIpHeader::Forwarded, "10.0.0.1", values);
        let value = "for=1.1.1.1, for=\"[2001:dead::1]:1\";host=\"a,b;c\" , For=10.0.0.2;proto=https";
        assert_eq!(before(&[value]), "2001:dead::1 10.0.0.2");
        for legal in
            ["for=1.1.1.1;", ";for=1.1.1.1;;by=_x", "for=\"1.1.1.1:_hi.dd-en\"", "by=\"a\\\",\\\\\";for=\"1.\\1.1.1\""]
        {
            assert_eq!(before(&["for=6.6.6.6", legal]), "1.1.1.1", "{legal}");
        }
        assert_eq!(before(&["for=\"[2001:dead::1]:_x\""]), "2001:dead::1");
        for odd in [
            "for=\"1.1.1.1:_x:\"",
            "for=\"1.1.1.1:_\u{e9}\"",
            "for=\"1.1.1.1\"\"",
            "for=1.1.1.1:_x",
            "for=\"6.6.6.6",
            "by=1.1.1.1",
            "for=1.1.1.1;for=6.6.6.6",
            "for=\"6.6.6.6\\\"",
            "for=unknown",
            ";",
            "for =1.1.1.1",
            "for= 1.1.1.1",
            "for=1.1.1.1:99",
        ] {
            assert_eq!(before(&["for=6.6.6.6", odd]), "", "{odd}");
        }
        assert_eq!(super::tests::before(RealIpHeader::XRealIp, "10.0.0.1", &["6.6.6.6"]), "6.6.6.6");
    }

    #[test]
    fn nothing_that_a_client_writes_hides_what_a_proxy_writes_behind_it() {
        for proxys in ["for=6.6.6.6", "for=\"6.6.6.6:80\"", "by=\"a,\\\"b\\\\\";For=6.6.6.6;host=\"x,y\""] {
            for clients in
                ["for=\"", "for=\"1.1.1.1", "for=1.1.1.1\"", "\\\"", "\"\\", "for=\"\\\",for=\"", ",\",", "=\"a\" \""]
            {
                let value = format!("{clients}, {proxys}, for=10.0.0.2");
                assert_eq!(before(RealIpHeader::Forwarded, "10.0.0.1", &[&value]), "6.6.6.6 10.0.0.2", "{value}");
            }
        }
    }

    #[test]
    fn a_network_is_its_first_address_and_a_length() {
        let (all, none) = ("0.0.0.0/0".parse::<Network>().unwrap(), "10.0.0.1/8".parse::<Network>());
        assert!(all.has([6, 6, 6, 6].into()) && none.is_err());
        for odd in ["", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(odd.parse::<Network>().unwrap_err().contains("10.0.0.0/8"), "{odd}");
        }
        assert!(!all.has("2001:db8::1".parse().unwrap()), "those of IPv4 only");
    }
}
