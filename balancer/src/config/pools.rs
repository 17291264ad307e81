//! Pools: backends that stand for each other, and the terms on which requests go to them.

use std::time::Duration;

use super::{Config, Limits, Program, Server, balance::Balance};
use crate::{backend::Terms, resolver::Resolver, select::sticky::Sticky, verdict::checks::Checks};

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
    /// Who is asked for the names of backends.
    pub resolver: Resolver,
    /// How long an answer is believed, whatever its time to live.
    pub resolve: Option<Duration>,
    /// Bounds and deadlines; those that are no pool's are the balancer's.
    pub limits: Limits,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            name: UNNAMED.to_owned(),
            servers: Vec::new(),
            terms: Terms::default(),
            balance: Balance::default(),
            sticky: None,
            checks: None,
            resolver: Resolver::default(),
            resolve: None,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// How many backends a pool shall have.
    pub(crate) fn expected(&self, number: usize, pool: &Pool) -> usize {
        self.instances(number) + pool.servers.iter().filter(|server| !server.terms.down).count()
    }

    /// How many of them are instances of programs.
    pub(crate) fn instances(&self, number: usize) -> usize {
        let programs = self.programs.iter().filter(|program| program.pool == number);
        programs.map(Program::instance_names).map(|names| names.len()).sum()
    }
}
