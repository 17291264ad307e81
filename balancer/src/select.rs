//! Which backend is next. Pure: what is known of the candidates in, a position out.

use self::{
    ewma::Latency, least_requests::LeastRequests, round_robin::RoundRobin, smooth::Smooth, two_choices::TwoChoices,
};

pub mod ewma;
pub mod key;
pub mod least_requests;
pub mod ramp;
pub mod rendezvous;
pub mod round_robin;
pub mod smooth;
pub mod sticky;
pub mod two_choices;

/// What is known of those among whom one is chosen.
pub trait Candidates {
    /// How many there are.
    fn count(&self) -> usize;
    /// Whether this one may be chosen.
    fn is_free(&self, place: usize) -> bool;
    /// Its weight; never 0.
    fn weight(&self, place: usize) -> u32;
    /// Requests it is working on.
    fn in_flight(&self, place: usize) -> usize;
    /// How long it takes for an answer lately.
    fn latency(&self, place: usize) -> Latency;
    /// Its name, as a number.
    fn name(&self, place: usize) -> u64;
}

/// How the next backend is chosen.
#[derive(Debug, Clone)]
pub enum Algorithm {
    /// In turn, all alike.
    RoundRobin(RoundRobin),
    /// In turn, by weight.
    Smooth(Smooth),
    /// Who works on the fewest requests for its weight.
    LeastRequests(LeastRequests),
    /// The better one of two drawn by lot.
    TwoChoices(TwoChoices),
    /// The same for the same key; in turn for requests without one.
    Keyed(Smooth),
}

impl Algorithm {
    /// The position of the next candidate; `None` when none may be chosen.
    pub fn pick(&mut self, candidates: &impl Candidates, key: Option<u64>) -> Option<usize> {
        match (self, key) {
            (Self::RoundRobin(turns), _) => turns.pick(candidates.count(), |place| !candidates.is_free(place)),
            (Self::Keyed(_), Some(key)) => rendezvous::pick(candidates, key),
            (Self::Smooth(turns) | Self::Keyed(turns), _) => turns.pick(candidates),
            (Self::LeastRequests(least), _) => least.pick(candidates),
            (Self::TwoChoices(lots), _) => lots.pick(candidates),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidates, ewma::Latency};

    /// One backend of a test.
    #[derive(Debug, Clone)]
    pub(super) struct One {
        pub(super) weight: u32,
        pub(super) in_flight: usize,
        pub(super) latency: Latency,
        pub(super) name: u64,
        pub(super) free: bool,
    }

    /// Backends with these weights, named by their position.
    pub(super) fn weighing(weights: &[u32]) -> Vec<One> {
        let one = |(name, weight): (usize, &u32)| One {
            weight: *weight,
            in_flight: 0,
            latency: Latency::default(),
            name: super::key::number(name.to_string().as_bytes()),
            free: true,
        };
        weights.iter().enumerate().map(one).collect()
    }

    impl Candidates for Vec<One> {
        fn count(&self) -> usize {
            self.len()
        }

        fn is_free(&self, place: usize) -> bool {
            self[place].free
        }

        fn weight(&self, place: usize) -> u32 {
            self[place].weight
        }

        fn in_flight(&self, place: usize) -> usize {
            self[place].in_flight
        }

        fn latency(&self, place: usize) -> Latency {
            self[place].latency
        }

        fn name(&self, place: usize) -> u64 {
            self[place].name
        }
    }
}
