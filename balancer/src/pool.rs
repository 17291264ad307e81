//! Who gets requests: one writer turns [`Change`]s into an immutable [`Snapshot`], everybody else reads it.
//!
//! Facts that must agree (members, whether they answer, draining) are in the same snapshot. This module does not find
//! out anything by itself: the supervisor, the health checks and the data plane tell it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use crate::backend::{Backend, BackendId};

/// What happened to a backend.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is ready for requests.
    Join(Arc<Backend>),
    /// It is gone.
    Leave(BackendId),
    /// It could not be reached; it gets nothing until it answers a probe.
    Eject(BackendId),
    /// It answered a probe.
    Restore(BackendId),
    /// It gets nothing new and finishes what it has.
    Drain(BackendId),
}

/// Whether a member gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Serving,
    /// It was not to be reached.
    Ejected,
    /// It is about to end.
    Draining,
}

/// One backend in a snapshot.
#[derive(Debug, Clone)]
pub struct Member {
    /// The backend.
    pub backend: Arc<Backend>,
    /// Whether it gets requests.
    pub standing: Standing,
    /// How often it came back. What a request learnt about an earlier turn does not count for a later one.
    pub turn: u32,
}

impl Member {
    /// Whether it gets requests.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.standing == Standing::Serving
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
    pub fn after(&self, change: &Change) -> Option<Self> {
        let mut next = self.clone();
        next.version += 1;
        match change {
            Change::Join(backend) => {
                if self.member(backend.id).is_some() {
                    return None;
                }
                next.members.push(Member { backend: Arc::clone(backend), standing: Standing::Serving, turn: 0 });
            }
            Change::Leave(id) => {
                next.members.retain(|member| member.backend.id != *id);
                if next.members.len() == self.members.len() {
                    return None;
                }
            }
            Change::Eject(id) => next.stand(*id, Standing::Serving, Standing::Ejected)?,
            Change::Restore(id) => next.stand(*id, Standing::Ejected, Standing::Serving)?,
            Change::Drain(id) => {
                let from = self.member(*id)?.standing;
                next.stand(*id, from, Standing::Draining)?;
            }
        }
        Some(next)
    }

    fn stand(&mut self, id: BackendId, from: Standing, to: Standing) -> Option<()> {
        let member = self.members.iter_mut().find(|member| member.backend.id == id)?;
        if member.standing != from || from == to {
            return None;
        }
        member.standing = to;
        member.turn += u32::from(to == Standing::Serving);
        Some(())
    }
}

/// The pool: the current snapshot, and a bell that rings at every change.
#[derive(Debug)]
pub struct Pool {
    current: Arc<ArcSwap<Snapshot>>,
    bell: watch::Sender<u64>,
}

impl Default for Pool {
    fn default() -> Self {
        Self { current: Arc::default(), bell: watch::Sender::new(0) }
    }
}

impl Pool {
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
    pub(crate) async fn write(&self, mut changes: mpsc::Receiver<Change>) {
        while let Some(change) = changes.recv().await {
            let Some(next) = self.current.load().after(&change) else { continue };
            tell(&change, &next);
            let version = next.version;
            self.current.store(Arc::new(next));
            self.bell.send_replace(version);
        }
    }
}

fn tell(change: &Change, after: &Snapshot) {
    let name = |id: BackendId| after.member(id).map_or("", |member| member.backend.name.as_str());
    let serving = after.serving().count();
    match change {
        Change::Join(backend) => {
            tracing::info!(backend = %backend.name, address = %backend.address, serving, "{} gets requests", backend.name);
        }
        Change::Leave(_) => tracing::info!(serving, "a backend has left; {serving} get requests"),
        Change::Eject(id) => tracing::warn!(backend = name(*id), serving, "{} cannot be reached", name(*id)),
        Change::Restore(id) => tracing::info!(backend = name(*id), serving, "{} can be reached again", name(*id)),
        Change::Drain(id) => tracing::info!(backend = name(*id), serving, "{} gets nothing new", name(*id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Address;

    fn backend(id: u32) -> Arc<Backend> {
        let address: Address = "127.0.0.1:1".parse().unwrap();
        Arc::new(Backend::new(BackendId(id), format!("b{id}"), address, None))
    }

    #[test]
    fn only_serving_members_get_requests() {
        let one = Snapshot::default().after(&Change::Join(backend(1))).unwrap();
        let two = one.after(&Change::Join(backend(2))).unwrap();
        let ejected = two.after(&Change::Eject(BackendId(1))).unwrap();
        assert_eq!(ejected.serving().map(|member| member.backend.id.0).collect::<Vec<_>>(), [2]);
        let back = ejected.after(&Change::Restore(BackendId(1))).unwrap();
        assert_eq!(back.serving().count(), 2);
        assert_eq!(back.member(BackendId(1)).unwrap().turn, 1);
    }

    #[test]
    fn a_draining_member_does_not_come_back_by_a_probe() {
        let one = Snapshot::default().after(&Change::Join(backend(1))).unwrap();
        let draining = one.after(&Change::Drain(BackendId(1))).unwrap();
        assert!(draining.after(&Change::Restore(BackendId(1))).is_none());
        assert!(draining.after(&Change::Eject(BackendId(1))).is_none());
        assert!(draining.after(&Change::Leave(BackendId(1))).unwrap().members.is_empty());
    }

    #[test]
    fn what_changes_nothing_makes_no_snapshot() {
        let one = Snapshot::default().after(&Change::Join(backend(1))).unwrap();
        assert!(one.after(&Change::Join(backend(1))).is_none());
        assert!(one.after(&Change::Restore(BackendId(1))).is_none());
        assert!(one.after(&Change::Leave(BackendId(7))).is_none());
    }
}
