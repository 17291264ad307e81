//! `Template`: a cluster's text, literals and typed slots; its text form, parsing it back, its stable id.

use serde::{Deserialize, Serialize};

/// A cluster's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    /// Literals and slots in order; no two literals stand side by side.
    pub parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text that every line of the cluster has.
    Literal(String),
    /// A place where the lines differ.
    Slot(Kind),
}

/// What stands in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Anything.
    Any,
}

/// A cluster's stable id: 16 hexadecimal digits that depend on its template only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub String);

impl Template {
    /// The text with every slot as `<*>`, the field's convention.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.as_str(),
                Part::Slot(_) => "<*>",
            })
            .collect()
    }

    /// The id of the cluster with this template.
    pub fn id(&self) -> ClusterId {
        ClusterId(self.text())
    }
}
