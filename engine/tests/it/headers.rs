use jiff::Timestamp;
use logkin_engine::format;

/// Each pair of lines: a log line; then `> `, its time (or `-`), its level (or `-`) and its message.
#[test]
fn headers_are_told_from_messages() {
    let reference: Timestamp = "2024-06-30T00:00:00Z".parse().unwrap();
    let cases = include_str!("cases/headers.txt");
    let lines: Vec<&str> = cases.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 80, "only {} lines found", lines.len());
    for pair in lines.chunks(2) {
        let record = format::read(pair[0].as_bytes(), reference.as_second());
        let time = record.time.map_or("-".to_owned(), |time| Timestamp::from_millisecond(time).unwrap().to_string());
        let level = record.level.map_or("-".to_owned(), |level| format!("{level:?}"));
        let found = format!("> {time} {level} {}", String::from_utf8_lossy(record.message));
        assert_eq!(found, pair[1], "of {:?}", pair[0]);
    }
}

#[test]
fn a_time_without_a_year_is_the_latest_not_after_tomorrow() {
    let at = |reference: &str| {
        let reference: Timestamp = reference.parse().unwrap();
        format::read(b"Dec 31 23:59:59 host app: x", reference.as_second()).time.unwrap() / 1000 / 86_400 / 365
    };
    assert_eq!(at("2024-12-31T12:00:00Z"), at("2025-01-01T00:00:00Z"));
    assert_eq!(at("2025-12-30T00:00:00Z"), at("2024-12-31T12:00:00Z"));
    assert_eq!(at("2025-12-31T00:00:00Z"), at("2024-12-31T12:00:00Z") + 1);
}
