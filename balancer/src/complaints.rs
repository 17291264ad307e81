//! What is wrong with one backend's answers. A backend that is broken is so with every answer, so each reason is told when it
//! comes up, and then as a count from time to time. Pure.

use std::time::{Duration, Instant};

/// How long a reason is only counted once it was told.
const PAUSE: Duration = Duration::from_secs(5);

/// The reasons that were told lately. They are the program's own words, so there are only so many.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Vec<Complaint>);

#[derive(Debug)]
struct Complaint {
    why: String,
    told: Instant,
    /// How often it came up since.
    more: u64,
}

impl Complaints {
    /// Notes a reason. Says whether it is to be told; else it is counted.
    pub(crate) fn note(&mut self, why: &str, now: Instant) -> bool {
        match self.0.iter_mut().find(|known| known.why == why) {
            Some(known) => {
                known.more += 1;
                false
            }
            None => {
                self.0.push(Complaint { why: why.to_owned(), told: now, more: 0 });
                true
            }
        }
    }

    /// What was counted for long enough, how often, and in how many seconds. What has not come up again is forgotten.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(String, u64, u64)> {
        let mut due = Vec::new();
        self.0.retain_mut(|known| {
            let since = now.saturating_duration_since(known.told);
            if since < PAUSE {
                return true;
            }
            let more = std::mem::take(&mut known.more);
            known.told = now;
            if more > 0 {
                due.push((known.why.clone(), more, since.as_secs()));
            }
            more > 0
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reason_is_told_once_then_counted_then_forgotten() {
        let (mut complaints, begin) = (Complaints::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(["a", "a", "b", "a"].map(|why| complaints.note(why, at(0))), [true, false, true, false]);
        assert_eq!(complaints.due(at(4)), []);
        assert_eq!(complaints.due(at(5)), [("a".to_owned(), 2, 5)]);
        assert_eq!((complaints.note("a", at(6)), complaints.note("b", at(6))), (false, true));
        assert_eq!(complaints.due(at(10)), [("a".to_owned(), 1, 5)]);
        assert_eq!(complaints.due(at(15)), []);
        assert!(complaints.note("a", at(16)), "it is news again");
    }

    proptest! {
        #[test]
        fn every_complaint_is_told_or_counted(steps in prop::collection::vec((0_usize..3, 0_u64..5), 0..200)) {
            let (mut complaints, mut now) = (Complaints::default(), Instant::now());
            let mut told = 0;
            for (why, seconds) in &steps {
                now += Duration::from_secs(*seconds);
                told += u64::from(complaints.note(["a", "b", "c"][*why], now));
                told += complaints.due(now).iter().map(|(_, more, _)| more).sum::<u64>();
            }
            told += complaints.due(now + PAUSE).iter().map(|(_, more, _)| more).sum::<u64>();
            prop_assert_eq!(told, steps.len() as u64);
        }
    }
}
