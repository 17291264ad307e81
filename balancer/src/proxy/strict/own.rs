//! What is answered without a backend, because a route says so.

use std::rc::Rc;

use super::{
    Next, field,
    files::{Served, Serving},
    follow,
    reply::{Failure, fail, say_nothing},
    rewrite, seen,
    shelf::Desk,
    stream::Stream,
    upload::Upload,
};
use crate::{
    http1::{fields::Kind, framing::Framing, request::Request},
    proxy::{answer::Form, client::Client, entry::Entry, error::ProxyError, worker::Worker},
    route::{Route, To, cors::Cors, files::Files},
};

/// What a route answers without a backend.
pub(super) enum Own<'a> {
    /// Nothing: the client wants it to go no further (RFC 9110, 7.6.2).
    Last,
    /// What a browser is to be told that asks before a request.
    Grant(&'a Cors),
    /// A file of this folder.
    Files(&'a Route, &'a Files),
}

impl<'a> Own<'a> {
    /// What that is for a request of this route, if it is anything.
    pub(super) fn of(client: &Client, request: &Request, desk: &Desk, route: Option<&'a Route>) -> Option<Self> {
        if let Ok(Some(0)) = rewrite::hops_left(&desk.buffer, request, desk.request.fields()) {
            return Some(Self::Last);
        }
        let route = route?;
        let cors = route.cors.as_ref().filter(|_| seen(client, request, desk).is_question());
        match (cors, &route.to) {
            (Some(cors), _) => Some(Self::Grant(cors)),
            (None, To::Files(folder)) => Some(Self::Files(route, folder)),
            (None, To::Pool(_)) => None,
        }
    }
}

/// Answers with it; says what comes after.
pub(super) async fn answer(
    worker: &Rc<Worker>,
    client: &Client,
    stream: &Stream,
    desk: &mut Desk,
    (request, upload, mut entry): (Request, Upload, Entry),
    own: Own<'_>,
) -> Next {
    let is_done = request.framing == Framing::None;
    let stays = request.stays && is_done && !worker.stopping.get();
    let served = match own {
        Own::Last if request.method.of(&desk.buffer) == b"TRACE" => Served::Refused(ProxyError::TraceRefused),
        Own::Last => {
            say_nothing(worker, &mut entry, stream, desk, &[], stays).await;
            Served::Whole
        }
        Own::Grant(cors) => grant(worker, client, stream, desk, (&request, cors, stays), &mut entry).await,
        Own::Files(route, folder) => {
            let (request, entry, desk) = (&request, &mut entry, &mut *desk);
            Serving { worker, client, stream, desk, request, route, entry, stays }.answer(folder).await
        }
    };
    match served {
        Served::Whole => entry.finish(),
        Served::Cut => return Next::Close,
        Served::Refused(error) => {
            let form = Form::asked(field(desk, Kind::Accept));
            let to_head = request.method.of(&desk.buffer) == b"HEAD";
            let failure = Failure { error, form, to_head, stays };
            fail(worker, client, stream, desk, entry, failure).await;
        }
    }
    follow(client, stream, desk, upload, &request, (stays, is_done))
}

/// Answers a browser that asks before a request.
async fn grant(
    worker: &Worker,
    client: &Client,
    stream: &Stream,
    desk: &mut Desk,
    (request, cors, stays): (&Request, &Cors, bool),
    entry: &mut Entry,
) -> Served {
    let mut lines = Vec::new();
    cors.write(&mut lines, seen(client, request, desk).field("origin"), true);
    say_nothing(worker, entry, stream, desk, &lines, stays).await;
    Served::Whole
}
