//! `Follow`: a file that is written to, by its path, across rotation (by renaming, or by copying and truncating) and across
//! times in which it is not there. It looks when it is asked to and never waits; what lines say is not read here.
//!
//! Looking, instead of being told by the system, works on network file systems too, and costs two calls of the system each time.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Bytes read by one [`Follow::read`] from each file, but for what completes a line.
pub const MOST_BYTES: usize = 4 << 20;

/// Bytes read at a time.
const BUFFER: usize = 128 << 10;

/// Bytes before where reading stands by which the file is known again.
const MARK: usize = 64;

/// Files moved away that are still read, as their writer may not have noticed. The oldest is given up for one more.
const MOST_OLD: usize = 4;

/// Readings without a new byte after which a file that was moved away is given up.
const QUIET: u32 = 40;

/// What a reading found, beside lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// There is more to read right away.
    pub more: bool,
    /// Another file came into the place.
    pub rotated: bool,
    /// The file was cut, or written anew, and is read from its beginning.
    pub truncated: bool,
}

/// Reads a path's file as it grows, from its beginning.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    most_of_line: usize,
    now: Option<Place>,
    /// Moved away, oldest first.
    old: Vec<Place>,
    buffer: Vec<u8>,
}

/// A line that is not complete, as much of it as is kept: what bytes that come in any pieces have in front of their next
/// line feed.
#[derive(Debug)]
pub struct Unfinished {
    line: Vec<u8>,
    most: usize,
}

/// A file that is open, and where reading stands in it.
#[derive(Debug)]
struct Place {
    file: File,
    id: (u64, u64),
    /// The byte to be read next.
    at: u64,
    /// The bytes before it, at most [`MARK`].
    mark: Vec<u8>,
    line: Unfinished,
    /// Whether no byte but NUL was read from its beginning on.
    fresh: bool,
    /// Readings without a new byte.
    quiet: u32,
}

impl Follow {
    /// Follows the file that is, or will be, at `path`. Of a line no more than `most_of_line` bytes and one are kept, by which it
    /// is known for a longer one.
    pub fn new(path: impl Into<PathBuf>, most_of_line: usize) -> Self {
        Self { path: path.into(), most_of_line, now: None, old: Vec::new(), buffer: vec![0; BUFFER] }
    }

    /// Where the file is looked for.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file is open.
    pub fn is_open(&self) -> bool {
        self.now.is_some()
    }

    /// Appends the lines completed since the last reading, each with its line feed. An error says why the path cannot be
    /// followed for now; that nothing is there is none. What is open is read all the same.
    pub fn read(&mut self, lines: &mut Vec<u8>) -> io::Result<Seen> {
        let mut seen = Seen::default();
        let buffer = &mut self.buffer[..];
        for place in &mut self.old {
            if place.read(buffer, lines, &mut seen).is_err() {
                place.quiet = QUIET;
            }
        }
        self.old.retain_mut(|place| {
            let is_given_up = place.quiet >= QUIET;
            if is_given_up {
                place.line.finish(lines);
            }
            !is_given_up
        });
        if let Some(place) = &mut self.now {
            place.read(buffer, lines, &mut seen)?;
        }
        let there = match fs::metadata(&self.path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(seen),
            Err(error) => return Err(error),
        };
        if self.now.as_ref().is_some_and(|place| place.id == id(&there)) {
            return Ok(seen);
        }
        let mut place = Place::open(&self.path, self.most_of_line)?;
        let mut missed = self.missed(&place);
        for place in missed.iter_mut().chain([&mut place]) {
            place.read(&mut self.buffer, lines, &mut seen)?;
        }
        if let Some(before) = self.now.replace(place) {
            seen.rotated = true;
            self.old.push(before);
        }
        self.old.append(&mut missed);
        while self.old.len() > MOST_OLD {
            self.old.remove(0).line.finish(lines);
        }
        Ok(seen)
    }

    /// Files that came into the place and left it between two looks, oldest first. They are named as ours is since it was moved
    /// away, but for numbers, are no older, and were written to after it. Where ours is not found again, none are: another file
    /// may be named like a rotated one.
    fn missed(&self, now: &Place) -> Vec<Place> {
        let Some(before) = &self.now else { return Vec::new() };
        let Ok(ours) = before.file.metadata() else { return Vec::new() };
        let known: Vec<(u64, u64)> = self.old.iter().chain([before, now]).map(|place| place.id).collect();
        let beside = self.beside();
        let Some((end, ..)) = beside.iter().find(|(.., about)| id(about) == before.id) else { return Vec::new() };
        let is_missed = |(theirs, _, about): &&(Vec<u8>, PathBuf, Metadata)| {
            let after = |time: fn(&Metadata) -> io::Result<SystemTime>| time(about).ok().zip(time(&ours).ok());
            unnumbered(theirs).eq(unnumbered(end))
                && !known.contains(&id(about))
                && after(Metadata::modified).is_some_and(|(theirs, ours)| theirs > ours)
                && after(Metadata::created).is_none_or(|(theirs, ours)| theirs >= ours)
        };
        let mut missed: Vec<_> = beside.iter().filter(is_missed).collect();
        missed.sort_by_key(|(_, path, about)| (about.modified().ok(), path));
        missed.iter().filter_map(|(_, path, _)| Place::open(path, self.most_of_line).ok()).take(MOST_OLD).collect()
    }

    /// The files beside ours whose names begin with its name: what they go on with, and where they are.
    fn beside(&self) -> Vec<(Vec<u8>, PathBuf, Metadata)> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = self.path.file_name().unwrap_or_default().as_encoded_bytes();
        let of = |entry: fs::DirEntry| {
            let end = entry.file_name().as_encoded_bytes().strip_prefix(name).filter(|end| !end.is_empty())?.to_vec();
            Some((end, entry.path(), entry.metadata().ok().filter(Metadata::is_file)?))
        };
        fs::read_dir(folder).into_iter().flatten().flatten().filter_map(of).collect()
    }

    /// Appends what is left of lines that were never completed: nothing more is read.
    pub fn finish(mut self, lines: &mut Vec<u8>) {
        self.old.iter_mut().chain(&mut self.now).for_each(|place| place.line.finish(lines));
    }
}

impl Unfinished {
    /// Of a line no more than `most` bytes and one are kept, by which it is known for a longer one.
    pub fn new(most: usize) -> Self {
        Self { line: Vec::new(), most }
    }

    /// Appends the lines that these bytes complete, each with its line feed.
    pub fn take(&mut self, bytes: &[u8], lines: &mut Vec<u8>) {
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |feed| feed + 1);
        let (whole, rest) = bytes.split_at(whole);
        if !whole.is_empty() {
            lines.append(&mut self.line);
            lines.extend_from_slice(whole);
        }
        let room = (self.most + 1).saturating_sub(self.line.len());
        self.line.extend_from_slice(&rest[..rest.len().min(room)]);
    }

    /// Appends the line that was never completed, if there is one.
    pub fn finish(&mut self, lines: &mut Vec<u8>) {
        if !self.line.is_empty() {
            lines.append(&mut self.line);
            lines.push(b'\n');
        }
    }
}

impl Place {
    fn open(path: &Path, most_of_line: usize) -> io::Result<Self> {
        let about = fs::metadata(path)?;
        // A pipe would be waited for, a folder never grows.
        if !about.is_file() {
            let what = if about.is_dir() { "a folder" } else { "no regular file" };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("is {what}; a file was expected")));
        }
        let file = File::open(path)?;
        // Asked of what was opened: the path may lead elsewhere by now.
        let id = id(&file.metadata()?);
        Ok(Self { file, id, at: 0, mark: Vec::new(), line: Unfinished::new(most_of_line), fresh: true, quiet: 0 })
    }

    fn read(&mut self, buffer: &mut [u8], lines: &mut Vec<u8>, seen: &mut Seen) -> io::Result<()> {
        self.quiet += 1;
        let length = self.file.metadata()?.len();
        if length == self.at {
            return Ok(());
        }
        if length < self.at || !self.is_as_it_was()? {
            self.line.finish(lines);
            (self.at, self.fresh, seen.truncated) = (0, true, true);
            self.mark.clear();
        }
        let mut taken = 0;
        while taken < MOST_BYTES {
            let n = match self.file.read_at(buffer, self.at) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if n == 0 {
                return Ok(());
            }
            self.take(&buffer[..n], lines);
            (taken, self.quiet) = (taken + n, 0);
        }
        seen.more = true;
        Ok(())
    }

    /// Whether the bytes that were read last are still where they were.
    fn is_as_it_was(&self) -> io::Result<bool> {
        let mut there = [0; MARK];
        let there = &mut there[..self.mark.len()];
        match self.file.read_exact_at(there, self.at - self.mark.len() as u64) {
            Ok(()) => Ok(there == self.mark),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, mut bytes: &[u8], lines: &mut Vec<u8>) {
        self.at += bytes.len() as u64;
        self.mark.extend_from_slice(&bytes[bytes.len().saturating_sub(MARK)..]);
        self.mark.drain(..self.mark.len().saturating_sub(MARK));
        if self.fresh {
            // A writer that keeps its position in a file cut to nothing leaves a hole before it.
            bytes = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())..];
            self.fresh = bytes.is_empty();
        }
        self.line.take(bytes, lines);
    }
}

/// The end of a name with `0` for each number.
fn unnumbered(end: &[u8]) -> impl Iterator<Item = u8> {
    let runs = end.chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit());
    runs.map(|run| if run[0].is_ascii_digit() { b'0' } else { run[0] })
}

fn id(about: &Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}
