//! The command line of `logkin-balancer`: the verbs, their flags, and what they become.

use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    io::{self, ErrorKind, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};

use crate::{
    Signals,
    bounds::Bounds,
    config::{self, CertificateFiles, Config, Engine, Problems, balance::Balance, units},
    descriptors,
    log_file::LogFile,
    shutdown::Shutdown,
    supervisor::launcher,
    tls,
};

/// Send requests to backends, launch programs and look after them.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run in the foreground until SIGTERM or Ctrl-C
    Run(Box<Run>),
    /// Say what is wrong with a configuration file, or which bounds it has
    Check(Check),
    /// Become a program that ends with the balancer; used by the balancer itself
    #[command(hide = true)]
    Launch(Launch),
}

#[derive(Debug, Args)]
struct Run {
    /// Address to listen on, IP:PORT; repeatable
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<SocketAddr>,
    /// Address to listen on for TLS, IP:PORT; repeatable
    #[arg(long, value_name = "ADDRESS")]
    tls_listen: Vec<SocketAddr>,
    /// Certificate for TLS with its chain, PEM; repeatable, each with its key
    #[arg(long, value_name = "FILE", requires = "tls_keys")]
    tls_cert: Vec<PathBuf>,
    /// Private key of the certificate, PEM; repeatable
    #[arg(long = "tls-key", id = "tls_keys", value_name = "FILE", requires = "tls_cert")]
    tls_key: Vec<PathBuf>,
    /// Send clients that come without TLS to it
    #[arg(long)]
    redirect_to_https: bool,
    /// Where requests go, HOST:PORT or unix:PATH, with nginx's words behind it, such as "HOST:PORT weight=2 backup"; repeatable
    #[arg(long = "backend", value_name = "ADDRESS")]
    backends: Vec<String>,
    /// How backends are chosen: round_robin, least_conn, random, ip_hash or "hash KEY" [default: round_robin]
    #[arg(long, value_name = "WAY")]
    balance: Option<Balance>,
    /// Threads of the data plane [default: one per usable core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Which code speaks HTTP [default: strict]
    #[arg(long, value_enum, value_name = "NAME")]
    engine: Option<Engine>,
    /// Write a line per request to this file
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Address at which metrics are read, IP:PORT [default: none]
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    /// Largest request body, such as 64MiB [default: no bound]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    body_limit: Option<u64>,
    /// Bytes of a request's body that are waited for before a backend is chosen; 0 passes bodies on as they come [default: 64KiB]
    #[arg(long, value_name = "SIZE", value_parser = config::buffer)]
    buffer_requests: Option<usize>,
    /// Configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Check {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Flags of the hidden verb with which the balancer starts programs.
#[derive(Debug, Args)]
pub struct Launch {
    /// Process id of the balancer
    #[arg(long, value_name = "PID")]
    balancer: u32,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Launch {
    /// Becomes the program.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub fn run(&self) -> anyhow::Result<Infallible> {
        let program = self.command.first().map(|program| program.to_string_lossy()).unwrap_or_default();
        launcher::launch(self.balancer, &self.command).with_context(|| format!("{program} cannot be started"))
    }
}

impl Cli {
    /// Does what was asked; returns the exit code.
    ///
    /// # Errors
    ///
    /// It could not be done.
    pub fn run(self) -> anyhow::Result<u8> {
        match self.verb {
            Verb::Run(flags) => run(*flags),
            Verb::Check(flags) => check(&flags),
            Verb::Launch(flags) => match flags.run()? {},
        }
    }
}

fn run(flags: Run) -> anyhow::Result<u8> {
    let mut config = match &flags.config {
        Some(path) => config::load(path)?,
        None => Config::listening(Vec::new()),
    };
    // Of flags there is one pool; beside a file with several they are about its first.
    let pool = &mut config.pools[0];
    pool.servers.extend(config::servers(&flags.backends, pool)?);
    pool.balance = flags.balance.unwrap_or(pool.balance.clone());
    if !flags.listen.is_empty() {
        config.listen = flags.listen;
    }
    take_tls(&mut config, flags.tls_listen, flags.tls_cert, flags.tls_key)?;
    config.tls.redirect |= flags.redirect_to_https;
    if config.listens().next().is_none() {
        bail!("there is no address to listen on; give one with --listen, such as 127.0.0.1:8001");
    }
    if config.pools[0].servers.is_empty() && config.programs.is_empty() && config.routes.is_empty() {
        bail!(
            "there is nothing to send requests to; give --backend HOST:PORT or unix:PATH, or --config with a program"
        );
    }
    config.threads = flags.threads.map_or(config.threads, usize::from);
    if let Some(engine) = flags.engine.filter(|engine| *engine != config.engine) {
        config.engine = engine;
        config.request_id &= engine == Engine::Strict;
        config.trace_context &= engine == Engine::Strict;
    }
    config.access_log = flags.access_log.or(config.access_log);
    config.metrics_listen = flags.metrics_listen.or(config.metrics_listen);
    if let Some(problem) = config.log_problem() {
        bail!("error_log: {problem}");
    }
    if let Some((key, problem)) = config.address_problems().first() {
        bail!("{key}: {problem}");
    }
    let backends = config.pools.iter().flat_map(|pool| &pool.servers);
    if let Some(problem) = backends.filter_map(|server| config.circle_problem(&server.location)).next() {
        bail!("backend: {problem}");
    }
    if let [(key, problem), ..] = config.front_problems()[..] {
        bail!("{key}: {problem}, with --engine");
    }
    if let [problem, ..] = config.tls_problems()[..] {
        bail!("{problem}, with --tls-listen, --tls-cert, --tls-key or --engine");
    }
    if config.engine == Engine::Hyper && flags.buffer_requests.is_some_and(|size| size > 0) {
        bail!("--buffer-requests: the hyper engine passes bodies on as they come; take the strict one");
    }
    if config.engine == Engine::Hyper && config.limiter.is_some() {
        bail!("limit_req: the hyper engine does not count requests; take the strict one");
    }
    config.limits.body_buffer = flags.buffer_requests.unwrap_or(config.limits.body_buffer);
    // 0 is no bound.
    config.limits.body = flags.body_limit.or(config.limits.body).filter(|most| *most > 0);
    config.launcher = Some(vec![std::env::current_exe()?.into(), "launch".into()]);
    let shutdown = Shutdown::default();
    let outcome = crate::run(config, &shutdown, Signals::Follow, |ready| {
        let plain = ready.listening.iter().map(|address| format!("http://{address}"));
        let listening: Vec<String> =
            plain.chain(ready.listening_tls.iter().map(|address| format!("https://{address}"))).collect();
        // It goes on though nobody may be told.
        if let Err(error) = print(&format!("logkin-balancer is ready: {}\n", listening.join(" "))) {
            tracing::warn!("{error:#}");
        }
    })?;
    if outcome.cut > 0 {
        let when = if shutdown.forced.is_cancelled() { "as that was asked for" } else { "at the deadline" };
        tracing::warn!(connections = outcome.cut, "{} connections were cut off {when}", outcome.cut);
    }
    Ok(0)
}

/// What the flags say of TLS wins over what the file says.
fn take_tls(
    config: &mut Config,
    listen: Vec<SocketAddr>,
    certificates: Vec<PathBuf>,
    keys: Vec<PathBuf>,
) -> anyhow::Result<()> {
    if certificates.len() != keys.len() {
        bail!("there are {} of --tls-cert and {} of --tls-key; give each its other", certificates.len(), keys.len());
    }
    if !listen.is_empty() {
        config.tls_listen = listen;
    }
    if !certificates.is_empty() {
        let pairs = certificates.into_iter().zip(keys);
        let files = |(certificate, key)| CertificateFiles { certificate, key, place: "--tls-cert".to_owned() };
        config.tls.certificates = pairs.map(files).collect();
    }
    Ok(())
}

fn check(flags: &Check) -> anyhow::Result<u8> {
    let shown = flags.config.display();
    let (mut config, mut problems) = config::read(&flags.config)?;
    let less = descriptors::fit(&mut config.limits);
    let mut remarks = less.map_or_else(String::new, |less| format!("but {less}\n"));
    problems.extend(machine_problems(&config, &shown.to_string(), &mut remarks));
    if !problems.is_empty() {
        return Err(Problems(problems).into());
    }
    print(&format!("{shown}: fine\n{remarks}{}", Bounds::of(&config)))?;
    Ok(0)
}

/// What a start would find on this machine. Nothing is made for that. What is no problem goes to `remarks`.
fn machine_problems(config: &Config, shown: &str, remarks: &mut String) -> Vec<String> {
    let mut problems = Vec::new();
    let mut tls = config.tls.clone();
    tls.certificates.retain(|files| ![&files.certificate, &files.key].iter().any(|path| path.as_os_str().is_empty()));
    if config.has_tls() {
        match tls::Front::new(&tls) {
            Ok(front) => front.book.remarks().iter().for_each(|remark| *remarks += &format!("but {remark}\n")),
            Err(found) => problems.extend(found),
        }
    }
    for (key, path) in [("access_log", &config.access_log), ("error_log", &config.error_log)] {
        // Of none at all that is told already.
        if let Some(path) = path.as_ref().filter(|path| !path.as_os_str().is_empty())
            && let Err(error) = LogFile::check(path)
        {
            let path = path.display();
            problems.push(format!("{shown}: {key}: {path} cannot be written: {error}; choose another file"));
        }
    }
    for (number, program) in config.programs.iter().enumerate() {
        if let Some(name) = program.command.first().filter(|name| !is_runnable(name)) {
            let name = name.to_string_lossy();
            *remarks +=
                &format!("but program[{number}].command: there is no program `{name}` here, and no start without it\n");
        }
    }
    let folders =
        config.programs.iter().enumerate().filter_map(|(number, program)| Some((number, program.log_dir.as_ref()?)));
    for (number, folder) in folders {
        if let Err(error) = LogFile::check_folder(folder) {
            let folder = folder.display();
            problems.push(format!(
                "{shown}: program[{number}].log_dir: {folder} cannot be written: {error}; choose another folder"
            ));
        }
    }
    problems
}

/// Whether a program of this name or path can be run.
fn is_runnable(name: &OsStr) -> bool {
    use rustix::fs::{Access, access};
    let is_program = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let path = Path::new(name);
    if path.components().count() > 1 {
        return is_program(path);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| is_program(&folder.join(path)))
}

/// Writes to standard output. That nobody reads it is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the output cannot be written"),
    }
}
