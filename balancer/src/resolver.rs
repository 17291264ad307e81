//! Asks for the addresses of a name: the hosts file first, then name servers, which say how long an answer holds.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::Query,
        rr::{Name, RecordType},
    },
    system_conf::read_system_conf,
};

/// For how long something holds that has no time to live, such as a line of the hosts file.
pub(crate) const USUALLY_HOLDS: Duration = Duration::from_secs(10);

/// The shortest time to live that is kept to.
const SHORTEST: Duration = Duration::from_secs(1);

/// The port of name servers.
const PORT: u16 = 53;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// One or more, perhaps one twice.
    pub(crate) addresses: Vec<SocketAddr>,
    /// How long that can be believed.
    pub(crate) holds: Duration,
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
        text.parse().or_else(|_| bare(text)).map_err(|_| {
            format!("`{text}` is no address of a name server; write IP or IP:PORT, such as 10.0.0.2 or [::1]:5353")
        })
    }

    /// Looks `HOST:PORT` up, IPv4 and IPv6.
    pub(crate) async fn look_up(self, name: String) -> io::Result<Found> {
        let (host, port) = name.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
        let port = port.parse().map_err(io::Error::other)?;
        let name = Name::from_str_relaxed(host).map_err(io::Error::other)?;
        let of = |ip| SocketAddr::new(ip, port);
        if let Some(ips) = in_hosts(&name) {
            return Ok(Found { addresses: ips.into_iter().map(of).collect(), holds: USUALLY_HOLDS });
        }
        let resolver = self.build().map_err(io::Error::other)?;
        match resolver.lookup_ip(name).await {
            Ok(found) if found.iter().next().is_none() => Err(io::Error::other("it has no address")),
            Ok(found) => {
                let times = found.as_lookup().answers().iter().map(|record| Duration::from_secs(record.ttl.into()));
                let holds = times.min().unwrap_or(USUALLY_HOLDS).max(SHORTEST);
                Ok(Found { addresses: found.iter().map(of).collect(), holds })
            }
            Err(error) if error.is_nx_domain() => Err(io::Error::other("no name server knows it")),
            Err(error) if error.is_no_records_found() => Err(io::Error::other("it has no address")),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Looks a backend up to tell at once that nobody knows it; not to be called where the runtime is at work.
    pub(crate) fn check(&self, name: &str) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let found = runtime.and_then(|runtime| runtime.block_on(self.clone().look_up(name.to_owned())));
        found.map(drop).map_err(|error| {
            format!("`{name}` cannot be looked up: {error}; check the name, write its IP address, or name who knows it in `resolver`")
        })
    }

    fn build(&self) -> Result<TokioResolver, NetError> {
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
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build()
    }
}

/// The system's servers; the domain of its own name counts only if no other is to be searched, as `resolv.conf(5)` says.
fn of_system() -> Result<(ResolverConfig, ResolverOpts), NetError> {
    let (config, options) = read_system_conf()?;
    let (domain, search, servers) = config.into_parts();
    let domain = domain.filter(|_| search.is_empty());
    Ok((ResolverConfig::from_parts(domain, search, servers), options))
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
}
