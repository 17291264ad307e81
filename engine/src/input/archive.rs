//! `Skipped`: what of an archive is not read, counted by reason, so that a million links are one problem.

/// Why a member is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    NoFile,
    Sparse,
    Encrypted,
    Method,
    /// Its length stands only behind it.
    Endless,
}

/// Counts of members left out.
#[derive(Debug, Default)]
pub(crate) struct Skipped(Vec<(Reason, u64, String)>);

impl Skipped {
    pub(crate) fn add(&mut self, reason: Reason, name: &str) {
        match self.0.iter_mut().find(|(known, ..)| *known == reason) {
            Some((_, count, _)) => *count += 1,
            None => self.0.push((reason, 1, name.to_owned())),
        }
    }

    /// One sentence for each reason, without the name of the archive.
    pub(crate) fn problems(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(reason, count, first)| {
            let what = match reason {
                Reason::NoFile => "links, devices or pipes and no files",
                Reason::Sparse => "stored with holes, which is not read; unpack it first",
                Reason::Encrypted => "encrypted; unpack it first",
                Reason::Endless => "of a length that is told only behind them; unpack it first",
                Reason::Method => "packed by a method that is not read; unpack it first",
            };
            format!("has members that are left out: {count}, the first is {first}; they are {what}")
        })
    }
}
