//! The crate `drain3`, a port of Drain3.

use std::collections::HashMap;

use anyhow::Result;
use drain3::{Config, MaskingInstruction, Matcher, Template};

use super::Online;
use crate::masks;

/// The matcher, which tells its templates only as they change.
struct Drain3 {
    matcher: Matcher,
    last: Option<HashMap<usize, String>>,
}

/// As it comes, or with the common masks; but it would refuse lines of more than 64 words or 1 KiB.
pub(crate) fn matcher(is_masked: bool, is_labelled: bool) -> impl Online {
    let masks = if is_masked { masks::all() } else { Vec::new() };
    let masking = masks
        .into_iter()
        .map(|(name, pattern)| MaskingInstruction { pattern: pattern.into(), mask: masks::placeholder(name) })
        .collect();
    let config = Config { max_tokens: usize::MAX, max_bytes: usize::MAX, masking, ..Config::default() };
    Drain3 { matcher: Matcher::new(config), last: is_labelled.then(HashMap::new) }
}

impl Online for Drain3 {
    fn add(&mut self, line: &str) -> Result<usize> {
        let template = self.matcher.add_log_message(line)?;
        if let Some(last) = &mut self.last {
            last.insert(template.id(), text(&template));
        }
        Ok(template.id())
    }

    fn templates(&self) -> HashMap<usize, String> {
        self.last.clone().unwrap_or_default()
    }
}

fn text(template: &Template) -> String {
    let mut literals = template.tokens().iter();
    let word = |at| if template.is_param(at) { "<*>" } else { literals.next().map_or("", |token| token) };
    (0..template.token_count()).map(word).collect::<Vec<_>>().join(" ")
}
