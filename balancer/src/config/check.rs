//! Each rule once: from the file as written to the configuration the program uses, or to every problem it has.

use std::{net::SocketAddr, time::Duration};

use super::{
    CertificateFiles, Config, Engine, Limits, Program, Server, Tls, file,
    next_upstream::{Case, NextUpstream},
    units,
};
use crate::{
    backend::{Location, Terms},
    select::sticky::{SameSite, Sticky},
    trust::Trust,
    verdict::{Outliers, Patience, checks::Checks},
};

/// Heaviest weight; ten thousand times as much as another is nothing for the other.
const HEAVIEST: u32 = 10_000;

/// Bytes of a key that nobody tries out.
const SHORTEST_KEY: usize = 16;

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

    fn positive(&mut self, key: &str, number: Option<usize>, default: usize) -> usize {
        if number == Some(0) {
            self.add(key, "0 is too few; write 1 or more, or leave it out");
        }
        number.unwrap_or(default)
    }
}

pub(super) fn check(file: file::File) -> Result<Config, Vec<String>> {
    let mut found = Found::default();
    let mut config = Config::listening(Vec::new());
    for (number, listen) in file.listen.iter().enumerate() {
        let key = format!("listen[{number}].address");
        let bad = |_| format!("`{}` is not an address; write IP:PORT, such as 127.0.0.1:8001", listen.address);
        let list = match (listen.tls, listen.proxy_protocol) {
            (false, false) => &mut config.listen,
            (true, false) => &mut config.tls_listen,
            (false, true) => &mut config.introduced.listen,
            (true, true) => &mut config.introduced.tls_listen,
        };
        list.extend(found.take(&key, listen.address.parse::<SocketAddr>().map_err(bad)));
    }
    if file.listen.is_empty() {
        found.add("listen", "there is no address to listen on; add [[listen]] with address = \"127.0.0.1:8001\"");
    }
    config.threads = found.positive("worker_threads", file.worker_threads, config.threads);
    config.limits = check_limits(&mut found, &file);
    config.terms = check_pool_terms(&mut found, &file.pool);
    config.balance =
        file.pool.balance.as_ref().and_then(|text| found.take("pool.balance", text.parse())).unwrap_or_default();
    config.resolve = found.duration("pool.resolve", file.pool.resolve.as_ref(), config.resolve);
    if config.resolve.is_zero() {
        found.add("pool.resolve", "0 is no pause; write some time, such as 10s");
    }
    config.sticky = file.pool.sticky.as_ref().and_then(|cookie| check_sticky(&mut found, cookie));
    config.checks = file.pool.health_check.as_ref().map(|checks| check_health(&mut found, checks));
    let health_path = file.pool.health_check.as_ref().and_then(|checks| checks.uri.clone());
    for (number, server) in file.pool.server.iter().enumerate() {
        let server = check_server(&mut found, &format!("pool.server[{number}]."), server, &config.terms);
        config.servers.extend(server.map(|server| Server { health_path: health_path.clone(), ..server }));
    }
    for (number, program) in file.program.iter().enumerate() {
        let program = check_program(&mut found, &format!("program[{number}]"), program);
        config.programs.push(Program { terms: config.terms.clone(), ..program });
    }
    if !config.servers.is_empty() && config.servers.iter().all(|server| server.terms.down) && file.program.is_empty() {
        found.add("pool.server", "all are down; leave one that gets requests");
    }
    if file.pool.server.is_empty() && file.program.is_empty() {
        found.add("pool", "there is nothing to send requests to; add [[pool.server]] or [[program]]");
    }
    check_ports(&mut found, &config);
    config.tls = check_tls(&mut found, &file.tls);
    config.engine = file.engine;
    config.trust = check_trust(&mut found, &file);
    config.request_id = file.request_id.unwrap_or(file.engine == Engine::Strict);
    config.trace_context = file.trace_context.unwrap_or(file.engine == Engine::Strict);
    let format = file.access_log_format.as_ref();
    config.access_log_format = format.and_then(|text| found.take("access_log_format", text.parse()));
    config.access_log = file.access_log;
    config.front_problems().into_iter().for_each(|(key, problem)| found.add(key, problem));
    config.tls_problems().into_iter().for_each(|problem| found.add("tls", problem));
    if found.0.is_empty() { Ok(config) } else { Err(found.0) }
}

fn check_trust(found: &mut Found, file: &file::File) -> Trust {
    let networks = file.trusted_proxies.iter().filter_map(|text| found.take("trusted_proxies", text.parse()));
    Trust { networks: networks.collect(), header: file.real_ip_header }
}

fn check_limits(found: &mut Found, file: &file::File) -> Limits {
    let (pool, default) = (&file.pool, Limits::default());
    let body = file.client_max_body_size.as_ref();
    let head = file.client_header_timeout.as_ref();
    Limits {
        body: body.and_then(|text| found.take("client_max_body_size", units::size(text))),
        head_deadline: found.duration("client_header_timeout", head, default.head_deadline),
        stall_deadline: found.duration("pool.read_timeout", pool.read_timeout.as_ref(), default.stall_deadline),
        connect_deadline: found.duration(
            "pool.connect_timeout",
            pool.connect_timeout.as_ref(),
            default.connect_deadline,
        ),
        handshake_deadline: found.duration(
            "tls.handshake_timeout",
            file.tls.handshake_timeout.as_ref(),
            default.handshake_deadline,
        ),
        body_rate: file
            .client_body_min_rate
            .as_ref()
            .and_then(|text| found.take("client_body_min_rate", units::size(text)))
            .unwrap_or(default.body_rate),
        body_patience: found.duration(
            "client_body_patience",
            file.client_body_patience.as_ref(),
            default.body_patience,
        ),
        tunnel_deadline: found.duration("tunnel_timeout", file.tunnel_timeout.as_ref(), default.tunnel_deadline),
        connections_per_address: found.positive("limit_conn", file.limit_conn, default.connections_per_address),
        connections: found.positive("worker_connections", file.worker_connections, default.connections),
        tries: found.positive("pool.next_upstream_tries", pool.next_upstream_tries, default.tries),
        next_upstream: pool.next_upstream.as_ref().map_or(default.next_upstream, |cases| check_cases(found, cases)),
        next_upstream_deadline: pool
            .next_upstream_timeout
            .as_ref()
            .and_then(|text| found.take("pool.next_upstream_timeout", units::duration(text))),
        outliers: check_outliers(found, pool, default.outliers),
        idle_connections: pool.keepalive.unwrap_or(default.idle_connections),
        idle_age: found.duration("pool.keepalive_timeout", pool.keepalive_timeout.as_ref(), default.idle_age),
        queue_length: pool.queue.unwrap_or(default.queue_length),
        queue_deadline: found.duration("pool.queue_timeout", pool.queue_timeout.as_ref(), default.queue_deadline),
        stop_deadline: found.duration("shutdown_timeout", file.shutdown_timeout.as_ref(), default.stop_deadline),
        ..default
    }
}

fn check_outliers(found: &mut Found, pool: &file::Pool, default: Outliers) -> Outliers {
    let most_percent = pool.max_errors_percent.unwrap_or(default.most_percent);
    if most_percent > 100 {
        found.add("pool.max_errors_percent", format!("{most_percent} is no share; write 0 to 100"));
    }
    Outliers { run: pool.max_errors.unwrap_or(default.run), most_percent }
}

fn check_cases(found: &mut Found, cases: &[String]) -> NextUpstream {
    if cases == ["off"] {
        return NextUpstream::from_iter([]);
    }
    let key = "pool.next_upstream";
    if cases.is_empty() {
        found.add(key, "there is no case; write some, such as [\"error\", \"timeout\"], or [\"off\"]");
    }
    cases.iter().filter_map(|case| found.take(key, case.parse::<Case>())).collect()
}

fn check_pool_terms(found: &mut Found, pool: &file::Pool) -> Terms {
    let default = Terms::default();
    let Patience { max_fails, fail_timeout } = default.patience;
    Terms {
        patience: Patience {
            max_fails: pool.max_fails.unwrap_or(max_fails),
            fail_timeout: found.duration("pool.fail_timeout", pool.fail_timeout.as_ref(), fail_timeout),
        },
        slow_start: found.duration("pool.slow_start", pool.slow_start.as_ref(), default.slow_start),
        ..default
    }
}

fn check_sticky(found: &mut Found, file: &file::Cookie) -> Option<Sticky> {
    let (cookie, key) = (&file.cookie, file.key.as_ref());
    // A token (RFC 9110, 5.6.2), but for what nobody has in the name of a cookie.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if cookie.is_empty() || !cookie.bytes().all(is_plain) {
        found.add("pool.sticky.cookie", format!("`{cookie}` is no name; write letters, digits, -, _ or ."));
    }
    if key.is_some_and(|key| key.len() < SHORTEST_KEY) {
        found.add(
            "pool.sticky.key",
            format!("it can be guessed; write {SHORTEST_KEY} characters or more, or leave it out for a new one at each start"),
        );
    }
    if file.samesite == SameSite::None && !file.secure {
        found.add("pool.sticky.samesite", "browsers take none with secure = true only; set that, or write lax");
    }
    let expires = file.expires.as_ref().and_then(|text| found.take("pool.sticky.expires", units::duration(text)));
    let key = match key {
        Some(key) => key.clone().into_bytes(),
        None => found.take(
            "pool.sticky.key",
            super::new_key().map_err(|error| format!("none can be made: {error}; write one")),
        )?,
    };
    Some(Sticky { cookie: cookie.clone(), key, expires, secure: file.secure, same_site: file.samesite })
}

fn check_health(found: &mut Found, file: &file::HealthCheck) -> Checks {
    if let Some(uri) = &file.uri {
        check_path(found, "pool.health_check.uri", uri);
    }
    let at_least = |found: &mut Found, key: &str, number: Option<u32>, default| {
        if number == Some(0) {
            found.add(key, "0 is too few; write 1 or more, or leave it out");
        }
        number.unwrap_or(default)
    };
    let interval = found.duration("pool.health_check.interval", file.interval.as_ref(), Duration::from_secs(5));
    if interval.is_zero() {
        found.add("pool.health_check.interval", "0 is no pause; write some time, such as 5s");
    }
    Checks {
        interval,
        deadline: found.duration("pool.health_check.timeout", file.timeout.as_ref(), Duration::from_secs(5)),
        fails: at_least(found, "pool.health_check.fails", file.fails, 3),
        passes: at_least(found, "pool.health_check.passes", file.passes, 2),
    }
}

fn check_path(found: &mut Found, key: &str, path: &str) {
    if !path.starts_with('/') || path.parse::<hyper::Uri>().is_err() {
        found.add(key, format!("`{path}` is no path; write one such as /health/ready"));
    }
}

/// The server of a flag.
pub(super) fn server(server: &file::Server, terms: &Terms) -> Result<Server, Vec<String>> {
    let mut found = Found::default();
    check_server(&mut found, "", server, terms).filter(|_| found.0.is_empty()).ok_or(found.0)
}

/// `terms` hold for what it does not say.
fn check_server(found: &mut Found, key: &str, server: &file::Server, terms: &Terms) -> Option<Server> {
    let weight = server.weight.unwrap_or(terms.weight);
    if !(1..=HEAVIEST).contains(&weight) {
        found.add(&format!("{key}weight"), format!("{weight} is no weight; write 1 to {HEAVIEST}, or down for none"));
    }
    if server.backup && server.down {
        found.add(&format!("{key}backup"), "it is down as well; leave one of them out");
    }
    let fail_timeout = server.fail_timeout.as_ref();
    let patience = Patience {
        max_fails: server.max_fails.unwrap_or(terms.patience.max_fails),
        fail_timeout: found.duration(&format!("{key}fail_timeout"), fail_timeout, terms.patience.fail_timeout),
    };
    let slow_start = found.duration(&format!("{key}slow_start"), server.slow_start.as_ref(), terms.slow_start);
    let location = found.take(&format!("{key}address"), server.address.parse::<Location>())?;
    // As in nginx, 0 is no bound.
    let max_conns = server.max_conns.filter(|most| *most > 0);
    let terms = Terms { weight, backup: server.backup, down: server.down, max_conns, patience, slow_start };
    Some(Server { location, terms, health_path: None })
}

fn check_tls(found: &mut Found, file: &file::Tls) -> Tls {
    let certificates = file.certificate.iter().map(|files| CertificateFiles {
        certificate: files.ssl_certificate.clone(),
        key: files.ssl_certificate_key.clone(),
    });
    if let Some(hsts) = &file.hsts {
        let age = hsts.split(';').next().and_then(|first| first.trim().strip_prefix("max-age="));
        let is_age = age.is_some_and(|age| !age.is_empty() && age.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_age || !hsts.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            found.add("tls.hsts", format!("`{hsts}` is no value for it; write one such as max-age=31536000"));
        }
    }
    Tls {
        certificates: certificates.collect(),
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
    program.start_deadline = found.duration(&format!("{key}.start_timeout"), start, program.start_deadline);
    let stop = file.stop_timeout.as_ref();
    program.stop_deadline = found.duration(&format!("{key}.stop_timeout"), stop, program.stop_deadline);
    program.log_dir.clone_from(&file.log_dir);
    program
}

/// No address twice: not among programs, not against our own.
fn check_ports(found: &mut Found, config: &Config) {
    let mut taken: Vec<u16> = config.listens().map(SocketAddr::port).collect();
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
