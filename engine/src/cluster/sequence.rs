//! Shapes as sequences of tokens. Owns where a token of a shape ends; which sequences belong together is decided by its
//! siblings.

use std::borrow::Cow;

use crate::{
    mask,
    template::Kind,
    token::{CLASS, COLON, DELIMITER, is_unspaced},
};

/// A piece of a shape that is compared as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Token<'a> {
    /// One blank.
    Blank,
    /// A masked variable.
    Slot(Kind),
    /// A sign between words.
    Sign(&'a str),
    /// Letters and what joins them; one character in scripts without blanks, with the vowels and marks that belong to it.
    Word(&'a str),
}

impl<'a> Token<'a> {
    /// Its text; slots as `<*>`.
    pub(crate) fn text(self) -> &'a str {
        match self {
            Self::Blank => " ",
            Self::Slot(_) => "<*>",
            Self::Sign(text) | Self::Word(text) => text,
        }
    }
}

/// The tokens of a shape, in order; their texts together are the shape's.
pub(crate) fn tokens(shape: &str) -> Tokens<'_> {
    Tokens { rest: shape }
}

/// See [`tokens`].
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let first = self.rest.chars().next()?;
        if first == ' ' {
            self.rest = &self.rest[1..];
            return Some(Token::Blank);
        }
        if let Some(kind) = u8::try_from(first).ok().and_then(Kind::of_byte) {
            self.rest = &self.rest[1..];
            return Some(Token::Slot(kind));
        }
        let length = if is_unspaced(first) { character_length(self.rest) } else { word_length(self.rest) };
        let is_word = length > 0;
        let (token, rest) = self.rest.split_at(if is_word { length } else { first.len_utf8() });
        self.rest = rest;
        Some(if is_word { Token::Word(token) } else { Token::Sign(token) })
    }
}

/// Bytes of the character at the front, in a script without blanks. In alphabets the vowels and marks around a consonant belong to
/// it: `ไม่` in Thai is one, of a vowel before it, the consonant, and a mark above it.
fn character_length(text: &str) -> usize {
    let is_before = |c: char| matches!(c, 'เ'..='ไ' | 'ເ'..='ໄ');
    let is_behind = |c: char| {
        matches!(u32::from(c),
            0x0e30..=0x0e3a | 0x0e45 | 0x0e47..=0x0e4e | 0x0eb0..=0x0ebc | 0x0ec8..=0x0ece | 0x102b..=0x103e
            | 0x1056..=0x1060 | 0x17b4..=0x17d3)
    };
    let vowels = text.len() - text.trim_start_matches(is_before).len();
    let mut rest = text[vowels..].chars();
    match rest.next() {
        Some(consonant) if is_unspaced(consonant) => text.len() - rest.as_str().trim_start_matches(is_behind).len(),
        // Vowels that stand before nothing are characters all the same.
        _ => vowels,
    }
}

/// Signs in a row after which a word has ended for certain, so that no text is looked at again for each of its bytes.
const SIGNS: usize = 32;

/// Bytes of the word at the front: letters, digits and what joins them, without dots and their like at its ends.
fn word_length(text: &str) -> usize {
    if !text.chars().next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '@' | '%')) {
        return 0;
    }
    let mut length = 0;
    let mut before = ' ';
    for (i, c) in text.char_indices() {
        // A doubled dot separates (`field......value`).
        if !joins(c) || (c == '.' && before == '.') || i > length + SIGNS {
            break;
        }
        // Dots and their like after a word are not part of it, and alone they are signs.
        if !matches!(c, '.' | '-' | '/' | '~' | '_' | '\\' | '@' | '$' | '%') {
            length = i + c.len_utf8();
        }
        before = c;
    }
    // `z-` is a name.
    if length == 1 && text[1..].starts_with('-') { 2 } else { length }
}

fn joins(c: char) -> bool {
    if c.is_ascii() {
        return c > ' ' && c != '\x7f' && CLASS[c as usize] & (DELIMITER | COLON) == 0;
    }
    c.is_alphanumeric() && !is_unspaced(c)
}

/// Whether a word says what happened or how things stand: `started`, `running`, `SUCCEEDED`. Such words tell messages
/// apart.
pub(super) fn is_state(word: &str) -> bool {
    is_code(word) || word.len() >= 5 && (word.ends_with("ed") || word.ends_with("ing"))
}

/// Whether a word says what happened though it does not end as most of those do.
pub(super) fn is_participle(word: &str) -> bool {
    const PARTICIPLES: [&str; 41] = [
        "begun", "bound", "broken", "built", "done", "down", "found", "frozen", "full", "given", "gone", "held", "hit",
        "in", "kept", "left", "lost", "made", "met", "miss", "off", "ok", "open", "out", "paid", "put", "read", "run",
        "seen", "sent", "set", "shut", "shown", "sold", "split", "taken", "thrown", "up", "won", "write", "written",
    ];
    PARTICIPLES.contains(&word)
}

/// Whether one of two words undoes what the other says, by how it begins: `healthy` and `unhealthy`, `online` and `offline`.
pub(super) fn are_opposed(one: &str, other: &str) -> bool {
    const PAIRS: [(&str, &str); 9] = [
        ("", "un"),
        ("", "in"),
        ("", "im"),
        ("", "dis"),
        ("", "non"),
        ("", "non-"),
        ("", "not-"),
        ("on", "off"),
        ("in", "out"),
    ];
    let undoes = |one: &str, other: &str| {
        PAIRS.iter().any(|(plain, undone)| {
            let rests = one.strip_prefix(plain).zip(other.strip_prefix(undone));
            rests.is_some_and(|(one, other)| one == other && one.len() > 2)
        })
    };
    undoes(one, other) || undoes(other, one)
}

/// Whether a word binds what is told to what it is told of: `group 5 are hans`.
fn is_copula(word: &str) -> bool {
    matches!(word, "is" | "are" | "was" | "were" | "has" | "have" | "had")
}

/// Whether a verb follows a word: `will retry`, `is still open`.
pub(super) fn is_auxiliary(word: &str) -> bool {
    const AUXILIARIES: [&str; 15] = [
        "be", "been", "will", "would", "can", "could", "may", "must", "should", "did", "does", "do", "now", "still",
        "already",
    ];
    is_copula(word) || AUXILIARIES.contains(&word)
}

/// Whether a word says how something was done, and no more: `forcibly`, `again`. With `un` and the like before it, or where it
/// says how much of it was done, it says something else.
pub(super) fn is_adverb(word: &str) -> bool {
    const OTHERS: [&str; 18] = [
        "abnormally",
        "almost",
        "anomaly",
        "apply",
        "assembly",
        "barely",
        "badly",
        "family",
        "hardly",
        "nearly",
        "only",
        "partially",
        "partly",
        "poorly",
        "prematurely",
        "reply",
        "supply",
        "wrongly",
    ];
    let is_manner = word.len() > 4 && word.ends_with("ly") && is_lower(word);
    let undoes = ["un", "in", "im", "ir", "dis", "mis"].iter().any(|prefix| word.starts_with(prefix));
    matches!(word, "again" | "anyway" | "once" | "twice")
        || is_manner && (!undoes || word.starts_with("imm")) && !word.ends_with("only") && !OTHERS.contains(&word)
}

/// Whether a word names what went wrong.
pub(super) fn is_failure(word: &str) -> bool {
    ["error", "fail", "fault", "problem", "warning"].iter().any(|failure| word.starts_with(failure))
}

/// Whether a word is in capitals, as states and codes are.
pub(super) fn is_code(word: &str) -> bool {
    word.len() >= 2 && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

pub(super) fn is_preposition(word: &str) -> bool {
    matches!(word, "for" | "from" | "to" | "by" | "of" | "on" | "with" | "at" | "in" | "as" | "via" | "using" | "into")
}

/// Whether a word joins the last of several things to the others.
pub(super) fn is_conjunction(word: &str) -> bool {
    matches!(word, "and" | "or")
}

/// Whether a word turns what a message says into its opposite. It is never a value, nor a part of one, wherever it stands:
/// `anna not logged in` beside `anna meyer logged in`.
pub(super) fn is_negation(word: &str) -> bool {
    let is_word =
        ["not", "no", "never", "cannot", "without"].iter().any(|negation| word.eq_ignore_ascii_case(negation));
    is_word || matches!(word, "未" | "不" | "没" | "ไม่")
}

/// Whether words may be the name of a person, by how it is written: `Anna Meyer`, `Anna van der Berg`. `None` stands for a
/// variable.
pub(super) fn is_person<'a>(words: impl Iterator<Item = Option<&'a str>> + Clone) -> bool {
    let is_capital = |word: &str| word.starts_with(char::is_uppercase) && !is_state(word);
    // Between names stand `van der` and `de la`, and hardly anything that says what happened.
    let is_inner = |word: &str| word.chars().count() <= 3 && !is_preposition(word) && !is_conjunction(word);
    let mut outer = words.clone().map(|word| word.is_none_or(is_capital));
    let is_part = |word: &str| !is_negation(word) && (is_capital(word) || is_inner(word));
    outer.next() == Some(true) && outer.last() != Some(false) && words.flatten().all(is_part)
}

/// Whether a character is a surname that very many have, in China or Korea.
pub(super) fn is_surname(c: char) -> bool {
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石\
     姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文張劉陳楊趙黃吳孫馬羅鄭謝韓馮蕭鄧許呂蘇盧蔣賈葉閻鐘\
     範譚鄒陸龍萬錢湯賀賴龔褚卫尤施严华陶戚喻柏窦章葛奚鲁韦苗凤俞柳鲍费廉岑倪滕殷毕邬安齐伍卜穆欧诸\
     김이박최정강조윤장임한오서신권황안송전홍"
        .contains(c)
}

/// Whether what stands behind the two words names someone or something: `for user alice`. The preposition keeps
/// subjects out (`user created`).
pub(super) fn is_cue(preposition: &str, noun: &str) -> bool {
    let leads = is_preposition(preposition) || preposition == "invalid";
    let names = matches!(
        noun,
        "user"
            | "users"
            | "username"
            | "host"
            | "hostname"
            | "client"
            | "server"
            | "account"
            | "group"
            | "domain"
            | "node"
            | "named"
            | "name"
            | "interface"
            | "device"
            | "package"
            | "module"
            | "class"
            | "file"
            | "program"
            | "service"
            | "queue"
            | "topic"
            | "table"
            | "database"
            | "thread"
            | "plugin"
            | "bucket"
            | "channel"
            | "owner"
    );
    leads && names
}

/// What a word measures if it is a unit, in short or in full.
pub(super) fn unit(word: &str) -> Option<Kind> {
    mask::unit(word.as_bytes()).or_else(|| match word.strip_suffix('s').unwrap_or(word) {
        "byte" | "kilobyte" | "megabyte" | "gigabyte" => Some(Kind::Size),
        "nanosecond" | "microsecond" | "millisecond" | "msec" | "second" | "minute" | "hour" | "day" => {
            Some(Kind::Duration)
        }
        _ => None,
    })
}

/// Whether a word is a unit of a measure.
pub(super) fn is_unit(word: &str) -> bool {
    unit(word).is_some()
}

/// What stands behind a number: of what there are so many, or what goes with that. What stands behind a verb or a preposition
/// is something else: `group 5 are hans`.
pub(super) fn is_counted(tokens: &[Token<'_>]) -> bool {
    let is_number = |tokens: &[Token<'_>]| matches!(tokens, [.., Token::Slot(Kind::Number), Token::Blank]);
    match tokens {
        [before @ .., Token::Word(word), Token::Blank] if is_lower(word) && !is_unit(word) && !is_copula(word) => {
            !is_preposition(word) && !is_conjunction(word) && is_number(before)
        }
        tokens => is_number(tokens),
    }
}

/// Whether a word is of small Latin letters alone.
pub(super) fn is_lower(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase())
}

/// The word as it is for one, so that `1 entry was` and `2 entries were` are the same.
pub(super) fn singular(word: &str) -> Cow<'_, str> {
    let verb = match word {
        "were" => "was",
        "are" => "is",
        "have" => "has",
        word => word,
    };
    let ends = |word: &str, ends: &[&str]| ends.iter().any(|end| word.ends_with(end));
    if verb.len() < 4 || !is_lower(verb) {
        return Cow::Borrowed(verb);
    }
    let stem = if ends(verb, &["ss", "us", "is"]) { verb } else { verb.strip_suffix('s').unwrap_or(verb) };
    if let Some(stem) = stem.strip_suffix("ie") {
        return Cow::Owned(format!("{stem}y"));
    }
    let stem = if ends(stem, &["che", "she", "sse", "xe"]) { &stem[..stem.len() - 1] } else { stem };
    Cow::Borrowed(stem)
}

/// Whether a word is built like the name of a thing in a program: `org.example.Thing`, `a/b`, `disk_0`.
pub(super) fn is_name(word: &str) -> bool {
    word.bytes().any(|b| matches!(b, b'.' | b'/' | b'\\' | b'@' | b'~' | b'0'))
}

/// Whether a word is a name of several parts with dots between, as classes and modules have: `org.example.Thing`.
pub(super) fn is_dotted(word: &str) -> bool {
    word.split('.').count() > 1 && word.split('.').all(|part| part.starts_with(char::is_alphabetic))
}
