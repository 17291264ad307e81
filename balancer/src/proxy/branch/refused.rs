//! Answers that are refused: their clients are told next to nothing, so the log says what is wrong with them.

use std::time::Instant;

use super::Branch;
use crate::{access_log::escaped, backend::Backend, fault::Fault, identity::RequestId, proxy::entry::Entry};

/// What a request asks for in the words of the log. Its query is left out: it may have what is nobody's business.
pub(crate) fn asks_for(method: &[u8], target: &[u8]) -> String {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    format!("{} {}", escaped(method), escaped(path))
}

impl Branch {
    /// The answer of the backend that was asked last is refused.
    pub(crate) fn refused(&self, entry: &Entry, request: &str, fault: Fault) {
        let Some(upstream) = &entry.upstream else { return };
        let backend = &upstream.backend;
        let why = fault.to_string();
        if backend.complain(&why, Instant::now()) {
            let (pool, who) = (self.pool.name.as_str(), self.pool.member_name(&backend.name));
            let (backend, id) = (backend.name.as_str(), entry.id.as_ref().map(RequestId::text));
            tracing::warn!(pool, backend, request, id, "the answer of {who} to {request} is refused: {why}");
        }
    }

    /// Says how many more there were, when that is due.
    pub(super) fn tell_refused(&self, backend: &Backend) {
        for (why, more, seconds) in backend.complaints(Instant::now()) {
            let (pool, who) = (self.pool.name.as_str(), self.pool.member_name(&backend.name));
            let backend = backend.name.as_str();
            tracing::warn!(pool, backend, more, "{} in {seconds} s: {why}", more_refused(more, &who));
        }
    }
}

fn more_refused(more: u64, who: &str) -> String {
    let (answers, are) = if more == 1 { ("answer", "is") } else { ("answers", "are") };
    format!("{more} more {answers} of {who} {are} refused")
}

#[cfg(test)]
mod tests {
    use super::more_refused;

    #[test]
    fn one_more_answer_is_one() {
        assert_eq!(more_refused(1, "a"), "1 more answer of a is refused");
        assert_eq!(more_refused(2, "a"), "2 more answers of a are refused");
    }
}
