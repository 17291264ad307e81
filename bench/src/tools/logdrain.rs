//! The crate `logdrain`.

use std::collections::HashMap;

use anyhow::{Context, Result};
use logdrain::{Mask, Miner};

use super::Online;
use crate::masks;

/// As it comes, or with the common masks.
pub(crate) fn miner(is_masked: bool) -> Result<impl Online> {
    let masks = if is_masked { masks::all() } else { Vec::new() };
    let masks: Result<Vec<_>, _> =
        masks.into_iter().map(|(name, pattern)| Mask::new(pattern, &masks::placeholder(name))).collect();
    Ok(Miner::builder().masks(masks.context("masks.tsv")?).build()?)
}

impl Online for Miner {
    fn add(&mut self, line: &str) -> Result<usize> {
        Ok(Miner::add(self, line).cluster_id as usize)
    }

    /// Past its number of clusters in a leaf it forgets the oldest.
    fn templates(&self) -> HashMap<usize, String> {
        self.clusters().into_iter().map(|cluster| (cluster.id() as usize, cluster.template().to_owned())).collect()
    }
}
