//! The crate `tipping-rs`.

use tipping_rs::Parser;

use super::Grouping;

/// Groups the lines, with templates if asked for.
pub(crate) fn label(lines: &[String], is_labelled: bool) -> Grouping {
    if !is_labelled {
        return Grouping { groups: Parser::new().parse(lines), templates: Vec::new() };
    }
    let (groups, masks) = Parser::new().compute_masks().parse(lines);
    let template = |line: &String| masks.get(line).map_or_else(|| line.clone(), |mask| masked(line, mask));
    Grouping { groups, templates: lines.iter().map(template).collect() }
}

/// The line with what is marked by 1, byte by byte, as `<*>`.
fn masked(line: &str, mask: &str) -> String {
    if line.len() != mask.len() {
        return line.to_owned();
    }
    let mut out = Vec::new();
    let mut before = b'0';
    for (byte, bit) in line.bytes().zip(mask.bytes()) {
        match (before, bit) {
            (b'1', b'1') => {}
            (_, b'1') => out.extend_from_slice(b"<*>"),
            _ => out.push(byte),
        }
        before = bit;
    }
    String::from_utf8_lossy(&out).into_owned()
}
