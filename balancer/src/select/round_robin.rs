//! In turn. Each thread has its own turns and begins at another place, so that no state is shared.

/// Whose turn it is.
#[derive(Debug, Clone)]
pub struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// Begins with the candidate at `offset`.
    #[must_use]
    pub fn starting_at(offset: usize) -> Self {
        Self { next: offset }
    }

    /// The position of the next of `candidates` that is not excluded.
    pub fn pick(&mut self, candidates: usize, excluded: impl Fn(usize) -> bool) -> Option<usize> {
        let first = if candidates == 0 { return None } else { self.next % candidates };
        let chosen = (first..candidates).chain(0..first).find(|&position| !excluded(position))?;
        self.next = chosen + 1;
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_candidate_gets_the_same_number_of_turns(candidates in 1usize..20, rounds in 1usize..20, offset: u16) {
            let mut turns = RoundRobin::starting_at(offset.into());
            let mut counts = vec![0; candidates];
            for _ in 0..candidates * rounds {
                counts[turns.pick(candidates, |_| false).unwrap()] += 1;
            }
            prop_assert_eq!(counts, vec![rounds; candidates]);
        }

        #[test]
        fn an_excluded_candidate_is_never_chosen(mask in prop::collection::vec(any::<bool>(), 0..12), offset: u16) {
            let mut turns = RoundRobin::starting_at(offset.into());
            for _ in 0..30 {
                match turns.pick(mask.len(), |position| mask[position]) {
                    Some(chosen) => prop_assert!(!mask[chosen]),
                    None => prop_assert!(mask.iter().all(|&excluded| excluded)),
                }
            }
        }

        #[test]
        fn a_list_that_shrinks_or_grows_is_no_trouble(sizes in prop::collection::vec(0usize..9, 1..60)) {
            let mut turns = RoundRobin::starting_at(0);
            for size in sizes {
                prop_assert_eq!(turns.pick(size, |_| false).is_some(), size > 0);
            }
        }
    }
}
