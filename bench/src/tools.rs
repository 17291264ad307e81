//! What is compared: the tools and their configurations, and what a tool answers.

use std::collections::HashMap;

use anyhow::Result;

pub(crate) mod drain3;
pub(crate) mod logdrain;
pub(crate) mod logkin;
pub(crate) mod tipping;

/// A tool in one configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// In tables.
    pub(crate) name: &'static str,
    /// For the process that runs it.
    pub(crate) tool: &'static str,
    /// `default` or `masks`; of logkin `messages` or `lines`, which is what it is told about headers: nothing for raw lines.
    pub(crate) configuration: &'static str,
    /// Whether it is a package of Python.
    pub(crate) is_python: bool,
    /// Whether it gets only the beginning of a large log.
    pub(crate) is_slow: bool,
}

const RUST: Entry = Entry { name: "", tool: "", configuration: "default", is_python: false, is_slow: false };
const MASKS: Entry = Entry { configuration: "masks", ..RUST };
const PYTHON: Entry = Entry { is_python: true, ..RUST };
const PYTHON_MASKS: Entry = Entry { is_python: true, ..MASKS };

/// All of them, in the order of the tables.
pub(crate) const ENTRIES: [Entry; 9] = [
    Entry { name: "logkin", tool: "logkin", ..RUST },
    Entry { name: "Tipping (crate)", tool: "tipping", ..RUST },
    Entry { name: "Tipping (PyPI)", tool: "tipping", ..PYTHON },
    Entry { name: "drain3 (crate)", tool: "drain3", ..RUST },
    Entry { name: "drain3 (crate), masks", tool: "drain3", ..MASKS },
    Entry { name: "Drain3 (PyPI)", tool: "drain3", is_slow: true, ..PYTHON },
    Entry { name: "Drain3 (PyPI), masks", tool: "drain3", is_slow: true, ..PYTHON_MASKS },
    Entry { name: "logdrain", tool: "logdrain", ..RUST },
    Entry { name: "logdrain, masks", tool: "logdrain", ..MASKS },
];

/// What a tool says of lines.
#[derive(Debug, Default)]
pub(crate) struct Grouping {
    /// The group of each line; `None` is no group.
    pub(crate) groups: Vec<Option<usize>>,
    /// The template of each line; empty if not asked for.
    pub(crate) templates: Vec<String>,
}

/// A tool that takes one line after the other and keeps none.
pub(crate) trait Online {
    /// The group of a line.
    fn add(&mut self, line: &str) -> Result<usize>;

    /// The templates of the groups, by their numbers.
    fn templates(&self) -> HashMap<usize, String>;
}

/// The version of a package that this program was built with.
pub(crate) fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let after = lock.split(&name).nth(1).and_then(|rest| rest.split('"').next());
    after.unwrap_or("of unknown version")
}
