//! Files as answers: how they are opened, what is known of them, and what of them a request gets by the conditions that it
//! makes. It knows nothing of sockets.

pub mod conditions;
pub mod folder;
pub mod ranges;
pub mod reply;

/// The type of a file by its name. Text is told to be UTF-8, which it nearly always is; XML tells by itself.
#[must_use]
pub fn kind(name: &str) -> String {
    let kind = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    let is_text = kind.starts_with("text/") && kind != "text/xml" || kind == "application/javascript";
    if is_text { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_type_comes_from_the_name() {
        for (name, expected) in [
            ("a.HTML", "text/html; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.svg", "image/svg+xml"),
            ("a.xml", "text/xml"),
            ("a.json", "application/json"),
            ("a.woff2", "font/woff2"),
            ("a.tar.gz", "application/gzip"),
            ("README", "application/octet-stream"),
        ] {
            assert_eq!(super::kind(name), expected, "{name}");
        }
    }
}
