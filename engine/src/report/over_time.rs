//! `OverTime`: events in the steps of a histogram. Kept without the zeros, as most clusters of a report with many of them have
//! events in a few steps only; written with them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Events in each step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverTime {
    steps: u32,
    /// Steps with events, ascending.
    some: Box<[(u32, u64)]>,
}

impl OverTime {
    /// All steps, zeros included.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.steps as usize];
        self.some.iter().for_each(|(step, events)| counts[*step as usize] = *events);
        counts
    }
}

impl From<&[u64]> for OverTime {
    fn from(counts: &[u64]) -> Self {
        let some = (0..).zip(counts.iter().copied()).filter(|(_, events)| *events > 0).collect();
        Self { steps: counts.len() as u32, some }
    }
}

impl Serialize for OverTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.counts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for OverTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(&Vec::deserialize(deserializer)?[..]))
    }
}
