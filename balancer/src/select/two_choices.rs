//! Two are drawn by lot, and the better one is taken: the one whose recent latency times its requests is less for its
//! weight. Whoever is slow gets little, and nobody who looks best for a moment gets everything.

use super::Candidates;

/// The lots: a generator of numbers that nobody needs to be unable to foresee.
#[derive(Debug, Clone)]
pub struct TwoChoices(u64);

impl TwoChoices {
    /// Lots that begin with a seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    pub fn pick(&mut self, candidates: &impl Candidates) -> Option<usize> {
        let free = || (0..candidates.count()).filter(|place| candidates.is_free(*place));
        let count = free().count();
        let first = free().nth(self.below(count)?)?;
        if count == 1 {
            return Some(first);
        }
        let second = free().filter(|place| *place != first).nth(self.below(count - 1)?)?;
        Some(if cost(candidates, second) < cost(candidates, first) { second } else { first })
    }

    /// A number from 0 to `bound` without it.
    pub(crate) fn below(&mut self, bound: usize) -> Option<usize> {
        // SplitMix64 (Steele, Lea, Flood 2014): any seed will do.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        usize::try_from(super::key::mix(self.0) >> 1).ok()?.checked_rem(bound)
    }
}

/// How long a request would take there.
fn cost(candidates: &impl Candidates, place: usize) -> f64 {
    let waiting = u32::try_from(candidates.in_flight(place)).unwrap_or(u32::MAX);
    candidates.latency(place) * (f64::from(waiting) + 1.0) / f64::from(candidates.weight(place))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::weighing, *};

    #[test]
    fn the_slowest_of_all_gets_nothing_while_it_is_that() {
        let mut backends = weighing(&[1, 1, 1, 1]);
        for (backend, latency) in backends.iter_mut().zip([1.0, 1.0, 1.0, 50.0]) {
            backend.latency = latency;
        }
        let mut lots = TwoChoices::seeded(7);
        let mut counts = [0; 4];
        for _ in 0..3000 {
            counts[lots.pick(&backends).unwrap()] += 1;
        }
        assert_eq!(counts[3], 0);
        assert!(counts[..3].iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn the_one_taken_is_free_and_never_the_worst(
            loads in prop::collection::vec((0_usize..50, 1_u32..1000, any::<bool>()), 0..12),
            seed: u64,
        ) {
            let mut backends = weighing(&vec![1; loads.len()]);
            for (backend, (busy, latency, free)) in backends.iter_mut().zip(&loads) {
                (backend.in_flight, backend.latency, backend.free) = (*busy, f64::from(*latency), *free);
            }
            let free: Vec<usize> = (0..loads.len()).filter(|place| loads[*place].2).collect();
            let mut lots = TwoChoices::seeded(seed);
            for _ in 0..20 {
                let Some(chosen) = lots.pick(&backends) else {
                    prop_assert!(free.is_empty());
                    continue;
                };
                prop_assert!(free.contains(&chosen));
                let worse = free.iter().any(|other| *other != chosen && cost(&backends, *other) >= cost(&backends, chosen));
                prop_assert!(worse || free.len() == 1);
            }
        }
    }
}
