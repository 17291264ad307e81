//! The tries of one request, whichever engine speaks HTTP: choose a backend, ask it over a held connection or a new one,
//! and go on to the next if that is safe. The decisions are [`retry`]'s.

use std::{io, rc::Rc};

use super::{
    entry::Entry,
    error::{ProxyError, Retry},
    retry,
    upstream::Upstream,
    worker::{Tried, Worker},
};

/// One request as an engine puts it to backends.
pub(crate) trait Exchange {
    /// A connection to a backend.
    type Connection;
    /// An answer of which the client has seen nothing.
    type Answer;

    /// What is noted of the request.
    fn entry(&mut self) -> &mut Entry;

    /// Whether the request can be sent from its beginning.
    fn is_whole(&self) -> bool;

    /// A held connection that takes a request, as far as anybody knows.
    async fn held(&mut self, upstream: &Upstream) -> Option<Self::Connection>;

    /// A new connection.
    async fn dial(&mut self, upstream: &Upstream) -> io::Result<Self::Connection>;

    /// Sends the request and reads the answer until it may go on to the client.
    async fn send(&mut self, upstream: &Rc<Upstream>, connection: Self::Connection)
    -> Result<Self::Answer, ProxyError>;
}

/// Tries backends until one answers or trying on is not allowed.
pub(crate) async fn answer<E: Exchange>(
    exchange: &mut E,
    worker: &Worker,
    idempotent: bool,
) -> Result<E::Answer, ProxyError> {
    let (mut tried, mut last) = (Tried::default(), None);
    loop {
        let started = exchange.entry().started();
        let candidate = worker.choose(&tried, last, started).await?;
        let entry = exchange.entry();
        if let Some(error) = last {
            entry.retry(error.facts().flag);
        }
        entry.upstream = Some(Rc::clone(&candidate.upstream));
        match ask(exchange, worker, idempotent, &candidate.upstream).await {
            Ok(answer) => return Ok(answer),
            Err(error) if may_try_again(exchange, worker, idempotent, error) => last = Some(error),
            Err(error) => return Err(error),
        }
        tried.add(&candidate);
    }
}

/// Asks one backend: over a held connection, or over a new one when those turn out to be stale. What happens on a held
/// connection says nothing about the backend.
async fn ask<E: Exchange>(
    exchange: &mut E,
    worker: &Worker,
    idempotent: bool,
    upstream: &Rc<Upstream>,
) -> Result<E::Answer, ProxyError> {
    while let Some(connection) = exchange.held(upstream).await {
        match exchange.send(upstream, connection).await {
            Err(ProxyError::NotSent) if exchange.is_whole() => {}
            Err(ProxyError::NoAnswer) if may_try_again(exchange, worker, idempotent, ProxyError::NoAnswer) => {
                exchange.entry().retry("stale");
                break;
            }
            outcome => return outcome,
        }
    }
    match exchange.dial(upstream).await {
        Ok(connection) => exchange.send(upstream, connection).await,
        Err(error) => {
            worker.report_unreachable(upstream, &error);
            Err(ProxyError::Unreachable)
        }
    }
}

fn may_try_again<E: Exchange>(exchange: &E, worker: &Worker, idempotent: bool, error: ProxyError) -> bool {
    let rule = error.facts().retry;
    retry::may_try_again(rule, idempotent, exchange.is_whole())
        && (rule == Retry::Always || worker.budget.borrow_mut().take())
}
