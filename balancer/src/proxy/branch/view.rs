//! A thread's view of the pool: who may be asked, in which order of preference, and whose turn it is.

use std::{rc::Rc, sync::Arc, time::Instant};

use tokio::sync::mpsc;

use super::{
    Tried, Wish,
    candidate::{Candidate, Place},
};
use crate::{
    config::balance::Balance,
    pool::{Change, Snapshot, Standing},
    proxy::upstream::Upstream,
    select::{
        Algorithm, Candidates, ewma::Latency, least_requests::LeastRequests, round_robin::RoundRobin, smooth::Smooth,
        sticky::Token, two_choices::TwoChoices,
    },
    verdict::Suspect,
};

/// What the view of a thread is made by.
pub(super) struct Way {
    pub(super) balance: Balance,
    /// The thread's number: each begins at another place.
    pub(super) number: usize,
    pub(super) seed: u64,
}

/// A thread's view of the pool.
#[derive(Default)]
pub(super) struct View {
    pub(super) version: u64,
    /// Those that get requests, or one; first the usual ones, then the backups.
    tiers: [Tier; 2],
    /// Those in trouble by what requests told: on trial or resting. Asked only when nobody serves who was not asked.
    troubled: Tier,
    /// Whether anybody serves.
    pub(super) serves: bool,
    /// All others: nothing new for them, but their idle connections are kept.
    others: Vec<Place>,
    /// Whether a weight grows.
    ramps: bool,
}

#[derive(Default)]
struct Tier {
    places: Vec<Place>,
    algorithm: Option<Algorithm>,
}

impl View {
    /// Becomes the view of another snapshot. `known` backends keep what the thread has of them.
    pub(super) fn renew(&mut self, snapshot: &Snapshot, way: &Way, upstream: impl Fn(&Self, usize) -> Rc<Upstream>) {
        let mut next = Self { version: snapshot.version, ..Self::default() };
        for (number, member) in snapshot.members.iter().enumerate() {
            let place = Place::new(upstream(self, number), member);
            let tier = usize::from(member.backend.terms.backup);
            match member.standing() {
                Standing::Serving => next.tiers[tier].places.push(place),
                Standing::OnTrial(..) => {
                    next.troubled.places.push(place.clone());
                    next.tiers[tier].places.push(place);
                }
                Standing::Resting(_) => next.troubled.places.push(place),
                Standing::Ejected | Standing::Unwell | Standing::Draining | Standing::Down => next.others.push(place),
            }
        }
        next.serves = snapshot.serving().next().is_some();
        next.troubled.algorithm = self.troubled.algorithm.take();
        for (tier, old) in next.tiers.iter_mut().zip(&mut self.tiers) {
            tier.algorithm = old.algorithm.take();
        }
        *self = next;
        self.weigh(way);
    }

    /// What is due once a second: weights grow.
    pub(super) fn second(&mut self, way: &Way) {
        if self.ramps {
            self.weigh(way);
        }
    }

    fn weigh(&mut self, way: &Way) {
        let now = Instant::now();
        self.ramps = false;
        for tier in self.tiers.iter_mut().chain([&mut self.troubled]) {
            for place in &mut tier.places {
                self.ramps |= place.weigh(now);
            }
            tier.choose(way);
        }
    }

    /// The next backend for a request: where its client was before, or whose turn it is.
    pub(super) fn pick(&mut self, tried: &Tried, wish: &Wish, reports: &mpsc::Sender<Change>) -> Option<Candidate> {
        let client = wish.client;
        if let Some(token) = &wish.token {
            let mut places = self.tiers.iter().filter_map(|tier| {
                let free = Free { places: &tier.places, tried, client, anyway: false };
                let known = (0..tier.places.len()).find(|place| tier.places[*place].has(token))?;
                free.is_free(known).then(|| tier.places[known].candidate(client, reports))?
            });
            if let Some(candidate) = places.next() {
                return Some(candidate.chosen_for("cookie"));
            }
        }
        let usual = if wish.key.is_some() { "key" } else { "turn" };
        for (tier, why) in self.tiers.iter_mut().zip([usual, "backup"]) {
            // Another thread may have been faster; then this one is not free any more.
            while let Some(place) = tier.pick(tried, wish, false) {
                if let Some(candidate) = tier.places[place].candidate(client, reports) {
                    let why = if candidate.is_trial() { "trial" } else { why };
                    return Some(candidate.chosen_for(why));
                }
            }
        }
        let is_left = |place: &Place| place.serves() && !tried.has(place.id_and_turn());
        if self.serves && (tried.may_ask_again() || self.tiers.iter().flat_map(|tier| &tier.places).any(is_left)) {
            return None;
        }
        while let Some(place) = self.troubled.pick(tried, wish, true) {
            if let Some(candidate) = self.troubled.places[place].anyway(client, reports) {
                return Some(candidate.chosen_for("anyway"));
            }
        }
        None
    }

    /// Whether there is somebody for a request, in trouble or not.
    pub(super) fn has_another(&self, tried: &Tried, wish: &Wish) -> bool {
        self.tiers.iter().chain([&self.troubled]).any(|tier| {
            let free = Free { places: &tier.places, tried, client: wish.client, anyway: true };
            (0..free.count()).any(|place| free.is_free(place))
        })
    }

    /// Whether somebody serves whose clients hold this.
    pub(super) fn serves_token(&self, token: &Token) -> bool {
        self.tiers.iter().flat_map(|tier| &tier.places).any(|place| place.has(token))
    }

    /// All places, each backend once or twice.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.tiers.iter().chain([&self.troubled]).flat_map(|tier| &tier.places).chain(&self.others)
    }

    /// What the thread has of a backend.
    pub(super) fn known(&self, backend: &Arc<crate::backend::Backend>) -> Option<Rc<Upstream>> {
        let mut places = self.places();
        places.find(|place| place.upstream.backend.id == backend.id).map(|place| Rc::clone(&place.upstream))
    }
}

impl Tier {
    fn pick(&mut self, tried: &Tried, wish: &Wish, anyway: bool) -> Option<usize> {
        let Self { places, algorithm } = self;
        algorithm.as_mut()?.pick(&Free { places, tried, client: wish.client, anyway }, wish.key)
    }

    /// Takes the algorithm that fits the weights; one that is there goes on where it was.
    fn choose(&mut self, way: &Way) {
        let is_even = self.places.windows(2).all(|pair| pair[0].weight == pair[1].weight);
        let fits = |algorithm: &Algorithm| match (&way.balance, algorithm) {
            (Balance::RoundRobin, Algorithm::RoundRobin(_)) => is_even,
            (Balance::RoundRobin, Algorithm::Smooth(_)) => !is_even,
            _ => true,
        };
        if !self.algorithm.as_ref().is_some_and(fits) {
            self.algorithm = Some(match way.balance {
                Balance::RoundRobin if is_even => Algorithm::RoundRobin(RoundRobin::starting_at(way.number)),
                Balance::RoundRobin => Algorithm::Smooth(Smooth::default()),
                Balance::LeastConn => Algorithm::LeastRequests(LeastRequests::default()),
                Balance::Random => Algorithm::TwoChoices(TwoChoices::seeded(way.seed)),
                Balance::Hash(_) => Algorithm::Keyed(Smooth::default()),
            });
        }
    }
}

/// Those of a tier that a request may go to.
struct Free<'a> {
    places: &'a [Place],
    tried: &'a Tried,
    client: Suspect,
    /// Also those who are on trial or rest.
    anyway: bool,
}

impl Candidates for Free<'_> {
    fn count(&self) -> usize {
        self.places.len()
    }

    fn is_free(&self, place: usize) -> bool {
        let place = &self.places[place];
        !self.tried.has(place.id_and_turn())
            && (self.anyway || !place.is_closed_to(self.client))
            && !place.upstream.backend.is_full()
    }

    fn weight(&self, place: usize) -> u32 {
        self.places[place].weight
    }

    fn in_flight(&self, place: usize) -> usize {
        let place = &self.places[place];
        // Its seat bounds the requests of who is on trial; those that hang there of before shall not keep the next one off.
        if self.anyway || place.serves() { place.upstream.backend.in_flight() } else { 0 }
    }

    fn latency(&self, place: usize) -> Latency {
        self.places[place].latency()
    }

    fn name(&self, place: usize) -> u64 {
        self.places[place].name
    }
}
