//! The configuration file as written: TOML, nginx's words where nginx has one, unknown keys refused. Nothing is checked
//! here but the form; what has to be there is a rule too, and is checked with the others.

use std::path::PathBuf;

use serde::Deserialize;
use toml::de::DeTable;

pub(super) use self::{
    compress::Compress,
    places::{Place, Places},
    pools::Pools,
    route::{Cors, Edits, Route},
    unread::Unread,
};
use super::Engine;
use crate::{error_log::Level, select::sticky::SameSite, trust::RealIpHeader};

mod pools;
mod compress;
mod route;
mod places;
mod unread;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) worker_threads: Option<usize>,
    #[serde(default)]
    pub(super) engine: Engine,
    pub(super) access_log: Option<PathBuf>,
    pub(super) access_log_format: Option<String>,
    pub(super) error_log: Option<PathBuf>,
    #[serde(default)]
    pub(super) error_log_level: Level,
    pub(super) metrics_listen: Option<String>,
    #[serde(default)]
    pub(super) trusted_proxies: Vec<String>,
    #[serde(default)]
    pub(super) real_ip_header: RealIpHeader,
    pub(super) request_id: Option<bool>,
    pub(super) trace_context: Option<bool>,
    pub(super) client_max_body_size: Option<String>,
    pub(super) client_header_timeout: Option<String>,
    pub(super) client_body_min_rate: Option<String>,
    pub(super) client_body_patience: Option<String>,
    pub(super) client_read_min_rate: Option<String>,
    pub(super) client_read_patience: Option<String>,
    pub(super) buffer_requests: Option<String>,
    pub(super) tunnel_timeout: Option<String>,
    #[serde(default)]
    pub(super) lenient_query: bool,
    pub(super) worker_connections: Option<usize>,
    pub(super) limit_conn: Option<usize>,
    pub(super) shutdown_timeout: Option<String>,
    pub(super) limit_req: Option<LimitReq>,
    #[serde(default)]
    pub(super) listen: Vec<Listen>,
    #[serde(default)]
    pub(super) tls: Tls,
    pub(super) compress: Option<Compress>,
    #[serde(default)]
    pub(super) pool: Pools,
    #[serde(default)]
    pub(super) route: Vec<Route>,
    #[serde(default)]
    pub(super) program: Vec<Program>,
}

/// An address to listen on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    #[serde(default)]
    pub(super) address: String,
    #[serde(default)]
    pub(super) tls: bool,
    #[serde(default)]
    pub(super) proxy_protocol: bool,
}

/// How many requests a client may have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitReq {
    #[serde(default)]
    pub(super) rate: String,
    #[serde(default)]
    pub(super) burst: u32,
}

/// TLS at the addresses that have it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    #[serde(default)]
    pub(super) certificate: Vec<Certificate>,
    pub(super) handshake_timeout: Option<String>,
    pub(super) hsts: Option<String>,
    #[serde(default)]
    pub(super) redirect_to_https: bool,
    pub(super) http2: Option<bool>,
}

/// A certificate and its key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    #[serde(default)]
    pub(super) ssl_certificate: PathBuf,
    #[serde(default)]
    pub(super) ssl_certificate_key: PathBuf,
}

/// The backends and how they are talked to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) server: Vec<Server>,
    pub(super) balance: Option<String>,
    pub(super) resolver: Option<Vec<String>>,
    pub(super) resolve: Option<String>,
    pub(super) sticky: Option<Cookie>,
    pub(super) health_check: Option<HealthCheck>,
    pub(super) connect_timeout: Option<String>,
    pub(super) read_timeout: Option<String>,
    pub(super) keepalive: Option<usize>,
    pub(super) keepalive_timeout: Option<String>,
    pub(super) next_upstream: Option<Vec<String>>,
    pub(super) next_upstream_tries: Option<usize>,
    pub(super) next_upstream_timeout: Option<String>,
    pub(super) max_fails: Option<u32>,
    pub(super) fail_timeout: Option<String>,
    pub(super) slow_start: Option<String>,
    pub(super) max_errors: Option<u32>,
    pub(super) max_errors_percent: Option<u8>,
    pub(super) queue: Option<usize>,
    pub(super) queue_timeout: Option<String>,
}

/// The cookie that keeps clients where they were.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cookie {
    #[serde(default)]
    pub(super) cookie: String,
    pub(super) key: Option<String>,
    pub(super) expires: Option<String>,
    #[serde(default)]
    pub(super) secure: bool,
    #[serde(default)]
    pub(super) samesite: SameSite,
}

/// Checks of all backends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthCheck {
    pub(super) uri: Option<String>,
    pub(super) host: Option<String>,
    pub(super) interval: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) fails: Option<u32>,
    pub(super) passes: Option<u32>,
}

/// A backend that somebody else runs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    #[serde(default)]
    pub(super) address: String,
    pub(super) weight: Option<u32>,
    #[serde(default)]
    pub(super) backup: bool,
    #[serde(default)]
    pub(super) down: bool,
    pub(super) max_conns: Option<usize>,
    pub(super) max_fails: Option<u32>,
    pub(super) fail_timeout: Option<String>,
    pub(super) slow_start: Option<String>,
}

/// A program to run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    #[serde(default)]
    pub(super) name: String,
    pub(super) pool: Option<String>,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) ports: Vec<u16>,
    pub(super) health_path: Option<String>,
    pub(super) start_timeout: Option<String>,
    pub(super) stop_timeout: Option<String>,
    pub(super) log_dir: Option<PathBuf>,
}

/// What a text has come to.
pub(super) struct Parsed<'a> {
    /// The file, if there is one.
    pub(super) file: Option<File>,
    /// What could not be read, and was left out.
    pub(super) unread: Vec<Unread>,
    /// Where the rest stands.
    pub(super) places: Places<'a>,
}

/// Reads the form. What is no key, or no value for its key, is a problem and is left out; the rest can be checked too.
pub(super) fn parse(text: &str) -> Parsed<'_> {
    let mut table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            return Parsed { file: None, unread: vec![Unread::syntax(text, &error)], places: Places::none(text) };
        }
    };
    let mut unread = Vec::new();
    let file = loop {
        let error = match File::deserialize(toml::de::Deserializer::from(table.clone())) {
            Ok(file) => break Some(file),
            Err(error) => error,
        };
        let place = error.span().and_then(|span| unread::take(table.get_mut(), &span));
        let is_left_out = place.is_some();
        unread.push(Unread::new(text, &error, place));
        if !is_left_out {
            break None;
        }
    };
    Parsed { file, unread, places: Places::new(text, table.into_inner()) }
}

/// Reads a backend as flags have it.
pub(super) fn server(text: &str) -> Result<Server, String> {
    let mut words = text.split_whitespace();
    let mut server = Server { address: words.next().unwrap_or_default().to_owned(), ..Server::default() };
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let expected = || format!("`{word}` is no number; write {key}=N");
        match (key, value) {
            ("backup", "") => server.backup = true,
            ("down", "") => server.down = true,
            ("weight", value) => server.weight = Some(value.parse().map_err(|_| expected())?),
            ("max_conns", value) => server.max_conns = Some(value.parse().map_err(|_| expected())?),
            ("max_fails", value) => server.max_fails = Some(value.parse().map_err(|_| expected())?),
            ("fail_timeout", value) => server.fail_timeout = Some(value.to_owned()),
            ("slow_start", value) => server.slow_start = Some(value.to_owned()),
            _ => {
                return Err(format!(
                    "`{word}` is not known; write weight=N, backup, down, max_conns=N, max_fails=N, fail_timeout=TIME or \
                     slow_start=TIME"
                ));
            }
        }
    }
    Ok(server)
}
