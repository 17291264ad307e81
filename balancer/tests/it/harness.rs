//! The running balancer, a plain HTTP client, and waiting for conditions with a deadline.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine; nobody waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` gives something.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "it did not happen in time: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A balancer process. Killed when dropped.
pub(crate) struct Balancer {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where it speaks TLS, if it does; else where it does not.
    pub(crate) tls: SocketAddr,
    log: tempfile::NamedTempFile,
}

impl Balancer {
    /// `logkin-balancer run --listen 127.0.0.1:0` with these arguments.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        Self::try_run(arguments, Path::new("/tmp")).unwrap_or_else(|log| panic!("the balancer does not start: {log}"))
    }

    /// With a folder for its sockets. The error is what it says on standard error.
    pub(crate) fn try_run(arguments: &[&str], runtime_dir: &Path) -> Result<Self, String> {
        Self::start(Command::new(env!("CARGO_BIN_EXE_logkin-balancer")), arguments, runtime_dir)
    }

    /// With no more than so many files and connections.
    pub(crate) fn with_descriptors(most: usize, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_logkin-balancer")]);
        Self::start(shell, arguments, Path::new("/tmp")).unwrap()
    }

    /// Started as by `nohup`: with SIGHUP ignored.
    pub(crate) fn deaf_to_hangups(arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' HUP && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_logkin-balancer")]);
        Self::start(shell, arguments, Path::new("/tmp")).unwrap()
    }

    /// Started with SIGHUP as it is for programs by default, whatever the test was started with.
    pub(crate) fn hearing_hangups(arguments: &[&str]) -> Self {
        let mut env = Command::new("env");
        env.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_logkin-balancer")]);
        Self::start(env, arguments, Path::new("/tmp")).unwrap()
    }

    /// With all it says going to the same pipe, from which nobody reads once it is ready.
    pub(crate) fn unheard(arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" 2>&1", env!("CARGO_BIN_EXE_logkin-balancer")]);
        Self::start(shell, arguments, Path::new("/tmp")).unwrap()
    }

    fn start(mut command: Command, arguments: &[&str], runtime_dir: &Path) -> Result<Self, String> {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut child = command
            .args(["run", "--listen", "127.0.0.1:0"])
            .args(if arguments.contains(&"--engine") { &[][..] } else { &["--engine", crate::ENGINE] })
            .args(arguments)
            .env("XDG_RUNTIME_DIR", runtime_dir)
            .stdout(Stdio::piped())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let ready = lines.find_map(|line| Some(line.strip_prefix("logkin-balancer is ready: ")?.to_owned()));
        drop(lines);
        match ready {
            Some(addresses) => {
                let bare = |address: &str| address.split_once("://").unwrap().1.parse::<SocketAddr>().unwrap();
                let addresses: Vec<SocketAddr> = addresses.split(' ').map(bare).collect();
                Ok(Self { child, address: addresses[0], tls: addresses[addresses.len() - 1], log })
            }
            None => {
                child.wait().unwrap();
                Err(std::fs::read_to_string(log.path()).unwrap())
            }
        }
    }

    pub(crate) fn in_front_of(backends: &[SocketAddr]) -> Self {
        Self::with(backends, &[])
    }

    pub(crate) fn with(backends: &[SocketAddr], more: &[&str]) -> Self {
        let backends: Vec<String> = backends.iter().map(ToString::to_string).collect();
        let flags = backends.iter().flat_map(|backend| ["--backend", backend]);
        Self::run(&flags.chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// One thread, with these lines under `[pool]` and these backends.
    pub(crate) fn with_pool(pool: &str, backends: &[SocketAddr]) -> Self {
        let servers: Vec<String> = backends.iter().map(|backend| format!("address = \"{backend}\"")).collect();
        Self::with_servers(pool, &servers)
    }

    /// The same, with all that is said about each backend.
    pub(crate) fn with_servers(pool: &str, servers: &[String]) -> Self {
        let servers: String = servers.iter().map(|server| format!("[[pool.server]]\n{server}\n")).collect();
        let head = "worker_threads = 1\n[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{head}{pool}\n{servers}")).unwrap();
        Self::run(&["--config", file.path().to_str().unwrap()])
    }

    /// One thread, with all that else is in the file.
    pub(crate) fn with_file(text: &str) -> Self {
        Self::with_file_ahead("", text)
    }

    /// The same, with keys of no table too.
    pub(crate) fn with_file_ahead(keys: &str, tables: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("worker_threads = 1\n{keys}[[listen]]\naddress = \"127.0.0.1:0\"\n{tables}");
        std::fs::write(file.path(), text).unwrap();
        Self::run(&["--config", file.path().to_str().unwrap()])
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// A client with this address, of which this machine has many.
    pub(crate) fn connect_from(&self, from: SocketAddr) -> Connection {
        Connection::over(connect_from(from, self.address))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().get(path)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        eventually("the balancer ends", || self.child.try_wait().unwrap())
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.end().code()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// The most memory it ever had, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory it has now, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        let log = self.log();
        if thread::panicking() {
            eprintln!("--- the balancer said:\n{log}");
        } else {
            assert!(!log.contains("panicked at"), "it has panicked: {log}");
        }
    }
}

/// A connection from this address of this machine.
pub(crate) fn connect_from(from: SocketAddr, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A field's value; the last one if there are several.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

/// A field's value in a head.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next_back()
}

/// A client's connection, without a single convenience that could hide what goes over the wire.
pub(crate) struct Connection(pub(crate) BufReader<TcpStream>);

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.send(format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len()));
        self.send(body);
        self.answer()
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer(false).expect("an answer")
    }

    /// The answer to a HEAD: no body follows, whatever the head says.
    pub(crate) fn answer_to_head(&mut self) -> Answer {
        self.try_answer(true).expect("an answer")
    }

    pub(crate) fn try_answer(&mut self, bodiless: bool) -> std::io::Result<Answer> {
        let head = read_head(&mut self.0)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = if bodiless || status / 100 == 1 || status == 204 || status == 304 {
            Vec::new()
        } else {
            read_body(&mut self.0, &head, true)?
        };
        Ok(Answer { status, head, body })
    }

    /// Whether the other side has read all that was sent, as the kernel knows it.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read_in_state(|_| true)
    }

    /// Closes our direction, and waits until the other side has read the end.
    pub(crate) fn finish(&self) {
        self.0.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        // CLOSE_WAIT; there the end counts as a byte until it is read.
        eventually("the end is read", || self.is_read_in_state(|state| state == "08").then_some(()));
    }

    fn is_read_in_state(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        let port = format!(":{:04X}", self.0.get_ref().local_addr().unwrap().port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut theirs = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        theirs.any(|columns| columns[2].ends_with(&port) && is_meant(columns[3]) && columns[4].ends_with(":00000000"))
    }

    /// Breaks it off, so that the other side is told at once.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(self.0.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Whether the other side has closed and sent nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}

/// Reads up to the empty line.
pub(crate) fn read_head(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// Reads trailers, up to the empty line.
fn read_trailers(from: &mut impl BufRead) -> std::io::Result<()> {
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Reads the body that belongs to a head; `to_end` if one without a length lasts until the end of the connection.
pub(crate) fn read_body(from: &mut impl BufRead, head: &str, to_end: bool) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if field(head, "transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            from.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
            if size == 0 {
                read_trailers(from)?;
                return Ok(body);
            }
            let start = body.len();
            body.resize(start + size + 2, 0);
            from.read_exact(&mut body[start..])?;
            body.truncate(start + size);
        }
    }
    match field(head, "content-length") {
        Some(length) => {
            body.resize(length.parse().unwrap(), 0);
            from.read_exact(&mut body)?;
        }
        None if to_end => drop(from.read_to_end(&mut body)?),
        None => {}
    }
    Ok(body)
}
