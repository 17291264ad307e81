//! TLS in front: which versions and protocols are spoken, and with which certificate. rustls does the work; tickets let
//! a client that was here before go on without another full handshake.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::net::TcpStream;
use tokio_rustls::{
    LazyConfigAcceptor,
    rustls::{
        self, CipherSuite, ServerConfig, SupportedCipherSuite,
        crypto::ring,
        server::{Acceptor, ClientHello},
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};

pub(crate) use self::certificates::{Book, Certificate};
use crate::config::Tls;

mod certificates;

/// What a TLS listener needs.
pub(crate) struct Front {
    /// How TLS is spoken with most clients, and with those that put `ChaCha20` first.
    usual: Arc<ServerConfig>,
    as_asked: Arc<ServerConfig>,
    pub(crate) book: Arc<Book>,
    /// The value of `Strict-Transport-Security`.
    pub(crate) hsts: Option<String>,
}

impl Front {
    /// Reads the certificates and prepares for clients, or says everything that is in the way.
    pub(crate) fn new(config: &Tls) -> Result<Arc<Self>, Vec<String>> {
        let book = Arc::new(Book::open(&config.certificates)?);
        let (usual, as_asked) =
            servers(&book, config.http2).map_err(|error| vec![format!("TLS cannot be spoken: {error}")])?;
        Ok(Arc::new(Self { usual: Arc::new(usual), as_asked: Arc::new(as_asked), book, hsts: config.hsts.clone() }))
    }

    /// Agrees with a client on how TLS is spoken. Who has gone by now costs nothing more.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        if has_gone(&stream) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let server = if is_without_aes(&begun.client_hello()) { &self.as_asked } else { &self.usual };
        let server = Arc::clone(server);
        begun.into_stream(server).await
    }
}

/// Whether a client has closed its direction, or all of it, as the kernel knows it now: it will not finish a handshake.
fn has_gone(stream: &TcpStream) -> bool {
    let mut looks = [PollFd::new(stream, PollFlags::RDHUP)];
    poll(&mut looks, Some(&Timespec::default())).is_ok_and(|seen| seen > 0)
}

/// Whether a client does AES at a cost: only such a one asks for `ChaCha20` first.
fn is_without_aes(hello: &ClientHello<'_>) -> bool {
    let known = ring::ALL_CIPHER_SUITES.iter().map(SupportedCipherSuite::suite);
    let first = hello.cipher_suites().iter().find(|asked| known.clone().any(|known| known == **asked));
    first.is_some_and(|suite| is_named(*suite, "CHACHA20"))
}

fn is_named(suite: CipherSuite, part: &str) -> bool {
    suite.as_str().is_some_and(|name| name.contains(part))
}

/// One that chooses, and one that takes what the client likes best. AES with 128 bits is safe and costs less than with 256,
/// and the SHA-256 that belongs to it is done by most processors, on both sides.
fn servers(book: &Arc<Book>, http2: bool) -> Result<(ServerConfig, ServerConfig), rustls::Error> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !is_named(suite.suite(), "AES_128"));
    let mut as_asked = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(book) as _);
    let spoken = [&b"h2"[..], b"http/1.1", b"http/1.0"].into_iter().filter(|name| http2 || *name != b"h2");
    as_asked.alpn_protocols = spoken.map(<[u8]>::to_vec).collect();
    // Sealed with keys that change every six hours; nothing is kept here, so any thread takes any ticket.
    as_asked.ticketer = ring::Ticketer::new()?;
    let mut usual = as_asked.clone();
    usual.ignore_client_order = true;
    Ok((usual, as_asked))
}
