//! The masks that are common to all tools that take some: `masks.tsv`, name and regular expression.

/// As they are in the file, which the Python side reads as well.
pub(crate) const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/masks.tsv");

/// Names and regular expressions, without look-around: not every tool knows it.
pub(crate) fn all() -> Vec<(&'static str, &'static str)> {
    include_str!("../masks.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
}

/// What stands for a masked part in a line. A word of its own, not `<*>`: that counts as a difference in Drain.
pub(crate) fn placeholder(name: &str) -> String {
    format!("<{name}>")
}

/// A template with the names of masks read as slots.
pub(crate) fn unnamed(template: &str) -> String {
    all().iter().fold(template.to_owned(), |text, (name, _)| text.replace(&placeholder(name), "<*>"))
}
