//! Who gets requests: one writer turns [`Change`]s into an immutable [`Snapshot`], everybody else reads it.
//!
//! Facts that must agree (members, whether they answer, draining) are in the same snapshot. This module does not find
//! out anything by itself: the supervisor, the health checks and the data plane tell it.

use std::{sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};

use self::judge::Judge;
pub use self::seat::Seat;
use crate::{
    backend::{Backend, BackendId},
    config::{pools::UNNAMED, units::written_duration},
    verdict::{Cause, Failure, Outliers},
};

mod judge;
mod seat;

/// What happened to a backend.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is ready for requests.
    Join(Arc<Backend>),
    /// It is gone.
    Leave(BackendId),
    /// Nobody listens there; it gets nothing until it answers a probe.
    Eject(BackendId),
    /// It answered a probe.
    Restore(BackendId),
    /// It gets nothing new and finishes what it has.
    Drain(BackendId),
    /// Checks say whether it is well.
    Checked(BackendId, bool),
    /// A request failed there: a report, from which a rest may follow.
    Failed(BackendId, Failure),
    /// It has answered with server errors in a row: a report, from which a rest may follow.
    Erring(BackendId, Instant),
    /// It answers nobody: a report, from which a rest follows.
    Silent(BackendId, Instant),
    /// It gets nothing until then.
    Rest(BackendId, Cause, Instant),
    /// Its rest is over: a request decides.
    Try(BackendId),
    /// That request has decided. Without a seat it was sent there because all rested.
    Tried(BackendId, Option<Arc<Seat>>, Verdict),
}

/// How a trial went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It gets requests again.
    Passed,
    /// It rests again, from then on.
    Failed(Instant),
}

/// What requests have told about a member.
#[derive(Debug, Clone, Default)]
enum Trust {
    #[default]
    Full,
    Rests(Cause, Instant),
    OnTrial(Cause, Arc<Seat>),
}

/// Whether a member gets requests.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It does.
    Serving,
    /// It gets one; whoever takes the seat.
    OnTrial(Cause, Arc<Seat>),
    /// Requests failed there; it gets one only when all are in trouble.
    Resting(Cause),
    /// Nobody listens there.
    Ejected,
    /// It fails its checks.
    Unwell,
    /// It is about to end.
    Draining,
    /// The configuration says that it gets none.
    Down,
}

/// One backend in a snapshot. What is known of it from different sides is kept apart: none takes back what another says.
#[derive(Debug, Clone)]
pub struct Member {
    /// The backend.
    pub backend: Arc<Backend>,
    /// How often it came back after nobody had listened there. What a request learnt about an earlier turn does not
    /// count for a later one.
    pub turn: u32,
    /// When it began to serve last.
    since: Instant,
    drains: bool,
    absent: bool,
    unwell: bool,
    trust: Trust,
}

impl Member {
    fn new(backend: Arc<Backend>, now: Instant) -> Self {
        Self { backend, turn: 0, since: now, drains: false, absent: false, unwell: false, trust: Trust::Full }
    }

    /// Whether it gets requests.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.trust {
            _ if self.backend.terms.down => Standing::Down,
            _ if self.drains => Standing::Draining,
            _ if self.absent => Standing::Ejected,
            _ if self.unwell => Standing::Unwell,
            Trust::Full => Standing::Serving,
            Trust::Rests(cause, _) => Standing::Resting(*cause),
            Trust::OnTrial(cause, seat) => Standing::OnTrial(*cause, Arc::clone(seat)),
        }
    }

    /// Whether it gets its share of requests.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        let is_there = !self.backend.terms.down && !self.drains && !self.absent && !self.unwell;
        is_there && matches!(self.trust, Trust::Full)
    }

    /// Since when it serves, or when it began to serve last.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether nobody listens there.
    #[must_use]
    pub fn is_ejected(&self) -> bool {
        !self.drains && self.absent
    }

    /// Why it rests, or rested until its trial.
    #[must_use]
    pub fn rests_for(&self) -> Option<Cause> {
        match self.trust {
            Trust::Full => None,
            Trust::Rests(cause, _) | Trust::OnTrial(cause, _) => Some(cause),
        }
    }

    fn decide(&mut self, seat: Option<&Arc<Seat>>, verdict: Verdict) -> Option<()> {
        self.trust = match (&self.trust, seat, verdict) {
            (Trust::OnTrial(_, ours), Some(seat), Verdict::Passed) if Arc::ptr_eq(ours, seat) => Trust::Full,
            (Trust::OnTrial(cause, ours), Some(seat), Verdict::Failed(at)) if Arc::ptr_eq(ours, seat) => {
                Trust::Rests(*cause, at + self.backend.terms.patience.fail_timeout)
            }
            (Trust::Rests(..) | Trust::OnTrial(..), None, Verdict::Passed) => Trust::Full,
            _ => return None,
        };
        Some(())
    }
}

/// The pool at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Counts the changes.
    pub version: u64,
    /// All backends, in the order in which they joined.
    pub members: Vec<Member>,
}

impl Snapshot {
    /// The members that get requests.
    pub fn serving(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.is_serving())
    }

    /// The member with this id.
    #[must_use]
    pub fn member(&self, id: BackendId) -> Option<&Member> {
        self.members.iter().find(|member| member.backend.id == id)
    }

    /// The snapshot after a change; `None` when the change changes nothing.
    #[must_use]
    pub fn after(&self, change: &Change, now: Instant) -> Option<Self> {
        let mut next = self.applied(change, now)?;
        // From then on its share grows. Where all are new, all of them have as little, and so the same as ever.
        let is_new = |place: usize| {
            let old = self.member(next.members[place].backend.id);
            next.members[place].is_serving() && !old.is_some_and(Member::is_serving)
        };
        let comers: Vec<usize> = (0..next.members.len()).filter(|place| is_new(*place)).collect();
        for place in comers {
            next.members[place].since = now;
        }
        Some(next)
    }

    fn applied(&self, change: &Change, now: Instant) -> Option<Self> {
        let mut next = self.clone();
        next.version += 1;
        match change {
            Change::Join(backend) => {
                if self.member(backend.id).is_some() {
                    return None;
                }
                next.members.push(Member::new(Arc::clone(backend), now));
            }
            Change::Leave(id) => {
                next.members.retain(|member| member.backend.id != *id);
                if next.members.len() == self.members.len() {
                    return None;
                }
            }
            Change::Eject(id) => {
                let member = next.member_mut(*id).filter(|member| !member.drains && !member.absent)?;
                member.absent = true;
            }
            Change::Restore(id) => {
                let member = next.member_mut(*id).filter(|member| member.is_ejected())?;
                member.absent = false;
                member.turn += 1;
            }
            Change::Drain(id) => {
                let member = next.member_mut(*id).filter(|member| !member.drains)?;
                member.drains = true;
            }
            Change::Checked(id, is_well) => {
                let member = next.member_mut(*id).filter(|member| member.unwell == *is_well)?;
                member.unwell = !is_well;
            }
            Change::Rest(id, cause, until) => {
                let member = next.member_mut(*id).filter(|member| matches!(member.trust, Trust::Full))?;
                member.trust = Trust::Rests(*cause, *until);
            }
            Change::Try(id) => {
                let member = next.member_mut(*id)?;
                let Trust::Rests(cause, _) = member.trust else { return None };
                member.trust = Trust::OnTrial(cause, Arc::default());
            }
            Change::Tried(id, seat, verdict) => next.member_mut(*id)?.decide(seat.as_ref(), *verdict)?,
            Change::Failed(..) | Change::Erring(..) | Change::Silent(..) => return None,
        }
        Some(next)
    }

    /// Whose rest is over first, and when.
    fn next_trial(&self) -> Option<(Instant, BackendId)> {
        let rests = self.members.iter().filter_map(|member| match member.trust {
            Trust::Rests(_, until) => Some((until, member.backend.id)),
            Trust::Full | Trust::OnTrial(..) => None,
        });
        rests.min()
    }

    fn member_mut(&mut self, id: BackendId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.backend.id == id)
    }
}

/// The pool: the current snapshot, and a bell that rings at every change.
#[derive(Debug)]
pub struct Pool {
    /// Its name.
    pub name: String,
    current: Arc<ArcSwap<Snapshot>>,
    bell: watch::Sender<u64>,
}

impl Default for Pool {
    fn default() -> Self {
        Self::named(UNNAMED.to_owned())
    }
}

impl Pool {
    /// An empty one with this name.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self { name, current: Arc::default(), bell: watch::Sender::new(0) }
    }

    /// A backend of it in the words of the log: with the pool where that has a name, for then there may be others.
    #[must_use]
    pub fn member_name(&self, backend: &str) -> String {
        if self.name == UNNAMED { backend.to_owned() } else { format!("{backend} of pool {}", self.name) }
    }

    /// The snapshot of now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// For readers on the request path: a cache of this costs one load as long as nothing changed.
    pub(crate) fn cell(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.current)
    }

    /// The version of the snapshot, to wait for the next one.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// Applies changes until their last sender is gone: the one writer.
    pub(crate) async fn write(&self, mut changes: mpsc::Receiver<Change>, outliers: Outliers) {
        let mut judge = Judge::new(outliers);
        loop {
            let snapshot = self.snapshot();
            let trial = snapshot.next_trial();
            let due = async {
                match trial {
                    Some((at, id)) => {
                        sleep_until(at.into()).await;
                        Change::Try(id)
                    }
                    None => std::future::pending().await,
                }
            };
            let change = tokio::select! {
                biased;
                change = changes.recv() => match change {
                    Some(change) => change,
                    None => return,
                },
                change = due => change,
            };
            let Some(change) = judge.hear(change, &snapshot) else { continue };
            let now = Instant::now();
            let Some(next) = snapshot.after(&change, now) else { continue };
            if let Change::Restore(id) | Change::Checked(id, true) = change
                && let Some(Member { backend, .. }) = next.member(id)
            {
                // It may be another one: what was heard before it was out says nothing of it now.
                backend.begins_anew();
                judge.begin_anew(backend, now);
            }
            let (version, next) = (next.version, Arc::new(next));
            self.current.store(Arc::clone(&next));
            self.bell.send_replace(version);
            // Who reads it may rely on it.
            self.tell(&change, &snapshot, &next);
        }
    }

    fn tell(&self, change: &Change, before: &Snapshot, after: &Snapshot) {
        let (pool, serving) = (self.name.as_str(), after.serving().count());
        let member = |id: BackendId| after.member(id).or_else(|| before.member(id));
        let name = |id: BackendId| member(id).map_or("", |member| member.backend.name.as_str());
        let who = |id: BackendId| self.member_name(name(id));
        match change {
            Change::Join(backend) => {
                let (who, address, is_down) = (who(backend.id), &backend.address, backend.terms.down);
                let how = if is_down { "is down by the configuration and gets nothing" } else { "gets requests" };
                tracing::info!(pool, backend = %backend.name, %address, serving, "{who} {how}");
            }
            Change::Leave(id) => tracing::info!(pool, backend = name(*id), serving, "{} has left", who(*id)),
            Change::Eject(id) => tracing::warn!(pool, backend = name(*id), serving, "{} cannot be reached", who(*id)),
            Change::Restore(id) => {
                tracing::info!(pool, backend = name(*id), serving, "{} can be reached again", who(*id));
            }
            Change::Drain(id) => tracing::info!(pool, backend = name(*id), serving, "{} gets nothing new", who(*id)),
            Change::Checked(id, true) => {
                tracing::info!(pool, backend = name(*id), serving, "{} passes its checks again", who(*id));
            }
            Change::Checked(id, false) => {
                tracing::warn!(pool, backend = name(*id), serving, "{} fails its checks", who(*id));
            }
            Change::Rest(id, cause, _) => {
                let rest = member(*id).map(|member| member.backend.terms.patience.fail_timeout).unwrap_or_default();
                let (rest_ms, rest) = (rest.as_millis(), written_duration(rest));
                let (who, why) = (
                    who(*id),
                    match cause {
                        Cause::Failures => "fails too often",
                        Cause::Errors => "answers with errors only",
                    },
                );
                tracing::warn!(pool, backend = name(*id), serving, rest_ms, "{who} {why} and rests for {rest}");
            }
            Change::Try(id) => {
                tracing::info!(pool, backend = name(*id), serving, "{} has rested and gets one request", who(*id));
            }
            Change::Tried(id, _, Verdict::Passed) => {
                tracing::info!(pool, backend = name(*id), serving, "{} has answered and gets requests again", who(*id));
            }
            Change::Tried(id, _, Verdict::Failed(_)) => {
                tracing::warn!(pool, backend = name(*id), serving, "{} has failed again and rests on", who(*id));
            }
            Change::Failed(..) | Change::Erring(..) | Change::Silent(..) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Address, Terms};

    fn backend(id: u32) -> Arc<Backend> {
        let address: Address = "127.0.0.1:1".parse().unwrap();
        Arc::new(Backend::new(BackendId(id), format!("b{id}"), address, None, Terms::default()))
    }

    /// Backends 1 to `count`, all serving.
    pub(super) fn pool_of(count: u32) -> Snapshot {
        (1..=count).fold(Snapshot::default(), |pool, id| pool.then(&Change::Join(backend(id))).unwrap())
    }

    /// Changes at a time that does not matter.
    pub(super) trait Then {
        fn then(&self, change: &Change) -> Option<Snapshot>;
    }

    impl Then for Snapshot {
        fn then(&self, change: &Change) -> Option<Snapshot> {
            self.after(change, Instant::now())
        }
    }

    fn seat_of(pool: &Snapshot, id: u32) -> Arc<Seat> {
        match pool.member(BackendId(id)).unwrap().standing() {
            Standing::OnTrial(_, seat) => seat,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_serving_members_get_requests() {
        let ejected = pool_of(2).then(&Change::Eject(BackendId(1))).unwrap();
        assert_eq!(ejected.serving().map(|member| member.backend.id.0).collect::<Vec<_>>(), [2]);
        let back = ejected.then(&Change::Restore(BackendId(1))).unwrap();
        assert_eq!(back.serving().count(), 2);
        assert_eq!(back.member(BackendId(1)).unwrap().turn, 1);
    }

    #[test]
    fn a_draining_member_does_not_come_back_by_a_probe() {
        let draining = pool_of(1).then(&Change::Drain(BackendId(1))).unwrap();
        assert!(draining.then(&Change::Restore(BackendId(1))).is_none());
        assert!(draining.then(&Change::Eject(BackendId(1))).is_none());
        assert!(draining.then(&Change::Leave(BackendId(1))).unwrap().members.is_empty());
    }

    #[test]
    fn what_changes_nothing_makes_no_snapshot() {
        let one = pool_of(1);
        assert!(one.then(&Change::Join(backend(1))).is_none());
        assert!(one.then(&Change::Restore(BackendId(1))).is_none());
        assert!(one.then(&Change::Leave(BackendId(7))).is_none());
        assert!(one.then(&Change::Try(BackendId(1))).is_none());
    }

    #[test]
    fn after_its_rest_one_request_decides() {
        let (now, id) = (Instant::now(), BackendId(1));
        let resting = pool_of(2).then(&Change::Rest(id, Cause::Failures, now)).unwrap();
        assert_eq!((resting.next_trial(), resting.serving().count()), (Some((now, id)), 1));
        let trial = resting.then(&Change::Try(id)).unwrap();
        let seat = seat_of(&trial, 1);
        let failed = trial.then(&Change::Tried(id, Some(Arc::clone(&seat)), Verdict::Failed(now))).unwrap();
        assert_eq!(failed.next_trial(), Some((now + std::time::Duration::from_secs(10), id)));
        let passed = trial.then(&Change::Tried(id, Some(seat), Verdict::Passed)).unwrap();
        assert_eq!((passed.next_trial(), passed.serving().count()), (None, 2));
    }

    #[test]
    fn a_trial_that_is_over_decides_nothing_about_the_next() {
        let (now, id) = (Instant::now(), BackendId(1));
        let first = pool_of(1).then(&Change::Rest(id, Cause::Failures, now)).unwrap().then(&Change::Try(id)).unwrap();
        let old = seat_of(&first, 1);
        let failed = first.then(&Change::Tried(id, Some(Arc::clone(&old)), Verdict::Failed(now))).unwrap();
        let second = failed.then(&Change::Try(id)).unwrap();
        assert!(second.then(&Change::Tried(id, Some(old), Verdict::Passed)).is_none());
    }

    #[test]
    fn who_is_new_or_back_begins_anew_however_long_the_others_have_served() {
        let begin = Instant::now();
        let after = |seconds| begin + std::time::Duration::from_secs(seconds);
        let slow = |id| {
            let terms = Terms { slow_start: std::time::Duration::from_secs(30), ..Terms::default() };
            let address: Address = "127.0.0.1:1".parse().unwrap();
            Change::Join(Arc::new(Backend::new(BackendId(id), format!("b{id}"), address, None, terms)))
        };
        let since = |pool: &Snapshot, id| pool.member(BackendId(id)).unwrap().since();
        let pool = Snapshot::default().after(&slow(1), after(0)).unwrap().after(&slow(2), after(1)).unwrap();
        assert_eq!((since(&pool, 1), since(&pool, 2)), (after(0), after(1)));
        let pool = pool.after(&Change::Eject(BackendId(1)), after(2)).unwrap();
        let pool = pool.after(&Change::Restore(BackendId(1)), after(3)).unwrap();
        assert_eq!((since(&pool, 1), since(&pool, 2)), (after(3), after(1)));
    }

    #[test]
    fn what_different_sides_say_is_kept_apart() {
        let id = BackendId(1);
        let resting = pool_of(1).then(&Change::Rest(id, Cause::Errors, Instant::now())).unwrap();
        let back = resting.then(&Change::Eject(id)).unwrap().then(&Change::Restore(id)).unwrap();
        assert!(back.then(&Change::Checked(id, true)).is_none());
        let unwell = back.then(&Change::Checked(id, false)).unwrap();
        assert!(matches!(unwell.member(id).unwrap().standing(), Standing::Unwell));
        let back = unwell.then(&Change::Checked(id, true)).unwrap();
        assert!(matches!(back.member(id).unwrap().standing(), Standing::Resting(Cause::Errors)));
    }
}
