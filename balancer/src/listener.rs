//! Listening: one socket per thread and address, spread by the kernel (`SO_REUSEPORT`), and how it ends without losing a
//! connection.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::AsFd,
};

use socket2::{Domain, Protocol, Socket, Type};

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
///
/// Says the address that they are bound to, too; `option` is what the user can set.
pub(crate) fn listen(
    address: SocketAddr,
    option: &'static str,
    threads: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), ListenError> {
    let bind_all = || {
        let first = socket(address)?;
        first.bind(&address.into())?;
        first.set_reuse_port(true)?;
        first.listen(BACKLOG)?;
        let first = TcpListener::from(first);
        let bound = first.local_addr()?;
        let others = (1..threads).map(|_| another(bound));
        let all = std::iter::once(Ok(first)).chain(others).collect::<io::Result<Vec<_>>>()?;
        Ok((bound, all))
    };
    bind_all().map_err(|source| ListenError::new(address, option, source))
}

/// Whether a launched program will be able to listen at an address: it can be bound at this moment.
pub(crate) fn check_free(address: SocketAddr, option: &'static str) -> Result<(), ListenError> {
    TcpListener::bind(address).map(drop).map_err(|source| ListenError::new(address, option, source))
}

/// Lets no new connection begin, while those that have begun are completed and can be accepted.
///
/// Closing a listener resets what is in its queue, so between the last look into the queue and the close a client could
/// slip in and be reset. A filter that drops the first packet of a connection closes the gap: that client tries again a
/// second later and is told that nobody listens. Where there is no such filter, the gap of some microseconds stays.
pub(crate) fn let_nobody_begin(listener: &impl AsFd) {
    #[cfg(target_os = "linux")]
    {
        use socket2::{SockFilter, SockRef};
        // Classic BPF (linux/filter.h) over the TCP header: byte 13 has the flags, 0x02 is SYN.
        const LOAD_BYTE: u16 = 0x30;
        const JUMP_IF_SET: u16 = 0x45;
        const RETURN: u16 = 0x06;
        let drop_syn = [
            SockFilter::new(LOAD_BYTE, 0, 0, 13),
            SockFilter::new(JUMP_IF_SET, 0, 1, 0x02),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ];
        if let Err(error) = SockRef::from(listener).attach_filter(&drop_syn) {
            tracing::debug!(%error, "the listener takes no filter: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}

fn another(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    // Accepted connections inherit it on Linux; answers are written whole, waiting to fill segments only delays them.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}
