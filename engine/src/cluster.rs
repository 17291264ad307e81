//! Phase two: the few distinct shapes to clusters, by string similarity.

use crate::template::{Part, Template};

/// A distinct shape and how many events have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighted<'a> {
    /// As [`crate::shape::Shaper`] made it.
    pub shape: &'a [u8],
    /// How many events have it, at least 1.
    pub events: u64,
}

/// Shapes that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common. No two groups of one run have the same.
    pub template: Template,
    /// Positions in the slice given, ascending.
    pub members: Vec<usize>,
}

/// Groups the shapes (sorted by their bytes, without repeats); every shape is in exactly one group.
/// `similarity` as in [`crate::Settings`].
pub fn cluster(shapes: &[Weighted<'_>], _similarity: f64) -> Vec<Group> {
    let template = |shape: &[u8]| Template { parts: vec![Part::Literal(String::from_utf8_lossy(shape).into_owned())] };
    shapes.iter().enumerate().map(|(i, s)| Group { template: template(s.shape), members: vec![i] }).collect()
}
