//! The order of found files: as people read names, numbers by their value; of a log that was rotated the oldest first.

use std::path::Path;

/// Endings that packing adds to a name.
const PACKED: [&str; 9] = [".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".tgz", ".Z", ".7z"];

/// A text that sorts as people do.
type Natural = Vec<Piece>;

/// Digits sort before letters, as in ASCII.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Piece {
    /// Length without leading zeros, the digits without them, the digits as written.
    Number(usize, String, String),
    Text(String),
}

/// Which of a log's files it is, oldest first: dated ones, numbered ones from the highest, the one that is written to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Dated(String),
    Numbered(std::cmp::Reverse<u32>),
    Current,
}

/// Sorts paths.
pub(super) fn key(path: &Path) -> (Vec<Natural>, Turn, Natural) {
    let mut parts: Vec<String> =
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let name = parts.pop().unwrap_or_default();
    let (base, turn) = turn(&name);
    let folders = parts.iter().map(String::as_str);
    (folders.chain([base]).map(natural).collect(), turn, natural(&name))
}

/// The name of the log, and which of its files this is: `app.log`, `app.log.1`, `app.log.2.gz`, `app.log-20240501.gz`.
fn turn(name: &str) -> (&str, Turn) {
    let plain = PACKED.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let start = plain.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | 'T')).len();
    let (base, tail) = plain.split_at(start);
    // `app.log-20240501`: the sign before the date was taken off with it; `app.log.1`: the full stop was not.
    let digits = tail.chars().filter(char::is_ascii_digit).count();
    match (base.strip_suffix('.'), tail.parse::<u32>()) {
        (Some(log), Ok(number)) if !log.is_empty() && digits < 6 => (log, Turn::Numbered(std::cmp::Reverse(number))),
        (log, _) if digits >= 6 && !base.is_empty() => {
            (log.unwrap_or(base), Turn::Dated(tail.replace(['-', '_', 'T'], "")))
        }
        _ => (plain, Turn::Current),
    }
}

fn natural(text: &str) -> Natural {
    let pieces = text.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let piece = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Piece::Text(text);
        }
        let value = text.trim_start_matches('0').to_owned();
        Piece::Number(value.len(), value, text)
    };
    pieces.map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_log_is_read_from_its_oldest_file_on() {
        let expected = [
            "a/app.log-20240430.gz",
            "a/app.log-20240501",
            "a/app.log.10.gz",
            "a/app.log.2.gz",
            "a/app.log.1",
            "a/app.log",
            "a/node-2.log",
            "a/node-10.log",
            "b/1714521600",
            "b2/x.log.2024-05-01",
            "b2/x.log.2024-05-02.zst",
            "b2/x.log",
            "b10/x.log",
        ];
        let mut paths = expected;
        paths.sort_by_key(|path| path.len());
        paths.sort_by_cached_key(|path| key(Path::new(path)));
        assert_eq!(paths, expected);
    }

    #[test]
    fn names_that_are_all_digits_or_odd_have_an_order_too() {
        for name in ["", ".", "..", "1", ".1", "..1", "日志.1.gz", "-", "20240501", "99999999999999999999.1"] {
            let _ = key(Path::new(name));
        }
        assert_eq!(turn("日志.1.gz").0, "日志");
    }
}
