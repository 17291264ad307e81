//! Pools: the one that a configuration is about, and further ones that its routes name.

use std::time::Duration;

use super::{Config, Limits, Program, Server, balance::Balance};
use crate::{backend::Terms, select::sticky::Sticky, verdict::checks::Checks};

/// The name of a pool that has none.
pub const UNNAMED: &str = "default";

/// One pool.
#[derive(Debug, Clone)]
pub struct Pool {
    /// What routes call it.
    pub name: String,
    /// Backends that somebody else runs.
    pub servers: Vec<Server>,
    /// The terms of those of which nothing else is said.
    pub terms: Terms,
    /// How one of them is chosen.
    pub balance: Balance,
    /// The cookie that keeps clients where they were, if they are kept.
    pub sticky: Option<Sticky>,
    /// How backends are checked, if they are.
    pub checks: Option<Checks>,
    /// The pause between two lookups of a backend's name.
    pub resolve: Duration,
    /// Bounds and deadlines; those that are no pool's are the balancer's.
    pub limits: Limits,
}

impl Config {
    /// All pools, its own first. Their numbers are what routes and programs go by.
    #[must_use]
    pub fn all_pools(&self) -> Vec<Pool> {
        let own = Pool {
            name: self.name.clone(),
            servers: self.servers.clone(),
            terms: self.terms.clone(),
            balance: self.balance.clone(),
            sticky: self.sticky.clone(),
            checks: self.checks,
            resolve: self.resolve,
            limits: self.limits.clone(),
        };
        std::iter::once(own).chain(self.pools.iter().cloned()).collect()
    }

    /// How many backends a pool shall have.
    pub(crate) fn expected(&self, number: usize, pool: &Pool) -> usize {
        let programs = self.programs.iter().filter(|program| program.pool == number);
        let instances = programs.map(Program::instance_names).map(|names| names.len()).sum::<usize>();
        instances + pool.servers.iter().filter(|server| !server.terms.down).count()
    }
}
