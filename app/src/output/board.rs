//! `Board`: a count table that is drawn over itself on a terminal.

use std::io::{self, Write};

use logkin_engine::Report;

use super::table::{self, Terminal};

/// Rows of a terminal that tells none.
const ROWS: usize = 24;

/// Rows beside those of clusters: the status above, the head, an empty one, what is not shown, the sum, and the cursor's.
const OTHER_ROWS: usize = 6;

/// What is drawn together is shown together, and a line that is too long ends at the edge, where the terminal knows these.
const BEGIN: &str = "\x1b[?2026h\x1b[?25l\x1b[?7l";
const END: &str = "\x1b[?7h\x1b[?2026l";
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";
const SHOW_CURSOR: &str = "\x1b[?25h";

/// The table on the screen. Dropped, it leaves the cursor as it was.
pub struct Board<W: Write> {
    to: W,
    /// Rows drawn, above the cursor.
    rows: usize,
    size: (Option<usize>, usize),
}

impl<W: Write> Board<W> {
    /// Nothing drawn yet.
    pub fn new(to: W) -> Self {
        Self { to, rows: 0, size: (None, ROWS) }
    }

    /// Draws the report in place of what was there: as many clusters as there is room for, and no more than `top` (0: all).
    pub fn draw(&mut self, status: &str, report: &Report, top: usize, terminal: Terminal) -> io::Result<()> {
        let height = terminal.height.unwrap_or(ROWS);
        let room = height.saturating_sub(OTHER_ROWS).max(1);
        let shown = report.clusters.len().min(if top == 0 { room } else { top.min(room) });
        let mut text = format!("{}\n", super::visible(status)).into_bytes();
        table::write(report, shown, terminal, &mut text)?;
        write!(self.to, "{BEGIN}")?;
        self.go_back((terminal.width, height))?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().take(height.saturating_sub(1).max(1));
        self.rows = 0;
        for line in lines {
            write!(self.to, "{line}{REST_OF_LINE}\r\n")?;
            self.rows += 1;
        }
        write!(self.to, "{REST_OF_SCREEN}{END}")?;
        self.to.flush()
    }

    /// Takes the table off the screen.
    pub fn clear(&mut self) -> io::Result<()> {
        self.go_back(self.size)?;
        self.rows = 0;
        write!(self.to, "{REST_OF_SCREEN}{SHOW_CURSOR}")?;
        self.to.flush()
    }

    /// To where the table begins; after a change of the size nobody knows where that is.
    fn go_back(&mut self, size: (Option<usize>, usize)) -> io::Result<()> {
        let has_changed = std::mem::replace(&mut self.size, size) != size;
        match self.rows {
            0 => write!(self.to, "\r"),
            _ if has_changed => write!(self.to, "\x1b[2J\x1b[H"),
            rows => write!(self.to, "\r\x1b[{rows}A"),
        }
    }
}

impl<W: Write> Drop for Board<W> {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = write!(self.to, "{SHOW_CURSOR}").and_then(|()| self.to.flush());
    }
}

#[cfg(test)]
mod tests {
    use logkin_engine::{Partial, Settings};

    use super::*;

    #[test]
    fn a_table_is_drawn_over_the_one_before_and_fits_the_screen() {
        let mut seen = Partial::new(&Settings::default());
        let input = seen.input("x.log");
        let lines: String = (0..40).map(|n| format!("{} happened\n", char::from(b'a' + n % 26))).collect();
        seen.add(input, lines.as_bytes());
        let terminal = Terminal { width: Some(80), height: Some(10), colour: false };
        let mut screen = Vec::new();
        let mut board = Board::new(&mut screen);
        board.draw("one", &seen.report(), 0, terminal).unwrap();
        let rows = board.rows;
        assert!(rows < 10, "{rows}");
        board.draw("two", &seen.report(), 2, terminal).unwrap();
        drop(board);
        let screen = String::from_utf8(screen).unwrap();
        assert!(screen.contains(&format!("\r\x1b[{rows}Atwo\x1b[K\r\n")), "{screen:?}");
        assert!(screen.ends_with(SHOW_CURSOR));
    }
}
