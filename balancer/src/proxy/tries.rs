//! The tries of one request, whichever engine speaks HTTP: choose a backend, ask it over a held connection or a new one,
//! and go on to the next if that is safe. The decisions are [`retry`]'s; what is held against whom is [`suspects`]'s.

use std::{cell::Cell, io, time::Duration};

use tokio::time::{Instant, sleep};

use self::suspects::Suspects;
use super::{
    branch::{Branch, Candidate, Tried, Wish},
    entry::Entry,
    error::{ProxyError, Retry},
    retry,
    upstream::{Unreached, Upstream},
};
use crate::{select::key::KeyOf, verdict::Suspect};

mod suspects;

/// The first and the longest pause before a backend whose queue is full is asked for a connection again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(64));

/// One request as an engine puts it to backends.
pub(crate) trait Exchange {
    /// A connection to a backend.
    type Connection;
    /// An answer of which the client has seen nothing.
    type Answer;

    /// What is noted of the request.
    fn entry(&mut self) -> &mut Entry;

    /// What a second try depends on.
    fn request(&self) -> retry::Request;

    /// A held connection that takes a request, as far as anybody knows.
    async fn held(&mut self, upstream: &Upstream) -> Option<Self::Connection>;

    /// A new connection.
    async fn dial(&mut self, upstream: &Upstream) -> io::Result<Self::Connection>;

    /// Sends the request and reads the answer until it may go on to the client.
    async fn send(
        &mut self,
        candidate: &mut Candidate,
        connection: Self::Connection,
    ) -> Result<Self::Answer, ProxyError>;

    /// Whether the client has not sent all of its body yet. What a backend makes of that is the client's doing.
    fn owes_body(&self) -> bool;

    /// Ends when the client has left.
    async fn left(&mut self);

    /// What it asks for, in the words of the log.
    fn asks_for(&self) -> String;

    /// What it is known by.
    fn key(&self, of: &KeyOf) -> Option<u64>;

    /// Its cookie of this name.
    fn cookie(&self, name: &str) -> Option<&[u8]>;

    /// The status of an answer.
    fn status(answer: &Self::Answer) -> u16;
}

/// Tries backends until one answers or trying on is not allowed.
pub(crate) async fn answer<E: Exchange>(exchange: &mut E, branch: &Branch) -> Result<E::Answer, ProxyError> {
    let started = exchange.entry().complete();
    let (mut tried, mut suspects, mut last) = (Tried::default(), Suspects::default(), None);
    let client = Suspect::of(exchange.entry().client().address());
    let wish = branch.wish(client, |of| exchange.key(of), |name| exchange.cookie(name));
    let mut next = None;
    loop {
        let candidate = match next.take() {
            Some(candidate) => candidate,
            None => match choose(exchange, branch, &tried, &wish, last).await {
                Ok(candidate) => candidate,
                Err(error) => {
                    suspects.unanswered(branch, exchange.entry().client());
                    return Err(error);
                }
            },
        };
        if let Some(error) = last.take() {
            exchange.entry().retry(ProxyError::facts(error).flag);
        }
        exchange.entry().asks(&candidate);
        let turn = candidate.turn();
        let asked = ask(exchange, branch, candidate, &mut tried, &wish).await;
        let may_go_on = branch.limits.next_upstream_deadline.is_none_or(|deadline| started.elapsed() < deadline);
        match asked {
            Asked::Answered(candidate, answer) => {
                let status = E::status(&answer);
                exchange.entry().answered(status);
                let over_tls = exchange.entry().client().speaks_tls();
                exchange.entry().cookie = branch.cookie(&candidate.upstream, &wish, over_tls);
                let says_something = !exchange.owes_body();
                let Some(case) = retry::case_of_status(status, branch.limits.next_upstream) else {
                    suspects.answered(branch);
                    if says_something {
                        candidate.answered(branch, exchange.entry().client(), status);
                    }
                    return Ok(answer);
                };
                tried.add(turn, true);
                // Here the last backend's answer is the client's, so the next one is chosen before this is dropped.
                if may_go_on {
                    next = after_status(exchange, branch, &tried, &wish, &mut suspects);
                }
                if case.is_failure() && says_something {
                    suspects.add(candidate);
                } else if says_something {
                    candidate.answered(branch, exchange.entry().client(), status);
                }
                if next.is_none() {
                    suspects.unanswered(branch, exchange.entry().client());
                    return Ok(answer);
                }
                exchange.entry().retry(case.name());
            }
            Asked::Stale(other) => {
                suspects.pass_over();
                next = Some(other);
            }
            Asked::Failed(error, suspect) => {
                if let ProxyError::AnswerBroken(fault) = error {
                    let asked = exchange.asks_for();
                    branch.refused(exchange.entry(), &asked, fault);
                }
                tried.add(turn, error.facts().retry != Retry::Always);
                exchange.entry().failed(error);
                suspects.extend(suspect.filter(|_| !exchange.owes_body()));
                if !(may_go_on && may_try_again(exchange, branch, error)) {
                    if may_go_on && was_for_budget(exchange, branch, error, &tried, &wish) {
                        suspects.pass_over();
                    }
                    suspects.unanswered(branch, exchange.entry().client());
                    return Err(error);
                }
                last = Some(error);
            }
        }
    }
}

/// Waits for a backend, unless the client leaves meanwhile.
async fn choose<E: Exchange>(
    exchange: &mut E,
    branch: &Branch,
    tried: &Tried,
    wish: &Wish,
    last: Option<ProxyError>,
) -> Result<Candidate, ProxyError> {
    let (started, waited) = (exchange.entry().complete(), Cell::default());
    let chosen = tokio::select! {
        biased;
        chosen = branch.choose(tried, wish, last, started, &waited) => chosen,
        () = exchange.left() => Err(ProxyError::ClientLeft),
    };
    exchange.entry().queued += waited.get();
    chosen
}

/// How one backend was found.
enum Asked<A> {
    Answered(Candidate, A),
    /// With the backend, if this may be held against it.
    Failed(ProxyError, Option<Candidate>),
    /// A held connection ended after the request had gone out on it, or its queue is full; this one is asked next.
    Stale(Candidate),
}

/// Asks one backend: over a held connection, or over a new one when those turn out to be closed. That one was says nothing
/// about the backend, and where nothing of the request had gone out it is asked over another one.
///
/// Where something had, nobody can tell a connection that was idle for too long from a backend that has died of the request,
/// so whoever else is free is asked first, and the same one, over a new connection, only where nobody is, and once.
async fn ask<E: Exchange>(
    exchange: &mut E,
    branch: &Branch,
    mut candidate: Candidate,
    tried: &mut Tried,
    wish: &Wish,
) -> Asked<E::Answer> {
    while let Some(connection) = exchange.held(&candidate.upstream).await {
        exchange.entry().is_connected();
        match exchange.send(&mut candidate, connection).await {
            Ok(answer) => return Asked::Answered(candidate, answer),
            Err(ProxyError::NotSent) if exchange.request().whole => {}
            Err(ProxyError::NoAnswer) if may_try_again(exchange, branch, ProxyError::NoAnswer) => {
                exchange.entry().stale();
                tried.pass_over(candidate.turn());
                match branch.next(tried, wish) {
                    Some(other) => return Asked::Stale(other),
                    None if tried.ask_again() => break,
                    None => return Asked::Failed(ProxyError::NoAnswer, None),
                }
            }
            Err(error @ (ProxyError::NotSent | ProxyError::NoAnswer)) => return Asked::Failed(error, None),
            Err(error) => return failed(error, candidate),
        }
    }
    let mut dialled = exchange.dial(&candidate.upstream).await;
    if is_for(&dialled, Unreached::Ours) {
        // What is held for nobody gives way to who is there.
        exchange.entry().close_idle();
        dialled = exchange.dial(&candidate.upstream).await;
    }
    if is_for(&dialled, Unreached::Busy) {
        if may_try_again(exchange, branch, ProxyError::Unreachable) {
            tried.skip(candidate.turn());
            if let Some(other) = branch.next(tried, wish) {
                exchange.entry().failed(ProxyError::Unreachable);
                exchange.entry().retry(ProxyError::Unreachable.facts().flag);
                branch.skipped(candidate);
                return Asked::Stale(other);
            }
            tried.take_back();
        }
        dialled = match dial_again(exchange, branch, &candidate.upstream, dialled).await {
            Some(dialled) => dialled,
            None => return Asked::Failed(ProxyError::ClientLeft, None),
        };
    }
    let connection = match dialled {
        Ok(connection) => connection,
        Err(error) => return Asked::Failed(branch.unreached(candidate, &error), None),
    };
    exchange.entry().is_connected();
    match exchange.send(&mut candidate, connection).await {
        Ok(answer) => Asked::Answered(candidate, answer),
        Err(error) => failed(error, candidate),
    }
}

fn is_for<C>(dialled: &io::Result<C>, why: Unreached) -> bool {
    dialled.as_ref().is_err_and(|error| Unreached::of(error) == why)
}

/// Makes a connection to who is busy, where nobody else is left to be asked; `None` if the client leaves meanwhile.
///
/// Where the queue of a unix socket is full the kernel says so at once; with TCP it would try again by itself. Either way a
/// backend is busy and not gone, so it is asked again, less and less often, for as long as a connection may take.
async fn dial_again<E: Exchange>(
    exchange: &mut E,
    branch: &Branch,
    upstream: &Upstream,
    mut dialled: io::Result<E::Connection>,
) -> Option<io::Result<E::Connection>> {
    let (deadline, mut pause) = (Instant::now() + branch.limits.connect_deadline, PAUSES.0);
    while is_for(&dialled, Unreached::Busy) && Instant::now() < deadline {
        tokio::select! {
            biased;
            () = exchange.left() => return None,
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSES.1);
        dialled = exchange.dial(upstream).await;
    }
    Some(dialled)
}

fn failed<A>(error: ProxyError, candidate: Candidate) -> Asked<A> {
    Asked::Failed(error, error.facts().case.map(|_| candidate))
}

fn may_try_again<E: Exchange>(exchange: &mut E, branch: &Branch, error: ProxyError) -> bool {
    retry::after_error(error, exchange.request(), branch.limits.next_upstream)
        && (error.facts().retry == Retry::Always || is_in_budget(exchange, branch))
}

/// Whether it is for the budget alone that nobody else is asked.
fn was_for_budget<E: Exchange>(
    exchange: &mut E,
    branch: &Branch,
    error: ProxyError,
    tried: &Tried,
    wish: &Wish,
) -> bool {
    error.facts().retry != Retry::Always
        && retry::after_error(error, exchange.request(), branch.limits.next_upstream)
        && tried.count() < branch.limits.tries
        && (branch.has_another(tried, wish) || branch.may_go_on(tried))
}

/// Who is asked after an answer with a status that may be another's doing.
fn after_status<E: Exchange>(
    exchange: &mut E,
    branch: &Branch,
    tried: &Tried,
    wish: &Wish,
    suspects: &mut Suspects,
) -> Option<Candidate> {
    let may_repeat = retry::after_status(exchange.request(), branch.limits.next_upstream);
    if !may_repeat || !branch.has_another(tried, wish) {
        return None;
    }
    if !is_in_budget(exchange, branch) {
        suspects.pass_over();
        return None;
    }
    branch.next(tried, wish)
}

/// Takes a retry out of the budget; that there is none left is told in the log.
fn is_in_budget<E: Exchange>(exchange: &mut E, branch: &Branch) -> bool {
    let is_left = branch.budget.borrow_mut().take();
    exchange.entry().budget_spent |= !is_left;
    is_left
}

#[cfg(test)]
mod tests;
