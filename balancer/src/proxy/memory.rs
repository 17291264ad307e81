//! How much memory the data plane takes at most, from the bounds of what holds it. A sum of what is granted: what is not
//! touched costs nothing, and few clients need what they may have.

use crate::{compress::Coding, config::Config};

pub(crate) use super::strict::{
    exchange::TAKEN_WHOLE,
    http2::{MOST_IN_A_SECOND, MOST_STREAMS},
};
use super::{
    strict::{
        http2::{SEND_BUFFER, STREAM_WINDOW, memory_of_heads},
        shelf::{BEHIND_HEAD, BUFFER, LARGE_BUFFERS, MOST_OUT, SMALL_BUFFER},
    },
    worker::{MOST_ENCODING, MOST_GATHERED, MOST_HELD},
};
pub(crate) use crate::access_log::LONGEST_FIELD;
pub(crate) use crate::fault::{ANSWER_FIELDS, ANSWER_HEAD, MOST_INTERIM};

/// What is written in front of a head by us: fields about the client, an id, a trace.
const OURS: usize = 2048;
/// A client that is waited for: its task, its sockets, what the runtime has for it.
const CLIENT: usize = 4096;
/// What a connection with TLS holds: a record each way, and what `rustls` gathers to be sent.
const SECURE: usize = 96 * 1024;

/// What memory is for, and how much at most.
pub(crate) fn parts(config: &Config) -> Vec<(&'static str, u64)> {
    let (limits, threads) = (&config.limits, config.threads as u64);
    let clients = limits.connections as u64;
    let each = |bytes: usize| clients * bytes as u64;
    let gathered = config.routes.iter().filter_map(|route| route.buffer).fold(limits.body_buffer, usize::max);
    // A head as it came, as it goes on, and that of the answer.
    let desk = 2 * limits.head_size + BEHIND_HEAD + OURS + ANSWER_HEAD;
    let large = (threads * MOST_OUT as u64).min(clients);
    let mut parts = vec![
        ("clients that wait", each(CLIENT)),
        ("heads of requests and answers", each(desk)),
        ("buffers of bodies on their way", large * BUFFER as u64 + (clients - large) * SMALL_BUFFER as u64),
        // The last one may go beyond the bound, and no other.
        ("bodies waited for", threads * (MOST_GATHERED + gathered) as u64),
        ("answers read ahead", threads * (MOST_HELD + LARGE_BUFFERS[LARGE_BUFFERS.len() - 1]) as u64),
    ];
    if config.compress.is_some() || config.routes.iter().any(|route| route.compress.is_some()) {
        let one = Coding::ALL.map(Coding::memory).into_iter().fold(0, usize::max);
        parts.push(("answers being compressed", threads * (MOST_ENCODING + one) as u64));
    }
    if config.has_tls() {
        parts.push(("TLS", each(SECURE)));
        if config.tls.http2 {
            parts.push(("heads within HTTP/2", each(memory_of_heads(limits.head_size))));
            parts.push(("bodies within HTTP/2", each(SEND_BUFFER + STREAM_WINDOW as usize)));
        }
    }
    parts
}
