//! Runs of values in a shape: lists, in scripts with blanks and without, and dumps of bytes. Owns where a run ends; what stands
//! for it in an outline is the business of that.

use crate::{
    cluster::sequence::{Token, is_conjunction, is_state},
    token::is_unspaced,
};

/// Items a list has at least where something introduces it.
const LIST: usize = 2;

/// Items a list has at least in the midst of words.
const PLAIN_LIST: usize = 3;

/// Tokens of the last item of a list, with the word before it: `, b and c`, or `, b, and c` where that word was taken for an item.
fn conjoined(tokens: &[Token<'_>]) -> Option<usize> {
    let (tokens, before) = match tokens {
        [Token::Word(and), ..] if is_conjunction(and) => (tokens, 1),
        [_, Token::Blank, Token::Word(and), ..] if is_conjunction(and) => (&tokens[2..], 3),
        _ => return None,
    };
    match tokens[1..] {
        [Token::Blank, Token::Word(word), ..] if is_state(word) => None,
        [Token::Blank, Token::Word(_) | Token::Slot(_), ..] => Some(before + 2),
        _ => None,
    }
}

/// The comma between the items of a list in Chinese; in Japanese between clauses as well.
pub(super) const ENUMERATION: &str = "、";

/// Characters of an item in a script without blanks, at most.
const UNSPACED_ITEM: usize = 8;

/// Characters of one where another sign than [`ENUMERATION`] separates, which stands between clauses as well.
const UNSPACED_NAME: usize = 4;

/// Tokens of the items at the front, up to the last that such a comma ends: where the last one ends nothing says.
pub(super) fn enumerated(tokens: &[Token<'_>]) -> usize {
    let mut end = 0;
    while let Some(length) = unspaced_item(&tokens[end..], UNSPACED_ITEM) {
        if tokens.get(end + length) != Some(&Token::Sign(ENUMERATION)) {
            break;
        }
        end += length + 1;
    }
    end
}

/// The end of the list in a script without blanks that starts at `at`, behind a bracket, quote or colon: `：张伟、王芳、李娜`.
pub(super) fn unspaced_list(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let introduces = ["：", ":", "（", "(", "【", "[", "「", "『", "\"", "'"];
    if !is_introduced(tokens, at, &introduces)
        || !matches!(tokens[at], Token::Word(word) if word.chars().all(is_unspaced))
    {
        return None;
    }
    let mut end = at + unspaced_item(&tokens[at..], UNSPACED_ITEM)?;
    let separator = *tokens.get(end)?;
    let longest = match separator {
        Token::Sign(ENUMERATION) => UNSPACED_ITEM,
        Token::Sign("，" | "," | "；" | ";") => UNSPACED_NAME,
        _ => return None,
    };
    let mut items = usize::from(end - at <= longest);
    while tokens.get(end) == Some(&separator) {
        let next = end + 1 + usize::from(tokens.get(end + 1) == Some(&Token::Blank));
        let Some(length) = tokens.get(next..).and_then(|rest| unspaced_item(rest, longest)) else { break };
        end = next + length;
        items += 1;
    }
    (items >= PLAIN_LIST).then_some(end)
}

/// Tokens of the one word or variable at the front, or of the characters up to what is none.
fn unspaced_item(tokens: &[Token<'_>], longest: usize) -> Option<usize> {
    let is_character = |token: &&Token<'_>| matches!(token, Token::Word(word) if word.chars().all(is_unspaced));
    let length = tokens.iter().take(longest + 1).take_while(is_character).count();
    match tokens.first()? {
        Token::Word(_) | Token::Slot(_) if length == 0 => Some(1),
        _ => (1..=longest).contains(&length).then_some(length),
    }
}

/// Bytes in hexadecimal digits from which on they are a dump.
const DUMP: usize = 4;

/// The end of the dump of bytes that starts at `at`: `3d ef 56 8e`, `46:ea:07:69:ec`.
pub(super) fn dump(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let is_pair = |word: &str| word.len() == 2 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let is_byte = |token: Option<&Token<'_>>| match token {
        Some(Token::Slot(_)) => true,
        Some(Token::Word(word)) => is_pair(word),
        _ => false,
    };
    let separator = tokens.get(at + 1).filter(|token| matches!(token, Token::Blank | Token::Sign(":" | "-")))?;
    let separated = |i: &usize| tokens.get(at + 2 * i - 1) == Some(separator) && is_byte(tokens.get(at + 2 * i));
    let bytes = usize::from(is_byte(tokens.get(at)));
    let bytes = bytes + (1..).take_while(|i| bytes > 0 && separated(i)).count();
    let end = at + 2 * bytes.max(1) - 1;
    let is_written = tokens[at..end].iter().any(|token| matches!(token, Token::Word(_)));
    (bytes >= DUMP && is_written).then_some(end)
}

/// Whether one of the signs stands before `at`.
fn is_introduced(tokens: &[Token<'_>], at: usize, signs: &[&str]) -> bool {
    match tokens[..at] {
        [.., Token::Sign(sign)] | [.., Token::Sign(sign), Token::Blank] => signs.contains(&sign),
        _ => false,
    }
}

fn is_separator(token: Option<&Token<'_>>) -> bool {
    matches!(token, Some(Token::Sign("," | ";")))
}

/// The end of the list of single words that starts at `at`. A bracket, quote, colon or `=` introduces it, or it is longer.
pub(super) fn list(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let item = |token: Option<&Token<'_>>| matches!(token, Some(Token::Word(_) | Token::Slot(_)));
    let introduced = is_introduced(tokens, at, &["(", "[", "{", "<", ":", "=", "\"", "'"]);
    if !item(tokens.get(at)) || !(introduced || is_separator(tokens.get(at + 1))) {
        return None;
    }
    let mut end = at + 1;
    let mut items = 1;
    while is_separator(tokens.get(end)) && tokens.get(end) == tokens.get(at + 1) {
        let next = end + 1 + usize::from(tokens.get(end + 1) == Some(&Token::Blank));
        if !item(tokens.get(next)) {
            break;
        }
        end = next + 1;
        items += 1;
    }
    if let Some(last) = conjoined(&tokens[end - 1..]).filter(|_| items >= LIST) {
        end += last - 1;
        items += 1;
    }
    let closed = !matches!(
        tokens.get(end..),
        Some([Token::Blank, Token::Word(_) | Token::Slot(_), ..] | [Token::Sign("="), ..])
    );
    (items >= PLAIN_LIST || introduced && items >= LIST && closed).then_some(end)
}
