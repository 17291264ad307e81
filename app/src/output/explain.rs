//! Why the lines of a cluster are together, for people and as JSON.

use std::io::{self, Write};

use logkin_engine::{
    cluster::Step,
    report::explain::{Explanation, JoinTold, SlotTold},
};

use super::{table::count, visible};
use crate::cli::TableFormat;

/// Items shown of each list for people.
const SHOWN: usize = 8;

/// Writes an explanation: JSON where the dress asked for is JSON, else text.
pub fn explain(told: &Explanation, format: TableFormat, out: &mut dyn Write) -> io::Result<()> {
    if matches!(format, TableFormat::Json | TableFormat::Ndjson) {
        serde_json::to_writer(&mut *out, told)?;
        return writeln!(out);
    }
    writeln!(out, "{}  {}", told.id, visible(&told.template))?;
    let (lines, shapes) = (count(told.lines, "line"), count(told.shapes as u64, "shape"));
    writeln!(out, "{lines} of {shapes}, at similarity {}", told.similarity)?;
    if told.joins == 0 && told.shapes == 1 {
        writeln!(out, "\nNothing was joined: its lines have one shape, they differ in masked values only.")?;
    }
    if !told.last_joins.is_empty() {
        writeln!(out, "\nWhy they are together, the last join first:")?;
        told.last_joins.iter().take(SHOWN).try_for_each(|join| joined(join, out))?;
        rest(told.joins, told.last_joins.len(), out)?;
    }
    if !told.rules.is_empty() {
        writeln!(out, "\nRules about these lines: {}", visible(&told.rules.join(", ")))?;
    }
    writeln!(out, "\nShapes, most lines first:")?;
    for shape in told.most_frequent.iter().take(SHOWN) {
        writeln!(out, "  {:>10}  {}", shape.lines, visible(&shape.shape))?;
    }
    rest(told.shapes, told.most_frequent.len(), out)?;
    if !told.slots.is_empty() {
        writeln!(out, "\nWhat varies, slot by slot:")?;
        told.slots.iter().enumerate().try_for_each(|(at, slot)| varying(at + 1, slot, out))?;
    }
    match &told.nearest {
        None => writeln!(out, "\nThere is no other cluster."),
        Some(near) => {
            writeln!(out, "\nThe nearest other cluster: {}  {}", near.id, visible(&near.template))?;
            writeln!(
                out,
                "  {}; joined with it from --similarity {} down, because {}; their words are {:.0} % alike",
                count(near.lines, "line"),
                near.similarity,
                reason(near.step),
                near.likeness * 100.0
            )
        }
    }
}

fn joined(join: &JoinTold, out: &mut dyn Write) -> io::Result<()> {
    let template = visible(&join.template);
    writeln!(out, "  {:<5}  {} shapes in {} parts: {template}", join.similarity, join.shapes, join.parts)?;
    writeln!(out, "         {}", reason(join.step))
}

fn varying(number: usize, slot: &SlotTold, out: &mut dyn Write) -> io::Result<()> {
    let texts: Vec<String> =
        slot.most_frequent.iter().take(SHOWN).map(|(text, lines)| format!("{} ({lines})", visible(text))).collect();
    // What all shapes have there is what was masked: how many different values that stands for nobody counts.
    let is_masked = slot.texts == 1 && slot.most_frequent.iter().all(|(text, _)| text.starts_with('<'));
    let many = if is_masked { "masked".to_owned() } else { format!("{} different", slot.texts) };
    writeln!(out, "  {number}. <{}>, {many}: {}", slot.kind.name(), texts.join(", "))?;
    let examples: Vec<String> = slot.examples.iter().map(|value| visible(value).into_owned()).collect();
    if examples.is_empty() {
        return Ok(());
    }
    writeln!(out, "     in its first lines: {}", examples.join(", "))
}

fn rest(all: usize, given: usize, out: &mut dyn Write) -> io::Result<()> {
    match all - given.min(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

fn reason(step: Step) -> &'static str {
    match step {
        Step::Equal => "their templates read the same",
        Step::Outlines => "they differ in signs and masked values, not in words",
        Step::Words => "they differ in places where the file has many words, or names",
        Step::Stretches => "they differ in stretches of words: lists, optional parts",
        Step::Alike => "their words are alike",
    }
}
