//! `Partial`: what phase one found so far, of inputs read whole or of lines as they come. Partials of one [`Settings`] add up in
//! any order and grouping to the same clusters and counts; a report can be had of them at any time.

use std::sync::Arc;

use rayon::prelude::*;

use crate::{
    Report, Settings,
    aside::Aside,
    event::Lead,
    fold::{Fold, Manner},
    format::{LineFormat, values::Values},
    input::chunks::{self, Chunks},
    memo::Memos,
    report::{
        Hierarchy, InputSummary,
        assemble::{self, Found},
    },
    rules::reading::Corrections,
    table::Table,
};

/// Bytes held in all; past it the inputs that hold some are counted with what they tell so far.
const HELD: usize = 16 << 20;

/// Lines read, and nearly all of them counted, not yet clustered. Holds the distinct shapes, so its memory is bounded by
/// [`Settings::max_shapes`]; of inputs that lines are added to also up to a chunk of lines (2 MiB, 16 MiB in all): those
/// that tell together how lines begin, later those of events that may not be over.
///
/// ```
/// use logkin_engine::{Partial, Settings};
///
/// let mut seen = Partial::new(&Settings::default());
/// let log = seen.input("app.log");
/// seen.add(log, b"job 1 done\njob 2 done\n");
/// assert_eq!(seen.report().clusters[0].lines, 2);
/// seen.add(log, b"job 3 done\n");
/// assert_eq!(seen.report().clusters[0].lines, 3);
/// ```
#[derive(Debug)]
pub struct Partial {
    pub(crate) settings: Settings,
    pub(crate) inputs: Vec<InputSummary>,
    pub(crate) table: Table,
    /// Lines in no cluster, by [`Aside::ALL`].
    pub(crate) aside: [u64; Aside::ALL.len()],
    pub(crate) shortened: u64,
    /// Lines that each rule masked something in, by its position.
    masked: Vec<u64>,
    pub(crate) values: Values,
    /// Of the inputs that were read whole.
    pub(crate) leads: Vec<Arc<Lead>>,
    /// Of the inputs that lines are added to, by position.
    growing: Vec<Growing>,
    /// Places for chunks, kept for the next lines.
    places: Vec<Fold>,
    memos: Memos,
}

/// An input that lines are added to.
#[derive(Debug, Clone, Default)]
struct Growing {
    /// Where the lines that are held begin.
    place: chunks::Place,
    held: Vec<u8>,
    /// Line feeds among what is held.
    feeds: u64,
}

impl Partial {
    /// Nothing read.
    pub fn new(settings: &Settings) -> Self {
        let masked = vec![0; settings.rules.as_ref().map_or(0, |rules| rules.len())];
        let (aside, values) = Default::default();
        Self::of(settings, Vec::new(), Table::new(settings.max_shapes), aside, 0, values, masked)
    }

    /// What a run found.
    pub(crate) fn of(
        settings: &Settings,
        inputs: Vec<InputSummary>,
        table: Table,
        aside: [u64; Aside::ALL.len()],
        shortened: u64,
        values: Values,
        masked: Vec<u64>,
    ) -> Self {
        let (leads, growing, places, memos) = Default::default();
        let settings = settings.clone();
        Self { settings, inputs, table, aside, shortened, masked, values, leads, growing, places, memos }
    }

    /// For what is to be [compared](crate::compare::compare) with this: where headers are voted, lines that begin as some here do
    /// are read as those were. Otherwise what stands in brackets behind the level may be a thread on one side, where all lines
    /// have it, and part of the message on the other; so may the names of programs before the lines.
    pub fn line_format(&self) -> LineFormat {
        let leads = || self.leads.iter().chain(self.growing.iter().map(|input| &input.place.lead));
        let are_many = leads().any(|lead| lead.names.are_some() || lead.half_named);
        let named = are_many.then(|| leads().any(|lead| lead.names.are_some()));
        self.settings.line_format.after(leads().map(|lead| &lead.layout), named)
    }

    /// Whether lines are read here as they are in another, as far as the forms of their headers go. Where they are not, reading
    /// these again by [the other's](Self::line_format) makes it so.
    pub fn reads_like(&self, other: &Self) -> bool {
        let own: Vec<_> = self.leads.iter().map(|lead| &*lead.layout).collect();
        other.leads.iter().all(|lead| lead.layout.is_of(&own))
    }

    /// One more input, whose lines are to be [added](Self::add): its position in the report.
    pub fn input(&mut self, name: impl Into<String>) -> usize {
        self.inputs.push(InputSummary::of(name.into()));
        self.inputs.len() - 1
    }

    /// Adds whole lines of UTF-8 to an input, in the order in which they stand there. A text without a line feed at its
    /// end ends its last line there. A large text is folded on the threads of the rayon pool that this is called in.
    ///
    /// However the lines are cut into texts, the report is that of an input of all of them; only where more than 16 MiB of
    /// many inputs would be held, an event that is written just then may be torn.
    ///
    /// # Panics
    ///
    /// When there is no such input.
    pub fn add(&mut self, input: usize, text: &[u8]) {
        self.growing.resize_with(self.inputs.len(), Growing::default);
        self.growing[input].push(text);
        if self.growing[input].fills_a_chunk(self.settings.max_line_bytes) {
            self.fold(input, false);
        }
        if self.growing.iter().map(|growing| growing.held.len()).sum::<usize>() > HELD {
            self.settle();
        }
    }

    /// Counts the lines that are held.
    pub(crate) fn settle(&mut self) {
        for input in 0..self.growing.len() {
            if !self.growing[input].held.is_empty() {
                self.fold(input, true);
            }
        }
    }

    /// Counts the chunks that an input holds: whole ones, or all.
    fn fold(&mut self, input: usize, all: bool) {
        let position = u32::try_from(input).expect("inputs are bounded");
        let settings = self.settings.clone();
        let Settings { max_line_bytes, reference_time, gives_way, .. } = settings;
        let manner = Manner { max_line_bytes, reference_time, record: false, gives_way };
        let threads = settings.threads.unwrap_or_else(rayon::current_num_threads).clamp(1, Settings::MAX_THREADS);
        let growing = &mut self.growing[input];
        let (before, held) = (growing.place.clone(), std::mem::take(&mut growing.held));
        let mut chunks = Chunks::new(&held[..], position, &settings, false).from(before.clone());
        loop {
            let mut filled = 0;
            while filled < threads {
                let rest = &held[(chunks.place().bytes - before.bytes) as usize..];
                if !all && !chunks::are_one(rest.len(), feeds(rest), max_line_bytes) {
                    break;
                }
                if self.places.len() == filled {
                    let corrections = settings.rules.as_ref().and_then(Corrections::of);
                    self.places.push(Fold::with(corrections, self.memos.clone()));
                }
                let place = &mut self.places[filled];
                if !chunks.next(&mut place.chunk) {
                    break;
                }
                filled += 1;
            }
            match &mut self.places[..filled] {
                [] => break,
                [one] => one.run(manner),
                many => many.par_iter_mut().for_each(|place| place.run(manner)),
            }
            self.add_up(input, filled);
        }
        let place = chunks.place().clone();
        let rest = &held[(place.bytes - before.bytes) as usize..];
        let summary = &mut self.inputs[input];
        summary.lines += place.lines - before.lines;
        summary.bytes += place.bytes - before.bytes;
        if before.bytes == 0 {
            let problem = place.nature.map(|n| format!("{}: {}; its lines are set aside", summary.name, n.problem));
            summary.problems.extend(problem);
        }
        self.growing[input].hold(place, rest);
    }

    /// Adds what the first places hold to what was found.
    fn add_up(&mut self, input: usize, filled: usize) {
        for place in &mut self.places[..filled] {
            place.add_to(&mut self.table);
            self.aside.iter_mut().zip(place.aside).for_each(|(sum, lines)| *sum += lines);
            self.shortened += place.shortened;
            place.add_masked(&mut self.masked);
            self.inputs[input].count_formats(&place.chunk.lead.layout, &place.reader.ways);
            self.values.merge(&place.reader.values);
        }
    }

    /// Keeps for the report what a person should know of an input.
    ///
    /// # Panics
    ///
    /// When there is no such input.
    pub fn tell(&mut self, input: usize, problem: impl Into<String>) {
        self.inputs[input].problems.push(problem.into());
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        let held: u64 = self.growing.iter().map(Growing::lines).sum();
        self.inputs.iter().map(|input| input.lines).sum::<u64>() + held
    }

    /// Adds all that another found; its inputs come after those that are here. Two partials of other bounds do not add up.
    ///
    /// # Panics
    ///
    /// When they were made with different [`Settings::max_shapes`].
    pub fn merge(&mut self, mut other: Self) {
        other.table.shift_inputs(u32::try_from(self.inputs.len()).expect("inputs are bounded"));
        self.growing.resize_with(self.inputs.len(), Growing::default);
        self.growing.append(&mut other.growing);
        self.values.merge(&other.values);
        self.inputs.append(&mut other.inputs);
        self.leads.append(&mut other.leads);
        self.table.merge(other.table);
        self.aside.iter_mut().zip(other.aside).for_each(|(sum, lines)| *sum += lines);
        self.shortened += other.shortened;
        self.masked.iter_mut().zip(other.masked).for_each(|(sum, lines)| *sum += lines);
    }

    /// The report on what was found so far. While it is made the shapes are held twice.
    pub fn report(&self) -> Report {
        let whole = Self {
            settings: self.settings.clone(),
            inputs: self.inputs.clone(),
            table: self.table.clone(),
            masked: self.masked.clone(),
            values: self.values.clone(),
            leads: Vec::new(),
            growing: self.growing.clone(),
            places: Vec::new(),
            memos: Memos::default(),
            ..*self
        };
        whole.into_report()
    }

    /// The last report.
    pub fn into_report(self) -> Report {
        let similarity = self.settings.similarity;
        self.into_hierarchy().into_cut(similarity)
    }

    /// What was found, for reports at more than one similarity.
    pub fn into_hierarchy(mut self) -> Hierarchy {
        self.settle();
        let Self { settings, inputs, table, aside, shortened, values, masked, .. } = self;
        let found = Found { inputs, entries: table.finish(), aside, shortened, values, masked };
        assemble::hierarchy(found, &settings)
    }

    /// The inputs, with what is to be said of each.
    pub(crate) fn told_inputs(&self) -> Vec<InputSummary> {
        let mut inputs = self.inputs.clone();
        if self.settings.line_format.given().is_some() {
            assemble::tell_what_hardly_fits(&mut inputs, &self.table.clone().finish(), &self.settings);
        }
        inputs
    }

    /// Lines in no cluster.
    pub(crate) fn set_aside(&self) -> u64 {
        let ignored = self.settings.rules.as_ref().map_or(0, |_| self.table.ignored_lines());
        self.aside.iter().sum::<u64>() + ignored
    }
}

impl Growing {
    fn push(&mut self, text: &[u8]) {
        if !text.is_empty() && self.held.last().is_some_and(|last| *last != b'\n') {
            // The text before this one ended its last line there.
            self.held.push(b'\n');
            self.feeds += 1;
        }
        self.held.extend_from_slice(text);
        self.feeds += feeds(text);
    }

    fn hold(&mut self, place: chunks::Place, rest: &[u8]) {
        self.place = place;
        self.feeds = feeds(rest);
        self.held = rest.to_vec();
    }

    fn fills_a_chunk(&self, max_line_bytes: usize) -> bool {
        chunks::are_one(self.held.len(), self.feeds, max_line_bytes)
    }

    fn lines(&self) -> u64 {
        self.feeds + u64::from(self.held.last().is_some_and(|last| *last != b'\n'))
    }
}

fn feeds(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
