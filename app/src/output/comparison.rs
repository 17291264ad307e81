//! A comparison in its dresses. Those made for reading show what matters; the others every cluster of either side.

use std::io::{self, Write};

use logkin_engine::compare::{Change, Comparison, Counts, Difference, Side};

use super::{
    Rows, Terminal, code, level_name, moment,
    table::{CYAN, RED, RESET, SLOT, count, fit, level_colour, percent},
    truth, visible,
};
use crate::cli::TableFormat;

/// Writes a comparison; `top` differences of it (0: all) in the dresses made for reading.
pub fn write(
    comparison: &Comparison,
    format: TableFormat,
    top: usize,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let shown: Vec<&Difference> = comparison.clusters.iter().filter(|one| one.matters()).collect();
    let top = if top == 0 { shown.len() } else { top.min(shown.len()) };
    match format {
        TableFormat::Table => table(comparison, &shown, top, terminal, out),
        TableFormat::Markdown => markdown(comparison, &shown, top, out),
        TableFormat::Csv => csv(comparison, out),
        TableFormat::Json => {
            serde_json::to_writer(&mut *out, comparison)?;
            writeln!(out)
        }
        TableFormat::Ndjson => comparison.clusters.iter().try_for_each(|one| {
            serde_json::to_writer(&mut *out, one)?;
            writeln!(out)
        }),
    }
}

fn level(one: &Difference) -> &'static str {
    level_name(if one.other.events > 0 { one.other.level } else { one.base.level })
}

/// What became of it, in a word.
fn word(one: &Difference) -> String {
    let few = if one.is_finding || one.change == Change::Same { "" } else { " few" };
    format!("{}{few}", one.change.name())
}

/// By how much, as people say it.
fn factor(one: &Difference) -> String {
    match one.factor {
        None => String::new(),
        Some(factor) if factor >= 999.5 => ">999x".to_owned(),
        Some(factor) if factor >= 9.95 => format!("{factor:.0}x"),
        Some(factor) if factor >= 0.01 => format!("{factor:.2}x"),
        Some(_) => "<0.01x".to_owned(),
    }
}

fn table(
    comparison: &Comparison,
    shown: &[&Difference],
    top: usize,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let width =
        |of: fn(&Difference) -> u64| shown.iter().map(|one| of(one).to_string().len()).max().unwrap_or(0).max(5);
    let (base, other) = (width(|one| one.base.events), width(|one| one.other.events));
    if !shown.is_empty() {
        let (b, o) = ("BASE", "OTHER");
        writeln!(
            out,
            "{:<8}  {b:>base$}  {:>7}  {o:>other$}  {:>7}  {:>7}  {:<6}  TEMPLATE",
            "CHANGE", "SHARE", "SHARE", "BY", "LEVEL"
        )?;
    }
    for one in &shown[..top] {
        let head = format!(
            "{:<8}  {:>base$}  {:>7}  {:>other$}  {:>7}  {:>7}  {:<6}  ",
            word(one),
            one.base.events,
            percent(one.base.share),
            one.other.events,
            percent(one.other.share),
            factor(one),
            level(one)
        );
        let room = terminal.width.map(|width| width.saturating_sub(head.len()).max(20));
        let template = fit(&visible(one.title.as_ref().unwrap_or(&one.template)), room);
        if terminal.colour {
            let tint = if one.is_new_error() { RED } else { level_colour(one.other.level) };
            writeln!(out, "{tint}{head}{RESET}{}", template.replace(SLOT, &format!("{CYAN}{SLOT}{RESET}")))?;
        } else {
            writeln!(out, "{head}{template}")?;
        }
    }
    if !shown.is_empty() {
        writeln!(out)?;
    }
    if let hidden @ 1.. = shown.len() - top {
        writeln!(out, "and {} not shown", count(hidden as u64, "difference"))?;
    }
    footer(comparison, out)
}

fn footer(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let side = |name: &str, Side { totals, hours, .. }: &Side| {
        let hours = hours.map_or_else(String::new, |hours| format!(" in {}", span(hours)));
        format!("{name}: {}{hours}, {}", count(totals.events, "event"), count(totals.clusters, "cluster"))
    };
    writeln!(out, "{}; {}", side("BASE", &comparison.base), side("OTHER", &comparison.other))?;
    let number = |of: &dyn Fn(&&Difference) -> bool| comparison.clusters.iter().filter(of).count() as u64;
    let found = |change: Change| number(&|one| one.is_finding && one.change == change && !one.is_muted);
    let few = number(&|one| !one.is_finding && !one.is_muted && matches!(one.change, Change::New | Change::Gone));
    write!(
        out,
        "{} new, {} more, {} gone, {} less, {} alike",
        found(Change::New),
        found(Change::More),
        found(Change::Gone),
        found(Change::Less),
        number(&|one| one.change == Change::Same && !one.is_muted)
    )?;
    if few > 0 {
        write!(out, ", {few} on one side only with too few events to tell")?;
    }
    if let muted @ 1.. = number(&|one| one.is_muted) {
        write!(out, "; muted by rules: {muted}")?;
    }
    if let errors @ 1.. = number(&|one| one.is_new_error() && !one.is_muted) {
        write!(out, "; new errors: {errors}")?;
    }
    writeln!(out)
}

/// A length of time in the unit that suits it.
fn span(hours: f64) -> String {
    match hours * 3600.0 {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds if seconds < 172_800.0 => format!("{hours:.1} h"),
        _ => format!("{:.1} days", hours / 24.0),
    }
}

fn markdown(comparison: &Comparison, shown: &[&Difference], top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| change | base | share | other | share | by | level | template |")?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|---|---|")?;
    for one in &shown[..top] {
        let (base, other) = (&one.base, &one.other);
        let (was, is) = (percent(base.share), percent(other.share));
        let (change, by, level) = (word(one), factor(one), level(one));
        writeln!(
            out,
            "| {change} | {} | {was} | {} | {is} | {by} | {level} | {}{} |",
            base.events,
            other.events,
            one.title.as_ref().map_or_else(String::new, |title| code(title) + " "),
            code(&one.template)
        )?;
    }
    writeln!(out)?;
    footer(comparison, out)
}

fn csv(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = Rows::new(out);
    rows.write([
        "cluster",
        "change",
        "finding",
        "error",
        "factor",
        "p",
        "q",
        "base_events",
        "base_share",
        "base_per_hour",
        "other_events",
        "other_share",
        "other_per_hour",
        "level",
        "first_seen",
        "last_seen",
        "template",
        "title",
        "muted",
    ])?;
    for one in &comparison.clusters {
        let per_hour = |counts: &Counts| counts.per_hour.map_or_else(String::new, |rate| format!("{rate:.3}"));
        let last = if one.other.events > 0 { &one.other } else { &one.base };
        rows.write([
            one.id.0.as_str(),
            one.change.name(),
            truth(one.is_finding),
            truth(one.is_error),
            &one.factor.map_or_else(String::new, |factor| format!("{factor:.6}")),
            &format!("{:.3e}", one.p),
            &format!("{:.3e}", one.q),
            &one.base.events.to_string(),
            &format!("{:.6}", one.base.share),
            &per_hour(&one.base),
            &one.other.events.to_string(),
            &format!("{:.6}", one.other.share),
            &per_hour(&one.other),
            level(one),
            &moment(last.first_seen_ms),
            &moment(last.last_seen_ms),
            &one.template,
            one.title.as_deref().unwrap_or_default(),
            truth(one.is_muted),
        ])?;
    }
    rows.finish()
}
