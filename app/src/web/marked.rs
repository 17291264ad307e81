//! Log text on a page: what is dangerous made visible, what varies marked. Escaping is the templates' part.

use logkin_engine::report::Cluster;

use crate::output::visible;

/// A slot in a template's text.
const SLOT: &str = "<*>";

/// A stretch of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bit {
    /// Text every line has.
    Literal(String),
    /// A place where lines differ, by what stands there.
    Slot(String),
}

/// A template in stretches.
pub fn template(cluster: &Cluster) -> Vec<Bit> {
    let mut bits = Vec::new();
    let mut kinds = cluster.slots.iter();
    for (at, literal) in cluster.template.split(SLOT).enumerate() {
        if at > 0 {
            let kind = kinds.next().and_then(|kind| serde_json::to_value(kind).ok());
            let name = kind.as_ref().and_then(|kind| kind.as_str()).filter(|name| *name != "any").unwrap_or("*");
            bits.push(Bit::Slot(name.to_owned()));
        }
        if !literal.is_empty() {
            bits.push(Bit::Literal(visible(literal).into_owned()));
        }
    }
    bits
}

/// Bytes of a line as text: what is not UTF-8 becomes U+FFFD, what is not printable a symbol.
pub fn line(bytes: &[u8]) -> String {
    visible(&String::from_utf8_lossy(bytes)).into_owned()
}
