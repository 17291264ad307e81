//! The one place that joins the steps: one thread of a pool reads, cuts, and adds up in the order of the input; the others
//! fold chunks in between.
//!
//! Memory is that of a fixed number of places for chunks (`Fold`), which go round: filled here, folded there, added up
//! here, filled again. When none is free the thread that reads folds along; so one thread is enough.

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    fs,
    rc::Rc,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use rayon::ScopeFifo;

use crate::{
    Error, Input, Partial, Progress, Report, Settings,
    aside::Aside,
    event::Lead,
    fold::{Fold, Manner},
    format::{WAYS, values::Values},
    input::{
        Source,
        chunks::{Chunks, End},
        holes::{self, Holes},
        line_ends::LineEnds,
        text::{About, Text},
        unpack::{self, Opened},
    },
    memo::Memos,
    recording::{Recorder, writer::Writer},
    report::InputSummary,
    rules::reading::Corrections,
    table::Table,
};

/// Reads all inputs and reports what they hold. An input that cannot be read is a problem in the report, not a
/// failure of the run.
///
/// Without [`Settings::threads`] the work is done in the rayon pool that this is called in, or in rayon's own.
pub fn analyze(
    inputs: Vec<Input>,
    settings: &Settings,
    progress: &Progress,
    recorder: Option<Recorder<'_>>,
) -> Result<Report, Error> {
    read(inputs, settings, progress, recorder, Partial::into_report)
}

/// Reads all inputs as [`analyze`] does, up to where shapes are clustered: to be added to what else was found.
pub fn gather(
    inputs: Vec<Input>,
    settings: &Settings,
    progress: &Progress,
    recorder: Option<Recorder<'_>>,
) -> Result<Partial, Error> {
    read(inputs, settings, progress, recorder, |partial| partial)
}

/// All of it runs in the pool, on one thread of it, reading and what follows too: a thread beside the pool would be one more
/// than there are cores, and allocators give to a thread what it has freed itself.
fn read<T: Send>(
    inputs: Vec<Input>,
    settings: &Settings,
    progress: &Progress,
    recorder: Option<Recorder<'_>>,
    then: impl FnOnce(Partial) -> T + Send,
) -> Result<T, Error> {
    let Some(threads) = settings.threads else {
        let places = places(rayon::current_num_threads());
        let run = |scope: &_| Run::new(scope, places, settings, progress, recorder)?.all(inputs).map(then);
        return rayon::scope_fifo(run);
    };
    let threads = threads.clamp(1, Settings::MAX_THREADS);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("fold-{n}")).build();
    let pool = pool.map_err(|e| Error::Threads { threads, reason: e.to_string() })?;
    pool.scope_fifo(|scope| Run::new(scope, places(threads), settings, progress, recorder)?.all(inputs).map(then))
}

/// Enough for every thread to have one at hand while another is added up. Where all lines differ each takes some 6 MiB.
fn places(threads: usize) -> usize {
    2 * threads + 1
}

/// A place comes back with its turn; without one the thread that had it panicked, which the scope passes on.
type Done = Option<(u64, Fold)>;

struct Run<'scope, 's, 'a, 'w> {
    scope: &'s ScopeFifo<'scope>,
    settings: &'a Settings,
    manner: Manner,
    progress: &'a Progress,
    writer: Option<Writer<'w>>,
    free: Vec<Fold>,
    /// Places given out and not yet added up, first first; `None` is still being folded.
    waiting: VecDeque<Option<Fold>>,
    /// The turn of the first of `waiting`.
    turn: u64,
    back: SyncSender<Done>,
    done: Receiver<Done>,
    table: Table,
    aside: [u64; Aside::ALL.len()],
    shortened: u64,
    /// Lines that each rule masked something in.
    masked: Vec<u64>,
    /// How the lines of the inputs were read, by position.
    reads: BTreeMap<usize, Read>,
    values: Values,
    /// Of archives; they come after what was given.
    members: Vec<InputSummary>,
}

/// How the lines of an input were read.
#[derive(Default)]
struct Read {
    /// How many lines by each way, chunks with the same lead together.
    ways: Vec<(Arc<Lead>, [u64; WAYS])>,
    /// Messages with bytes that are no UTF-8.
    broken: u64,
}

impl Read {
    fn add(&mut self, fold: &Fold) {
        let lead = &fold.chunk.lead;
        if !self.ways.last().is_some_and(|(last, _)| Arc::ptr_eq(last, lead)) {
            self.ways.push((Arc::clone(lead), [0; WAYS]));
        }
        let sums = self.ways.last_mut().into_iter().flat_map(|(_, sums)| sums);
        sums.zip(fold.reader.ways).for_each(|(sum, lines)| *sum += lines);
        self.broken += fold.broken;
    }

    /// Says what is wrong with all lines of an input, or worth knowing of some.
    fn tell(&self, summary: &mut InputSummary) {
        let InputSummary { name, lines, problems, notes, .. } = summary;
        if self.ways.iter().all(|(_, ways)| ways.iter().all(|lines| *lines == 0)) {
            return problems.push(format!("{name}: has no line of text; all are set aside ({lines})"));
        }
        let is = "was read as UTF-8 and has messages with bytes that are none";
        let told = format!("{name}: {is}: {}; they are shown as U+FFFD", self.broken);
        // A few are what clients sent or what was cut off; many are another encoding.
        match self.broken {
            0 => {}
            few if few * 20 <= *lines => notes.push(told),
            _ => problems.push(told),
        }
    }
}

impl<'scope, 's, 'a, 'w> Run<'scope, 's, 'a, 'w> {
    fn new(
        scope: &'s ScopeFifo<'scope>,
        places: usize,
        settings: &'a Settings,
        progress: &'a Progress,
        recorder: Option<Recorder<'w>>,
    ) -> Result<Self, Error> {
        let (back, done) = sync_channel(places);
        let corrections = settings.rules.as_ref().and_then(Corrections::of);
        let (max_line_bytes, reference_time) = (settings.max_line_bytes, settings.reference_time);
        let memos = Memos::default();
        let manner =
            Manner { max_line_bytes, reference_time, record: recorder.is_some(), gives_way: settings.gives_way };
        Ok(Self {
            scope,
            settings,
            manner,
            progress,
            writer: recorder.map(Writer::begin).transpose().map_err(Error::Recording)?,
            free: (0..places).map(|_| Fold::with(corrections.clone(), memos.clone())).collect(),
            waiting: VecDeque::with_capacity(places),
            turn: 0,
            back,
            done,
            table: Table::new(settings.max_shapes),
            aside: Default::default(),
            shortened: 0,
            masked: vec![0; settings.rules.as_ref().map_or(0, |rules| rules.len())],
            reads: BTreeMap::new(),
            values: Values::default(),
            members: Vec::new(),
        })
    }

    fn all(mut self, inputs: Vec<Input>) -> Result<Partial, Error> {
        self.progress.bytes_total.store(total_bytes(&inputs), Relaxed);
        let mut summaries = Vec::with_capacity(inputs.len());
        let given = inputs.len();
        for (position, input) in inputs.into_iter().enumerate() {
            summaries.push(self.read(position, given, input)?);
        }
        summaries.append(&mut self.members);
        while !self.waiting.is_empty() {
            self.make_room()?;
        }
        self.check()?;
        for (position, read) in &self.reads {
            let summary = &mut summaries[*position];
            read.ways.iter().for_each(|(lead, ways)| summary.count_formats(&lead.layout, ways));
            // What is damaged may hold anything.
            if summary.problems.is_empty() {
                read.tell(summary);
            }
        }
        if let Some(writer) = self.writer {
            writer.finish(&self.table.joined_keys()).map_err(Error::Recording)?;
        }
        let Self { settings, table, aside, shortened, values, masked, reads, .. } = self;
        let mut found = Partial::of(settings, summaries, table, aside, shortened, values, masked);
        found.leads = reads.into_values().flat_map(|read| read.ways).map(|(lead, _)| lead).collect();
        Ok(found)
    }

    /// Reads one of the inputs given to its end, with all that it holds.
    fn read(&mut self, position: usize, given: usize, Input { name, source }: Input) -> Result<InputSummary, Error> {
        let mut summary = InputSummary::of(name);
        let (bounds, progress) = (self.settings.unpacking, self.progress);
        let whole = unpack::walk(source, bounds, progress, &mut |opened| {
            match opened.member {
                None => self.give_out_all(position, opened, &mut summary)?,
                Some(path) => {
                    let mut member = InputSummary::of(format!("{}/{path}", summary.name));
                    self.give_out_all(given + self.members.len(), opened, &mut member)?;
                    self.members.push(member);
                }
            }
            Ok(())
        })?;
        self.check()?;
        summary.problems.extend(whole.problems.iter().map(|problem| format!("{}: {problem}", summary.name)));
        if !whole.packing.is_empty() {
            summary.packing = whole.packing.iter().map(ToString::to_string).collect();
        }
        Ok(summary)
    }

    /// Cuts a text and gives its chunks out.
    fn give_out_all(&mut self, position: usize, opened: Opened<'_>, summary: &mut InputSummary) -> Result<(), Error> {
        let position = u32::try_from(position).expect("the members of an input are bounded");
        let about = Rc::new(About::default());
        about.decoded_from.set(if opened.in_place { u64::MAX } else { 0 });
        let holes = Rc::new(Cell::new(holes::Found::default()));
        let text = Holes::new(LineEnds::new(Text::new(opened.bytes, Rc::clone(&about))), Rc::clone(&holes));
        let mut chunks = Chunks::new(text, position, self.settings, false);
        if self.manner.record {
            chunks = chunks.recorded_from(Rc::clone(&about.decoded_from));
        }
        loop {
            self.check()?;
            let mut place = self.free_place()?;
            if !chunks.next(&mut place.chunk) {
                self.free.push(place);
                break;
            }
            self.give_out(place);
        }
        let end = chunks.end();
        self.check()?;
        let damage = opened.ledger.untold().filter(|_| end.failure.is_some());
        summary.problems = problems(&summary.name, &end, damage, &about, holes.get());
        (summary.lines, summary.bytes) = (end.lines, end.bytes);
        summary.packing = opened.packing.iter().map(ToString::to_string).collect();
        summary.encoding = about.encoding.get().map(Into::into);
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        if self.progress.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn free_place(&mut self) -> Result<Fold, Error> {
        loop {
            if let Some(place) = self.free.pop() {
                return Ok(place);
            }
            self.make_room()?;
        }
    }

    fn give_out(&mut self, mut place: Fold) {
        let turn = self.turn + self.waiting.len() as u64;
        let (manner, back) = (self.manner, GiveBack { to: self.back.clone(), done: None });
        self.waiting.push_back(None);
        self.scope.spawn_fifo(move |_| {
            place.run(manner);
            back.give(turn, place);
        });
    }

    /// Waits for a chunk, folding along, and adds up what is next in turn.
    fn make_room(&mut self) -> Result<(), Error> {
        let done = loop {
            if let Ok(done) = self.done.try_recv() {
                break done;
            }
            // Without work of our own left here, all that is given out is being folded elsewhere.
            if rayon::yield_local() != Some(rayon::Yield::Executed) {
                break self.done.recv().expect("this run holds a sender itself");
            }
        };
        let Some((turn, place)) = done else { return Err(Error::Cancelled) };
        self.waiting[(turn - self.turn) as usize] = Some(place);
        while let Some(mut place) = self.waiting.front_mut().and_then(Option::take) {
            self.waiting.pop_front();
            self.turn += 1;
            self.add_up(&mut place)?;
            self.free.push(place);
        }
        Ok(())
    }

    fn add_up(&mut self, fold: &mut Fold) -> Result<(), Error> {
        fold.add_to(&mut self.table);
        for (sum, lines) in self.aside.iter_mut().zip(fold.aside) {
            *sum += lines;
        }
        self.shortened += fold.shortened;
        fold.add_masked(&mut self.masked);
        self.reads.entry(fold.chunk.input as usize).or_default().add(fold);
        self.values.merge(&fold.reader.values);
        self.progress.lines.fetch_add(fold.lines, Relaxed);
        self.writer.as_mut().map_or(Ok(()), |writer| writer.write(fold)).map_err(Error::Recording)
    }
}

/// Sends what is done, or that nothing came of it, however the fold ends.
struct GiveBack {
    to: SyncSender<Done>,
    done: Done,
}

impl GiveBack {
    fn give(mut self, turn: u64, place: Fold) {
        self.done = Some((turn, place));
    }
}

impl Drop for GiveBack {
    fn drop(&mut self) {
        // There is room for all places, and a run that has ended early wants nothing back.
        drop(self.to.try_send(self.done.take()));
    }
}

/// What a person should know about a text.
fn problems(name: &str, end: &End, damage: Option<String>, about: &About, holes: holes::Found) -> Vec<String> {
    let mut problems = Vec::new();
    let (lines, are) = if end.lines == 1 { ("the line", "is") } else { ("the lines", "are") };
    if let Some(error) = &end.failure {
        let what = damage.unwrap_or_else(|| format!("cannot be read to its end ({error})"));
        problems.push(format!("{name}: {what}; {lines} before it {are} counted ({})", end.lines));
    }
    if let Some(nature) = end.nature {
        problems.push(format!("{name}: {}; {lines} of it ({}) {are} set aside", nature.problem, end.lines));
    }
    if end.failure.is_some() {
        // What comes before a damage may be none of the text.
        return problems;
    }
    if let (repaired @ 1.., Some(encoding)) = (about.repaired.get(), about.encoding.get()) {
        let were = "byte sequences that are no letter in it";
        problems.push(format!("{name}: was read as {encoding} and has {were}: {repaired}; each is shown as U+FFFD"));
    }
    if let (lines @ 1.., Some(encoding)) = (about.utf_8_lines.get(), about.encoding.get()) {
        problems.push(format!("{name}: was read as {encoding}, but for lines that are UTF-8: {lines}"));
    }
    if let holes::Found { holes: n @ 1.., bytes, first } = holes {
        let runs = if n == 1 { "a run".to_owned() } else { format!("{n} runs") };
        let each = "each is set aside as a line, as a log that is cut while it is written to has them";
        problems.push(format!("{name}: has {runs} of NUL bytes ({bytes}, from byte {first} on); {each}"));
    }
    if end.bytes == 0 {
        problems.push(format!("{name}: is empty"));
    }
    problems
}

/// Bytes on the disk; 0 if an input cannot tell.
fn total_bytes(inputs: &[Input]) -> u64 {
    let of = |input: &Input| match &input.source {
        // What cannot be opened has no bytes to read.
        Source::File(path) => fs::metadata(path).map_or(Some(0), |about| about.is_file().then_some(about.len())),
        Source::Reader(_) => None,
    };
    inputs.iter().map(of).sum::<Option<u64>>().unwrap_or(0)
}
