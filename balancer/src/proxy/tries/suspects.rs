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
pub(super) struct Suspects {
    failed: Vec<(Candidate, Instant)>,
    /// Whether another one was asked over a held connection, which ended: of old age, or because of the request. Or would
    /// have been asked, had there been a retry left.
    was_elsewhere: bool,
}

impl Suspects {
    pub(super) fn add(&mut self, mut candidate: Candidate) {
        candidate.leave();
        self.failed.push((candidate, Instant::now()));
    }

    /// A held connection to one ended under the request, or one was not asked for want of a retry: what that one would have
    /// made of the request is not known.
    pub(super) fn pass_over(&mut self) {
        self.was_elsewhere = true;
    }

    pub(super) fn extend(&mut self, candidate: Option<Candidate>) {
        if let Some(candidate) = candidate {
            self.add(candidate);
        }
    }

    /// Another backend has answered the request: they have failed.
    pub(super) fn answered(&mut self, branch: &Branch) {
        for (candidate, at) in self.failed.drain(..) {
            candidate.failed(branch, Failure { at, suspect: None });
        }
    }

    /// Nobody has. One alone may be to blame; where several were asked, the request is, or who answers nobody else either.
    pub(super) fn unanswered(&mut self, branch: &Branch, client: &Client) {
        let is_alone = self.failed.len() == 1 && !self.was_elsewhere;
        for (candidate, at) in self.failed.drain(..) {
            if is_alone {
                candidate.failed(branch, Failure { at, suspect: Some(Suspect::of(client.address())) });
            } else {
                candidate.kept_silent(branch, client);
            }
        }
    }
}
