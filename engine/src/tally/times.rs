//! `Times`: when the events of a shape happened: the earliest, the latest, and how many in each step of a clock whose
//! step grows so that a bounded number of them suffices.
//!
//! The steps of [`LADDER`] nest: each is a multiple of the one before, counted from the epoch. The number of steps with an
//! event in them can only grow with more events and only shrink with a longer step. So the step that a set of times ends
//! at, the shortest of the ladder with at most [`MAX_STEPS`] of them, depends on the set alone, and so does each count.

/// Lengths of a step in milliseconds: from one second to past any time there is.
pub(crate) const LADDER: [i64; 16] = {
    const SECOND: i64 = 1000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    [
        SECOND,
        5 * SECOND,
        15 * SECOND,
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        HOUR,
        6 * HOUR,
        DAY,
        7 * DAY,
        28 * DAY,
        364 * DAY,
        3_640 * DAY,
        36_400 * DAY,
        3_640_000 * DAY,
        3_640_000_000 * DAY,
    ]
};

/// Most steps held, and most that a report shows.
pub(crate) const MAX_STEPS: usize = 150;

/// Steps are looked up one by one where there are this many times as many.
const FEW: usize = 16;

/// When the events of a shape happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Times {
    /// Earliest and latest, milliseconds since the epoch.
    span: Option<(i64, i64)>,
    /// Position in [`LADDER`].
    rung: u8,
    /// Start of a step in units of the step, and the events in it; ascending, no zeros.
    steps: Vec<(i64, u64)>,
}

impl Times {
    /// Earliest and latest, milliseconds since the epoch.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    /// Counts one event.
    #[inline]
    pub(crate) fn count(&mut self, time: i64) {
        self.span = Some(self.span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        let length = LADDER[usize::from(self.rung)];
        // Most times fall into the latest step: a comparison instead of a division.
        if let Some((step, events)) = self.steps.last_mut()
            && time.checked_sub(step.wrapping_mul(length)).is_some_and(|since| (0..length).contains(&since))
        {
            *events += 1;
            return;
        }
        self.add(time.div_euclid(length), 1);
    }

    /// Adds what another counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        let Some((first, last)) = other.span else { return };
        self.span = Some(self.span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        self.coarsen(other.rung);
        if other.steps.len() * FEW < self.steps.len() {
            for (step, events) in &other.steps {
                // The rung may move on while adding, so it is read anew for each.
                let times = LADDER[usize::from(self.rung)] / LADDER[usize::from(other.rung)];
                self.add(step.div_euclid(times), *events);
            }
            return;
        }
        let times = LADDER[usize::from(self.rung)] / LADDER[usize::from(other.rung)];
        let theirs = other.steps.iter().map(|(step, events)| (step.div_euclid(times), *events));
        self.steps.extend(theirs);
        // Two ascending runs, which this sort merges.
        self.steps.sort_by_key(|(step, _)| *step);
        self.join_equal();
        self.fit();
    }

    /// Adds the counts to `counts`, steps of [`LADDER`]`[rung]` of which the first begins at `start` such steps after the epoch.
    /// `rung` is at least as high as any that holds the same times, see [`axis`].
    pub(crate) fn spread(&self, rung: u8, start: i64, counts: &mut [u64]) {
        let times = LADDER[usize::from(rung)] / LADDER[usize::from(self.rung)];
        for (step, events) in &self.steps {
            let at = step.div_euclid(times) - start;
            counts[usize::try_from(at).expect("the axis covers all times")] += events;
        }
    }

    /// Back to nothing, keeping the memory.
    pub(crate) fn clear(&mut self) {
        (self.span, self.rung) = (None, 0);
        self.steps.clear();
    }

    #[inline]
    fn add(&mut self, step: i64, events: u64) {
        match self.steps.last_mut() {
            Some((last, count)) if *last == step => *count += events,
            Some((last, _)) if *last > step => match self.steps.binary_search_by_key(&step, |(s, _)| *s) {
                Ok(at) => self.steps[at].1 += events,
                Err(at) => self.insert(at, step, events),
            },
            _ => self.insert(self.steps.len(), step, events),
        }
    }

    fn insert(&mut self, at: usize, step: i64, events: u64) {
        // Most shapes of a run with very many of them have one event.
        if self.steps.is_empty() {
            self.steps.reserve_exact(1);
        }
        self.steps.insert(at, (step, events));
        self.fit();
    }

    fn fit(&mut self) {
        while self.steps.len() > MAX_STEPS {
            self.coarsen(self.rung + 1);
        }
    }

    fn coarsen(&mut self, rung: u8) {
        if rung <= self.rung {
            return;
        }
        let times = LADDER[usize::from(rung)] / LADDER[usize::from(self.rung)];
        self.rung = rung;
        for (step, _) in &mut self.steps {
            *step = step.div_euclid(times);
        }
        self.join_equal();
    }

    fn join_equal(&mut self) {
        self.steps.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }
}

/// The axis that shows all times of a span in at most [`MAX_STEPS`] steps: the rung, the first step and how many there are.
///
/// No [`Times`] within the span is at a higher rung: it would have left this one for having more than [`MAX_STEPS`] steps
/// with an event, and the span has not even so many with or without.
pub(crate) fn axis(first: i64, last: i64) -> (u8, i64, usize) {
    let steps = |rung: u8| {
        let length = LADDER[usize::from(rung)];
        (first.div_euclid(length), last.div_euclid(length))
    };
    let fits = |rung: &u8| {
        let (start, end) = steps(*rung);
        end.abs_diff(start) < MAX_STEPS as u64
    };
    let rung = (0..LADDER.len() as u8).find(fits).expect("the longest step covers all times");
    let (start, end) = steps(rung);
    (rung, start, end.abs_diff(start) as usize + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_step_of_the_ladder_is_a_multiple_of_the_one_before() {
        for pair in LADDER.windows(2) {
            assert!(pair[1] > pair[0] && pair[1] % pair[0] == 0, "{pair:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_time_stands_in_its_step_of_the_axis(times in prop::collection::vec(spread_out(), 1..400), more in spread_out()) {
            let mut counted = Times::default();
            times.iter().for_each(|time| counted.count(*time));
            // The axis is that of a report with other shapes in it.
            let (first, last) = counted.span().unwrap();
            let (rung, start, steps) = axis(first.min(more), last.max(more));
            prop_assert!(steps <= MAX_STEPS);
            let mut counts = vec![0; steps];
            counted.spread(rung, start, &mut counts);
            let mut expected = vec![0; steps];
            for time in times {
                expected[(time.div_euclid(LADDER[usize::from(rung)]) - start) as usize] += 1;
            }
            prop_assert_eq!(counts, expected);
        }
    }

    /// Times of a second, a day, a century, and of any kind.
    fn spread_out() -> impl Strategy<Value = i64> {
        let around = |n: i64| 1_700_000_000_000 - n..1_700_000_000_000 + n;
        prop_oneof![around(1000), around(86_400_000), around(3_000_000_000_000), any::<i64>()]
    }

    #[test]
    fn the_longest_span_there_is_has_an_axis() {
        let (_, _, steps) = axis(i64::MIN, i64::MAX);
        assert!(steps <= MAX_STEPS);
    }
}
