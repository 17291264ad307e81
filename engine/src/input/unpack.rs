//! Finds out how an input is packed and takes the packing off, layer by layer, archives member by member, streamed. What an
//! input is, is decided by its first bytes, never by its name. Nothing is written to a disk.
//!
//! The bounds are those of [`Unpacking`]; `ledger` keeps the account.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read},
};

use super::{
    archive::Skipped,
    file::Steady,
    ledger::{BUFFER, Broken, Ledger},
    packing::{MAGIC, Packing},
    tar, zip,
};
use crate::{Error, Progress, input::Source, settings::Unpacking};

/// Unpacked bytes that are an input of their own.
pub(crate) struct Opened<'t> {
    /// The path inside the archives it is a member of; `None` is the input itself.
    pub(crate) member: Option<&'t str>,
    /// Outermost first.
    pub(crate) packing: &'t [&'static str],
    /// Whether the bytes lie in a file as they are, and can be read there again.
    pub(crate) in_place: bool,
    /// The bytes, as far as they can be read.
    pub(crate) bytes: Box<dyn BufRead + 't>,
    /// Tells what ended them early.
    pub(crate) ledger: &'t Ledger<'t>,
}

/// What is to be said of an input as a whole.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    /// How it is packed if it is an archive, outermost first.
    pub(crate) packing: Vec<&'static str>,
    /// For a person, without the name.
    pub(crate) problems: Vec<String>,
}

/// What is done with unpacked bytes. It need not read to the end.
pub(crate) type Visit<'v> = dyn FnMut(Opened<'_>) -> Result<(), Error> + 'v;

/// Unpacks an input.
pub(crate) fn walk(
    source: Source,
    bounds: Unpacking,
    progress: &Progress,
    visit: &mut Visit<'_>,
) -> Result<Whole, Error> {
    let ledger = Ledger::new(bounds, progress);
    let mut walker = Walker { ledger: &ledger, visit, whole: Whole::default() };
    match open(source) {
        Ok((raw, regular)) => walker.unwrap(Box::new(ledger.raw(raw)), Place { regular, ..Place::default() })?,
        Err(problem) => walker.whole.problems.push(problem),
    }
    Ok(walker.whole)
}

/// The error is for a person, who knows the name.
fn open(source: Source) -> Result<(Box<dyn Read>, bool), String> {
    let path = match source {
        Source::Reader(reader) => return Ok((reader, false)),
        Source::File(path) => path,
    };
    let file = File::open(&path).map_err(|e| format!("cannot be opened: {e}; it is left out"))?;
    let about = file.metadata().map_err(|e| format!("cannot be looked at: {e}; it is left out"))?;
    if about.is_dir() {
        return Err("is a directory; a file was expected; name the files in it".into());
    }
    let regular = about.is_file();
    Ok(if regular { (Box::new(Steady::new(file, about.len())), true) } else { (Box::new(file), false) })
}

/// Goes through an input.
pub(super) struct Walker<'w, 'v> {
    pub(super) ledger: &'w Ledger<'w>,
    visit: &'w mut Visit<'v>,
    whole: Whole,
}

/// Where bytes are in an input.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Inside of archives; empty is the input itself.
    pub(super) path: String,
    /// Outermost first.
    pub(super) packing: Vec<&'static str>,
    /// Whether the input is a regular file.
    regular: bool,
}

impl Place {
    /// Layers around it.
    pub(super) fn depth(&self) -> usize {
        self.packing.len()
    }

    /// A member of the archive that is here.
    pub(super) fn member(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) };
        Self { path, packing: self.packing.clone(), regular: false }
    }
}

impl<'w> Walker<'w, '_> {
    /// Takes all packings off, and hands on what is in them.
    pub(super) fn unwrap<'t>(&mut self, mut bytes: Box<dyn BufRead + 't>, mut place: Place) -> Result<(), Error>
    where
        'w: 't,
    {
        let ledger = self.ledger;
        loop {
            let mut head = Vec::with_capacity(MAGIC);
            if let Err(error) = bytes.by_ref().take(MAGIC as u64).read_to_end(&mut head) {
                bytes = Box::new(BufReader::with_capacity(1, Broken(Some(error))));
            }
            let packing = Packing::of(&head);
            bytes = Box::new(Cursor::new(head).chain(bytes));
            let Some(packing) = packing else { return self.hand_on(bytes, &place) };
            if place.depth() == self.ledger.bounds.max_depth {
                let max = place.depth();
                self.problem(
                    &place,
                    &format!("is packed more than {max} times (`max_depth`); what is in it is left out"),
                );
                return Ok(());
            }
            place.packing.push(packing.name());
            bytes = match packing {
                Packing::Tar => return tar::members(self, &mut bytes, &place),
                Packing::Zip => return zip::members(self, &mut bytes, &place),
                _ => {
                    let decoder = packing.decoder(bytes, ledger.bounds);
                    let decoder = decoder.unwrap_or_else(|error| Box::new(Broken(Some(error))));
                    let layer = ledger.layer(decoder, packing.name(), place.depth());
                    Box::new(BufReader::with_capacity(BUFFER, layer))
                }
            };
        }
    }

    /// Whether one more member may be read; if not, that is told.
    pub(super) fn admit(&mut self, archive: &Place) -> bool {
        let admitted = self.ledger.admit();
        if !admitted {
            let max = self.ledger.bounds.max_members;
            let problem =
                format!("has more members than the {max} that are read (`max_members`); the rest is left out");
            self.problem(archive, &problem);
        }
        admitted
    }

    /// What is to be told after the last member of an archive.
    pub(super) fn close(&mut self, archive: &Place, skipped: Skipped) {
        if archive.path.is_empty() {
            self.whole.packing.clone_from(&archive.packing);
        }
        if let Some(damage) = self.ledger.untold() {
            self.problem(archive, &format!("{damage}; the members before it are read"));
        }
        skipped.problems().for_each(|problem| self.problem(archive, &problem));
    }

    pub(super) fn problem(&mut self, place: &Place, problem: &str) {
        let path = if place.path.is_empty() { String::new() } else { format!("its member {} ", place.path) };
        self.whole.problems.push(format!("{path}{problem}"));
    }

    fn hand_on(&mut self, bytes: Box<dyn BufRead + '_>, place: &Place) -> Result<(), Error> {
        (self.visit)(Opened {
            member: (!place.path.is_empty()).then_some(&place.path),
            packing: &place.packing,
            in_place: place.regular && place.packing.is_empty(),
            bytes,
            ledger: self.ledger,
        })
    }
}
