//! What the balancer is told: [`Config`] is checked, no "maybe" is left in it. It is read from a file by [`load`] or
//! built by a program.

use std::{
    ffi::OsString,
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;

use crate::{
    backend::{Location, Question, Terms},
    compress::Compress,
    error_log::Level,
    limiter::Limiter,
    log_file::LogFile,
    log_format::LogFormat,
    route::Route,
    trust::Trust,
    verdict::Outliers,
};

use self::{front::Introduced, next_upstream::NextUpstream, pools::Pool};

pub mod balance;
pub mod next_upstream;
pub mod front;
pub mod pools;
mod check;
mod file;
pub mod units;

/// Most bytes of a body that are waited for.
const LARGEST_BUFFER: usize = 64 << 20;

/// Everything a running balancer needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses to listen on; port 0 takes one that is free.
    pub listen: Vec<SocketAddr>,
    /// Addresses to listen on for TLS.
    pub tls_listen: Vec<SocketAddr>,
    /// Addresses to listen on for proxies that say first whom they speak for (PROXY protocol).
    pub introduced: Introduced,
    /// The proxies that are believed.
    pub trust: Trust,
    /// Whether each request has an `X-Request-Id`.
    pub request_id: bool,
    /// Whether each request has a trace context.
    pub trace_context: bool,
    /// How TLS is spoken there.
    pub tls: Tls,
    /// Threads of the data plane, one per usable core by default.
    pub threads: usize,
    /// Which code speaks HTTP.
    pub engine: Engine,
    /// Where the access log goes; none is written without it.
    pub access_log: Option<PathBuf>,
    /// The form of its lines, if it is not ours.
    pub access_log_format: Option<LogFormat>,
    /// Where the balancer says what happens to it; on standard error without it.
    pub error_log: Option<PathBuf>,
    /// From which level on.
    pub error_log_level: Level,
    /// Where metrics are read; nowhere without it.
    pub metrics_listen: Option<SocketAddr>,
    /// The pools, at least one; their numbers are what routes and programs go by.
    pub pools: Vec<Pool>,
    /// How many requests a client may have, over all routes.
    pub limiter: Option<Arc<Limiter>>,
    /// Which requests go where; without any all go to the first pool.
    pub routes: Vec<Route>,
    /// Which answers are compressed, where no route says something about it.
    pub compress: Option<Compress>,
    /// Programs that the balancer runs.
    pub programs: Vec<Program>,
    /// Bounds and deadlines.
    pub limits: Limits,
    /// A command that starts this program's [`launch`](crate::supervisor::launcher::launch), so that launched programs
    /// end with the balancer even when it is killed. Without it, they outlive a killed balancer.
    pub launcher: Option<Vec<OsString>>,
    /// Folder for the private folder with the sockets of launched programs (`$XDG_RUNTIME_DIR` if there is one).
    pub runtime_dir: PathBuf,
}

impl Config {
    /// Names of logs that are none, or mean something else in nginx's configuration, each with its key.
    #[must_use]
    pub(crate) fn log_name_problems(&self) -> Vec<(&'static str, String)> {
        let words = [
            ("access_log", &self.access_log, "", "leave it out for none"),
            ("error_log", &self.error_log, "", "leave it out for standard error"),
            ("access_log", &self.access_log, "off", "leave it out for none"),
            ("error_log", &self.error_log, "stderr", "leave it out for standard error"),
            ("error_log", &self.error_log, "off", "write /dev/null for none"),
        ];
        let is_meant = |(_, path, word, _): &(_, &Option<PathBuf>, &str, _)| {
            path.as_ref().is_some_and(|path| path.as_os_str() == *word)
        };
        let words = words.into_iter().filter(is_meant);
        words
            .map(|(key, _, word, instead)| match word {
                "" => (key, format!("there is none; write the path of a file, or {instead}")),
                word => (key, format!("`{word}` would be a file; {instead}, or ./{word} for that file")),
            })
            .collect()
    }

    /// Why the error log cannot be where it is beside the access log.
    #[must_use]
    pub fn log_problem(&self) -> Option<String> {
        let (errors, access) = (self.error_log.as_ref()?, self.access_log.as_ref()?);
        let is_taken = LogFile::is_same(errors, access);
        is_taken.then(|| format!("{} is the access log's already; choose another file", errors.display()))
    }

    /// A balancer that listens at these addresses and has no backends yet.
    #[must_use]
    pub fn listening(listen: Vec<SocketAddr>) -> Self {
        Self {
            listen,
            tls_listen: Vec::new(),
            introduced: Introduced::default(),
            trust: Trust::default(),
            request_id: true,
            trace_context: true,
            tls: Tls::default(),
            threads: usable_cores(),
            engine: Engine::default(),
            access_log: None,
            access_log_format: None,
            error_log: None,
            error_log_level: Level::default(),
            metrics_listen: None,
            pools: vec![Pool::default()],
            limiter: None,
            routes: Vec::new(),
            compress: None,
            programs: Vec::new(),
            limits: Limits::default(),
            launcher: None,
            runtime_dir: runtime_dir(std::env::var_os("XDG_RUNTIME_DIR")),
        }
    }
}

impl Config {
    /// What does not go together, about TLS.
    #[must_use]
    pub fn tls_problems(&self) -> Vec<&'static str> {
        let is_there = self.has_tls();
        let rules = [
            (is_there && self.tls.certificates.is_empty(), "there is no certificate; name one with its key"),
            (!is_there && !self.tls.certificates.is_empty(), "nobody listens for TLS; name an address for it"),
            (!is_there && self.tls.redirect, "clients cannot be sent to TLS, nobody listens for it; name an address"),
            (
                !is_there && self.tls.hsts.is_some(),
                "hsts is said over TLS only, and nobody listens for it; name an address",
            ),
            (is_there && self.engine != Engine::Strict, "the hyper engine has no TLS; take the strict one"),
        ];
        rules.into_iter().filter_map(|(broken, problem)| broken.then_some(problem)).collect()
    }
}

/// Cores this process may use: the machine's, cut down to its affinity and cgroup quota.
#[must_use]
pub fn usable_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn runtime_dir(xdg: Option<OsString>) -> PathBuf {
    xdg.map(PathBuf::from).filter(|dir| dir.is_absolute() && dir.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// TLS in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificates; the first is for clients that name no host, or one that none of them is for.
    pub certificates: Vec<CertificateFiles>,
    /// The value of `Strict-Transport-Security` in answers over TLS; it is not sent without one.
    pub hsts: Option<String>,
    /// Whether clients that come without TLS are sent to it.
    pub redirect: bool,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self { certificates: Vec::new(), hsts: None, redirect: false, http2: true }
    }
}

/// A certificate with its chain, and its key: PEM files, read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's certificate, and those between it and one that clients know.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Where they are named, for those who have to mend that.
    pub place: String,
}

/// Which code speaks HTTP with clients and backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The balancer's own: by the letter of the standard, and fast.
    #[default]
    Strict,
    /// The hyper library.
    Hyper,
}

/// Bounds and deadlines, all with defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body in bytes; no bound without it, bodies are streamed.
    pub body: Option<u64>,
    /// Longest time for the handshake of TLS.
    pub handshake_deadline: Duration,
    /// Longest time from a connection's start, or its last answer, to the end of the next head. nginx calls its two
    /// halves `keepalive_timeout` and `client_header_timeout`.
    pub head_deadline: Duration,
    /// Longest standstill of a body, either way, and of a backend that owes an answer.
    pub stall_deadline: Duration,
    /// Fewest bytes a second of a request's body, over the time in which nothing but the client is waited for; 0 is no
    /// bound.
    pub body_rate: u64,
    /// How long a body may be slower than that at its beginning.
    pub body_patience: Duration,
    /// Bytes of a request's body that are waited for before a backend is chosen; 0 passes bodies on as they come.
    pub body_buffer: usize,
    /// Fewest bytes a second of an answer that a client has to take, over the time in which nothing else is waited for; 0
    /// is no bound.
    pub read_rate: u64,
    /// How long it may be slower than that at the beginning.
    pub read_patience: Duration,
    /// Longest standstill of a tunnel.
    pub tunnel_deadline: Duration,
    /// Longest time for a connection to a backend to be made.
    pub connect_deadline: Duration,
    /// Largest head of a request in bytes.
    pub head_size: usize,
    /// Most fields in a head.
    pub head_fields: usize,
    /// Whether queries may have the bytes that browsers leave as they are there.
    pub lenient_query: bool,
    /// Most client connections over all threads; more wait in the kernel's queue.
    pub connections: usize,
    /// Most client connections of one address, over all threads; more are closed at once. For IPv6 the first half of the
    /// address counts.
    pub connections_per_address: usize,
    /// Most backends tried for one request.
    pub tries: usize,
    /// In which cases the next one is tried.
    pub next_upstream: NextUpstream,
    /// How long after a request's beginning another try may begin; no bound without it.
    pub next_upstream_deadline: Option<Duration>,
    /// How many server errors in a row.
    pub outliers: Outliers,
    /// Idle connections kept to each backend by each thread.
    pub idle_connections: usize,
    /// How long an idle connection to a backend is kept. Shorter than what backends do, so that they rarely close first.
    pub idle_age: Duration,
    /// Longest wait for a backend when none is ready or all are busy.
    pub queue_deadline: Duration,
    /// Most requests waiting for that, over all threads.
    pub queue_length: usize,
    /// Longest time to finish requests after the stop signal.
    pub stop_deadline: Duration,
    /// How long idle clients may send one more request after the stop signal, to be answered with `Connection: close`.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: None,
            handshake_deadline: Duration::from_secs(10),
            head_deadline: Duration::from_secs(60),
            stall_deadline: Duration::from_secs(60),
            body_rate: 500,
            body_patience: Duration::from_secs(20),
            body_buffer: 64 * 1024,
            read_rate: 500,
            read_patience: Duration::from_secs(60),
            tunnel_deadline: Duration::from_secs(3600),
            connect_deadline: Duration::from_secs(2),
            head_size: 32 * 1024,
            head_fields: 100,
            lenient_query: false,
            connections: 16_384,
            connections_per_address: 8_192,
            tries: 3,
            next_upstream: NextUpstream::default(),
            next_upstream_deadline: None,
            outliers: Outliers::default(),
            idle_connections: 256,
            idle_age: Duration::from_secs(30),
            queue_deadline: Duration::from_secs(5),
            queue_length: 1024,
            stop_deadline: Duration::from_secs(30),
            linger: Duration::from_millis(500),
        }
    }
}

impl Limits {
    /// The limits of one of `threads` threads: what holds for all of them together is shared out.
    #[must_use]
    pub fn share(&self, threads: usize) -> Self {
        Self { connections: self.connections.div_ceil(threads), ..self.clone() }
    }
}

/// A backend that somebody else runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it listens.
    pub location: Location,
    /// On which terms it gets requests.
    pub terms: Terms,
    /// What it has to answer 2xx on to pass a check; a connection is enough without it.
    pub health: Option<Question>,
}

/// A program to launch and look after, once per port.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name; its instances are called `NAME-PORT`, or `NAME-1`, `NAME-2` for ports the program chooses.
    pub name: String,
    /// The command; `{port}`, `{socket}` and `{name}` (the instance's) in its words are replaced. Traffic goes over `{socket}` if it is there.
    pub command: Vec<OsString>,
    /// A port per instance; 0 is passed on and lets the program take a free one.
    pub ports: Vec<u16>,
    /// What the program has to answer 200 on, over the socket that traffic takes, before it gets requests.
    pub health_path: String,
    /// Longest time from its start until it is ready.
    pub start_deadline: Duration,
    /// Longest time from SIGTERM to its end, then it is killed.
    pub stop_deadline: Duration,
    /// Delays between restarts.
    pub backoff: Backoff,
    /// Folder of its output, a file per instance; output goes to the terminal only without it.
    pub log_dir: Option<PathBuf>,
    /// The number of the pool that its instances are of.
    pub pool: usize,
    /// On which terms its instances get requests.
    pub terms: Terms,
    /// What the user sets to choose the ports; said when one is taken.
    pub ports_option: &'static str,
}

impl Program {
    /// A program with the defaults for everything else.
    #[must_use]
    pub fn new(name: impl Into<String>, command: Vec<OsString>, ports: Vec<u16>) -> Self {
        Self {
            name: name.into(),
            command,
            ports,
            health_path: "/health/ready".to_owned(),
            start_deadline: Duration::from_secs(60),
            stop_deadline: Duration::from_secs(10),
            backoff: Backoff::default(),
            log_dir: None,
            pool: 0,
            terms: Terms::default(),
            ports_option: "`ports` of the program",
        }
    }

    /// Whether traffic takes a unix socket.
    #[must_use]
    pub fn uses_socket(&self) -> bool {
        self.command.iter().any(|word| word.to_string_lossy().contains("{socket}"))
    }

    /// The names of its instances, in order.
    #[must_use]
    pub fn instance_names(&self) -> Vec<String> {
        let named = |(number, port): (usize, &u16)| match port {
            0 => format!("{}-{}", self.name, number + 1),
            port => format!("{}-{port}", self.name),
        };
        self.ports.iter().enumerate().map(named).collect()
    }
}

/// How long to wait before the next start of a program that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first death.
    pub first: Duration,
    /// At most; each delay doubles up to it.
    pub most: Duration,
    /// A program that was ready for this long begins again with `first`.
    pub forgiven_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            most: Duration::from_secs(10),
            forgiven_after: Duration::from_secs(10),
        }
    }
}

/// Everything that is wrong with a configuration, found in one go.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Problems(pub Vec<String>);

/// A key that nobody knows, for as long as the balancer runs.
fn new_key() -> std::io::Result<Vec<u8>> {
    let mut key = vec![0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

/// Reads backends of a pool as flags have them: the address, and nginx's words for a `server` behind it, such as
/// `127.0.0.1:8811 weight=2 backup`.
///
/// # Errors
///
/// Every problem found.
pub fn servers(texts: &[String], pool: &pools::Pool) -> Result<Vec<Server>, Problems> {
    let told = |(number, problem): (usize, String)| format!("--backend {}: {problem}", texts[number]);
    check::servers(texts.iter().map(|text| file::server(text)).collect(), pool)
        .map_err(|problems| Problems(problems.into_iter().map(told).collect()))
}

/// Reads how much of a body is waited for. It is held in memory, so there is a bound.
///
/// # Errors
///
/// What was expected instead.
pub fn buffer(text: &str) -> Result<usize, String> {
    let size = usize::try_from(units::size(text)?).ok().filter(|size| *size <= LARGEST_BUFFER);
    size.ok_or_else(|| format!("more than {} MiB is not held in memory; write less", LARGEST_BUFFER >> 20))
}

/// Reads and checks a configuration file.
///
/// # Errors
///
/// Every problem found, each with the place, what is wrong and what to do.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let (config, problems) = read(path)?;
    if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
}

/// What can be read of a configuration file, and every problem found.
///
/// # Errors
///
/// It cannot be read at all.
pub(crate) fn read(path: &Path) -> Result<(Config, Vec<String>), Problems> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        Problems(vec![format!("{shown}: cannot be read: {error}; check the path and its permissions")])
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        Problems(vec![format!("{shown}:{line}: this is not UTF-8; save the file as UTF-8 text")])
    })?;
    let file::Parsed { file, unread, places } = file::parse(&text);
    let mut problems: Vec<_> = unread.iter().map(|unread| (Some(unread.at), unread.problem.clone())).collect();
    let Some(file) = file else { return Err(Problems(told(&shown, problems))) };
    let keys: Vec<&str> = unread.iter().filter_map(|unread| unread.key.as_deref()).collect();
    let (mut config, found) = check::check(file, &keys);
    problems.extend(found.into_iter().map(|problem| (places.find(check::key(&problem)), problem)));
    for files in &mut config.tls.certificates {
        files.place = format!("{shown}: {}", files.place);
    }
    Ok((config, told(&shown, problems)))
}

/// The words of problems: those with a place in the file first, in its order.
fn told(shown: &impl std::fmt::Display, mut problems: Vec<(Option<file::Place>, String)>) -> Vec<String> {
    problems.sort_by_key(|(at, _)| (at.is_none(), *at));
    let words = problems.into_iter().map(|(at, problem)| match at {
        Some(at) => format!("{shown}:{at}: {problem}"),
        None => format!("{shown}: {problem}"),
    });
    words.collect()
}
