//! Events over time as shapes: geometry only, the templates draw it.

use std::fmt::Write;

use logkin_engine::report::Histogram;

use super::figures;

/// Width of the drawing, in its own units; the page stretches it.
pub const WIDTH: usize = 1000;
/// Height of the drawing.
pub const HEIGHT: usize = 100;

/// Steps of a small drawing in a table row.
const SPARK_STEPS: usize = 48;
/// Height of one.
const SPARK_HEIGHT: u64 = 16;

/// A histogram ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Only steps with events.
    pub bars: Vec<Bar>,
    /// Events of the highest bar, for people.
    pub highest: String,
    /// Length of a step, for people.
    pub step: String,
    /// Start of the first step.
    pub from: String,
    /// End of the last.
    pub until: String,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// When and how many.
    pub title: String,
}

/// Draws counts over the steps of a histogram.
#[expect(clippy::cast_precision_loss, reason = "a drawing of a thousand units")]
pub fn chart(frame: &Histogram, counts: &[u64]) -> Option<Chart> {
    let highest = counts.iter().copied().max().filter(|n| *n > 0)?;
    let width = WIDTH as f64 / counts.len() as f64;
    let start = |at: usize| frame.start_ms.saturating_add(frame.step_ms.saturating_mul(at as i64));
    let bars = counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, n)| {
        let height = (HEIGHT as f64 * *n as f64 / highest as f64).max(1.5);
        let title = format!("{}: {}", figures::moment(start(at)), figures::counted(*n, "event"));
        Bar {
            x: round(at as f64 * width),
            y: round(HEIGHT as f64 - height),
            width: round(width * 0.88),
            height: round(height),
            title,
        }
    });
    Some(Chart {
        bars: bars.collect(),
        highest: figures::counted(highest, "event"),
        step: figures::duration(frame.step_ms),
        from: figures::moment(start(0)),
        until: figures::moment(start(counts.len())),
    })
}

/// The outline of counts as an SVG path, coarser and on its own scale; empty for none.
pub fn spark(counts: &[u64]) -> String {
    let per_step = counts.len().div_ceil(SPARK_STEPS).max(1);
    let steps: Vec<u64> = counts.chunks(per_step).map(|chunk| chunk.iter().sum()).collect();
    let Some(highest) = steps.iter().copied().max().filter(|n| *n > 0) else { return String::new() };
    let mut path = format!("M0 {SPARK_HEIGHT}");
    for step in &steps {
        let height = (step * SPARK_HEIGHT).div_ceil(highest);
        write!(path, "V{}h1", SPARK_HEIGHT - height).expect("a string takes all");
    }
    write!(path, "V{SPARK_HEIGHT}z").expect("a string takes all");
    path
}

/// Columns of a [`spark`].
pub fn spark_width(counts: &[u64]) -> usize {
    counts.len().div_ceil(counts.len().div_ceil(SPARK_STEPS).max(1))
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
