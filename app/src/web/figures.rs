//! Numbers, sizes, shares and moments as people read them.

use jiff::{Timestamp, tz::TimeZone};

/// With thousands apart: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count and its noun: `1 line`, `12,345 lines`.
pub fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// In powers of 1024: `512 B`, `1.4 MiB`.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A share from 0 to 1 in per cent; what is there is never shown as nothing.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 0.01 => "< 0.01 %".to_owned(),
        p if p < 10.0 => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}

/// RFC 3339 in UTC, to the millisecond; empty for a time no calendar has.
pub fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |t| format!("{t:.3}"))
}

/// For people, UTC: `2026-11-20 10:23:45`.
pub fn moment(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).map(|t| t.to_zoned(TimeZone::UTC));
    time.map_or_else(|_| String::new(), |t| t.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// The time of day of a [`moment`]: `10:23:45`.
pub fn time(ms: i64) -> String {
    moment(ms).split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned())
}

/// A length of time: `1 s`, `5 min`, `2 h`, `1 day`.
pub fn duration(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{} s", ms / 1_000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// How long ago: `just now`, `5 min ago`.
pub fn ago(now_ms: i64, then_ms: i64) -> String {
    match now_ms.saturating_sub(then_ms) {
        ..10_000 => "just now".to_owned(),
        since => format!("{} ago", duration(since)),
    }
}
