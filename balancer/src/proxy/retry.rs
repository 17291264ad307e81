//! When a second try is safe, and how many there may be. Pure.

use super::error::{ProxyError, Retry};
use crate::config::next_upstream::{Case, NextUpstream};

/// Whether repeating a request that was executed changes nothing more (RFC 9110, 9.2.2). Methods unknown to us are not.
pub(crate) fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}

/// What a second try depends on besides the failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) idempotent: bool,
    /// It can be sent again from its beginning, and the client has seen nothing of an answer.
    pub(crate) whole: bool,
}

/// Whether a failed request may be tried again.
pub(crate) fn after_error(error: ProxyError, request: Request, next: NextUpstream) -> bool {
    let facts = error.facts();
    let covered = facts.case.is_some_and(|case| next.has(case));
    covered && request.whole && (facts.retry == Retry::Always || may_repeat(facts.retry, request, next))
}

/// What `next_upstream` calls this status, if it is among its cases.
pub(crate) fn case_of_status(status: u16, next: NextUpstream) -> Option<Case> {
    Case::of_status(status).filter(|case| next.has(*case))
}

/// Whether an answer with such a status may be dropped for that of another backend.
pub(crate) fn after_status(request: Request, next: NextUpstream) -> bool {
    request.whole && may_repeat(Retry::IfRepeatable, request, next)
}

fn may_repeat(retry: Retry, request: Request, next: NextUpstream) -> bool {
    retry == Retry::IfRepeatable && (request.idempotent || next.has(Case::NonIdempotent))
}

/// Bounds the retries of requests that may have been executed, so that a request that kills its backend, or a backend
/// that fails all, does not double the load: a fifth of the requests, with a reserve for sudden deaths. In tenths.
#[derive(Debug, Clone)]
pub(crate) struct Budget(u32);

impl Budget {
    const PER_REQUEST: u32 = 2;
    const PER_SECOND: u32 = 100;
    const PER_RETRY: u32 = 10;
    const MOST: u32 = 20_000;

    /// Begins with a reserve of 500 retries.
    pub(crate) fn new() -> Self {
        Self(5_000)
    }

    pub(crate) fn request(&mut self) {
        self.0 = (self.0 + Self::PER_REQUEST).min(Self::MOST);
    }

    pub(crate) fn second(&mut self) {
        self.0 = (self.0 + Self::PER_SECOND).min(Self::MOST);
    }

    /// Takes one retry out, if there is one.
    pub(crate) fn take(&mut self) -> bool {
        let left = self.0.checked_sub(Self::PER_RETRY);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fault::Fault;

    const GET: Request = Request { idempotent: true, whole: true };
    const POST: Request = Request { idempotent: false, whole: true };

    fn cases(names: &str) -> NextUpstream {
        names.split(' ').map(|name| name.parse::<Case>().unwrap()).collect()
    }

    #[test]
    fn a_request_that_reached_nobody_may_be_repeated_whatever_it_does() {
        assert!(after_error(ProxyError::Unreachable, POST, NextUpstream::default()));
        assert!(after_error(ProxyError::ConnectLate, POST, NextUpstream::default()));
    }

    #[test]
    fn a_request_that_may_have_been_executed_is_repeated_only_if_that_is_harmless() {
        for error in [ProxyError::NoAnswer, ProxyError::AnswerCut, ProxyError::AnswerLate] {
            assert!(after_error(error, GET, NextUpstream::default()));
            assert!(!after_error(error, POST, NextUpstream::default()));
            assert!(after_error(error, POST, cases("error timeout non_idempotent")));
        }
    }

    #[test]
    fn a_body_that_is_partly_gone_cannot_be_sent_again() {
        let gone = Request { whole: false, ..GET };
        assert!(!after_error(ProxyError::Unreachable, gone, NextUpstream::default()));
        assert!(!after_error(ProxyError::NoAnswer, gone, cases("error non_idempotent")));
        assert!(!after_status(gone, cases("http_503")));
    }

    #[test]
    fn only_the_cases_that_were_named_lead_to_another_backend() {
        assert!(!after_error(ProxyError::Unreachable, GET, cases("timeout")));
        assert!(!after_error(ProxyError::AnswerBroken(Fault::Interim), GET, NextUpstream::default()));
        assert!(after_error(ProxyError::AnswerBroken(Fault::Interim), GET, cases("invalid_header")));
        assert!(after_status(GET, cases("http_503")));
        assert!(!after_status(POST, cases("http_503")));
        assert_eq!(case_of_status(503, cases("error http_503")), Some(Case::Http503));
        assert_eq!(case_of_status(503, NextUpstream::default()), None);
        assert_eq!(case_of_status(501, cases("http_500 http_502 http_503 http_504")), None);
    }

    #[test]
    fn what_a_client_did_is_never_tried_again() {
        let all = cases("error timeout invalid_header http_500 non_idempotent");
        for error in [ProxyError::BodyStalled, ProxyError::ClientGone, ProxyError::ClientLeft, ProxyError::BodyTooLarge]
        {
            assert!(!after_error(error, GET, all), "{error:?}");
        }
    }

    #[test]
    fn only_the_methods_of_the_standard_are_idempotent() {
        assert!(is_idempotent(b"GET") && is_idempotent(b"DELETE"));
        assert!(
            !is_idempotent(b"POST") && !is_idempotent(b"PATCH") && !is_idempotent(b"LOCK") && !is_idempotent(b"get")
        );
    }

    proptest! {
        #[test]
        fn retries_stay_within_a_fifth_of_the_requests_and_the_reserve(steps in prop::collection::vec(any::<bool>(), 0..5000)) {
            let mut budget = Budget::new();
            let (mut requests, mut retries) = (0, 0);
            for is_request in steps {
                if is_request {
                    budget.request();
                    requests += 1;
                } else {
                    retries += u32::from(budget.take());
                }
            }
            prop_assert!(retries <= 500 + requests / 5);
        }
    }
}
