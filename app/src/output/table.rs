//! The count table for people.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
};

use logkin_engine::{
    Report,
    record::Level,
    report::{Cluster, Totals},
};
use unicode_width::UnicodeWidthChar;

use super::{level_name, moment, visible};

/// What the table may assume of the screen it is written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Columns; `None` when it is no screen, and nothing is cut.
    pub width: Option<usize>,
    /// Rows; `None` when it is no screen.
    pub height: Option<usize>,
    /// Whether colours are wanted.
    pub colour: bool,
}

impl Terminal {
    /// Of standard output; `no_color` says whether the environment asks for no colours (<https://no-color.org>).
    pub fn of_stdout(no_color: bool) -> Self {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Self::default();
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok();
        let of = |n: Option<u16>| n.map(usize::from).filter(|n| *n > 0);
        let (width, height) = (of(size.map(|size| size.ws_col)), of(size.map(|size| size.ws_row)));
        Self { width, height, colour: !no_color }
    }
}

pub(super) const SLOT: &str = "<*>";
const DIM: &str = "\x1b[2m";
pub(super) const CYAN: &str = "\x1b[36m";
const YELLOW: &str = "\x1b[33m";
pub(super) const RED: &str = "\x1b[31m";
pub(super) const RESET: &str = "\x1b[0m";

pub(super) fn write(report: &Report, shown: usize, terminal: Terminal, out: &mut dyn Write) -> io::Result<()> {
    let (listed, muted): (Vec<&Cluster>, Vec<&Cluster>) = report.clusters.iter().partition(|c| !c.is_muted);
    let (clusters, hidden) = listed.split_at(shown.min(listed.len()));
    if report.clusters.is_empty() {
        return footer(report, out);
    }
    let count_width = clusters.iter().map(|c| digits(c.lines)).max().unwrap_or(0).max("LINES".len());
    writeln!(out, "{:>count_width$}  {:>6}  {:<6}  TEMPLATE", "LINES", "SHARE", "LEVEL")?;
    for cluster in clusters {
        row(cluster, count_width, terminal, out)?;
    }
    writeln!(out)?;
    for (clusters, how) in [(hidden, "not shown"), (&muted, "muted by rules")] {
        if !clusters.is_empty() {
            let lines: u64 = clusters.iter().map(|c| c.lines).sum();
            writeln!(out, "and {} with {} {how}", count(clusters.len() as u64, "cluster"), count(lines, "line"))?;
        }
    }
    footer(report, out)
}

fn row(cluster: &Cluster, count_width: usize, terminal: Terminal, out: &mut dyn Write) -> io::Result<()> {
    let head =
        format!("{:>count_width$}  {:>6}  {:<6}  ", cluster.lines, percent(cluster.share), level_name(cluster.level));
    let room = terminal.width.map(|width| width.saturating_sub(head.len()).max(20));
    let template = fit(&visible(cluster.title.as_ref().unwrap_or(&cluster.template)), room);
    if !terminal.colour {
        return writeln!(out, "{head}{template}");
    }
    let tint = level_colour(cluster.level);
    writeln!(out, "{tint}{head}{RESET}{}", template.replace(SLOT, &format!("{CYAN}{SLOT}{RESET}")))
}

fn footer(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Totals { lines, events, clusters, set_aside, shortened, .. } = report.totals;
    write!(out, "{}", count(lines - set_aside, "line"))?;
    if events < lines - set_aside {
        write!(out, " of {}", count(events, "event"))?;
    }
    write!(out, " in {}", count(clusters, "cluster"))?;
    for aside in &report.set_aside {
        write!(out, ", {} set aside ({})", aside.lines, aside.reason)?;
    }
    if shortened > 0 {
        write!(out, ", {shortened} too long and read in part")?;
    }
    let times = |pick: fn(&Cluster) -> Option<i64>| report.clusters.iter().filter_map(pick);
    if let (Some(first), Some(last)) = (times(|c| c.first_seen_ms).min(), times(|c| c.last_seen_ms).max()) {
        write!(out, "; {} to {}", moment(Some(first)), moment(Some(last)))?;
    }
    writeln!(out)?;
    formats(report, out)?;
    rules(report, out)
}

/// Forms named in the foot of the table.
const FORMS: usize = 3;

/// How the lines begin, where any of them has a header.
fn formats(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut lines: BTreeMap<&str, u64> = BTreeMap::new();
    for share in report.inputs.iter().flat_map(|input| &input.formats) {
        *lines.entry(&share.form).or_default() += share.lines;
    }
    let all: u64 = lines.values().sum();
    let mut forms: Vec<_> = lines.into_iter().collect();
    forms.sort_by_key(|(form, lines)| (Reverse(*lines), *form));
    if forms.iter().all(|(form, _)| *form == "plain") {
        return Ok(());
    }
    for (i, (form, lines)) in forms.iter().take(FORMS).enumerate() {
        let comma = if i == 0 { "format: " } else { ", " };
        write!(out, "{comma}{} ({})", visible(form), percent(*lines as f64 / all as f64))?;
    }
    match forms.len().saturating_sub(FORMS) {
        0 => writeln!(out),
        more => writeln!(out, " and {more} more"),
    }
}

/// How many lines each rule touched.
fn rules(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for (i, rule) in report.rules.iter().flat_map(|used| &used.rules).enumerate() {
        let comma = if i == 0 { "rules: " } else { ", " };
        write!(out, "{comma}{} ({})", visible(&rule.name), count(rule.lines, "line"))?;
    }
    if report.rules.is_some() { writeln!(out) } else { Ok(()) }
}

pub(super) fn level_colour(level: Option<Level>) -> &'static str {
    match level {
        Some(Level::Fatal | Level::Error) => RED,
        Some(Level::Warn) => YELLOW,
        Some(Level::Trace | Level::Debug) => DIM,
        Some(Level::Info | Level::Notice) | None => "",
    }
}

/// Never rounds a kind of line that exists to nothing, nor one that is not alone to everything.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p > 0.0 && p < 0.01 => "<0.01%".to_owned(),
        p if p < 100.0 && p > 99.99 => ">99.9%".to_owned(),
        p => format!("{p:.2}%"),
    }
}

fn digits(n: u64) -> usize {
    n.checked_ilog10().map_or(1, |d| d as usize + 1)
}

pub(super) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Cut to `room` columns, with a mark where something is missing.
pub(super) fn fit(text: &str, room: Option<usize>) -> String {
    let Some(room) = room else { return text.to_owned() };
    let width = |c: char| c.width().unwrap_or(0);
    if text.chars().map(width).sum::<usize>() <= room {
        return text.to_owned();
    }
    let mut used = 1;
    let kept = text.chars().take_while(|c| {
        used += width(*c);
        used <= room
    });
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{count, fit, percent};

    #[test]
    fn small_shares_are_not_rounded_to_nothing() {
        assert_eq!(
            [percent(0.0), percent(0.000_01), percent(0.5), percent(0.999_999), percent(1.0)],
            ["0.00%", "<0.01%", "50.00%", ">99.9%", "100.00%"]
        );
    }

    #[test]
    fn wide_characters_take_two_columns_of_the_room() {
        assert_eq!(fit("数据库连接", Some(10)), "数据库连接");
        assert_eq!(fit("数据库连接", Some(9)), "数据库连…");
        assert_eq!(fit("abc", Some(2)), "a…");
    }

    #[test]
    fn one_is_not_plural() {
        assert_eq!((count(1, "line"), count(2, "line")), ("1 line".to_owned(), "2 lines".to_owned()));
    }
}
