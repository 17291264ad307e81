//! `Search`: from a folder or a glob to the files it stands for, in an order that depends on their names alone. Files are
//! only looked at here, never opened, so that many thousands of them hold no handle.

mod order;

use std::{
    collections::HashSet,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::{DirEntry, WalkDir};

/// Files that one search finds; the search stops there and says so.
pub const MAX_FILES: usize = 1_000_000;

/// Finds files, each once, by whatever path it is reached first.
#[derive(Debug, Default)]
pub struct Search {
    /// Whether entries whose name begins with a dot are looked at.
    pub hidden: bool,
    /// Whether links are followed; without it what they lead to is passed over.
    pub links: bool,
    seen: HashSet<(u64, u64)>,
    passed: PassedOver,
    problems: Vec<String>,
}

/// What a search came across and did not take, though nothing is wrong with it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PassedOver {
    /// Hidden files, and folders with all that is in them.
    pub hidden: u64,
    /// Files without a byte.
    pub empty: u64,
    /// Pipes, sockets and devices: they may have no end.
    pub special: u64,
    /// Links, where they are not followed.
    pub links: u64,
    /// Files that are read anyway.
    pub known: u64,
}

impl Search {
    /// Follows links; `hidden` files only if asked for.
    pub fn new(hidden: bool) -> Self {
        Self { hidden, links: true, ..Self::default() }
    }

    /// Remembers a file that is read anyway, so that it is not found again.
    pub fn know(&mut self, file: &Path) {
        if let Ok(meta) = fs::metadata(file) {
            self.seen.insert((meta.dev(), meta.ino()));
        }
    }

    /// All files below a folder.
    pub fn folder(&mut self, folder: &Path) -> Vec<PathBuf> {
        self.below(folder, None)
    }

    /// All files that match, and those below folders that match; `**` stands for any folders.
    pub fn glob(&mut self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob =
            glob.map_err(|error| format!("{pattern}: {}; quote what is meant as it is with \\", error.kind()))?;
        Ok(self.below(&fixed_part(pattern), Some(&glob.compile_matcher())))
    }

    /// What was passed over so far.
    pub fn passed_over(&self) -> PassedOver {
        self.passed
    }

    /// What could not be looked at, for a person, each with its path.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    fn below(&mut self, base: &Path, glob: Option<&GlobMatcher>) -> Vec<PathBuf> {
        // A glob without a fixed part is about the folder we are in, whose files have no `./` in front then.
        let here = base.as_os_str().is_empty();
        let root = if here { Path::new(".") } else { base };
        let shown =
            |path: &Path| if here { path.strip_prefix(".").unwrap_or(path).to_owned() } else { path.to_owned() };
        let mut files = Vec::new();
        let mut walk = WalkDir::new(root).follow_links(self.links).into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // A glob may be about folders that are not there: it matches nothing, which is said.
                Err(error) if error.depth() == 0 && glob.is_some() => continue,
                // What a loop leads to is being looked at already.
                Err(error) if error.loop_ancestor().is_some() => continue,
                Err(error) => {
                    self.trouble(&error);
                    continue;
                }
            };
            let path = shown(entry.path());
            if entry.depth() > 0 && self.is_hidden(&entry, glob) {
                self.passed.hidden += 1;
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                continue;
            }
            let wanted = glob.is_none_or(|glob| matches(glob, &path, base));
            if !wanted || entry.file_type().is_dir() {
                continue;
            }
            if files.len() == MAX_FILES {
                self.problems
                    .push(format!("{}: holds more than {MAX_FILES} files; the rest is left out", root.display()));
                break;
            }
            match entry.metadata() {
                Ok(meta) if self.take(&meta) => files.push(path),
                Ok(_) => {}
                Err(error) => self.trouble(&error),
            }
        }
        files.sort_by_cached_key(|path| order::key(path));
        files
    }

    fn is_hidden(&self, entry: &DirEntry, glob: Option<&GlobMatcher>) -> bool {
        let asked_for = || glob.is_some_and(|glob| asks_for_hidden(glob.glob().glob()));
        !self.hidden && entry.file_name().as_encoded_bytes().starts_with(b".") && !asked_for()
    }

    /// Whether it is a file with something in it that was not found before.
    fn take(&mut self, meta: &Metadata) -> bool {
        match () {
            () if meta.file_type().is_symlink() => self.passed.links += 1,
            () if !meta.is_file() => self.passed.special += 1,
            () if meta.len() == 0 => self.passed.empty += 1,
            () if !self.seen.insert((meta.dev(), meta.ino())) => self.passed.known += 1,
            () => return true,
        }
        false
    }

    fn trouble(&mut self, error: &walkdir::Error) {
        let path = error.path().map_or_else(String::new, |path| path.display().to_string());
        let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
        self.problems.push(format!("{path}: cannot be looked at: {reason}; it is left out"));
    }
}

/// Whether a text that names no file is a glob.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// The folders in front of the first part with a sign; empty where there are none.
fn fixed_part(pattern: &str) -> PathBuf {
    let is_fixed = |part: &Component<'_>| !is_glob(&part.as_os_str().to_string_lossy());
    Path::new(pattern).components().take_while(is_fixed).collect()
}

/// Whether a glob asks for hidden names, past its fixed part.
fn asks_for_hidden(pattern: &str) -> bool {
    pattern
        .split('/')
        .skip_while(|part| !is_glob(part))
        .any(|part| part.starts_with('.') && !matches!(part, "." | ".."))
}

/// Whether the glob stands for the path or a folder above it.
fn matches(glob: &GlobMatcher, path: &Path, base: &Path) -> bool {
    path.ancestors().take_while(|above| *above != base).any(|above| glob.is_match(above))
}

#[cfg(test)]
mod tests;
