//! `Input`: a named source of bytes. Its packing is taken off in `unpack`, its text is made UTF-8 in `text`, given line feeds
//! in `line_ends` and `holes`, and cut in `chunks`; what a line says is not read here.

mod file;
mod ledger;
mod inflate;
mod packing;
mod archive;
pub(crate) mod text;
pub(crate) mod line_ends;
pub(crate) mod holes;
mod tar;
mod zip;
pub(crate) mod unpack;
mod watch;
pub(crate) mod chunks;

use std::{fmt, io::Read, path::PathBuf};

/// A named source of log bytes, packed or not, in any usual encoding; what it is, is found from its content.
pub struct Input {
    /// Shown to the user and kept in the report.
    pub name: String,
    /// Where the bytes are.
    pub source: Source,
}

/// Where the bytes of an input come from.
pub enum Source {
    /// A regular file.
    File(PathBuf),
    /// Anything that can be read once from front to back: standard input, a socket, a byte slice.
    Reader(Box<dyn Read + Send>),
}

impl Input {
    /// A file, named by its path as given.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: path.display().to_string(), source: Source::File(path) }
    }

    /// A reader with a name of its own.
    pub fn reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self { name: name.into(), source: Source::Reader(Box::new(reader)) }
    }

    /// The same bytes under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}
