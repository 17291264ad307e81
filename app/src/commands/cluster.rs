//! `logkin cluster`.

use anyhow::bail;

use crate::cli::Cluster;

pub(super) fn run(_flags: &Cluster) -> anyhow::Result<u8> {
    bail!("not built yet")
}
