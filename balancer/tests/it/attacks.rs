//! What attackers send to a proxy, class by class: each says the status, what the backend saw, and what became of the
//! connection.

use std::io::Read;

use crate::{
    harness::{Answer, Balancer, Connection},
    upstream::Upstream,
};

/// What clients send.
mod requests;
/// What backends answer, by accident or because somebody has got into them.
mod answers;
/// What the log says about that.
mod complaints;
/// Requests in the middle of which something else begins.
mod halves;
/// What we say and hold ourselves.
mod ourselves;

/// A balancer in front of one backend that echoes what it gets.
struct Probe {
    upstream: Upstream,
    balancer: Balancer,
}

impl Probe {
    fn new() -> Self {
        Self::of(Upstream::echoing())
    }

    fn of(upstream: Upstream) -> Self {
        let balancer = Balancer::with(&[upstream.address], &["--threads", "1"]);
        Self { upstream, balancer }
    }

    /// It is answered with this status, the backend sees nothing of it, nothing behind it is taken for a request, and the
    /// connection ends.
    #[track_caller]
    fn refuses(&self, request: impl AsRef<[u8]>, status: u16) {
        let seen = self.upstream.requests();
        let request = request.as_ref();
        let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        let mut client = self.balancer.connect();
        client.send(request);
        let answer = client.try_answer(false).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
        assert_eq!((answer.status, answer.field("connection")), (status, Some("close")), "{shown:?}");
        assert!(client.is_closed(), "{shown:?}");
        assert_eq!(self.upstream.requests(), seen, "{shown:?} reached the backend");
        assert_eq!(self.balancer.get("/still-there").status, 200, "{shown:?}");
    }

    /// What the backend gets of it, in lower case.
    #[track_caller]
    fn passes(&self, request: &str) -> String {
        let mut client = self.balancer.connect();
        client.send(request);
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{request:?}");
        answer.text().to_lowercase()
    }
}

/// Everything that still comes over a connection.
fn rest(client: &mut Connection) -> String {
    let mut rest = Vec::new();
    drop(client.0.read_to_end(&mut rest));
    String::from_utf8_lossy(&rest).into_owned()
}

/// An answer of ours that says that the backend's was no good, on a connection that stays.
#[track_caller]
fn is_bad_gateway(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.field("connection")), (502, None), "{what}");
}
