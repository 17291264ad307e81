//! How long a backend takes for an answer lately: an average that forgets, but believes bad news at once (peak EWMA).

use std::time::{Duration, Instant};

/// What is a third as important as now.
const MEMORY: f64 = 10.0;

/// A latency as it is known now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// The average.
    pub seconds: f64,
    /// How far it can be relied on: from 1, just heard, to 0, nothing known.
    pub trust: f64,
}

/// A moving average of latencies, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ewma(Option<(f64, Instant)>);

impl Ewma {
    /// Another answer took this long.
    pub fn observe(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        let known = match self.0 {
            Some((known, at)) if took < known => {
                let kept = fade(at, now);
                known * kept + took * (1.0 - kept)
            }
            _ => took,
        };
        self.0 = Some((known, now));
    }

    /// The average; trust in it fades while nothing is heard, so that whoever was slow is asked again.
    #[must_use]
    pub fn get(&self, now: Instant) -> Latency {
        self.0.map_or(Latency::default(), |(seconds, at)| Latency { seconds, trust: fade(at, now) })
    }
}

fn fade(at: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(at).as_secs_f64() / MEMORY).exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bad_news_is_believed_at_once_and_fades() {
        let (now, mut ewma) = (Instant::now(), Ewma::default());
        ewma.observe(Duration::from_millis(1), now);
        ewma.observe(Duration::from_secs(1), now);
        assert_eq!(ewma.get(now), Latency { seconds: 1.0, trust: 1.0 });
        assert!(ewma.get(now + Duration::from_secs(60)).trust < 0.01);
    }

    proptest! {
        #[test]
        fn it_stays_between_0_and_the_worst(steps in prop::collection::vec((0_u64..10_000, 0_u64..5000), 1..50)) {
            let (mut now, mut ewma) = (Instant::now(), Ewma::default());
            let worst = steps.iter().map(|(took, _)| *took).max().unwrap();
            for (took, gap) in steps {
                now += Duration::from_millis(gap);
                ewma.observe(Duration::from_millis(took), now);
                let known = ewma.get(now).seconds;
                prop_assert!(known >= Duration::from_millis(took).as_secs_f64() - 1e-9);
                prop_assert!(known <= Duration::from_millis(worst).as_secs_f64() + 1e-9);
            }
        }
    }
}
