//! Extended log files of the W3C, as IIS and others write them: a line that begins with `#Fields:` says what the columns of the
//! others are. Lines of requests come down to what access logs say of one, `"GET /x HTTP/1.1" 200`, so that its status is told from
//! other numbers; the rest of their columns are fields. Tables of other things are read as text.

use std::collections::BTreeSet;

use super::{
    digits::Digits,
    fields::{Fields, Written},
    status, time,
};
use crate::record::{Onset, Record};

/// What stands before the names of columns.
const DIRECTIVE: &[u8] = b"#Fields:";

/// Columns of a table at most.
const COLUMNS: usize = 64;

/// Tables of an input at most.
const TABLES: usize = 8;

/// What a column says where there is nothing to say.
const NOTHING: &[u8] = b"-";

/// The columns of a table of requests.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Table {
    names: Vec<Box<[u8]>>,
    method: usize,
    stem: usize,
    status: usize,
    query: Option<usize>,
    version: Option<usize>,
    /// Where the date is, with the time of day behind it.
    date: Option<usize>,
}

/// A line of a table.
pub(super) struct Row<'t, 'l> {
    table: &'t Table,
    columns: [&'l [u8]; COLUMNS],
}

impl Table {
    /// Of the line that tells its columns; `None` where that is another, or the table is none of requests.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let text = line.strip_prefix(DIRECTIVE)?;
        let names: Vec<Box<[u8]>> =
            text.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty()).map(Box::from).collect();
        let place = |name: &[u8]| names.iter().position(|known| **known == *name);
        let date = place(b"date").filter(|date| place(b"time") == Some(date + 1));
        let (method, stem) = (place(b"cs-method")?, place(b"cs-uri-stem").or(place(b"cs-uri"))?);
        let (status, query, version) = (place(b"sc-status")?, place(b"cs-uri-query"), place(b"cs-version"));
        let version = version.or(place(b"cs-protocol-version"));
        (names.len() <= COLUMNS).then_some(Self { names, method, stem, status, query, version, date })
    }

    /// The columns of a line, if it is one of the table.
    pub(super) fn row<'l>(&self, line: &'l [u8]) -> Option<Row<'_, 'l>> {
        let sign = if line.contains(&b'\t') { b'\t' } else { b' ' };
        let mut columns: [&[u8]; COLUMNS] = [&[]; COLUMNS];
        let mut found = 0;
        for column in line.trim_ascii_end().split(|b| *b == sign) {
            *columns.get_mut(found)? = column;
            found += 1;
        }
        let (method, status) = (columns[self.method], columns[self.status]);
        let is_method = !method.is_empty() && method.iter().all(u8::is_ascii_uppercase);
        let is_status = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
        (found == self.names.len() && is_method && is_status).then_some(Row { table: self, columns })
    }

    /// Whether a column is part of the time or of the message.
    fn is_said(&self, place: usize) -> bool {
        let message = [Some(self.method), Some(self.stem), self.query, self.version, Some(self.status)];
        message.contains(&Some(place)) || self.date.is_some_and(|date| (date..date + 2).contains(&place))
    }
}

impl Row<'_, '_> {
    /// What the line says; its message is put into `text`, the other columns into `fields`.
    pub(super) fn read<'t>(&self, reference: i64, fields: &mut Written, text: &'t mut Vec<u8>) -> Record<'t> {
        let Self { table, columns } = self;
        let said = |place: usize| Some(columns[place]).filter(|text| *text != NOTHING);
        text.clear();
        let mut write = |parts: &[&[u8]]| parts.iter().for_each(|part| text.extend_from_slice(part));
        write(&[b"\"", columns[table.method], b" ", columns[table.stem]]);
        if let Some(query) = table.query.and_then(said) {
            write(&[b"?", query]);
        }
        // Which version it was may not be said.
        let version = table.version.and_then(said).unwrap_or(b"HTTP/-");
        write(&[b" ", version, b"\" ", columns[table.status]]);
        fields.clear();
        for (place, name) in table.names.iter().enumerate().filter(|(place, _)| !table.is_said(*place)) {
            if let Some(value) = said(place) {
                let mark = fields.enter(name);
                fields.value(value, true);
                fields.leave(mark);
            }
        }
        let time = table.date.and_then(|date| {
            let written = [columns[date], b" ", columns[date + 1]].concat();
            time::stamp(&written, &mut ())?.millis(&written, reference)
        });
        let level = status::level(Digits::open(text), text);
        Record { time, level, onset: Onset::of(time, level), message: text }
    }
}

/// The tables that some of the lines tell the columns of.
pub(super) fn tables<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<Table> {
    let told: BTreeSet<Table> = lines.filter_map(Table::of).collect();
    told.into_iter().take(TABLES).collect()
}

/// Those of both.
pub(super) fn together(some: &[Table], others: &[Table]) -> Vec<Table> {
    let all: BTreeSet<&Table> = some.iter().chain(others).collect();
    all.into_iter().take(TABLES).cloned().collect()
}
