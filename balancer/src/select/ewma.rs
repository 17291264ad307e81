//! How long a backend takes for an answer lately: an average that forgets, but believes bad news at once (peak EWMA).

use std::time::{Duration, Instant};

/// What is a third as important as now.
const MEMORY: f64 = 10.0;

/// Of whom nothing was heard for so long, one answer says more than all those before.
const QUIET: Duration = Duration::from_secs(1);

/// A latency as it is known now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// The average.
    pub seconds: f64,
    /// How far it can be relied on: from 1, just heard, to 0, nothing known.
    pub trust: f64,
    /// Whether it was neither heard nor asked for a while, and may be worth a try whatever was known.
    pub is_old: bool,
}

/// A moving average of latencies, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ewma {
    heard: Option<(f64, Instant)>,
    asked: Option<Instant>,
}

impl Ewma {
    /// It is asked.
    pub fn ask(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// Another answer took this long.
    pub fn observe(&mut self, took: Duration, now: Instant) {
        let took = took.as_secs_f64();
        let known = match self.heard {
            Some((known, at)) if took < known && now.saturating_duration_since(at) < QUIET => {
                let kept = fade(at, now);
                known * kept + took * (1.0 - kept)
            }
            _ => took,
        };
        self.heard = Some((known, now));
    }

    /// The average; trust in it fades while nothing is heard, so that whoever was slow is asked again.
    #[must_use]
    pub fn get(&self, now: Instant) -> Latency {
        self.heard.map_or(Latency::default(), |(seconds, at)| {
            let last = self.asked.map_or(at, |asked| asked.max(at));
            let is_old = now.saturating_duration_since(last) >= QUIET;
            Latency { seconds, trust: fade(at, now), is_old }
        })
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
        assert_eq!(ewma.get(now), Latency { seconds: 1.0, trust: 1.0, is_old: false });
        assert!(ewma.get(now + Duration::from_secs(60)).trust < 0.01);
    }

    #[test]
    fn one_answer_after_a_quiet_second_is_believed_and_who_was_asked_is_not_quiet() {
        let (now, mut ewma) = (Instant::now(), Ewma::default());
        ewma.observe(Duration::from_secs(1), now);
        let later = now + QUIET;
        assert!(ewma.get(later).is_old && !ewma.get(later - Duration::from_millis(1)).is_old);
        ewma.ask(later);
        assert!(!ewma.get(later).is_old);
        ewma.observe(Duration::from_millis(1), later);
        assert_eq!(ewma.get(later), Latency { seconds: 0.001, trust: 1.0, is_old: false });
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
