//! Why the lines of a cluster are together, and which other cluster is nearest to it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bstr::ByteSlice;
use serde::Serialize;

use super::{Cluster, Hierarchy, Report, hierarchy::Leaf};
use crate::{
    cluster::{self, Step, dendrogram::similarity},
    event::{self, Names},
    format::{self, LineFormat, bare::Bare},
    tally::{Example, Examples},
    template::{ClusterId, Kind, Template},
};

/// Most items of each list of an explanation; how many there are in all stands beside it.
pub const MOST: usize = 20;

/// Why lines are together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The cluster.
    pub id: ClusterId,
    /// Its template.
    pub template: String,
    /// The cut that it is a cluster of.
    pub similarity: f64,
    /// Its lines.
    pub lines: u64,
    /// The distinct shapes of its lines.
    pub shapes: usize,
    /// Those with most lines.
    pub most_frequent: Vec<ShapeTold>,
    /// How many joins made it of its shapes.
    pub joins: usize,
    /// The last of these, the one at the lowest similarity first.
    pub last_joins: Vec<JoinTold>,
    /// What varies, slot by slot.
    pub slots: Vec<SlotTold>,
    /// The rules, by name, that are about its lines.
    pub rules: Vec<String>,
    /// The cluster that it is joined with first in a broader view; `None` when it is alone.
    pub nearest: Option<Nearest>,
}

/// A shape of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShapeTold {
    /// With typed slots.
    pub shape: String,
    /// Its lines.
    pub lines: u64,
}

/// Shapes that became one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JoinTold {
    /// From this similarity down they are.
    pub similarity: f64,
    /// Why.
    pub step: Step,
    /// Shapes, in all parts.
    pub shapes: usize,
    /// Parts that were joined.
    pub parts: usize,
    /// What they have in common.
    pub template: String,
}

/// What stands in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotTold {
    /// What kind of value.
    pub kind: Kind,
    /// Different texts that the shapes have there.
    pub texts: usize,
    /// Those of most lines with these; what is masked already reads `<number>`, say.
    pub most_frequent: Vec<(String, u64)>,
    /// Values in the first lines of the cluster.
    pub examples: Vec<String>,
}

/// Another cluster of the same cut.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nearest {
    /// Which.
    pub id: ClusterId,
    /// Its template.
    pub template: String,
    /// Its lines.
    pub lines: u64,
    /// From this similarity down both are one, if no rule keeps them apart.
    pub similarity: f64,
    /// Why they are then.
    pub step: Step,
    /// How alike the words of both templates are, from 0 to 1.
    pub likeness: f64,
}

/// No explanation of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// There is none of that id.
    #[error(
        "no cluster is called `{0}`; expected a template as the table shows it, or an id of the JSON or the beginning of one"
    )]
    Unknown(String),
    /// There are several.
    #[error("{count} clusters have an id that begins with `{prefix}` ({}); give more of it", .first.join(", "))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// How many.
        count: usize,
        /// Some of them.
        first: Vec<String>,
    },
}

impl Hierarchy {
    /// Why the lines of a cluster are together, in the cut at a similarity; named by its template or title, or by its id or
    /// an unambiguous beginning of that.
    pub fn explain(&self, name: &str, similarity: f64) -> Result<Explanation, Unexplained> {
        let whole = self.clone().whole();
        let report = whole.cut(similarity);
        let begins = name.to_ascii_lowercase();
        let is_called = |cluster: &Cluster| cluster.template == name || cluster.title.as_deref() == Some(name);
        let called = report.clusters.iter().find(|cluster| is_called(cluster));
        let fits: Vec<&Cluster> = match called {
            Some(cluster) => vec![cluster],
            None => report.clusters.iter().filter(|cluster| cluster.id.0.starts_with(&begins)).collect(),
        };
        match fits[..] {
            [] => Err(Unexplained::Unknown(name.to_owned())),
            [cluster] => Ok(Explained::of(&whole, &report, cluster).told()),
            [..] => Err(Unexplained::Ambiguous {
                prefix: name.to_owned(),
                count: fits.len(),
                first: fits.iter().take(5).map(|cluster| cluster.id.0.clone()).collect(),
            }),
        }
    }
}

/// A cluster in its tree.
struct Explained<'h> {
    hierarchy: &'h Hierarchy,
    report: &'h Report,
    cluster: &'h Cluster,
    /// Its shapes, as leaves.
    members: Vec<usize>,
    /// Leaves of it below each node.
    own: Vec<usize>,
}

impl<'h> Explained<'h> {
    fn of(hierarchy: &'h Hierarchy, report: &'h Report, cluster: &'h Cluster) -> Self {
        let is_own = |leaf: &Leaf| leaf.keys.all().any(|key| cluster.shapes.binary_search(&key).is_ok());
        let members: Vec<usize> = (0..hierarchy.leaves.len()).filter(|n| is_own(&hierarchy.leaves[*n])).collect();
        let own = hierarchy.tree.below(&members);
        Self { hierarchy, report, cluster, members, own }
    }

    fn told(&self) -> Explanation {
        let (joins, last_joins) = self.joins();
        Explanation {
            id: self.cluster.id.clone(),
            template: self.cluster.template.clone(),
            similarity: self.report.similarity,
            lines: self.cluster.lines,
            shapes: self.members.len(),
            most_frequent: self.shapes(),
            joins,
            last_joins,
            slots: self.slots(),
            rules: self.rules(),
            nearest: self.nearest(),
        }
    }

    fn shapes(&self) -> Vec<ShapeTold> {
        let leaf = |member: &usize| &*self.hierarchy.leaves[*member];
        let mut shapes: Vec<&Leaf> = self.members.iter().map(leaf).collect();
        shapes.sort_by(|a, b| (Reverse(a.tally.lines), &a.shape).cmp(&(Reverse(b.tally.lines), &b.shape)));
        let told = |leaf: &Leaf| ShapeTold { shape: typed(&leaf.shape), lines: leaf.tally.lines };
        shapes.into_iter().take(MOST).map(told).collect()
    }

    /// All joins that lie in the cluster, and the last of them.
    fn joins(&self) -> (usize, Vec<JoinTold>) {
        let tree = &self.hierarchy.tree;
        let (sizes, parts) = (tree.sizes(), tree.parts());
        let least = cluster::dendrogram::height(self.report.similarity);
        let mut joins: Vec<(u16, usize)> = (tree.leaves()..tree.nodes())
            .filter(|node| self.own[*node] == sizes[*node])
            .filter_map(|node| tree.at(node).map(|join| (join.height, node)))
            .filter(|(height, _)| *height >= least)
            .collect();
        joins.sort_unstable_by_key(|(height, node)| (*height, Reverse(sizes[*node]), *node));
        let told = |(height, node): &(u16, usize)| {
            let join = tree.at(*node)?;
            Some(JoinTold {
                similarity: similarity(*height),
                step: join.step,
                shapes: sizes[*node],
                parts: parts[*node],
                template: join.template.text(),
            })
        };
        (joins.len(), joins.iter().take(MOST).filter_map(told).collect())
    }

    fn slots(&self) -> Vec<SlotTold> {
        let template = Template::of_text(&self.cluster.template);
        let mut texts: Vec<HashMap<String, u64>> = vec![HashMap::new(); self.cluster.slots.len()];
        let mut examples: Vec<BTreeSet<String>> = vec![BTreeSet::new(); self.cluster.slots.len()];
        for member in &self.members {
            let leaf = &self.hierarchy.leaves[*member];
            let found = template.spans_of_shape(leaf.shape.as_bytes()).unwrap_or_default();
            for (texts, (place, _)) in texts.iter_mut().zip(found) {
                *texts.entry(typed(leaf.shape.get(place).unwrap_or_default())).or_default() += leaf.tally.lines;
            }
        }
        for example in self.first_lines().first() {
            let Some(message) = self.message(example, &template) else { continue };
            for (seen, (place, _)) in examples.iter_mut().zip(template.spans(&message).unwrap_or_default()) {
                seen.insert(String::from_utf8_lossy(&message[place]).into_owned());
            }
        }
        let slots = self.cluster.slots.iter().zip(texts).zip(examples);
        slots
            .map(|((kind, texts), examples)| {
                let count = texts.len();
                let mut texts: Vec<(String, u64)> = texts.into_iter().collect();
                texts.sort_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
                texts.truncate(MOST);
                SlotTold { kind: *kind, texts: count, most_frequent: texts, examples: examples.into_iter().collect() }
            })
            .collect()
    }

    /// The first lines of the cluster, and where they stand.
    fn first_lines(&self) -> Examples {
        let mut first = Examples::default();
        self.members.iter().for_each(|member| first.merge(self.hierarchy.leaves[*member].examples.clone()));
        first
    }

    /// What an example says behind its header, in the form of its input that makes it fit the template; an event of several
    /// lines as one.
    fn message(&self, example: &Example, template: &Template) -> Option<Vec<u8>> {
        let input = self.hierarchy.about.inputs.get(example.input as usize);
        let forms = input.into_iter().flat_map(|input| &input.formats);
        let formats = forms.filter_map(|share| share.form.parse::<LineFormat>().ok());
        let layouts = formats.filter_map(|format| format.given().cloned()).chain([Arc::default()]);
        let fits = |said: &Vec<u8>| template.spans(said).is_some();
        let mut bare = Bare::default();
        bare.look_at(&example.text);
        let text = bare.text().unwrap_or(&example.text);
        let after_first = text.split_once_str(b"\n").map_or(&[][..], |(_, rest)| rest);
        let mut reader = format::Reader::default();
        layouts.into_iter().find_map(|layout| {
            reader.begin(&layout, 0);
            // The message may be that of the second line, and names may stand before both.
            let texts = [text, after_first].into_iter();
            let mut each = texts.flat_map(|text| Names::each(text).map(move |names| (text, names)));
            each.find_map(|(text, names)| said(text, names, &mut reader).filter(fits))
        })
    }

    fn rules(&self) -> Vec<String> {
        let Some(rules) = &self.hierarchy.rules else { return Vec::new() };
        let subjects = self.hierarchy.subjects();
        let is_about = |subject: &[usize]| subject.iter().any(|leaf| self.own[*leaf] > 0);
        let about = rules.all().iter().zip(&subjects).filter(|(_, subject)| is_about(subject));
        about.map(|(rule, _)| rule.name.clone()).collect()
    }

    /// The cluster with shapes that are joined with one of these first; of several the one most alike.
    fn nearest(&self) -> Option<Nearest> {
        let tree = &self.hierarchy.tree;
        let meeting = tree.lowest(|node| self.own[node] > 0);
        let others = (0..tree.leaves()).filter(|leaf| self.own[*leaf] == 0);
        let met: Vec<(u16, usize, usize)> = others
            .filter_map(|leaf| {
                let node = meeting[leaf]?;
                Some((tree.at(node)?.height, node, leaf))
            })
            .collect();
        let highest = met.iter().map(|(height, ..)| *height).max()?;
        let cluster_of: HashMap<u64, usize> = self
            .report
            .clusters
            .iter()
            .enumerate()
            .flat_map(|(at, cluster)| cluster.shapes.iter().map(move |shape| (*shape, at)))
            .collect();
        let mut nearest: BTreeMap<usize, usize> = BTreeMap::new();
        for (_, node, leaf) in met.into_iter().filter(|(height, ..)| *height == highest) {
            let key = self.hierarchy.leaves[leaf].keys.all().next()?;
            nearest.entry(*cluster_of.get(&key)?).or_insert(node);
        }
        let alike = |cluster: &Cluster| cluster::likeness(&self.cluster.template, &cluster.template);
        let best = nearest.into_iter().map(|(at, node)| (&self.report.clusters[at], node));
        // The first of equals: clusters are in the order of their lines.
        let (cluster, node, likeness) =
            best.map(|(c, node)| (c, node, alike(c))).reduce(|a, b| if b.2 > a.2 { b } else { a })?;
        Some(Nearest {
            id: cluster.id.clone(),
            template: cluster.template.clone(),
            lines: cluster.lines,
            similarity: similarity(highest),
            step: tree.at(node)?.step,
            likeness,
        })
    }
}

/// What the lines of an event say, as one, behind names.
fn said(text: &[u8], names: Names, reader: &mut format::Reader) -> Option<Vec<u8>> {
    let (first, rest) = text.split_once_str(b"\n").unwrap_or((text, b""));
    let mut contents = event::Contents::default();
    contents.names = names;
    let first = names.split(first).1.trim_ascii_end();
    if first.trim_ascii() == b"{" {
        return Some(reader.read_object(contents.object(text)?)?.message.to_vec());
    }
    let said = contents.of(first, rest, reader);
    let whole = [first, said.pieces].concat();
    let message = reader.read(&whole).message;
    let parts = std::iter::once(message).chain(said.lines.lines()).map(<[u8]>::trim_ascii);
    let parts: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
    Some(parts.join(format!(" {} ", event::BREAK).as_bytes()))
}

/// A shape, or a piece of one, for people.
fn typed(shape: &str) -> String {
    Template::of_shape(shape.as_bytes()).typed()
}
