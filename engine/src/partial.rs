//! `Partial`: what phase one found so far, of inputs read whole or of lines as they come. Partials of one [`Settings`] add up in
//! any order and grouping to the same clusters and counts; a report can be had of them at any time.

use std::sync::Arc;

use rayon::prelude::*;

use crate::{
    Report, Settings,
    aside::{Aside, Nature},
    fold::{Fold, Manner, voted, whole_lines},
    format::{Layout, values::Values},
    input::chunks::{CHUNK_BYTES, Chunks},
    report::{
        InputSummary,
        assemble::{Found, assemble},
    },
    table::Table,
};

/// Lines read and counted, not yet clustered. Holds the distinct shapes, so its memory is bounded by [`Settings::max_shapes`];
/// of inputs that lines are added to also the first MiB of lines, 16 MiB in all, as they tell together how lines begin.
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
    pub(crate) values: Values,
    /// What the first lines of an input told of it, for inputs that lines are added to.
    natures: Vec<Option<Nature>>,
    /// How the lines of such inputs begin; not known while their first lines are held.
    layouts: Vec<Option<Arc<Layout>>>,
    /// The first lines of such inputs.
    held: Vec<Held>,
    /// Places for chunks, kept for the next lines.
    places: Vec<Fold>,
}

/// Bytes of first lines held in all; past it they are counted with what they tell so far.
const HELD: usize = 16 << 20;

/// The first lines of an input, as they were added.
#[derive(Debug, Clone, Default)]
struct Held {
    texts: Vec<Box<[u8]>>,
    bytes: usize,
    lines: u64,
}

impl Held {
    fn push(&mut self, text: &[u8]) {
        if !text.is_empty() {
            self.texts.push(text.into());
            self.bytes += text.len();
            self.lines += whole_lines(text).count() as u64;
        }
    }
}

impl Partial {
    /// Nothing read.
    pub fn new(settings: &Settings) -> Self {
        Self::of(settings, Vec::new(), Table::new(settings.max_shapes), Default::default(), 0, Values::default())
    }

    /// What a run found.
    pub(crate) fn of(
        settings: &Settings,
        inputs: Vec<InputSummary>,
        table: Table,
        aside: [u64; Aside::ALL.len()],
        shortened: u64,
        values: Values,
    ) -> Self {
        let (natures, layouts, held, places) = Default::default();
        Self { settings: settings.clone(), inputs, table, aside, shortened, values, natures, layouts, held, places }
    }

    /// One more input, whose lines are to be [added](Self::add): its position in the report.
    pub fn input(&mut self, name: impl Into<String>) -> usize {
        self.inputs.push(InputSummary::of(name.into()));
        self.inputs.len() - 1
    }

    /// Adds whole lines of UTF-8 to an input, in the order in which they stand there. A text without a line feed at its
    /// end ends its last line there. A large text is folded on the threads of the rayon pool that this is called in.
    ///
    /// # Panics
    ///
    /// When there is no such input.
    pub fn add(&mut self, input: usize, text: &[u8]) {
        self.natures.resize(self.inputs.len().max(self.natures.len()), None);
        self.layouts.resize(self.natures.len(), None);
        self.held.resize_with(self.natures.len(), Held::default);
        if self.layouts[input].is_some() {
            return self.fold(input, text);
        }
        self.held[input].push(text);
        if self.held[input].bytes >= CHUNK_BYTES {
            self.settle_one(input);
        } else if self.held.iter().map(|held| held.bytes).sum::<usize>() > HELD {
            self.settle();
        }
    }

    /// Counts the lines that are held.
    pub(crate) fn settle(&mut self) {
        for input in 0..self.held.len() {
            if self.held[input].lines > 0 {
                self.settle_one(input);
            }
        }
    }

    fn settle_one(&mut self, input: usize) {
        let held = std::mem::take(&mut self.held[input]);
        self.layouts[input] = Some(voted(held.texts.iter().flat_map(|text| whole_lines(text)), &self.settings));
        for text in &held.texts {
            self.fold(input, text);
        }
    }

    fn fold(&mut self, input: usize, text: &[u8]) {
        let position = u32::try_from(input).expect("inputs are bounded");
        let (max_line_bytes, reference_time) = (self.settings.max_line_bytes, self.settings.reference_time);
        let manner = Manner { max_line_bytes, reference_time, record: false, gives_way: self.settings.gives_way };
        let threads = self.settings.threads.unwrap_or_else(rayon::current_num_threads).clamp(1, Settings::MAX_THREADS);
        let mut chunks = Chunks::new(text, position, max_line_bytes, false);
        let layout = self.layouts[input].clone().unwrap_or_default();
        let before = self.inputs[input].lines;
        loop {
            let mut filled = 0;
            while filled < threads {
                if self.places.len() == filled {
                    self.places.push(Fold::default());
                }
                let chunk = &mut self.places[filled].chunk;
                if !chunks.next(chunk) {
                    break;
                }
                if before > 0 {
                    // What an input is, its beginning has told.
                    chunk.aside = self.natures[input].map(|nature| nature.aside);
                    chunk.first_line += before;
                }
                self.places[filled].layout = Arc::clone(&layout);
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
                self.inputs[input].count_formats(&place.layout, &place.reader.ways);
                self.values.merge(&place.reader.values);
            }
        }
        let end = chunks.end();
        let summary = &mut self.inputs[input];
        summary.lines += end.lines;
        summary.bytes += end.bytes;
        if before == 0 && end.lines > 0 {
            self.natures[input] = end.nature;
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
        let held: u64 = self.held.iter().map(|held| held.lines).sum();
        self.inputs.iter().map(|input| input.lines).sum::<u64>() + held
    }

    /// Adds all that another found; its inputs come after those that are here. Two partials of other bounds do not add up.
    ///
    /// # Panics
    ///
    /// When they were made with different [`Settings::max_shapes`].
    pub fn merge(&mut self, mut other: Self) {
        other.table.shift_inputs(u32::try_from(self.inputs.len()).expect("inputs are bounded"));
        self.natures.resize(self.inputs.len(), None);
        self.natures.append(&mut other.natures);
        self.layouts.resize(self.inputs.len(), None);
        self.layouts.append(&mut other.layouts);
        self.held.resize_with(self.inputs.len(), Held::default);
        self.held.append(&mut other.held);
        self.values.merge(&other.values);
        self.inputs.append(&mut other.inputs);
        self.table.merge(other.table);
        self.aside.iter_mut().zip(other.aside).for_each(|(sum, lines)| *sum += lines);
        self.shortened += other.shortened;
    }

    /// The report on what was found so far. While it is made the shapes are held twice.
    pub fn report(&self) -> Report {
        let whole = Self {
            settings: self.settings.clone(),
            inputs: self.inputs.clone(),
            table: self.table.clone(),
            values: self.values.clone(),
            natures: self.natures.clone(),
            layouts: self.layouts.clone(),
            held: self.held.clone(),
            places: Vec::new(),
            ..*self
        };
        whole.into_report()
    }

    /// The last report.
    pub fn into_report(mut self) -> Report {
        self.settle();
        let Self { inputs, table, aside, shortened, values, .. } = self;
        assemble(Found { inputs, entries: table.finish(), aside, shortened, values }, &self.settings)
    }
}
