//! Names of writers that stand before a line, as programs that show the output of several others write them. Owns what such a name
//! is; whether an input has some is `lead`'s.

/// Bytes of a name at most.
pub(super) const NAME: usize = 64;

/// Which names the lines of an input begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Names {
    #[default]
    None,
    /// Those that tell by themselves that they are some ([`split_name`]).
    Told,
    /// Any, before a bar at this byte: `web   | `, as `docker compose` pads what someone called a container.
    Padded(usize),
}

impl Names {
    /// What a line by itself may have: none, one that tells, and whatever stands before a bar.
    pub(crate) fn each(line: &[u8]) -> impl Iterator<Item = Self> {
        [Self::None, Self::Told].into_iter().chain(padded(line).map(|(_, bar)| Self::Padded(bar)))
    }

    pub(crate) fn are_some(self) -> bool {
        self != Self::None
    }

    /// The name before a line, with its bar, and what it says behind that.
    #[inline]
    pub(crate) fn split(self, line: &[u8]) -> (&[u8], &[u8]) {
        let length = match self {
            Self::None => None,
            Self::Told => return split_name(line),
            Self::Padded(bar) => padded(line).filter(|(_, at)| *at == bar).map(|_| bar + 1),
        };
        split_at(line, length)
    }
}

/// Bytes that Kubernetes ends the name of a pod with.
const POD: usize = 5;

/// Splits a line behind the name that it begins with: `web-1  | `, and pm2's `0|api  | `, with the bar; a pod and its container
/// before one blank, `web-7d9f8c6b5d-x2k9p app `, as stern has them, perhaps with a namespace before; `[pod/web-1/app] `, as
/// kubectl. The name is empty where there is none.
#[inline]
pub(super) fn split_name(line: &[u8]) -> (&[u8], &[u8]) {
    let length = match line.first() {
        Some(b'[') => before_bracket(line),
        Some(_) => before_bar(line).or_else(|| before_container(line)),
        None => None,
    };
    split_at(line, length)
}

/// Splits a line behind so many bytes of a name. Of what was written nothing may be left but the blank.
#[inline]
fn split_at(line: &[u8], length: Option<usize>) -> (&[u8], &[u8]) {
    length.map_or((&[], line), |length| (&line[..length], line.get(length + 1..).unwrap_or_default()))
}

/// Bytes of the name before a bar, with that.
fn before_bar(line: &[u8]) -> Option<usize> {
    let number = line.iter().take(NAME).take_while(|b| b.is_ascii_digit()).count();
    let start = if number > 0 && line.get(number) == Some(&b'|') { number + 1 } else { 0 };
    let (name, bar) = padded(&line[start..])?;
    // What names programs numbers them; other words before a bar may be what was logged.
    let is_name = start > 0 || name[name.len() - 1].is_ascii_digit();
    is_name.then_some(start + bar + 1)
}

/// The word at the front with nothing but blanks between it and a bar, and where that is.
#[inline]
pub(super) fn padded(line: &[u8]) -> Option<(&[u8], usize)> {
    let is_part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let length = line.iter().take(NAME).take_while(is_part).count();
    let bar = length + line[length..].iter().take_while(|b| **b == b' ').count();
    let is_word = bar > length && line[0].is_ascii_alphabetic();
    let behind = line.get(bar..).filter(|_| is_word)?.strip_prefix(b"|")?;
    matches!(behind.first(), Some(b' ') | None).then_some((&line[..length], bar))
}

/// Bytes of the names of a pod and its container.
fn before_container(line: &[u8]) -> Option<usize> {
    let first = label(line)?;
    let pod = if is_pod(&line[..first]) {
        first
    } else {
        let second = label(line.get(first + 1..)?)?;
        is_pod(&line[first + 1..][..second]).then_some(first + 1 + second)?
    };
    Some(pod + 1 + label(line.get(pod + 1..)?)?)
}

/// Bytes of a name of Kubernetes at the front, before a blank or the end.
fn label(text: &[u8]) -> Option<usize> {
    let is_part = |b: &&u8| b.is_ascii_lowercase() || b.is_ascii_digit() || **b == b'-';
    let length = text.iter().take(NAME).take_while(is_part).count();
    (length > 0 && matches!(text.get(length), Some(b' ') | None)).then_some(length)
}

/// Whether a name ends as those of pods do that nobody named: with letters and digits that make no word, or with any behind such a
/// piece of more.
fn is_pod(name: &[u8]) -> bool {
    let mut pieces = name.rsplit(|b| *b == b'-');
    let (Some(end), Some(before)) = (pieces.next(), pieces.next()) else { return false };
    let makes_no_word = end.iter().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(b));
    let is_hash = (6..=10).contains(&before.len()) && before.iter().any(u8::is_ascii_digit);
    end.len() == POD && !before.is_empty() && (makes_no_word || is_hash && pieces.next().is_some())
}

/// Bytes of the names in brackets.
fn before_bracket(line: &[u8]) -> Option<usize> {
    let inner = line.strip_prefix(b"[pod/")?;
    let end = inner.iter().take(4 * NAME).position(|b| matches!(b, b']' | b' '))?;
    let is_one = inner[end] == b']' && matches!(inner.get(end + 1), Some(b' ') | None);
    is_one.then_some(line.len() - inner.len() + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_writers_end_where_what_they_wrote_begins() {
        for (name, content) in [
            ("web-1  |", "up"),
            ("web-1 |", "  at a.b(C.java:1)"),
            ("0|api  |", "2026-11-20T10:00:00: up"),
            ("12|my-api |", "up"),
            ("PM2        |", "App [api:0] online"),
            ("web-7d9f8c6b5d-x2k9p app", "up"),
            ("web-7d9f8c6b5d-x2k9p app", "  at a.b(C.java:1)"),
            ("web-6c9fd7b8d5-abcde app", "up"),
            ("default agent-qzrt5 log-agent", "2026-11-20 10:00:00 up"),
            ("[pod/web-0/app]", "up"),
        ] {
            let line = format!("{name} {content}");
            assert_eq!(split_name(line.as_bytes()), (name.as_bytes(), content.as_bytes()));
            assert_eq!(split_name(name.as_bytes()).0, name.as_bytes());
        }
        for line in
            ["", "started | now", "0| | up", "web-1 up", "web-7d9f8c6b5d-x2k9p Up", "job-batch app up", "[pod/a b] up"]
        {
            assert_eq!(split_name(line.as_bytes()), (&b""[..], line.as_bytes()));
        }
    }

    #[test]
    fn names_of_any_kind_end_at_the_bar_of_all_lines() {
        let names = Names::Padded(7);
        assert_eq!(names.split(b"web    | up"), (&b"web    |"[..], &b"up"[..]));
        assert_eq!(names.split(b"worker |"), (&b"worker |"[..], &b""[..]));
        for line in ["", "web   | up", "web up | a", "worker1| up", "web    |up"] {
            assert_eq!(names.split(line.as_bytes()), (&b""[..], line.as_bytes()));
        }
    }
}
