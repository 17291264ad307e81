//! `Partial`: what phase one found so far, of inputs read whole or of lines as they come. Partials of one [`Settings`] add up in
//! any order and grouping to the same clusters and counts; a report can be had of them at any time.

use std::sync::Arc;

use rayon::prelude::*;

use crate::{
    Report, Settings,
    aside::{Aside, Nature},
    fold::{Fold, Manner, layout_of},
    format::{Layout, values::Values},
    input::chunks::{Chunk, Chunks},
    report::{
        Hierarchy, InputSummary,
        assemble::{self, Found},
    },
    rules::reading::Corrections,
    table::Table,
};

/// Bytes of an input by which it is known how its lines begin. Until there are so many, each text that is added may correct
/// what those before it said.
const HEAD: usize = 64 << 10;

/// Lines read and counted, not yet clustered. Holds the distinct shapes, never a line, so its memory is bounded by
/// [`Settings::max_shapes`].
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
    /// For inputs that lines are added to.
    begun: Vec<Begun>,
    /// Places for chunks, kept for the next lines.
    places: Vec<Fold>,
}

/// What the first lines of an input told of it.
#[derive(Debug, Default)]
struct Begun {
    nature: Option<Nature>,
    /// How its lines begin, as far as is known.
    layout: Option<Arc<Layout>>,
    /// The lines that say so, until they are enough.
    head: Vec<u8>,
    is_settled: bool,
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
        let (begun, places) = Default::default();
        Self { settings: settings.clone(), inputs, table, aside, shortened, masked, values, begun, places }
    }

    /// One more input, whose lines are to be [added](Self::add): its position in the report.
    pub fn input(&mut self, name: impl Into<String>) -> usize {
        self.inputs.push(InputSummary::of(name.into()));
        self.inputs.len() - 1
    }

    /// Adds whole lines of UTF-8 to an input, in the order in which they stand there. A text without a line feed at its
    /// end ends its last line there. A large text is folded on the threads of the rayon pool that this is called in.
    ///
    /// What the input is and how its lines begin, the first text tells: let it have some lines.
    ///
    /// # Panics
    ///
    /// When there is no such input.
    pub fn add(&mut self, input: usize, text: &[u8]) {
        let position = u32::try_from(input).expect("inputs are bounded");
        let (max_line_bytes, reference_time) = (self.settings.max_line_bytes, self.settings.reference_time);
        let manner = Manner { max_line_bytes, reference_time, record: false, gives_way: self.settings.gives_way };
        let threads = self.settings.threads.unwrap_or_else(rayon::current_num_threads).clamp(1, Settings::MAX_THREADS);
        let mut chunks = Chunks::new(text, position, max_line_bytes, false);
        self.begun.resize_with(self.inputs.len().max(self.begun.len()), Begun::default);
        let before = self.inputs[input].lines;
        loop {
            let mut filled = 0;
            while filled < threads {
                if self.places.len() == filled {
                    self.places.push(Fold::with(self.settings.rules.as_ref().and_then(Corrections::of)));
                }
                let chunk = &mut self.places[filled].chunk;
                if !chunks.next(chunk) {
                    break;
                }
                if before > 0 {
                    // What an input is, its beginning has told.
                    chunk.aside = self.begun[input].nature.map(|nature| nature.aside);
                    chunk.first_line += before;
                    // A byte order mark stands at the beginning only.
                    chunk.mark = 0;
                }
                self.places[filled].layout = self.begun[input].layout(&self.places[filled].chunk, &self.settings);
                filled += 1;
            }
            match &mut self.places[..filled] {
                [] => break,
                [one] => one.run(manner),
                many => many.par_iter_mut().for_each(|place| place.run(manner)),
            }
            for place in &mut self.places[..filled] {
                place.add_to(&mut self.table);
                self.aside.iter_mut().zip(place.aside).for_each(|(sum, lines)| *sum += lines);
                self.shortened += place.shortened;
                place.add_masked(&mut self.masked);
                self.inputs[input].count_formats(&place.layout, &place.reader.ways);
                self.values.merge(&place.reader.values);
            }
        }
        let end = chunks.end();
        let summary = &mut self.inputs[input];
        summary.lines += end.lines;
        summary.bytes += end.bytes;
        if before == 0 && end.lines > 0 {
            self.begun[input].nature = end.nature;
            summary
                .problems
                .extend(end.nature.map(|n| format!("{}: {}; its lines are set aside", summary.name, n.problem)));
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

    /// Lines counted so far.
    pub fn lines(&self) -> u64 {
        self.inputs.iter().map(|input| input.lines).sum()
    }

    /// Adds all that another found; its inputs come after those that are here. Two partials of other bounds do not add up.
    ///
    /// # Panics
    ///
    /// When they were made with different [`Settings::max_shapes`].
    pub fn merge(&mut self, mut other: Self) {
        other.table.shift_inputs(u32::try_from(self.inputs.len()).expect("inputs are bounded"));
        self.begun.resize_with(self.inputs.len(), Begun::default);
        self.begun.append(&mut other.begun);
        self.values.merge(&other.values);
        self.inputs.append(&mut other.inputs);
        self.table.merge(other.table);
        self.aside.iter_mut().zip(other.aside).for_each(|(sum, lines)| *sum += lines);
        self.shortened += other.shortened;
        self.masked.iter_mut().zip(other.masked).for_each(|(sum, lines)| *sum += lines);
    }

    /// The report on what was found so far. While it is made the shapes are held twice.
    pub fn report(&self) -> Report {
        self.found(self.inputs.clone(), self.table.clone(), self.values.clone()).cut(self.settings.similarity)
    }

    /// The last report.
    pub fn into_report(self) -> Report {
        let similarity = self.settings.similarity;
        self.into_hierarchy().cut(similarity)
    }

    /// What was found, for reports at more than one similarity.
    pub fn into_hierarchy(mut self) -> Hierarchy {
        let (inputs, values) = (std::mem::take(&mut self.inputs), std::mem::take(&mut self.values));
        let table = std::mem::replace(&mut self.table, Table::new(1));
        self.found(inputs, table, values)
    }

    /// Lines in no cluster.
    pub(crate) fn set_aside(&self) -> u64 {
        let ignored = self.settings.rules.as_ref().map_or(0, |_| self.table.ignored_lines());
        self.aside.iter().sum::<u64>() + ignored
    }

    fn found(&self, inputs: Vec<InputSummary>, table: Table, values: Values) -> Hierarchy {
        let (aside, shortened, masked) = (self.aside, self.shortened, self.masked.clone());
        let found = Found { inputs, entries: table.finish(), aside, shortened, values, masked };
        assemble::hierarchy(found, &self.settings)
    }
}

impl Begun {
    /// How the lines of the input begin, with what this chunk of it says.
    fn layout(&mut self, chunk: &Chunk, settings: &Settings) -> Arc<Layout> {
        if let Some(layout) = self.layout.as_ref().filter(|_| self.is_settled) {
            return Arc::clone(layout);
        }
        let before = self.head.len();
        self.head.extend_from_slice(chunk.bytes());
        self.is_settled = self.head.len() >= HEAD || chunk.aside.is_some();
        let layout = if before == 0 {
            layout_of(chunk, settings)
        } else {
            let mut all = Chunk::default();
            Chunks::new(&self.head[..], chunk.input, settings.max_line_bytes, false).next(&mut all);
            layout_of(&all, settings)
        };
        if self.is_settled {
            self.head = Vec::new();
        }
        Arc::clone(self.layout.insert(layout))
    }
}
