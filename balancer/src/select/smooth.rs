//! In turn by weight, spread out: nginx's smooth weighted round robin. For weights 5, 1 and 1 the order is a a b a c a a.

use super::Candidates;

/// What each is owed.
#[derive(Debug, Clone, Default)]
pub struct Smooth(Vec<i64>);

impl Smooth {
    /// The next one: each is given its weight, who has most pays for all.
    pub fn pick(&mut self, candidates: &impl Candidates) -> Option<usize> {
        self.pick_of(candidates, |place| candidates.is_free(place))
    }

    /// The next one of those that are `free`.
    pub(super) fn pick_of(&mut self, candidates: &impl Candidates, free: impl Fn(usize) -> bool) -> Option<usize> {
        self.0.resize(candidates.count(), 0);
        let (mut total, mut best) = (0, None);
        for place in (0..candidates.count()).filter(|place| free(*place)) {
            let weight = i64::from(candidates.weight(place));
            self.0[place] += weight;
            total += weight;
            if best.is_none_or(|best: usize| self.0[place] > self.0[best]) {
                best = Some(place);
            }
        }
        self.0[best?] -= total;
        best
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::weighing, *};

    #[test]
    fn five_one_and_one_come_in_nginx_s_order() {
        let (backends, mut turns) = (weighing(&[5, 1, 1]), Smooth::default());
        let order: String = (0..14).map(|_| ["a", "b", "c"][turns.pick(&backends).unwrap()]).collect();
        assert_eq!(order, "aabacaaaabacaa");
    }

    proptest! {
        #[test]
        fn each_gets_exactly_its_weight_in_a_round(weights in prop::collection::vec(1_u32..30, 1..10), rounds in 1_u32..4) {
            let (backends, mut turns) = (weighing(&weights), Smooth::default());
            for _ in 0..rounds {
                let mut counts = vec![0; weights.len()];
                for _ in 0..weights.iter().sum() {
                    counts[turns.pick(&backends).unwrap()] += 1;
                }
                prop_assert_eq!(&counts, &weights);
            }
        }

        #[test]
        fn who_is_not_free_is_never_chosen_and_the_rest_by_weight(
            weights in prop::collection::vec(1_u32..9, 1..8),
            mask in prop::collection::vec(any::<bool>(), 8),
        ) {
            let (mut backends, mut turns) = (weighing(&weights), Smooth::default());
            backends.iter_mut().zip(mask).for_each(|(backend, free)| backend.free = free);
            let expected: Vec<u32> = backends.iter().map(|backend| if backend.free { backend.weight } else { 0 }).collect();
            let mut counts = vec![0; weights.len()];
            for _ in 0..expected.iter().sum() {
                counts[turns.pick(&backends).unwrap()] += 1;
            }
            prop_assert_eq!(counts, expected);
        }
    }
}
