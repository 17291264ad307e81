//! One report: how far it is, and then its table and histogram.

use askama::Template;
use axum::{
    extract::{Path, State as Shared},
    http::Uri,
    response::Response,
};
use logkin_engine::{
    Report,
    record::Level,
    report::{Cluster, InputSummary, RulesUsed, SetAside},
};

use super::list::Row;
use crate::{
    output::visible,
    shelf::Bound,
    store::{ReportRow, State},
    web::{
        api::{self, IdPath, reports::ReportJson},
        chart::{self, Chart},
        error::WebError,
        figures::{count, counted, moment, percent, size, time},
        marked::{self, Bit},
        query::Query,
        render::page,
        selection::{self, LEVELS, Selection, Sort},
        state::App,
    },
};

/// What varies from report to report and from one moment to the next.
enum Shown {
    Open { fraction: f64, percent: String, lines: String, read: String },
    Failed { error: String },
    Done(Box<Done>),
}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    row: Row,
    shown: Shown,
}

struct Done {
    equation: Equation,
    /// The first ones.
    inputs: Vec<InputRow>,
    all_inputs: usize,
    input_count: String,
    input_problems: Vec<String>,
    /// On the report and on its inputs.
    notes: Vec<String>,
    set_aside: Vec<(String, String)>,
    chart: Option<Chart>,
    views: Views,
    muted: Option<Muted>,
    rules: Option<RulesRow>,
    problems: Vec<String>,
    levels: Vec<LevelChip>,
    columns: Vec<Column>,
    rows: Vec<ClusterRow>,
    q: String,
    level: String,
    sort: &'static str,
    order: &'static str,
    first: usize,
    last: usize,
    total: String,
    is_filtered: bool,
    all: String,
    previous: Option<String>,
    next: Option<String>,
}

/// The corrections that the report was made with.
struct RulesRow {
    /// The name of the file; where it lies is the operator's business.
    file: String,
    hash: String,
    /// Those that matched nothing.
    idle: Vec<String>,
}

/// Lines read = lines in clusters + lines set aside.
struct Equation {
    lines: String,
    clustered: String,
    clusters: String,
    events: Option<String>,
    set_aside: String,
    size: String,
}

/// Inputs and problems of inputs that the page lists.
const MAX_INPUTS: usize = 1000;

struct InputRow {
    name: String,
    lines: String,
    size: String,
    /// How it was packed, encoded and read.
    about: String,
}

/// The clusters that rules keep out of lists.
struct Muted {
    clusters: String,
    are_shown: bool,
    /// To the other view.
    href: String,
}

/// The way to broader and narrower clusters.
struct Views {
    similarity: f64,
    broader: Option<String>,
    narrower: Option<String>,
    /// Back to how the analysis gave it; `None` there.
    back: Option<String>,
    /// For forms.
    field: Option<String>,
    /// For addresses of this view that have no other parameter.
    suffix: String,
}

struct LevelChip {
    name: &'static str,
    href: String,
    clusters: String,
    is_on: bool,
}

struct Column {
    title: &'static str,
    class: &'static str,
    href: String,
    /// `ascending`, `descending` or `none`.
    sorted: &'static str,
}

struct ClusterRow {
    href: String,
    title: Option<String>,
    bits: Vec<Bit>,
    lines: String,
    share: String,
    width: f64,
    level: Option<&'static str>,
    spark: String,
    spark_width: usize,
    first_seen: String,
    last_seen: String,
    /// The same in full.
    seen: String,
}

/// `GET /reports/{id}`
pub async fn report(Shared(app): Shared<App>, Path(id): IdPath, uri: Uri) -> Result<Response, WebError> {
    let selection = Selection::of(&Query::of(&uri, &selection::PARAMETERS)?)?;
    let stored = api::find(&app, &id).await?;
    let shown = match &stored.state {
        State::Queued | State::Running(_) => open(&stored),
        State::Failed { error, .. } => Shown::Failed { error: visible(error).into_owned() },
        State::Done { .. } => {
            let bound = api::result(&app, &stored, selection.similarity).await?;
            Shown::Done(Box::new(done(&stored, &bound, &selection)))
        }
    };
    page(&ReportPage { row: Row::of(&stored, app.clock.now_ms()), shown })
}

fn open(stored: &ReportRow) -> Shown {
    let progress = ReportJson::of(stored).progress;
    Shown::Open {
        fraction: progress.fraction,
        percent: format!("{:.0} %", progress.fraction * 100.0),
        lines: count(progress.lines),
        read: format!("{} of {}", size(progress.bytes_read), size(progress.bytes_total)),
    }
}

fn done(stored: &ReportRow, bound: &Bound, selection: &Selection) -> Done {
    let report = &bound.report;
    let here = format!("/reports/{}", stored.report.id);
    let (clusters, total) = selection.select(&report.clusters);
    let first = selection.skip.min(total);
    let link = |skip: usize| format!("{here}?{}", address(&Selection { skip, ..selection.clone() }));
    Done {
        equation: Equation::of(report),
        inputs: report.inputs.iter().take(MAX_INPUTS).map(InputRow::of).collect(),
        all_inputs: report.inputs.len(),
        input_count: count(report.inputs.len() as u64),
        input_problems: shown(report.inputs.iter().flat_map(|input| &input.problems)),
        notes: shown(report.notes.iter().chain(report.inputs.iter().flat_map(|input| &input.notes))),
        set_aside: report.set_aside.iter().map(|aside: &SetAside| (aside.reason.clone(), count(aside.lines))).collect(),
        chart: report.histogram.as_ref().and_then(|frame| chart::chart(frame, &frame.counts)),
        muted: Muted::of(&here, &report.clusters, selection),
        rules: report.rules.as_ref().map(RulesRow::of),
        problems: problems(report),
        views: Views::of(&here, report.similarity, selection),
        levels: chips(&here, &report.clusters, selection),
        columns: columns(&here, selection),
        rows: clusters
            .iter()
            .map(|cluster| ClusterRow::of((&here, &suffix(selection.similarity)), cluster, is_one_day(report)))
            .collect(),
        q: selection.q.clone(),
        level: selection.level.map(level_name).unwrap_or_default().to_owned(),
        sort: selection.sort.name(),
        order: selection.order(),
        first: if total == 0 { 0 } else { first + 1 },
        last: first + clusters.len(),
        total: count(total as u64),
        is_filtered: !selection.q.is_empty() || selection.level.is_some(),
        all: count(report.clusters.len() as u64),
        previous: (first > 0).then(|| link(first.saturating_sub(selection.limit))),
        next: selection.next(total).map(|_| link(first + selection.limit)),
    }
}

impl Equation {
    fn of(report: &logkin_engine::Report) -> Self {
        let totals = report.totals;
        Self {
            lines: counted(totals.lines, "line"),
            clustered: count(totals.lines.saturating_sub(totals.set_aside)),
            clusters: counted(totals.clusters, "cluster"),
            events: (totals.events != totals.lines - totals.set_aside).then(|| counted(totals.events, "event")),
            set_aside: count(totals.set_aside),
            size: size(totals.bytes),
        }
    }
}

impl RulesRow {
    fn of(used: &RulesUsed) -> Self {
        let name = std::path::Path::new(&used.file).file_name().map_or("".into(), |name| name.to_string_lossy());
        Self {
            file: visible(&name).into_owned(),
            hash: used.hash.clone(),
            idle: used.idle().map(|rule| visible(&rule.name).into_owned()).collect(),
        }
    }
}

/// Problems of the report as a whole. What rules are idle is said beside their file: with rules for many logs it is no fault
/// that some find nothing in this one.
fn problems(report: &Report) -> Vec<String> {
    let is_idle = |problem: &&String| report.rules.as_ref().is_some_and(|used| used.is_about_idle(problem));
    report.problems.iter().filter(|problem| !is_idle(problem)).map(|problem| visible(problem).into_owned()).collect()
}

fn shown<'r>(told: impl Iterator<Item = &'r String>) -> Vec<String> {
    told.take(MAX_INPUTS).map(|text| visible(text).into_owned()).collect()
}

impl InputRow {
    fn of(input: &InputSummary) -> Self {
        let form = input.formats.iter().max_by_key(|share| share.lines).map(|share| match &*share.form {
            "plain" => "lines without a header".to_owned(),
            "other" => "headers of several forms".to_owned(),
            form => format!("lines read as {}", visible(form)),
        });
        let packing = (!input.packing.is_empty()).then(|| format!("unpacked from {}", input.packing.join(", ")));
        let encoding = input.encoding.as_ref().map(|encoding| format!("decoded from {encoding}"));
        Self {
            name: visible(&input.name).into_owned(),
            lines: counted(input.lines, "line"),
            size: size(input.bytes),
            about: [packing, encoding, form].into_iter().flatten().collect::<Vec<_>>().join(" · "),
        }
    }
}

impl ClusterRow {
    fn of((here, suffix): (&str, &str), cluster: &Cluster, is_one_day: bool) -> Self {
        let seen = |ms: Option<i64>| ms.map(if is_one_day { time } else { moment }).unwrap_or_default();
        let full = |ms: Option<i64>| ms.map(moment).unwrap_or_default();
        Self {
            href: format!("{here}/clusters/{}{suffix}", cluster.id.0),
            title: cluster.title.as_ref().map(|title| visible(title).into_owned()),
            bits: marked::template(cluster),
            lines: count(cluster.lines),
            share: percent(cluster.share),
            width: (cluster.share * 1000.0).round() / 10.0,
            level: cluster.level.map(Level::name),
            spark: chart::spark(&cluster.over_time.counts()),
            spark_width: chart::spark_width(&cluster.over_time.counts()),
            first_seen: seen(cluster.first_seen_ms),
            last_seen: seen(cluster.last_seen_ms),
            seen: format!("{} to {} UTC", full(cluster.first_seen_ms), full(cluster.last_seen_ms)),
        }
    }
}

impl Muted {
    fn of(here: &str, clusters: &[Cluster], selection: &Selection) -> Option<Self> {
        let muted = clusters.iter().filter(|cluster| cluster.is_muted).count() as u64;
        let next = Selection { with_muted: !selection.with_muted, skip: 0, ..selection.clone() };
        let href = format!("{here}?{}", address(&next));
        (muted > 0).then(|| Self { clusters: counted(muted, "cluster"), are_shown: selection.with_muted, href })
    }
}

impl Views {
    fn of(here: &str, similarity: f64, selection: &Selection) -> Self {
        let view = |similarity: Option<u16>| {
            let next = Selection { similarity, skip: 0, ..selection.clone() };
            format!("{here}?{}", address(&next))
        };
        // From 0 to 1000.
        let now = (similarity * 1000.0).round() as u16;
        Self {
            similarity,
            broader: VIEWS.iter().rev().find(|view| **view < now).map(|at| view(Some(*at))),
            narrower: VIEWS.iter().find(|view| **view > now).map(|at| view(Some(*at))),
            back: selection.similarity.map(|_| view(None)),
            field: selection.similarity.map(thousandths),
            suffix: suffix(selection.similarity),
        }
    }
}

/// The similarities that the links go to, in thousandths: where the steps of joining end, and below the default some more.
const VIEWS: [u16; 12] = [0, 50, 100, 150, 200, 250, 300, 400, 500, 700, 800, 1000];

/// What an address of this view ends with when it has no other parameter.
pub(super) fn suffix(similarity: Option<u16>) -> String {
    similarity.map_or_else(String::new, |at| format!("?similarity={}", thousandths(at)))
}

/// As an address has it: `0.35`.
pub(super) fn thousandths(number: u16) -> String {
    format!("{}", f64::from(number) / 1000.0)
}

/// Whether all times of a report are of one day, which then need not be said in every row.
fn is_one_day(report: &logkin_engine::Report) -> bool {
    let seen = || report.clusters.iter().flat_map(|c| [c.first_seen_ms, c.last_seen_ms]).flatten();
    let day = |ms: i64| ms.div_euclid(86_400_000);
    seen().min().map(day) == seen().max().map(day)
}

fn chips(here: &str, clusters: &[Cluster], selection: &Selection) -> Vec<LevelChip> {
    let all = LEVELS.map(Some).into_iter().chain([None]);
    let chip = |level: Option<Level>| {
        let clusters = clusters.iter().filter(|c| c.level == level).count();
        let is_on = selection.level == Some(level);
        let toggled = if is_on { None } else { Some(level) };
        let next = Selection { level: toggled, skip: 0, ..selection.clone() };
        let href = format!("{here}?{}", address(&next));
        LevelChip { name: level_name(level), href, clusters: count(clusters as u64), is_on }
    };
    all.map(chip).filter(|chip| chip.clusters != "0" || chip.is_on).collect()
}

fn columns(here: &str, selection: &Selection) -> Vec<Column> {
    let column = |title, class, sort: Sort| {
        let is_sorted = selection.sort == sort;
        let next = Selection { sort, is_reversed: is_sorted && !selection.is_reversed, skip: 0, ..selection.clone() };
        let sorted = match (is_sorted, selection.order()) {
            (false, _) => "none",
            (true, "asc") => "ascending",
            (true, _) => "descending",
        };
        Column { title, class, href: format!("{here}?{}", address(&next)), sorted }
    };
    vec![
        column("Lines", "number", Sort::Lines),
        column("Level", "", Sort::Level),
        column("Template", "wide", Sort::Template),
        column("First seen", "time", Sort::FirstSeen),
        column("Last seen", "time", Sort::LastSeen),
    ]
}

/// The parameters of a selection, without those that are as they are by default.
fn address(selection: &Selection) -> String {
    let mut parts = Vec::new();
    if selection.sort != Sort::Lines || selection.is_reversed {
        parts.push(format!("sort={}&order={}", selection.sort.name(), selection.order()));
    }
    if !selection.q.is_empty() {
        let q = askama::filters::urlencode_strict(&selection.q).map(|safe| safe.to_string());
        parts.push(format!("q={}", q.unwrap_or_default()));
    }
    if let Some(level) = selection.level {
        parts.push(format!("level={}", level_name(level)));
    }
    if selection.with_muted {
        parts.push("muted=shown".to_owned());
    }
    parts.extend(selection.similarity.map(|at| format!("similarity={}", thousandths(at))));
    if selection.skip > 0 {
        parts.push(format!("cursor={}", selection::format_cursor(selection.skip as u64)));
    }
    parts.join("&")
}

fn level_name(level: Option<Level>) -> &'static str {
    level.map_or("none", Level::name)
}

#[cfg(test)]
mod tests {
    use logkin_engine::{Input, Progress, Settings, analyze, rules::Rules};

    use super::{RulesRow, problems};

    #[test]
    fn idle_rules_are_one_note_without_the_path_of_their_file_and_no_problem() {
        let text = "[[rule]]\nname = \"a\"\nmute = \"no such line\"\n[[rule]]\nmute = \"nor this\"\n";
        let rules = Rules::parse("/etc/secret/rules.toml", text).unwrap();
        let settings = Settings { rules: Some(rules.into()), ..Settings::default() };
        let log = Input::reader("log", &b"job 1 done\n"[..]);
        let report = analyze(vec![log], &settings, &Progress::default(), None).unwrap();
        assert_eq!((report.problems.len(), problems(&report)), (2, Vec::new()));
        let row = RulesRow::of(report.rules.as_ref().unwrap());
        assert_eq!((row.file.as_str(), row.idle), ("rules.toml", vec!["a".to_owned(), "rule 2".to_owned()]));
    }
}
