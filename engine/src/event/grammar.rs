//! What single lines of a trace look like, by their bytes alone. Lines come without indentation and line end; whether a line
//! belongs to an event is decided in `joiner`.

use crate::format::level;

/// Ends of the names of exceptions.
const EXCEPTIONS: [&[u8]; 12] = [
    b"Exception",
    b"Error",
    b"Throwable",
    b"Failure",
    b"Fault",
    b"Interrupt",
    b"Exit",
    b"Abort",
    b"Timeout",
    b"Refused",
    b"NotFound",
    b"Warning",
];

/// What may stand before the name of an exception.
const BEFORE_EXCEPTION: [&[u8]; 9] = [
    b"| ",
    b"Caused by: ",
    b"Suppressed: ",
    b"Wrapped by: ",
    b"---> ",
    b"[cause]: ",
    b"Uncaught exception: ",
    b"Unhandled exception. ",
    b"Uncaught ",
];

/// The first line of a traceback of Python.
pub(super) const TRACEBACK: &[u8] = b"Traceback (most recent call last):";

/// A frame in any of the forms that say so themselves: Java, .NET and Node (`at …`), Python (`File "…", line 1`), Ruby
/// (`from …`), PHP (`#0 /a/b.php(12): f()`), and the place behind a function of Go.
pub(super) fn is_frame(text: &[u8]) -> bool {
    match text.first() {
        Some(b'a') => text.strip_prefix(b"at ").is_some_and(is_call),
        Some(b'.') => is_elision(text),
        Some(b'F') => is_python_frame(text),
        Some(b'#') => is_php_frame(text),
        Some(b'f') => text.strip_prefix(b"from ").is_some_and(is_ruby_frame),
        Some(b'/' | b'A'..=b'Z' | b'_') => is_go_place(text),
        _ => false,
    }
}

/// Whether a message may be a line of the inside of a trace, as far as its first bytes tell, which is asked of every line.
#[inline]
pub(super) fn may_be_inner(message: &[u8]) -> bool {
    let begins: &[&[u8]] = match message.first() {
        None => return true,
        Some(b'#') => return message.get(1).is_some_and(u8::is_ascii_digit),
        Some(b'-') => &[b"---> ", b"--- End of "],
        Some(b'.') => &[b"... "],
        Some(b'C') => &[b"Caused by:"],
        Some(b'F') => &[b"File \""],
        Some(b'P') => &[b"PHP Stack trace:"],
        Some(b'S') => &[b"Suppressed:", b"Stack "],
        Some(b'T') => &[b"Traceback "],
        Some(b'W') => &[b"Wrapped by:"],
        Some(b'[') => &[b"[signal ", b"[stacktrace]"],
        Some(b'a') => &[b"at "],
        Some(b'f') => &[b"from "],
        Some(b'|') => &[b"| "],
        Some(b'g') => &[b"goroutine "],
        Some(b'n') => &[b"note: "],
        Some(b's') => &[b"stack backtrace:"],
        _ => return false,
    };
    begins.iter().any(|begin| message.starts_with(begin))
}

/// Whether what comes after a message may read in any way, as far as its ends tell: a panic of Rust, one of Go that another
/// one follows, a script of Node, an exception of Ruby, the head that .NET writes on its console.
#[inline]
pub(super) fn asks_for_anything(message: &[u8]) -> bool {
    match message.first() {
        Some(b't') => message.ends_with(b":"),
        Some(b'/') => true,
        Some(b'n') => message.starts_with(b"node:"),
        Some(b'f') if message.starts_with(b"file:///") => true,
        // Rails says why and where on lines of its own.
        _ if message.ends_with(b"):") => exception(message).is_some(),
        _ if message.ends_with(b"r)") || message.ends_with(b"n)") => ends_with_exception(message),
        // What tells the level is taken for a header.
        _ if !message.ends_with(b"]") => false,
        _ => !message.contains(&b' ') || message.ends_with(b" [recovered]") || is_dotnet_head(message),
    }
}

/// Where the class begins that a line ends with, alone or with its method behind it: `org.demo.Shop sell`.
pub(super) fn class_at_end(line: &[u8]) -> Option<usize> {
    let is_name = |word: &[u8]| {
        let joins = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'<' | b'>' | b'/');
        word.first().is_some_and(|b| !b.is_ascii_digit()) && word.iter().all(joins)
    };
    let is_class = |word: &[u8]| is_name(word) && word.contains(&b'.');
    let last = line.rsplit(|b| *b == b' ').next().filter(|word| is_name(word))?;
    let before = line[..line.len() - last.len()].strip_suffix(b" ")?;
    let class = before.rsplit(|b| *b == b' ').next().filter(|word| is_class(word));
    match class {
        Some(class) => Some(before.len() - class.len()),
        None => is_class(last).then_some(line.len() - last.len()),
    }
}

/// What stands behind `at `: `a.b.C.d(E.java:1)`, `A.B.C(String s) in /d/E.cs:line 1`, `f (file:1:2)`, `file:1:2`.
fn is_call(call: &[u8]) -> bool {
    let call = call.trim_ascii_end();
    let call = call.strip_suffix(b" {").unwrap_or(call);
    let Some(open) = memchr::memchr(b'(', call) else { return is_position(call) };
    let name = &call[..open];
    if let Some(name) = name.strip_suffix(b" ") {
        let inner = &call[open + 1..];
        let inner = inner.strip_suffix(b")").unwrap_or(inner);
        return !name.is_empty()
            && (is_position(inner)
                || matches!(inner, b"<anonymous>" | b"native" | b"eval")
                || inner.starts_with(b"index "));
    }
    name.contains(&b'.') && !name.contains(&b' ') && call[open..].contains(&b')')
}

/// Whether it ends with `:1:2`, or `:1` behind a name with a dot.
fn is_position(text: &[u8]) -> bool {
    let numbered = |text: &[u8]| {
        let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let before = text.len() - digits;
        (digits > 0 && before > 1 && text[before - 1] == b':').then(|| before - 1)
    };
    numbered(text).and_then(|end| numbered(&text[..end])).is_some()
}

/// `... 12 more`, `... 12 common frames omitted`, `... 3 lines matching cause stack trace ...`.
pub(super) fn is_elision(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"... ") else { return false };
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = &rest[digits..];
    digits > 0 && [&b" more"[..], b" common frames", b" lines matching"].iter().any(|words| rest.starts_with(words))
}

/// `File "…", line 1, in f`.
pub(super) fn is_python_frame(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"File \"") else { return false };
    memchr::memmem::find(rest, b"\", line ").is_some_and(|at| rest.get(at + 8).is_some_and(u8::is_ascii_digit))
}

/// `/a/b.rb:12:in 'f'`.
pub(super) fn is_ruby_frame(text: &[u8]) -> bool {
    // A place has no blank, so that the first one of the line stands behind it.
    let Some(place) = memchr::memchr(b' ', text).and_then(|blank| text[..blank].strip_suffix(b":in")) else {
        return false;
    };
    let digits = place.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && place.len() > digits + 1 && place[place.len() - digits - 1] == b':'
}

/// `/a/b.rb:12:in 'f': why (CError)`: the first line of what Ruby did not catch.
pub(super) fn is_ruby_crash(text: &[u8]) -> bool {
    is_ruby_frame(text) && ends_with_exception(text)
}

/// `/a/b.go:12 +0x1d`.
pub(super) fn is_go_place(text: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(text, b".go:").or_else(|| memchr::memmem::find(text, b".s:")) else {
        return false;
    };
    let colon = at + text[at..].iter().position(|b| *b == b':').unwrap_or(0);
    let rest = &text[colon + 1..];
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && (rest.len() == digits || rest[digits..].starts_with(b" +0x"))
}

/// `main.(*T).f(0x1, …)`, `created by main.f in goroutine 1`, and their like.
pub(super) fn is_go_call(line: &[u8]) -> bool {
    if line.starts_with(b"created by ") || line.starts_with(b"panic(") {
        return true;
    }
    go_name(line).is_some_and(|name| line.ends_with(b")") && name.contains(&b'.') && !name.contains(&b' '))
}

/// What is called, without the values: `main.(*T).f`.
pub(super) fn go_name(line: &[u8]) -> Option<&[u8]> {
    // The bracket of a receiver stands behind a dot.
    let open = (1..line.len()).find(|at| line[*at] == b'(' && line[at - 1] != b'.')?;
    Some(&line[..open])
}

/// `goroutine 12 [running]:`.
pub(super) fn is_goroutine(line: &[u8]) -> bool {
    line.strip_prefix(b"goroutine ").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        && memchr::memmem::find(line, b" [").is_some()
}

/// `#0 /a/b.php(12): f()`.
fn is_php_frame(line: &[u8]) -> bool {
    let Some(place) = memchr::memmem::find(line, b"): ").map(|at| &line[..at]) else { return false };
    let digits = place.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && place[..place.len() - digits].ends_with(b"(") && is_numbered_frame(line)
}

/// What announces frames of PHP.
pub(super) fn is_php_stack(line: &[u8]) -> bool {
    matches!(line, b"Stack trace:" | b"[stacktrace]" | b"PHP Stack trace:")
}

/// What joins two traces of PHP: `Next CException: why in /a/b.php:12`, `[previous exception] [object] (CException(code: 0): why`.
pub(super) fn is_php_chain(line: &[u8]) -> bool {
    line.starts_with(b"[previous exception] ")
        || line.strip_prefix(b"Next ").is_some_and(|next| exception(next).is_some())
}

/// A bracket that was opened on a line before, also at the end of a text in quotes.
pub(super) fn is_close(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    matches!(line.first(), Some(b'}' | b']' | b')'))
}

/// `#0 /a/b.php(12): f()`, `#1 {main}`, `#2  0x1 in f () at a.c:1`.
pub(super) fn is_numbered_frame(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"#") else { return false };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let place = &rest[digits..];
    (1..=4).contains(&digits) && place.first() == Some(&b' ') && place.iter().any(|b| matches!(b, b'(' | b'{'))
}

/// The name of the exception that a line is about, and what stands before it: `Caused by: a.b.CException: why`.
pub(super) fn exception(line: &[u8]) -> Option<(usize, &[u8])> {
    // Asked of many lines, of which hardly any is about one: what is seen at a glance comes first.
    let mut at = match line.first()? {
        b'|' | b'C' | b'S' | b'W' | b'-' | b'[' | b'U' => {
            BEFORE_EXCEPTION.iter().find(|words| line.starts_with(words)).map_or(0, |words| words.len())
        }
        _ => 0,
    };
    if let Some(rest) = line.strip_prefix(b"Exception in thread \"") {
        at = line.len() - rest.len() + memchr::memmem::find(rest, b"\" ")? + 2;
    }
    let rest = &line[at..];
    let joins = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'\\') || *b >= 0x80;
    let length = rest.iter().position(|b| !joins(b)).unwrap_or(rest.len());
    let name = &rest[..length];
    let ended = matches!(rest[length..], [] | [b':', ..] | [b' ', b'(' | b'[', ..]);
    (ended && EXCEPTIONS.iter().any(|end| name.ends_with(end))).then_some((at, name))
}

/// Whether a line ends as Ruby tells an exception: `why (CError)`.
pub(super) fn ends_with_exception(line: &[u8]) -> bool {
    let inner = line.strip_suffix(b")").and_then(|inner| Some(&inner[memchr::memrchr(b'(', inner)? + 1..]));
    inner.and_then(exception).is_some()
}

/// Whether a line may be the last one of a traceback of Python: a name, alone or before a colon.
pub(super) fn is_named(line: &[u8]) -> bool {
    let joins = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_') || *b >= 0x80;
    let length = line.iter().position(|b| !joins(b)).unwrap_or(line.len());
    length > 0 && !line[0].is_ascii_digit() && matches!(line.get(length), None | Some(b':'))
}

/// Whether a line is about a class, by its qualified name or by how names of classes are written.
pub(super) fn is_named_by_class(line: &[u8]) -> bool {
    is_named(line)
        && (line[0].is_ascii_uppercase() || line[..memchr::memchr(b':', line).unwrap_or(line.len())].contains(&b'.'))
}

/// The sentences that join two tracebacks of Python.
pub(super) fn is_chain(line: &[u8]) -> bool {
    line.starts_with(b"During handling of the above exception")
        || line.starts_with(b"The above exception was the direct")
}

/// `/a/b.js:12`, `node:events:497`: where Node found what it did not catch.
pub(super) fn is_node_source(line: &[u8]) -> bool {
    let digits = line.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let Some(place) = line.len().checked_sub(digits + 1).map(|at| &line[..at]) else { return false };
    let is_script = || [&b".js"[..], b".mjs", b".cjs", b".ts"].iter().any(|end| place.ends_with(end));
    let is_numbered = digits > 0 && line[place.len()] == b':';
    is_numbered && (place.starts_with(b"node:") || is_script()) && !place.contains(&b' ')
}

/// What Rust says below a panic.
pub(super) fn is_note(line: &[u8]) -> bool {
    [&b"note: "[..], b"stack backtrace:", b"Stack backtrace:"].iter().any(|begin| line.starts_with(begin))
}

/// What Node and Python set below the place of an error.
pub(super) fn is_carets(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    !text.is_empty() && text.iter().all(|b| matches!(b, b'^' | b'~'))
}

/// `fail: Some.Category[0]`, also behind a time: the console of .NET says the rest on lines of its own.
pub(super) fn is_dotnet_head(line: &[u8]) -> bool {
    if !line.ends_with(b"]") {
        return false;
    }
    let Some(blank) = memchr::memrchr(b' ', line) else { return false };
    let start = memchr::memrchr(b' ', &line[..blank]).map_or(0, |before| before + 1);
    level::of_console(&line[start..]).is_some()
}

/// `thread 'x' panicked at …`.
pub(super) fn is_rust_panic(line: &[u8]) -> bool {
    line.starts_with(b"thread '") && memchr::memmem::find(line, b" panicked at ").is_some()
}

/// Whether a text begins like a statement of SQL.
pub(super) fn is_statement(text: &[u8]) -> bool {
    const VERBS: [&[u8]; 9] =
        [b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"CREATE", b"ALTER", b"WITH", b"MERGE", b"DROP"];
    starts_with_word(text, &VERBS)
}

/// Whether a statement of SQL begins somewhere in a line.
pub(super) fn has_statement(line: &[u8]) -> bool {
    line.split(u8::is_ascii_whitespace).any(is_statement)
}

/// Whether a line is a clause of a statement of SQL.
pub(super) fn is_clause(line: &[u8]) -> bool {
    const CLAUSES: [&[u8]; 20] = [
        b"FROM",
        b"WHERE",
        b"AND",
        b"OR",
        b"JOIN",
        b"LEFT",
        b"RIGHT",
        b"INNER",
        b"OUTER",
        b"CROSS",
        b"ON",
        b"GROUP",
        b"ORDER",
        b"HAVING",
        b"LIMIT",
        b"OFFSET",
        b"VALUES",
        b"SET",
        b"UNION",
        b"RETURNING",
    ];
    starts_with_word(line, &CLAUSES)
}

fn starts_with_word(text: &[u8], words: &[&[u8]]) -> bool {
    let length = text.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(text.len());
    words.iter().any(|word| word.eq_ignore_ascii_case(&text[..length]))
}

/// A row of a table drawn with signs.
pub(super) fn is_row(line: &[u8]) -> bool {
    const SIGNS: [&str; 9] = ["│", "├", "└", "┌", "║", "╔", "╚", "╠", "╟"];
    line[0] == b'|'
        || line.starts_with(b"+-")
        || line.starts_with(b"+=")
        || SIGNS.iter().any(|sign| line.starts_with(sign.as_bytes()))
}
