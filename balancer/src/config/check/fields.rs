//! The rules of what routes change about fields.

use super::{Found, file};
use crate::{
    http1::fields::{ASKED_ONCE, ONCE},
    route::{cors::Cors, edits::Edits},
};

/// Changes of one head.
pub(super) fn check(found: &mut Found, key: &str, file: &file::Edits) -> Edits {
    let mut pairs = |part: &str, list: &std::collections::BTreeMap<String, String>| {
        let mut checked = Vec::new();
        for (name, value) in list {
            let key = format!("{key}.{part}");
            let pair = (found.take(&key, name.parse()), found.take(&format!("{key}.{name}"), value.parse()));
            if let (Some(name), Some(value)) = pair {
                checked.push((name, value));
            }
        }
        checked
    };
    let (set, add) = (pairs("set", &file.set), pairs("add", &file.add));
    check_twice(found, key, file);
    let names = file.remove.iter().filter_map(|name| found.take(&format!("{key}.remove"), name.parse()));
    Edits { set, add, remove: names.collect() }
}

/// A field is the same one in any case.
fn check_twice(found: &mut Found, key: &str, file: &file::Edits) {
    let set: Vec<&String> = file.set.keys().collect();
    for (number, name) in set.iter().enumerate() {
        if let Some(other) = set[..number].iter().find(|other| other.eq_ignore_ascii_case(name)) {
            found.add(&format!("{key}.set.{name}"), format!("this is {other} once more; leave one of them out"));
        }
    }
    for name in file.remove.iter().filter(|name| set.iter().any(|set| set.eq_ignore_ascii_case(name))) {
        found.add(
            &format!("{key}.remove"),
            format!("`{name}` is under set too, which takes the place of what was there; leave one of them out"),
        );
    }
}

/// Changes of a request's head.
pub(super) fn check_request(found: &mut Found, key: &str, file: &file::Edits) -> Edits {
    check_once(found, key, file, (ASKED_ONCE, "a request"));
    check(found, key, file)
}

/// Changes of an answer's head.
pub(super) fn check_answer(found: &mut Found, key: &str, file: &file::Edits) -> Edits {
    check_once(found, key, file, (ONCE, "an answer"));
    check(found, key, file)
}

fn check_once(found: &mut Found, key: &str, file: &file::Edits, (once, whose): (&[(&str, &str)], &str)) {
    let is_once = |name: &String| once.iter().any(|(once, _)| name.eq_ignore_ascii_case(once));
    for name in file.add.keys().filter(|name| is_once(name)) {
        found.add(&format!("{key}.add.{name}"), format!("{whose} has one of it at most; write it under set"));
    }
}

/// What other sites are granted.
pub(super) fn check_cors(found: &mut Found, key: &str, file: &file::Cors) -> Cors {
    let origins = file.allow_origin.clone();
    if origins.is_empty() {
        found.add(
            &format!("{key}.allow_origin"),
            "there is none; write some such as [\"https://shop.example\"], or [\"*\"]",
        );
    }
    let is_origin = |origin: &&String| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        *origin == "*"
            || rest.is_some_and(|rest| {
                crate::http1::target::is_host(rest.to_ascii_lowercase().as_bytes())
                    && *rest == rest.to_ascii_lowercase()
            })
    };
    for origin in origins.iter().filter(|origin| !is_origin(origin)) {
        found.add(
            &format!("{key}.allow_origin"),
            format!("`{origin}` is no origin; write one as browsers do, such as https://shop.example, in lower case and without a path"),
        );
    }
    if file.allow_credentials && origins.iter().any(|origin| origin == "*") {
        found.add(&format!("{key}.allow_credentials"), "browsers take it for named origins only; name them");
    }
    let list = |found: &mut Found, part: &str, words: &[String]| {
        let is_token = |word: &&String| crate::http1::fields::is_token(word.as_bytes());
        for word in words.iter().filter(|word| !is_token(word)) {
            found.add(&format!("{key}.{part}"), format!("`{word}` is no name; write one word for each"));
        }
        words.join(", ")
    };
    Cors {
        credentials: file.allow_credentials,
        methods: list(found, "allow_methods", &file.allow_methods),
        headers: list(found, "allow_headers", &file.allow_headers),
        expose: list(found, "expose_headers", &file.expose_headers),
        max_age: found.seconds(&format!("{key}.max_age"), file.max_age.as_ref()).map(|age| age.as_secs()),
        origins,
    }
}
