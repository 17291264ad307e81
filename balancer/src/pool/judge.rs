//! Turns what requests tell into changes of the pool. Pure: the rules are [`verdict`]'s, times come in.

use std::{collections::HashMap, time::Instant};

use super::{Change, Member, Snapshot};
use crate::{
    backend::{Backend, BackendId},
    verdict::{self, Cause, Outliers, Window},
};

/// What is remembered of the failures of all backends.
#[derive(Debug, Default)]
pub(super) struct Judge {
    outliers: Outliers,
    windows: HashMap<BackendId, Window>,
}

impl Judge {
    pub(super) fn new(outliers: Outliers) -> Self {
        Self { outliers, windows: HashMap::new() }
    }

    /// What follows from a report; any other change follows from itself.
    pub(super) fn hear(&mut self, change: Change, snapshot: &Snapshot) -> Option<Change> {
        match change {
            Change::Failed(id, failure) => {
                let member = serving(snapshot, id)?;
                let patience = &member.backend.terms.patience;
                let is_over = self.windows.entry(id).or_default().note(failure, patience);
                is_over.then(|| Change::Rest(id, Cause::Failures, failure.at + patience.fail_timeout))
            }
            Change::Erring(id, at) => {
                let member = serving(snapshot, id)?;
                let others = snapshot.members.iter().filter(|other| other.is_serving() && other.backend.id != id);
                let runs: Vec<u32> = others.map(|other| other.backend.errors()).collect();
                let out = snapshot.members.iter().filter(|other| other.rests_for() == Some(Cause::Errors)).count();
                verdict::is_outlier(member.backend.errors(), &runs, out, snapshot.members.len(), &self.outliers)
                    .then(|| Change::Rest(id, Cause::Errors, at + member.backend.terms.patience.fail_timeout))
            }
            Change::Silent(id, at) => {
                let rest = serving(snapshot, id)?.backend.terms.patience.fail_timeout;
                Some(Change::Rest(id, Cause::Failures, at + rest))
            }
            Change::Leave(id) => {
                self.windows.remove(&id);
                Some(change)
            }
            _ => Some(change),
        }
    }

    /// That one was out, and is back.
    pub(super) fn begin_anew(&mut self, backend: &Backend, now: Instant) {
        self.windows.entry(backend.id).or_default().begin_anew(now, &backend.terms.patience);
    }
}

fn serving(snapshot: &Snapshot, id: BackendId) -> Option<&Member> {
    snapshot.member(id).filter(|member| member.is_serving())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Then, pool_of};
    use super::*;
    use crate::verdict::{Failure, Suspect};

    fn failure() -> Change {
        Change::Failed(BackendId(1), Failure { at: Instant::now(), suspect: None })
    }

    #[test]
    fn failures_in_the_window_have_their_backend_rest() {
        let (mut judge, pool) = (Judge::default(), pool_of(3));
        assert!(judge.hear(failure(), &pool).is_none());
        assert!(judge.hear(failure(), &pool).is_none());
        assert!(matches!(judge.hear(failure(), &pool), Some(Change::Rest(BackendId(1), Cause::Failures, _))));
    }

    #[test]
    fn a_backend_that_rests_already_is_not_judged() {
        let (mut judge, pool) = (Judge::default(), pool_of(2));
        let resting = pool.then(&Change::Rest(BackendId(1), Cause::Failures, Instant::now())).unwrap();
        assert!((0..10).all(|_| judge.hear(failure(), &resting).is_none()));
        assert!(judge.windows.is_empty());
    }

    #[test]
    fn who_was_out_begins_anew_and_who_comes_back_at_once_after_each_failure_rests() {
        let (mut judge, pool) = (Judge::default(), pool_of(3));
        let verdicts = [1, 2, 3, 4].map(|_| {
            let verdict = judge.hear(failure(), &pool);
            judge.begin_anew(&pool.member(BackendId(1)).unwrap().backend, Instant::now());
            verdict.is_some()
        });
        assert_eq!(verdicts, [false, false, false, true], "the first one is forgotten");
    }

    #[test]
    fn a_run_of_server_errors_has_its_backend_rest_and_half_of_them_at_most() {
        let (mut judge, mut pool) = (Judge::default(), pool_of(4));
        for id in 1..=3 {
            let backend = &pool.member(BackendId(id)).unwrap().backend;
            let clients = (1..=5_u8).map(|number| Suspect::of([10, 0, 0, number].into()));
            assert_eq!(clients.map(|client| backend.erred(client, 5)).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
            let verdict = judge.hear(Change::Erring(BackendId(id), Instant::now()), &pool);
            assert_eq!(verdict.is_some(), id <= 2, "{id}");
            pool = verdict.and_then(|verdict| pool.then(&verdict)).unwrap_or(pool);
        }
    }
}
