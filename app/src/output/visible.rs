//! Log text made safe to show: what would move the cursor, colour the screen or turn the writing direction is shown
//! as a symbol, never sent.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// The text with its control characters as the pictures Unicode has for them (U+2400 ff.) and its bidirectional
/// controls (UAX #9) and other invisible marks as `<U+202E>`. Tabs become blanks.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(needs_a_picture) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\t' => shown.push(' '),
            '\0'..='\x1f' => shown.push(char::from_u32(0x2400 + c as u32).expect("pictures of control characters")),
            '\x7f' => shown.push('\u{2421}'),
            c if needs_a_picture(c) => shown.push_str(&format!("<U+{:04X}>", c as u32)),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

fn needs_a_picture(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A writer to a screen: what goes through is shown as [`visible`] shows it, line feeds and tabs apart. Holds back an
/// unfinished line.
pub struct Screen<W: Write> {
    to: W,
    line: Vec<u8>,
}

impl<W: Write> Screen<W> {
    /// Nothing written yet.
    pub fn new(to: W) -> Self {
        Self { to, line: Vec::new() }
    }

    fn show(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.line);
        let (body, end) = text.strip_suffix('\n').map_or((&*text, ""), |body| (body, "\n"));
        write!(self.to, "{}{end}", visible(body))?;
        self.line.clear();
        Ok(())
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |end| end + 1);
        self.line.extend_from_slice(&bytes[..taken]);
        if self.line.ends_with(b"\n") {
            self.show()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.show()?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Screen, visible};

    #[test]
    fn a_screen_gets_pictures_whatever_the_pieces() {
        let mut screen = Screen::new(Vec::new());
        for piece in ["a,\x1b", "[31m\u{202e}\nb", "\u{9b}"] {
            screen.write_all(piece.as_bytes()).unwrap();
        }
        screen.flush().unwrap();
        assert_eq!(String::from_utf8(screen.to).unwrap(), "a,␛[31m<U+202E>\nb<U+009B>");
    }

    #[test]
    fn plain_text_is_left_as_it_is() {
        assert_eq!(visible("用户 alice logged in"), "用户 alice logged in");
    }

    #[test]
    fn escape_sequences_and_turned_text_are_shown_not_sent() {
        assert_eq!(visible("\x1b[31mred\x07\u{202e}x\u{9b}"), "␛[31mred␇<U+202E>x<U+009B>");
    }
}
