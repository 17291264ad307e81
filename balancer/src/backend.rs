//! One backend: who it is, where it listens, how busy it is. Not whether it gets requests: that is the pool's.

use std::{
    fmt,
    net::SocketAddr,
    path::PathBuf,
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    complaints::Complaints,
    verdict::{Patience, Run, Suspect},
};

/// Longest path of a unix socket in bytes: `sun_path` has 108, the last is its end mark (unix(7)).
pub const LONGEST_SOCKET_PATH: usize = 107;

/// Where a backend listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An address and port.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// Why a text is no backend address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither form.
    #[error("`{0}` is not an address; write HOST:PORT or unix:PATH")]
    Form(String),
    /// There is nothing at port 0.
    #[error("`{0}` has a port at which nobody can listen; write the one where the application does, 1 to 65535")]
    NoPort(String),
    /// A link.
    #[error("`{0}` is a link; backends are spoken to in HTTP, so write its host and port alone, such as {1}")]
    Link(String, String),
    /// The socket's path does not fit into the kernel's structure.
    #[error("the socket path `{0}` is longer than {LONGEST_SOCKET_PATH} bytes; use a shorter one")]
    TooLong(String),
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `IP:PORT` or `unix:PATH`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err(AddressError::Form(text.to_owned())),
                1..=LONGEST_SOCKET_PATH => Ok(Self::Unix(PathBuf::from(path))),
                _ => Err(AddressError::TooLong(path.to_owned())),
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| AddressError::Form(text.to_owned()))
    }
}

/// Where backends are, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// One backend at an address.
    Fixed(Address),
    /// A backend at each address of a host, as `HOST:PORT`.
    Named(String),
}

impl FromStr for Location {
    type Err = AddressError;

    /// Reads `HOST:PORT` or `unix:PATH`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.parse::<Address>() {
            Ok(Address::Tcp(address)) if address.port() == 0 => return Err(AddressError::NoPort(text.to_owned())),
            Ok(address) => return Ok(Self::Fixed(address)),
            Err(AddressError::Form(_)) => {}
            Err(error) => return Err(error),
        }
        if let Some((_, rest)) = text.split_once("://") {
            let place = rest.split('/').next().unwrap_or_default();
            let place = if place.contains(':') { place.to_owned() } else { format!("{place}:80") };
            return Err(AddressError::Link(text.to_owned(), place));
        }
        let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(0)) => Err(AddressError::NoPort(text.to_owned())),
            Some(Ok(_)) => Ok(Self::Named(text.to_owned())),
            _ => Err(AddressError::Form(text.to_owned())),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(address) => write!(out, "{address}"),
            Self::Named(name) => out.write_str(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(out, "{address}"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// Names one backend for as long as the balancer runs. A restarted instance gets a new one, so that nothing said
/// about its predecessor is held against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendId(pub u32);

/// On which terms a backend gets requests; nginx's words for a `server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its share beside the others'; not 0.
    pub weight: u32,
    /// It gets requests only when none of the others can take one.
    pub backup: bool,
    /// It gets none.
    pub down: bool,
    /// Most requests at once, over all threads.
    pub max_conns: Option<usize>,
    /// How many failures it is forgiven.
    pub patience: Patience,
    /// How long its share grows after it came or came back.
    pub slow_start: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            weight: 1,
            backup: false,
            down: false,
            max_conns: None,
            patience: Patience::default(),
            slow_start: Duration::ZERO,
        }
    }
}

/// What a backend is asked to see whether it is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The path of a GET, with a query or without.
    pub path: String,
    /// Its `Host`.
    pub host: String,
}

impl Question {
    /// Asks for this path, of no host in particular.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self { path: path.to_owned(), host: "localhost".to_owned() }
    }
}

/// One backend.
#[derive(Debug)]
pub struct Backend {
    /// Its id.
    pub id: BackendId,
    /// Its name in logs.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What it has to answer 2xx on to be ready; a connection is enough without it.
    pub health: Option<Question>,
    /// On which terms it gets requests.
    pub terms: Terms,
    in_flight: AtomicUsize,
    /// Server errors since its last answer without one; locked only when there is something to note or to forget.
    /// Of how many clients they are.
    errors: Streak,
    silence: Streak,
    /// What is wrong with its answers.
    complaints: Mutex<Complaints>,
}

impl Backend {
    /// A backend nobody talks to yet.
    #[must_use]
    pub fn new(id: BackendId, name: String, address: Address, health: Option<Question>, terms: Terms) -> Self {
        Self {
            id,
            name,
            address,
            health,
            terms,
            in_flight: AtomicUsize::new(0),
            errors: Streak::default(),
            silence: Streak::default(),
            complaints: Mutex::default(),
        }
    }

    /// Of how many clients its server errors in a row are, over all threads.
    #[must_use]
    pub fn errors(&self) -> u32 {
        self.errors.count()
    }

    /// It answered somebody with a server error; returns of how many clients, up to `most`, it has done so in a row.
    pub(crate) fn erred(&self, suspect: Suspect, most: u32) -> u32 {
        self.silence.end();
        self.errors.note(suspect, most, Instant::now())
    }

    /// It answered without one.
    pub(crate) fn answered(&self) {
        self.silence.end();
        self.errors.end();
    }

    /// It is back, and may be another one.
    pub(crate) fn begins_anew(&self) {
        self.answered();
    }

    /// Neither it nor another one has answered somebody; says whether it has answered nobody for a while, and that many clients
    /// have waited in vain.
    pub(crate) fn kept_silent(&self, suspect: Suspect, enough: u32, now: Instant) -> bool {
        self.silence.note(suspect, enough, now) >= enough && self.silence.since(now) >= MEANWHILE
    }

    /// One of its answers could not be used. Says whether that is to be told; else it is counted.
    pub(crate) fn complain(&self, why: &str, now: Instant) -> bool {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).note(why, now)
    }

    /// What was counted of that and is to be told now, how often, and in how many seconds.
    pub(crate) fn complaints(&self, now: Instant) -> Vec<(String, u64, u64)> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).due(now)
    }

    /// Requests it is working on, over all threads.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it has as many requests as it may have.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.terms.max_conns.is_some_and(|most| self.in_flight() >= most)
    }

    /// Another request begins there; `false` if it has as many as it may have.
    pub(crate) fn begin(&self) -> bool {
        match self.terms.max_conns {
            None => {
                self.in_flight.fetch_add(1, Ordering::Relaxed);
                true
            }
            Some(most) => {
                let another = |busy| (busy < most).then_some(busy + 1);
                self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, another).is_ok()
            }
        }
    }

    pub(crate) fn end(&self) {
        // In one order with the count of those who wait: a place that comes free is not overlooked.
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Who answers others within that time is not silent.
const MEANWHILE: Duration = Duration::from_secs(1);

/// A run that all threads know.
#[derive(Debug, Default)]
struct Streak {
    run: Mutex<Run>,
    /// Of how many clients it is.
    count: AtomicU32,
}

impl Streak {
    fn note(&self, suspect: Suspect, most: u32, now: Instant) -> u32 {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let count = run.note(suspect, most, now);
        self.count.store(count, Ordering::Relaxed);
        count
    }

    fn since(&self, now: Instant) -> Duration {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).lasts(now)
    }

    /// A load, unless there is something to forget.
    fn end(&self) {
        if self.count() != 0 {
            let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
            run.end();
            self.count.store(0, Ordering::Relaxed);
        }
    }

    fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        for text in ["127.0.0.1:8811", "[::1]:80", "unix:/run/app.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_bad_address_says_what_to_write_instead() {
        for text in ["", "8811", ":80", "host", "host:", "host:99999", "unix:"] {
            let message = text.parse::<Location>().unwrap_err().to_string();
            assert!(message.contains("write HOST:PORT or unix:PATH"), "{text}: {message}");
        }
        for text in ["127.0.0.1:0", "[::1]:0", "host:0"] {
            let message = text.parse::<Location>().unwrap_err().to_string();
            assert!(message.contains("at which nobody can listen"), "{text}: {message}");
        }
    }

    #[test]
    fn a_socket_path_the_kernel_cannot_hold_is_refused() {
        let fits = format!("unix:/{}", "x".repeat(LONGEST_SOCKET_PATH - 1));
        assert!(fits.parse::<Address>().is_ok());
        assert_eq!(format!("{fits}x").parse::<Address>(), Err(AddressError::TooLong(fits[5..].to_owned() + "x")));
    }
}
