//! Counts of things that have a name of the program's: why something was tried again, what failed.

use std::sync::OnceLock;

use super::Counter;

/// Names there is room for; the program has fewer.
const MOST: usize = 48;

/// Counts by name, with one writer. A name takes a place when it is met first.
#[derive(Debug)]
pub struct ByName([(OnceLock<&'static str>, Counter); MOST]);

impl Default for ByName {
    fn default() -> Self {
        Self(std::array::from_fn(|_| <(OnceLock<&'static str>, Counter)>::default()))
    }
}

impl ByName {
    /// Counts one more of this name.
    pub fn add(&self, name: &'static str) {
        let place = self.0.iter().find(|(known, _)| *known.get_or_init(|| name) == name);
        if let Some((_, counter)) = place {
            counter.add_one();
        }
    }

    /// All that were met, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map_while(|(name, counter)| Some((*name.get()?, counter.get())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_count_of_its_own() {
        let counts = ByName::default();
        ["cut", "stale", "cut"].iter().for_each(|name| counts.add(name));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("cut", 2), ("stale", 1)]);
    }
}
