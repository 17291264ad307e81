//! How long things take, counted in fixed steps.

use std::time::Duration;

use super::Counter;

/// Upper bounds of the steps in microseconds, and how the page of metrics writes them in seconds.
pub const STEPS: [(u64, &str); 16] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
    (60_000_000, "60"),
];

/// Times in steps, with one writer.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many were in each step, and behind the last one.
    steps: [Counter; STEPS.len() + 1],
    micros: Counter,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.steps[STEPS.partition_point(|(most, _)| *most < micros)].add_one();
        self.micros.add(micros);
    }
}

/// Sums over all threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// How many were in each step, and behind the last one.
    pub steps: [u64; STEPS.len() + 1],
    /// All of them together in microseconds.
    pub micros: u64,
}

impl Times {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.steps.iter().sum()
    }
}

impl<'a> FromIterator<&'a Histogram> for Times {
    fn from_iter<I: IntoIterator<Item = &'a Histogram>>(threads: I) -> Self {
        threads.into_iter().fold(Self::default(), |mut sum, thread| {
            for (sum, step) in sum.steps.iter_mut().zip(&thread.steps) {
                *sum += step.get();
            }
            sum.micros += thread.micros.get();
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_step_that_is_not_below_it() {
        let histogram = Histogram::default();
        for micros in [0, 500, 501, 60_000_000, 60_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let times: Times = [&histogram, &histogram].into_iter().collect();
        assert_eq!((times.steps[0], times.steps[1], times.steps[15], times.steps[16]), (4, 2, 2, 2));
        assert_eq!((times.count(), times.micros), (10, 2 * 120_001_002));
    }
}
