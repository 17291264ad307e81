//! Log text made safe to show: what would move the cursor, colour the screen or turn the writing direction is shown
//! as a symbol, never sent.

use std::borrow::Cow;

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

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn plain_text_is_left_as_it_is() {
        assert_eq!(visible("用户 alice logged in"), "用户 alice logged in");
    }

    #[test]
    fn escape_sequences_and_turned_text_are_shown_not_sent() {
        assert_eq!(visible("\x1b[31mred\x07\u{202e}x\u{9b}"), "␛[31mred␇<U+202E>x<U+009B>");
    }
}
