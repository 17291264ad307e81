//! `logkin serve`.

use anyhow::bail;

use crate::cli::Serve;

pub(super) fn run(_flags: &Serve) -> anyhow::Result<u8> {
    bail!("not built yet")
}
