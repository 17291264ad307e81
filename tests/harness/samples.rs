//! The files in `sample-logs` and what their README says of them.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// One sample log.
#[derive(Debug, Clone)]
pub struct Sample {
    /// File name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Lines after decompression, as the README states them.
    pub lines: u64,
    /// Events in them, as the README states them: the lines that are not blank, or fewer.
    pub events: u64,
}

impl Sample {
    /// Its bytes, decompressed.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn text(&self) -> Vec<u8> {
        let packed = fs::read(&self.path).expect("a sample can be read");
        let mut text = Vec::new();
        match self.path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => flate2::read::MultiGzDecoder::new(&*packed).read_to_end(&mut text).expect("a whole gzip"),
            Some("zst") => {
                zstd::Decoder::new(&*packed).and_then(|mut open| open.read_to_end(&mut text)).expect("a whole zstd")
            }
            _ => return packed,
        };
        text
    }
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in a folder of the repository")
}

/// A sample by its file name.
///
/// # Panics
///
/// When the README does not list it.
pub fn sample_file(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name == name).unwrap_or_else(|| panic!("no sample {name}"))
}

/// All samples, as the table in their README lists them: `` | `name` | lines | events | … | ``.
///
/// # Panics
///
/// When the README cannot be read or lists no file.
pub fn samples() -> Vec<Sample> {
    let folder = repository().join("sample-logs");
    let readme = fs::read_to_string(folder.join("README.md")).expect("sample-logs has a README");
    let found: Vec<Sample> = readme.lines().filter_map(|line| row(line, &folder)).collect();
    assert!(found.len() >= 10, "the table of sample-logs/README.md has only {} rows", found.len());
    found
}

fn row(line: &str, folder: &Path) -> Option<Sample> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
    let name = cells.first()?.trim_end_matches('`').to_owned();
    let number = |cell: usize| cells.get(cell)?.replace(',', "").parse().ok();
    Some(Sample { path: folder.join(&name), name, lines: number(1)?, events: number(2)? })
}
