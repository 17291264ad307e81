//! Backends that are known by name: the name is looked up again whenever what was found holds no longer, and each of its
//! addresses is a backend for as long as it is one of them.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::sleep};

use crate::{
    backend::{Address, Backend, BackendId, Question, Terms},
    pool::Change,
    resolver::{Found, USUALLY_HOLDS},
    supervisor::Ids,
};

/// A backend by name, and what holds for each of its addresses.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// `HOST:PORT`.
    pub(crate) name: String,
    pub(crate) terms: Terms,
    pub(crate) health: Option<Question>,
}

/// After the first look-up that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the pool to the addresses of a name. While it cannot be looked up, they stay what they were. `holds`: for how long
/// an answer is believed, if it is not to say so itself.
pub(crate) async fn follow<L: Future<Output = io::Result<Found>>>(
    named: Named,
    ids: Arc<Ids>,
    changes: mpsc::Sender<Change>,
    holds: Option<Duration>,
    look_up: impl Fn(String) -> L,
) {
    let (mut known, mut failures) = (BTreeMap::new(), 0_u32);
    loop {
        let pause = match look_up(named.name.clone()).await {
            Ok(found) => {
                failures = 0;
                for step in steps(&known, &found.addresses) {
                    drop(changes.send(take(step, &named, &ids, &mut known)).await);
                }
                holds.unwrap_or(found.holds)
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                if failures == 1 {
                    let name = &named.name;
                    tracing::warn!(%name, "{name} cannot be looked up: {error}; its addresses stay what they were");
                }
                retry(failures, holds.unwrap_or(USUALLY_HOLDS))
            }
        };
        sleep(pause).await;
    }
}

/// How long after this many failures the name is looked up again: soon, and less and less soon, up to a bound. Pure.
fn retry(failures: u32, longest: Duration) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(longest)
}

/// What has to be done about one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Comes(SocketAddr),
    Goes(SocketAddr, BackendId),
}

/// From the addresses that are known to those that were found. Pure. Who comes is there before anybody goes.
fn steps(known: &BTreeMap<SocketAddr, BackendId>, found: &[SocketAddr]) -> Vec<Step> {
    let mut new: Vec<SocketAddr> = found.iter().copied().filter(|address| !known.contains_key(address)).collect();
    new.sort_unstable();
    new.dedup();
    let gone = known.iter().filter(|(address, _)| !found.contains(address));
    new.into_iter().map(Step::Comes).chain(gone.map(|(address, id)| Step::Goes(*address, *id))).collect()
}

fn take(step: Step, named: &Named, ids: &Ids, known: &mut BTreeMap<SocketAddr, BackendId>) -> Change {
    match step {
        Step::Comes(address) => {
            let id = ids.next();
            known.insert(address, id);
            let host = named.name.rsplit_once(':').map_or("", |(host, _)| host);
            let (terms, path) = (named.terms.clone(), named.health.clone());
            Change::Join(Arc::new(Backend::new(id, format!("{host}/{address}"), Address::Tcp(address), path, terms)))
        }
        Step::Goes(address, id) => {
            known.remove(&address);
            Change::Leave(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 80).into()
    }

    fn told(change: &Change) -> String {
        match change {
            Change::Join(backend) => format!("+{}", backend.name),
            Change::Leave(id) => format!("-{}", id.0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_pool_follows_a_name_and_keeps_what_it_has_while_nobody_knows_the_name() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (changes, mut inbox) = mpsc::channel(16);
        let named = Named { name: "app:80".to_owned(), terms: Terms::default(), health: None };
        let round = Cell::new(0);
        let look_up = |_| {
            let found = match round.replace(round.get() + 1) {
                0 => Ok(vec![address(1), address(2)]),
                1 => Err(io::ErrorKind::TimedOut.into()),
                _ => Ok(vec![address(2), address(3), address(3)]),
            };
            std::future::ready(found.map(|addresses| Found { addresses, holds: Duration::from_hours(1) }))
        };
        let seen = runtime.block_on(async {
            let collecting = async {
                let mut seen = Vec::new();
                while seen.len() < 4 {
                    seen.extend(inbox.recv().await.map(|change| told(&change)));
                }
                seen
            };
            tokio::select! {
                () = follow(named, Arc::default(), changes, Some(Duration::from_millis(1)), look_up) => unreachable!(),
                seen = collecting => seen,
            }
        });
        assert_eq!(seen, ["+app/10.0.0.1:80", "+app/10.0.0.2:80", "+app/10.0.0.3:80", "-0"]);
    }

    #[test]
    fn a_look_up_that_fails_comes_again_soon_and_then_less_soon() {
        let minute = Duration::from_mins(1);
        assert_eq!([1, 2, 3, 6, 7, u32::MAX].map(|failures| retry(failures, minute).as_secs()), [1, 2, 4, 32, 60, 60]);
        assert_eq!(retry(1, Duration::from_millis(5)), Duration::from_millis(5));
    }

    proptest! {
        #[test]
        fn after_its_steps_the_pool_has_what_was_found(rounds in prop::collection::vec(prop::collection::vec(0_u8..6, 1..6), 1..8)) {
            let (ids, mut known) = (Ids::default(), BTreeMap::new());
            let named = Named { name: "app:80".to_owned(), terms: Terms::default(), health: None };
            for round in rounds {
                let found: Vec<SocketAddr> = round.into_iter().map(address).collect();
                let steps = steps(&known, &found);
                prop_assert!(steps.is_sorted_by_key(|step| matches!(step, Step::Goes(..))));
                for step in steps {
                    take(step, &named, &ids, &mut known);
                }
                let mut expected = found.clone();
                expected.sort_unstable();
                expected.dedup();
                prop_assert_eq!(known.keys().copied().collect::<Vec<_>>(), expected);
            }
        }
    }
}
