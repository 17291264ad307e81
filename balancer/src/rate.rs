//! How many requests a client may have: nginx's `rate` and `burst`, by the generic cell rate algorithm (ITU-T I.371), which
//! keeps one time per client and is exact. Pure.
//!
//! A client's time is when its account is empty again: each request moves it on by the pause between two at the rate. A request
//! is too early if its client's time is further ahead of now than `burst` pauses.

use std::{fmt, str::FromStr, time::Duration};

/// A rate, and by how many requests it may be exceeded for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The pause between two requests.
    pause: Duration,
    /// By how much a client's time may be ahead of now.
    ahead: Duration,
}

/// Requests in some time, as nginx writes it: `10r/s` or `30r/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerTime(Duration);

impl FromStr for PerTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("`{text}` is no rate; write requests in a second or a minute, such as 10r/s or 30r/m");
        let (number, unit) = text.split_once('r').ok_or_else(expected)?;
        let time = match unit {
            "/s" => Duration::from_secs(1),
            "/m" => Duration::from_secs(60),
            _ => return Err(expected()),
        };
        let number: u32 =
            number.trim().parse().ok().filter(|number| (1..=1_000_000).contains(number)).ok_or_else(expected)?;
        Ok(Self(time / number))
    }
}

impl Rate {
    /// At this rate, and so many requests more than that.
    #[must_use]
    pub fn new(PerTime(pause): PerTime, burst: u32) -> Self {
        Self { pause, ahead: pause * burst }
    }

    /// Whether a client with this time may have a request now: its time after that, or how long it has to wait.
    ///
    /// # Errors
    ///
    /// It comes too early by so much.
    pub fn admit(&self, time: Duration, now: Duration) -> Result<Duration, Duration> {
        let time = time.max(now);
        match (time - now).checked_sub(self.ahead) {
            None | Some(Duration::ZERO) => Ok(time + self.pause),
            Some(early) => Err(early),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "one in {:?}, {} more at once", self.pause, self.ahead.as_nanos() / self.pause.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(text: &str, burst: u32) -> Rate {
        Rate::new(text.parse().unwrap(), burst)
    }

    #[test]
    fn a_burst_comes_at_once_and_then_one_in_each_pause() {
        let (rate, now) = (rate("10r/s", 2), Duration::from_secs(5));
        let mut time = Duration::ZERO;
        for _ in 0..3 {
            time = rate.admit(time, now).unwrap();
        }
        assert_eq!(rate.admit(time, now), Err(Duration::from_millis(100)));
        time = rate.admit(time, now + Duration::from_millis(100)).unwrap();
        assert!(rate.admit(time, now + Duration::from_millis(199)).is_err());
    }

    #[test]
    fn a_rate_says_what_was_expected() {
        assert_eq!("30r/m".parse(), Ok(PerTime(Duration::from_secs(2))));
        for text in ["", "10", "r/s", "0r/s", "10r/h", "-1r/s", "1.5r/s", "2000000r/s"] {
            assert!(text.parse::<PerTime>().unwrap_err().contains("such as 10r/s"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn in_no_time_are_there_more_than_the_rate_and_the_burst(
            pauses in prop::collection::vec(0_u64..300, 1..300), burst in 0_u32..20,
        ) {
            let rate = rate("20r/s", burst);
            let (mut time, mut now, mut admitted) = (Duration::ZERO, Duration::from_secs(1), Vec::new());
            for pause in pauses {
                now += Duration::from_millis(pause);
                if let Ok(next) = rate.admit(time, now) {
                    time = next;
                    admitted.push(now);
                }
            }
            for (first, from) in admitted.iter().enumerate() {
                for (last, to) in admitted.iter().enumerate().skip(first) {
                    let most = (*to - *from).as_millis() / 50 + u128::from(burst) + 1;
                    prop_assert!((last - first + 1) as u128 <= most);
                }
            }
        }

        #[test]
        fn who_keeps_to_the_rate_is_never_refused(pauses in prop::collection::vec(50_u64..300, 1..100)) {
            let rate = rate("20r/s", 0);
            let (mut time, mut now) = (Duration::ZERO, Duration::ZERO);
            for pause in pauses {
                now += Duration::from_millis(pause);
                time = rate.admit(time, now).unwrap();
            }
        }

        #[test]
        fn who_waits_as_long_as_it_was_told_is_admitted(burst in 0_u32..5, more in 1_u32..20) {
            let rate = rate("7r/m", burst);
            let (now, mut time) = (Duration::from_secs(9), Duration::ZERO);
            for _ in 0..burst + more {
                match rate.admit(time, now) {
                    Ok(next) => time = next,
                    Err(wait) => {
                        prop_assert!(rate.admit(time, now + wait).is_ok());
                        prop_assert!(rate.admit(time, now + wait - Duration::from_nanos(1)).is_err());
                    }
                }
            }
        }
    }
}
