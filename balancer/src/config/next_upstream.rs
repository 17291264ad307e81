//! In which cases the next backend is asked: nginx's `proxy_next_upstream`, with its names.

use std::str::FromStr;

/// A case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Case {
    /// No connection could be made, or it ended before the answer.
    Error = 1,
    /// That took too long.
    Timeout = 1 << 1,
    /// The answer is no HTTP.
    InvalidHeader = 1 << 2,
    /// The answer has this status.
    Http500 = 1 << 3,
    /// As above.
    Http502 = 1 << 4,
    /// As above.
    Http503 = 1 << 5,
    /// As above.
    Http504 = 1 << 6,
    /// As above.
    Http403 = 1 << 7,
    /// As above.
    Http404 = 1 << 8,
    /// As above.
    Http429 = 1 << 9,
    /// Also requests whose repetition may do something twice.
    NonIdempotent = 1 << 10,
}

impl Case {
    const ALL: [(&str, Self); 11] = [
        ("error", Self::Error),
        ("timeout", Self::Timeout),
        ("invalid_header", Self::InvalidHeader),
        ("http_500", Self::Http500),
        ("http_502", Self::Http502),
        ("http_503", Self::Http503),
        ("http_504", Self::Http504),
        ("http_403", Self::Http403),
        ("http_404", Self::Http404),
        ("http_429", Self::Http429),
        ("non_idempotent", Self::NonIdempotent),
    ];

    /// Its name, in the configuration and the access log.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, case)| *case == self).map_or("", |(name, _)| name)
    }

    /// Whether it is held against the backend. Who may see what is no trouble of it.
    #[must_use]
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Http403 | Self::Http404)
    }

    /// The case of an answer with this status.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        match status {
            500 => Some(Self::Http500),
            502 => Some(Self::Http502),
            503 => Some(Self::Http503),
            504 => Some(Self::Http504),
            403 => Some(Self::Http403),
            404 => Some(Self::Http404),
            429 => Some(Self::Http429),
            _ => None,
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, case)| *case);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("`{text}` is no case; write some of {}, or \"off\" alone", names.join(", "))
        })
    }
}

/// Some cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextUpstream(u16);

impl Default for NextUpstream {
    /// As nginx: `error timeout`.
    fn default() -> Self {
        [Case::Error, Case::Timeout].into_iter().collect()
    }
}

impl NextUpstream {
    /// Whether a case is among them.
    #[must_use]
    pub fn has(self, case: Case) -> bool {
        self.0 & case as u16 != 0
    }
}

impl FromIterator<Case> for NextUpstream {
    fn from_iter<I: IntoIterator<Item = Case>>(cases: I) -> Self {
        Self(cases.into_iter().fold(0, |bits, case| bits | case as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_is_read_by_its_name_and_is_itself_only() {
        for (name, case) in Case::ALL {
            assert_eq!((name.parse(), case.name()), (Ok(case), name));
            let only: NextUpstream = [case].into_iter().collect();
            assert_eq!(Case::ALL.iter().filter(|(_, other)| only.has(*other)).count(), 1, "{name}");
        }
    }

    #[test]
    fn another_name_says_which_there_are() {
        assert!("http_501".parse::<Case>().unwrap_err().contains("http_500, http_502"));
    }
}
