//! The members of a tar archive. The library reads headers; the walk from one to the next is ours, because a name may be
//! as long as its header says, and the library would hold it all. POSIX pax; the GNU tar manual, "Basic Tar Format".

use std::io::{self, BufRead, Read};

use ::tar::{EntryType, Header, PaxExtensions};

use super::{
    archive::{Reason, Skipped},
    ledger::Body,
    packing::{MAGIC, Packing, is_tar},
    text::member_name,
    unpack::{Place, Walker},
};
use crate::Error;

/// Bytes of a name or of attributes that are looked at.
const ATTRIBUTES: u64 = 64 << 10;

/// What was said of the next member before its header.
#[derive(Debug, Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

/// Hands on all members. Archives that were put one after the other are read to the last.
pub(super) fn members(walker: &mut Walker<'_, '_>, bytes: &mut dyn BufRead, archive: &Place) -> Result<(), Error> {
    let mut skipped = Skipped::default();
    let (mut ahead, mut after_end) = (Ahead::default(), false);
    while let Some(block) = block(walker, bytes, archive.depth()) {
        if block.iter().all(|b| *b == 0) {
            after_end = true;
            continue;
        }
        if !is_tar(&block) {
            if !after_end {
                let error = io::Error::other("a header was expected");
                walker.ledger.damage(Packing::Tar.name(), archive.depth(), &error);
            }
            break;
        }
        let header = Header::from_byte_slice(&block);
        let Ok(size) = ahead.size.take().map_or_else(|| header.entry_size(), Ok) else {
            walker.ledger.damage(Packing::Tar.name(), archive.depth(), &io::Error::other("a size was expected"));
            break;
        };
        let mut body = Body::new(bytes, size, (Packing::Tar.name(), archive.depth()), walker.ledger);
        match header.entry_type() {
            EntryType::GNULongName => ahead.name = Some(attributes(&mut body)),
            EntryType::XHeader => ahead.take(&attributes(&mut body)),
            EntryType::XGlobalHeader | EntryType::GNULongLink | EntryType::Directory => {}
            kind => {
                let Ahead { name, sparse, .. } = std::mem::take(&mut ahead);
                let path = name.unwrap_or_else(|| header.path_bytes().into_owned());
                let name = member_name(&path);
                let file = matches!(kind, EntryType::Regular | EntryType::Continuous);
                if sparse || kind == EntryType::GNUSparse {
                    skipped.add(Reason::Sparse, &name);
                } else if !file {
                    skipped.add(Reason::NoFile, &name);
                } else if size > 0 || !path.ends_with(b"/") {
                    // Old archives have folders as empty files whose names end so.
                    if !walker.admit(archive) {
                        break;
                    }
                    walker.unwrap(Box::new(&mut body), archive.member(&name))?;
                }
            }
        }
        let padding = (MAGIC as u64 - size % MAGIC as u64) % MAGIC as u64;
        if !walker.ledger.goes_on(archive.depth()) || !body.skip() || !pass(bytes, padding) {
            break;
        }
    }
    walker.close(archive, skipped);
    Ok(())
}

/// The next block; `None` at the end, or where there is half of one, which is a damage.
fn block(walker: &Walker<'_, '_>, bytes: &mut dyn BufRead, depth: usize) -> Option<Vec<u8>> {
    let mut block = Vec::with_capacity(MAGIC);
    bytes.take(MAGIC as u64).read_to_end(&mut block).ok()?;
    if !block.is_empty() && block.len() < MAGIC {
        walker.ledger.damage(Packing::Tar.name(), depth, &io::ErrorKind::UnexpectedEof.into());
    }
    (block.len() == MAGIC).then_some(block)
}

fn pass(bytes: &mut dyn BufRead, n: u64) -> bool {
    io::copy(&mut bytes.take(n), &mut io::sink()).is_ok()
}

fn attributes(body: &mut Body<'_, '_, '_>) -> Vec<u8> {
    let mut attributes = Vec::new();
    // What is missing is found when the rest is passed over.
    let _ = body.take(ATTRIBUTES).read_to_end(&mut attributes);
    while attributes.last() == Some(&0) {
        attributes.pop();
    }
    attributes
}

impl Ahead {
    fn take(&mut self, attributes: &[u8]) {
        for extension in PaxExtensions::new(attributes).flatten() {
            match extension.key_bytes() {
                b"path" => self.name = Some(extension.value_bytes().to_vec()),
                b"size" => self.size = extension.value().ok().and_then(|size| size.parse().ok()),
                key => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
    }
}
