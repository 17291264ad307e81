//! All bounds and deadlines of a configuration with what happens at each, and the memory that they allow: what `check`
//! prints.

use std::{fmt, fmt::Write as _};

use crate::{
    backend::Terms,
    config::{
        Config, Engine, Limits, Program,
        pools::Pool,
        units::{written_duration as time, written_size as size},
    },
    descriptors,
    http1::{chunked, framing},
    limiter,
    proxy::memory,
    scrape::endpoint,
};

/// One bound: its key or what it is about, its value, and what happens at it.
struct Bound {
    name: String,
    value: String,
    then: &'static str,
}

/// All bounds.
pub(crate) struct Bounds(Vec<Bound>);

impl Bounds {
    /// Those of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let mut bounds = Self(Vec::new());
        bounds.clients(config);
        for pool in &config.pools {
            let of = if config.pools.len() > 1 { format!("{}: ", pool.name) } else { String::new() };
            bounds.pool(pool, &of);
        }
        config.programs.iter().for_each(|program| bounds.program(program));
        bounds.fixed(config);
        bounds.memory(config);
        bounds
    }

    fn add(&mut self, name: impl Into<String>, value: impl fmt::Display, then: &'static str) {
        self.0.push(Bound { name: name.into(), value: value.to_string(), then });
    }

    fn clients(&mut self, config: &Config) {
        let limits = &config.limits;
        self.add(
            "worker_connections",
            limits.connections,
            "the longest idle are closed; if none is, more wait in the kernel",
        );
        self.add("limit_conn", limits.connections_per_address, "more of an address are closed at once");
        let rates = config.routes.iter().filter_map(|route| Some((route.limiter.as_ref()?, &route.location)));
        let all = config.limiter.iter().map(|limiter| (limiter, "all requests"));
        for (limiter, of) in all.chain(rates.map(|(limiter, location)| (limiter, location.as_str()))) {
            self.add(format!("limit_req of {of}"), limiter.rate(), "429");
        }
        if config.limiter.is_none() {
            self.add("limit_req", none(), "429");
        }
        if config.limiter.is_some() || config.routes.iter().any(|route| route.limiter.is_some()) {
            self.add("limit_req: clients remembered", limiter::MOST, "who owes least is forgotten");
        }
        self.add("tls.handshake_timeout", time(limits.handshake_deadline), "the connection is closed");
        self.add("client_header_timeout", time(limits.head_deadline), "408 for half a head; the connection is closed");
        self.add("size of a head", size(limits.head_size), "431, or 414 for its first line");
        self.add("fields of a head", limits.head_fields, "431");
        self.add("client_max_body_size", limits.body.map_or_else(none, size), "413");
        self.add("buffer_requests", size(limits.body_buffer), "what is longer is passed on as it comes");
        for route in config.routes.iter().filter(|route| route.buffer.is_some()) {
            let most = route.buffer.unwrap_or_default();
            self.add(format!("buffer_requests of {}", route.location), size(most), "the same");
        }
        self.add("client_body_min_rate", rate(limits.body_rate), "408 for a slower body");
        self.add("client_body_patience", time(limits.body_patience), "once it is so far behind");
        self.add("client_read_min_rate", rate(limits.read_rate), "an answer taken more slowly is broken off");
        self.add("client_read_patience", time(limits.read_patience), "once it is so far behind");
        self.add("tunnel_timeout", time(limits.tunnel_deadline), "a tunnel in which nothing moves is closed");
        self.add("shutdown_timeout", time(limits.stop_deadline), "what is not finished is cut off");
    }

    fn pool(&mut self, pool: &Pool, of: &str) {
        let limits: &Limits = &pool.limits;
        let mut add = |key: &str, value: String, then| self.add(format!("{of}{key}"), value, then);
        add("connect_timeout", time(limits.connect_deadline), "the next backend, or 504");
        add("read_timeout", time(limits.stall_deadline), "the next backend, 504, or the end of the answer");
        add("next_upstream_tries", limits.tries.to_string(), "the last failure is answered");
        let late = limits.next_upstream_deadline;
        add("next_upstream_timeout", late.map_or_else(none, time), "no further try");
        add("queue", limits.queue_length.to_string(), "503");
        add("queue_timeout", time(limits.queue_deadline), "503");
        add("keepalive", limits.idle_connections.to_string(), "more of a thread's idle connections are closed");
        add("keepalive_timeout", time(limits.idle_age), "an idle connection is closed");
        let Terms { patience, slow_start, .. } = &pool.terms;
        add("max_fails", patience.max_fails.to_string(), "the backend rests");
        add("fail_timeout", time(patience.fail_timeout), "failures before that do not count; so long is a rest");
        add("max_errors", limits.outliers.run.to_string(), "the backend rests");
        add("max_errors_percent", limits.outliers.most_percent.to_string(), "more do not rest for that");
        add("slow_start", time(*slow_start), "a backend that came has all of its share");
        add("resolve", pool.resolve.map_or_else(|| "time to live".to_owned(), time), "names are looked up again");
        if let Some(checks) = &pool.checks {
            add("health_check: interval", time(checks.interval), "the next check");
            add("health_check: timeout", time(checks.deadline), "the check has failed");
            add("health_check: fails", checks.fails.to_string(), "the backend gets nothing");
            add("health_check: passes", checks.passes.to_string(), "it gets requests again");
        }
    }

    fn program(&mut self, program: &Program) {
        let mut add = |key: &str, value, then| self.add(format!("{}: {key}", program.name), value, then);
        add("start_timeout", time(program.start_deadline), "an instance that is not ready is started anew");
        add("stop_timeout", time(program.stop_deadline), "what has not ended is killed");
    }

    fn fixed(&mut self, config: &Config) {
        self.add("options of a Connection", framing::MOST_OPTIONS, "400, or 502 for an answer");
        self.add("extensions of a body's chunks", size(chunked::MOST_EXTENSIONS), "the same");
        self.add("trailers of a body", size(chunked::MOST_TRAILERS), "431, or 502 for an answer");
        self.add("trailers of a body, by number", config.limits.head_fields, "431");
        self.add("trailers of an answer, by number", memory::ANSWER_FIELDS, "502");
        self.add("size of an answer's head", size(memory::ANSWER_HEAD), "502");
        self.add("fields of an answer's head", memory::ANSWER_FIELDS, "502");
        self.add("interim answers before an answer", memory::MOST_INTERIM, "502");
        self.add("answer taken whole or read ahead", size(memory::TAKEN_WHOLE), "it is passed on as it comes");
        self.add("requests of an HTTP/2 connection", memory::MOST_STREAMS, "more are refused");
        self.add(
            "requests over HTTP/2",
            config.limits.connections,
            "refused; to an address that has as many as are free, too",
        );
        for (kind, most) in memory::MOST_IN_A_SECOND {
            self.add(format!("HTTP/2 in a second: {kind}"), most, "the connection is ended");
        }
        self.add("log: bytes of a value", memory::LONGEST_FIELD, "the rest is left out");
        self.add("files open for answers", descriptors::for_files(), "503");
        self.add("metrics: readers at a time", endpoint::most_clients(), "more wait");
        self.add("metrics: silence of a reader", time(endpoint::IDLE), "it is closed");
        self.add("metrics: time of a reader", time(endpoint::DEADLINE), "it is cut off");
    }

    fn memory(&mut self, config: &Config) {
        let parts = memory::parts(config);
        let sum: u64 = parts.iter().map(|(_, most)| most).sum();
        for (name, most) in parts {
            self.add(format!("memory: {name}"), size(most), "");
        }
        let then = if config.engine == Engine::Strict { "" } else { "the library's own buffers come besides" };
        self.add("memory: all of it at most", size(sum), then);
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Bound) -> usize| self.0.iter().map(of).max().unwrap_or_default();
        let (names, values) = (width(|bound| bound.name.len()), width(|bound| bound.value.len()));
        for Bound { name, value, then } in &self.0 {
            let mut line = String::new();
            write!(line, "{name:names$}  {value:>values$}  {then}")?;
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn none() -> String {
    "no bound".to_owned()
}

fn rate(bytes: u64) -> String {
    if bytes == 0 { none() } else { format!("{}/s", size(bytes)) }
}
