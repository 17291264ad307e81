//! What a request is known by, where the same backend is wanted for the same: as a number. Stable over restarts and
//! machines, so that several balancers send the same key to the same backend.

use std::net::IpAddr;

/// What the key of a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOf {
    /// The client's network: /24 of IPv4 as nginx's `ip_hash`, /64 of IPv6, for one client has all of that.
    Network,
    /// The client's address, all of it.
    Address,
    /// The target of the request.
    Uri,
    /// A field, by its name.
    Field(String),
    /// A cookie, by its name.
    Cookie(String),
}

impl KeyOf {
    /// The key of a request: its client, its target, and the values of its fields with a name. A request that has no
    /// such thing has no key.
    pub fn find<'k, 'a, I: Iterator<Item = &'a [u8]>>(
        &'k self,
        client: IpAddr,
        target: &[u8],
        fields: impl Fn(&'k str) -> I,
    ) -> Option<u64> {
        match self {
            Self::Network => Some(of_address(client, true)),
            Self::Address => Some(of_address(client, false)),
            Self::Uri => Some(number(target)),
            Self::Field(name) => fields(name).next().filter(|value| !value.is_empty()).map(number),
            Self::Cookie(name) => fields("cookie").find_map(|value| cookie(value, name)).map(number),
        }
    }
}

/// The value of a cookie in a `Cookie` field (RFC 6265, 4.2).
#[must_use]
pub fn cookie<'a>(field: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let pairs = field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let mut values = pairs.filter_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    values.next().filter(|value| !value.is_empty())
}

/// A number for some bytes, each as likely: FNV-1a, whose weak high bits are mixed.
#[must_use]
pub fn number(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// Has every bit depend on every other: the last step of SplitMix64.
#[must_use]
pub fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn of_address(address: IpAddr, network: bool) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => number(&address.octets()[..if network { 3 } else { 4 }]),
        IpAddr::V6(address) => number(&address.octets()[..if network { 8 } else { 16 }]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Option<u64> {
        KeyOf::Network.find(text.parse().unwrap(), b"/", |_| std::iter::empty())
    }

    #[test]
    fn a_client_is_its_network() {
        assert_eq!(network("10.0.0.1"), network("10.0.0.255"));
        assert_ne!(network("10.0.0.1"), network("10.0.1.1"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.2"));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let field = b"xroute=1; route=two;route=3; empty=";
        assert_eq!(cookie(field, "route"), Some(&b"two"[..]));
        assert_eq!((cookie(field, "rout"), cookie(field, "empty")), (None, None));
    }

    #[test]
    fn without_the_field_there_is_no_key() {
        let key = |of: KeyOf| {
            of.find([127, 0, 0, 1].into(), b"/a", |name| (name == "x-user").then_some(&b"me"[..]).into_iter())
        };
        assert_eq!(key(KeyOf::Field("x-user".into())), Some(number(b"me")));
        assert_eq!((key(KeyOf::Field("x-other".into())), key(KeyOf::Cookie("x".into()))), (None, None));
        assert_eq!(key(KeyOf::Uri), Some(number(b"/a")));
    }
}
