//! Shapes as outlines: their words in order, with what varies by its form taken away. Owns what form says is a variable; what
//! the words of other outlines say is its siblings' business.

use std::{borrow::Cow, collections::HashSet, ops::Index};

use super::sequence::{Token, is_conjunction, is_counted, is_lower, is_negation, is_unit, singular, tokens};
use crate::{format::is_level_word, tally::Key, token::is_unspaced};

mod runs;

/// A variable in an outline.
pub(super) const SLOT: u32 = 0;

/// Characters of a script without blanks that say as much as a word.
pub(super) const WORD: usize = 3;

/// Words by number, numbered in order of first sight. Where messages are random words there are many times more of them than
/// shapes, so they lie in one text, and are looked up in a table of their numbers.
#[derive(Debug)]
pub(super) struct Lexicon {
    text: String,
    /// Where each word ends in the text.
    ends: Vec<u32>,
    /// The words that are negations, of which there are few.
    negations: Vec<u32>,
    /// Words that are items of lists.
    items: HashSet<u32>,
    /// Words in small letters that a colon joins to a variable, as in `redis:6379`.
    joined: HashSet<u32>,
    /// Numbers at places that follow from the words; [`SLOT`] where there is none. At most three quarters are taken.
    table: Vec<u32>,
}

impl Lexicon {
    pub(super) fn new() -> Self {
        let slot = "<*>";
        Self {
            text: slot.to_owned(),
            ends: vec![slot.len() as u32],
            negations: Vec::new(),
            items: HashSet::new(),
            joined: HashSet::new(),
            table: vec![SLOT; 64],
        }
    }

    fn number(&mut self, word: &str) -> u32 {
        let place = self.place(word);
        if self.table[place] != SLOT {
            return self.table[place];
        }
        let number = u32::try_from(self.ends.len()).expect("fewer words than bytes of 100,000 bounded shapes");
        self.text.push_str(word);
        self.ends.push(u32::try_from(self.text.len()).expect("no more bytes than those of 100,000 bounded shapes"));
        self.table[place] = number;
        if is_negation(word) {
            self.negations.push(number);
        }
        if self.ends.len() * 4 > self.table.len() * 3 {
            self.widen();
        }
        number
    }

    /// Where the number of a word is in the table, or is to be.
    fn place(&self, word: &str) -> usize {
        let mask = self.table.len() - 1;
        let mut place = Key::of(word.as_bytes()).0 as usize & mask;
        while self.table[place] != SLOT && self.word(self.table[place]) != word {
            place = (place + 1) & mask;
        }
        place
    }

    fn widen(&mut self) {
        self.table = vec![SLOT; self.table.len() * 2];
        for number in 1..self.ends.len() as u32 {
            let place = self.place(self.word(number));
            self.table[place] = number;
        }
    }

    /// To be called when no more words come: gives back what it takes to find their numbers.
    pub(super) fn close(&mut self) {
        self.table = Vec::new();
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    pub(super) fn word(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[number] as usize]
    }

    /// How many words there are; all numbers are below.
    pub(super) fn words(&self) -> usize {
        self.ends.len()
    }

    /// Remembers the items of a list.
    fn know_items(&mut self, list: &[Token<'_>]) {
        let words = list.iter().filter_map(|token| if let Token::Word(word) = token { Some(*word) } else { None });
        let items = words.filter(|word| !is_conjunction(word)).take(ITEMS);
        for item in items {
            let number = self.number(&without_digits(item));
            self.items.insert(number);
        }
    }

    pub(super) fn has_items(&self) -> bool {
        !self.items.is_empty()
    }

    /// Whether it stands in a list somewhere.
    pub(super) fn is_item(&self, number: u32) -> bool {
        self.items.contains(&number)
    }

    /// Whether a colon joins it to a variable somewhere: it may be a host.
    pub(super) fn is_joined(&self, number: u32) -> bool {
        self.joined.contains(&number)
    }

    /// Whether it is a character of a script without blanks.
    pub(super) fn is_unspaced(&self, number: u32) -> bool {
        self.word(number).chars().next().is_some_and(is_unspaced)
    }

    /// Whether it is a word or a letter, in capitals, that names a level.
    pub(super) fn is_level(&self, number: u32) -> bool {
        number != SLOT && is_level_word(self.word(number).as_bytes())
    }

    pub(super) fn is_negation(&self, number: u32) -> bool {
        self.negations.contains(&number)
    }

    /// How much the words say, variables nothing, in parts of a word.
    pub(super) fn weight(&self, words: &[u32]) -> usize {
        let weight = |word: &u32| if self.is_unspaced(*word) { 1 } else { WORD };
        words.iter().filter(|word| **word != SLOT).map(weight).sum()
    }

    /// What is left of a shape when all that varies by its form is taken away: its words in order, with [`SLOT`] for
    /// variables. Signs are left out, neighbouring variables are one, so are lists of any length; what follows `=` is
    /// a variable; a unit belongs to its number; brackets with nothing but variables may as well be absent; digits in
    /// words are all the same. A shape of signs alone is its own outline.
    pub(super) fn outline(&mut self, shape: &str) -> Outline {
        let tokens: Vec<Token<'_>> = tokens(shape).collect();
        // Made at once and then cut out: what is left over of vectors that grew would be a good part of the memory.
        let mut outline = Vec::with_capacity(tokens.len() + 1);
        let mut brackets = Brackets::default();
        let mut reason = None;
        let mut at = 0;
        while at < tokens.len() {
            if let Some(end) = runs::list(&tokens, at) {
                self.know_items(&tokens[at..end]);
                push(&mut outline, SLOT);
                at = end;
                continue;
            }
            if let Some(end) = runs::unspaced_list(&tokens, at).or_else(|| runs::dump(&tokens, at)) {
                push(&mut outline, SLOT);
                at = end;
                continue;
            }
            at += match tokens[at] {
                Token::Blank => 1,
                Token::Sign(runs::ENUMERATION) => {
                    push(&mut outline, SLOT);
                    1 + runs::enumerated(&tokens[at + 1..])
                }
                Token::Slot(_) => {
                    push(&mut outline, SLOT);
                    1 + following_unit(&tokens[at + 1..])
                }
                Token::Sign("=") => {
                    push(&mut outline, SLOT);
                    1 + following_value(&tokens[at + 1..])
                }
                Token::Sign(quote @ ("\"" | "'" | "`")) => match quoted(&tokens[at..], quote) {
                    Some(length) => {
                        brackets.empty(quote, outline.len());
                        push(&mut outline, SLOT);
                        length
                    }
                    None => {
                        brackets.sign(quote, outline.len());
                        1
                    }
                },
                Token::Sign("「" | "『" | "《" | "“") => match embraced(&tokens[at..]) {
                    Some(length) => {
                        push(&mut outline, SLOT);
                        length
                    }
                    None => 1,
                },
                Token::Sign(sign @ ("(" | "[" | "（" | "【")) => {
                    let empty = empty_brackets(&tokens[at..]);
                    match empty {
                        Some(_) => brackets.empty(sign, outline.len()),
                        None => brackets.open(sign, outline.len()),
                    }
                    empty.unwrap_or(1)
                }
                Token::Sign(sign) => {
                    brackets.sign(sign, outline.len());
                    if sign == "：" || sign == ":" && tokens.get(at + 1) == Some(&Token::Blank) {
                        reason = Some(outline.len());
                    }
                    1
                }
                Token::Word(word) => {
                    let counted = is_lower(word) && is_counted(&tokens[..at]);
                    let kept = if counted { singular(word) } else { without_digits(word) };
                    let number = self.number(&kept);
                    if is_lower(word) && matches!(tokens[at + 1..], [Token::Sign(":"), Token::Slot(_), ..]) {
                        self.joined.insert(number);
                    }
                    push(&mut outline, number);
                    1
                }
            };
        }
        if outline.is_empty() {
            outline.push(self.number(shape));
        }
        Outline { words: outline.as_slice().to_vec(), brackets: brackets.closed, reason }
    }
}

/// The words of many outlines, in one piece.
#[derive(Debug, Default)]
pub(super) struct Outlines {
    words: Vec<u32>,
    ends: Vec<usize>,
}

impl Outlines {
    pub(super) fn of(outlines: &[Outline]) -> Self {
        let mut all = Self::default();
        all.words.reserve_exact(outlines.iter().map(|outline| outline.words.len()).sum());
        all.ends.reserve_exact(outlines.len());
        for outline in outlines {
            all.words.extend(&outline.words);
            all.ends.push(all.words.len());
        }
        all
    }
}

impl Index<usize> for Outlines {
    type Output = [u32];

    fn index(&self, at: usize) -> &[u32] {
        &self.words[at.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[at]]
    }
}

/// What [`Lexicon::outline`] finds.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) words: Vec<u32>,
    /// Ascending, none within another.
    pub(super) brackets: Vec<Bracket>,
    /// Where the words behind the last colon begin.
    pub(super) reason: Option<usize>,
}

/// Words of an outline that stand between brackets or quotes; none where those hold variables only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bracket {
    /// The sign that opens them.
    pub(super) sign: u8,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The sign, or what stands for its wide form.
fn narrow(sign: &str) -> u8 {
    match sign {
        "（" => b'(',
        "【" => b'[',
        sign => sign.as_bytes()[0],
    }
}

/// Finds the innermost brackets of a shape.
#[derive(Debug, Default)]
struct Brackets {
    open: Option<(u8, usize)>,
    closed: Vec<Bracket>,
}

impl Brackets {
    fn empty(&mut self, sign: &str, at: usize) {
        self.open = None;
        self.closed.push(Bracket { sign: narrow(sign), from: at, to: at });
    }

    fn open(&mut self, sign: &str, at: usize) {
        self.open = Some((narrow(sign), at));
    }

    fn sign(&mut self, sign: &str, at: usize) {
        let opening = match sign {
            ")" | "）" => b'(',
            "]" | "】" => b'[',
            "\"" | "'" | "`" => sign.as_bytes()[0],
            _ => return,
        };
        match self.open.take() {
            Some((sign, from)) if sign == opening && from < at => self.closed.push(Bracket { sign, from, to: at }),
            _ if matches!(opening, b'"' | b'\'' | b'`') => self.open(sign, at),
            _ => {}
        }
    }
}

fn push(outline: &mut Vec<u32>, number: u32) {
    if number != SLOT || outline.last() != Some(&SLOT) {
        outline.push(number);
    }
}

/// The word with every run of digits as one `0`.
fn without_digits(word: &str) -> Cow<'_, str> {
    if !word.bytes().any(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(word);
    }
    let mut kept = String::with_capacity(word.len());
    for c in word.chars() {
        if !c.is_ascii_digit() {
            kept.push(c);
        } else if !kept.ends_with('0') {
            kept.push('0');
        }
    }
    Cow::Owned(kept)
}

/// Tokens of a unit that stands behind a number: ` KB`, `µs`.
fn following_unit(tokens: &[Token<'_>]) -> usize {
    match tokens {
        [Token::Blank, Token::Word(word), ..] if is_unit(word) => 2,
        [Token::Word(word), ..] if is_unit(word) => 1,
        _ => 0,
    }
}

/// Tokens of the value behind `=`: what is in quotes, or all up to the next blank or separator.
fn following_value(tokens: &[Token<'_>]) -> usize {
    let start = usize::from(tokens.first() == Some(&Token::Blank));
    if let Some(length) = balanced(&tokens[start..]) {
        return start + length;
    }
    if let Some(Token::Sign(quote @ ("\"" | "'"))) = tokens.get(start) {
        let closing = tokens[start + 1..].iter().position(|token| *token == Token::Sign(quote));
        return closing.map_or(0, |i| start + i + 2);
    }
    let length = tokens[start..]
        .iter()
        .take_while(|token| match token {
            Token::Word(_) | Token::Slot(_) => true,
            Token::Sign(sign) => {
                matches!(*sign, "*" | "-" | "." | "/" | "~" | ":" | "@" | "$" | "+" | "%" | "\\" | "|")
            }
            Token::Blank => false,
        })
        .count();
    // What is followed by `=` is the next key, the value is empty.
    match &tokens[start + length..] {
        [Token::Sign("="), ..] | [Token::Blank, Token::Sign("="), ..] => 0,
        _ if length == 0 => 0,
        _ => start + length,
    }
}

/// Tokens of which a value in brackets consists at most.
const DUMPED: usize = 512;

/// Tokens of the brackets at the front, brackets in them included.
fn balanced(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().take(DUMPED) {
        match token {
            Token::Sign("(" | "[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (i > 0).then_some(i + 1);
        }
    }
    None
}

/// Tokens of the quoted name at the front, blanks none, quotes included; it may be empty.
fn quoted(tokens: &[Token<'_>], quote: &str) -> Option<usize> {
    if tokens.get(1) == Some(&Token::Sign(quote)) {
        return Some(2);
    }
    let end = tokens[1..].iter().take(16).position(|token| *token == Token::Sign(quote) || *token == Token::Blank)? + 1;
    (end > 1 && tokens[end] == Token::Sign(quote)).then_some(end + 1)
}

/// Tokens of what stands at the front in quotes that open and close differently, quotes included.
fn embraced(tokens: &[Token<'_>]) -> Option<usize> {
    let end = tokens.iter().take(BRACKETED).position(|token| matches!(token, Token::Sign("」" | "』" | "》" | "”")))?;
    (end > 1).then_some(end + 1)
}

/// Tokens of which brackets with nothing but variables in them consist at most.
const BRACKETED: usize = 64;

/// Tokens of the brackets at the front, when they hold nothing but variables and signs.
fn empty_brackets(tokens: &[Token<'_>]) -> Option<usize> {
    for (i, token) in tokens.iter().enumerate().take(BRACKETED).skip(1) {
        match token {
            Token::Sign(")" | "]" | "）" | "】") => return Some(i + 1),
            Token::Word(word) if is_unit(word) || is_conjunction(word) => {}
            Token::Sign("=") | Token::Word(_) => return None,
            _ => {}
        }
    }
    None
}

/// Items of a list that are remembered.
const ITEMS: usize = 16;
