//! The count table as CSV (RFC 4180), with a header row.

use std::io::{self, Write};

use logkin_engine::Report;

use super::{level_name, moment};

pub(super) fn write(report: &Report, shown: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = Rows::new(out);
    rows.write([
        "cluster",
        "lines",
        "events",
        "share",
        "level",
        "first_seen",
        "last_seen",
        "template",
        "title",
        "muted",
    ])?;
    for cluster in &report.clusters[..shown] {
        rows.write([
            cluster.id.0.as_str(),
            &cluster.lines.to_string(),
            &cluster.events.to_string(),
            &format!("{:.6}", cluster.share),
            level_name(cluster.level),
            &moment(cluster.first_seen_ms),
            &moment(cluster.last_seen_ms),
            &cluster.template,
            cluster.title.as_deref().unwrap_or_default(),
            truth(cluster.is_muted),
        ])?;
    }
    rows.finish()
}

/// As CSV says it.
pub(crate) fn truth(is_so: bool) -> &'static str {
    if is_so { "true" } else { "false" }
}

/// Rows of CSV on a writer.
pub(crate) struct Rows<'a>(::csv::Writer<&'a mut dyn Write>);

impl<'a> Rows<'a> {
    /// No row yet.
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self(::csv::Writer::from_writer(out))
    }

    /// One row. An error is the writer's own, so that a closed pipe is known for what it is; the conversion that the
    /// library offers hides its kind.
    pub(crate) fn write<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) -> io::Result<()> {
        self.0.write_record(cells).map_err(|error| match error.into_kind() {
            ::csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        })
    }

    /// All of it to the writer.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use logkin_engine::{Input, Progress, Settings, analyze, rules::Rules};

    #[test]
    fn titles_and_mutes_of_rules_have_columns() {
        let text = "[[rule]]\nrename = \"job <*> done\"\ntitle = \"A job\"\n[[rule]]\nmute = \"up\"\n";
        let rules = Rules::parse("rules.toml", text).unwrap();
        let settings = Settings { rules: Some(rules.into()), ..Settings::default() };
        let log = Input::reader("log", &b"job 1 done\njob 2 done\nup\n"[..]);
        let report = analyze(vec![log], &settings, &Progress::default(), None).unwrap();
        let mut out = Vec::new();
        super::write(&report, 2, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let ends: Vec<&str> = out.lines().collect();
        assert!(ends[0].ends_with(",template,title,muted"), "{out}");
        assert!(ends[1].ends_with(",job <*> done,A job,false"), "{out}");
        assert!(ends[2].ends_with(",up,,true"), "{out}");
    }
}
