//! Scripted backends: a thread per connection, which does what its script says.

use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::harness::{read_body, read_head};

/// A connection at the backend.
pub(crate) type Peer = BufReader<TcpStream>;

/// A backend. Its threads end with the process.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// Connections accepted.
    pub(crate) connections: Arc<AtomicUsize>,
    /// Heads seen, in order.
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    /// Runs `script` for each request, with its head; the body has not been read. `false` ends the connection.
    pub(crate) fn scripted(script: impl Fn(&str, &mut Peer) -> bool + Send + Sync + 'static) -> Self {
        Self::scripted_at(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    fn scripted_at(listener: TcpListener, script: impl Fn(&str, &mut Peer) -> bool + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (connections, heads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counting, noting, script) = (Arc::clone(&connections), Arc::clone(&heads), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counting.fetch_add(1, Ordering::SeqCst);
                let (noting, script) = (Arc::clone(&noting), Arc::clone(&script));
                thread::spawn(move || {
                    let mut peer = BufReader::new(stream);
                    while let Ok(head) = read_head(&mut peer) {
                        noting.lock().unwrap().push(head.clone());
                        if !script(&head, &mut peer) {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, connections, heads }
    }

    /// Answers everything with `text`, keeping the connection.
    pub(crate) fn saying(text: &'static str) -> Self {
        Self::saying_at(TcpListener::bind("127.0.0.1:0").unwrap(), text)
    }

    /// The same, with a listener of the test's.
    pub(crate) fn saying_at(listener: TcpListener, text: &'static str) -> Self {
        Self::scripted_at(listener, move |head, peer| {
            drop(read_body(peer, head, false));
            answer(peer, text.as_bytes())
        })
    }

    /// Answers every request with its head and body.
    pub(crate) fn echoing() -> Self {
        Self::scripted(|head, peer| {
            let body = read_body(peer, head, false).unwrap();
            answer(peer, &[head.as_bytes(), &body].concat())
        })
    }

    /// Answers everything with this status.
    pub(crate) fn refusing(status: u16) -> Self {
        Self::scripted(move |head, peer| {
            drop(read_body(peer, head, false));
            write!(peer.get_mut(), "HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno").is_ok()
        })
    }

    /// Reads one request's head, then closes without a word.
    pub(crate) fn closing() -> Self {
        Self::scripted(|_, _| false)
    }

    /// Whether every connection to it is over as far as the other side's kernel knows: a close has not only been sent
    /// but has arrived.
    pub(crate) fn is_left(&self) -> bool {
        self.unread().is_empty()
    }

    /// Whether something has arrived on every connection to it that the other side has not read.
    pub(crate) fn is_unread(&self) -> bool {
        !self.unread().iter().any(|bytes| bytes == "00000000")
    }

    /// How many bytes the kernel holds for the other side, in hexadecimal, for every connection that is not over.
    fn unread(&self) -> Vec<String> {
        let port = format!(":{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let open = table.lines().filter_map(|line| {
            let mut columns = line.split_whitespace().skip(2);
            let (remote, state, queues) = (columns.next()?, columns.next()?, columns.next()?);
            (remote.ends_with(&port) && state == "01").then_some(queues)
        });
        open.filter_map(|queues| Some(queues.split_once(':')?.1.to_owned())).collect()
    }

    pub(crate) fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

/// An address at which nobody listens, nor will: it stays taken until the tests end.
pub(crate) fn nobody() -> SocketAddr {
    let absent = Absent::new();
    let address = absent.address;
    std::mem::forget(absent);
    address
}

/// An address that is taken, and at which nobody listens before it is told to.
pub(crate) struct Absent {
    socket: socket2::Socket,
    pub(crate) address: SocketAddr,
}

impl Absent {
    pub(crate) fn new() -> Self {
        let socket = taking(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { socket, address }
    }

    /// Listens there from now on. When nobody does so any more, the address stays taken all the same.
    pub(crate) fn listen(self) -> TcpListener {
        std::mem::forget(taking(self.address));
        self.socket.listen(128).unwrap();
        self.socket.into()
    }

    /// Somebody listens there until the first request, of which it dies.
    pub(crate) fn dies_when_asked(&self) -> thread::JoinHandle<()> {
        let listener = taking(self.address);
        listener.listen(128).unwrap();
        let listener = TcpListener::from(listener);
        thread::spawn(move || {
            let asked = listener.incoming().flatten().find(|stream| read_head(&mut BufReader::new(stream)).is_ok());
            // Nobody listens when it is noticed.
            drop(listener);
            drop(asked);
        })
    }
}

/// A socket that takes an address, as others of this kind may.
fn taking(address: SocketAddr) -> socket2::Socket {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

/// A unix socket whose queue is full: nobody more can connect before it accepts.
pub(crate) struct Full {
    folder: tempfile::TempDir,
    listener: UnixListener,
    queued: Vec<socket2::Socket>,
}

impl Full {
    pub(crate) fn new() -> Self {
        let (folder, socket) = (tempfile::tempdir().unwrap(), || {
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        let (listener, path) = (socket(), folder.path().join("socket"));
        let address = socket2::SockAddr::unix(&path).unwrap();
        listener.bind(&address).unwrap();
        listener.listen(1).unwrap();
        listener.set_nonblocking(false).unwrap();
        let connected = std::iter::repeat_with(socket).take_while(|socket| socket.connect(&address).is_ok());
        Self { queued: connected.collect(), listener: UnixListener::from(std::os::fd::OwnedFd::from(listener)), folder }
    }

    /// It in the words of a configuration.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.folder.path().join("socket").display())
    }

    /// Accepts whoever comes from now on, and answers each first request with `text`.
    pub(crate) fn opens(self, text: &'static str) -> thread::JoinHandle<()> {
        let Self { folder, listener, queued } = self;
        thread::spawn(move || {
            // Its path stays as long as it listens.
            let _folder = folder;
            drop(queued);
            for mut stream in listener.incoming().flatten() {
                if read_head(&mut BufReader::new(&stream)).is_ok() {
                    let head =
                        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
                    drop(UnixStream::write_all(&mut stream, format!("{head}{text}").as_bytes()));
                }
            }
        })
    }
}

/// Writes a 200 with this body.
pub(crate) fn answer(peer: &mut Peer, body: &[u8]) -> bool {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    peer.get_mut().write_all(&[head.as_bytes(), body].concat()).is_ok()
}
