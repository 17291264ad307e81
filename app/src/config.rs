//! `Config`: checked values for serving. Flag before environment before default; there is no file. Every problem is
//! found before a port is bound, and all are told together.

use std::{
    env,
    fs::{DirBuilder, File},
    io::{self, Read},
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};
use logkin_engine::{Rules, rules};

use crate::{
    cli::{Serve, State},
    roots::Roots,
};

/// Bytes of a unix socket's path, as Linux has them, without the ending NUL.
const MAX_SOCKET_PATH: usize = 107;

/// What an instance serves, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// In logs and leases.
    pub name: String,
    /// Where to listen; at least one.
    pub listen: Vec<Listen>,
    /// Exists and is writable.
    pub data_dir: PathBuf,
    /// What the page may open.
    pub roots: Roots,
    /// Which `Host` is answered.
    pub hosts: Hosts,
    /// What new reports are made with.
    pub rules: Option<Arc<Rules>>,
}

/// An address to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// Which names a request may call us by. A page of somebody else's that has its own name point to this machine sends
/// that name, and gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// All: we listen to others than this machine, and the operator said so.
    Any,
    /// Names and addresses of this machine, and these.
    Loopback(Vec<String>),
}

impl Config {
    /// Checks the flags of `serve`; an error lists every problem, one a line.
    pub fn check(flags: &Serve) -> anyhow::Result<Self> {
        let mut problems = Vec::new();
        let mut note = |error: anyhow::Error| problems.push(format!("{error:#}"));
        let listen: Vec<Listen> =
            flags.listen.iter().filter_map(|text| listen(text, flags.access.no_auth).map_err(&mut note).ok()).collect();
        let roots = roots(&flags.state.allow_roots).map_err(&mut note).ok();
        let data_dir = data_dir(&flags.state).map_err(&mut note).ok();
        let rules = flags.state.rules.as_deref().map(rules).transpose().map_err(&mut note).ok().flatten();
        let (Some(roots), Some(data_dir), true) = (roots, data_dir, problems.is_empty()) else {
            bail!(problems.join("\n"));
        };
        let is_open = listen.iter().any(|l| matches!(l, Listen::Tcp(at) if !at.ip().is_loopback()));
        let hosts = if is_open || flags.access.allow_hosts.iter().any(|h| h == "*") {
            Hosts::Any
        } else {
            Hosts::Loopback(flags.access.allow_hosts.iter().map(|h| h.to_ascii_lowercase()).collect())
        };
        let name = flags.name.clone().unwrap_or_else(|| flags.listen[0].clone());
        Ok(Self { name, listen, data_dir, roots, hosts, rules })
    }
}

impl Hosts {
    /// Whether a `Host` header's value is one of ours, whatever its port.
    pub fn allow(&self, host: &str) -> bool {
        let Self::Loopback(names) = self else { return true };
        let name = without_port(host).to_ascii_lowercase();
        let is_loopback = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        is_loopback || name == "localhost" || name.ends_with(".localhost") || names.contains(&name)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// The data directory: flag or LOGKIN_DATA_DIR, else where the user's data belongs. Made if need be, and proven
/// writable.
pub fn data_dir(flags: &State) -> anyhow::Result<PathBuf> {
    let dir = flags.data_dir.clone().unwrap_or_else(|| {
        let set = |name| env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        match (set("XDG_DATA_HOME"), set("HOME")) {
            (Some(data), _) => data.join("logkin"),
            (None, Some(home)) => home.join(".local/share/logkin"),
            (None, None) => PathBuf::from("logkin-data"),
        }
    });
    prove_writable(&dir).map_err(|error| {
        anyhow!(
            "cannot write to the data directory {}: {error}; uploads, reports and the database are kept there; \
             make it writable for this user, or choose another with --data-dir",
            dir.display()
        )
    })?;
    dir.canonicalize().with_context(|| format!("cannot resolve the data directory {}", dir.display()))
}

fn prove_writable(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let probe = dir.join(format!(".probe-{}", uuid::Uuid::new_v4().simple()));
    File::create_new(&probe)?;
    std::fs::remove_file(probe)
}

/// The rules of a file; an error lists every mistake in it, one a line.
pub fn rules(path: &Path) -> anyhow::Result<Arc<Rules>> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(rules::MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("--rules {name}: cannot be read"))?;
    let text = String::from_utf8(bytes).map_err(|_| anyhow!("--rules {name}: is not UTF-8; expected a TOML file"))?;
    Ok(Arc::new(Rules::parse(&name, &text)?))
}

fn roots(flags: &[PathBuf]) -> anyhow::Result<Roots> {
    let here = [PathBuf::from(".")];
    let folders = if flags.is_empty() { &here } else { flags };
    Roots::new(folders).context("--allow-root")
}

fn listen(text: &str, no_auth: bool) -> anyhow::Result<Listen> {
    if let Some(path) = text.strip_prefix("unix:") {
        if path.is_empty() || path.len() > MAX_SOCKET_PATH {
            bail!("--listen {text}: a socket's path has 1 to {MAX_SOCKET_PATH} bytes, this has {}", path.len());
        }
        return Ok(Listen::Unix(path.into()));
    }
    let expected = "expected HOST:PORT, such as 127.0.0.1:8811, or unix:PATH";
    let mut found = text.to_socket_addrs().with_context(|| format!("--listen {text}: {expected}"))?;
    let Some(at) = found.next() else { bail!("--listen {text}: that name has no address; {expected}") };
    if !at.ip().is_loopback() && !no_auth {
        bail!(
            "--listen {text}: anyone who reaches this address could read your logs; \
             listen at 127.0.0.1, or say --no-auth if something else guards it"
        );
    }
    Ok(Listen::Tcp(at))
}
