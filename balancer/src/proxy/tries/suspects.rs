//! Against whom a request's failures are held: the backends if another one answered it, else perhaps the request. What a
//! client can do to a backend by asking for something special ends here.

use std::time::Instant;

use crate::{
    proxy::{
        branch::{Branch, Candidate},
        client::Client,
    },
    verdict::{Failure, Suspect},
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
                candidate.failed(branch, Failure { at, suspect: Some(Suspect::of(client.address())) });
            }
        }
        self.0.clear();
    }
}
