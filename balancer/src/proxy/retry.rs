//! When a second try is safe, and how many there may be. Pure.

use super::error::Retry;

/// Whether repeating a request that was executed changes nothing more (RFC 9110, 9.2.2). Methods unknown to us are not.
pub(crate) fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}

/// Whether a failed request may be tried again.
///
/// `body_whole`: nothing of the request's body was taken yet, or it has none.
pub(crate) fn may_try_again(retry: Retry, idempotent: bool, body_whole: bool) -> bool {
    match retry {
        Retry::Never => false,
        Retry::Always => body_whole,
        Retry::IfRepeatable => idempotent && body_whole,
    }
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

    #[test]
    fn a_request_that_reached_nobody_may_be_repeated_whatever_it_does() {
        assert!(may_try_again(Retry::Always, false, true));
    }

    #[test]
    fn a_request_that_may_have_been_executed_is_repeated_only_if_that_is_harmless() {
        assert!(may_try_again(Retry::IfRepeatable, true, true));
        assert!(!may_try_again(Retry::IfRepeatable, false, true));
    }

    #[test]
    fn a_body_that_is_partly_gone_cannot_be_sent_again() {
        assert!(!may_try_again(Retry::Always, true, false));
        assert!(!may_try_again(Retry::IfRepeatable, true, false));
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
