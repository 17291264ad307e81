//! Other people's programs on both sides. Where one is not installed the test is left out, and says so; in CI it has to be
//! there.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{
    harness::{Balancer, eventually},
    http2::speaking_to,
    tls::clients::{run, text},
};

/// nginx as a backend, on a unix socket in a folder of its own.
struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
}

impl Nginx {
    /// Serves `/large`, 3,000,000 bytes, `/small`, and echoes nothing; `None` where it is not installed.
    fn start() -> Option<Self> {
        run(Command::new("nginx").arg("-v"), "nginx", "")?;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        std::fs::write(folder.path().join("large"), large()).unwrap();
        std::fs::write(folder.path().join("small"), "small").unwrap();
        let mut temporary = String::new();
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(temporary, "{kind}_temp_path {path}/{kind};").unwrap();
        }
        let text = format!(
            "user root root; pid {path}/pid; error_log {path}/error.log; worker_processes 2;\n\
             events {{}}\n\
             http {{ access_log off; keepalive_requests 50; {temporary}\n\
             server {{ listen unix:{path}/socket; root {path}; gzip on; gzip_proxied any; gzip_types *; gzip_min_length 1000;\n\
             location /close {{ keepalive_timeout 0; return 200 closed; }}\n\
             location /told {{ return 200 \"$http_x_forwarded_for $http_host $request_method\"; }} }} }}\n"
        );
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, text).unwrap();
        let mut nginx = Command::new("nginx");
        nginx.args(["-g", "daemon off;", "-p"]).arg(folder.path()).arg("-c").arg(&config);
        let child = nginx.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let nginx = Self { child, folder };
        eventually("nginx listens", || std::os::unix::net::UnixStream::connect(nginx.socket()).ok());
        Some(nginx)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        drop(self.child.wait());
    }
}

fn large() -> Vec<u8> {
    (0..3_000_000_u32).map(|number| b'a' + (number % 23) as u8).collect()
}

#[test]
fn what_nginx_says_comes_through() {
    let Some(nginx) = Nginx::start() else { return };
    let balancer = Balancer::run(&["--backend", &nginx.address()]);
    let mut client = balancer.connect();
    assert_eq!(client.get("/small").text(), "small");
    assert!(client.get("/large").body == large());
    assert_eq!(client.get("/told").text(), "127.0.0.1 test GET");
    assert_eq!(client.get("/nothing").status, 404);
    assert_eq!((client.get("/close").text(), client.get("/small").text()), ("closed", "small"));
    client.send("HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer_to_head().field("content-length"), Some("3000000"));
    client.send("GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\n\r\n");
    let part = client.answer();
    assert_eq!((part.status, part.body.as_slice()), (206, &large()[10..20]));
    client.send("GET /large HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    let packed = client.answer();
    assert_eq!((packed.field("content-encoding"), packed.body.len() < 100_000), (Some("gzip"), true));
    assert_eq!(client.post("/small", &large()).status, 413, "more than nginx takes");
}

#[test]
fn nginx_may_read_its_configuration_anew_under_load() {
    let Some(nginx) = Nginx::start() else { return };
    let balancer = Balancer::run(&["--backend", &nginx.address()]);
    let url = format!("http://{}/small", balancer.address);
    let mut load = Command::new("h2load");
    load.args(["--h1", "-n", "20000", "-c", "8", &url]);
    let Some(output) = std::thread::scope(|scope| {
        let loading = scope.spawn(|| run(&mut load, "nghttp2-client", ""));
        while !loading.is_finished() {
            nginx.signal(rustix::process::Signal::HUP);
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
        loading.join().unwrap()
    }) else {
        return;
    };
    let said = text(&output);
    assert!(said.contains("20000 succeeded, 0 failed, 0 errored") && said.contains("20000 2xx"), "{said}");
}

#[test]
fn h2load_gets_what_nginx_has() {
    let Some(nginx) = Nginx::start() else { return };
    let (_authority, balancer) = speaking_to(&nginx.address());
    let url = format!("https://localhost:{}/large", balancer.tls.port());
    let mut load = Command::new("h2load");
    let Some(output) = run(load.args(["-n", "100", "-c", "4", "-m", "8", &url]), "nghttp2-client", "") else { return };
    let said = text(&output);
    assert!(said.contains("100 succeeded, 0 failed, 0 errored") && said.contains("100 2xx"), "{said}");
    assert!(said.contains("(300000000) data"), "{said}");
}

/// A WebSocket server that echoes, and says its port.
const ECHOING: &str = "
import sys
from websockets.sync.server import serve
def echo(socket):
    for message in socket:
        socket.send(message)
with serve(echo, '127.0.0.1', 0, max_size=None) as server:
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()
";

/// A WebSocket client that sends messages of all kinds and sizes.
const ASKING: &str = "
import sys
from websockets.sync.client import connect
with connect(sys.argv[1], max_size=None) as socket:
    for message in ['hello', '', b'\\0' * 100, 'x' * 70000, bytes(range(256)) * 8192]:
        socket.send(message)
        assert socket.recv() == message
    assert socket.ping().wait(30)
print('all echoed', socket.close_code)
";

fn python() -> Command {
    Command::new(std::env::var_os("WEBSOCKETS_PYTHON").unwrap_or_else(|| "python3".into()))
}

/// Whether Python has `websockets`.
fn has_websockets() -> bool {
    let Some(output) = run(python().args(["-c", "import websockets.sync.server"]), "python3-venv", "") else {
        return false;
    };
    let missing = "python3 has no websockets (pip install websockets)";
    let is_there = output.status.success();
    assert!(is_there || std::env::var_os("CI").is_none_or(|value| value != "true"), "{missing}");
    if !is_there {
        eprintln!("left out: {missing}");
    }
    is_there
}

#[test]
fn a_websocket_client_and_a_server_understand_each_other() {
    if !has_websockets() {
        return;
    }
    let mut server = python().args(["-c", ECHOING]).stdout(Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let balancer = Balancer::run(&["--backend", &format!("127.0.0.1:{}", port.trim())]);
    let url = format!("ws://{}/any", balancer.address);
    let asked = run(python().args(["-c", ASKING, &url]), "python3-venv", "").unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(text(&asked).trim(), "all echoed 1000");
}
