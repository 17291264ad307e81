//! Backends as they stand in a thread's view, and one that was chosen for a request: what comes of the request is told to
//! the pool here, if it is of interest. Usually it is not, and costs a load.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::Branch;
use crate::{
    backend::BackendId,
    pool::{Change, Member, Seat, Standing, Verdict},
    proxy::{
        client::Client,
        upstream::{InFlight, Upstream},
    },
    select::{
        ewma::Latency,
        key, ramp,
        sticky::{self, Token},
    },
    verdict::{Cause, FEWEST, Failure, Suspect, is_server_error},
};

/// What a failure counts as among latencies, if it took less.
const FAILED: Duration = Duration::from_secs(1);

/// A backend in a thread's view, in its present turn.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) upstream: Rc<Upstream>,
    pub(super) turn: u32,
    pub(super) weight: u32,
    pub(super) name: u64,
    /// When it began to serve last.
    began: Instant,
    trouble: Option<(Cause, Option<Arc<Seat>>)>,
}

impl Place {
    pub(super) fn new(upstream: Rc<Upstream>, member: &Member) -> Self {
        let trouble = match member.standing() {
            Standing::OnTrial(cause, seat) => Some((cause, Some(seat))),
            Standing::Resting(cause) => Some((cause, None)),
            Standing::Serving | Standing::Ejected | Standing::Unwell | Standing::Draining | Standing::Down => None,
        };
        let name = key::number(upstream.backend.name.as_bytes());
        upstream.serves_since(member.since());
        Self { upstream, turn: member.turn, weight: 0, name, began: member.since(), trouble }
    }

    /// Which backend it is, in which turn.
    pub(super) fn id_and_turn(&self) -> (BackendId, u32) {
        (self.upstream.backend.id, self.turn)
    }

    /// Takes the weight of now; says whether it still grows.
    pub(super) fn weigh(&mut self, now: Instant) -> bool {
        let terms = &self.upstream.backend.terms;
        let served = now.saturating_duration_since(self.began);
        self.weight = ramp::weigh(terms.weight, served, terms.slow_start);
        served < terms.slow_start
    }

    /// Whether its clients hold this.
    pub(super) fn has(&self, token: &Token) -> bool {
        self.upstream.token.as_ref().is_some_and(|ours| sticky::is_same(ours, token))
    }

    /// How long it takes for an answer lately. Of one in trouble nothing counts: its trial shall come soon.
    pub(super) fn latency(&self) -> Latency {
        if self.serves() { self.upstream.latency.get().get(Instant::now()) } else { Latency::default() }
    }

    /// Whether it is in no trouble.
    pub(super) fn serves(&self) -> bool {
        self.trouble.is_none()
    }

    /// Whether it is on trial, and another request of this client may not be the next there: others have the seat, or the
    /// client has it, or has just failed there.
    pub(super) fn is_closed_to(&self, client: Suspect) -> bool {
        matches!(&self.trouble, Some((_, Some(seat))) if !seat.is_free(client, Instant::now()))
    }

    /// For a request of a client; `None` if others have taken its last place, or it is [closed](Self::is_closed_to) to the client.
    pub(super) fn candidate(&self, client: Suspect, reports: &mpsc::Sender<Change>) -> Option<Candidate> {
        let in_flight = InFlight::begin(&self.upstream)?;
        let trial = match &self.trouble {
            None => None,
            Some((_, Some(seat))) if !seat.take(client, Instant::now()) => return None,
            Some((cause, seat)) => Some(Trial { cause: *cause, seat: seat.clone(), client, reports: reports.clone() }),
        };
        Some(self.chosen(in_flight, trial))
    }

    /// For a request, because all are in trouble.
    pub(super) fn anyway(&self, client: Suspect, reports: &mpsc::Sender<Change>) -> Option<Candidate> {
        let in_flight = InFlight::begin(&self.upstream)?;
        let trial = self.trouble.as_ref().map(|(cause, _)| Trial {
            cause: *cause,
            seat: None,
            client,
            reports: reports.clone(),
        });
        Some(self.chosen(in_flight, trial))
    }

    fn chosen(&self, in_flight: InFlight, trial: Option<Trial>) -> Candidate {
        Candidate {
            upstream: Rc::clone(&self.upstream),
            turn: self.turn,
            in_flight: Some(in_flight),
            since: Instant::now(),
            began: self.began,
            is_observed: false,
            chosen: "turn",
            trial,
        }
    }
}

/// A backend chosen for a request.
pub(crate) struct Candidate {
    pub(crate) upstream: Rc<Upstream>,
    turn: u32,
    in_flight: Option<InFlight>,
    /// Why it was chosen, in the words of the access log.
    pub(crate) chosen: &'static str,
    /// When it was asked.
    since: Instant,
    /// When its backend began to serve last, as was known then.
    began: Instant,
    /// Whether backends are chosen by how long that takes.
    is_observed: bool,
    trial: Option<Trial>,
}

impl Candidate {
    /// Which backend it is, in which turn.
    pub(crate) fn turn(&self) -> (BackendId, u32) {
        (self.upstream.backend.id, self.turn)
    }

    /// Its place among the requests there, for the answer.
    pub(crate) fn take_in_flight(&mut self) -> InFlight {
        self.in_flight.take().expect("a candidate gives one answer")
    }

    pub(super) fn chosen_for(self, why: &'static str) -> Self {
        Self { chosen: why, ..self }
    }

    /// How long it takes is of interest.
    pub(super) fn observed(mut self) -> Self {
        self.is_observed = true;
        let mut latency = self.upstream.latency.get();
        latency.ask(self.since);
        self.upstream.latency.set(latency);
        self
    }

    /// Whether it decides whether its backend comes back.
    pub(super) fn is_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// It has begun to answer.
    pub(crate) fn begins(&self) {
        self.upstream.counts.first_byte.observe(self.since.elapsed());
    }

    /// The request goes elsewhere: its place is free for another one.
    pub(crate) fn leave(&mut self) {
        self.in_flight = None;
    }

    fn observe(&self, least: Duration) {
        if self.is_observed && self.upstream.is_since(self.began) {
            let now = Instant::now();
            let mut latency = self.upstream.latency.get();
            latency.observe((now - self.since).max(least), now);
            self.upstream.latency.set(latency);
        }
    }

    /// It has answered this client.
    pub(crate) fn answered(self, branch: &Branch, client: &Client, status: u16) {
        self.observe(Duration::ZERO);
        let backend = &self.upstream.backend;
        let errs = is_server_error(status);
        if !errs {
            backend.answered();
        } else {
            let enough = branch.limits.outliers.enough();
            if backend.erred(Suspect::of(client.address()), enough) >= enough && self.trial.is_none() {
                branch.report(Change::Erring(backend.id, Instant::now()));
            }
        }
        if let Some(trial) = self.trial {
            if errs && trial.cause == Cause::Errors {
                trial.fails(&self.upstream, Instant::now());
            } else {
                trial.decide(&self.upstream, Verdict::Passed);
            }
        }
    }

    /// It has not, and nor has another one. Whoever answers nobody else either is in trouble.
    pub(crate) fn kept_silent(self, branch: &Branch, client: &Client) {
        self.observe(FAILED);
        let (backend, now) = (&self.upstream.backend, Instant::now());
        let max_fails = backend.terms.patience.max_fails;
        let is_silent = backend.kept_silent(Suspect::of(client.address()), max_fails.max(FEWEST), now);
        match self.trial {
            None if is_silent && max_fails > 0 => branch.report(Change::Silent(backend.id, now)),
            Some(trial) => trial.fails(&self.upstream, now),
            None => {}
        }
    }

    /// It has not, or not so that it could be used. A trial that may have failed by the request decides nothing alone.
    pub(crate) fn failed(self, branch: &Branch, failure: Failure) {
        // Who fails fast is not fast.
        self.observe(FAILED);
        match self.trial {
            None => branch.report(Change::Failed(self.upstream.backend.id, failure)),
            Some(trial) if failure.suspect.is_none() => trial.decide(&self.upstream, Verdict::Failed(failure.at)),
            Some(trial) => trial.fails(&self.upstream, failure.at),
        }
    }
}

/// A request whose outcome decides whether its backend comes back. Dropped undecided, it leaves the seat to another one.
struct Trial {
    cause: Cause,
    /// Without one it was sent there because all are in trouble.
    seat: Option<Arc<Seat>>,
    client: Suspect,
    reports: mpsc::Sender<Change>,
}

impl Trial {
    fn decide(mut self, upstream: &Upstream, verdict: Verdict) {
        let change = Change::Tried(upstream.backend.id, self.seat.clone(), verdict);
        if self.reports.try_send(change).is_ok() {
            // The seat is gone with this trial.
            self.seat = None;
        }
    }

    /// It has failed, perhaps by the client's doing.
    fn fails(self, upstream: &Upstream, at: Instant) {
        if self.seat.as_ref().is_some_and(|seat| seat.fails(self.client, at)) {
            self.decide(upstream, Verdict::Failed(at));
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            seat.leave(self.client);
        }
    }
}
