//! Listening: one socket per thread and address, spread by the kernel (`SO_REUSEPORT`).

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

/// Connections the kernel completes before they are accepted; it cuts this down to its own bound.
const BACKLOG: i32 = 4096;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// Somebody else is there.
    #[error("{address} is in use by another program; stop that one, or choose another address with {option}")]
    InUse {
        /// The address.
        address: SocketAddr,
        /// What the user can set.
        option: &'static str,
    },
    /// It cannot be bound for another reason.
    #[error("cannot listen on {address}: {source}; choose another address with {option}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the user can set.
        option: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl ListenError {
    fn new(address: SocketAddr, option: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address, option },
            _ => Self::Other { address, option, source },
        }
    }
}

/// One listener per thread on the same address; with port 0 all share the port the first one got.
///
/// The first is bound alone, and shares only then: another program with `SO_REUSEPORT` on the address, such as a second
/// balancer, is an error and not a partner.
pub(crate) fn listen(address: SocketAddr, threads: usize) -> Result<Vec<TcpListener>, ListenError> {
    let failed = |source| ListenError::new(address, "--listen", source);
    let first = socket(address).map_err(failed)?;
    net::bind(&first, &address).map_err(|error| failed(error.into()))?;
    sockopt::set_socket_reuseport(&first, true).map_err(|error| failed(error.into()))?;
    net::listen(&first, BACKLOG).map_err(|error| failed(error.into()))?;
    let first = TcpListener::from(first);
    let bound = first.local_addr().map_err(failed)?;
    let mut listeners = vec![first];
    for _ in 1..threads {
        listeners.push(another(bound).map_err(failed)?);
    }
    Ok(listeners)
}

/// Whether a launched program will be able to listen at an address: it can be bound at this moment.
pub(crate) fn check_free(address: SocketAddr, option: &'static str) -> Result<(), ListenError> {
    TcpListener::bind(address).map(drop).map_err(|source| ListenError::new(address, option, source))
}

fn another(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    net::bind(&socket, &address)?;
    net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

fn socket(address: SocketAddr) -> io::Result<std::os::fd::OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    // Accepted connections inherit it on Linux; answers are written whole, waiting to fill segments only delays them.
    sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}
