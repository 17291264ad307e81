//! Each rule once: from the file as written to the configuration the program uses, or to every problem it has.

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub(super) use self::pool::servers;
use super::{CertificateFiles, Config, Engine, Limits, Program, Tls, file, units};
use crate::{limiter::Limiter, rate::Rate, trust::Trust};

mod pool;
mod fields;
mod content;
mod route;

/// Most requests that may come beyond a rate.
const MOST_BURST: u32 = 100_000;

/// Problems found so far, each with its key.
#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    fn add(&mut self, key: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("{key}: {problem}"));
    }

    fn take<T>(&mut self, key: &str, result: Result<T, impl std::fmt::Display>) -> Option<T> {
        result.map_err(|problem| self.add(key, problem)).ok()
    }

    fn duration(&mut self, key: &str, text: Option<&String>, default: Duration) -> Duration {
        text.and_then(|text| self.take(key, units::duration(text))).unwrap_or(default)
    }

    /// One within which something has to happen: of nothing would be done in none.
    fn time(&mut self, key: &str, text: Option<&String>, default: Duration) -> Duration {
        let time = self.duration(key, text, default);
        if time.is_zero() {
            self.add(key, format!("0 is no time; write some, such as {}", units::written_duration(default)));
        }
        time
    }

    /// What browsers are told in whole seconds.
    fn seconds(&mut self, key: &str, text: Option<&String>) -> Option<Duration> {
        let time = self.take(key, units::duration(text?))?;
        if time.subsec_nanos() > 0 {
            self.add(key, "browsers know whole seconds only; write some, such as 30s");
        }
        Some(time)
    }

    fn size(&mut self, key: &str, text: Option<&String>, default: u64) -> u64 {
        text.and_then(|text| self.take(key, units::size(text))).unwrap_or(default)
    }

    fn positive(&mut self, key: &str, number: Option<usize>, default: usize) -> usize {
        if number == Some(0) {
            self.add(key, "0 is too few; write 1 or more, or leave it out");
        }
        number.unwrap_or(default)
    }
}

/// More threads than machines have cores.
const MOST_THREADS: usize = 1024;

/// What can be taken of the file, and what is wrong with it. Of the keys that could not be read that was told already, so
/// nothing is said that may follow from it.
pub(super) fn check(file: file::File, unread: &[&str]) -> (Config, Vec<String>) {
    let mut found = Found::default();
    let mut config = Config::listening(Vec::new());
    for (number, listen) in file.listen.iter().enumerate() {
        let key = format!("listen[{number}].address");
        let list = match (listen.tls, listen.proxy_protocol) {
            (false, false) => &mut config.listen,
            (true, false) => &mut config.tls_listen,
            (false, true) => &mut config.introduced.listen,
            (true, true) => &mut config.introduced.tls_listen,
        };
        list.extend(found.take(&key, address(&listen.address, "127.0.0.1:8001")));
    }
    if file.listen.is_empty() {
        found.add("listen", "there is no address to listen on; add [[listen]] with address = \"127.0.0.1:8001\"");
    }
    config.threads = found.positive("worker_threads", file.worker_threads, config.threads);
    if config.threads > MOST_THREADS {
        found.add(
            "worker_threads",
            format!("{} is more than {MOST_THREADS}; leave it out for one per core", config.threads),
        );
    }
    config.limits = check_limits(&mut found, &file);
    config.pools = pool::check_all(&mut found, &file.pool, &config);
    // Clients without a request, which are of no pool, are waited for as those of the first.
    config.limits = config.pools[0].limits.clone();
    let names: Vec<String> = config.pools.iter().map(|pool| pool.name.clone()).collect();
    for (number, program) in file.program.iter().enumerate() {
        let key = format!("program[{number}]");
        let pool = route::pool(&mut found, &key, program.pool.as_ref(), &names);
        let program = check_program(&mut found, &key, program);
        config.programs.push(Program { pool, terms: config.pools[pool].terms.clone(), ..program });
    }
    let serves = |route: &file::Route| route.root.is_some() || route.alias.is_some();
    // Who serves nothing but files needs nobody behind.
    let is_read =
        |parts: &[&str]| !unread.iter().any(|key| parts.iter().any(|part| key.split(['.', '[']).next() == Some(part)));
    let is_needed = file.pool.is_list || file.route.is_empty() || !file.route.iter().all(serves);
    for (number, pool) in config.pools.iter().enumerate().filter(|_| is_needed && is_read(&["pool", "program"])) {
        let written = file.pool.list.get(number).map_or(0, |pool| pool.server.len());
        pool::check_backends(&mut found, &config, (number, pool), written, file.pool.is_list);
    }
    config.tls = check_tls(&mut found, &file.tls);
    config.engine = file.engine;
    config.trust = check_trust(&mut found, &file);
    config.request_id = file.request_id.unwrap_or(file.engine == Engine::Strict);
    config.trace_context = file.trace_context.unwrap_or(file.engine == Engine::Strict);
    let format = file.access_log_format.as_ref();
    config.access_log_format = format.and_then(|text| found.take("access_log_format", text.parse()));
    config.compress = content::check_compress(&mut found, "compress", file.compress.as_ref(), None);
    let metrics = file.metrics_listen.as_ref();
    config.metrics_listen = metrics.and_then(|text| found.take("metrics_listen", address(text, "127.0.0.1:9901")));
    check_ports(&mut found, &config);
    config.limiter = file.limit_req.as_ref().and_then(|limit| check_rate(&mut found, "limit_req", limit));
    if config.limiter.is_some() && config.engine != Engine::Strict {
        found.add("limit_req", "the hyper engine does not count requests; take the strict one");
    }
    config.routes = route::check(&mut found, &file.route, &config);
    config.access_log = file.access_log;
    (config.error_log, config.error_log_level) = (file.error_log, file.error_log_level);
    config.log_name_problems().into_iter().for_each(|(key, problem)| found.add(key, problem));
    config.log_problem().into_iter().for_each(|problem| found.add("error_log", problem));
    config.address_problems().into_iter().for_each(|(key, problem)| found.add(key, problem));
    if is_read(&["listen", "tls", "engine", "trusted_proxies", "request_id", "trace_context"]) {
        config.front_problems().into_iter().for_each(|(key, problem)| found.add(key, problem));
        config.tls_problems().into_iter().for_each(|problem| found.add("tls", problem));
    }
    found.0.retain(|problem| !unread.iter().any(|unread| is_below(unread, key(problem))));
    (config, found.0)
}

/// What a problem is about.
pub(super) fn key(problem: &str) -> &str {
    problem.split(": ").next().unwrap_or_default()
}

/// Whether a key is another one, or in it.
fn is_below(key: &str, other: &str) -> bool {
    key.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn address(text: &str, such_as: &str) -> Result<SocketAddr, String> {
    if text.is_empty() {
        return Err(format!("there is none; write IP:PORT, such as {such_as}"));
    }
    text.parse().map_err(|_| match text.rsplit_once(':') {
        Some((ip, port)) if ip.parse::<std::net::Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok() => {
            format!("`{text}` is not an address; an IPv6 address before a port has brackets, so write [{ip}]:{port}")
        }
        _ => format!("`{text}` is not an address; write IP:PORT, such as {such_as}"),
    })
}

fn check_rate(found: &mut Found, key: &str, file: &file::LimitReq) -> Option<Arc<Limiter>> {
    if file.burst > MOST_BURST {
        found.add(&format!("{key}.burst"), format!("more than {MOST_BURST} is no bound; write less"));
    }
    let rate = Rate::new(found.take(&format!("{key}.rate"), file.rate.parse())?, file.burst.min(MOST_BURST));
    Some(Arc::new(Limiter::new(rate)))
}

fn check_trust(found: &mut Found, file: &file::File) -> Trust {
    let networks = file.trusted_proxies.iter().filter_map(|text| found.take("trusted_proxies", text.parse()));
    Trust { networks: networks.collect(), header: file.real_ip_header }
}

fn check_limits(found: &mut Found, file: &file::File) -> Limits {
    let default = Limits::default();
    let body = file.client_max_body_size.as_ref();
    let head = file.client_header_timeout.as_ref();
    if file.buffer_requests.is_some() && file.engine != Engine::Strict {
        found.add("buffer_requests", "the hyper engine passes bodies on as they come; take the strict one");
    }
    Limits {
        body_buffer: file
            .buffer_requests
            .as_ref()
            .and_then(|text| found.take("buffer_requests", super::buffer(text)))
            .unwrap_or(default.body_buffer),
        read_rate: found.size("client_read_min_rate", file.client_read_min_rate.as_ref(), default.read_rate),
        read_patience: found.time("client_read_patience", file.client_read_patience.as_ref(), default.read_patience),
        // As in nginx, 0 is no bound.
        body: body.and_then(|text| found.take("client_max_body_size", units::size(text))).filter(|most| *most > 0),
        head_deadline: found.time("client_header_timeout", head, default.head_deadline),
        handshake_deadline: found.time(
            "tls.handshake_timeout",
            file.tls.handshake_timeout.as_ref(),
            default.handshake_deadline,
        ),
        body_rate: found.size("client_body_min_rate", file.client_body_min_rate.as_ref(), default.body_rate),
        body_patience: found.time("client_body_patience", file.client_body_patience.as_ref(), default.body_patience),
        tunnel_deadline: found.time("tunnel_timeout", file.tunnel_timeout.as_ref(), default.tunnel_deadline),
        connections_per_address: found.positive("limit_conn", file.limit_conn, default.connections_per_address),
        connections: found.positive("worker_connections", file.worker_connections, default.connections),
        lenient_query: file.lenient_query,
        stop_deadline: found.duration("shutdown_timeout", file.shutdown_timeout.as_ref(), default.stop_deadline),
        ..default
    }
}

fn check_path(found: &mut Found, key: &str, path: &str) {
    if !path.starts_with('/') || path.parse::<hyper::Uri>().is_err() {
        found.add(key, format!("`{path}` is no path; write one such as /health/ready"));
    }
}

fn check_tls(found: &mut Found, file: &file::Tls) -> Tls {
    let mut certificates = Vec::new();
    for (number, file::Certificate { ssl_certificate, ssl_certificate_key }) in file.certificate.iter().enumerate() {
        let place = format!("tls.certificate[{number}]");
        for (part, path) in [("ssl_certificate", ssl_certificate), ("ssl_certificate_key", ssl_certificate_key)] {
            if path.as_os_str().is_empty() {
                found.add(&format!("{place}.{part}"), "there is none; write the path of a PEM file");
            }
        }
        certificates.push(CertificateFiles {
            certificate: ssl_certificate.clone(),
            key: ssl_certificate_key.clone(),
            place,
        });
    }
    if let Some(hsts) = &file.hsts {
        let age = hsts.split(';').next().and_then(|first| first.trim().strip_prefix("max-age="));
        let is_age = age.is_some_and(|age| !age.is_empty() && age.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_age || !hsts.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            found.add("tls.hsts", format!("`{hsts}` is no value for it; write one such as max-age=31536000"));
        }
    }
    Tls {
        certificates,
        hsts: file.hsts.clone(),
        redirect: file.redirect_to_https,
        http2: file.http2.unwrap_or(Tls::default().http2),
    }
}

fn check_program(found: &mut Found, key: &str, file: &file::Program) -> Program {
    let command = file.command.iter().map(Into::into).collect();
    let mut program = Program::new(file.name.clone(), command, file.ports.clone());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if file.name.is_empty() || file.name.len() > 32 || !file.name.chars().all(plain) {
        let name = &file.name;
        found.add(&format!("{key}.name"), format!("`{name}` is no name; write 1 to 32 letters, digits, - or _"));
    }
    if file.command.is_empty() {
        found.add(&format!("{key}.command"), "there is no command; write the program and its arguments as a list");
    } else if !file.command.iter().any(|word| word.contains("{port}") || word.contains("{socket}")) {
        found.add(
            &format!("{key}.command"),
            "nothing tells the program where to listen; put {port} or {socket} into it",
        );
    }
    if file.ports.is_empty() {
        found.add(&format!("{key}.ports"), "there are no ports; write one per instance, such as [8811, 8812, 8813]");
    } else if file.ports.contains(&0) && !program.uses_socket() {
        found.add(
            &format!("{key}.ports"),
            "port 0 leaves nowhere to send requests; write a port, or put {socket} into the command",
        );
    }
    if let Some(path) = &file.health_path {
        check_path(found, &format!("{key}.health_path"), path);
        program.health_path.clone_from(path);
    }
    let start = file.start_timeout.as_ref();
    program.start_deadline = found.time(&format!("{key}.start_timeout"), start, program.start_deadline);
    let stop = file.stop_timeout.as_ref();
    program.stop_deadline = found.duration(&format!("{key}.stop_timeout"), stop, program.stop_deadline);
    if file.log_dir.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
        found.add(&format!("{key}.log_dir"), "there is none; write the path of a folder, or leave it out");
    }
    program.log_dir.clone_from(&file.log_dir);
    program
}

/// No address twice: not among programs, not against our own.
fn check_ports(found: &mut Found, config: &Config) {
    let mut taken: Vec<u16> = config.listens().chain(&config.metrics_listen).map(SocketAddr::port).collect();
    for program in &config.programs {
        for &port in program.ports.iter().filter(|port| **port != 0) {
            if taken.contains(&port) {
                found.add(
                    "program.ports",
                    format!("port {port} is used twice; give each instance and each listen its own"),
                );
            }
            taken.push(port);
        }
    }
    let names: Vec<String> = config.programs.iter().flat_map(Program::instance_names).collect();
    if let Some(twice) = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        found.add("program.name", format!("two instances are called {}; give the programs different names", twice.1));
    }
}
