//! The rules file as written: TOML, unknown keys refused, all mistakes found in one go, each with its line.

use std::{collections::HashSet, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Action, By, MAX_BYTES, MAX_RULES, Name, Pattern, Rule, mask};
use crate::template::{ClusterId, Kind};

/// A mistake and the line that it is in, from 1.
type Mistake = (usize, String);

/// The keys by which rules are told apart.
const ACTIONS: [&str; 6] = ["mask", "ignore", "merge", "split", "rename", "mute"];

/// Reads the rules, or finds all that is wrong with them.
pub(super) fn parse(text: &str) -> Result<Vec<Rule>, Vec<Mistake>> {
    if text.len() > MAX_BYTES {
        return Err(vec![(1, format!("the file has more than {MAX_BYTES} bytes; write fewer rules"))]);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut found = Found { text, mistakes: Vec::new() };
    // What follows from the first one, or from a file that is no TOML at all, would only hide it.
    if let Some(error) = errors.iter().min_by_key(|error| error.span().unwrap_or_default().start) {
        let others = match errors.len() - 1 {
            0 => String::new(),
            1 => ", and 1 mistake more".to_owned(),
            more => format!(", and {more} mistakes more"),
        };
        let what = error.message().replace('\n', ", ");
        found.add(error.span().unwrap_or_default(), format!("{what}; this is not TOML{others}"));
    }
    // What follows from broken syntax would only hide it.
    let rules = if found.mistakes.is_empty() { found.rules(table.get_ref()) } else { Vec::new() };
    found.mistakes.sort();
    if found.mistakes.is_empty() { Ok(rules) } else { Err(found.mistakes) }
}

struct Found<'t> {
    text: &'t str,
    mistakes: Vec<Mistake>,
}

/// A rule's table with what was asked of it so far.
struct Keys<'a, 't> {
    table: &'a DeTable<'t>,
    at: Range<usize>,
    known: Vec<&'static str>,
}

impl<'a, 't> Keys<'a, 't> {
    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.get(key)
    }
}

impl Found<'_> {
    fn add(&mut self, at: Range<usize>, mistake: impl Into<String>) {
        self.mistakes.push((self.line(&at), mistake.into()));
    }

    fn line(&self, at: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..at.start).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn rules(&mut self, table: &DeTable<'_>) -> Vec<Rule> {
        for key in table.keys().filter(|key| key.get_ref() != "rule") {
            self.add(key.span(), format!("unknown key `{}`; expected only [[rule]]", key.get_ref()));
        }
        let Some(value) = table.get("rule") else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.add(value.span(), "`rule` is one table; write [[rule]], since there may be several");
            return Vec::new();
        };
        if list.len() > MAX_RULES {
            self.add(value.span(), format!("there are {} rules; at most {MAX_RULES} are taken", list.len()));
            return Vec::new();
        }
        let mut names = HashSet::new();
        let mut rules = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let Some(table) = item.get_ref().as_table() else {
                self.add(item.span(), "a rule is a table; write [[rule]] and its keys below");
                continue;
            };
            let mut keys = Keys { table, at: item.span(), known: Vec::new() };
            let name = keys.get("name").and_then(|value| self.line_of_text(value));
            let name = name.unwrap_or_else(|| format!("rule {}", i + 1));
            if !names.insert(name.clone()) {
                self.add(
                    item.span(),
                    format!("there is a rule named `{name}` before; give this one a name of its own"),
                );
            }
            let action = self.action(&mut keys);
            for key in table.keys().filter(|key| !keys.known.contains(&key.get_ref().as_ref())) {
                let expected = keys.known.join(", ");
                self.add(key.span(), format!("unknown key `{}`; expected here: {expected}", key.get_ref()));
            }
            rules.extend(action.map(|action| Rule { name, line: self.line(&item.span()), action }));
        }
        rules
    }

    fn action(&mut self, keys: &mut Keys<'_, '_>) -> Option<Action> {
        let given: Vec<&'static str> = ACTIONS.into_iter().filter(|action| keys.table.contains_key(*action)).collect();
        let [action] = given[..] else {
            let what = if given.is_empty() {
                "has nothing to do".to_owned()
            } else {
                format!("says to {}", given.join(" and "))
            };
            self.add(keys.at.clone(), format!("the rule {what}; expected one of {}", ACTIONS.join(", ")));
            keys.known.extend(ACTIONS);
            keys.known.extend(["kind", "template", "slot", "texts", "title"]);
            return None;
        };
        let value = keys.get(action)?;
        match action {
            "mask" => {
                let kind = keys.get("kind").map_or(Some(Kind::Any), |kind| self.kind(kind));
                let text = self.text(value)?;
                match mask(&text) {
                    Ok(regex) => Some(Action::Mask(regex, kind?)),
                    Err(problem) => {
                        self.add(value.span(), format!("`mask`: {problem}"));
                        None
                    }
                }
            }
            "ignore" => Some(Action::Ignore(self.patterns(value, action)?)),
            "merge" => {
                let template = keys.get("template");
                let pattern = template.and_then(|template| self.pattern(template));
                let names = self.names(value)?;
                Some(Action::Merge(names, pattern.map(|pattern| pattern.template().clone())))
            }
            "split" => self.split(keys, value),
            "rename" => {
                let title = keys.get("title").and_then(|title| self.line_of_text(title));
                if !keys.table.contains_key("title") {
                    self.add(keys.at.clone(), "`rename` has no `title`; expected what to show instead of the template");
                }
                Some(Action::Rename(self.names(value)?, title?))
            }
            _ => Some(Action::Mute(self.names(value)?)),
        }
    }

    fn split(&mut self, keys: &mut Keys<'_, '_>, value: &Spanned<DeValue<'_>>) -> Option<Action> {
        let (slot, texts) = (keys.get("slot"), keys.get("texts"));
        let patterns = self.patterns(value, "split");
        let by = match (slot, texts) {
            (Some(slot), None) => By::Slot(self.slot(slot, patterns.as_deref().unwrap_or_default())?),
            (None, Some(texts)) => By::Texts(self.list(texts)?.into_iter().map(|(text, _)| text).collect()),
            _ => {
                self.add(
                    keys.at.clone(),
                    "`split` needs either `slot`, the number of a <*>, or `texts` to tell lines apart by",
                );
                return None;
            }
        };
        Some(Action::Split(patterns?, by))
    }

    /// A slot's number, counted from 1 in the file and from 0 here.
    fn slot(&mut self, value: &Spanned<DeValue<'_>>, patterns: &[Pattern]) -> Option<usize> {
        let most = patterns.iter().map(Pattern::slots).min().unwrap_or(usize::MAX);
        let number = value.get_ref().as_integer().and_then(|n| n.as_str().parse::<usize>().ok());
        let slot = number.and_then(|number| number.checked_sub(1)).filter(|slot| *slot < most);
        if slot.is_none() {
            let expected = match most {
                0 => "a <*> in each pattern".to_owned(),
                usize::MAX => "a number from 1".to_owned(),
                _ => format!("1 to {most}"),
            };
            self.add(
                value.span(),
                format!("`slot` is not the number of a <*> that each pattern has; expected {expected}"),
            );
        }
        slot
    }

    fn kind(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Kind> {
        let text = self.text(value)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == text);
        if kind.is_none() {
            let names = Kind::ALL.map(Kind::name).join(", ");
            self.add(value.span(), format!("there is no kind `{text}`; expected one of {names}"));
        }
        kind
    }

    fn names(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Vec<Name>> {
        let list = self.list(value)?;
        let is_id =
            |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let name = |(text, at): (String, Range<usize>)| match is_id(&text) {
            true => Some(Name::Id(ClusterId(text))),
            false => self.pattern_of(&text, at).map(Name::Pattern),
        };
        list.into_iter().map(name).collect()
    }

    fn patterns(&mut self, value: &Spanned<DeValue<'_>>, action: &str) -> Option<Vec<Pattern>> {
        let mut patterns = Vec::new();
        for name in self.names(value)? {
            match name {
                Name::Pattern(pattern) => patterns.push(pattern),
                Name::Id(id) => {
                    self.add(
                        value.span(),
                        format!(
                            "`{action}` acts while lines are read, when there is no cluster {id}; write its template"
                        ),
                    );
                    return None;
                }
            }
        }
        Some(patterns)
    }

    fn pattern(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Pattern> {
        let text = self.text(value)?;
        self.pattern_of(&text, value.span())
    }

    fn pattern_of(&mut self, text: &str, at: Range<usize>) -> Option<Pattern> {
        let pattern = Pattern::of(text);
        if pattern.is_none() {
            self.add(at, "a pattern is empty; expected the text of a template, such as \"user <*> logged in\"");
        }
        pattern
    }

    /// A list of texts, at least one, or one text; each with its place.
    fn list(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Vec<(String, Range<usize>)>> {
        if let Some(text) = value.get_ref().as_str() {
            return Some(vec![(text.to_owned(), value.span())]);
        }
        let Some(list) = value.get_ref().as_array().filter(|list| !list.is_empty()) else {
            self.add(value.span(), "expected a text or a list of texts, at least one");
            return None;
        };
        list.iter().map(|item| Some((self.text(item)?, item.span()))).collect()
    }

    fn text(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = value.get_ref().as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.add(value.span(), "expected a text in quotes, not an empty one");
        }
        text.map(str::to_owned)
    }

    /// A text that is shown: on one line.
    fn line_of_text(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = self.text(value)?;
        if text.chars().any(char::is_control) || text.chars().count() > 200 {
            self.add(value.span(), "expected at most 200 characters on one line, without control characters");
            return None;
        }
        Some(text)
    }
}
