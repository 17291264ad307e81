//! `logkin serve`: config -> store -> jobs -> web; prints the one ready line with the bound addresses.

use std::{fs, io, os::unix::fs::PermissionsExt, os::unix::net::UnixStream, path::Path, time::Duration};

use anyhow::{Context, bail};
use tokio::net::{TcpListener, UnixListener};
use tracing_subscriber::EnvFilter;

use crate::{
    blobs::Blobs,
    cli::Serve,
    clock::Clock,
    config::{Config, Listen},
    intake::Intake,
    janitor,
    jobs::{Bench, Jobs, Rhythm},
    metrics::Metrics,
    output,
    shelf::Shelf,
    shutdown::Shutdown,
    store,
    web::{self, App, Listener, state::Parts},
};

/// How long what was begun may take to finish after a signal.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn run(flags: &Serve) -> anyhow::Result<u8> {
    let config = Config::check(flags)?;
    log();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let result = runtime.block_on(serve(config));
    // What passed the deadline is cut here; waiting for it again would undo the deadline.
    runtime.shutdown_background();
    result
}

async fn serve(config: Config) -> anyhow::Result<u8> {
    let mut listeners = Vec::new();
    for listen in &config.listen {
        listeners.push(bind(listen).await?);
    }
    let ready = format!("ready: {}", listeners.iter().map(address).collect::<io::Result<Vec<_>>>()?.join(" "));
    let shutdown = Shutdown::new();
    shutdown.on_signals().context("cannot listen for signals")?;
    let store = store::open(&config.data_dir).await?;
    let blobs = Blobs::open(&config.data_dir).context("cannot open the data directory")?;
    let (clock, metrics) = (Clock::system(), Metrics::new());
    let bench = Bench {
        store: store.clone(),
        blobs: blobs.clone(),
        roots: config.roots.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
    };
    let jobs = Jobs::new(bench, &config.name, Rhythm::default()).context("cannot start the analysis threads")?;
    let app = App::new(Parts {
        name: config.name,
        intake: Intake::new(blobs.clone(), store.clone(), config.roots.clone(), clock.clone()).with_rules(config.rules),
        shelf: Shelf::new(blobs.clone(), config.roots.clone()),
        store: store.clone(),
        blobs: blobs.clone(),
        roots: config.roots,
        hosts: config.hosts,
        metrics,
        clock,
        shutdown: shutdown.clone(),
        wake: jobs.waker(),
    });
    shutdown.spawn(jobs.run(shutdown.clone()));
    shutdown.spawn(janitor::run(blobs, store.clone(), shutdown.clone()));
    let router = web::router(&app);
    for listener in listeners {
        shutdown.spawn(web::serve(listener, router.clone(), shutdown.clone()));
    }
    output::announce(ready);
    shutdown.begun().await;
    let unfinished = shutdown.finish(DEADLINE).await;
    if unfinished > 0 {
        tracing::warn!(unfinished, "cut {unfinished} tasks that were not done after {} seconds", DEADLINE.as_secs());
    }
    store.close().await;
    Ok(0)
}

async fn bind(listen: &Listen) -> anyhow::Result<Listener> {
    match listen {
        Listen::Tcp(at) => match TcpListener::bind(at).await {
            Ok(tcp) => Ok(Listener::Tcp(tcp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
                "{at} is in use by another program, perhaps another logkin; stop that one, or choose another port with \
                 --listen {}:PORT",
                at.ip()
            ),
            Err(error) => Err(error).with_context(|| format!("cannot listen at {at}")),
        },
        Listen::Unix(path) => {
            remove_stale(path)?;
            let unix = UnixListener::bind(path).with_context(|| format!("cannot listen at unix:{}", path.display()))?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            Ok(Listener::Unix(unix, path.clone()))
        }
    }
}

/// Removes the socket of a process that is gone, and nothing else.
fn remove_stale(path: &Path) -> anyhow::Result<()> {
    let in_the_way = match UnixStream::connect(path) {
        Ok(_) => "a running program listens there",
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_socket(path) => {
            return fs::remove_file(path).with_context(|| format!("cannot remove the old socket {}", path.display()));
        }
        Err(_) => "there is something else at this path",
    };
    bail!("unix:{} is in use: {in_the_way}; stop or remove it, or choose another with --listen", path.display())
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

fn address(listener: &Listener) -> io::Result<String> {
    match listener {
        Listener::Tcp(tcp) => Ok(format!("http://{}", tcp.local_addr()?)),
        Listener::Unix(_, path) => Ok(format!("unix:{}", path.display())),
    }
}

/// To standard error; LOGKIN_LOG says how much.
fn log() {
    let filter = EnvFilter::try_from_env("LOGKIN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    // Where nobody reads standard error, the library would panic when it says that it cannot write there. A second call in
    // one process (tests) leaves the first in place.
    let _ = log.log_internal_errors(false).try_init();
}
