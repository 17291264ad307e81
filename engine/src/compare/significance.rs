//! Which counts differ by more than chance, from the counts alone.
//!
//! - Each cluster: Fisher's exact test of its events and all others on both sides, two-sided by doubling the smaller tail.
//!   Exact at every count, so few events are never taken for many.
//! - All clusters: the false discovery rate of Benjamini and Hochberg (1995), over the clusters that have enough events to be
//!   found at all (Tarone 1990, Gilbert 2005): thousands of kinds of line seen once do not hide what is seen a hundred times.
//! - A floor: what changed by less than [`Bar::min_factor`] is no finding, however sure it is.
//! - A flood of one kind of line makes the share of all others fall. So the clearest change is set apart first, then the
//!   clearest of the rest, as long as it stands out by itself (Bonferroni); each other cluster is judged by what is left.

use super::Change;

/// Most clusters set apart; a log that changed in more ways is another log.
const MOST_APART: usize = 256;

/// Events that have to be left on each side when clusters are set apart, so that the rest can still be judged.
const LEAST_EVENTS: u64 = 100;

/// Clusters that have to be left.
const LEAST_CLUSTERS: usize = 3;

/// Terms of a tail smaller than this part of the sum end it.
const NEGLIGIBLE: f64 = 1e-16;

/// What a difference has to pass to be a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The share of false ones among the findings, from 0 to 1. Of two halves of one log drawn by lot it is the chance that
    /// anything is found.
    pub false_discoveries: f64,
    /// By how much more or less there has to be, at least 1.
    pub min_factor: f64,
}

impl Default for Bar {
    fn default() -> Self {
        Self { false_discoveries: 0.01, min_factor: 1.5 }
    }
}

/// What is to be said of one cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// What became of it.
    pub change: Change,
    /// Whether that is clear and large enough.
    pub is_finding: bool,
    /// Rate in OTHER by rate in BASE; `None` when either is 0.
    pub factor: Option<f64>,
    /// Of the test, two-sided.
    pub p: f64,
    /// Corrected for the number of clusters.
    pub q: f64,
}

/// The events of a cluster and of all that it is judged by.
#[derive(Debug, Clone, Copy)]
struct Pair {
    base: u64,
    other: u64,
    all_base: u64,
    all_other: u64,
}

/// Judges clusters by their events in BASE and OTHER, each of which is in exactly one.
pub fn judge(counts: &[(u64, u64)], bar: Bar) -> Vec<Judged> {
    let pairs = pairs(counts, bar);
    let p: Vec<f64> = pairs.iter().map(Pair::p).collect();
    let testable: Vec<bool> = pairs.iter().map(|pair| pair.least_p() <= bar.false_discoveries).collect();
    let q = corrected(&p, &testable);
    let judged = |((pair, p), q): ((&Pair, f64), f64)| {
        let is_clear = q <= bar.false_discoveries && pair.is_large(bar.min_factor);
        let change = match (pair.base, pair.other) {
            (0, 1..) => Change::New,
            (1.., 0) => Change::Gone,
            _ if !is_clear => Change::Same,
            _ if pair.shift() > 0.0 => Change::More,
            _ => Change::Less,
        };
        Judged { change, is_finding: is_clear, factor: pair.factor(), p, q }
    };
    pairs.iter().zip(p.iter().copied()).zip(q).map(judged).collect()
}

/// What each cluster is judged by.
fn pairs(counts: &[(u64, u64)], bar: Bar) -> Vec<Pair> {
    let all = |of: fn(&(u64, u64)) -> u64| counts.iter().map(of).sum::<u64>();
    let (mut all_base, mut all_other) = (all(|c| c.0), all(|c| c.1));
    let pair = |at: usize, all_base, all_other| Pair { base: counts[at].0, other: counts[at].1, all_base, all_other };
    let mut apart: Vec<Option<Pair>> = vec![None; counts.len()];
    let mut left: Vec<usize> = (0..counts.len()).collect();
    for _ in 0..MOST_APART {
        let shift = |at: &usize| pair(*at, all_base, all_other).shift().abs();
        let most = left.iter().map(shift).fold(0.0, f64::max);
        // Both of two that change places stand out alike.
        let (top, rest): (Vec<usize>, Vec<usize>) = left.iter().partition(|at| shift(at) >= most * (1.0 - 1e-9));
        let clear = bar.false_discoveries / counts.len() as f64;
        let stands_out = |at: &usize| {
            let pair = pair(*at, all_base, all_other);
            pair.is_large(bar.min_factor) && pair.p() <= clear
        };
        let base = all_base - top.iter().map(|at| counts[*at].0).sum::<u64>();
        let other = all_other - top.iter().map(|at| counts[*at].1).sum::<u64>();
        let can_be_judged = base.min(other) >= LEAST_EVENTS && rest.len() >= LEAST_CLUSTERS;
        if !can_be_judged || !top.iter().all(stands_out) {
            break;
        }
        top.iter().for_each(|at| apart[*at] = Some(pair(*at, all_base, all_other)));
        (left, all_base, all_other) = (rest, base, other);
    }
    (0..counts.len()).map(|at| apart[at].unwrap_or_else(|| pair(at, all_base, all_other))).collect()
}

/// Benjamini and Hochberg's adjusted values; what is not tested gets 1.
fn corrected(p: &[f64], testable: &[bool]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|at| testable[*at]).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut q = vec![1.0; p.len()];
    let mut least: f64 = 1.0;
    for (before, at) in order.iter().enumerate().rev() {
        least = least.min(p[*at] * order.len() as f64 / (before + 1) as f64);
        q[*at] = least;
    }
    q
}

impl Pair {
    /// The share in OTHER less that in BASE.
    fn shift(&self) -> f64 {
        share(self.other, self.all_other) - share(self.base, self.all_base)
    }

    fn factor(&self) -> Option<f64> {
        let factor = share(self.other, self.all_other) / share(self.base, self.all_base);
        (self.base > 0 && self.other > 0).then_some(factor)
    }

    /// Whether it changed by at least this factor, either way; what is new or gone did.
    fn is_large(&self, min_factor: f64) -> bool {
        self.factor().is_none_or(|factor| factor.max(1.0 / factor) >= min_factor * (1.0 - 1e-9))
    }

    /// Fisher's exact test.
    fn p(&self) -> f64 {
        let events = self.base + self.other;
        let (all, drawn) = (self.all_base + self.all_other, self.all_other);
        if all == 0 || self.all_base == 0 || drawn == 0 {
            return 1.0;
        }
        // The tail away from what is expected, in the side where it is the upper one.
        let is_more = u128::from(self.other) * u128::from(all) > u128::from(events) * u128::from(drawn);
        let (seen, drawn) = if is_more { (self.other, drawn) } else { (self.base, self.all_base) };
        (2.0 * upper_tail(seen, events, drawn, all)).min(1.0)
    }

    /// The least that [`Pair::p`] can be for so many events: all of them on the smaller side.
    fn least_p(&self) -> f64 {
        let events = self.base + self.other;
        let drawn = self.all_base.min(self.all_other);
        let all = self.all_base + self.all_other;
        if drawn == 0 { 1.0 } else { (2.0 * upper_tail(events.min(drawn), events, drawn, all)).min(1.0) }
    }
}

fn share(events: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { events as f64 / all as f64 }
}

/// The chance that of `drawn` out of `all`, of which `marked` are marked, at least `seen` are marked: the upper tail of the
/// hypergeometric distribution.
fn upper_tail(seen: u64, marked: u64, drawn: u64, all: u64) -> f64 {
    let choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    // Fewer cannot be seen than do not fit into the others.
    let unmarked = all - marked;
    if drawn - seen > unmarked {
        return 1.0;
    }
    let first = (choose(marked, seen) + choose(unmarked, drawn - seen) - choose(all, drawn)).exp();
    let (mut term, mut sum) = (first, first);
    for x in seen..marked.min(drawn) {
        let left = (unmarked - (drawn - x)) as f64 + 1.0;
        term *= (marked - x) as f64 * (drawn - x) as f64 / ((x + 1) as f64 * left);
        sum += term;
        if term < sum * NEGLIGIBLE {
            break;
        }
    }
    sum.min(1.0)
}

/// By Stirling's series, exact to the precision of the number.
fn ln_factorial(n: u64) -> f64 {
    if n < 20 {
        return (2..=n).map(|k| (k as f64).ln()).sum();
    }
    let n = n as f64;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * n * n)) / (n * n)) / n;
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(base: u64, other: u64, all_base: u64, all_other: u64) -> f64 {
        Pair { base, other, all_base, all_other }.p()
    }

    #[test]
    fn the_test_is_fishers() {
        // Fisher's tea: three of four cups told right; one tail is 17/70.
        assert!((p(1, 3, 4, 4) - 2.0 * 17.0 / 70.0).abs() < 1e-12);
        assert!((p(0, 4, 4, 4) - 2.0 / 70.0).abs() < 1e-12);
        assert!((p(0, 10, 1_000_000, 1_000_000) - 2.0 * 0.5_f64.powi(10)).abs() < 1e-6);
        // From a normal table: 10,000 against 10,400 of very many is 2.80 standard deviations.
        assert!((p(10_000, 10_400, 1 << 40, 1 << 40) - 0.005_15).abs() < 0.000_1);
        assert_eq!(p(5, 5, 100, 100), 1.0);
        assert_eq!((p(0, 3, 0, 3), p(0, 0, 5, 5)), (1.0, 1.0));
        assert!((ln_factorial(20) - 2_432_902_008_176_640_000_f64.ln()).abs() < 1e-12);
        assert!((ln_factorial(19) + 20_f64.ln() - ln_factorial(20)).abs() < 1e-12);
    }

    #[test]
    fn counts_of_any_size_are_judged_in_no_time() {
        let half = 1 << 40;
        assert!(p(half / 2, half / 2 + 1, half, half) > 0.9);
        assert!(p(1 << 30, 1 << 31, 1 << 40, 1 << 40) < 1e-300);
    }

    #[test]
    fn the_correction_is_that_of_benjamini_and_hochberg() {
        let q = corrected(&[0.01, 0.04, 0.03, 0.005, 0.5], &[true, true, true, true, false]);
        assert_eq!(q, [0.02, 0.04, 0.04, 0.02, 1.0]);
    }

    fn changes(counts: &[(u64, u64)]) -> Vec<Change> {
        judge(counts, Bar::default()).iter().map(|judged| judged.change).collect()
    }

    #[test]
    fn few_events_are_no_finding_and_many_are() {
        let judged = judge(&[(1000, 1000), (800, 820), (0, 3), (4, 0), (0, 60), (50, 10)], Bar::default());
        let found: Vec<_> = judged.iter().map(|j| (j.change, j.is_finding)).collect();
        use Change::*;
        assert_eq!(found, [(Same, false), (Same, false), (New, false), (Gone, false), (New, true), (Less, true)]);
    }

    #[test]
    fn what_changed_a_little_is_no_finding_however_sure() {
        assert_eq!(changes(&[(1_000_000, 1_300_000), (1_000_000, 1_000_000)]), [Change::Same; 2]);
        assert_eq!(changes(&[(1000, 1000), (1000, 3000)]), [Change::Less, Change::More]);
    }

    #[test]
    fn a_flood_does_not_make_everything_else_less() {
        let mut counts = vec![(50, 50); 20];
        counts.push((0, 100_000));
        let found = changes(&counts);
        assert_eq!((found[20], &found[..20]), (Change::New, &[Change::Same; 20][..]));
    }
}
