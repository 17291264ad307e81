//! `logkin up`.

use anyhow::bail;

use crate::cli::Up;

pub(super) fn run(_flags: &Up) -> anyhow::Result<u8> {
    bail!("not built yet")
}
