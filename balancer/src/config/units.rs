//! `10s`, `64KiB`: durations and sizes as people write them.

use std::time::Duration;

use bytesize::ByteSize;

/// Reads a duration: a whole number with `ms`, `s`, `m` or `h`.
///
/// # Errors
///
/// What was expected instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("`{text}` is no duration; write a whole number with ms, s, m or h, such as 30s");
    let (number, unit) = split(text).ok_or_else(expected)?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    millis.map(Duration::from_millis).ok_or_else(expected)
}

/// Reads a size in bytes as the other programs do: a number, alone or with a unit such as `KiB`, `MB` or `GiB`; but a letter
/// alone (`k`, `m`, `g`) is nginx's: 1024, not 1000.
///
/// # Errors
///
/// What was expected instead.
pub fn size(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is no size; write bytes, alone or with a unit, such as 64KiB, 10MB or 1GiB");
    let size = match split(text) {
        Some((number, "k" | "K")) => number.checked_mul(1 << 10),
        Some((number, "m" | "M")) => number.checked_mul(1 << 20),
        Some((number, "g" | "G")) => number.checked_mul(1 << 30),
        // What is too large comes as the largest.
        _ => text.parse::<ByteSize>().ok().map(|size| size.as_u64()).filter(|size| *size < u64::MAX),
    };
    size.ok_or_else(expected)
}

/// Writes a duration as it is read: in the largest unit in which it is a whole number.
#[must_use]
pub fn written_duration(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
    let (unit, name) =
        units.into_iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit)).unwrap_or((1000, "s"));
    format!("{}{name}", millis / unit)
}

/// Writes a size in bytes, in the largest unit of which it is a whole number, or ten or more, and then rounded up.
pub fn written_size(bytes: impl TryInto<u64>) -> String {
    let bytes = bytes.try_into().unwrap_or(u64::MAX);
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let fits = |(unit, _): &(u64, &str)| bytes >= *unit && (bytes.is_multiple_of(*unit) || bytes >= 10 * unit);
    match units.into_iter().find(fits) {
        Some((unit, name)) => format!("{}{name}", bytes.div_ceil(unit)),
        None => format!("{bytes}B"),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_as_the_file_has_it() {
        let times = [0, 250, 1000, 90_000, 7_200_000].map(|millis| written_duration(Duration::from_millis(millis)));
        assert_eq!(times, ["0s", "250ms", "1s", "90s", "2h"]);
        assert_eq!(
            [0, 500, 65_536, 1_179_648, 3 << 30].map(|bytes: u64| written_size(bytes)),
            ["0B", "500B", "64KiB", "1152KiB", "3GiB"]
        );
    }

    #[test]
    fn durations_and_sizes_are_read_as_written() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!((size("64KiB"), size("1g"), size("7")), (Ok(65_536), Ok(1 << 30), Ok(7)));
        assert_eq!((size("10MB"), size("1.5 GiB"), size("1m")), (Ok(10_000_000), Ok(3 << 29), Ok(1 << 20)));
    }

    #[test]
    fn what_is_neither_says_what_to_write() {
        for text in ["", "s", "1", "1.5s", "-1s", "1d", "99999999999999999999s", "9999999999999999h"] {
            assert!(duration(text).unwrap_err().contains("such as 30s"), "{text}");
        }
        for text in ["", "KiB", "1 lot", "-1", "17179869184GiB"] {
            assert!(size(text).unwrap_err().contains("such as 64KiB"), "{text}");
        }
    }
}
