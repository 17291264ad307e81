//! Backends that are known by name: the name is looked up again whenever what was found holds no longer, and each of its
//! addresses is a backend for as long as it is one of them.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    backend::{Address, Backend, BackendId, Question, Terms},
    pool::Change,
    resolver::{Family, Found, Late, Missing, USUALLY_HOLDS},
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

/// Why a family is not known whose answer is waited for no longer.
const TOO_LATE: &str = "no answer came before the next look-up";

/// Keeps the pool to the addresses of a name. While it cannot be looked up, they stay what they were; if it is one family
/// of which nothing is known, those of that family. An answer that is late for one family holds up nothing, and is taken
/// if it comes before the next look-up. `holds`: for how long an answer is believed, if it is not to say so itself.
pub(crate) async fn follow<L: Future<Output = io::Result<Found>>>(
    named: Named,
    ids: Arc<Ids>,
    changes: mpsc::Sender<Change>,
    holds: Option<Duration>,
    look_up: impl Fn(String) -> L,
) {
    let mut followed = Followed { named, ids, changes, holds, known: BTreeMap::new(), trouble: Trouble::default() };
    loop {
        let (pause, late) = followed.take_in(look_up(followed.named.name.clone()).await).await;
        let mut due = Instant::now() + pause;
        if let Some((family, late)) = late {
            if let Ok(found) = timeout_at(due, late).await {
                let (pause, _) = followed.take_in(Ok(found)).await;
                due = due.min(Instant::now() + pause);
            } else {
                followed.hear_of(&[family], None, TOO_LATE);
            }
        }
        sleep_until(due).await;
    }
}

/// A name, and what is known of it.
struct Followed {
    named: Named,
    ids: Arc<Ids>,
    changes: mpsc::Sender<Change>,
    holds: Option<Duration>,
    known: BTreeMap<SocketAddr, BackendId>,
    trouble: Trouble,
}

impl Followed {
    /// Does what an answer asks for. Returns how long until the next look-up, and of which family the answer is still to
    /// come.
    async fn take_in(&mut self, heard: io::Result<Found>) -> (Duration, Option<(Family, Late)>) {
        let Found { addresses, holds, missing } = match heard {
            Ok(found) => found,
            Err(error) => {
                self.hear_of(&[Family::Ipv4, Family::Ipv6], None, &error.to_string());
                return (self.trouble.pause(self.holds.unwrap_or(USUALLY_HOLDS)), None);
            }
        };
        for step in steps(&self.known, &addresses, missing.as_ref().map(|(family, _)| *family)) {
            drop(self.changes.send(take(step, &self.named, &self.ids, &mut self.known)).await);
        }
        let holds = self.holds.unwrap_or(holds);
        match missing {
            Some((family, Missing::Late(late))) => {
                self.hear_of(&[], Some(family), "");
                return (holds, Some((family, late)));
            }
            Some((family, Missing::Failed(why))) => self.hear_of(&[family], None, &why),
            None => self.hear_of(&[], None, ""),
        }
        (self.trouble.pause(holds), None)
    }

    /// Tells what is news in this: which families have failed, why, and that nothing has come of another one yet.
    fn hear_of(&mut self, failed: &[Family], late: Option<Family>, why: &str) {
        let now = self.trouble.then(failed, late);
        self.trouble.tell(&now, &self.named.name, why);
        self.trouble = now;
    }
}

/// How many look-ups in a row have told nothing of a family, for each of which the last one has not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trouble(BTreeMap<Family, u32>);

impl Trouble {
    /// What it is after a look-up for which some families have failed, and which one may still answer. Pure.
    fn then(&self, failed: &[Family], late: Option<Family>) -> Self {
        let failures = |family: &Family| self.0.get(family).map_or(1, |failures| failures.saturating_add(1));
        let stays = late.and_then(|family| Some((family, *self.0.get(&family)?)));
        Self(failed.iter().map(|family| (*family, failures(family))).chain(stays).collect())
    }

    /// The families that are in it, and are not in the other one. Pure.
    fn beyond(&self, other: &Self) -> Vec<Family> {
        self.0.keys().copied().filter(|family| !other.0.contains_key(family)).collect()
    }

    /// Says what of a name cannot be looked up from now on, and what can be again; nothing of what stays as it was.
    fn tell(&self, now: &Self, name: &str, why: &str) {
        match now.beyond(self)[..] {
            [] => {}
            [family] => tracing::warn!(
                %name,
                "the {family} addresses of {name} cannot be looked up: {why}; they stay what they were"
            ),
            _ => tracing::warn!(%name, "{name} cannot be looked up: {why}; its addresses stay what they were"),
        }
        match self.beyond(now)[..] {
            [] => {}
            [family] => tracing::info!(%name, "the {family} addresses of {name} can be looked up again"),
            _ => tracing::info!(%name, "{name} can be looked up again"),
        }
    }

    /// How long until the next look-up, if what was found holds so long. A family that fails has its own count, and the
    /// shortest pause is kept: one that has failed for long does not slow down the first retries of the other. Its pauses
    /// grow until the other one has to be looked up anyway, so that one that never answers costs a few questions and no
    /// more, and one that does again is missed for about as long as it was away. Pure.
    fn pause(&self, holds: Duration) -> Duration {
        self.0.values().map(|failures| retry(*failures, holds)).min().unwrap_or(holds)
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

/// From the addresses that are known to those that were found, but that of one family nothing is known. Pure. Who comes is
/// there before anybody goes.
fn steps(known: &BTreeMap<SocketAddr, BackendId>, found: &[SocketAddr], missing: Option<Family>) -> Vec<Step> {
    let mut new: Vec<SocketAddr> = found.iter().copied().filter(|address| !known.contains_key(address)).collect();
    new.sort_unstable();
    new.dedup();
    let stays = |address: &SocketAddr| found.contains(address) || missing.is_some_and(|family| family.has(address));
    let gone = known.iter().filter(|(address, _)| !stays(address));
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
    use std::{cell::Cell, net::Ipv6Addr};

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

    /// The first changes of the pool while it follows a name.
    fn seen<const N: usize, L: Future<Output = io::Result<Found>>>(
        holds: Option<Duration>,
        look_up: impl Fn(String) -> L,
    ) -> [String; N] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (changes, mut inbox) = mpsc::channel(16);
        let named = Named { name: "app:80".to_owned(), terms: Terms::default(), health: None };
        let seen: Vec<String> = runtime.block_on(async {
            let collecting = async {
                let mut seen = Vec::new();
                while seen.len() < N {
                    seen.extend(inbox.recv().await.map(|change| told(&change)));
                }
                seen
            };
            tokio::select! {
                () = follow(named, Arc::default(), changes, holds, look_up) => unreachable!(),
                seen = collecting => seen,
            }
        });
        seen.try_into().unwrap()
    }

    fn found(addresses: &[SocketAddr], late: Option<Late>) -> Found {
        let missing = late.map(|late| (Family::Ipv6, Missing::Late(late)));
        Found { addresses: addresses.to_vec(), holds: Duration::from_hours(1), missing }
    }

    #[test]
    fn the_pool_follows_a_name_and_keeps_what_it_has_while_nobody_knows_the_name() {
        let round = Cell::new(0);
        let look_up = |_| {
            std::future::ready(match round.replace(round.get() + 1) {
                0 => Ok(found(&[address(1), address(2)], None)),
                1 => Err(io::ErrorKind::TimedOut.into()),
                _ => Ok(found(&[address(2), address(3), address(3)], None)),
            })
        };
        let seen = seen(Some(Duration::from_millis(1)), look_up);
        assert_eq!(seen, ["+app/10.0.0.1:80", "+app/10.0.0.2:80", "+app/10.0.0.3:80", "-0"]);
    }

    #[test]
    fn an_answer_that_is_late_for_one_family_is_taken_when_it_comes() {
        let late = Box::pin(async { found(&[address(1), (Ipv6Addr::LOCALHOST, 80).into()], None) });
        let once = Cell::new(Some(found(&[address(1)], Some(late))));
        let seen = seen(None, |_| std::future::ready(Ok(once.take().unwrap())));
        assert_eq!(seen, ["+app/10.0.0.1:80", "+app/[::1]:80"]);
    }

    #[test]
    fn an_answer_that_never_comes_for_one_family_does_not_hold_up_the_next_look_up() {
        let last = Cell::new(0);
        let look_up = |_| {
            last.set(last.get() + 1);
            std::future::ready(Ok(found(&[address(last.get())], Some(Box::pin(std::future::pending())))))
        };
        let seen = seen(Some(Duration::from_millis(1)), look_up);
        assert_eq!(seen, ["+app/10.0.0.1:80", "+app/10.0.0.2:80", "-0"]);
    }

    #[test]
    fn a_look_up_that_fails_comes_again_soon_and_then_less_soon() {
        let minute = Duration::from_mins(1);
        assert_eq!([1, 2, 3, 6, 7, u32::MAX].map(|failures| retry(failures, minute).as_secs()), [1, 2, 4, 32, 60, 60]);
        assert_eq!(retry(1, Duration::from_millis(5)), Duration::from_millis(5));
    }

    #[test]
    fn the_addresses_of_a_family_stay_of_which_nothing_is_known() {
        let (ipv4, ipv6) = (address(1), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 80)));
        let known = BTreeMap::from([(ipv4, BackendId(0)), (ipv6, BackendId(1))]);
        let gone = |found: SocketAddr, missing| -> Vec<SocketAddr> {
            let steps = steps(&known, &[found], missing).into_iter();
            steps.filter_map(|step| if let Step::Goes(address, _) = step { Some(address) } else { None }).collect()
        };
        assert_eq!(gone(address(2), None), [ipv4, ipv6]);
        assert_eq!(gone(address(2), Some(Family::Ipv6)), [ipv4]);
        assert_eq!(gone(ipv6, Some(Family::Ipv4)), []);
    }

    #[test]
    fn what_of_each_family_cannot_be_looked_up_is_news_when_it_begins_and_when_it_ends() {
        let (ipv4, ipv6) = (Family::Ipv4, Family::Ipv6);
        let mut trouble = Trouble::default();
        let mut after = |missing: &[Family]| {
            let now = trouble.then(missing, None);
            let news = (now.beyond(&trouble), trouble.beyond(&now));
            trouble = now;
            news
        };
        assert_eq!(after(&[]), (vec![], vec![]));
        for _ in 0..2 {
            assert_eq!(after(&[ipv4, ipv6]), (vec![ipv4, ipv6], vec![]));
            assert_eq!(after(&[ipv4, ipv6]), (vec![], vec![]));
            for _ in 0..2 {
                assert_eq!(after(&[ipv6]), (vec![], vec![ipv4]));
                assert_eq!(after(&[ipv6]), (vec![], vec![]));
                assert_eq!(after(&[ipv4, ipv6]), (vec![ipv4], vec![]));
            }
            assert_eq!(after(&[ipv4]), (vec![], vec![ipv6]));
            assert_eq!(after(&[ipv6]), (vec![ipv6], vec![ipv4]));
            assert_eq!(after(&[]), (vec![], vec![ipv6]));
        }
    }

    #[test]
    fn a_late_answer_is_no_news_of_its_family() {
        let (ipv4, ipv6) = (Family::Ipv4, Family::Ipv6);
        assert_eq!(Trouble::default().then(&[], Some(ipv6)), Trouble::default());
        let both = Trouble::default().then(&[ipv4, ipv6], None);
        assert_eq!(both.then(&[], Some(ipv6)), Trouble(BTreeMap::from([(ipv6, 1)])));
        assert_eq!(both.then(&[], Some(ipv6)).then(&[ipv6], None), Trouble(BTreeMap::from([(ipv6, 2)])));
    }

    #[test]
    fn a_family_that_fails_for_long_neither_hurries_the_other_nor_slows_down_its_retries() {
        let (ipv4, ipv6) = (Family::Ipv4, Family::Ipv6);
        let (hour, usual) = (Duration::from_hours(1), USUALLY_HOLDS);
        let mut trouble = Trouble::default();
        let mut pause = |missing: &[Family], holds| {
            trouble = trouble.then(missing, None);
            trouble.pause(holds).as_secs()
        };
        assert_eq!(pause(&[], hour), 3600);
        let pauses: Vec<u64> = (0..14).map(|_| pause(&[ipv6], hour)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
        for _ in 0..2 {
            assert_eq!([1, 2, 3, 4, 5].map(|_| pause(&[ipv4, ipv6], usual)), [1, 2, 4, 8, 10]);
            assert_eq!(pause(&[ipv6], hour), 3600);
        }
        assert_eq!((pause(&[], hour), pause(&[ipv6], hour)), (3600, 1));
    }

    proptest! {
        #[test]
        fn after_its_steps_the_pool_has_what_was_found(rounds in prop::collection::vec(prop::collection::vec(0_u8..6, 1..6), 1..8)) {
            let (ids, mut known) = (Ids::default(), BTreeMap::new());
            let named = Named { name: "app:80".to_owned(), terms: Terms::default(), health: None };
            for round in rounds {
                let found: Vec<SocketAddr> = round.into_iter().map(address).collect();
                let steps = steps(&known, &found, None);
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
