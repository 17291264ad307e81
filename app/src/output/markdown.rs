//! The count table as Markdown, to paste into a ticket.

use std::io::{self, Write};

use logkin_engine::Report;

use super::{level_name, moment, visible};

pub(super) fn write(report: &Report, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| lines | share | level | first seen | last seen | template |")?;
    writeln!(out, "|--:|--:|---|---|---|---|")?;
    for cluster in report.clusters.iter().filter(|cluster| !cluster.is_muted).take(shown) {
        writeln!(
            out,
            "| {} | {:.2} % | {} | {} | {} | {} |",
            cluster.lines,
            cluster.share * 100.0,
            level_name(cluster.level),
            moment(cluster.first_seen_ms),
            moment(cluster.last_seen_ms),
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
    use super::code;

    #[test]
    fn bars_and_backticks_stay_inside_their_cell() {
        assert_eq!(code("a | b"), "`a \\| b`");
        assert_eq!(code("run `x`"), "`` run `x` ``");
    }
}
