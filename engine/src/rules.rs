//! `Rules`: a person's corrections of what logkin makes of a log, as a file that can be read, kept under version control and
//! applied to every run. What each of them does while lines are read is `reading`'s business, what it does to clusters
//! the report's. `docs/rules.md` tells it to people.
//!
//! A rule names the lines it is about by patterns. A pattern fits a *shape*, whatever the similarity, so a rule
//! means the same lines in a broader view and in a narrower one, and views nest with rules as they do without.

mod file;
pub(crate) mod reading;

use std::{fmt, ops::Range};

use regex::bytes::{Regex, RegexBuilder};

use crate::{
    tally::Key,
    template::{ClusterId, Kind, Template},
    token::Clean,
};

/// Most bytes of a rules file.
pub const MAX_BYTES: usize = 1 << 20;

/// Most rules in a file.
pub const MAX_RULES: usize = 1000;

/// Bytes of memory that the program of one mask may take, and its table of states; what needs more is refused.
const MASK_BYTES: usize = 1 << 20;

/// Corrections, in the order written.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What they were called when they were read: a path.
    file: String,
    text: String,
    rules: Vec<Rule>,
}

/// What is wrong with a rules file: all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<String>);

/// A correction.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// As given, or `rule 3`; no two have the same.
    pub(crate) name: String,
    /// Where it begins in the file, from 1.
    pub(crate) line: usize,
    pub(crate) action: Action,
}

/// What a rule does.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// What the expression matches in a message is a variable of this kind, before anything else is.
    Mask(Regex, Kind),
    /// Events are set aside.
    Ignore(Vec<Pattern>),
    /// Shapes are one cluster, with this template if it fits all of them.
    Merge(Vec<Name>, Option<Template>),
    /// Shapes are kept apart.
    Split(Vec<Pattern>, By),
    /// A cluster is shown under a title.
    Rename(Vec<Name>, String),
    /// A cluster is counted but not listed.
    Mute(Vec<Name>),
}

/// What is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// By what stands in a slot of the pattern, from 0.
    Slot(usize),
    /// By which of these texts comes first in the list and stands in the shape.
    Texts(Vec<String>),
}

/// Which shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// Those of a cluster.
    Id(ClusterId),
    /// Those that fit.
    Pattern(Pattern),
}

/// The text of a template, where `<*>` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Template);

impl Rules {
    /// Reads the text of a rules file, or says all that is wrong with it; `file` is what it is called then.
    pub fn parse(file: &str, text: &str) -> Result<Self, Mistakes> {
        let rules = file::parse(text).map_err(|mistakes| {
            Mistakes(mistakes.into_iter().map(|(line, mistake)| format!("{file}:{line}: {mistake}")).collect())
        })?;
        Ok(Self { file: file.to_owned(), text: text.to_owned(), rules })
    }

    /// What they were read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// As they were written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// 16 hexadecimal digits that are the same for the same text.
    pub fn hash(&self) -> String {
        format!("{:016x}", Key::of(self.text.as_bytes()).0)
    }

    pub(crate) fn all(&self) -> &[Rule] {
        &self.rules
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        (&self.file, &self.text) == (&other.file, &other.text)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Rule {
    /// What it is called in the file.
    pub(crate) fn verb(&self) -> &'static str {
        match self.action {
            Action::Mask(..) => "mask",
            Action::Ignore(_) => "ignore",
            Action::Merge(..) => "merge",
            Action::Split(..) => "split",
            Action::Rename(..) => "rename",
            Action::Mute(_) => "mute",
        }
    }
}

impl Pattern {
    /// Reads one; `None` when it says nothing. Slots may be typed (`<ip>`); what they hold is not looked at.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let plain =
            Kind::ALL.iter().fold(text.to_owned(), |text, kind| text.replace(&format!("<{}>", kind.name()), "<*>"));
        let clean = String::from_utf8_lossy(&Clean::of(plain.trim().as_bytes()).text).into_owned();
        let template = Template::of_text(&clean);
        (!template.parts.is_empty()).then_some(Self(template))
    }

    /// Whether it fits a shape.
    pub(crate) fn fits(&self, shape: &[u8]) -> bool {
        self.0.spans_of_shape(shape).is_some()
    }

    /// What stands in a slot in a shape that it fits.
    pub(crate) fn slot(&self, shape: &[u8], slot: usize) -> Option<Range<usize>> {
        self.0.spans_of_shape(shape)?.into_iter().nth(slot).map(|(place, _)| place)
    }

    /// Slots that it has.
    pub(crate) fn slots(&self) -> usize {
        self.0.slots().count()
    }

    /// It, as a template.
    pub(crate) fn template(&self) -> &Template {
        &self.0
    }
}

/// Compiles the expression of a mask, or says what is wrong with it. Each takes time in proportion to the text, whatever
/// the expression, and bounded memory.
fn mask(expression: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(expression).size_limit(MASK_BYTES).dfa_size_limit(MASK_BYTES).build();
    let regex = regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!("the expression needs more than {MASK_BYTES} bytes; write a simpler one")
        }
        // The last line of the message is what is wrong, those before show where.
        other => {
            let message = other.to_string();
            let last = message.lines().last().unwrap_or_default();
            format!("it is no regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
    })?;
    if regex.is_match(b"") {
        return Err("it matches the empty text; write an expression that needs at least one character".to_owned());
    }
    Ok(regex)
}
