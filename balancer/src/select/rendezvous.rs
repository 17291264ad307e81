//! The same backend for the same key, by weight: each is given a number from the key and its name, and the highest wins
//! (rendezvous hashing, Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005). When one goes, its
//! keys go to the others by weight, and no other key moves; when one comes, it takes its share and no other key moves.
//! A ring does that only about, and has to be built.

use super::{Candidates, key};

/// The one for a key.
pub fn pick(candidates: &impl Candidates, key: u64) -> Option<usize> {
    let free = (0..candidates.count()).filter(|place| candidates.is_free(*place));
    let scored = free.map(|place| (score(key, candidates.name(place), candidates.weight(place)), place));
    scored.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, place)| place)
}

fn score(key: u64, name: u64, weight: u32) -> f64 {
    // 53 bits are what a float holds; a half more keeps it off 0 and 1.
    let bits = u32::try_from(key::mix(key ^ name) >> 32).unwrap_or_default();
    let unit = (f64::from(bits) + 0.5) / f64::from(u32::MAX);
    f64::from(weight) / -unit.min(1.0 - f64::EPSILON).ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::weighing, *};

    fn keys() -> impl Iterator<Item = u64> {
        (0..4000_u32).map(|number| key::number(&number.to_le_bytes()))
    }

    #[test]
    fn keys_are_spread_by_weight() {
        let backends = weighing(&[1, 2, 5]);
        let mut counts = [0.0; 3];
        keys().for_each(|key| counts[pick(&backends, key).unwrap()] += 1.0);
        for (count, share) in counts.iter().zip([500.0, 1000.0, 2500.0]) {
            assert!((count - share) / share < 0.15, "{counts:?}");
        }
    }

    proptest! {
        #[test]
        fn when_one_goes_only_its_keys_move(weights in prop::collection::vec(1_u32..9, 2..10), gone: prop::sample::Index) {
            let (backends, gone) = (weighing(&weights), gone.index(weights.len()));
            let mut without = backends.clone();
            without[gone].free = false;
            for key in keys() {
                let before = pick(&backends, key).unwrap();
                let after = pick(&without, key).unwrap();
                prop_assert!(after != gone && (before == after || before == gone));
            }
        }

        #[test]
        fn one_that_comes_or_goes_moves_no_more_than_about_its_share(weights in prop::collection::vec(1_u32..9, 2..10)) {
            let backends = weighing(&weights);
            let before = backends[..weights.len() - 1].to_vec();
            let moved = keys().filter(|key| pick(&before, *key) != pick(&backends, *key)).count();
            let share = f64::from(*weights.last().unwrap()) / f64::from(weights.iter().sum::<u32>());
            // Five standard deviations of 4000 throws.
            let most = 4000.0 * share + 5.0 * (4000.0 * share * (1.0 - share)).sqrt();
            prop_assert!(moved as f64 <= most, "{moved} > {most}");
        }
    }
}
