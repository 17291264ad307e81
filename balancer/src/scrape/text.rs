//! Prometheus' text format, version 0.0.4: families of samples, each with its help and type.

use std::fmt::{Display, Write as _};

use crate::metrics::histogram::{STEPS, Times};

/// The page as far as it is written.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    name: &'static str,
}

/// A label and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

impl Page {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One sample of the family.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.line("", labels, None, value);
    }

    /// A histogram of the family.
    pub(super) fn times(&mut self, labels: &[Label<'_>], times: &Times) {
        let mut below = 0;
        for (step, (_, most)) in times.steps.iter().zip(STEPS) {
            below += step;
            self.line("_bucket", labels, Some(("le", most)), below);
        }
        self.line("_bucket", labels, Some(("le", "+Inf")), times.count());
        let (seconds, micros) = (times.micros / 1_000_000, times.micros % 1_000_000);
        self.line("_sum", labels, None, format_args!("{seconds}.{micros:06}"));
        self.line("_count", labels, None, times.count());
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], last: Option<Label<'_>>, value: impl Display) {
        let name = self.name;
        self.put(format_args!("{name}{suffix}"));
        let mut mark = '{';
        for (label, text) in labels.iter().copied().chain(last) {
            self.put(format_args!("{mark}{label}=\""));
            for letter in text.chars() {
                match letter {
                    '\\' | '"' => self.text.extend(['\\', letter]),
                    '\n' => self.text.push_str("\\n"),
                    letter => self.text.push(letter),
                }
            }
            self.text.push('"');
            mark = ',';
        }
        let end = if mark == ',' { "}" } else { "" };
        self.put(format_args!("{end} {value}\n"));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // A string takes everything that is written to it.
        let _ = self.text.write_fmt(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_label_cannot_end_it() {
        let mut page = Page::default();
        page.family("a_total", "counter", "Help.");
        page.sample(&[("name", "a\"b\\c\nd"), ("kind", "x")], 3);
        page.sample(&[], 4);
        let expected =
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{name=\"a\\\"b\\\\c\\nd\",kind=\"x\"} 3\na_total 4\n";
        assert_eq!(page.into_text(), expected);
    }
}
