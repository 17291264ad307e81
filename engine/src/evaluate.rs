//! GA, FGA, PA, FTA of a labelling against ground truth, as defined by Loghub-2.0 (Jiang et al., ISSTA 2024).

/// Scores from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Group accuracy: share of lines in exactly right groups.
    pub ga: f64,
    /// F1 of exactly right groups.
    pub fga: f64,
    /// Share of lines with exactly the right template.
    pub pa: f64,
    /// F1 of right templates.
    pub fta: f64,
}
