//! Slow start: whoever is new or back gets little at first, and its full share after a time.

use std::time::Duration;

/// Parts of a weight, so that there is something between nothing and 1, and backends that came within milliseconds weigh about
/// the same from the beginning.
pub const PARTS: u32 = 10_000;

/// The least that counts of a weight, in parts.
const LEAST: u32 = PARTS / 100;

/// The weight that counts, in parts, this long after a backend came.
#[must_use]
pub fn weigh(weight: u32, served: Duration, slow_start: Duration) -> u32 {
    let full = weight.saturating_mul(PARTS);
    if served >= slow_start {
        return full;
    }
    let part = u64::from(full) * u64::try_from(served.as_millis()).unwrap_or(u64::MAX)
        / u64::try_from(slow_start.as_millis()).unwrap_or(u64::MAX).max(1);
    u32::try_from(part).unwrap_or(full).clamp(weight.saturating_mul(LEAST).min(full), full)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_the_time_is_half_the_weight() {
        let minute = Duration::from_secs(60);
        assert_eq!(weigh(4, minute / 2, minute), 4 * PARTS / 2);
        assert_eq!(weigh(4, Duration::ZERO, Duration::ZERO), 4 * PARTS);
    }

    #[test]
    fn those_that_start_together_have_equal_shares_from_the_first_second_on() {
        let slow = Duration::from_secs(30);
        for second in 1..30 {
            let [first, next] = [0, 20].map(|late| weigh(1, Duration::from_millis(second * 1000 - late), slow));
            assert!((first - next) * 20 <= first, "{first} and {next} after {second} s");
        }
    }

    proptest! {
        #[test]
        fn it_grows_from_a_hundredth_to_all(weight in 1_u32..1000, slow in 1_u64..100_000, times in prop::collection::vec(0_u64..200_000, 2..20)) {
            let mut times = times;
            times.sort_unstable();
            let at = |millis| weigh(weight, Duration::from_millis(millis), Duration::from_millis(slow));
            prop_assert!(times.windows(2).all(|pair| at(pair[0]) <= at(pair[1])));
            prop_assert_eq!((at(0), at(slow)), (weight * LEAST, weight * PARTS));
        }
    }
}
