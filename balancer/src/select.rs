//! Which backend is next. Pure: positions in a list of candidates in, a position out.

pub mod round_robin;

use round_robin::RoundRobin;

/// How the next backend is chosen.
#[derive(Debug, Clone)]
pub enum Algorithm {
    /// In turn.
    RoundRobin(RoundRobin),
}

impl Algorithm {
    /// The position of the next candidate of `candidates` that is not excluded; `None` when all are.
    pub fn pick(&mut self, candidates: usize, excluded: impl Fn(usize) -> bool) -> Option<usize> {
        match self {
            Self::RoundRobin(turns) => turns.pick(candidates, excluded),
        }
    }
}
