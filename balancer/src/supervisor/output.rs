//! What launched programs say: each line goes to the instance's log file, and with its name in front to the terminal.
//!
//! The file gets everything, and a program that writes faster than the disk waits. The terminal gets what it can take:
//! one that stands still must not make anybody wait, so lines beyond its queue are left out and counted.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::outlet::Outlet;

/// Longest line in bytes; what is longer is continued on a new one.
const LONGEST_LINE: usize = 16 * 1024;
/// Characters of a line that are quoted.
const LONGEST_QUOTE: usize = 500;
/// Lines that wait for the terminal.
const QUEUE: usize = 4096;

/// The terminal, shared by all instances.
#[derive(Debug, Clone)]
pub(crate) struct Terminal(Outlet);

impl Terminal {
    /// `open` gives what is written to.
    pub(crate) fn open<W: Write>(open: impl FnOnce() -> io::Result<W> + Send + 'static) -> io::Result<Self> {
        let note = |lost| format!("({lost} lines left out here; the log files have them)");
        Outlet::open("terminal", QUEUE, open, Some(note)).map(Self)
    }

    /// Waits a moment for one that is behind.
    pub(crate) fn finish(&self) {
        self.0.finish();
    }
}

/// The last line an instance has said that is not blank.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastLine(Arc<Mutex<Vec<u8>>>);

impl LastLine {
    /// Its beginning, without control characters; `None` when nothing was said.
    pub(crate) fn get(&self) -> Option<String> {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&line);
        let text: String = text.trim().chars().filter(|letter| !letter.is_control()).take(LONGEST_QUOTE).collect();
        (!text.is_empty()).then_some(text)
    }

    fn set(&self, line: &[u8]) {
        if !line.trim_ascii().is_empty() {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            last.clear();
            last.extend_from_slice(line);
        }
    }
}

/// Opens an instance's log file; lines are appended.
pub(crate) fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Copies lines until the program closes its end.
pub(crate) async fn copy_lines(
    from: impl AsyncRead + Unpin,
    name: String,
    mut log: Option<File>,
    terminal: Terminal,
    last: LastLine,
) {
    let mut from = BufReader::with_capacity(LONGEST_LINE, from);
    let mut line = Vec::new();
    loop {
        let Ok(bytes) = from.fill_buf().await else { return };
        if bytes.is_empty() && line.is_empty() {
            return;
        }
        let room = LONGEST_LINE - line.len();
        let end = bytes.iter().take(room).position(|&byte| byte == b'\n');
        let taken = end.map_or(bytes.len().min(room), |end| end + 1);
        line.extend_from_slice(&bytes[..taken]);
        let ended = taken == 0;
        from.consume(taken);
        if end.is_none() && !ended && line.len() < LONGEST_LINE {
            continue;
        }
        if end.is_none() {
            line.push(b'\n');
        }
        if let Some(file) = &mut log
            && let Err(error) = file.write_all(&line)
        {
            tracing::error!(instance = %name, %error, "the log file of {name} cannot be written: {error}; its output goes to the terminal only");
            log = None;
        }
        last.set(&line);
        terminal.0.write([name.as_bytes(), b" | ", &line].concat());
        line.clear();
        if ended {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(input: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let terminal = Terminal::open(|| Ok(io::sink())).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(copy_lines(
            input,
            "a".to_owned(),
            Some(file.reopen().unwrap()),
            terminal,
            LastLine::default(),
        ));
        std::fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn lines_arrive_as_they_are_and_the_last_one_is_ended() {
        assert_eq!(copied(b"one\n\ntwo"), "one\n\ntwo\n");
        assert_eq!(copied(b""), "");
    }

    #[test]
    fn a_line_without_end_is_cut_into_bounded_ones() {
        let out = copied(&vec![b'x'; LONGEST_LINE * 2 + 5]);
        assert_eq!(out.lines().map(str::len).collect::<Vec<_>>(), [LONGEST_LINE, LONGEST_LINE, 5]);
    }
}
