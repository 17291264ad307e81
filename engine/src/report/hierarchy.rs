//! `Hierarchy`: what an analysis found before it is cut to a report: the distinct shapes with what was counted of each, and the
//! tree that says which are joined at which similarity. A new view of a report is a new cut of this, without a line being
//! read. Kept beside the report: packed JSON, a few dozen bytes per shape and what its examples take.

use std::{
    io::{self, BufReader, Read, Write},
    iter, panic,
    sync::Arc,
    thread,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    Column, InputSummary, Report, SetAside,
    arrange::{self, Subjects},
    assemble, keys,
};
use crate::{
    cluster::{self, Dendrogram, Step},
    rules::Rules,
    tally::{Examples, Tally},
    template::Template,
};

/// Form of this type that this code writes.
const VERSION: u32 = 1;

/// Bytes that are read at most once unpacked: 100,000 shapes take about 60 MB.
const MAX_BYTES: u64 = 4 << 30;

/// What an analysis found, at every similarity.
#[derive(Debug, Clone, PartialEq)]
pub struct Hierarchy {
    pub(super) about: About,
    /// Each by itself, so that its memory can be had for its cluster when that is made.
    #[expect(clippy::vec_box, reason = "the memory of each is given back when it is made into something else")]
    pub(super) leaves: Vec<Box<Leaf>>,
    pub(super) tree: Dendrogram,
    pub(super) rules: Option<Arc<Rules>>,
}

/// What does not depend on the cut.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) inputs: Vec<InputSummary>,
    pub(super) problems: Vec<String>,
    #[serde(default)]
    pub(super) notes: Vec<String>,
    pub(super) set_aside: Vec<SetAside>,
    pub(super) shortened: u64,
    pub(super) columns: Vec<Column>,
    /// What the settings said, from 0 to 1.
    pub(super) similarity: f64,
    /// Lines of each rule that acts while lines are read, by its position.
    pub(super) touched: Vec<u64>,
}

/// A distinct shape and what is known of its lines.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Leaf {
    /// Slots as their bytes.
    pub(super) shape: String,
    /// Its keys in the recording: one, or more where joined shapes by chance read like another.
    pub(super) keys: LeafKeys,
    pub(super) tally: Tally,
    pub(super) examples: Examples,
}

/// Keys, of which there is nearly always one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct LeafKeys {
    first: u64,
    more: Box<[u64]>,
}

impl LeafKeys {
    pub(super) fn of(key: u64) -> Self {
        Self { first: key, more: Box::default() }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = u64> {
        iter::once(self.first).chain(self.more.iter().copied())
    }

    pub(super) fn push(&mut self, key: u64) {
        self.more = self.more.iter().copied().chain([key]).collect();
    }
}

impl Serialize for LeafKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        keys::serialize(&self.all().collect::<Vec<u64>>(), serializer)
    }
}

impl<'de> Deserialize<'de> for LeafKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = keys::deserialize(deserializer)?;
        let (first, more) =
            all.split_first().ok_or_else(|| D::Error::custom("a shape has no key; one was expected"))?;
        Ok(Self { first: *first, more: more.into() })
    }
}

/// All of it as written, but for the leaves, which come after it, one per line.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    about: About,
    leaves: usize,
    parents: Vec<u32>,
    joins: Vec<(u16, Step, String)>,
    /// File and text of the rules.
    rules: Option<(String, String)>,
}

impl Hierarchy {
    /// Of shapes in ascending order; `whole` when it is to be cut at similarities below the default.
    #[expect(clippy::vec_box, reason = "the memory of each is given back when it is made into something else")]
    pub(super) fn grow(about: About, leaves: Vec<Box<Leaf>>, rules: Option<Arc<Rules>>, whole: bool) -> Self {
        let tree = tree(&leaves, whole);
        Self { about, leaves, tree, rules }
    }

    /// The report at a similarity from 0 to 1. What is one cluster in it is one, or part of one, in each report at a lower
    /// similarity. Below the default the tree is grown first, if it was not when the analysis ran.
    pub fn cut(&self, similarity: f64) -> Report {
        if similarity < cluster::ALIKE && !self.is_whole() {
            let tree = tree(&self.leaves, true);
            return assemble::cut(&Self { tree, ..self.clone() }, similarity);
        }
        assemble::cut(self, similarity)
    }

    /// The last report, as [`Hierarchy::cut`] gives it.
    pub fn into_cut(self, similarity: f64) -> Report {
        let whole = if similarity < cluster::ALIKE { self.whole() } else { self };
        assemble::last_cut(whole, similarity)
    }

    /// The same with the tree grown for every similarity, as it is worth being kept.
    #[must_use]
    pub fn whole(self) -> Self {
        if self.is_whole() { self } else { Self::grow(self.about, self.leaves, self.rules, true) }
    }

    /// Writes it, packed.
    pub fn write(&self, to: impl Write) -> io::Result<()> {
        let mut packed = zstd::stream::write::Encoder::new(to, 1)?;
        packed.include_checksum(true)?;
        let (parents, joins) = self.tree.written();
        let (about, parents) = (self.about.clone(), parents.to_vec());
        let rules = self.rules.as_ref().map(|rules| (rules.file().to_owned(), rules.text().to_owned()));
        let head = Head { version: VERSION, about, leaves: self.leaves.len(), parents, joins, rules };
        serde_json::to_writer(&mut packed, &head)?;
        for leaf in &self.leaves {
            packed.write_all(b"\n")?;
            serde_json::to_writer(&mut packed, leaf)?;
        }
        packed.finish()?.flush()
    }

    /// Reads what was written. What is damaged, cut off or of a newer form is an error.
    pub fn read(from: impl Read) -> io::Result<Self> {
        let mut text = Vec::new();
        zstd::stream::read::Decoder::new(BufReader::new(from))?.take(MAX_BYTES).read_to_end(&mut text)?;
        let mut lines = text.split(|byte| *byte == b'\n');
        let head: Head = serde_json::from_slice(lines.next().unwrap_or_default())?;
        if head.version != VERSION {
            return Err(damaged("of another form than this program reads"));
        }
        let leaves = lines.map(serde_json::from_slice).collect::<Result<Vec<Box<Leaf>>, _>>()?;
        if leaves.len() != head.leaves {
            return Err(damaged("cut off"));
        }
        let tree = Dendrogram::read(head.leaves, head.parents, head.joins).ok_or_else(|| damaged("damaged"))?;
        let rules = head.rules.map(|(file, text)| Rules::parse(&file, &text).map(Arc::new)).transpose();
        let rules = rules.map_err(|mistakes| io::Error::new(io::ErrorKind::InvalidData, mistakes))?;
        Ok(Self { about: head.about, leaves, tree, rules })
    }

    /// The shapes that each rule is about.
    pub(super) fn subjects(&self) -> Subjects {
        let shapes: Vec<&str> = self.leaves.iter().map(|leaf| leaf.shape.as_str()).collect();
        let rules = self.rules.as_deref();
        rules.map_or_else(Subjects::new, |rules| arrange::subjects(&self.tree, &shapes, rules, self.about.similarity))
    }

    fn is_whole(&self) -> bool {
        self.tree.is_whole()
    }
}

impl Leaf {
    /// Its template when it is alone.
    pub(super) fn template(&self) -> Template {
        cluster::common(&iter::once(&*self.shape))
    }
}

/// The tree over the shapes. It is grown in a thread of its own, of which nothing is left but the tree: allocators keep the
/// memory of each thread apart, and where no piece of it is in use any more it is given back, before the report takes some.
fn tree(leaves: &[Box<Leaf>], whole: bool) -> Dendrogram {
    let grow = || {
        let weighted = leaves.iter().map(|leaf| (&*leaf.shape, leaf.tally.events));
        cluster::dendrogram(&weighted.collect::<Vec<_>>(), whole)
    };
    let grown = thread::scope(|scope| scope.spawn(grow).join());
    grown.map_or_else(|panic| panic::resume_unwind(panic), |tree| tree.clone())
}

fn damaged(how: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the hierarchy of the report is {how}; analyse the inputs again"),
    )
}
