//! How long to wait before a program that died is started again. Pure: chance comes in.

use std::time::Duration;

use crate::config::Backoff;

/// The delay after the `failures`th death in a row (the first is 1): doubling, bounded, and spread over its upper half by
/// `chance` (0 to 1), so that instances that died together do not start together.
#[must_use]
pub fn delay(backoff: &Backoff, failures: u32, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(30);
    let full = backoff.first.saturating_mul(1 << doublings).min(backoff.most);
    full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delay_stays_within_its_bounds(failures: u32, chance in 0.0..=1.0f64) {
            let backoff = Backoff::default();
            let delay = delay(&backoff, failures, chance);
            prop_assert!(delay >= backoff.first / 2 && delay <= backoff.most);
        }

        #[test]
        fn delays_grow_until_the_bound(failures in 1u32..100, chance in 0.0..=1.0f64) {
            let backoff = Backoff::default();
            prop_assert!(delay(&backoff, failures + 1, chance) >= delay(&backoff, failures, chance));
            prop_assert_eq!(delay(&backoff, u32::MAX, 1.0), backoff.most);
        }
    }
}
