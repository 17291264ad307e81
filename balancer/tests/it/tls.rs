use std::{
    io::{BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustix::process::{Resource, Rlimit, Signal, prlimit};
use tokio_rustls::rustls::{
    self, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    crypto::{CryptoProvider, ring},
    pki_types::ServerName,
};

use crate::{
    harness::{Answer, Balancer, Connection, PATIENCE, eventually, read_body, read_head},
    metrics::{self, page, value},
    upstream::Upstream,
};

/// Clients that other people have written.
pub(crate) mod clients;

/// Somebody whom clients trust, and a folder with what that one has signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(authority.root(), authority.issuer.pem()).unwrap();
        authority
    }

    /// The file with its own certificate.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Signs a certificate for these names; it is in `NAME.pem` then, and its key in `NAME.key`.
    pub(crate) fn sign(&self, name: &str, hosts: &[&str]) -> [String; 2] {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let now = SystemTime::now();
        self.sign_for(name, hosts, [now, now + 30 * DAY])
    }

    /// The same, from then until then.
    fn sign_for(&self, name: &str, hosts: &[&str], times: [SystemTime; 2]) -> [String; 2] {
        let mut params = CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, hosts[0]);
        [params.not_before, params.not_after] = times.map(Into::into);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let [pem, secret] = [self.path(name, "pem"), self.path(name, "key")];
        replace(&secret, &key.serialize_pem());
        replace(&pem, &certificate.pem());
        [pem, secret]
    }

    fn path(&self, name: &str, end: &str) -> String {
        self.folder.path().join(format!("{name}.{end}")).to_str().unwrap().to_owned()
    }

    pub(crate) fn client(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
        self.client_with(ring::default_provider(), versions)
    }

    fn client_with(
        &self,
        provider: CryptoProvider,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    fn connect(&self, address: SocketAddr, host: &str) -> Client {
        Client::to(address, host, Arc::new(self.client(rustls::ALL_VERSIONS)))
    }
}

/// Writes beside and renames, as whoever renews certificates does.
fn replace(path: &str, text: &str) {
    let beside = format!("{path}.new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

/// A client under TLS.
pub(crate) struct Client(pub(crate) BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Client {
    pub(crate) fn to(address: SocketAddr, host: &str, config: Arc<ClientConfig>) -> Self {
        Self::over(TcpStream::connect(address).unwrap(), host, config)
    }

    pub(crate) fn over(socket: TcpStream, host: &str, config: Arc<ClientConfig>) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let connection = ClientConnection::new(config, ServerName::try_from(host.to_owned()).unwrap()).unwrap();
        Self(BufReader::new(StreamOwned::new(connection, socket)))
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    fn answer(&mut self) -> Answer {
        let head = read_head(&mut self.0).unwrap();
        let body = read_body(&mut self.0, &head, true).unwrap();
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
    }

    fn get(&mut self, host: &str) -> Answer {
        self.send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.answer()
    }

    fn connection(&self) -> &ClientConnection {
        &self.0.get_ref().conn
    }

    /// The certificate that it was shown.
    fn shown(&self) -> Vec<u8> {
        self.connection().peer_certificates().unwrap()[0].to_vec()
    }
}

/// A balancer with these certificates, and more flags.
pub(crate) fn speaking(upstream: &Upstream, certificates: &[&[String; 2]], more: &[&str]) -> Balancer {
    let mut flags = vec!["--tls-listen", "127.0.0.1:0", "--threads", "1"];
    flags.extend(certificates.iter().flat_map(|[pem, key]| ["--tls-cert", pem.as_str(), "--tls-key", key.as_str()]));
    flags.extend(more);
    Balancer::with(&[upstream.address], &flags)
}

#[test]
fn a_request_over_tls_passes_and_the_backend_is_told_so() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let log = authority.path("access", "log");
    let own = authority.sign("own", &["shop.example"]);
    let mut balancer = speaking(&upstream, &[&own], &["--access-log", &log]);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = Arc::new(authority.client(&[version]));
        let mut client = Client::to(balancer.tls, "shop.example", config);
        for _ in 0..2 {
            let seen = client.get("shop.example").text().to_lowercase();
            assert!(seen.contains("\r\nx-forwarded-proto: https\r\n"), "{seen}");
            assert!(seen.contains("\r\nforwarded: for=127.0.0.1;host=\"shop.example\";proto=https\r\n"), "{seen}");
        }
        assert_eq!(client.connection().protocol_version(), Some(version.version));
    }
    let seen = balancer.get("/").text().to_lowercase();
    assert!(seen.contains("\r\nx-forwarded-proto: http\r\n"), "{seen}");
    balancer.stop();
    assert_eq!(std::fs::read_to_string(log).unwrap().matches("\"GET /x HTTP/1.1\" 200 ").count(), 4);
}

#[test]
fn large_bodies_pass_both_ways_and_the_end_is_told_in_the_words_of_tls() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &[]);
    let mut client = authority.connect(balancer.tls, "localhost");
    let body = vec![b'x'; 5 << 20];
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5242880\r\n\r\n");
    client.send(&body);
    let answer = client.answer();
    assert!(answer.body.ends_with(&body));
    assert_eq!(client.0.read(&mut [0]).unwrap(), 0, "an end, and no accident");
}

#[test]
fn the_host_that_is_asked_for_chooses_the_certificate_and_a_host_of_another_one_is_misdirected() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let first = authority.sign("first", &["first.example", "*.wild.example"]);
    let second = authority.sign("second", &["second.example", "one.wild.example"]);
    let balancer = speaking(&upstream, &[&first, &second], &[]);
    let shown = |host: &str| authority.connect(balancer.tls, host);
    let mut certificates = Vec::new();
    for host in ["first.example", "a.wild.example", "second.example", "one.wild.example"] {
        let mut client = shown(host);
        assert_eq!(client.get(host).status, 200, "{host}");
        certificates.push(client.shown());
    }
    assert!(certificates[0] == certificates[1] && certificates[2] == certificates[3]);
    assert!(certificates[0] != certificates[2]);
    let seen = upstream.requests();
    for (sni, host) in [("first.example", "second.example"), ("second.example", "FIRST.example:443")] {
        let answer = shown(sni).get(host);
        assert_eq!((answer.status, answer.field("connection")), (421, Some("close")), "{sni} {host}");
    }
    let mut absolute = shown("first.example");
    absolute.send("GET https://second.example/ HTTP/1.1\r\nHost: first.example\r\n\r\n");
    assert_eq!(absolute.answer().status, 421);
    assert_eq!(upstream.requests(), seen, "nothing of it reached the backend");
    for host in ["first.example", "b.wild.example", "nobody.example", "127.0.0.1"] {
        assert_eq!(shown("first.example").get(host).status, 200, "{host}: no other certificate is for it");
    }
}

/// The certificate that a new client is shown.
fn shown(authority: &Authority, balancer: &Balancer) -> Vec<u8> {
    let mut client = authority.connect(balancer.tls, "localhost");
    assert_eq!(client.get("localhost").status, 200);
    client.shown()
}

#[test]
fn a_place_of_http_is_none_of_https_unless_a_listed_proxy_says_so() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let trusting = authority.path("trusting", "toml");
    std::fs::write(&trusting, format!("trusted_proxies = [\"127.0.0.1\"]\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{}\"\n", upstream.address)).unwrap();
    for (more, told, status) in [
        (&[][..], "", 400),
        (&[], "X-Forwarded-Proto: http\r\n", 400),
        (&["--config", &trusting], "", 400),
        (&["--config", &trusting], "X-Forwarded-Proto: http\r\n", 200),
    ] {
        let balancer = speaking(&upstream, &[&own], more);
        let mut client = authority.connect(balancer.tls, "localhost");
        client.send("GET https://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.answer().status, 200);
        client.send(format!("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n{told}\r\n"));
        assert_eq!(client.answer().status, status, "{more:?} {told}");
    }
}

#[test]
fn certificates_are_read_again_when_they_change_and_bad_ones_are_not_taken() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &[]);
    let mut held = authority.connect(balancer.tls, "localhost");
    assert_eq!(held.get("localhost").status, 200);
    let before = held.shown();
    replace(&own[0], "no certificate");
    eventually("it says so", || balancer.log().contains("the certificates from before stay in use").then_some(()));
    assert!(balancer.log().contains("own.pem"), "{}", balancer.log());
    assert_eq!(shown(&authority, &balancer), before);
    let other = authority.sign("other", &["localhost"]);
    std::fs::copy(&other[0], &own[0]).unwrap();
    eventually("it says that the key is another's", || balancer.log().contains("do not go together").then_some(()));
    assert_eq!(shown(&authority, &balancer), before);
    std::fs::copy(&other[1], &own[1]).unwrap();
    eventually("new connections get the new one", || (shown(&authority, &balancer) != before).then_some(()));
    assert_eq!(held.get("localhost").status, 200, "whoever was there stays");
}

#[test]
fn certificates_that_cannot_be_read_for_a_while_are_told_once_and_taken_as_soon_as_they_can_be() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let [own, other] = ["own", "other"].map(|name| authority.sign(name, &["localhost"]));
    let balancer = speaking(&upstream, &[&own], &[]);
    let before = shown(&authority, &balancer);
    let descriptors = |current| {
        let limit = Rlimit { current: Some(current), maximum: Some(1024) };
        prlimit(Some(balancer.pid()), Resource::Nofile, limit).unwrap()
    };
    // It can open no more from now on, which no file shows.
    descriptors(3);
    other.iter().zip(&own).for_each(|(from, to)| assert!(std::fs::copy(from, to).is_ok()));
    eventually("it says so", || balancer.log().contains("Too many open files").then_some(()));
    std::thread::park_timeout(Duration::from_millis(2_500));
    assert_eq!(balancer.log().matches("stay in use").count(), 1, "{}", balancer.log());
    descriptors(1024);
    eventually("they are taken", || (shown(&authority, &balancer) != before).then_some(()));
}

#[test]
fn certificates_that_are_overwritten_are_taken_though_they_are_as_long_and_as_old_as_before() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let [own, other] = ["own", "other"].map(|name| authority.sign(name, &["localhost"]));
    let long = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, format!("{text:\n<2000}")).unwrap();
    };
    own.iter().chain(&other).for_each(|path| long(path));
    let balancer = speaking(&upstream, &[&own], &[]);
    let before = shown(&authority, &balancer);
    for (from, to) in other.iter().zip(&own) {
        let age = std::fs::metadata(to).unwrap().modified().unwrap();
        std::fs::copy(from, to).unwrap();
        std::fs::File::options().write(true).open(to).unwrap().set_modified(age).unwrap();
    }
    eventually("they are taken", || (shown(&authority, &balancer) != before).then_some(()));
}

#[test]
fn a_certificate_whose_reading_would_wait_keeps_nothing_waiting() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let mut balancer = speaking(&upstream, &[&own], &[]);
    let before = shown(&authority, &balancer);
    let pipe = pipe(&authority);
    std::fs::rename(&pipe, &own[0]).unwrap();
    let said = format!("{}: no certificate can be read: it is no regular file", own[0]);
    eventually("it says so", || balancer.log().contains(&said).then_some(()));
    assert_eq!(shown(&authority, &balancer), before);
    assert_eq!(balancer.stop(), Some(0));
}

/// A pipe with a name, to which nobody writes.
fn pipe(authority: &Authority) -> String {
    let pipe = authority.path("pipe", "pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

#[test]
fn a_client_that_comes_again_needs_no_full_handshake() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &[]);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let config = Arc::new(authority.client(&[version]));
        let kinds: Vec<_> = (0..2)
            .map(|_| {
                let mut client = Client::to(balancer.tls, "localhost", Arc::clone(&config));
                assert_eq!(client.get("localhost").status, 200);
                client.connection().handshake_kind().unwrap()
            })
            .collect();
        assert_eq!((kinds[0], kinds[1]), (HandshakeKind::Full, HandshakeKind::Resumed), "{:?}", version.version);
    }
}

#[test]
fn the_cheaper_cipher_is_agreed_on_but_with_clients_that_ask_for_the_one_without_aes_first() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &[]);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for (first, agreed) in [("AES_256", "AES_128"), ("AES_128", "AES_128"), ("CHACHA20", "CHACHA20")] {
            let named = |suite: rustls::CipherSuite, part| suite.as_str().unwrap().contains(part);
            let mut provider = ring::default_provider();
            provider.cipher_suites.sort_by_key(|suite| !named(suite.suite(), first));
            let mut client =
                Client::to(balancer.tls, "localhost", Arc::new(authority.client_with(provider, &[version])));
            assert_eq!(client.get("localhost").status, 200);
            let suite = client.connection().negotiated_cipher_suite().unwrap().suite();
            assert!(named(suite, agreed), "{first} first with {:?}: {suite:?}", version.version);
        }
    }
}

/// The first thing that a client says.
fn hello(authority: &Authority) -> Vec<u8> {
    let config = Arc::new(authority.client(rustls::ALL_VERSIONS));
    let mut connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut said = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut said).unwrap();
    }
    said
}

/// Asks while so many begin handshakes at once: how many of these were answered meanwhile.
fn answered_meanwhile(balancer: &Balancer, hello: &[u8], many: usize) -> usize {
    let mut asking = balancer.connect();
    assert_eq!(asking.get("/x").status, 200);
    let mut beginning: Vec<_> = (0..many).map(|_| TcpStream::connect(balancer.tls).unwrap()).collect();
    beginning.iter_mut().for_each(|client| client.write_all(hello).unwrap());
    let answered = || {
        let is_answered = |client: &&TcpStream| {
            client.set_nonblocking(true).unwrap();
            client.peek(&mut [0]).is_ok()
        };
        beginning.iter().filter(is_answered).count()
    };
    let before = answered();
    assert_eq!(asking.get("/x").status, 200);
    answered() - before
}

#[test]
fn a_request_waits_for_few_of_the_handshakes_that_begin_at_once() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &[]);
    let hello = hello(&authority);
    // Whoever counts may be held up while the balancer goes on, but not always.
    let fewest = (0..10).map(|_| answered_meanwhile(&balancer, &hello, 200)).min();
    assert!(fewest < Some(25), "{fewest:?} of 200 were answered before a request that had come meanwhile");
}

#[test]
fn who_has_gone_before_its_turn_gets_no_handshake() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &[]);
    balancer.signal(Signal::STOP);
    let mut gone = TcpStream::connect(balancer.tls).unwrap();
    gone.write_all(&hello(&authority)).unwrap();
    gone.shutdown(std::net::Shutdown::Write).unwrap();
    balancer.signal(Signal::CONT);
    gone.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(!matches!(gone.read(&mut [0]), Ok(1..)), "something was said to it");
    assert_eq!(authority.connect(balancer.tls, "localhost").get("localhost").status, 200);
}

#[test]
fn a_handshake_has_its_deadline_and_what_is_none_ends_the_connection() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let [pem, key] = authority.sign("own", &["localhost"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "worker_threads = 1\nmetrics_listen = \"127.0.0.1:0\"\n[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true\n[tls]\nhandshake_timeout = \"1s\"\n\
         [[tls.certificate]]\nssl_certificate = \"{pem}\"\nssl_certificate_key = \"{key}\"\n\
         [[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    let balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let silent = TcpStream::connect(balancer.tls).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut half = TcpStream::connect(balancer.tls).unwrap();
    half.set_read_timeout(Some(PATIENCE)).unwrap();
    half.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
    let mut odd = TcpStream::connect(balancer.tls).unwrap();
    odd.write_all(b"\x03GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut said = Vec::new();
    drop(odd.read_to_end(&mut said));
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    for mut client in [silent.try_clone().unwrap(), half.try_clone().unwrap()] {
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    eventually("all three are counted", || {
        let page = page(metrics::address(&balancer));
        (value(&page, "logkin_balancer_handshakes_failed_total") == Some("3")).then_some(())
    });
    drop((silent.shutdown(std::net::Shutdown::Both), half));
    assert_eq!(authority.connect(balancer.tls, "localhost").get("localhost").status, 200);
}

#[test]
fn a_handshake_that_is_not_done_keeps_nothing_from_stopping() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let mut balancer = speaking(&upstream, &[&own], &[]);
    let silent = TcpStream::connect(balancer.tls).unwrap();
    let mut config = authority.client(rustls::ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut unsaid = Client::to(balancer.tls, "localhost", Arc::new(config));
    while unsaid.connection().is_handshaking() {
        let stream = unsaid.0.get_mut();
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    assert_eq!(authority.connect(balancer.tls, "localhost").get("localhost").status, 200, "all were accepted");
    assert_eq!(balancer.stop(), Some(0));
    assert!(!balancer.log().contains("cut off"), "{}", balancer.log());
    drop(silent);
}

#[test]
fn whoever_comes_without_tls_is_sent_to_it_when_that_is_wanted() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &["--redirect-to-https"]);
    let port = balancer.tls.port();
    for (request, place) in [
        ("GET /a?b=c HTTP/1.1\r\nHost: shop.example:8001\r\n\r\n", format!("https://shop.example:{port}/a?b=c")),
        ("POST / HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 2\r\n\r\nhi", format!("https://[::1]:{port}/")),
        ("GET http://other.example?x HTTP/1.1\r\nHost: a\r\n\r\n", format!("https://other.example:{port}/?x")),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", format!("https://a:{port}/")),
    ] {
        let mut client = balancer.connect();
        client.send(request);
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("location")), (308, Some(place.as_str())));
        assert_eq!(answer.field("strict-transport-security"), None);
        assert!(answer.field("x-request-id").is_some_and(|id| id.len() == 32), "{answer:?}");
        assert!(client.is_closed());
    }
    let mut client = balancer.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().status, 400, "nobody knows the host to send it to");
    assert_eq!(upstream.requests(), 0);
    assert_eq!(authority.connect(balancer.tls, "localhost").get("localhost").status, 200);
}

#[test]
fn coming_back_over_tls_only_is_asked_for_when_that_is_configured() {
    let authority = Authority::new();
    let upstream = Upstream::scripted(|head, peer| {
        let text = "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=5\r\nContent-Length: 0\r\n\r\n";
        peer.get_mut().write_all(text.as_bytes()).is_ok() && !head.contains("/last")
    });
    let [pem, key] = authority.sign("own", &["localhost"]);
    let own = [pem, key];
    let plain = speaking(&upstream, &[&own], &[]);
    let answer = authority.connect(plain.tls, "localhost").get("localhost");
    assert_eq!(answer.field("strict-transport-security"), Some("max-age=5"), "the backend's passes");
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true\n[tls]\nhsts = \"max-age=100; includeSubDomains\"\n\
         [[tls.certificate]]\nssl_certificate = \"{}\"\nssl_certificate_key = \"{}\"\n\
         [[pool.server]]\naddress = \"{}\"\n",
        own[0], own[1], upstream.address
    );
    std::fs::write(file.path(), text).unwrap();
    let balancer = Balancer::run(&["--config", file.path().to_str().unwrap()]);
    let mut client = authority.connect(balancer.tls, "localhost");
    for request in ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"] {
        client.send(request);
        let answer = client.answer();
        let name = "strict-transport-security:";
        assert_eq!(answer.head.to_lowercase().matches(name).count(), 1, "{}", answer.head);
        assert_eq!(answer.field("strict-transport-security"), Some("max-age=100; includeSubDomains"));
    }
    assert_eq!(balancer.get("/").field("strict-transport-security"), Some("max-age=5"));
    // Nobody knows who says so to whom TLS is not spoken.
    let refused = Connection::to(balancer.tls).get("/");
    assert_eq!((refused.status, refused.field("strict-transport-security")), (400, None));
}

#[test]
fn who_speaks_http_where_tls_is_spoken_is_told_so() {
    let (authority, upstream, folder) = (Authority::new(), Upstream::echoing(), tempfile::tempdir().unwrap());
    let log = folder.path().join("access.log");
    let own = authority.sign("own", &["localhost"]);
    let mut balancer = speaking(&upstream, &[&own], &["--access-log", log.to_str().unwrap()]);
    let mut client = Connection::to(balancer.tls);
    client.send(format!("POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{}", "x".repeat(300_000)));
    let answer = client.answer();
    assert!(answer.status == 400 && answer.text().contains("this port speaks TLS: ask for https"), "{}", answer.text());
    assert!(client.is_closed());
    assert_eq!((balancer.stop(), upstream.requests()), (Some(0), 0));
    let lines = std::fs::read_to_string(log).unwrap();
    assert!(lines.contains("\"POST /login HTTP/1.1\" 400 ") && lines.contains("flag=no_tls by=client"), "{lines}");
}

#[test]
fn a_certificate_that_has_expired_is_told_and_keeps_nothing_from_starting() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let hour = Duration::from_secs(3600);
    let old = authority.sign_for("old", &["localhost"], [2, 1].map(|hours| SystemTime::now() - hours * hour));
    let balancer = speaking(&upstream, &[&old], &[]);
    let told = format!("{}: the certificate has expired at ", old[0]);
    eventually("it is told", || balancer.log().contains(&told).then_some(()));
}

#[test]
fn certificates_that_are_no_good_are_named_before_anything_is_bound() {
    let (authority, upstream) = (Authority::new(), Upstream::echoing());
    let own = authority.sign("own", &["localhost"]);
    let other = authority.sign("other", &["localhost"]);
    let locked = authority.path("locked", "key");
    std::fs::write(&locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
        .unwrap();
    let small = authority.path("small", "key");
    let made = Command::new("openssl").args(["genrsa", "-out", &small, "1024"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let (pipe, large) = (pipe(&authority), authority.path("large", "pem"));
    std::fs::write(&large, vec![b'\n'; (1 << 20) + 1]).unwrap();
    for ([pem, key], said) in [
        ([pipe.as_str(), own[1].as_str()], "pipe.pem: no certificate can be read: it is no regular file"),
        ([own[0].as_str(), "/dev/zero"], "/dev/zero: no private key can be read: it is no regular file"),
        ([large.as_str(), own[1].as_str()], "large.pem: no certificate can be read: it is larger than 1 MiB"),
        ([own[0].as_str(), other[1].as_str()], "do not go together"),
        (["/nowhere/at-all.pem", own[1].as_str()], "/nowhere/at-all.pem: no certificate can be read"),
        ([own[0].as_str(), own[0].as_str()], "no private key can be read"),
        ([own[0].as_str(), locked.as_str()], "the private key is encrypted"),
        ([own[0].as_str(), small.as_str()], "cannot be used"),
    ] {
        let (backend, flags) = (upstream.address.to_string(), ["--tls-listen", "127.0.0.1:0"]);
        let flags = [&flags[..], &["--tls-cert", pem, "--tls-key", key, "--backend", &backend]].concat();
        let error = Balancer::try_run(&flags, Path::new("/tmp")).err().expect("no start");
        assert!(error.contains(said), "{error}");
    }
    let (tls, hyper) =
        (["--tls-listen", "127.0.0.1:0", "--tls-cert", &own[0], "--tls-key", &own[1]], ["--engine", "hyper"]);
    let flags = [&tls[..], &hyper, &["--backend", "127.0.0.1:1"]].concat();
    let error = Balancer::try_run(&flags, Path::new("/tmp")).err().expect("no start");
    assert!(error.contains("the hyper engine has no TLS; take the strict one"), "{error}");
    let error = Balancer::try_run(&["--backend", "127.0.0.1:1", "--redirect-to-https"], Path::new("/tmp")).err();
    assert!(error.unwrap().contains("nobody listens for it"));
    let ended = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"))
        .args(["run", "--tls-listen", "127.0.0.1:0", "--backend", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("there is no certificate"), "{ended:?}");
}
