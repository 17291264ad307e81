//! Asks for the addresses of a name: the hosts file first, then name servers, which say how long an answer holds.

use std::{
    fmt, io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::{Query, ResponseCode},
        rr::{Name, RecordType},
    },
    system_conf::read_system_conf,
};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

/// For how long something holds that has no time to live, such as a line of the hosts file.
pub(crate) const USUALLY_HOLDS: Duration = Duration::from_secs(10);

/// The shortest time to live that is kept to.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest one: what was found a day ago is worth a question.
const LONGEST: Duration = Duration::from_hours(24);

/// How long the addresses of one family are waited for when those of the other one are there.
const GRACE: Duration = Duration::from_secs(1);

/// The port of name servers.
const PORT: u16 = 53;

/// Most bytes of a name, and of what is between two dots (RFC 1035, 2.3.4: 255 with the lengths of the labels and the root).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Most names that are looked up at the same time to check them: each takes some descriptors.
const MOST_AT_ONCE: usize = 64;

/// What a name stands for.
pub(crate) struct Found {
    /// One or more, perhaps one twice.
    pub(crate) addresses: Vec<SocketAddr>,
    /// How long that can be believed.
    pub(crate) holds: Duration,
    /// Of which family nothing is known: not that there are no addresses of it.
    pub(crate) missing: Option<(Family, Missing)>,
}

/// Why nothing is known of a family.
pub(crate) enum Missing {
    Failed(String),
    /// It has not answered yet.
    Late(Late),
}

/// All that was found, with what the other family says in the end.
pub(crate) type Late = Pin<Box<dyn Future<Output = Found> + Send>>;

/// One kind of address; there is a question for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub(crate) fn has(self, address: &SocketAddr) -> bool {
        address.is_ipv4() == (self == Self::Ipv4)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// Who is asked for names. The files of the system are read for each name anew: who changes them need not tell us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// Name servers; those of `/etc/resolv.conf` if there are none here.
    pub servers: Vec<SocketAddr>,
}

impl Resolver {
    /// Reads the address of a name server, with or without a port.
    pub(crate) fn server(text: &str) -> Result<SocketAddr, String> {
        let bare = |text: &str| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        let address: SocketAddr = text.parse().or_else(|_| bare(text)).map_err(|_| {
            format!("`{text}` is no address of a name server; write IP or IP:PORT, such as 10.0.0.2 or [::1]:5353")
        })?;
        if address.port() == 0 {
            return Err(format!("`{text}` has a port at which nobody can listen; leave it out for {PORT}"));
        }
        Ok(address)
    }

    /// Looks `HOST:PORT` up, IPv4 and IPv6. `InvalidInput` if no host can have that name; nobody is asked then.
    pub(crate) async fn look_up(self, name: String) -> io::Result<Found> {
        let (host, port) = name.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
        let port = port.parse().map_err(io::Error::other)?;
        let name = of_host(host).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let of = |ip| SocketAddr::new(ip, port);
        if let Some(ips) = in_hosts(&name) {
            let addresses = ips.into_iter().map(of).collect();
            return Ok(Found { addresses, holds: USUALLY_HOLDS, missing: None });
        }
        let (config, options) = self.settings().map_err(io::Error::other)?;
        let names = candidates(&name, config.domain(), config.search(), options.ndots);
        let provider = TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(config, provider).with_options(options).build();
        let resolver = resolver.map_err(io::Error::other)?;
        let ask = |name: Name| {
            let resolver = resolver.clone();
            async move {
                let (other, same) = (resolver.clone(), name.clone());
                let ipv4 = Box::pin(async move { said(other.ipv4_lookup(same).await) });
                let ipv6 = Box::pin(async move { said(resolver.ipv6_lookup(name).await) });
                together(ipv4, ipv6).await
            }
        };
        Ok(first(names, ask).await?.found(port))
    }

    /// Looks backends up, all at once, to tell at once that nobody knows them: what is wrong with each, in their order. Not
    /// to be called where the runtime is at work.
    pub(crate) fn check(names: Vec<(Self, String)>) -> Vec<Result<(), String>> {
        if names.is_empty() {
            return Vec::new();
        }
        let told = |name: &str, error: &io::Error| match error.kind() {
            io::ErrorKind::InvalidInput => format!("`{name}` names no host: {error}"),
            _ => format!(
                "`{name}` cannot be looked up: {error}; check the name, write its IP address, or name who knows it in `resolver`"
            ),
        };
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Err(error) => names.iter().map(|(_, name)| Err(told(name, &error))).collect(),
            Ok(runtime) => runtime.block_on(async {
                let (mut looking, free) = (JoinSet::new(), Arc::new(Semaphore::new(MOST_AT_ONCE)));
                for (number, (resolver, name)) in names.into_iter().enumerate() {
                    let free = Arc::clone(&free);
                    looking.spawn(async move {
                        let _place = free.acquire().await;
                        let found = resolver.look_up(name.clone()).await;
                        (number, found.map(drop).map_err(|error| told(&name, &error)))
                    });
                }
                let mut results = looking.join_all().await;
                results.sort_by_key(|(number, _)| *number);
                results.into_iter().map(|(_, result)| result).collect()
            }),
        }
    }

    fn settings(&self) -> Result<(ResolverConfig, ResolverOpts), NetError> {
        let (config, mut options) = if self.servers.is_empty() {
            of_system()?
        } else {
            let servers = self.servers.iter().map(|server| {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                config.connections.iter_mut().for_each(|connection| connection.port = server.port());
                config
            });
            (ResolverConfig::from_name_servers(servers.collect()), ResolverOpts::default())
        };
        // What is remembered is in the pool; the hosts file was asked before.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        // Times to live come as they are, so that it can be seen which are too large to be any.
        options.positive_max_ttl = Some(Duration::from_secs(u32::MAX.into()));
        Ok((config, options))
    }
}

/// A host's name, or what is wrong with it and what to write. What is one is left to the library, which does not say
/// well why something is none. Pure.
fn of_host(host: &str) -> Result<Name, String> {
    match Name::from_str_relaxed(host) {
        Ok(name) if !name.is_root() => Ok(name),
        _ => Err(misnamed(host)),
    }
}

/// Why this is no name of a host. Pure.
fn misnamed(host: &str) -> String {
    if host == "." {
        return "there is nothing before its dot; write a name such as app.example".to_owned();
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return format!("an IPv6 address before a port has brackets; write [{host}] and the port");
    }
    let bare = host.strip_suffix('.').unwrap_or(host);
    if bare.split('.').any(str::is_empty) {
        return "there is nothing before one of its dots; leave that dot out".to_owned();
    }
    let is_odd = |letter: &char| letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"-_.".contains(*letter);
    if let Some(odd) = bare.chars().find(is_odd) {
        let odd = odd.escape_debug();
        return format!(
            "`{odd}` can be in none; write letters, digits, - and _ with dots between, or an IPv6 address in brackets, such as [::1]"
        );
    }
    for label in bare.split('.') {
        if label.starts_with('-') {
            return format!("`{label}` begins with -; write a letter or a digit there");
        }
        if label.is_ascii() && label.len() > LONGEST_LABEL {
            let length = label.len();
            return format!(
                "`{label}` has {length} bytes, and {LONGEST_LABEL} are the most before a dot; write a shorter name, or its IP address"
            );
        }
        if Name::from_str_relaxed(label).is_err() {
            return format!(
                "`{label}` is not {LONGEST_LABEL} bytes or fewer in ASCII; write it as name servers have it, such as xn--bcher-kva for bücher"
            );
        }
    }
    format!("it is longer than {LONGEST_NAME} bytes; write a shorter name, or its IP address")
}

/// The system's servers; the domain of its own name counts only if no other is to be searched, as `resolv.conf(5)` says.
fn of_system() -> Result<(ResolverConfig, ResolverOpts), NetError> {
    let (config, options) = read_system_conf()?;
    let (domain, search, servers) = config.into_parts();
    let domain = domain.filter(|_| search.is_empty());
    Ok((ResolverConfig::from_parts(domain, search, servers), options))
}

/// The full names that a name may be short for, in the order of `resolv.conf(5)`: itself first if it has `ndots` dots. Pure.
fn candidates(name: &Name, domain: Option<&Name>, search: &[Name], ndots: usize) -> Vec<Name> {
    let mut full = name.clone();
    full.set_fqdn(true);
    if name.is_fqdn() {
        return vec![full];
    }
    // What is too long with a domain behind it is no name.
    let mut names: Vec<Name> =
        domain.into_iter().chain(search).filter_map(|domain| name.clone().append_domain(domain).ok()).collect();
    let comes_first = name.iter().count() > ndots || name.is_localhost();
    names.insert(if comes_first { 0 } else { names.len() }, full);
    let mut once: Vec<Name> = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

/// What is said of a name in one family: its addresses with how long they hold, or that it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Addresses(Vec<IpAddr>, Duration),
    /// There is the name, but no such address.
    Empty,
    /// There is no such name.
    Unknown,
}

/// What is said of a name in both, or why nothing is.
type Answers<E> = (Result<Said, E>, Result<Said, E>);

/// A question for one family.
type Asked = Pin<Box<dyn Future<Output = Result<Said, NetError>> + Send>>;

/// Why nothing is said.
enum Unsaid {
    Failed(NetError),
    /// The question is still under way.
    Late(Asked),
}

impl From<Unsaid> for String {
    fn from(why: Unsaid) -> Self {
        match why {
            Unsaid::Failed(error) => error.to_string(),
            Unsaid::Late(_) => NetError::Timeout.to_string(),
        }
    }
}

/// What is known of both families.
#[derive(Debug, PartialEq, Eq)]
struct Heard<E> {
    ips: Vec<IpAddr>,
    holds: Duration,
    missing: Option<(Family, E)>,
}

impl<E> Heard<E> {
    /// With what is said of the other family. Pure.
    fn and(mut self, family: Family, answer: Result<Said, E>) -> Self {
        match answer {
            Ok(Said::Addresses(ips, holds)) => {
                self.ips.extend(ips);
                self.holds = self.holds.min(holds);
            }
            Ok(Said::Empty | Said::Unknown) => {}
            Err(error) => self.missing = Some((family, error)),
        }
        self
    }
}

impl Heard<Unsaid> {
    fn found(self, port: u16) -> Found {
        let Self { ips, holds, missing } = self;
        let addresses = ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        let missing = missing.map(|(family, why)| match why {
            Unsaid::Failed(_) => (family, Missing::Failed(why.into())),
            Unsaid::Late(asked) => {
                let late = async move {
                    let answer = asked.await.map_err(Unsaid::Failed);
                    Self { ips, holds, missing: None }.and(family, answer).found(port)
                };
                (family, Missing::Late(Box::pin(late)))
            }
        });
        Found { addresses, holds, missing }
    }
}

fn said(answer: Result<Lookup, NetError>) -> Result<Said, NetError> {
    match answer {
        Ok(lookup) => {
            let ips: Vec<IpAddr> = lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
            let holds = lookup.answers().iter().map(|record| time_to_live(record.ttl)).min();
            Ok(if ips.is_empty() { Said::Empty } else { Said::Addresses(ips, holds.unwrap_or(USUALLY_HOLDS)) })
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) if none.response_code == ResponseCode::NXDomain => {
            Ok(Said::Unknown)
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) if none.response_code == ResponseCode::NoError => {
            Ok(Said::Empty)
        }
        Err(error) => Err(error),
    }
}

/// Both answers, in whatever order they come.
async fn together(mut ipv4: Asked, mut ipv6: Asked) -> Answers<Unsaid> {
    tokio::select! {
        first = &mut ipv4 => {
            let second = after(&first, ipv6).await;
            (first.map_err(Unsaid::Failed), second)
        }
        first = &mut ipv6 => {
            let second = after(&first, ipv4).await;
            (second, first.map_err(Unsaid::Failed))
        }
    }
}

/// The second answer; once there is an address, it is not waited for much longer.
async fn after(first: &Result<Said, NetError>, mut second: Asked) -> Result<Said, Unsaid> {
    if !has_addresses(first) {
        return second.await.map_err(Unsaid::Failed);
    }
    match timeout(GRACE, &mut second).await {
        Ok(answer) => answer.map_err(Unsaid::Failed),
        Err(_) => Err(Unsaid::Late(second)),
    }
}

fn has_addresses(answer: &Result<Said, NetError>) -> bool {
    matches!(answer, Ok(Said::Addresses(..)))
}

/// How long a record holds. What has the first bit set is 0 (RFC 2181, 8). Pure.
fn time_to_live(seconds: u32) -> Duration {
    let seconds = if seconds > u32::MAX >> 1 { 0 } else { seconds };
    Duration::from_secs(seconds.into()).clamp(SHORTEST, LONGEST)
}

/// Asks for one name after the other until one has an address. One of which nothing is known ends it: the next may be
/// another program's.
async fn first<E: Into<String>, A: Future<Output = Answers<E>>>(
    names: Vec<Name>,
    ask: impl Fn(Name) -> A,
) -> io::Result<Heard<E>> {
    let mut is_known = false;
    for name in names {
        let answers = ask(name).await;
        is_known |= matches!(answers, (Ok(Said::Empty), _) | (_, Ok(Said::Empty)));
        if let Some(heard) = both(answers).map_err(|error| io::Error::other(error.into()))? {
            return Ok(heard);
        }
    }
    Err(io::Error::other(if is_known { "it has no address" } else { "no name server knows it" }))
}

/// From what is said of each family. An error if there is no address, but may be one. Pure.
fn both<E>(answers: Answers<E>) -> Result<Option<Heard<E>>, E> {
    match answers {
        (Ok(Said::Addresses(ips, holds)), ipv6) => {
            Ok(Some(Heard { ips, holds, missing: None }.and(Family::Ipv6, ipv6)))
        }
        (ipv4, Ok(Said::Addresses(ips, holds))) => {
            Ok(Some(Heard { ips, holds, missing: None }.and(Family::Ipv4, ipv4)))
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(Said::Empty | Said::Unknown), Ok(Said::Empty | Said::Unknown)) => Ok(None),
    }
}

/// What the hosts file says of a name, if it is there.
fn in_hosts(name: &Name) -> Option<Vec<IpAddr>> {
    let hosts = Hosts::from_system().ok()?;
    let found = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(found);
    let ips: Vec<IpAddr> = found
        .flat_map(|found| found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>())
        .collect();
    (!ips.is_empty()).then_some(ips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_has_an_address_and_perhaps_a_port() {
        let read = |text| Resolver::server(text).map(|server| server.to_string());
        assert_eq!(read("10.0.0.2").unwrap(), "10.0.0.2:53");
        assert_eq!(read("::1").unwrap(), "[::1]:53");
        assert_eq!(read("[::1]:5353").unwrap(), "[::1]:5353");
        for odd in ["", "dns.example", "10.0.0.2:", "10.0.0.2:99999", "[::1]"] {
            assert!(read(odd).unwrap_err().contains("is no address of a name server"), "{odd}");
        }
    }

    #[test]
    fn a_name_that_no_host_can_have_says_why_and_what_to_write() {
        let (long, wide) = ("a".repeat(64), "ü".repeat(60));
        let (longest, longer) = (["a"; 127].join("."), ["a"; 128].join("."));
        let cases: [(&str, &[&str]); 14] = [
            (".", &["nothing before its dot", "app.example"]),
            ("..", &["nothing before one of its dots"]),
            (".a", &["nothing before one of its dots"]),
            ("a..b", &["nothing before one of its dots", "leave that dot out"]),
            ("a b", &["` ` can be in none", "letters, digits"]),
            ("a\tb", &["`\\t` can be in none"]),
            ("user@a", &["`@` can be in none"]),
            ("a:b", &["`:` can be in none", "in brackets"]),
            ("[::g]", &["`[` can be in none", "such as [::1]"]),
            ("::1", &["write [::1] and the port"]),
            ("app.-a", &["`-a` begins with -"]),
            (&long, &[&long, "64 bytes, and 63 are the most"]),
            (&longer, &["longer than 253 bytes", "IP address"]),
            (&wide, &[&wide, "in ASCII", "xn--"]),
        ];
        for (host, parts) in cases {
            let why = of_host(host).unwrap_err();
            assert!(parts.iter().all(|part| why.contains(part)), "{host}: {why}");
        }
        for good in ["app", "app.test.", "a_b", "_a.b", "a-.b", "1.2.3", "bücher.test", &longest, &long[1..]] {
            assert!(of_host(good).is_ok(), "{good}");
        }
    }

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| Name::from_str_relaxed(name).unwrap()).collect()
    }

    #[test]
    fn a_short_name_is_looked_for_in_the_search_domains_and_a_long_one_as_it_is_first() {
        let search = names(&["prod.test", "staging.test.", "prod.test"]);
        let of = |name, ndots| {
            let candidates = candidates(&Name::from_str_relaxed(name).unwrap(), None, &search, ndots);
            assert!(candidates.iter().all(Name::is_fqdn));
            candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("app", 1), "app.prod.test. app.staging.test. app.");
        assert_eq!(of("app", 0), "app. app.prod.test. app.staging.test.");
        assert_eq!(of("app.web", 1), "app.web. app.web.prod.test. app.web.staging.test.");
        assert_eq!(of("app.web", 2), "app.web.prod.test. app.web.staging.test. app.web.");
        assert_eq!(of("app.", 5), "app.");
        assert_eq!(of("localhost", 1), "localhost. localhost.prod.test. localhost.staging.test.");
        let long = ["a".repeat(62).as_str(); 4].join(".");
        assert_eq!(of(&long, 5), format!("{long}."));
    }

    #[test]
    fn without_domains_to_search_the_own_one_is_and_the_root_adds_nothing() {
        let (name, domain) = (Name::from_ascii("app").unwrap(), Name::from_ascii("own.test").unwrap());
        assert_eq!(candidates(&name, Some(&domain), &[], 1), names(&["app.own.test.", "app."]));
        assert_eq!(candidates(&name, None, &[Name::root()], 1), names(&["app."]));
        assert_eq!(candidates(&name, None, &[], 1), names(&["app."]));
    }

    /// What comes of a search, and how many names were asked for.
    fn search(replies: &[Answers<&'static str>]) -> (Result<Heard<&'static str>, String>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let asked = std::cell::Cell::new(0);
        let ask = |_| std::future::ready(replies[asked.replace(asked.get() + 1)].clone());
        let list = names(&["app.prod.test.", "app.staging.test.", "app."]);
        let heard = runtime.block_on(first(list, ask)).map_err(|error| error.to_string());
        (heard, asked.get())
    }

    #[test]
    fn only_a_name_that_is_not_there_or_has_no_address_has_the_next_one_asked_for() {
        use Said::{Addresses, Empty, Unknown};
        let here = || Ok(Addresses(vec![[10, 0, 0, 1].into()], SHORTEST));
        let heard = Ok(Heard { ips: vec![[10, 0, 0, 1].into()], holds: SHORTEST, missing: None });
        let none = |why: &str| Err(why.to_owned());
        let odd = "request timed out";
        assert_eq!(search(&[(Ok(Unknown), Ok(Unknown)), (here(), Ok(Empty))]), (heard, 2));
        assert_eq!(search(&[(Err(odd), Err(odd)), (here(), Ok(Empty))]), (none(odd), 1));
        assert_eq!(search(&[(Ok(Empty), Err(odd)), (here(), Ok(Empty))]), (none(odd), 1));
        assert_eq!(search(&[(Ok(Empty), Ok(Empty)), (Err(odd), Ok(Unknown))]), (none(odd), 2));
        let unknown = || (Ok(Unknown), Ok(Unknown));
        assert_eq!(search(&[unknown(), unknown(), unknown()]), (none("no name server knows it"), 3));
        assert_eq!(search(&[(Ok(Empty), Ok(Empty)), unknown(), unknown()]), (none("it has no address"), 3));
    }

    #[test]
    fn what_is_said_of_one_family_counts_where_nothing_is_said_of_the_other() {
        let (ipv4, ipv6) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        let here = |ip: IpAddr, seconds| Ok(Said::Addresses(vec![ip], Duration::from_secs(seconds)));
        let heard = |ips: &[IpAddr], seconds, missing: Option<Family>| {
            let missing = missing.map(|family| (family, "odd"));
            Ok(Some(Heard { ips: ips.to_vec(), holds: Duration::from_secs(seconds), missing }))
        };
        assert_eq!(both((here(ipv4, 9), here(ipv6, 5))), heard(&[ipv4, ipv6], 5, None));
        assert_eq!(both((here(ipv4, 9), Err("odd"))), heard(&[ipv4], 9, Some(Family::Ipv6)));
        assert_eq!(both((Err("odd"), here(ipv6, 5))), heard(&[ipv6], 5, Some(Family::Ipv4)));
        assert_eq!(both((here(ipv4, 9), Ok(Said::Unknown))), heard(&[ipv4], 9, None));
    }

    #[test]
    fn who_says_nothing_of_one_family_does_not_keep_the_other_and_is_still_heard_later() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let here = |ip: [u8; 4]| Said::Addresses(vec![ip.into()], SHORTEST);
        let there = || -> Asked { Box::pin(std::future::ready(Ok(here([127, 0, 0, 1])))) };
        for is_ipv4 in [false, true] {
            let (answer, coming) = tokio::sync::oneshot::channel();
            let late: Asked = Box::pin(async { coming.await.map_err(|_| NetError::Timeout) });
            let (ipv4, ipv6) = if is_ipv4 { (late, there()) } else { (there(), late) };
            let heard = both(runtime.block_on(together(ipv4, ipv6))).ok().flatten().unwrap();
            let found = heard.found(80);
            let Some((family, Missing::Late(late))) = found.missing else { panic!("{:?}", found.addresses) };
            assert_eq!((found.addresses.len(), family == Family::Ipv4), (1, is_ipv4));
            answer.send(here([127, 0, 0, 2])).unwrap();
            let found = runtime.block_on(late);
            assert_eq!(found.addresses, [([127, 0, 0, 1], 80).into(), ([127, 0, 0, 2], 80).into()]);
            assert!(found.missing.is_none());
        }
        let (empty, first) = runtime.block_on(together(Box::pin(async { Ok(Said::Empty) }), there()));
        assert!(matches!((empty, first), (Ok(Said::Empty), Ok(Said::Addresses(..)))));
    }

    #[test]
    fn a_time_to_live_is_a_second_to_a_day_and_none_where_it_is_too_large() {
        assert_eq!([0, 1, 3600].map(|seconds| time_to_live(seconds).as_secs()), [1, 1, 3600]);
        assert_eq!([(1 << 31) - 1, 1 << 31, u32::MAX].map(|seconds| time_to_live(seconds).as_secs()), [86_400, 1, 1]);
    }
}
