//! What the tests know of the pages' markup, in one place.

use std::collections::BTreeSet;

use e2e::Api;

/// Rows of a report's cluster table.
pub(crate) const ROWS: &str = "table.clusters tbody tr";
/// The cell of a row with the number of lines.
pub(crate) const LINES: &str = "table.clusters tbody td.number";

/// A row of the cluster table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Cluster id.
    pub(crate) id: String,
    /// Template, slots as `<*>`.
    pub(crate) template: String,
    /// Lines.
    pub(crate) lines: u64,
}

/// The button of a sample on the home page.
pub(crate) fn sample_button(name: &str) -> String {
    format!("form.samples button[value='{name}']")
}

/// Names of the samples the home page offers.
pub(crate) fn offered_samples(page: &str) -> BTreeSet<String> {
    between(page, "<button name=\"sample\" value=\"", "\"").map(readable).collect()
}

/// The report a page address leads to.
pub(crate) fn report_id(url: &str) -> String {
    let (_, rest) = url.split_once("/reports/").unwrap_or_else(|| panic!("{url} is not a report's"));
    rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned()
}

/// A number as people read it: `12,345`.
pub(crate) fn number(text: &str) -> u64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

/// The whole cluster table of a report, from page to page.
pub(crate) fn rows(api: &Api, id: &str) -> Vec<Row> {
    let (mut rows, mut path) = (Vec::new(), format!("/reports/{id}"));
    loop {
        let page = api.get(&path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        rows.extend(
            between(&page.body, "<th scope=\"row\" class=\"template\"", "</th>").zip(numbers(&page.body)).map(row),
        );
        let Some(next) = between(&page.body, "rel=\"next\" href=\"", "\"").next() else { return rows };
        path = if next.starts_with('?') { format!("/reports/{id}{}", readable(next)) } else { readable(next) };
    }
}

fn row((cell, lines): (&str, u64)) -> Row {
    let address = between(cell, "href=\"", "\"").next().unwrap_or_else(|| panic!("no link in {cell}"));
    let text = cell
        .split_once("\">")
        .and_then(|(_, rest)| rest.rsplit_once("</a>"))
        .unwrap_or_else(|| panic!("no text in {cell}"))
        .0;
    let mut template = String::new();
    for (at, piece) in text.split("<var>").enumerate() {
        template.push_str(if at == 0 { "" } else { "<*>" });
        template.push_str(if at == 0 { piece } else { piece.split_once("</var>").expect("a slot is closed").1 });
    }
    Row { id: address.rsplit('/').next().unwrap_or_default().to_owned(), template: readable(&template), lines }
}

/// The numbers of the table's first column.
fn numbers(page: &str) -> impl Iterator<Item = u64> {
    let table = page.split_once("<table class=\"clusters\"").map_or("", |(_, rest)| rest);
    between(table, "<td class=\"number\">", "</td>").map(number)
}

/// All texts between `start` and the next `end`.
fn between<'a>(page: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    page.split(start).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// Escaped text as it is read.
fn readable(text: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
