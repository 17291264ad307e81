//! The rules of pools and their backends.

use std::time::Duration;

use super::{Found, check_path, file};
use crate::{
    backend::{Location, Question, Terms},
    config::{
        self, Config, Limits, Server,
        next_upstream::{Case, NextUpstream},
        pools::{Pool, UNNAMED},
        units,
    },
    http1::target::is_host,
    resolver::Resolver,
    select::sticky::{SameSite, Sticky},
    verdict::{Outliers, Patience, checks::Checks},
};

/// Heaviest weight; ten thousand times as much as another is nothing for the other.
const HEAVIEST: u32 = 10_000;

/// Bytes of a key that nobody tries out.
const SHORTEST_KEY: usize = 16;

/// The first pool of a file and the others. Problems of one in a list are told with its number.
pub(super) fn check_all(found: &mut Found, file: &file::Pools, config: &Config) -> Vec<Pool> {
    let (mut pools, mut named) = (Vec::<Pool>::new(), Vec::new());
    for (number, pool) in file.list.iter().enumerate() {
        let mut own = Found::default();
        let (mut checked, names) = check_pool(&mut own, pool, config);
        let twice = pools.iter().any(|other| other.name == checked.name);
        if file.is_list && (pool.name.is_none() || twice) {
            own.add(
                "pool.name",
                format!("each of several pools has its own; write one that no other has, such as pool{number}"),
            );
            // What names it is not to be told twice.
            checked.name = format!("{UNNAMED}-{number}");
        }
        let place = if file.is_list { format!("pool[{number}]") } else { "pool".to_owned() };
        found.0.extend(own.0.into_iter().map(|problem| problem.replacen("pool", &place, 1)));
        named.extend(names.into_iter().map(|(key, name)| (key.replacen("pool", &place, 1), name)));
        pools.push(checked);
    }
    if pools.is_empty() {
        pools.push(check_pool(found, &file::Pool::default(), config).0);
    }
    for (key, result) in look_up(named) {
        found.take(&key, result);
    }
    pools
}

/// A name, and who is asked for it.
type Asked = (Resolver, String);

fn asked(server: &Server, pool: &Pool) -> Option<Asked> {
    let Location::Named(name) = &server.location else { return None };
    Some((pool.resolver.clone(), name.clone()))
}

/// Looks names up, all at once: one that nobody answers for takes a while.
fn look_up<K>(named: Vec<(K, Asked)>) -> impl Iterator<Item = (K, Result<(), String>)> {
    let (keys, names): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    keys.into_iter().zip(Resolver::check(names))
}

/// The pool, and the names in it with their keys.
fn check_pool(found: &mut Found, file: &file::Pool, config: &Config) -> (Pool, Vec<(String, Asked)>) {
    let limits = check_limits(found, file, &config.limits);
    let terms = check_terms(found, file);
    let resolve = file.resolve.as_ref().and_then(|text| found.take("pool.resolve", bound(text)));
    let resolver = file.resolver.as_ref().map(|servers| check_resolver(found, servers)).unwrap_or_default();
    let name = file.name.clone().unwrap_or_else(|| UNNAMED.to_owned());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || name.len() > 32 || !name.chars().all(plain) {
        found.add("pool.name", format!("`{name}` is no name; write 1 to 32 letters, digits, - or _"));
    }
    let pool = Pool {
        name,
        limits,
        balance: file.balance.as_ref().and_then(|text| found.take("pool.balance", text.parse())).unwrap_or_default(),
        resolver,
        resolve,
        sticky: None,
        checks: None,
        servers: Vec::new(),
        terms,
    };
    let sticky = file.sticky.as_ref().and_then(|cookie| check_sticky(found, cookie));
    let checks = file.health_check.as_ref().map(|checks| check_health(found, checks));
    let question = |checks: &file::HealthCheck| {
        let usual = Question::of(checks.uri.as_ref()?);
        Some(Question { host: checks.host.clone().unwrap_or(usual.host), ..usual })
    };
    let health = file.health_check.as_ref().and_then(question);
    let (mut servers, mut named) = (Vec::<Server>::new(), Vec::new());
    for (number, server) in file.server.iter().enumerate() {
        let place = format!("pool.server[{number}].");
        let Some(server) = check_server(found, &place, server, &pool) else { continue };
        let key = format!("{place}address");
        config.circle_problem(&server.location).into_iter().for_each(|problem| found.add(&key, problem));
        if servers.iter().any(|other| other.location == server.location) {
            // It would be asked again by a request that is not to come to the same backend twice.
            let location = &server.location;
            found.add(
                &key,
                format!("{location} is in this pool twice; write it once, with a weight for a larger share"),
            );
        } else {
            named.extend(asked(&server, &pool).map(|name| (key, name)));
        }
        servers.push(Server { health: health.clone(), ..server });
    }
    (Pool { sticky, checks, servers, ..pool }, named)
}

/// Whether there is anybody in a pool.
pub(super) fn check_backends(
    found: &mut Found,
    config: &Config,
    (number, pool): (usize, &Pool),
    written: usize,
    is_list: bool,
) {
    let key = if is_list { format!("pool[{number}]") } else { "pool".to_owned() };
    let has_program = config.programs.iter().any(|program| program.pool == number);
    if !pool.servers.is_empty() && pool.servers.iter().all(|server| server.terms.down) && !has_program {
        found.add(&format!("{key}.server"), "all are down; leave one that gets requests");
    }
    if written == 0 && !has_program {
        found.add(&key, "there is nothing to send requests to; add [[pool.server]] or [[program]]");
    }
}

fn check_limits(found: &mut Found, pool: &file::Pool, default: &Limits) -> Limits {
    Limits {
        stall_deadline: found.time("pool.read_timeout", pool.read_timeout.as_ref(), default.stall_deadline),
        connect_deadline: found.time("pool.connect_timeout", pool.connect_timeout.as_ref(), default.connect_deadline),
        tries: found.positive("pool.next_upstream_tries", pool.next_upstream_tries, default.tries),
        next_upstream: pool.next_upstream.as_ref().map_or(default.next_upstream, |cases| check_cases(found, cases)),
        next_upstream_deadline: pool
            .next_upstream_timeout
            .as_ref()
            .and_then(|text| found.take("pool.next_upstream_timeout", bound(text))),
        outliers: check_outliers(found, pool, default.outliers),
        idle_connections: pool.keepalive.unwrap_or(default.idle_connections),
        idle_age: found.duration("pool.keepalive_timeout", pool.keepalive_timeout.as_ref(), default.idle_age),
        queue_length: pool.queue.unwrap_or(default.queue_length),
        queue_deadline: found.duration("pool.queue_timeout", pool.queue_timeout.as_ref(), default.queue_deadline),
        ..default.clone()
    }
}

/// A time that is no bound when it is left out.
fn bound(text: &str) -> Result<Duration, String> {
    let time = units::duration(text)?;
    if time.is_zero() { Err("0 is no time; write some, such as 10s, or leave it out".to_owned()) } else { Ok(time) }
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

fn check_resolver(found: &mut Found, servers: &[String]) -> Resolver {
    let key = "pool.resolver";
    if servers.is_empty() {
        found.add(key, "there is nobody to ask; write a name server, such as [\"10.0.0.2\"], or leave it out");
    }
    Resolver { servers: servers.iter().filter_map(|server| found.take(key, Resolver::server(server))).collect() }
}

fn check_terms(found: &mut Found, pool: &file::Pool) -> Terms {
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
    let is_promise = |start: &&&str| cookie.get(..start.len()).is_some_and(|name| name.eq_ignore_ascii_case(start));
    if let Some(start) = ["__Host-", "__Secure-"].iter().find(is_promise).filter(|_| !file.secure) {
        found.add(
            "pool.sticky.cookie",
            format!("browsers take names with {start} with secure = true only; set that, or write another name"),
        );
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
    let expires = found.seconds("pool.sticky.expires", file.expires.as_ref());
    if expires.is_some_and(|time| time.is_zero()) {
        found.add("pool.sticky.expires", "0 is no time; write some, such as 1h, or leave it out");
    }
    let key = match key {
        Some(key) => key.clone().into_bytes(),
        None => found.take(
            "pool.sticky.key",
            config::new_key().map_err(|error| format!("none can be made: {error}; write one")),
        )?,
    };
    Some(Sticky { cookie: cookie.clone(), key, expires, secure: file.secure, same_site: file.samesite })
}

fn check_health(found: &mut Found, file: &file::HealthCheck) -> Checks {
    if let Some(host) = &file.host {
        if !is_host(host.as_bytes()) {
            found.add("pool.health_check.host", format!("`{host}` is no host; write one such as app.example"));
        } else if file.uri.is_none() {
            found.add(
                "pool.health_check.host",
                "without `uri` nothing is asked for; add one, or take it out".to_owned(),
            );
        }
    }
    if let Some(uri) = &file.uri {
        check_path(found, "pool.health_check.uri", uri);
    }
    let at_least = |found: &mut Found, key: &str, number: Option<u32>, default| {
        if number == Some(0) {
            found.add(key, "0 is too few; write 1 or more, or leave it out");
        }
        number.unwrap_or(default)
    };
    let interval = found.time("pool.health_check.interval", file.interval.as_ref(), Duration::from_secs(5));
    Checks {
        interval,
        deadline: found.time("pool.health_check.timeout", file.timeout.as_ref(), Duration::from_secs(5)),
        fails: at_least(found, "pool.health_check.fails", file.fails, 3),
        passes: at_least(found, "pool.health_check.passes", file.passes, 2),
    }
}

/// The servers of flags, or what is wrong with them, each with its number.
pub(in crate::config) fn servers(
    list: Vec<Result<file::Server, String>>,
    pool: &Pool,
) -> Result<Vec<Server>, Vec<(usize, String)>> {
    let (mut servers, mut named, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (number, server) in list.into_iter().enumerate() {
        let mut found = Found::default();
        let server = server.map_err(|problem| found.0.push(problem)).ok();
        let server = server.and_then(|server| check_server(&mut found, "", &server, pool));
        named.extend(server.as_ref().and_then(|server| asked(server, pool)).map(|name| (number, name)));
        servers.extend(server);
        problems.extend(found.0.into_iter().map(|problem| (number, problem)));
    }
    for (number, result) in look_up(named) {
        problems.extend(result.err().map(|problem| (number, format!("address: {problem}"))));
    }
    problems.sort_by_key(|(number, _)| *number);
    if problems.is_empty() { Ok(servers) } else { Err(problems) }
}

/// The terms of its pool hold for what it does not say.
fn check_server(found: &mut Found, key: &str, server: &file::Server, pool: &Pool) -> Option<Server> {
    let terms = &pool.terms;
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
    if server.address.is_empty() {
        found.add(&format!("{key}address"), "there is none; write HOST:PORT or unix:PATH");
        return None;
    }
    let location = found.take(&format!("{key}address"), server.address.parse::<Location>())?;
    // As in nginx, 0 is no bound.
    let max_conns = server.max_conns.filter(|most| *most > 0);
    let terms = Terms { weight, backup: server.backup, down: server.down, max_conns, patience, slow_start };
    Some(Server { location, terms, health: None })
}
