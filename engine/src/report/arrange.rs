//! What rules do to a cut: merge, split, rename, mute, in the order written. Each rule is about a set of shapes that does
//! not depend on the cut, so cuts that nest without rules nest with them.

use std::collections::{BTreeMap, HashMap};

use crate::{
    cluster::{self, Dendrogram, Group},
    rules::{Action, By, Name, Pattern, Rules},
    template::{ClusterId, Template},
};

/// A cluster as the rules have it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arranged {
    pub(crate) group: Group,
    /// What it is shown as instead of its template.
    pub(crate) title: Option<String>,
    /// Whether it is counted but not listed.
    pub(crate) is_muted: bool,
}

/// A template that a rule gives to shapes that it does not all fit, so that it is not theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Position of the rule.
    pub(crate) rule: usize,
    /// The first shape that it does not fit.
    pub(crate) shape: usize,
    /// How many it does not fit.
    pub(crate) shapes: usize,
    /// Of how many.
    pub(crate) of: usize,
}

/// Which shapes each rule is about, by its position; empty for those that act while lines are read.
pub(crate) type Subjects = Vec<Vec<usize>>;

/// The groups of a cut, changed by rules step by step.
#[derive(Debug, Clone)]
struct Arrangement<'a> {
    tree: &'a Dendrogram,
    shapes: &'a [&'a str],
    /// The group of each shape.
    groups: Vec<usize>,
    /// Of each group from the first that a rule has made: the rule that gave it a template, and that.
    made: Vec<Option<(usize, Template)>>,
    /// The rule that gave each shape its title.
    titles: Vec<Option<usize>>,
    muted: Vec<bool>,
}

/// The shapes that each rule is about. Ids are looked up among the clusters that the rules before have made of the cut at
/// `similarity`, which is to be the one that the analysis was asked for.
pub(crate) fn subjects(tree: &Dendrogram, shapes: &[&str], rules: &Rules, similarity: f64) -> Subjects {
    let mut arrangement = Arrangement::of(tree, shapes, similarity);
    let mut subjects = Subjects::new();
    for (at, rule) in rules.all().iter().enumerate() {
        let subject = match &rule.action {
            Action::Mask(..) | Action::Ignore(_) => Vec::new(),
            Action::Merge(names, _) | Action::Rename(names, _) | Action::Mute(names) => arrangement.named(names),
            Action::Split(patterns, _) => arrangement.fitting(patterns),
        };
        arrangement.apply(at, &rule.action, &subject);
        subjects.push(subject);
    }
    subjects
}

/// The clusters of a cut with the rules applied, in order of their first members, and the templates that were of no use.
pub(crate) fn arrange(
    tree: &Dendrogram,
    shapes: &[&str],
    rules: &Rules,
    subjects: &Subjects,
    similarity: f64,
) -> (Vec<Arranged>, Vec<Misfit>) {
    let mut arrangement = Arrangement::of(tree, shapes, similarity);
    for ((at, rule), subject) in rules.all().iter().enumerate().zip(subjects) {
        arrangement.apply(at, &rule.action, subject);
    }
    let misfits = arrangement.misfits();
    (arrangement.arranged(rules), misfits)
}

fn fits(template: &Template, shape: &str) -> bool {
    template.spans_of_shape(shape.as_bytes()).is_some()
}

impl<'a> Arrangement<'a> {
    fn of(tree: &'a Dendrogram, shapes: &'a [&'a str], similarity: f64) -> Self {
        let (groups, n) = (tree.cut(similarity), shapes.len());
        Self { tree, shapes, groups, made: Vec::new(), titles: vec![None; n], muted: vec![false; n] }
    }

    fn apply(&mut self, at: usize, action: &Action, subject: &[usize]) {
        match action {
            Action::Mask(..) | Action::Ignore(_) => {}
            Action::Merge(_, template) => {
                let group = self.make(template.clone().map(|template| (at, template)));
                subject.iter().for_each(|shape| self.groups[*shape] = group);
            }
            Action::Split(patterns, by) => self.split(patterns, by, subject),
            Action::Rename(..) => subject.iter().for_each(|shape| self.titles[*shape] = Some(at)),
            Action::Mute(_) => subject.iter().for_each(|shape| self.muted[*shape] = true),
        }
    }

    fn split(&mut self, patterns: &[Pattern], by: &By, subject: &[usize]) {
        let mut parts: HashMap<(usize, &str), usize> = HashMap::new();
        for shape in subject {
            let text = self.shapes[*shape];
            let value = match by {
                By::Slot(slot) => {
                    let place = patterns.iter().find_map(|pattern| pattern.slot(text.as_bytes(), *slot));
                    place.and_then(|place| text.get(place)).unwrap_or_default()
                }
                By::Texts(texts) => texts.iter().find(|part| text.contains(*part)).map_or("", |part| part),
            };
            let part = (self.groups[*shape], value);
            let group = match parts.get(&part) {
                Some(group) => *group,
                None => {
                    let group = self.make(None);
                    parts.insert(part, group);
                    group
                }
            };
            self.groups[*shape] = group;
        }
    }

    /// A new group, as yet without shapes.
    fn make(&mut self, template: Option<(usize, Template)>) -> usize {
        self.made.push(template);
        self.tree.nodes() + self.made.len() - 1
    }

    fn fitting(&self, patterns: &[Pattern]) -> Vec<usize> {
        let fits = |shape: &usize| patterns.iter().any(|pattern| pattern.fits(self.shapes[*shape].as_bytes()));
        (0..self.shapes.len()).filter(fits).collect()
    }

    fn named(&self, names: &[Name]) -> Vec<usize> {
        let (mut patterns, mut ids): (Vec<Pattern>, Vec<&ClusterId>) = Default::default();
        for name in names {
            match name {
                Name::Pattern(pattern) => patterns.push(pattern.clone()),
                Name::Id(id) => ids.push(id),
            }
        }
        let mut found = self.fitting(&patterns);
        if !ids.is_empty() {
            let groups = self.clone().together();
            found.extend(groups.iter().filter(|g| ids.contains(&&g.template.id())).flat_map(|g| &g.members));
            found.sort_unstable();
            found.dedup();
        }
        found
    }

    /// The groups with their templates; those that read the same are one.
    fn together(self) -> Vec<Group> {
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        for (shape, group) in self.groups.iter().enumerate() {
            members.entry(*group).or_default().push(shape);
        }
        let sizes = self.tree.sizes();
        let mut all: Vec<Group> = Vec::with_capacity(members.len());
        for (group, members) in members {
            let template = self.template(group, &members, &sizes);
            all.push(Group { template, members });
        }
        all.sort_unstable_by_key(|group| group.members[0]);
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::with_capacity(all.len());
        for group in all {
            let place = *places.entry(group.template.text()).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(same) => {
                    same.members.extend(group.members);
                    same.members.sort_unstable();
                }
                None => groups.push(group),
            }
        }
        groups
    }

    fn template(&self, group: usize, members: &[usize], sizes: &[usize]) -> Template {
        let texts = members.iter().map(|shape| self.shapes[*shape]);
        let fits = |given: &Template| texts.clone().all(|text| fits(given, text));
        let known = match group.checked_sub(self.tree.nodes()) {
            Some(made) => self.made[made].as_ref().map(|(_, given)| given).filter(|given| fits(given)),
            // A rule may have taken shapes out of it.
            None if sizes[group] == members.len() => self.tree.at(group).map(|join| &join.template),
            None => None,
        };
        known.cloned().unwrap_or_else(|| cluster::common(&texts))
    }

    /// The templates given that do not fit all that they were given to.
    fn misfits(&self) -> Vec<Misfit> {
        let mut misfits: BTreeMap<usize, Misfit> = BTreeMap::new();
        for (shape, group) in self.groups.iter().enumerate() {
            let Some((rule, template)) = group.checked_sub(self.tree.nodes()).and_then(|made| self.made[made].as_ref())
            else {
                continue;
            };
            let misfit = misfits.entry(*group).or_insert(Misfit { rule: *rule, shape, shapes: 0, of: 0 });
            misfit.of += 1;
            if !fits(template, self.shapes[shape]) {
                misfit.shape = if misfit.shapes == 0 { shape } else { misfit.shape };
                misfit.shapes += 1;
            }
        }
        misfits.into_values().filter(|misfit| misfit.shapes > 0).collect()
    }

    fn arranged(self, rules: &Rules) -> Vec<Arranged> {
        let (titles, muted) = (self.titles.clone(), self.muted.clone());
        let title = |group: &Group| {
            let rule = titles[group.members[0]]?;
            let Action::Rename(_, title) = &rules.all()[rule].action else { return None };
            group.members.iter().all(|shape| titles[*shape] == Some(rule)).then(|| title.clone())
        };
        let groups = self.together().into_iter();
        groups
            .map(|group| Arranged {
                title: title(&group),
                is_muted: group.members.iter().all(|shape| muted[*shape]),
                group,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::cluster::dendrogram;

    fn rule() -> impl Strategy<Value = String> {
        let pattern = select(vec!["a <*>", "<*> b", "<*>", "a b <*>", "<*> c <*>", "a", "b c", "<*> x"]);
        (vec(pattern, 1..3), any::<bool>()).prop_map(|(patterns, merges)| match merges {
            true => format!("[[rule]]\nmerge = {patterns:?}\n"),
            false => format!("[[rule]]\nsplit = {patterns:?}\ntexts = [\"a\", \"b\", \"c\"]\n"),
        })
    }

    /// What each rule means, said another way: a label for each shape, changed by one rule after the other.
    fn labels(shapes: &[&str], rules: &Rules, groups: &[usize]) -> Vec<String> {
        let mut labels: Vec<String> = groups.iter().map(ToString::to_string).collect();
        for (at, rule) in rules.all().iter().enumerate() {
            for (shape, label) in shapes.iter().zip(&mut labels) {
                let fits = |pattern: &Pattern| pattern.fits(shape.as_bytes());
                let named = |name: &Name| matches!(name, Name::Pattern(pattern) if fits(pattern));
                match &rule.action {
                    Action::Merge(names, _) if names.iter().any(named) => *label = format!("merged by {at}"),
                    Action::Split(patterns, By::Texts(texts)) if patterns.iter().any(fits) => {
                        let first = texts.iter().find(|text| shape.contains(*text));
                        *label = format!("{label}, {at}: {first:?}");
                    }
                    _ => {}
                }
            }
        }
        labels
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn rules_compose_in_the_order_written(
            shapes in vec(vec(select(vec!["a", "b", "c", "x", "d"]), 1..5).prop_map(|words| words.join(" ")), 1..30),
            rules in vec(rule(), 0..6),
            (high, low) in (0.0..=1.0, 0.0..=1.0),
        ) {
            let shapes: BTreeSet<String> = shapes.into_iter().collect();
            let shapes: Vec<&str> = shapes.iter().map(String::as_str).collect();
            let weighted: Vec<(&str, u64)> = shapes.iter().map(|shape| (*shape, 1)).collect();
            let (tree, rules) = (dendrogram(&weighted, true), Rules::parse("r", &rules.concat()).unwrap());
            let subjects = subjects(&tree, &shapes, &rules, 0.5);
            let arranged = |similarity: f64| {
                let mut arrangement = Arrangement::of(&tree, &shapes, similarity);
                for ((at, rule), subject) in rules.all().iter().enumerate().zip(&subjects) {
                    arrangement.apply(at, &rule.action, subject);
                }
                arrangement.groups
            };
            let (narrow, broad) = (arranged(f64::max(high, low)), arranged(f64::min(high, low)));
            let labels = labels(&shapes, &rules, &tree.cut(f64::max(high, low)));
            for a in 0..shapes.len() {
                for b in 0..a {
                    prop_assert_eq!(labels[a] == labels[b], narrow[a] == narrow[b], "{} {}", shapes[a], shapes[b]);
                    prop_assert!(narrow[a] != narrow[b] || broad[a] == broad[b], "with rules cuts nest too");
                }
            }
        }
    }
}
