//! The form that lines with one front have: what stands between its fields is in their key, how its times are written and what
//! its columns are called is learnt from the lines. How far a header goes is the vote's.

use std::collections::{BTreeMap, HashMap};

use super::{
    clock::{self, Clock, Days, Manner},
    columns::is_source,
    digits::Digits,
    form::{End, Field, Form, Look, PARTS, Part},
    sketch::{self, Sketch},
    time::Seen,
};

/// The form that a key describes; its times and columns are looked at in the lines that have it.
/// Where its last field is a column of components with nothing but a blank behind it, `words` are those that are not written like
/// names.
pub(super) fn form(key: &[u8], members: &[&Sketch<'_>], words: Option<Vec<&[u8]>>, reference: i64) -> Option<Form> {
    let mut parts: Vec<Part> = Vec::new();
    for b in key {
        let field = |end| Part::Field(Field { name: "".into(), end, look: Look::Any });
        let part = match *b {
            sketch::TIME => Part::Time(Clock::default()),
            sketch::LEVEL => Part::Level { short: false },
            sketch::SHORT => Part::Level { short: true },
            sketch::PRIORITY => Part::Priority,
            sketch::COLUMN => field(End::Blank),
            sketch::CONTENTS => field(End::Close),
            b => {
                if let Some(Part::Literal(text)) = parts.last_mut() {
                    *text = [text, &[b][..]].concat().into();
                    continue;
                }
                Part::Literal([b].into())
            }
        };
        parts.push(part);
    }
    // Where a field begins nothing tells but the text before it.
    let is_glued = |two: &[Part]| !matches!(two[0], Part::Literal(_)) && matches!(two[1], Part::Field(_));
    if parts.len() > PARTS || !matches!(parts.last(), Some(Part::Literal(_))) || parts.windows(2).any(is_glued) {
        return None;
    }
    // A field before a blank that ends the header has nothing behind it that tells whether it is one.
    let bare = matches!(parts.last(), Some(Part::Literal(text)) if **text == *b" ");
    let last = parts.len().checked_sub(2);
    if let Some(Part::Field(field)) = last.and_then(|last| parts.get_mut(last))
        && bare
        && field.end == End::Blank
    {
        field.look = words.map_or(Look::Column { width: 0 }, |words| Look::Name {
            words: words.into_iter().map(Box::from).collect(),
        });
    }
    let mut form = Form { parts };
    learn_times(&mut form, members, reference);
    // What a form cannot express (klog's date, a name with blanks) is left to the reading of lines by themselves.
    let fitting = learn_columns(&mut form, members, reference);
    (fitting * 2 > members.len()).then_some(form)
}

/// How the times are mostly written.
fn learn_times(form: &mut Form, members: &[&Sketch<'_>], reference: i64) {
    let times: Vec<usize> =
        form.parts.iter().enumerate().filter(|(_, part)| matches!(part, Part::Time(_))).map(|(i, _)| i).collect();
    for at in times {
        let mut patterns: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        let before = Form { parts: form.parts[..at].to_vec() };
        for sketch in members {
            let start = before.length(sketch.line, reference);
            let written = start.and_then(|start| {
                let rest = &sketch.line[start..];
                Clock::default()
                    .read(rest, Manner::Any, reference, &mut Days::default())
                    .map(|(length, _)| &rest[..length])
            });
            if let Some(written) = written {
                *patterns.entry(clock::pattern(written)).or_default() += 1;
            }
        }
        if let Some((pattern, _)) = patterns.into_iter().max_by_key(|(_, lines)| *lines) {
            form.parts[at] = Part::Time(Clock::of(&pattern));
        }
    }
}

/// What the columns are called; tells how many of the lines have the form.
fn learn_columns(form: &mut Form, members: &[&Sketch<'_>], reference: i64) -> usize {
    let mut values: HashMap<usize, Vec<&[u8]>> = HashMap::new();
    let mut days = Days::default();
    let mut fitting = 0;
    for sketch in members {
        days.seen = Seen::default();
        let read = form.read(Digits::open(sketch.line), Manner::Any, reference, &mut days, |part, range| {
            values.entry(part).or_default().push(&sketch.line[range]);
        });
        fitting += usize::from(read.is_some());
    }
    let mut names: Vec<String> = Vec::new();
    for at in 0..form.parts.len() {
        let literal = |at: usize| match form.parts.get(at) {
            Some(Part::Literal(text)) => text,
            _ => &b""[..],
        };
        let place = Place {
            behind: form.parts[..at].iter().any(|part| matches!(part, Part::Time(_) | Part::Level { .. })),
            tag: literal(at + 1).starts_with(b":"),
            before_tag: matches!(form.parts.get(at + 2), Some(Part::Field(_))) && literal(at + 3).starts_with(b":"),
            bracketed: matches!(&form.parts[at], Part::Field(field) if field.end == End::Close),
        };
        let Part::Field(field) = &mut form.parts[at] else { continue };
        let name = name(&values.remove(&at).unwrap_or_default(), place);
        let taken = |name: &String| names.contains(name);
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let free = [name.to_owned()].into_iter().chain(numbered).find(|name| !taken(name)).unwrap_or_default();
        field.name = free.as_str().into();
        names.push(free);
    }
    fitting
}

/// Where a column stands.
#[derive(Clone, Copy)]
struct Place {
    /// Behind a time or level.
    behind: bool,
    /// Before a colon.
    tag: bool,
    /// Before what stands before a colon.
    before_tag: bool,
    /// In brackets.
    bracketed: bool,
}

/// A name by where the column stands and what its values look like; for people, nothing depends on it.
fn name(values: &[&[u8]], place: Place) -> &'static str {
    let most = |is: fn(&[u8]) -> bool| values.iter().filter(|value| is(value)).count() * 2 > values.len();
    let is_number = |value: &[u8]| value.iter().all(u8::is_ascii_digit);
    let is_process = |value: &[u8]| value.contains(&b'[');
    let is_dotted = |value: &[u8]| {
        value.contains(&b'$')
            || value.windows(2).any(|two| two == b"::")
            || (value.contains(&b'.') && !value.iter().any(u8::is_ascii_digit))
    };
    let is_host = |value: &[u8]| value.iter().any(u8::is_ascii_digit) && !value.contains(&b':');
    let is_address = |value: &[u8]| {
        let digits = value.strip_prefix(b"0x").unwrap_or(value);
        digits.len() < value.len() || (digits.len() >= 12 && digits.iter().all(u8::is_ascii_hexdigit))
    };
    if most(is_number) {
        "number"
    } else if most(is_source) {
        "source"
    } else if place.behind && most(is_address) {
        "thread"
    } else if place.tag && most(is_process) {
        "process"
    } else if most(is_dotted) || (place.tag && place.behind) {
        "component"
    } else if place.bracketed {
        "context"
    } else if place.before_tag || most(is_host) {
        "host"
    } else if place.behind {
        "component"
    } else {
        "field"
    }
}
