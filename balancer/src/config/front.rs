//! What the front of the balancer is told besides where it listens: who may speak for others, and what requests are given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Config, Engine};
use crate::backend::{Address, Location};

/// Addresses where a proxy says first whom it speaks for (PROXY protocol, versions 1 and 2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Introduced {
    /// Then plain HTTP follows.
    pub listen: Vec<SocketAddr>,
    /// Then TLS follows.
    pub tls_listen: Vec<SocketAddr>,
}

impl Config {
    /// Every address that clients come to.
    pub fn listens(&self) -> impl Iterator<Item = &SocketAddr> {
        let introduced = self.introduced.listen.iter().chain(&self.introduced.tls_listen);
        self.listen.iter().chain(&self.tls_listen).chain(introduced)
    }

    /// Addresses that cannot be listened on beside each other, each with the key it is about.
    #[must_use]
    pub fn address_problems(&self) -> Vec<(&'static str, String)> {
        let mut taken: Vec<SocketAddr> = Vec::new();
        let mut problems = Vec::new();
        let listens = self.listens().map(|address| ("listen", address));
        for (key, &address) in listens.chain(self.metrics_listen.iter().map(|address| ("metrics_listen", address))) {
            match taken.iter().find(|other| are_one(**other, address)) {
                Some(other) if *other == address => {
                    problems.push((key, format!("{address} is there twice; write each address once")));
                }
                Some(other) => problems.push((key, format!("{address} and {other} are one; leave one of them out"))),
                None => {}
            }
            taken.push(address);
        }
        problems
    }

    /// What is wrong with a backend that is ourselves: a request to it would come back again and again, until its head has
    /// grown too large.
    #[must_use]
    pub fn circle_problem(&self, backend: &Location) -> Option<String> {
        let own = self.listens().find(|own| is_at(**own, backend))?;
        Some(format!(
            "{backend} is where we listen ({own}), and requests would go round in circles; write where the application listens"
        ))
    }

    /// Whether TLS is spoken anywhere.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        !self.tls_listen.is_empty() || !self.introduced.tls_listen.is_empty()
    }

    /// What does not go together, each with the key it is about.
    #[must_use]
    pub fn front_problems(&self) -> Vec<(&'static str, &'static str)> {
        let introduced = !self.introduced.listen.is_empty() || !self.introduced.tls_listen.is_empty();
        let trusting = !self.trust.networks.is_empty();
        let is_hyper = self.engine == Engine::Hyper;
        let rules = [
            (is_hyper && !self.routes.is_empty(), "route", "the hyper engine has no routes; take the strict one"),
            (
                is_hyper && self.compress.is_some(),
                "compress",
                "the hyper engine has no compression; take the strict one",
            ),
            (
                introduced && !trusting,
                "listen.proxy_protocol",
                "nobody may introduce clients there; list the proxies in trusted_proxies",
            ),
            (
                is_hyper && introduced,
                "listen.proxy_protocol",
                "the hyper engine has no PROXY protocol; take the strict one",
            ),
            (is_hyper && trusting, "trusted_proxies", "the hyper engine believes nobody; take the strict one"),
            (is_hyper && self.request_id, "request_id", "the hyper engine gives no ids; take the strict one"),
            (is_hyper && self.trace_context, "trace_context", "the hyper engine has no traces; take the strict one"),
        ];
        rules.into_iter().filter_map(|(broken, key, problem)| broken.then_some((key, problem))).collect()
    }
}

/// Whether who listens at one of them does so at the other: all addresses of a machine have each of them, and those of IPv6
/// have those of IPv4.
fn are_one(one: SocketAddr, other: SocketAddr) -> bool {
    let has = |all: SocketAddr, one: SocketAddr| all.ip().is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    one.port() == other.port() && one.port() != 0 && (one.ip() == other.ip() || has(one, other) || has(other, one))
}

/// Whether a backend is whoever listens at this address. Who listens at all addresses of a machine does so at its loopback
/// ones; of the others nobody knows here whose they are.
fn is_at(own: SocketAddr, backend: &Location) -> bool {
    let loopbacks = || [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let (ips, port) = match backend {
        Location::Fixed(Address::Unix(_)) => return false,
        // A connection to no address in particular goes to the loopback one.
        Location::Fixed(Address::Tcp(at)) if at.ip().is_unspecified() => {
            (loopbacks().into_iter().filter(|ip| ip.is_ipv4() == at.is_ipv4()).collect(), at.port())
        }
        Location::Fixed(Address::Tcp(at)) => (vec![at.ip().to_canonical()], at.port()),
        Location::Named(name) => match name.rsplit_once(':') {
            Some((host, port)) if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") => {
                (loopbacks().to_vec(), port.parse().unwrap_or(0))
            }
            _ => return false,
        },
    };
    let is_ours = |ip: &IpAddr| {
        let has_all = own.ip().is_unspecified() && (own.is_ipv6() || ip.is_ipv4());
        own.ip().to_canonical() == *ip || has_all && ip.is_loopback()
    };
    own.port() == port && port != 0 && ips.iter().any(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_may_be_anybody_but_ourselves() {
        let is_at = |own: &str, backend: &str| is_at(own.parse().unwrap(), &backend.parse().unwrap());
        for (own, backend) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("127.0.0.1:1", "[::ffff:127.0.0.1]:1"),
            ("127.0.0.1:1", "0.0.0.0:1"),
            ("[::1]:1", "[::]:1"),
            ("0.0.0.0:1", "127.0.0.7:1"),
            ("0.0.0.0:1", "0.0.0.0:1"),
            ("[::]:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("127.0.0.1:1", "LocalHost.:1"),
            ("[::]:1", "localhost:1"),
        ] {
            assert!(is_at(own, backend), "{own} {backend}");
        }
        for (own, backend) in [
            ("127.0.0.1:1", "127.0.0.1:2"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("0.0.0.0:1", "10.0.0.1:1"),
            ("0.0.0.0:1", "[::1]:1"),
            ("[::]:1", "[2001:db8::1]:1"),
            ("10.0.0.1:1", "localhost:1"),
            ("127.0.0.1:1", "app:1"),
            ("127.0.0.1:1", "unix:127.0.0.1:1"),
        ] {
            assert!(!is_at(own, backend), "{own} {backend}");
        }
    }

    #[test]
    fn an_address_is_one_with_itself_and_with_all_of_the_machine() {
        let are_one = |one: &str, other: &str| are_one(one.parse().unwrap(), other.parse().unwrap());
        assert!(are_one("127.0.0.1:1", "127.0.0.1:1") && are_one("0.0.0.0:1", "127.0.0.1:1"));
        assert!(are_one("127.0.0.1:1", "[::]:1") && are_one("[::]:1", "[::1]:1"));
        assert!(!are_one("127.0.0.1:1", "127.0.0.1:2") && !are_one("127.0.0.1:1", "127.0.0.2:1"));
        assert!(
            !are_one("0.0.0.0:1", "[::1]:1") && !are_one("127.0.0.1:0", "127.0.0.1:0"),
            "a free port is another one"
        );
    }
}
