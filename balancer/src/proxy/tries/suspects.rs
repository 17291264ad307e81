//! Against whom a request's failures are held: the backends if another one answered it, else perhaps the request. What a
//! client can do to a backend by asking for something special ends here.

use std::{net::IpAddr, time::Instant};

use crate::{
    proxy::{
        branch::{Branch, Candidate},
        client::Client,
    },
    verdict::Failure,
};

/// Backends at which a request has failed after it had a connection.
#[derive(Default)]
pub(super) struct Suspects(Vec<(Candidate, Instant)>);

impl Suspects {
    pub(super) fn add(&mut self, mut candidate: Candidate) {
        candidate.leave();
        self.0.push((candidate, Instant::now()));
    }

    pub(super) fn extend(&mut self, candidate: Option<Candidate>) {
        if let Some(candidate) = candidate {
            self.add(candidate);
        }
    }

    /// Another backend has answered the request: they have failed.
    pub(super) fn answered(&mut self, branch: &Branch) {
        for (candidate, at) in self.0.drain(..) {
            candidate.failed(branch, Failure { at, suspect: None });
        }
    }

    /// Nobody has. Where several were asked the request is to blame; one alone may be.
    pub(super) fn unanswered(&mut self, branch: &Branch, client: &Client) {
        if self.0.len() == 1 {
            for (candidate, at) in self.0.drain(..) {
                candidate.failed(branch, Failure { at, suspect: Some(whose(client.address())) });
            }
        }
        self.0.clear();
    }
}

/// Who a client is: its address, or the network of it that one client usually has to itself.
fn whose(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => u64::try_from(u128::from(address) >> 64).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_network_of_ipv6_are_one_client() {
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        assert_eq!(whose(one), whose(same));
        assert_ne!(whose(one), whose(other));
        assert_eq!(whose("::ffff:127.0.0.1".parse().unwrap()), whose("127.0.0.1".parse().unwrap()));
    }
}
