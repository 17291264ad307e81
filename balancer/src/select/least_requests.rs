//! Who works on the fewest requests for its weight; in turn among those who are alike, as nginx's `least_conn`.

use super::{Candidates, smooth::Smooth};

/// Whose turn it is among those who are alike.
#[derive(Debug, Clone, Default)]
pub struct LeastRequests(Smooth);

impl LeastRequests {
    /// The next one.
    pub fn pick(&mut self, candidates: &impl Candidates) -> Option<usize> {
        // Each is looked at once: the others change these numbers meanwhile.
        let mut least: Option<(usize, u32)> = None;
        let mut alike = Vec::new();
        for place in (0..candidates.count()).filter(|place| candidates.is_free(*place)) {
            let (busy, weight) = (candidates.in_flight(place), candidates.weight(place));
            let order = least.map(|(least, of)| (busy as u64 * u64::from(of)).cmp(&(least as u64 * u64::from(weight))));
            match order {
                None | Some(std::cmp::Ordering::Less) => {
                    least = Some((busy, weight));
                    alike.clear();
                    alike.push(place);
                }
                Some(std::cmp::Ordering::Equal) => alike.push(place),
                Some(std::cmp::Ordering::Greater) => {}
            }
        }
        self.0.pick_of(candidates, |place| alike.contains(&place))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::weighing, *};

    #[test]
    fn those_who_are_alike_are_asked_in_turn() {
        let (backends, mut least) = (weighing(&[1, 1, 1]), LeastRequests::default());
        assert_eq!([0; 6].map(|_| least.pick(&backends).unwrap()), [0, 1, 2, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn nobody_has_fewer_requests_for_its_weight(loads in prop::collection::vec((0_usize..50, 1_u32..9, any::<bool>()), 1..12)) {
            let mut backends = weighing(&loads.iter().map(|(_, weight, _)| *weight).collect::<Vec<_>>());
            for (backend, (busy, _, free)) in backends.iter_mut().zip(&loads) {
                (backend.in_flight, backend.free) = (*busy, *free);
            }
            match LeastRequests::default().pick(&backends) {
                None => prop_assert!(backends.iter().all(|backend| !backend.free)),
                Some(chosen) => {
                    let share = |place: usize| backends[place].in_flight as f64 / f64::from(backends[place].weight);
                    prop_assert!(backends[chosen].free);
                    prop_assert!((0..backends.len()).all(|other| !backends[other].free || share(chosen) <= share(other)));
                }
            }
        }

        #[test]
        fn what_lasts_is_spread_by_weight(weights in prop::collection::vec(1_u32..9, 1..8), rounds in 1_u32..4) {
            let (mut backends, mut least) = (weighing(&weights), LeastRequests::default());
            for _ in 0..weights.iter().sum::<u32>() * rounds {
                let chosen = least.pick(&backends).unwrap();
                backends[chosen].in_flight += 1;
            }
            for (backend, weight) in backends.iter().zip(&weights) {
                prop_assert_eq!(backend.in_flight, (weight * rounds) as usize);
            }
        }
    }
}
