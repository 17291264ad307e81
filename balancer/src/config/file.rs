//! The configuration file as written: TOML, nginx's words where nginx has one, unknown keys refused. Nothing is checked
//! here but the form.

use std::path::PathBuf;

use serde::Deserialize;

use super::Engine;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) worker_threads: Option<usize>,
    #[serde(default)]
    pub(super) engine: Engine,
    pub(super) access_log: Option<PathBuf>,
    pub(super) client_max_body_size: Option<String>,
    pub(super) client_header_timeout: Option<String>,
    pub(super) client_body_min_rate: Option<String>,
    pub(super) client_body_patience: Option<String>,
    pub(super) tunnel_timeout: Option<String>,
    pub(super) worker_connections: Option<usize>,
    pub(super) limit_conn: Option<usize>,
    pub(super) shutdown_timeout: Option<String>,
    #[serde(default)]
    pub(super) listen: Vec<Listen>,
    #[serde(default)]
    pub(super) tls: Tls,
    #[serde(default)]
    pub(super) pool: Pool,
    #[serde(default)]
    pub(super) program: Vec<Program>,
}

/// An address to listen on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) address: String,
    #[serde(default)]
    pub(super) tls: bool,
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
    pub(super) ssl_certificate: PathBuf,
    pub(super) ssl_certificate_key: PathBuf,
}

/// The backends and how they are talked to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    #[serde(default)]
    pub(super) server: Vec<Server>,
    pub(super) connect_timeout: Option<String>,
    pub(super) read_timeout: Option<String>,
    pub(super) keepalive: Option<usize>,
    pub(super) keepalive_timeout: Option<String>,
    pub(super) next_upstream_tries: Option<usize>,
    pub(super) queue_timeout: Option<String>,
}

/// A backend that somebody else runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) address: String,
}

/// A program to run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    pub(super) ports: Vec<u16>,
    pub(super) health_path: Option<String>,
    pub(super) start_timeout: Option<String>,
    pub(super) stop_timeout: Option<String>,
    pub(super) log_dir: Option<PathBuf>,
}

/// Reads the form; the problem begins with line and column.
pub(super) fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
        format!(
            "{line}:{column}: {}; correct it, the keys are in docs/configuration.md",
            error.message().replace('\n', ", ")
        )
    })
}
