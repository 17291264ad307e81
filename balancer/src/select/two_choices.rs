//! Two are drawn by lot, and the better one is taken: the one whose recent latency times its requests is less for its
//! weight. Whoever is slow gets little, and nobody who looks best for a moment gets everything.
//!
//! What is not known of one, or was heard long ago, is taken from the other. So requests that wait count by themselves: at one
//! who has never answered, or answers no more, they are as costly as elsewhere, and it draws no more than its share. Who was
//! neither asked nor heard for a second is now and then taken for unknown: one failure or slow answer keeps nobody out for long.

use super::{Candidates, ewma::Latency};

/// What is assumed of one who is not known, beside the other: a little less, or who was slow once would never be asked again.
const HOPE: f64 = 0.75;

/// Of so many draws of one of which nothing was heard for a while, one takes it for unknown. Where there are few requests, all
/// are heard of seldom, and whoever is slow would get as many as the others.
const TRY_ONE_IN: usize = 5;

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
        let known = [second, first].map(|place| self.known(candidates.latency(place)));
        Some(if is_better(candidates, [second, first], known) { second } else { first })
    }

    /// What is relied on of what is known.
    fn known(&mut self, known: Latency) -> Latency {
        if known.is_old && self.below(TRY_ONE_IN) == Some(0) { Latency::default() } else { known }
    }

    /// A number from 0 to `bound` without it.
    pub(crate) fn below(&mut self, bound: usize) -> Option<usize> {
        // SplitMix64 (Steele, Lea, Flood 2014): any seed will do.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        usize::try_from(super::key::mix(self.0) >> 1).ok()?.checked_rem(bound)
    }
}

/// Whether a request would be done sooner at the first than at the second.
fn is_better(candidates: &impl Candidates, [first, second]: [usize; 2], known: [Latency; 2]) -> bool {
    let trust = known[0].trust + known[1].trust;
    let heard = known[0].seconds * known[0].trust + known[1].seconds * known[1].trust;
    // Any number will do where nothing is known of either.
    let usual = if trust > 0.0 { heard / trust } else { 1.0 };
    let cost = |place: usize, known: Latency| {
        let waiting = u32::try_from(candidates.in_flight(place)).unwrap_or(u32::MAX);
        let latency = known.seconds * known.trust + HOPE * usual * (1.0 - known.trust);
        latency * (f64::from(waiting) + 1.0) / f64::from(candidates.weight(place))
    };
    cost(first, known[0]) < cost(second, known[1])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::time::{Duration, Instant};

    use super::{
        super::{ewma::Ewma, tests::weighing},
        *,
    };

    fn heard(seconds: f64) -> Latency {
        Latency { seconds, trust: 1.0, is_old: false }
    }

    /// How many of 3,000 requests come to the first backend, which answers none of them; of the others a few are under way.
    fn drawn_by_one_that_hangs(known: Latency, others: &[usize]) -> usize {
        let mut backends = weighing(&vec![1; others.len() + 1]);
        backends[0].latency = known;
        for (backend, busy) in backends[1..].iter_mut().zip(others) {
            (backend.latency, backend.in_flight) = (heard(0.01), *busy);
        }
        let mut lots = TwoChoices::seeded(3);
        for _ in 0..3000 {
            let chosen = lots.pick(&backends).unwrap();
            backends[chosen].in_flight += usize::from(chosen == 0);
        }
        backends[0].in_flight
    }

    #[test]
    fn one_that_never_answers_draws_no_more_than_waits_at_the_others() {
        // Neither one that has just come, nor one of which nothing was heard for a minute or an hour.
        for (trust, is_old) in
            [0.0, 1e-9, 0.002, 0.5, 1.0].into_iter().flat_map(|trust| [(trust, false), (trust, true)])
        {
            for others in [&[0, 0][..], &[3, 3], &[0, 0, 0, 0, 0, 0, 0], &[20, 20, 20]] {
                let drawn = drawn_by_one_that_hangs(Latency { seconds: 0.01, trust, is_old }, others);
                assert!(drawn <= 2 * (others[0] + 1), "{drawn} with trust {trust} beside {others:?}");
            }
        }
    }

    #[test]
    fn one_that_was_slow_is_asked_again_after_a_while() {
        let mut backends = weighing(&[1, 1]);
        backends[1].latency = heard(0.01);
        let mut lots = TwoChoices::seeded(3);
        let mut asked = |trust| {
            backends[0].latency = Latency { seconds: 1.0, trust, is_old: false };
            (0..100).any(|_| lots.pick(&backends) == Some(0))
        };
        assert!(!asked(1.0) && !asked(0.1) && asked(0.001));
    }

    /// How many of a second's requests, in each of ten seconds, go to the first of two backends, which took a second for the
    /// last one and takes so long for the next; the other one takes a millisecond.
    fn drawn_after_a_slow_one(requests: usize, takes: Duration) -> [usize; 10] {
        let (mut now, mut lots) = (Instant::now(), TwoChoices::seeded(3));
        let mut known = [Ewma::default(); 2];
        let mut backends = weighing(&[1, 1]);
        known[0].observe(Duration::from_secs(1), now);
        known[1].observe(Duration::from_millis(1), now);
        [(); 10].map(|()| {
            let mut drawn = 0;
            for _ in 0..requests {
                now += Duration::from_secs(1) / u32::try_from(requests).unwrap();
                (backends[0].latency, backends[1].latency) = (known[0].get(now), known[1].get(now));
                let chosen = lots.pick(&backends).unwrap();
                known[chosen].ask(now);
                known[chosen].observe(if chosen == 0 { takes } else { Duration::from_millis(1) }, now);
                drawn += usize::from(chosen == 0);
            }
            drawn
        })
    }

    #[test]
    fn who_was_slow_or_failed_once_is_tried_again_soon_and_has_its_share_and_who_is_slow_gets_little() {
        for requests in [20, 100, 1000] {
            let well = drawn_after_a_slow_one(requests, Duration::from_millis(1));
            assert_eq!(well[0], 0, "{well:?}");
            assert!(well[1] + well[2] > 0 && well[4] >= requests / 3, "{well:?} of {requests}");
            let slow = drawn_after_a_slow_one(requests, Duration::from_secs(1));
            assert!(slow.iter().all(|drawn| *drawn <= 1), "{slow:?} of {requests}");
        }
        let seldom = drawn_after_a_slow_one(1, Duration::from_secs(1));
        assert!(seldom.iter().sum::<usize>() <= 3, "{seldom:?}");
    }

    #[test]
    fn the_slowest_of_all_gets_nothing_while_it_is_that() {
        let mut backends = weighing(&[1, 1, 1, 1]);
        for (backend, latency) in backends.iter_mut().zip([1.0, 1.0, 1.0, 50.0]) {
            backend.latency = heard(latency);
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
                (backend.in_flight, backend.latency, backend.free) = (*busy, heard(f64::from(*latency)), *free);
            }
            let free: Vec<usize> = (0..loads.len()).filter(|place| loads[*place].2).collect();
            let mut lots = TwoChoices::seeded(seed);
            for _ in 0..20 {
                let Some(chosen) = lots.pick(&backends) else {
                    prop_assert!(free.is_empty());
                    continue;
                };
                prop_assert!(free.contains(&chosen));
                let is_better = |other| is_better(&backends, [other, chosen], [other, chosen].map(|place| backends[place].latency));
                let worse = free.iter().any(|other| *other != chosen && !is_better(*other));
                prop_assert!(worse || free.len() == 1);
            }
        }
    }
}
