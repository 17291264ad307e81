//! When checks take a backend out and back: so many in a row. Pure.

use std::time::Duration;

/// How backends are checked: by a GET if they have a path for it, else by a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// The pause between two.
    pub interval: Duration,
    /// Longest time for one.
    pub deadline: Duration,
    /// Failed ones in a row that take a backend out; not 0.
    pub fails: u32,
    /// Passed ones in a row that take it back; not 0.
    pub passes: u32,
}

/// What the checks of one backend have told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    is_well: bool,
    /// Checks in a row that say otherwise.
    otherwise: u32,
}

impl Tally {
    /// A backend that nobody has checked is taken for well.
    pub(crate) fn new() -> Self {
        Self { is_well: true, otherwise: 0 }
    }

    /// Another check; says whether it is well from now on, if that is news.
    pub(crate) fn note(&mut self, passed: bool, checks: &Checks) -> Option<bool> {
        if passed == self.is_well {
            self.otherwise = 0;
            return None;
        }
        self.otherwise += 1;
        let enough = if self.is_well { checks.fails } else { checks.passes };
        (self.otherwise >= enough).then(|| {
            *self = Self { is_well: passed, otherwise: 0 };
            passed
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checks(fails: u32, passes: u32) -> Checks {
        Checks { interval: Duration::ZERO, deadline: Duration::ZERO, fails, passes }
    }

    #[test]
    fn one_failure_among_passes_is_nothing() {
        let (mut tally, rounds) = (Tally::new(), checks(2, 2));
        let news = [false, true, false, false, true, false, true, true].map(|passed| tally.note(passed, &rounds));
        assert_eq!(news, [None, None, None, Some(false), None, None, None, Some(true)]);
    }

    proptest! {
        #[test]
        fn news_come_after_so_many_in_a_row(outcomes in prop::collection::vec(any::<bool>(), 0..200), fails in 1_u32..5, passes in 1_u32..5) {
            let (mut tally, rounds) = (Tally::new(), checks(fails, passes));
            let (mut well, mut row, mut before) = (true, 0, None);
            for passed in outcomes {
                row = if before == Some(passed) { row + 1 } else { 1 };
                before = Some(passed);
                let news = tally.note(passed, &rounds);
                let enough = row >= if well { fails } else { passes };
                prop_assert_eq!(news, (passed != well && enough).then_some(passed));
                well = news.unwrap_or(well);
            }
        }
    }
}
