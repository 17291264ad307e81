//! `logkin label`.

use anyhow::bail;

use crate::cli::Label;

pub(super) fn run(_flags: &Label) -> anyhow::Result<u8> {
    bail!("not built yet")
}
