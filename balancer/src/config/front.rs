//! What the front of the balancer is told besides where it listens: who may speak for others, and what requests are given.

use std::net::SocketAddr;

use super::{Config, Engine};

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
