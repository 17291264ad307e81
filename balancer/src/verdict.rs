//! What requests tell about their backends, and what follows: too many failures in a window take one out, so does a run
//! of server errors that the others do not have; one request decides whether it comes back. Pure.
//!
//! A client must not be able to put backends out. So a failure counts at once only if it cannot be the request's doing:
//! no connection could be made in time, or another backend then answered the same request. Other failures may be the
//! request's as well as the backend's, and so may server errors; they count once per client, and only beside those of other
//! clients. Where several backends were asked and none has answered, that says something only of one who answers nobody else
//! meanwhile.

use std::{
    collections::VecDeque,
    net::IpAddr,
    time::{Duration, Instant},
};

pub mod checks;

/// Fewer clients than that never take a backend out with what may be their requests' doing.
pub(crate) const FEWEST: u32 = 2;

/// When failures take a backend out; nginx's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// This many failures within `fail_timeout`; 0 is never.
    pub max_fails: u32,
    /// The window, and for how long it is out then.
    pub fail_timeout: Duration,
}

impl Default for Patience {
    /// nginx has 1 for `max_fails`: a single client that is waited for too long would do.
    fn default() -> Self {
        Self { max_fails: 3, fail_timeout: Duration::from_secs(10) }
    }
}

/// When server errors take a backend out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outliers {
    /// Of this many clients in a row; 0 is never.
    pub run: u32,
    /// At most this share of the backends is out for it.
    pub most_percent: u8,
}

impl Default for Outliers {
    fn default() -> Self {
        Self { run: 5, most_percent: 50 }
    }
}

impl Outliers {
    /// This many clients are enough.
    #[must_use]
    pub fn enough(&self) -> u32 {
        self.run.max(FEWEST)
    }
}

/// Why a backend gets nothing for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Failures within the window.
    Failures,
    /// Server errors in a row.
    Errors,
}

/// Whose request it was that may be to blame: a client's address, or the network of it that one client usually has to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect(u64);

impl Suspect {
    /// The client with this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u32::from(address).into()),
            IpAddr::V6(address) => Self(u64::try_from(u128::from(address) >> 64).unwrap_or_default()),
        }
    }
}

/// One failure of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Instant,
    /// Whose request it was, if it may have been the request.
    pub suspect: Option<Suspect>,
}

/// The failures of one backend that still count.
#[derive(Debug, Clone, Default)]
pub struct Window {
    failures: VecDeque<Failure>,
    /// What was before does not count, whenever it is told.
    since: Option<Instant>,
}

impl Window {
    /// Notes a failure. Says whether it takes the backend out; then the window is empty again.
    ///
    /// It holds fewer than twice `max_fails`: it is emptied when either kind is complete.
    pub fn note(&mut self, failure: Failure, patience: &Patience) -> bool {
        if patience.max_fails == 0 || self.since.is_some_and(|since| failure.at < since) {
            return false;
        }
        let since = |earlier: &Failure| failure.at.saturating_duration_since(earlier.at);
        self.failures.retain(|earlier| since(earlier) < patience.fail_timeout);
        if failure.suspect.is_some() {
            self.failures.retain(|earlier| earlier.suspect != failure.suspect);
        }
        self.failures.push_back(failure);
        let is_over = self.weight() >= patience.max_fails;
        if is_over {
            self.failures.clear();
        }
        is_over
    }

    /// The backend is back, and may be another one: what was before is forgotten, once in each `fail_timeout`. One that dies
    /// of its requests and is back each time would fail them for ever.
    pub fn begin_anew(&mut self, now: Instant, patience: &Patience) {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= patience.fail_timeout) {
            *self = Self { failures: VecDeque::new(), since: Some(now) };
        }
    }

    /// What its failures add up to.
    fn weight(&self) -> u32 {
        let suspects = self.failures.iter().filter(|failure| failure.suspect.is_some()).count();
        let sure = self.failures.len() - suspects;
        u32::try_from(if suspects >= FEWEST as usize { sure + suspects } else { sure }).unwrap_or(u32::MAX)
    }
}

/// Clients for whom something went wrong at one backend since it last went well.
#[derive(Debug, Default)]
pub struct Run {
    clients: Vec<Suspect>,
    /// When it began.
    since: Option<Instant>,
}

impl Run {
    /// Notes another error. Says of how many clients there are some: no more than `most`, which is enough to know.
    pub fn note(&mut self, suspect: Suspect, most: u32, now: Instant) -> u32 {
        self.since.get_or_insert(now);
        if self.count() < most && !self.clients.contains(&suspect) {
            self.clients.push(suspect);
        }
        self.count()
    }

    /// For how long it has gone on.
    #[must_use]
    pub fn lasts(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// It is over.
    pub fn end(&mut self) {
        self.clients.clear();
        self.since = None;
    }

    fn count(&self) -> u32 {
        u32::try_from(self.clients.len()).unwrap_or(u32::MAX)
    }
}

/// Whether a status says that the backend is in trouble. 501 and 505 are what a client can ask for.
#[must_use]
pub fn is_server_error(status: u16) -> bool {
    status >= 500 && status != 501 && status != 505
}

/// Whether a run of server errors takes a backend out: one client's errors never do. `run` is of how many clients it is,
/// `others` the same of those that get requests too, `out` is how many of `all` are out for this already.
///
/// When the others have such runs as well, it is what they are asked, or what is behind all of them.
#[must_use]
pub fn is_outlier(run: u32, others: &[u32], out: usize, all: usize, outliers: &Outliers) -> bool {
    let well = others.iter().filter(|&&other| other <= run / 2).count();
    outliers.run > 0
        && run >= outliers.enough()
        && !others.is_empty()
        && well * 2 >= others.len()
        && (out + 1) * 100 <= all * usize::from(outliers.most_percent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience { max_fails: 3, fail_timeout: Duration::from_secs(8) };

    fn after(begin: Instant, seconds: u64, suspect: Option<Suspect>) -> Failure {
        Failure { at: begin + Duration::from_secs(seconds), suspect }
    }

    #[test]
    fn three_failures_within_the_window_take_a_backend_out() {
        let (begin, mut window) = (Instant::now(), Window::default());
        let told = [0, 5, 7].map(|seconds| window.note(after(begin, seconds, None), &PATIENCE));
        assert_eq!(told, [false, false, true]);
    }

    #[test]
    fn a_failure_every_five_seconds_is_never_three_in_eight() {
        let (begin, mut window) = (Instant::now(), Window::default());
        assert!((0..100).all(|round| !window.note(after(begin, round * 5, None), &PATIENCE)));
    }

    #[test]
    fn what_one_client_provokes_takes_nobody_out_however_often_it_asks() {
        let (begin, mut window) = (Instant::now(), Window::default());
        let strict = Patience { max_fails: 1, ..PATIENCE };
        assert!((0..100).all(|_| !window.note(after(begin, 0, Some(Suspect(1))), &strict)));
        assert_eq!(window.failures.len(), 1);
        assert!(window.note(after(begin, 0, Some(Suspect(2))), &strict), "another client has the same trouble");
    }

    #[test]
    fn who_is_back_begins_anew_and_what_is_told_late_of_before_counts_no_more() {
        let (begin, mut window) = (Instant::now(), Window::default());
        let back = begin + Duration::from_secs(3);
        assert!([1, 2].iter().all(|seconds| !window.note(after(begin, *seconds, None), &PATIENCE)));
        window.begin_anew(back, &PATIENCE);
        let told = [1, 2, 4, 5, 6].map(|seconds| window.note(after(begin, seconds, None), &PATIENCE));
        assert_eq!(told, [false, false, false, false, true]);
    }

    #[test]
    fn without_max_fails_nothing_is_held_against_anybody() {
        let mut window = Window::default();
        let never = Patience { max_fails: 0, ..PATIENCE };
        assert!((0..100).all(|_| !window.note(after(Instant::now(), 0, None), &never)));
    }

    #[test]
    fn errors_that_all_have_make_no_outlier() {
        let outliers = Outliers::default();
        assert!(is_outlier(5, &[0, 0], 0, 3, &outliers));
        assert!(is_outlier(5, &[0, 4], 0, 3, &outliers));
        assert!(!is_outlier(5, &[4, 5], 0, 3, &outliers), "a client that asks all for what fails");
        assert!(!is_outlier(4, &[0, 0], 0, 3, &outliers));
        assert!(!is_outlier(500, &[], 0, 1, &outliers), "there is nobody else");
        assert!(!is_outlier(5, &[0], 0, 2, &Outliers { run: 0, ..outliers }));
    }

    #[test]
    fn a_run_counts_each_client_once_and_ends_with_a_better_answer() {
        let (mut run, begin) = (Run::default(), Instant::now());
        assert!((0..100).all(|_| run.note(Suspect(1), 3, begin) == 1));
        let later = begin + Duration::from_secs(2);
        assert_eq!([2, 3, 4].map(|client| run.note(Suspect(client), 3, later)), [2, 3, 3]);
        assert_eq!(run.lasts(later), Duration::from_secs(2));
        run.end();
        assert_eq!((run.lasts(later), run.note(Suspect(2), 3, later)), (Duration::ZERO, 1));
        assert!(!is_outlier(1, &[0, 0], 0, 3, &Outliers { run: 1, ..Outliers::default() }), "it is of one client");
    }

    #[test]
    fn the_addresses_of_one_network_of_ipv6_are_one_client() {
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"].map(|text| Suspect::of(text.parse().unwrap()));
        assert_eq!(one, same);
        assert_ne!(one, other);
        let [mapped, plain] = ["::ffff:127.0.0.1", "127.0.0.1"].map(|text| Suspect::of(text.parse().unwrap()));
        assert_eq!(mapped, plain);
    }

    #[test]
    fn what_a_client_can_ask_for_is_no_trouble_of_the_backend() {
        let troubles: Vec<u16> = (100..600).filter(|status| is_server_error(*status)).collect();
        assert_eq!((troubles[0], troubles.len()), (500, 98));
        assert!(!troubles.contains(&501) && !troubles.contains(&505));
    }

    proptest! {
        #[test]
        fn a_window_slides(gaps in prop::collection::vec(0_u64..6000, 1..60), most in 1_u32..6) {
            let patience = Patience { max_fails: most, ..PATIENCE };
            let (mut at, mut window, mut times) = (Instant::now(), Window::default(), Vec::new());
            for gap in gaps {
                at += Duration::from_millis(gap);
                times.push(at);
                let recent = times.iter().filter(|time| at - **time < patience.fail_timeout).count();
                let out = window.note(Failure { at, suspect: None }, &patience);
                prop_assert_eq!(out, recent >= most as usize);
                prop_assert!(window.failures.len() < 2 * most as usize);
                if out {
                    times.clear();
                }
            }
        }

        #[test]
        fn who_comes_back_again_and_again_fails_fewer_than_twice_max_fails(
            gaps in prop::collection::vec((0_u64..3000, any::<bool>()), 1..100),
            most in 1_u32..6,
        ) {
            let patience = Patience { max_fails: most, ..PATIENCE };
            let (mut at, mut window, mut times) = (Instant::now(), Window::default(), Vec::new());
            for (gap, is_back) in gaps {
                at += Duration::from_millis(gap);
                if is_back {
                    window.begin_anew(at, &patience);
                    continue;
                }
                times.push(at);
                if window.note(Failure { at, suspect: None }, &patience) {
                    times.clear();
                }
                let recent = times.iter().filter(|time| at - **time < patience.fail_timeout).count();
                prop_assert!(recent < 2 * most as usize);
            }
        }

        #[test]
        fn no_more_are_outliers_than_their_share(runs in prop::collection::vec(0_u32..20, 1..12), percent in 0_u8..=100) {
            let outliers = Outliers { run: 5, most_percent: percent };
            let mut out = 0;
            for (place, run) in runs.iter().enumerate() {
                let others: Vec<u32> = runs.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, run)| *run).collect();
                out += usize::from(is_outlier(*run, &others, out, runs.len(), &outliers));
            }
            prop_assert!(out * 100 <= runs.len() * usize::from(percent));
        }
    }
}
