//! The count table as Markdown, to paste into a ticket.

use std::io::{self, Write};

use logkin_engine::Report;

use super::{level_name, moment, visible};

pub(super) fn write(report: &Report, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| lines | events | share | level | first seen | last seen | template |")?;
    writeln!(out, "|--:|--:|--:|---|---|---|---|")?;
    for cluster in report.clusters.iter().filter(|cluster| !cluster.is_muted).take(shown) {
        writeln!(
            out,
            "| {} | {} | {:.2} % | {} | {} | {} | {}{} |",
            cluster.lines,
            cluster.events,
            cluster.share * 100.0,
            level_name(cluster.level),
            moment(cluster.first_seen_ms),
            moment(cluster.last_seen_ms),
            cluster.title.as_ref().map_or_else(String::new, |title| code(title) + " "),
            code(&cluster.template)
        )?;
    }
    Ok(())
}

/// Inline code in a table cell: a bar is escaped there even within code, and the fence is longer than any run of
/// backticks inside (CommonMark 6.1).
pub(super) fn code(text: &str) -> String {
    let text = visible(text).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use logkin_engine::{Input, Progress, Settings, analyze, rules::Rules};

    use super::{code, write};

    #[test]
    fn a_renamed_cluster_is_shown_with_its_title() {
        let text = "[[rule]]\nrename = \"job <*> done\"\ntitle = \"A | job\"\n";
        let rules = Rules::parse("rules.toml", text).unwrap();
        let settings = Settings { rules: Some(rules.into()), ..Settings::default() };
        let log = Input::reader("log", &b"job 1 done\njob 2 done\n"[..]);
        let report = analyze(vec![log], &settings, &Progress::default(), None).unwrap();
        let mut out = Vec::new();
        write(&report, 1, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("| `A \\| job` `job <*> done` |\n"));
    }

    #[test]
    fn bars_and_backticks_stay_inside_their_cell() {
        assert_eq!(code("a | b"), "`a \\| b`");
        assert_eq!(code("run `x`"), "`` run `x` ``");
    }
}
