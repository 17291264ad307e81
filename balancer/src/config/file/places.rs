//! Where in the file something stands.

use std::fmt;

use toml::de::{DeTable, DeValue};

/// A line and a column, both from 1 on; columns are counted in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// That of a byte.
    pub(super) fn of(text: &str, at: usize) -> Self {
        let before = &text[..at.min(text.len())];
        let line = before.matches('\n').count() + 1;
        Self { line, column: before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.line, self.column)
    }
}

/// All values of a file.
pub(in crate::config) struct Places<'a> {
    text: &'a str,
    table: DeTable<'a>,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str, table: DeTable<'a>) -> Self {
        Self { text, table }
    }

    /// Those of a text that is no file.
    pub(super) fn none(text: &'a str) -> Self {
        Self::new(text, DeTable::new())
    }

    /// Where the value of a key such as `pool.server[0].weight` stands. What is no table only: of a table it would be the
    /// first line, though the problem is with what is in it, or missing there.
    pub(in crate::config) fn find(&self, key: &str) -> Option<Place> {
        let mut table = &self.table;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            let (name, number) = part.strip_suffix(']').and_then(|part| part.split_once('[')).unzip();
            let mut value = table.get(name.unwrap_or(part))?;
            if let Some(number) = number {
                let DeValue::Array(items) = value.get_ref() else { return None };
                value = items.get(number.parse::<usize>().ok()?)?;
            }
            match value.get_ref() {
                DeValue::Table(inner) => table = inner,
                DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => return None,
                _ if parts.peek().is_none() => return Some(Place::of(self.text, value.span().start)),
                _ => return None,
            }
        }
        None
    }
}
