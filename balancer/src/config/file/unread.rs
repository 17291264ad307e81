//! What stands in the file and cannot be read: an unknown key, or a value that is none for its key. In the words of the
//! file, and with what to write instead.

use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

use super::places::Place;

/// Most bytes of a value that are shown.
const SHOWN: usize = 40;

/// Keys of durations beside those that end with `timeout`.
const DURATIONS: [&str; 7] =
    ["resolve", "slow_start", "interval", "expires", "max_age", "client_body_patience", "client_read_patience"];

/// Keys of lists of tables.
const OF_TABLES: [&str; 5] = ["listen", "server", "certificate", "route", "program"];

/// Words that others have for what is elsewhere here.
const ELSEWHERE: [(&str, &str); 5] = [
    ("server", "[[pool.server]] for a backend, [[listen]] for where clients come to"),
    ("upstream", "[pool], and [[pool.server]] for each of its backends"),
    ("certificate", "[[tls.certificate]]"),
    ("location", "[[route]], and location in it"),
    ("balance", "[pool], and balance in it"),
];

/// What could not be read.
#[derive(Debug)]
pub(in crate::config) struct Unread {
    /// Where it begins.
    pub(in crate::config) at: Place,
    /// Its key, such as `pool.server[0].weight`.
    pub(in crate::config) key: Option<String>,
    /// What is wrong, with the key.
    pub(in crate::config) problem: String,
}

impl Unread {
    /// The file is no TOML.
    pub(super) fn syntax(text: &str, error: &Error) -> Self {
        let message = error.message().replace('\n', ", ");
        if let Some(twice) = error.span().and_then(|span| text.get(span)).filter(|_| message == "duplicate key") {
            return Self::at(text, error, None, &format!("{twice} is there twice; leave one of them out"));
        }
        Self::at(text, error, None, &format!("{message}; correct it, the keys are in docs/configuration.md"))
    }

    /// A key or value that was left out.
    pub(super) fn new(text: &str, error: &Error, place: Option<LeftOut>) -> Self {
        let (Some(place), Some(value)) = (place, error.span().and_then(|span| text.get(span))) else {
            return Self::syntax(text, error);
        };
        let problem = format!("{}: {}", place.key, describe(&place, value, error.message()));
        // What else is in a list can be checked.
        Self::at(text, error, Some(place.key).filter(|_| !place.in_list), &problem)
    }

    fn at(text: &str, error: &Error, key: Option<String>, problem: &str) -> Self {
        let at = Place::of(text, error.span().map_or(0, |span| span.start));
        Self { at, key, problem: problem.to_owned() }
    }
}

/// What is wrong with a key or a value, by what serde says of it.
fn describe(place: &LeftOut, value: &str, message: &str) -> String {
    let (about, expected) = message.rsplit_once(", expected ").unwrap_or((message, "none"));
    let known = expected.strip_prefix("one of ").unwrap_or(expected);
    if about.starts_with("unknown field") {
        return unknown(&place.key, &known.replace('`', ""));
    }
    let shown = if value.len() > SHOWN || value.contains('\n') { "this" } else { value };
    if about.starts_with("unknown variant") {
        return format!("{shown} is not known; write one of {}", known.replace('`', "\"").replace(" or ", ", "));
    }
    let name = place.key.rsplit('.').next().unwrap_or_default();
    let path = without_numbers(&place.key);
    // What stands in a list is written without the key.
    let set = |value: &str| if place.in_list { value.to_owned() } else { format!("{name} = {value}") };
    let bare = value.trim_matches(['"', '\'']);
    let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    let (what, write) = match expected {
        "a string" | "path string" => {
            ("no text", format!("put it into quotes, such as {}", set(&format!("\"{}\"", quoted(name, value)))))
        }
        "u8" | "u16" | "u32" | "u64" | "usize" if is_number && bare != value => {
            ("text and no number", format!("write it without quotes: {}", set(bare)))
        }
        // Shares only.
        "u8" => ("no share", "write 0 to 100".to_owned()),
        "u16" => ("no number that it takes", "write a whole number from 0 to 65535".to_owned()),
        "u32" if is_number => ("too large a number", format!("write one up to {}", u32::MAX)),
        "u64" | "usize" if is_number => ("too large a number", format!("write one up to {}", usize::MAX)),
        "u32" | "u64" | "usize" => ("no number that it takes", "write a whole number from 0 on".to_owned()),
        "a boolean" => ("neither true nor false", format!("write {} or {}", set("true"), set("false"))),
        "a sequence" if shown == format!("[{path}]") => ("one table, and no list", format!("write [[{path}]]")),
        "a sequence" if about.ends_with("map") => ("one table, and no list", format!("write [[{path}]] ahead of it")),
        "a sequence" if OF_TABLES.contains(&name) => ("no list", format!("write [[{path}]] and its keys below it")),
        "a sequence" if name == "command" && bare != value => ("no list", format!("write {name} = {}", words(bare))),
        "a sequence" if is_number || bare != value => ("no list", format!("put it into brackets: {name} = [{shown}]")),
        "a sequence" => ("no list", "write one in brackets".to_owned()),
        expected if place.in_list && (expected == "a map" || expected.starts_with("struct ")) => {
            ("no table", format!("write [[{path}]] and its keys below it, once for each"))
        }
        "a map" => ("no table", "write one, with keys and values".to_owned()),
        expected if expected.starts_with("struct ") => ("no table", "write one, with keys and values".to_owned()),
        "none" => ("not what it takes", format!("{about}; the keys are in docs/configuration.md")),
        expected => ("not what it takes", format!("write {expected}")),
    };
    format!("{shown} is {what}; {write}")
}

/// The list of a program and its arguments that a line for a shell may have meant.
fn words(line: &str) -> String {
    // What a shell would take off is not to be guessed.
    if line.len() > SHOWN || line.is_empty() || line.contains(['\'', '"', '\\', '$', '\n']) {
        return "[\"PROGRAM\", \"ARGUMENT\"], with as many arguments as there are".to_owned();
    }
    let words: Vec<String> = line.split_whitespace().map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(", "))
}

/// What is wrong with a key that is none at its place, where these are known.
fn unknown(key: &str, known: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or_default();
    if name != key && has_key(name) {
        return "there is no such key here; write it at the top of the file, ahead of the first bracket".to_owned();
    }
    match ELSEWHERE.iter().find(|(word, _)| *word == key) {
        Some((_, instead)) => format!("there is no such key; write {instead}"),
        None => format!("there is no such key; write one of {known}"),
    }
}

/// Whether the file has this key at its top.
fn has_key(name: &str) -> bool {
    let refused = toml::from_str::<super::File>("none = 0").err();
    refused.is_some_and(|error| error.message().contains(&format!("`{name}`")))
}

/// A key as it is written in the head of a table.
fn without_numbers(key: &str) -> String {
    key.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".")
}

/// The value as the text that may have been meant.
fn quoted(name: &str, value: &str) -> String {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let number = Some(value).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
    match name {
        name if name.ends_with("timeout") || DURATIONS.contains(&name) => format!("{}s", number.unwrap_or("30")),
        "rate" => format!("{}r/s", number.unwrap_or("10")),
        "address" | "metrics_listen" => format!("127.0.0.1:{}", number.unwrap_or("8001")),
        _ if is_plain => value.to_owned(),
        _ => "...".to_owned(),
    }
}

/// What was left out.
pub(super) struct LeftOut {
    key: String,
    /// Whether it is a value in the list of this key.
    in_list: bool,
}

impl LeftOut {
    fn below(self, start: &str) -> Self {
        Self { key: format!("{start}{}", self.key), ..self }
    }
}

/// Leaves out the key or the value that stands there.
pub(super) fn take(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<LeftOut> {
    let found = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    let found = found.map(|(key, _)| key.get_ref().to_string());
    if let Some(key) = found {
        table.remove(key.as_str());
        return Some(LeftOut { key, in_list: false });
    }
    table.iter_mut().find_map(|(key, value)| Some(take_below(value.get_mut(), span)?.below(key.get_ref())))
}

fn take_below(value: &mut DeValue<'_>, span: &Range<usize>) -> Option<LeftOut> {
    match value {
        DeValue::Table(table) => take(table, span).map(|place| place.below(".")),
        DeValue::Array(items) => {
            if items.iter().any(|item| item.span() == *span) {
                *items = items.iter().filter(|item| item.span() != *span).cloned().collect();
                return Some(LeftOut { key: String::new(), in_list: true });
            }
            let mut items = items.iter_mut().enumerate();
            items.find_map(|(number, item)| Some(take_below(item.get_mut(), span)?.below(&format!("[{number}]"))))
        }
        _ => None,
    }
}
