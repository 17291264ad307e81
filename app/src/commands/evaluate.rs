//! `logkin evaluate`.

use anyhow::bail;

use crate::cli::Evaluate;

pub(super) fn run(_flags: &Evaluate) -> anyhow::Result<u8> {
    bail!("not built yet")
}
