//! What two traces must have in common to be of one cluster, whatever else is alike in them: the names of their exceptions
//! and their frames. What an exception says beside its name is a variable then.

use super::{BREAK, grammar};
use crate::template::Kind;

/// What tells a trace from others.
#[derive(Debug)]
pub(crate) struct Signature {
    /// The exceptions and frames in a shape, one per line.
    pub(crate) names: String,
    /// The shape with a variable for what exceptions say, where there are frames to tell whose words those are.
    pub(crate) plain: Option<String>,
}

/// The signature of a shape; `None` if it is not one of several lines.
pub(crate) fn signature(shape: &str) -> Option<Signature> {
    let (head, rest) = shape.split_once(BREAK)?;
    let mut names = String::new();
    let mut plain = String::new();
    let mut has_frames = false;
    let mut put = |name: &str| names.extend([name, "\n"]);
    let head = head.trim();
    for (at, part) in rest.split(BREAK).map(str::trim).enumerate() {
        let is_said = at == 0 && grammar::is_rust_panic(head.as_bytes()) && head.ends_with(':');
        if let Some((name, end)) = exception(part) {
            put(name);
            write(&mut plain, &part[..end], true);
        } else if is_frame(part.as_bytes()) {
            put(part);
            has_frames = true;
            write(&mut plain, part, false);
        } else if let Some((name, end)) = class(part) {
            put(name);
            write(&mut plain, &part[..end], true);
        } else if is_said {
            put(kind_of_panic(part));
            write(&mut plain, "", true);
        } else if part.as_bytes() != [Kind::Any.byte()] {
            // How much was left out says nothing.
            write(&mut plain, part, false);
        }
    }
    let plain = has_frames.then(|| plain_head(head, &mut put) + &plain);
    if plain.is_none() {
        names_in(head).for_each(|(name, _)| put(name));
    }
    Some(Signature { names, plain })
}

/// Writes a part, and whether it goes on with a variable.
fn write(plain: &mut String, part: &str, goes_on: bool) {
    plain.extend([" ", BREAK, " ", part]);
    if goes_on {
        plain.push(char::from(Kind::Any.byte()));
    }
}

/// The name of an exception that a part is about, and where its name and code end: `Caused by: a.b.CException: why`,
/// `TypeError [ERR_CODE]: why`.
fn exception(part: &str) -> Option<(&str, usize)> {
    let (at, name) = grammar::exception(part.as_bytes())?;
    let end = at + name.len();
    let code = part[end..].strip_prefix(" [").and_then(|code| code.find("]:"));
    Some((&part[at..end], end + code.map_or(0, |length| length + 3)))
}

/// The name of a class that a part is about, and where it ends.
fn class(part: &str) -> Option<(&str, usize)> {
    let end = part.find(':').unwrap_or(part.len());
    grammar::is_named_by_class(part.as_bytes()).then_some((&part[..end], end))
}

/// The names of exceptions in a first line, and where each ends.
fn names_in(head: &str) -> impl Iterator<Item = (&str, usize)> {
    let words = head.split(' ').map(move |word| (word.as_ptr().addr() - head.as_ptr().addr(), word));
    words.filter_map(|(at, word)| exception(word).map(|(name, end)| (name, at + end)))
}

/// The first line with a variable for what its exception says; tells the names of exceptions in it.
fn plain_head(head: &str, put: &mut impl FnMut(&str)) -> String {
    let slot = char::from(Kind::Any.byte());
    if let Some(said) = head.strip_prefix("panic: ") {
        put(kind_of_panic(said));
        return format!("panic: {slot}");
    }
    // As Rust wrote it before its messages got a line of their own.
    if let Some((thread, said)) = head.split_once(" panicked at '").filter(|_| head.starts_with("thread '"))
        && let Some((said, place)) = said.rsplit_once("', ")
    {
        put(kind_of_panic(said));
        return format!("{thread} panicked at {slot} {place}");
    }
    // As Ruby does: `a.rb:12:in 'f': why (CError)`, its place a variable.
    if grammar::ends_with_exception(head.as_bytes())
        && let Some((said, name)) = head.rsplit_once('(')
        && let Some((place, _)) = said.split_once("': ")
    {
        put(place);
        put(name);
        return format!("{place}': {slot} ({name}");
    }
    names_in(head).for_each(|(name, _)| put(name));
    match names_in(head).filter(|(_, end)| head[*end..].starts_with(':')).last() {
        Some((_, end)) => format!("{}{slot}", &head[..end]),
        None => head.to_owned(),
    }
}

/// What panics say of themselves that the languages have words for, of which Go and Rust have no names.
fn kind_of_panic(said: &str) -> &str {
    const BEGINS: [&str; 21] = [
        "(",
        "already ",
        "assertion ",
        "assignment to entry in nil map",
        "attempt to ",
        "byte index ",
        "called `Option::expect",
        "called `Option::unwrap",
        "called `Result::expect",
        "called `Result::unwrap",
        "close of ",
        "explicit panic",
        "index out of bounds",
        "interface conversion: ",
        "internal error: entered unreachable code",
        "not implemented",
        "not yet implemented",
        "range ",
        "runtime error: ",
        "send on closed channel",
        "slice index ",
    ];
    let Some(begin) = BEGINS.iter().find(|begin| said.starts_with(**begin)) else { return "" };
    let rest = &said[begin.len()..];
    let is_word = |c: char| c.is_ascii_alphabetic() || c == ' ' || (*begin == "(" && c != ')');
    &said[..begin.len() + rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
}

/// Whether a part of a shape is a frame, its variables masked.
fn is_frame(text: &[u8]) -> bool {
    let any = Kind::Any.byte();
    text.starts_with(b"at ")
        || text.starts_with(b"File \"")
        || memchr::memmem::find(text, b":in ").is_some()
        || text.ends_with(&[b'(', any, b')'])
        || text.starts_with(&[b'#', any])
        || text.starts_with(&[any, b':', b' '])
}
