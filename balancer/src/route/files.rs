//! A folder that a route serves, and which file of it a request is for. Pure.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::path::{decode, is_below};

/// The one name beginning with a dot that is there to be read by everybody (RFC 8615).
const WELL_KNOWN: &[u8] = b".well-known";

/// A folder that a route serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The folder. Nothing outside of it is served.
    pub root: PathBuf,
    /// How paths begin that stands for the folder itself; empty if the whole path goes on inside.
    pub prefix: String,
    /// The file that a folder is answered with.
    pub index: String,
    /// The value of `Cache-Control`, if anything is said about that.
    pub cache_control: Option<String>,
    /// Whether files may lie there compressed beside themselves.
    pub precompressed: bool,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Below the root.
    pub path: PathBuf,
    /// Whether it is for a folder: its path ends with a slash.
    pub is_folder: bool,
}

impl Files {
    /// What a target is for whose path is one that routes take; nothing if there can be no such file.
    #[must_use]
    pub fn find(&self, target: &[u8]) -> Option<Wanted> {
        let path = path_of(target);
        let mut name = Vec::with_capacity(path.len());
        for segment in path.strip_prefix(b"/").unwrap_or(path).split(|&byte| byte == b'/') {
            let segment = decode(segment)?;
            // What routes have refused is refused here too, for nothing but this stands between a path and a file.
            let is_hidden = segment.starts_with(b".") && segment != WELL_KNOWN;
            if is_hidden || segment.iter().any(|byte| matches!(byte, b'/' | 0)) {
                return None;
            }
            name.push(b'/');
            name.extend_from_slice(&segment);
        }
        if !is_below(&name, self.prefix.as_bytes()) {
            return None;
        }
        let is_folder = path.ends_with(b"/");
        let inner = &name[self.prefix.len()..];
        let inner = if self.prefix.ends_with('/') { inner } else { inner.strip_prefix(b"/").unwrap_or(inner) };
        if inner.starts_with(b"/") || inner.windows(2).any(|pair| pair == b"//") {
            return None;
        }
        let inner = inner.strip_suffix(b"/").unwrap_or(inner);
        let path = if inner.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(inner)) };
        Some(Wanted { path: path.to_owned(), is_folder })
    }
}

/// The path of a target; that of the whole site if it has none.
fn path_of(target: &[u8]) -> &[u8] {
    match target.split(|&byte| byte == b'?').next() {
        None | Some([]) => b"/",
        Some(path) => path,
    }
}

/// The same target with a slash behind its path, for whoever asks for a folder as if it were a file.
#[must_use]
pub fn with_slash(target: &[u8]) -> Vec<u8> {
    let path = path_of(target);
    let rest = target.get(path.len()..).unwrap_or_default();
    [path, b"/", rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(prefix: &str, target: &str) -> Option<(String, bool)> {
        let files = Files {
            root: "/srv".into(),
            prefix: prefix.to_owned(),
            index: "index.html".to_owned(),
            cache_control: None,
            precompressed: false,
        };
        let wanted = files.find(target.as_bytes())?;
        Some((wanted.path.to_string_lossy().into_owned(), wanted.is_folder))
    }

    #[test]
    fn a_path_goes_on_inside_the_folder_whole_or_behind_its_location() {
        for (prefix, target, expected) in [
            ("", "/a/b.css", Some(("a/b.css", false))),
            ("", "/a%20b/", Some(("a b", true))),
            ("", "/", Some((".", true))),
            ("", "", Some((".", true))),
            ("", "?x=/y", Some((".", true))),
            ("", "/a?b/..", Some(("a", false))),
            ("", "/a;b=c.txt", Some(("a;b=c.txt", false))),
            ("/static/", "/static/a.css", Some(("a.css", false))),
            ("/static/", "/%73tatic/a.css", Some(("a.css", false))),
            ("/static/", "/static/", Some((".", true))),
            ("/static", "/static", Some((".", false))),
            ("/static", "/static/a", Some(("a", false))),
            ("/static/", "/static;x/a.css", None),
            ("", "/.well-known/acme", Some((".well-known/acme", false))),
            ("", "/.git/config", None),
            ("", "/a/.env", None),
        ] {
            let expected = expected.map(|(path, is_folder)| (path.to_owned(), is_folder));
            assert_eq!(found(prefix, target), expected, "{prefix} {target}");
        }
    }

    #[test]
    fn no_target_names_anything_outside() {
        for target in [
            "/..",
            "/../a",
            "/a/../b",
            "/%2e%2e/a",
            "/.%2e",
            "//etc/passwd",
            "/a//b",
            "/a%2fb",
            "/a%00",
            "/%5c..",
            "/%",
        ] {
            assert_eq!(found("", target), None, "{target}");
        }
        assert_eq!((found("/static", "/static//etc"), found("/static/", "/static//etc")), (None, None));
    }

    #[test]
    fn a_slash_comes_behind_the_path_and_before_the_query() {
        assert_eq!(with_slash(b"/a%20b"), b"/a%20b/");
        assert_eq!(with_slash(b"/a?b/c?d"), b"/a/?b/c?d");
    }
}
