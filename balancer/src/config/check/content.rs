//! The rules of what routes serve themselves, and of what is compressed.

use super::{Found, file};
use crate::{compress::Compress, config::units, http1::fields::is_token, route::files::Files};

/// What is compressed; `usual`: where nothing is said about it.
pub(super) fn check_compress(
    found: &mut Found,
    key: &str,
    file: Option<&file::Compress>,
    usual: Option<&Compress>,
) -> Option<Compress> {
    let terms = match file {
        None => return usual.cloned(),
        Some(file::Compress::Off) => return None,
        Some(file::Compress::On(terms)) => terms,
    };
    let default = usual.cloned().unwrap_or_default();
    let types = terms.types.as_ref().map_or(default.types, |types| {
        let is_type = |kind: &str| {
            kind.split_once('/').is_some_and(|(kind, rest)| is_token(kind.as_bytes()) && is_token(rest.as_bytes()))
        };
        if types.is_empty() {
            found
                .add(&format!("{key}.types"), "there is none; write some such as [\"text/html\"], or compress = false");
        }
        for kind in types.iter().filter(|kind| !is_type(kind) || kind.contains('*')) {
            found.add(&format!("{key}.types"), format!("`{kind}` is no type of content; write one such as text/html"));
        }
        types.iter().map(|kind| kind.to_ascii_lowercase()).collect()
    });
    let min_length = terms.min_length.as_ref();
    let min_length = min_length.and_then(|text| found.take(&format!("{key}.min_length"), units::size(text)));
    Some(Compress { types, min_length: min_length.unwrap_or(default.min_length) })
}

/// The folder of a route, if it has one.
pub(super) fn check_files(found: &mut Found, key: &str, file: &file::Route, location: &str) -> Option<Files> {
    let (root, prefix) = match (&file.root, &file.alias) {
        (Some(root), None) => (root, String::new()),
        (None, Some(alias)) => (alias, location.to_owned()),
        (Some(root), Some(_)) => {
            found.add(&format!("{key}.alias"), "there is a root as well; leave one of them out");
            (root, String::new())
        }
        (None, None) => {
            let unused = [
                ("index", file.index.is_some()),
                ("cache_control", file.cache_control.is_some()),
                ("precompressed", file.precompressed),
            ];
            for (part, _) in unused.iter().filter(|(_, is_there)| *is_there) {
                found.add(&format!("{key}.{part}"), "it is for routes that serve files; add root or alias");
            }
            return None;
        }
    };
    let name = if file.root.is_some() { "root" } else { "alias" };
    if root.as_os_str().is_empty() {
        found.add(&format!("{key}.{name}"), "there is none; write the path of a folder, . for this one");
    } else if !root.is_dir() {
        let shown = root.display();
        found.add(&format!("{key}.{name}"), format!("there is no folder {shown}; make it, or write another one"));
    }
    if file.pool.is_some() {
        found.add(&format!("{key}.pool"), format!("it has a {name}, so nothing goes to a pool; leave one of them out"));
    }
    if !file.request_headers.is_empty() {
        found.add(&format!("{key}.request_headers"), format!("it has a {name}, so nothing goes on; leave them out"));
    }
    if file.buffer_requests.is_some() {
        found.add(&format!("{key}.buffer_requests"), format!("it has a {name}, so nothing goes on; leave it out"));
    }
    let index = file.index.clone().unwrap_or_else(|| "index.html".to_owned());
    if index.is_empty() || index.starts_with('.') || index.contains(['/', '\0']) {
        found.add(&format!("{key}.index"), format!("`{index}` is no name of a file; write one such as index.html"));
    }
    let cache_control = file.cache_control.clone();
    if let Some(text) = cache_control.as_ref().filter(|text| text.is_empty() || !text.bytes().all(is_printable)) {
        found.add(&format!("{key}.cache_control"), format!("{text:?} is no value; write one such as max-age=3600"));
    }
    Some(Files { root: root.clone(), prefix, index, cache_control, precompressed: file.precompressed })
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}
