//! The sample logs that come with the program, embedded so that one file is all there is to install.

use std::{borrow::Cow, sync::LazyLock};

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../sample-logs/"]
#[exclude = "*.md"]
#[exclude = "capture/*"]
#[exclude = ".*"]
#[allow_missing = true]
struct Embedded;

/// One sample log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its file name.
    pub name: String,
    /// Its size as it lies there, compressed where it is.
    pub bytes: u64,
}

/// All of them, by name.
pub fn all() -> &'static [Sample] {
    static ALL: LazyLock<Vec<Sample>> = LazyLock::new(|| {
        let mut all: Vec<_> = Embedded::iter()
            .filter_map(|name| Some(Sample { bytes: Embedded::get(&name)?.data.len() as u64, name: name.into_owned() }))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    });
    &ALL
}

/// The bytes of one.
pub fn bytes(name: &str) -> Option<Cow<'static, [u8]>> {
    Embedded::get(name).map(|file| file.data)
}
