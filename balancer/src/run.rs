//! Where everything is put together: checks, threads of the data plane, supervisor, and the order in which they end.

use std::{
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    task::Poll,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    task::JoinHandle as Task,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access_log::{self, AccessLogFile},
    backend::LONGEST_SOCKET_PATH,
    config::{Config, Problems, Program, front::Introduced},
    descriptors,
    error_log::ErrorLog,
    listener,
    log_file::{self, LogFile},
    metrics::{Counters, Totals},
    pool::{Change, Pool},
    proxy::{self, Door, Entrance, Plan},
    route::Table,
    runtime_dir::RuntimeDir,
    scrape::{Sources, endpoint},
    shutdown::Shutdown,
    supervisor::{self, Care, Hopeless, Ids, Instance, output::Terminal},
    tls::Front,
};

use self::yard::Yard;

mod yard;

/// How long the ready line waits for the other instances once one is serving.
const GRACE: Duration = Duration::from_secs(3);

/// The balancer is up.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The addresses it listens on.
    pub listening: Vec<SocketAddr>,
    /// The addresses it listens on for TLS.
    pub listening_tls: Vec<SocketAddr>,
    /// Backends that get requests.
    pub serving: usize,
    /// Backends there should be.
    pub expected: usize,
}

/// How it went, after a clean end.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// What was counted.
    pub totals: Totals,
    /// Connections cut off at the deadline.
    pub cut: usize,
    /// Instances that had to be killed.
    pub killed: Vec<String>,
}

/// Why it could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Something is in the way of a start; nothing was launched.
    #[error(transparent)]
    Start(#[from] Problems),
    /// No instance was ever ready, and one ended again and again; everything was stopped in order.
    #[error("{name} ended each time before it was ready ({how}); mend that and start again")]
    Hopeless {
        /// The instance.
        name: String,
        /// How it ended, and what it said last.
        how: String,
    },
    /// The system refused something it always grants.
    #[error("the balancer cannot run: {0}")]
    System(#[from] io::Error),
    /// A thread of the data plane ended by a bug; everything else was stopped in order.
    #[error("a thread of the data plane has failed: {0}")]
    Thread(String),
}

/// Where the stop signal comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signals {
    /// SIGTERM, SIGINT and SIGHUP, besides the [`Shutdown`] handed over.
    Follow,
    /// The [`Shutdown`] only.
    Ignore,
}

/// Runs the balancer on this thread and its own until it is told to stop. `on_ready` is called once, when requests are
/// served.
///
/// # Errors
///
/// Everything that is in the way of a start, found before anything is launched; or a failure of the data plane.
pub fn run(
    mut config: Config,
    shutdown: &Shutdown,
    signals: Signals,
    on_ready: impl FnOnce(&Ready),
) -> Result<Outcome, RunError> {
    let errors = ErrorLog::open(config.error_log.as_deref()).map_err(|error| {
        let path = config.error_log.as_deref().unwrap_or(Path::new("")).display();
        Problems(vec![format!("the error log {path} cannot be written: {error}; choose another file")])
    })?;
    errors.begin(config.error_log_level);
    if let Some(less) = descriptors::fit(&mut config.limits) {
        tracing::warn!("{less}");
    }
    let prepared = prepare(&config).inspect_err(|_| errors.finish())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let log = prepared.log.clone();
    let outcome = runtime.block_on(async {
        let balancing = balance(config, prepared, shutdown, on_ready);
        let follows = signals == Signals::Follow;
        tokio::select! {
            outcome = balancing => outcome,
            failed = reopen_on_request(log.as_deref(), &errors), if follows => Err(RunError::System(failed)),
            failed = shutdown.follow_signals(), if follows => {
                Err(failed.map_or_else(RunError::System, |()| unreachable!()))
            }
            () = errors.sum_up_each_second() => unreachable!("seconds do not end"),
        }
    });
    errors.sum_up();
    if let Some(log) = log {
        log.file.finish();
    }
    errors.finish();
    outcome
}

/// Opens the logs anew at each SIGUSR1, which whoever moves them away sends.
async fn reopen_on_request(log: Option<&AccessLogFile>, errors: &ErrorLog) -> io::Error {
    let mut asked = match signal(SignalKind::user_defined1()) {
        Ok(asked) => asked,
        Err(error) => return error,
    };
    while asked.recv().await.is_some() {
        errors.reopen();
        if let Some(log) = log {
            log.file.reopen();
        }
    }
    std::future::pending().await
}

/// What a start needs of the machine.
struct Prepared {
    /// Per thread, a listener per address.
    entrances: Vec<Vec<Entrance>>,
    listening: Vec<SocketAddr>,
    listening_tls: Vec<SocketAddr>,
    tls: Option<Arc<Front>>,
    log: Option<Arc<AccessLogFile>>,
    metrics: Option<TcpListener>,
    sockets: RuntimeDir,
}

/// Gets everything the configuration asks for, or says all that is in the way.
fn prepare(config: &Config) -> Result<Prepared, Problems> {
    let mut problems = Vec::new();
    let tls = config.has_tls().then(|| Front::new(&config.tls));
    let tls = tls.transpose().unwrap_or_else(|found| {
        problems.extend(found);
        None
    });
    let mut entrances: Vec<Vec<Entrance>> = (0..config.threads).map(|_| Vec::new()).collect();
    let trust = Arc::new(config.trust.clone());
    let door = |address, redirect, introduced, tls: Option<&Arc<Front>>| Door {
        address,
        tls: tls.cloned(),
        redirect,
        introduced,
        trust: Arc::clone(&trust),
    };
    let mut open = |addresses: &[SocketAddr], option, door: &dyn Fn(SocketAddr) -> Door| {
        open(&mut entrances, addresses, option, door, &mut problems)
    };
    let mut listening_tls =
        open(&config.tls_listen, "--tls-listen", &|address| door(address, None, false, tls.as_ref()));
    let secure = listening_tls.first().map(SocketAddr::port).filter(|_| config.tls.redirect);
    let mut listening = open(&config.listen, "--listen", &|address| door(address, secure, false, None));
    let Introduced { listen, tls_listen } = &config.introduced;
    listening.extend(open(listen, "`listen`", &|address| door(address, secure, true, None)));
    listening_tls.extend(open(tls_listen, "`listen`", &|address| door(address, None, true, tls.as_ref())));
    for program in &config.programs {
        problems.extend(check_program(program));
    }
    let log = config.access_log.as_ref().and_then(|path| {
        let say = |error| {
            problems.push(format!("the access log {} cannot be written: {error}; choose another file", path.display()));
        };
        let file = LogFile::open(Some(path), access_log::CONTENTS).map_err(say).ok()?;
        Some(Arc::new(AccessLogFile { file, format: config.access_log_format.clone() }))
    });
    let metrics = config.metrics_listen.and_then(|address| {
        let listened =
            listener::listen(address, "`metrics_listen`", 1).map_err(|error| problems.push(error.to_string()));
        listened.ok().and_then(|(_, mut listeners)| listeners.pop())
    });
    let dir = &config.runtime_dir;
    let sockets = RuntimeDir::make(dir).map_err(|error| {
        format!("the folder {} cannot take sockets: {error}; set XDG_RUNTIME_DIR to one that is yours", dir.display())
    });
    if let Ok(sockets) = &sockets {
        problems.extend(check_sockets(config, sockets.path()));
    }
    match sockets {
        Ok(sockets) if problems.is_empty() => {
            Ok(Prepared { entrances, listening, listening_tls, tls, log, metrics, sockets })
        }
        sockets => {
            problems.extend(sockets.err());
            Err(Problems(problems))
        }
    }
}

/// Listens at these addresses, for all threads; says where.
fn open(
    entrances: &mut [Vec<Entrance>],
    addresses: &[SocketAddr],
    option: &'static str,
    door: &dyn Fn(SocketAddr) -> Door,
    problems: &mut Vec<String>,
) -> Vec<SocketAddr> {
    let mut listening = Vec::new();
    for &address in addresses {
        match listener::listen(address, option, entrances.len()) {
            Ok((address, of_threads)) => {
                listening.push(address);
                for (thread, listener) in entrances.iter_mut().zip(of_threads) {
                    thread.push(Entrance { listener, door: door(address) });
                }
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    listening
}

/// A socket whose path the kernel does not take would be told by each instance for itself, and never to the user.
fn check_sockets(config: &Config, folder: &Path) -> Option<String> {
    let programs = config.programs.iter().filter(|program| program.uses_socket());
    let mut paths = programs.flat_map(Program::instance_names).map(|name| folder.join(format!("{name}.sock")));
    paths.find(|path| path.as_os_str().len() > LONGEST_SOCKET_PATH).map(|path| {
        let path = path.display();
        format!(
            "the socket path {path} is longer than {LONGEST_SOCKET_PATH} bytes; set XDG_RUNTIME_DIR to a shorter folder"
        )
    })
}

fn check_program(program: &Program) -> Vec<String> {
    let mut problems = Vec::new();
    for &port in program.ports.iter().filter(|port| **port != 0) {
        let free = listener::check_free(([127, 0, 0, 1], port).into(), program.ports_option);
        problems.extend(free.err().map(|error| error.to_string()));
    }
    if let Some(dir) = &program.log_dir
        && let Err(error) = std::fs::create_dir_all(dir).and_then(|()| tempfile::tempfile_in(dir).map(drop))
    {
        problems.push(format!("the log folder {} cannot be written: {error}; choose another one", dir.display()));
    }
    problems
}

async fn balance(
    config: Config,
    prepared: Prepared,
    shutdown: &Shutdown,
    on_ready: impl FnOnce(&Ready),
) -> Result<Outcome, RunError> {
    let Prepared { entrances, listening, listening_tls, tls, log, metrics, sockets } = prepared;
    let tasks = TaskTracker::new();
    let yards: Vec<Yard> = config
        .pools
        .iter()
        .cloned()
        .enumerate()
        .map(|(number, pool)| Yard::open(&config, number, pool, &tasks))
        .collect();
    let counters: Vec<Arc<Counters>> = entrances.iter().map(|_| Arc::default()).collect();
    if let Some(tls) = tls {
        tls.book.watch()?;
    }
    let threads = start_threads(&config, entrances, &counters, &yards, log.as_ref(), shutdown)?;
    let stop = CancellationToken::new();
    if let Some(listener) = metrics {
        let sources = Sources { threads: counters.clone(), pools: yards.iter().map(Yard::metered).collect() };
        tasks.spawn(endpoint::serve(listener, sources, stop.clone(), tasks.clone()));
    }
    let ids = Arc::new(Ids::default());
    for yard in &yards {
        yard.begin(&ids, &tasks, &stop).await;
    }
    let terminal = Terminal::open(log_file::stderr)?;
    let launcher = config.launcher.map(Arc::from);
    let force = shutdown.forced.clone();
    let (hopeless, mut given_up) = mpsc::channel(1);
    let changes: Vec<mpsc::Sender<Change>> = yards.iter().map(|yard| yard.changes.clone()).collect();
    let care_in = |pool: usize| Care {
        hopeless: hopeless.clone(),
        changes: changes[pool].clone(),
        ids: Arc::clone(&ids),
        launcher: launcher.clone(),
        terminal: terminal.clone(),
        stop: stop.clone(),
        force: force.clone(),
    };
    let programs = config.programs.into_iter().map(Arc::new);
    let instances: Vec<Instance> = programs.flat_map(|program| Instance::of(&program, sockets.path())).collect();
    let care_for = |instance: Instance| {
        let care = care_in(instance.program.pool);
        (instance.name.clone(), tasks.spawn(supervisor::look_after(instance, care)))
    };
    let kept: Vec<(String, Task<bool>)> = instances.into_iter().map(care_for).collect();
    let (pools, expected) = Yard::watched(yards);
    drop((changes, hopeless));

    let up = async {
        // After the first success instances are restarted for ever; before, it is the user who has to do something.
        tokio::select! {
            biased;
            () = until_first_serves(&pools) => {}
            Some(hopeless) = given_up.recv() => return hopeless,
        }
        let serving = until_others_serve(&pools).await;
        on_ready(&Ready { listening, listening_tls, serving, expected });
        std::future::pending().await
    };
    let hopeless = tokio::select! {
        hopeless = up => Some(hopeless),
        () = shutdown.asked.cancelled() => None,
    };
    shutdown.ask();
    let ended = finish_requests(threads).await;
    stop.cancel();
    let mut killed = Vec::new();
    for (name, task) in kept {
        if !matches!(task.await, Ok(false)) {
            killed.push(name);
        }
    }
    tasks.close();
    tasks.wait().await;
    terminal.finish();
    if let Some(Hopeless { name, how }) = hopeless {
        return Err(RunError::Hopeless { name, how });
    }
    Ok(Outcome { totals: counters.iter().map(AsRef::as_ref).collect(), cut: ended?, killed })
}

/// Starts the threads of the data plane, each with what it listens on and its counters.
fn start_threads(
    config: &Config,
    entrances: Vec<Vec<Entrance>>,
    counters: &[Arc<Counters>],
    yards: &[Yard],
    log: Option<&Arc<AccessLogFile>>,
    shutdown: &Shutdown,
) -> io::Result<Vec<DataThread>> {
    let addresses = proxy::Addresses::new(config.limits.connections_per_address);
    let routes = (!config.routes.is_empty()).then(|| Arc::new(Table::new(config.routes.clone())));
    let plans: Vec<Plan> = yards.iter().map(Yard::plan).collect();
    let threads =
        entrances.into_iter().zip(counters).enumerate().map(|(number, (entrances, counters))| proxy::Thread {
            number,
            entrances,
            plans: plans.clone(),
            routes: routes.clone(),
            compress: config.compress.clone(),
            engine: config.engine,
            limits: config.limits.share(config.threads),
            addresses: Arc::clone(&addresses),
            limiter: config.limiter.clone(),
            files: descriptors::for_files().div_ceil(config.threads),
            given: proxy::Given { request_id: config.request_id, trace: config.trace_context },
            counters: Arc::clone(counters),
            log: log.cloned(),
        });
    let start = |thread: proxy::Thread| {
        DataThread::start(format!("proxy-{}", thread.number), shutdown, move |shutdown| proxy::run(thread, shutdown))
    };
    threads.map(start).collect()
}

/// A pool with how many backends it shall have.
type Watched = (Arc<Pool>, usize);

/// Waits until a backend of any pool gets requests, if there shall be any.
async fn until_first_serves(pools: &[Watched]) {
    let mut waits: Vec<_> =
        pools.iter().filter(|(_, expected)| *expected > 0).map(|(pool, _)| Box::pin(until_serving(pool, 1))).collect();
    if waits.is_empty() {
        return;
    }
    let any = poll_fn(|cx| match waits.iter_mut().any(|wait| wait.as_mut().poll(cx).is_ready()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    });
    any.await;
}

/// Waits until all backends serve, but not for long; returns how many do.
async fn until_others_serve(pools: &[Watched]) -> usize {
    let others = async {
        for (pool, expected) in pools {
            until_serving(pool, *expected).await;
        }
    };
    drop(timeout(GRACE, others).await);
    pools.iter().map(|(pool, _)| pool.snapshot().serving().count()).sum()
}

async fn until_serving(pool: &Pool, count: usize) {
    let mut bell = pool.bell();
    while pool.snapshot().serving().count() < count && bell.changed().await.is_ok() {}
}

/// A thread of the data plane.
struct DataThread {
    end: oneshot::Receiver<io::Result<usize>>,
    handle: JoinHandle<()>,
}

impl DataThread {
    fn start(
        name: String,
        shutdown: &Shutdown,
        work: impl FnOnce(&Shutdown) -> io::Result<usize> + Send + 'static,
    ) -> io::Result<Self> {
        let (report, end) = oneshot::channel();
        let shutdown = shutdown.clone();
        let handle = thread::Builder::new().name(name).spawn(move || {
            // A data plane with a thread missing would go on with a part of its clients unheard, so however it ends, by a
            // panic too, all of them end, and whoever has started the process hears of it.
            let _all_end = shutdown.asked.clone().drop_guard();
            drop(report.send(work(&shutdown)));
        })?;
        Ok(Self { end, handle })
    }
}

/// Waits until every thread has answered what it had accepted; returns how many connections were cut off.
async fn finish_requests(threads: Vec<DataThread>) -> Result<usize, RunError> {
    let (mut cut, mut failed) = (0, None);
    for thread in threads {
        match thread.end.await {
            Ok(Ok(connections)) => cut += connections,
            Ok(Err(error)) => failed = Some(error.to_string()),
            Err(_) => failed = Some("it panicked".to_owned()),
        }
        drop(thread.handle.join());
    }
    failed.map_or(Ok(cut), |failed| Err(RunError::Thread(failed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_ends_all_of_them_and_is_told() {
        let shutdown = Shutdown::default();
        let waits = |shutdown: &Shutdown| -> io::Result<usize> {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(shutdown.asked.cancelled());
            Ok(0)
        };
        let threads = vec![
            DataThread::start("good".to_owned(), &shutdown, waits).unwrap(),
            DataThread::start("bad".to_owned(), &shutdown, |_| panic!("a bug")).unwrap(),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime.block_on(finish_requests(threads));
        assert!(matches!(ended, Err(RunError::Thread(_))), "{ended:?}");
    }
}
