//! `Inputs`: from the arguments of a command to what is read: files, folders, globs that the shell did not expand, standard
//! input.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::bail;
use logkin_engine::Input;

use crate::search::{PassedOver, Search, is_glob};

/// What standard input is called in a report.
pub(super) const STDIN: &str = "standard input";

/// What the arguments stand for.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// In the order of the arguments; what one of them stands for is in the order of its names.
    pub(super) given: Vec<Input>,
    /// What could not be found or looked at, for a person.
    pub(super) problems: Vec<String>,
    /// What was passed over though nothing is wrong with it.
    pub(super) notes: Vec<String>,
}

/// What one argument stands for.
enum Meant {
    Stdin,
    /// As it was given, whether it is there or not.
    File(PathBuf),
    Found(Vec<PathBuf>),
}

impl Inputs {
    /// Of the arguments; `-` or none is standard input. An error when there is nothing to read at all.
    pub(super) fn of(arguments: &[PathBuf], hidden: bool) -> anyhow::Result<Self> {
        let (paths, inputs) = Self::paths(arguments, hidden)?;
        let troubles = paths.iter().map(|path| path.as_deref().and_then(trouble)).collect::<Option<Vec<String>>>();
        if let Some(troubles) = troubles {
            bail!(
                "nothing to read: {}",
                troubles.iter().chain(&inputs.problems).cloned().collect::<Vec<_>>().join("; ")
            );
        }
        let input = |path: Option<PathBuf>| path.map_or_else(|| Input::reader(STDIN, io::stdin()), Input::file);
        Ok(Self { given: paths.into_iter().map(input).collect(), ..inputs })
    }

    /// The files that the arguments stand for, nothing of them opened; `None` is standard input.
    pub(super) fn paths(arguments: &[PathBuf], hidden: bool) -> anyhow::Result<(Vec<Option<PathBuf>>, Self)> {
        if arguments.is_empty() && io::stdin().is_terminal() {
            bail!("no input; give log files, or pipe something in: `journalctl | logkin cluster`");
        }
        if arguments.iter().filter(|argument| is_stdin(argument)).count() > 1 {
            bail!("standard input (`-`) is given twice; it can be read once");
        }
        if arguments.is_empty() {
            return Ok((vec![None], Self::default()));
        }
        let mut search = Search::new(hidden);
        // What is named is not read once more because a folder holds it.
        arguments.iter().filter(|argument| !argument.is_dir()).for_each(|file| search.know(file));
        let (mut paths, mut inputs) = (Vec::new(), Self::default());
        for argument in arguments {
            match meant(argument, &mut search) {
                Ok(Meant::Stdin) => paths.push(None),
                Ok(Meant::File(file)) => paths.push(Some(file)),
                Ok(Meant::Found(files)) => paths.extend(files.into_iter().map(Some)),
                Err(problem) => inputs.problems.push(problem),
            }
        }
        inputs.notes.extend(twice(&mut paths));
        inputs.problems.extend_from_slice(search.problems());
        inputs.notes.extend(note(search.passed_over()));
        if paths.is_empty() {
            let found = inputs.problems.iter().chain(&inputs.notes).map(String::as_str);
            bail!("nothing to read: {}", found.collect::<Vec<_>>().join("; "));
        }
        Ok((paths, inputs))
    }
}

/// Why a file cannot be read, if it cannot. Pipes and devices are not opened to find out: that may take a while.
fn trouble(path: &Path) -> Option<String> {
    let error = match fs::metadata(path) {
        Ok(about) if about.is_file() => File::open(path).err()?,
        Ok(_) => return None,
        Err(error) => error,
    };
    Some(format!("{}: cannot be opened: {error}", path.display()))
}

/// Leaves out what is named once more, by whatever path, and says so: its lines would be counted twice.
fn twice(paths: &mut Vec<Option<PathBuf>>) -> Vec<String> {
    let mut notes = Vec::new();
    let mut first: HashMap<(u64, u64), PathBuf> = HashMap::new();
    paths.retain(|path| {
        let Some(path) = path else { return true };
        let Ok(about) = fs::metadata(path) else { return true };
        match first.entry((about.dev(), about.ino())) {
            Entry::Occupied(known) => {
                let known = known.get().display();
                notes.push(format!("{}: is the same file as {known}; it is read once", path.display()));
                false
            }
            Entry::Vacant(free) => {
                free.insert(path.clone());
                true
            }
        }
    });
    notes
}

fn is_stdin(argument: &Path) -> bool {
    argument == Path::new("-")
}

/// The error is for a person.
fn meant(argument: &Path, search: &mut Search) -> Result<Meant, String> {
    if is_stdin(argument) {
        return Ok(Meant::Stdin);
    }
    let typed = argument.to_string_lossy();
    if argument.is_dir() {
        let before = search.passed_over();
        let files = search.folder(argument);
        if files.is_empty() && search.passed_over() == before && search.problems().is_empty() {
            return Err(format!("{typed}: is an empty folder; a file, or a folder with files in it, was expected"));
        }
        return Ok(Meant::Found(files));
    }
    // A name with such signs in it is a name first.
    if is_glob(&typed) && argument.symlink_metadata().is_err() {
        let files = search.glob(&typed)?;
        if files.is_empty() {
            return Err(format!("{typed}: matches no file; check the spelling"));
        }
        return Ok(Meant::Found(files));
    }
    Ok(Meant::File(argument.to_owned()))
}

/// What was passed over, in one sentence.
fn note(PassedOver { hidden, empty, special, links, .. }: PassedOver) -> Option<String> {
    let of = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}"));
    let parts = [
        of(hidden, "hidden (`--hidden` takes them)"),
        of(empty, "empty"),
        of(special, "pipes, sockets or devices"),
        of(links, "links"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("passed over: {}", parts.join(", ")))
}
